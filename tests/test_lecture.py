"""The lecture, each of its sentences a test that can fail.

δ_j = ∂e/∂s_j of a unit's signal s_j = Σ w_ij x_i + b_j;  ∂e/∂w_ij = δ_j x_i;  δ_i of a layer = θ'(s_i) Σ_j δ_j w_ij of
the next;  ∇e = Σₖ ∇eₖ over the samples of a batch.
"""

import copy
import math
import random

import pytest

from micrograd import Value, accumulate, losses, nn, optim

THETA = {"tanh": math.tanh, "relu": lambda s: max(s, 0.0)}
THETA_PRIME = {"tanh": lambda s: 1 - math.tanh(s) ** 2, "relu": lambda s: float(s > 0)}

networks = pytest.mark.parametrize("widths", [[1], [3], [4, 1], [3, 2], [4, 3, 2], [2, 1, 3, 1], [5, 4, 3, 2]], ids=str)
activations = pytest.mark.parametrize("activation", ["tanh", "relu"])


def build(widths, activation):
    """A network on two inputs, its biases random as well, and five samples."""
    random.seed(f"{widths} {activation}")
    model = nn.MLP(2, widths, activation=activation)
    for parameter in model.parameters():
        parameter.data = random.uniform(-1, 1)
    samples = [
        ([random.gauss(0, 1) for _ in range(2)], [random.gauss(0, 1) for _ in range(widths[-1])]) for _ in range(5)
    ]
    return model, samples


def squared_error(model):
    def loss(x, y):
        out = model(x)
        return losses.squared_error(out if isinstance(out, list) else [out], y)

    return loss


def recursion(weights, biases, theta, theta_prime, x, y):
    """δ and ∇e of every layer for one sample: lists of numbers, nothing of the engine."""
    outputs, signals = [x], []
    for w, b in zip(weights, biases):
        signals.append([sum(w_ij * x_i for w_ij, x_i in zip(w_j, outputs[-1])) + b_j for w_j, b_j in zip(w, b)])
        outputs.append([theta(s) for s in signals[-1]])
    delta = [2 * (s - t) for s, t in zip(signals[-1], y)]  # the last layer is linear
    deltas = [delta]
    for layer in range(len(weights) - 2, -1, -1):
        delta = [
            theta_prime(s) * sum(d * w_j[i] for d, w_j in zip(delta, weights[layer + 1]))
            for i, s in enumerate(signals[layer])
        ]
        deltas.insert(0, delta)
    slopes = [[[d * x_i for x_i in outputs[layer]] for d in deltas[layer]] for layer in range(len(weights))]
    return deltas, slopes


def numbers_of(model):
    """Weights and biases, layer by layer, unit by unit."""
    weights = [[[w.data for w in unit.weights] for unit in layer.neurons] for layer in model.layers]
    return weights, [[unit.bias.data for unit in layer.neurons] for layer in model.layers]


def flat(nested):
    return [x for part in nested for x in flat(part)] if isinstance(nested, list) else [nested]


def slopes_of(model):
    return [parameter.grad for parameter in model.parameters()]


def exactly(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.fixture
def signals(monkeypatch):
    """The s nodes in the order in which the units computed them."""
    seen = []

    def signal(unit, x, original=nn.Neuron.signal):
        seen.append(original(unit, x))
        return seen[-1]

    monkeypatch.setattr(nn.Neuron, "signal", signal)
    return seen


@networks
@activations
def test_delta_is_the_gradient_of_s_and_delta_x_that_of_w(widths, activation, signals):
    model, samples = build(widths, activation)
    for x, y in samples:
        model.zero_grad()
        signals.clear()
        squared_error(model)(x, y).backward()
        deltas, slopes = recursion(*numbers_of(model), THETA[activation], THETA_PRIME[activation], x, y)
        units = [unit for layer in model.layers for unit in layer.neurons]
        assert [s.grad for s in signals] == exactly(flat(deltas))
        assert [unit.bias.grad for unit in units] == exactly(flat(deltas))
        assert [w.grad for unit in units for w in unit.weights] == exactly(flat(slopes))


@networks
@activations
def test_the_gradient_of_a_batch_is_the_sum_over_its_samples(widths, activation):
    model, samples = build(widths, activation)
    loss = squared_error(model)
    sum([loss(x, y) for x, y in samples]).backward()  # one graph for the whole batch
    expected = slopes_of(model)

    model.zero_grad()
    error = accumulate(loss, samples, reduction="sum")
    assert slopes_of(model) == exactly(expected)
    assert error == exactly(sum([loss(x, y).data for x, y in samples]))

    model.zero_grad()
    per_sample = []
    for sample in samples:
        model.zero_grad()
        accumulate(loss, [sample], reduction="sum")
        per_sample.append(slopes_of(model))
    assert [sum(column) for column in zip(*per_sample)] == exactly(expected)

    model.zero_grad()
    accumulate(loss, samples, reduction="mean")
    assert slopes_of(model) == exactly([slope / len(samples) for slope in expected])


@networks
@activations
def test_sum_and_mean_differ_by_a_factor_of_the_learning_rate(widths, activation):
    model, samples = build(widths, activation)
    after = []
    for reduction, rate in (("sum", 0.01), ("mean", 0.01 * len(samples))):
        trained = copy.deepcopy(model)
        optimizer = optim.SGD(trained.parameters(), lr=rate)
        for _ in range(3):
            optimizer.zero_grad()
            accumulate(squared_error(trained), samples, reduction)
            optimizer.step()
        after.append(flat([p.data for p in trained.parameters()]))
    assert after[0] == exactly(after[1])
    assert after[0] != exactly([p.data for p in model.parameters()])


def test_the_weights_change_once_a_batch():
    """B = 1, in between, and B = N give three different paths: B − 1 samples of each batch do not see each other."""
    model, samples = build([3, 1], "tanh")
    ends = []
    for size in (1, 2, len(samples)):
        trained = copy.deepcopy(model)
        optimizer = optim.SGD(trained.parameters(), lr=0.1)
        updates = 0
        for start in range(0, len(samples), size):
            optimizer.zero_grad()
            accumulate(squared_error(trained), samples[start : start + size])
            optimizer.step()
            updates += 1
        assert updates == math.ceil(len(samples) / size)
        ends.append([p.data for p in trained.parameters()])
    assert ends[0] != ends[1] != ends[2] != ends[0]


@activations
def test_averaging_x_and_delta_apart_gives_something_else(activation, signals):
    """Every summand δ·x holds its own sample's x: the mean of products is not the product of means."""
    model, samples = build([3, 1], activation)
    accumulate(squared_error(model), samples, reduction="mean")
    units = model.layers[0].neurons
    deltas = [[s.grad for s in signals[k * 4 : k * 4 + 3]] for k in range(len(samples))]
    mean_delta = [sum(column) for column in zip(*deltas)]  # each sample's δ holds its share 1/B already
    mean_x = [sum(column) / len(samples) for column in zip(*[x for x, _ in samples])]
    apart = [d * x for d in mean_delta for x in mean_x]
    together = [w.grad for unit in units for w in unit.weights]
    assert together == exactly(
        [sum(delta[j] * x[i] for delta, (x, _) in zip(deltas, samples)) for j in range(3) for i in range(2)]
    )
    assert math.dist(apart, together) > 0.1 * math.hypot(*together)


def test_a_sum_by_hand():
    """e = (w·x − y)² over (1, 3) and (2, 2) at w = 1: slopes −4 and 0; means apart would give 2·(−1)·1.5 = −3."""
    w = Value(1.0)
    assert accumulate(lambda x, y: (w * x - y) ** 2, [(1.0, 3.0), (2.0, 2.0)], reduction="sum") == 4.0
    assert w.grad == -4.0
