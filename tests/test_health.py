"""Trainings that go wrong in one way are told so in the first line; healthy ones are not spoken of."""

import math
import random
import re
from itertools import pairwise
from statistics import median

import pytest

from micrograd import Value, accumulate, fit, jit, losses, nn, no_grad, optim, pick
from micrograd.data import DataLoader
from micrograd.graph import topological_order
from micrograd.health import LayerLook, Look, Watch
from micrograd.health.diagnosis import Evidence, diagnose

# ---- data, networks and losses ---------------------------------------------------------------------------------------


def moons(count=40):
    draw, samples = random.Random(0), []
    for k in range(count):
        angle, y = draw.uniform(0, math.pi), 1 if k % 2 else -1
        x = (math.cos(angle), math.sin(angle)) if y < 0 else (1 - math.cos(angle), 0.5 - math.sin(angle))
        samples.append(([c + draw.gauss(0, 0.1) for c in x], y))
    return samples


def clouds(count=40, classes=2, spread=0.4, wrong=0.0):
    """Points around the corners of a polygon; labels -1 and 1, or numbers of more classes; a share of them wrong."""
    draw, samples = random.Random(1), []
    for k in range(count):
        c = k % classes
        x = [1.2 * turn(2 * math.pi * c / classes) + draw.gauss(0, spread) for turn in (math.cos, math.sin)]
        y = c if classes > 2 else 2 * c - 1
        samples.append((x, -y if draw.random() < wrong else y))
    return samples


def curve(count=32, noise=0.05, function=lambda x: math.sin(2 * x)):
    draw = random.Random(2)
    return [([x], function(x) + draw.gauss(0, noise)) for x in [draw.uniform(-2, 2) for _ in range(count)]]


def sums(count=24):
    """Lists of 3 to 5 numbers, and tanh of half of their sum."""
    draw = random.Random(3)
    lists = [[draw.choice((-1.0, 1.0)) for _ in range(draw.randint(3, 5))] for _ in range(count)]
    return [(xs, math.tanh(sum(xs) / 2)) for xs in lists]


XOR = [([0, 0], -1), ([0, 1], 1), ([1, 0], 1), ([1, 1], -1)]


def mlp(nin, nouts, activation="relu", init=None, seed=0, **settings):
    random.seed(seed)
    return nn.MLP(nin, nouts, activation, init or ("he" if "elu" in activation else "xavier"), **settings)


def hinge(model):
    return lambda x, y: losses.hinge(model(x), y)


def logistic(model):
    return lambda x, y: losses.binary_cross_entropy(model(x), (y + 1) / 2)


def squared(model):
    return lambda x, y: losses.squared_error(model(x), y)


def of_classes(model):
    return lambda x, y: losses.cross_entropy(model(x), y)


class Recurrent(nn.Module):
    def __init__(self):
        random.seed(0)
        self.cell, self.head = nn.Layer(1 + 5, 5, activation="tanh", init="xavier"), nn.Linear(5, 1, init="xavier")

    def forward(self, xs):
        h = [0.0] * 5
        for x in xs:
            h = self.cell([x, *h])
        return self.head(h)


class Twice(nn.Module):
    """One hidden layer, used twice."""

    def __init__(self):
        random.seed(0)
        self.first, self.last = nn.Linear(2, 6, init="xavier"), nn.Linear(6, 1, init="xavier")
        self.hidden = nn.Layer(6, 6, activation="tanh", init="xavier")

    def forward(self, x):
        return self.last(self.hidden(self.hidden(self.first(x))))


class Density(nn.Module):
    """The mean and the log of the spread of an answer; the loss, minus the log of its density, is below 0."""

    def __init__(self):
        self.mean, self.spread = mlp(1, [6, 1], "tanh"), Value(0.0)

    def forward(self, x, y):
        return (self.mean(x) - y) ** 2 / (2 * (2 * self.spread).exp()) + self.spread


class Tokens(nn.Module):
    """As in a GPT: no neurons, but tables of parameters; the next token's scores by attention over those so far."""

    def __init__(self):
        draw = random.Random(0)
        self.table, self.query, self.head = (
            [[Value(draw.gauss(0, 0.4)) for _ in range(3)] for _ in range(rows)] for rows in (4, 3, 4)
        )

    def forward(self, *tokens):
        vectors, error = [], 0.0
        for token, following in pairwise(tokens):
            vectors.append([pick(column, token) for column in zip(*self.table)])
            query = [sum(w * x for w, x in zip(row, vectors[-1])) for row in self.query]
            shares = [sum(q * x for q, x in zip(query, vector)).exp() for vector in vectors]
            mixed = [sum(s * v for s, v in zip(shares, column)) / sum(shares) for column in zip(*vectors)]
            scores = [sum(w * x for w, x in zip(row, mixed)) for row in self.head]
            error = error + losses.cross_entropy(scores, following)
        return error / (len(tokens) - 1)


def rounds(count=20):
    draw = random.Random(4)
    return [tuple((start + k) % 4 for k in range(draw.randint(3, 5))) for start in range(count)]


class Training:
    """What a training is made of, and the watch on it."""

    def __init__(self, model, loss, samples, optimizer, size, epochs):
        self.model, self.samples, self.size, self.epochs = model, samples, size, epochs
        self.loss = loss(model)
        self.optimizer = optimizer(model.parameters())

    def watch(self, **settings):
        watch = Watch(self.model, self.loss, self.samples, self.optimizer, self.size)
        loader = DataLoader(self.samples, self.size, shuffle=True, seed=0)
        fit(self.loss, loader, self.optimizer, self.epochs, callbacks=[watch], progress=False, **settings)
        return watch


def sgd(lr, **settings):
    return lambda parameters: optim.SGD(parameters, lr, **settings)


def adam(lr):
    return lambda parameters: optim.Adam(parameters, lr)


# ---- healthy trainings -----------------------------------------------------------------------------------------------

HEALTHY = {
    "relu, SGD": lambda: (mlp(2, [12, 12, 1]), hinge, moons(), sgd(0.2), 8, 20),
    "relu with a few dead units": lambda: (mlp(2, [12] * 4 + [1], seed=1), hinge, moons(), adam(0.005), 8, 15),
    "relu, uniform weights": lambda: (mlp(2, [12, 12, 1], init="uniform"), hinge, moons(), sgd(0.05), 8, 15),
    "relu, B = 1": lambda: (mlp(2, [12, 1]), logistic, moons(), sgd(0.05), 1, 20),
    "relu, B = N": lambda: (mlp(2, [12, 1]), hinge, moons(), sgd(0.3), 40, 30),
    "tanh, B = 1": lambda: (mlp(2, [8, 1], "tanh"), logistic, moons(), sgd(0.5), 1, 30),
    "tanh, B = N": lambda: (mlp(2, [8, 1], "tanh"), logistic, moons(), sgd(0.5), 40, 40),
    "tanh, to the end": lambda: (mlp(2, [8, 1], "tanh"), logistic, moons(), adam(0.1), 8, 120),
    "tanh, five layers": lambda: (mlp(2, [6] * 5 + [1], "tanh"), hinge, moons(32), adam(0.01), 8, 20),
    "leaky relu, AdamW": lambda: (
        *(mlp(2, [8, 8, 1], "leaky_relu"), hinge, moons()),
        *(lambda ps: optim.AdamW(ps, 0.02), 8, 20),
    ),
    "sigmoid, RMSprop": lambda: (
        *(mlp(2, [8, 1], "sigmoid"), logistic, clouds()),
        *(lambda ps: optim.RMSprop(ps, 0.02), 8, 20),
    ),
    "sigmoid, momentum": lambda: (
        *(mlp(2, [8, 8, 1], "sigmoid"), logistic, clouds(spread=0.2)),
        *(sgd(0.1, momentum=0.9), 8, 25),
    ),
    "gelu": lambda: (mlp(2, [8, 1], "gelu"), hinge, moons(), adam(0.01), 8, 20),
    "silu, Nesterov": lambda: (
        *(mlp(2, [8, 1], "silu"), hinge, moons()),
        *(sgd(0.05, momentum=0.9, nesterov=True), 8, 20),
    ),
    "softplus": lambda: (mlp(2, [8, 1], "softplus"), logistic, moons(), adam(0.03), 8, 20),
    "a curve": lambda: (mlp(1, [12, 1], "tanh"), squared, curve(), adam(0.02), 8, 30),
    "a line with noise, B = 1": lambda: (mlp(1, [1]), squared, curve(32, 0.5, lambda x: x), sgd(0.02), 1, 25),
    "three classes": lambda: (mlp(2, [8, 3]), of_classes, clouds(42, 3), sgd(0.1), 7, 25),
    "a last layer of zeros": lambda: (filled(mlp(2, [3]), 0.0), of_classes, clouds(42, 3), sgd(0.2), 7, 15),
    "a quarter of labels wrong": lambda: (mlp(2, [6, 1], "tanh"), logistic, clouds(48, wrong=0.25), sgd(0.1), 8, 25),
    "a quarter of labels wrong, B = 1": lambda: (mlp(2, [1]), logistic, clouds(48, wrong=0.25), sgd(0.02), 1, 25),
    "sigmoid at the end": lambda: (
        *(mlp(2, [6, 1], "tanh", last_activation="sigmoid"), squared, [(x, (y + 1) / 2) for x, y in moons()]),
        *(adam(0.05), 8, 20),
    ),
    "exclusive or": lambda: (mlp(2, [4, 1], "tanh", seed=2), hinge, XOR, sgd(0.5), 2, 100),
    "a layer used twice": lambda: (Twice(), logistic, moons(32), adam(0.02), 8, 20),
    "recurrent": lambda: (Recurrent(), squared, sums(), adam(0.02), 8, 20),
    "attention": lambda: (Tokens(), lambda model: model, rounds(), adam(0.05), 5, 15),
    "a loss below 0": lambda: (
        *(Density(), lambda model: lambda x, y: model(x, y) - 3, curve(40)),
        *(adam(0.01), 8, 25),
    ),
    "a last bias at the mean answer": lambda: (
        *(biased(mlp(1, [8, 1]), 1, 2000.0), squared, [([x / 4], 2000 + 20 * y) for [x], y in curve()]),
        *(adam(0.1), 8, 30),
    ),
    "layers and θ apart": lambda: (
        *(nn.Sequential(nn.Linear(2, 6, init="xavier"), "tanh", nn.Linear(6, 1, init="xavier")), hinge, moons()),
        *(sgd(0.1), 8, 20),
    ),
}


def filled(model, x):
    for parameter in model.parameters():
        parameter.data = x
    return model


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_trainings_are_not_spoken_of(name):
    random.seed(0)
    training = Training(*HEALTHY[name]())
    watch, said = Watch(training.model, training.loss, training.samples, training.optimizer, training.size), []

    def look(history):
        watch(history)
        said.extend(map(str, watch.diagnosis()))  # after each epoch: a training is healthy all along

    loader = DataLoader(training.samples, training.size, shuffle=True, seed=0)
    fit(training.loss, loader, training.optimizer, training.epochs, callbacks=[look], progress=False)
    assert said == []
    assert watch.looks[-1].loss < watch.looks[0].loss
    assert str(watch) == f"nothing was found in {training.epochs + 1} looks"


def test_a_few_dead_units_are_healthy():
    layers = Training(*HEALTHY["relu with a few dead units"]()).watch().looks[-1].layers
    assert any(layer.dead for layer in layers.values())


# ---- trainings that go wrong in one way ------------------------------------------------------------------------------


def scaled(model, factor):
    for parameter in model.parameters():
        parameter.data *= factor
    return model


def biased(model, layer, bias):
    for neuron in model.layers[layer].neurons:
        neuron.bias.data = bias
    return model


def far(samples, factor=1.0, offset=0.0):
    return [([factor * x[0] + offset, factor * x[1]], y) for x, y in samples]


SICK = {
    "dead units, by biases": lambda: (biased(mlp(2, [16, 16, 1]), 0, -3.0), hinge, moons(), sgd(0.1), 8, 5),
    "dead units, by steps": lambda: (mlp(2, [16, 16, 1]), hinge, moons(), sgd(4.0), 8, 10),
    "saturated units, the last": lambda: (
        *(biased(mlp(2, [6, 1], "tanh", last_activation="sigmoid"), 1, 15.0), squared),
        *([(x, (y + 1) / 2) for x, y in moons()], sgd(0.1), 8, 5),
    ),
    "saturated units, hidden": lambda: (flat(), logistic, moons(), sgd(0.1), 8, 5),
    "saturated units, by steps": lambda: (mlp(2, [8, 1], "tanh"), squared, moons(), adam(3.0), 8, 12),
    "vanishing δ, sigmoid": lambda: (mlp(2, [6] * 7 + [1], "sigmoid"), logistic, moons(24), sgd(0.1), 8, 5),
    "vanishing δ, small weights": lambda: (
        *(scaled(mlp(2, [6] * 4 + [1], "tanh"), 0.1), logistic, moons(24)),
        *(sgd(0.1), 8, 5),
    ),
    "exploding, signals": lambda: (scaled(mlp(2, [8] * 6 + [1]), 4.0), hinge, moons(24), sgd(1e-4), 8, 3),
    "exploding, δ": lambda: (steep(), logistic, moons(24), sgd(1e-3), 8, 3),
    "learning rate too high, SGD": lambda: (mlp(2, [8, 1], "tanh"), squared, moons(), sgd(1.0), 8, 8),
    "learning rate too high, a line": lambda: (mlp(1, [1]), squared, curve(32), sgd(0.9), 32, 8),
    "learning rate too high, leaky relu": lambda: (mlp(2, [8, 1], "leaky_relu"), hinge, moons(), sgd(30.0), 8, 12),
    "learning rate too low, SGD": lambda: (mlp(2, [8, 1], "tanh"), logistic, moons(), sgd(1e-4), 8, 6),
    "learning rate too low, Adam": lambda: (mlp(2, [8, 1]), hinge, moons(), adam(1e-6), 8, 6),
    "symmetric weights, all alike": lambda: (
        *(filled(mlp(2, [8, 1], "tanh"), 0.3), logistic, moons()),
        *(sgd(0.2), 8, 8),
    ),
    "symmetric weights, zeros": lambda: (filled(mlp(2, [8, 8, 1]), 0.0), logistic, moons(), sgd(0.2), 8, 5),
    "wild inputs, large": lambda: (mlp(2, [8, 1], "tanh"), logistic, far(moons(), 1000.0), sgd(0.1), 8, 8),
    "wild inputs, far off": lambda: (mlp(2, [8, 1]), logistic, far(moons(), 1.0, 2000.0), sgd(0.1), 8, 8),
    "wild inputs, small": lambda: (mlp(2, [8, 1], "tanh"), logistic, far(moons(), 1e-3), sgd(0.1), 8, 8),
    "noise, a classifier": lambda: (mlp(2, [1]), logistic, clouds(48, wrong=0.3), sgd(2.0), 1, 20),
    "noise, a curve": lambda: (mlp(1, [12, 1], "tanh"), squared, curve(48, 0.6), sgd(0.2), 1, 25),
}
ADVICE = {
    "dead units": "leaky_relu",
    "saturated units": "leave out its activation|draw smaller weights|lower the learning rate",
    "vanishing δ": "use relu",
    "exploding": "draw weights of another size",
    "learning rate too high": "divide it by",
    "learning rate too low": "multiply it by",
    "symmetric weights": "draw the weights by lot",
    "wild inputs": "divide by its standard deviation",
    "noise": "take larger batches",
}


def flat():
    """Hidden units far out in the flat part of tanh; the last weights are small, so that the loss starts near log 2."""
    model = biased(mlp(2, [8, 1], "tanh"), 0, 9.0)
    for parameter in model.layers[1].parameters():
        parameter.data *= 0.1
    return model


def steep():
    """Signals stay in range, by small first weights; δ grows on the way back through the others."""
    model = scaled(mlp(2, [6] * 6 + [1], "tanh"), 12.0)
    for neuron in model.layers[0].neurons:
        for weight in neuron.weights:
            weight.data *= 1e-9
    return model


@pytest.mark.parametrize("name", SICK)
def test_the_first_line_says_what_goes_wrong(name):
    watch = Training(*SICK[name]()).watch()
    kind = name.split(",")[0]
    first = watch.diagnosis()[0]
    assert first.kind == kind
    assert any(advice in first.text for advice in ADVICE[kind].split("|"))
    assert str(watch).split("\n")[0] == first.text


SAID = {
    "dead units, by biases": (
        r"1[0-6] of 16 units of layer 1 are dead on every sample, from the start: draw its weights with "
        r'init="he" and its biases as 0, or use activation="leaky_relu"'
    ),
    "dead units, by steps": (
        r"(9|1[0-6]) of 16 units of layer [12] are dead on every sample, 0 at the start: lower the learning rate, or "
        r'use activation="leaky_relu"'
    ),
    "saturated units, by steps": r"units of layer 1 are saturated on 9\d% of samples, 0% at the start, .*: lower .*",
    "learning rate too high, SGD": r"the loss has risen from 0.366 to .*: the learning rate 1 is too high, divide .*",
    "wild inputs, far off": r"input 1 has a root mean square of 2,00\d, where about 1 trains well: .*",
    "noise, a classifier": r".* samples disagree: it takes \S+ of them .*, where a batch has 1: take larger batches.*",
}


@pytest.mark.parametrize("name", SAID)
def test_the_line_has_its_number(name):
    line = str(Training(*SICK[name]()).watch().diagnosis()[0])
    assert re.fullmatch(SAID[name], line), line


# ---- zero_grad -------------------------------------------------------------------------------------------------------


def by_hand(zeroed, reduction="mean", penalty=0.0):
    """A loop of one's own, watched between ``accumulate`` and the step."""
    model = mlp(2, [4, 1], "tanh")
    loss, optimizer = squared(model), optim.SGD(model.parameters(), 0.01)
    watch = Watch(model, loss, moons(16), optimizer)
    for batch in DataLoader(moons(16), 4):
        if zeroed:
            optimizer.zero_grad()
        accumulate(loss, batch, reduction)
        if penalty:
            (penalty * losses.l2(model.parameters())).backward()
        watch.look(batch)
        optimizer.step()
    return watch


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_that_were_not_zeroed_are_told(reduction):
    watch = by_hand(False, reduction)
    assert [look.leftover > 0 for look in watch.looks] == [False] * 2 + [True] * 3  # there is one before a batch
    first = watch.diagnosis()[0]
    assert first.kind == "no zero_grad"
    assert "call optimizer.zero_grad() before each batch" in first.text
    assert first.number == max(look.leftover for look in watch.looks)


@pytest.mark.parametrize("settings", [{}, {"reduction": "sum"}, {"penalty": 0.1}])
def test_gradients_that_were_zeroed_are_not_spoken_of(settings):
    assert all(look.leftover == 0 for look in by_hand(True, **settings).looks)


# ---- what a look sees ------------------------------------------------------------------------------------------------


def root_mean_square(xs):
    return math.sqrt(sum(x * x for x in xs) / len(xs))


def test_signals_and_deltas_are_those_of_the_lecture():
    """For a 2-3-1 net with tanh and squared error, by the recursion for δ."""
    model, samples = mlp(2, [3, 1], "tanh"), moons(8)
    hidden, (last,) = ([(list(map(float, n.weights)), n.bias.data) for n in layer.neurons] for layer in model.layers)
    first, second, delta_first, delta_second = [], [], [], []
    for x, y in samples:
        s = [b + w[0] * x[0] + w[1] * x[1] for w, b in hidden]
        out = last[1] + sum(w * math.tanh(v) for w, v in zip(last[0], s))
        first += s
        second.append(out)
        delta_second.append(2 * (out - y))
        delta_first += [(1 - math.tanh(v) ** 2) * w * 2 * (out - y) for v, w in zip(s, last[0])]
    layers = Watch(model, squared(model), samples).looks[0].layers
    assert [*layers] == ["layer 1", "layer 2"]
    assert [layer.units for layer in layers.values()] == [3, 1]
    for layer, s, delta in zip(layers.values(), (first, second), (delta_first, delta_second)):
        assert layer.signal == pytest.approx(root_mean_square(s), rel=1e-12)
        assert layer.delta == pytest.approx(root_mean_square(delta), rel=1e-12)


def test_angles_noise_and_gradients_are_those_of_backward():
    model, samples = mlp(2, [3, 1], "tanh"), moons(7)
    loss, rows = squared(model), []
    watch = Watch(model, loss, samples)
    for x, y in samples:
        model.zero_grad()
        loss(x, y).backward()
        rows.append([parameter.grad for parameter in model.parameters()])
    mean = [sum(column) / 7 for column in zip(*rows)]
    angles = [
        math.degrees(math.acos(sum(a * b for a, b in zip(row, mean)) / math.hypot(*row) / math.hypot(*mean)))
        for row in rows
    ]
    variance = sum((a - b) ** 2 for row in rows for a, b in zip(row, mean)) / 6
    look = watch.looks[0]
    assert look.angle == pytest.approx(median(angles), rel=1e-9)
    assert look.noise_scale == pytest.approx(variance / sum(g * g for g in mean), rel=1e-9)
    assert look.layers["layer 1"].gradient == pytest.approx(math.hypot(*mean[:9]), rel=1e-12)
    assert look.layers["layer 1"].weight == pytest.approx(math.hypot(*[float(p) for p in model.layers[0].parameters()]))
    assert look.inputs == pytest.approx([root_mean_square([x[i] for x, _ in samples]) for i in (0, 1)])
    assert look.loss == pytest.approx(sum(loss(x, y).data for x, y in samples) / 7)


@pytest.mark.parametrize(("make", "samples"), [(Twice, moons(5)), (Recurrent, sums(5))])
def test_gradients_of_a_layer_used_several_times_are_those_of_backward(make, samples):
    model = make()
    loss, deltas = squared(model), []
    layers = Watch(model, loss, samples).looks[0].layers
    biases = {neuron.bias for neuron in vars(model)["hidden" if make is Twice else "cell"].neurons}
    for x, y in samples:
        error = loss(x, y)
        error.backward(1 / 5)
        deltas += [5 * node.grad for node in topological_order(error) if node.parents[-1] in biases]
    for name, layer in layers.items():
        gradients = [parameter.grad for parameter in vars(model)[name].parameters()]
        assert layer.gradient == pytest.approx(math.hypot(*gradients), rel=1e-12)
    assert layers["hidden" if make is Twice else "cell"].delta == pytest.approx(root_mean_square(deltas), rel=1e-12)


def test_inputs_are_the_numbers_of_a_sample():
    class Embedded(nn.Module):
        def __init__(self):
            self.vectors, self.layer = nn.Embedding(3, 2), nn.Linear(3, 1)

        def forward(self, token, x):
            return self.layer([*self.vectors(token), x])

    model = Embedded()
    watch = Watch(model, lambda token, x: model(token, x) ** 2, [(0, 3.0), (2, 4.0)])
    assert watch.looks[0].inputs == [pytest.approx(math.sqrt(12.5))]


def test_units_with_equal_weights_that_learn_different_things_are_healthy():
    model = filled(mlp(2, [3]), 0.0)
    watch = Watch(model, of_classes(model), clouds(42, 3))
    assert not watch.looks[0].layers["layer 1"].alike
    assert watch.diagnosis() == []


def test_the_mean_is_that_of_the_last_eight_looks():
    w = nn.Neuron(1, nonlin=False)
    w.weights[0].data = 100.0
    watch = Watch(w, lambda x: w([x]), [1.0])
    for k in range(10):
        w.weights[0].data = float(k * k)
        watch.look()
    assert watch._loss_of_mean() == sum(k * k for k in range(2, 10)) / 8
    assert watch._loss_beyond(10.0) == 100 + 10 * (81 - 100)


@pytest.mark.parametrize("optimizer", [sgd(0.3), sgd(0.1, momentum=0.9), adam(0.05)])
def test_the_update_is_the_step_that_follows(optimizer):
    model = mlp(2, [3, 1], "tanh")
    loss, optimizer = squared(model), optimizer(model.parameters())
    watch = Watch(model, loss, moons(8), optimizer)
    assert math.isnan(watch.looks[0].layers["layer 1"].update)  # there is no gradient yet
    for _ in range(3):
        optimizer.zero_grad()
        accumulate(loss, moons(8))
        seen, before = watch.look().layers, [parameter.data for parameter in model.parameters()]
        optimizer.step()
        moves = [parameter.data - x for parameter, x in zip(model.parameters(), before)]
        assert seen["layer 1"].update == pytest.approx(math.hypot(*moves[:9]) / math.hypot(*before[:9]), rel=1e-12)
        assert seen["layer 2"].update == pytest.approx(math.hypot(*moves[9:]) / math.hypot(*before[9:]), rel=1e-12)


def test_dead_and_saturated_are_counted():
    model, flat = mlp(1, [3, 1]), mlp(1, [4, 1], "sigmoid")
    for neuron, w, b in zip(model.layers[0].neurons, (1.0, -1.0, 1.0), (0.0, 0.0, -1.0)):
        neuron.weights[0].data, neuron.bias.data = w, b  # alive at x = 1, nowhere, nowhere: relu'(0) is 0
    samples = [([0.5], 1), ([1.0], -1)]
    assert Watch(model, squared(model), samples).looks[0].layers["layer 1"].dead == 2
    for neuron, b in zip(flat.layers[0].neurons, (0.0, 5.9, 6.1, -9.0)):
        neuron.weights[0].data, neuron.bias.data = 0.0, b  # σ' = 0.0025 at ±5.99
    assert Watch(flat, squared(flat), samples).looks[0].layers["layer 1"].saturated == 0.5


def test_a_gate_is_no_activation_that_saturates():
    """In silu, s · σ(s), σ is flat for large s, and the slope is 1."""
    model = biased(mlp(1, [3, 1], "silu"), 0, 30.0)
    assert Watch(model, squared(model), curve(4)).looks[0].layers["layer 1"].saturated == 0


def test_layers_have_names_in_any_module():
    def names(model, loss, samples):
        return {name: layer.units for name, layer in Watch(model, loss, samples).looks[0].layers.items()}

    twice, tokens = Twice(), Tokens()
    assert names(twice, logistic(twice), moons(4)) == {"first": 6, "hidden": 6, "last": 1}
    assert names(tokens, tokens, rounds(4)) == {"table": 0, "query": 0, "head": 0}
    neuron = nn.Neuron(2)
    assert names(neuron, squared(neuron), moons(4)) == {"Neuron": 1}
    layer = nn.Layer(2, 3)
    assert names(layer, lambda x, _: sum(layer(x)), moons(4)) == {"Layer": 3}
    parts = nn.Sequential(nn.Linear(2, 3), "relu", nn.Linear(3, 1))
    assert names(parts, hinge(parts), moons(4)) == {"parts.0": 3, "parts.2": 1}


def test_of_many_samples_some_that_are_drawn_by_lot_are_looked_at():
    seen, w = [], nn.Neuron(1)

    def loss(x):
        seen.append(x)
        return w([x]) ** 2

    watch = Watch(w, loss, range(128))
    seen.clear()
    watch.look()
    assert len(set(seen)) == 64
    assert seen == sorted(seen)
    assert {x % 2 for x in seen} == {0, 1}  # as where classes take turns
    assert {x // 32 for x in seen} == {0, 1, 2, 3}
    first = seen.copy()
    watch.look()
    assert seen == first * 2


def test_a_recorded_loss_is_seen_as_its_function_is():
    def looks(recorded):
        training = Training(mlp(2, [6, 1]), hinge, moons(24), adam(0.02), 8, 4)
        if recorded:
            training.loss = jit(training.loss)
        return training.watch().looks

    for plain, replayed in zip(looks(False), looks(True)):
        assert replayed.loss == pytest.approx(plain.loss, rel=1e-9)
        assert replayed.noise_scale == pytest.approx(plain.noise_scale, rel=1e-9)
        for name, layer in plain.layers.items():
            assert replayed.layers[name].delta == pytest.approx(layer.delta, rel=1e-9)
            assert replayed.layers[name].update == pytest.approx(layer.update, rel=1e-9, nan_ok=True)


def test_a_loss_may_be_an_object_that_has_a_function():
    class Scaled:
        def __init__(self, function):
            self.function = function

        def __call__(self, x, y):
            return 10 * self.function(x, y)

    loss = squared(MODEL)
    plain, scaled = (Watch(MODEL, each, curve(4)).looks[0].loss for each in (loss, Scaled(loss)))
    assert scaled == pytest.approx(10 * plain)


def test_an_undefined_loss_is_seen_as_infinite():
    model = mlp(1, [1])
    watch = Watch(model, lambda x, y: (model(x) - y) ** 2, curve(4), optim.SGD(model.parameters(), lr=7.0))
    model.layers[0].neurons[0].weights[0].data = 1e200
    look = watch.look()
    assert math.isinf(look.loss)
    assert look.layers == {}
    assert str(watch) == "the loss is no longer defined: the learning rate 7 is too high, divide it by 10"


def test_a_training_that_an_error_has_ended_is_seen_as_it_was_left():
    training = Training(mlp(1, [1]), squared, curve(8), sgd(1e80), 8, 9)
    watch = Watch(training.model, training.loss, training.samples, training.optimizer)
    assert str(watch) == "nothing was found in 1 look"
    with pytest.raises(ValueError, match="math range error"):
        fit(training.loss, [training.samples], training.optimizer, 9, progress=False)
    assert str(watch) == "the loss is no longer defined: the learning rate 1e+80 is too high, divide it by 10"
    assert len(watch.looks) == 2
    watch.diagnosis()
    assert len(watch.looks) == 2


def test_the_rate_that_is_told_is_the_highest_of_a_schedule():
    training = Training(mlp(1, [1]), squared, curve(32), sgd(0.9), 32, 8)
    watch = training.watch(schedule=optim.StepLR(training.optimizer, 6, 1e-6))
    assert training.optimizer.lr < 1e-6
    assert "the learning rate 0.9 is too high" in str(watch)


def test_a_notebook_shows_what_print_shows():
    pretty = pytest.importorskip("IPython.lib.pretty")
    assert pretty.pretty(Watch(MODEL, squared(MODEL), curve(4))) == "nothing was found in 1 look"


# ---- watching changes nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("optimizer", [sgd(0.1, momentum=0.9), adam(0.02)])
def test_the_same_bits_with_and_without(recorded, optimizer):
    def trained(watched):
        training = Training(mlp(2, [6, 1], "tanh"), logistic, moons(24), optimizer, 8, 12)
        loss = jit(training.loss) if recorded else training.loss
        random.seed(7)
        seen = []

        def note(_):
            seen.append([parameter.grad for parameter in training.model.parameters()])

        callbacks = [note]
        if watched:
            watch = Watch(training.model, loss, training.samples, training.optimizer, 8)
            callbacks = [lambda history: watch.diagnosis(), watch, lambda history: watch.diagnosis(), note]
        loader = DataLoader(training.samples, 8, shuffle=True)
        history = fit(loss, loader, training.optimizer, 12, callbacks=callbacks, progress=False)
        numbers = [parameter.data for parameter in training.model.parameters()]
        return numbers, seen, training.optimizer.state_dict(), history, random.getstate()

    assert trained(True) == trained(False)


@pytest.mark.parametrize("recorded", [False, True])
def test_the_same_weights_as_without_any_callback(recorded):
    def weights(watched):
        training = Training(mlp(2, [6, 1], "tanh"), logistic, moons(24), adam(0.02), 8, 12)
        loss = jit(training.loss) if recorded else training.loss
        callbacks = [Watch(training.model, loss, training.samples, training.optimizer)] if watched else []
        loader = DataLoader(training.samples, 8, shuffle=True, seed=0)
        fit(loss, loader, training.optimizer, 12, callbacks=callbacks, progress=False)
        return training.model.state_dict()

    assert weights(True) == weights(False)


def test_a_gradient_that_no_pass_has_reached_stays_so():
    """The optimizer knows it by its object."""
    model = mlp(2, [3, 1], "tanh")
    before = [parameter.grad for parameter in model.parameters()]
    watch = Watch(model, squared(model), moons(4))
    watch.look()
    watch.diagnosis()
    assert all(parameter.grad is grad for parameter, grad in zip(model.parameters(), before))


def test_labels_are_not_given():
    neuron = nn.Neuron(1)
    Watch(neuron, squared(neuron), curve(4))
    assert {parameter.label for _, parameter in neuron.named_parameters()} == {""}


def test_weights_are_put_back_whatever_the_trial_raises():
    model, broken = mlp(2, [3, 1], "tanh"), []

    def loss(x, y):
        if broken:
            raise KeyboardInterrupt
        return squared(model)(x, y)

    watch = Watch(model, loss, moons(4))
    for step in range(8):
        for parameter in model.parameters():
            parameter.data += 1e-6 * step
        watch.look()
    before = [parameter.data for parameter in model.parameters()]
    broken.append(True)
    with pytest.raises(KeyboardInterrupt):
        watch._loss_of_mean()
    assert [parameter.data for parameter in model.parameters()] == before


def test_a_loss_that_draws_leaves_the_random_numbers_as_they_were():
    model = mlp(2, [3, 1], "tanh")

    def loss(x, y):
        return losses.squared_error(model([random.random(), x[1]]), y)

    before = random.getstate()
    watch = Watch(model, loss, moons(4))
    watch.look()
    watch._loss_beyond(10.0)
    assert random.getstate() == before


# ---- limits ----------------------------------------------------------------------------------------------------------


def kinds(*looks, batch_size=None, loss_of_mean=0.0, loss_beyond=lambda times: 0.0):
    return [found.kind for found in diagnose(Evidence(looks, batch_size, None, lambda: loss_of_mean, loss_beyond))]


def look(loss, noise_scale=1.0, inputs=(), **layers):
    return Look(loss, layers or {"a": LayerLook(1.0, 1.0)}, 0.0, noise_scale, [*inputs])


def layer(**settings):
    return LayerLook(1.0, 1.0, **{"units": 4, "signal": 1.0, "delta": 1.0, **settings})


@pytest.mark.parametrize(
    ("healthy", "sick", "kind"),
    [
        ([look(1.0, a=layer(dead=2))], [look(1.0, a=layer(dead=3))], "dead units"),
        ([look(1.0, a=layer(saturated=0.8))], [look(1.0, a=layer(saturated=0.81))], "saturated units"),
        (
            [look(1.0, a=layer(delta=0.0011), b=layer())],
            [look(1.0, a=layer(delta=0.0009), b=layer())],
            "vanishing δ",
        ),
        ([look(1.0, a=layer(delta=990.0), b=layer())], [look(1.0, a=layer(delta=1010.0), b=layer())], "exploding"),
        (
            [look(1.0, inputs=[1.0, 31.0], a=layer(signal=9.0))],
            [look(1.0, inputs=[1.0, 31.0], a=layer(signal=11.0))],
            "wild inputs",
        ),
        (
            [look(1.0, inputs=[1.0, 29.0], a=layer(signal=11.0))],
            [look(1.0, inputs=[1.0, 31.0], a=layer(signal=11.0))],
            "wild inputs",
        ),
        ([look(1.0, inputs=[0.001, 0.011])], [look(1.0, inputs=[0.001, 0.009])], "wild inputs"),
        (
            [look(1.0), look(1.2), look(1.09), look(1.2)],
            [look(1.0), look(1.2), look(1.11), look(1.2)],
            "learning rate too high",
        ),
        (
            [look(-1.0), look(-0.8), look(-0.91), look(-0.8)],
            [look(-1.0), look(-0.8), look(-0.89), look(-0.8)],
            "learning rate too high",
        ),
        (
            [look(0.0), look(0.5), look(0.0), look(0.5)],
            [look(0.0), look(0.5), look(0.1), look(0.5)],
            "learning rate too high",
        ),
    ],
)
def test_limits(healthy, sick, kind):
    assert kinds(*healthy) == []
    assert kinds(*sick) == [kind]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"a": layer(saturated=1.0)}, "saturated units"),
        ({"a": layer(delta=1e-6), "b": layer()}, "vanishing δ"),
        ({"inputs": [0.001]}, "wild inputs"),
    ],
)
@pytest.mark.parametrize(("start", "near", "learned"), [(1.0, 0.51, 0.49), (-1.0, -1.49, -1.51)])
def test_what_has_learned_is_not_spoken_of(settings, kind, start, near, learned):
    first = look(start, **settings)
    assert kinds(first, look(near, **settings)) == [kind]
    assert kinds(first, look(learned, **settings)) == []


def test_a_loss_beyond_measure_is_told_at_once():
    assert kinds(look(1.0), look(1e49)) == []
    assert kinds(look(1.0), look(1e51)) == ["learning rate too high"]


def test_a_network_that_has_learned_does_without_more_units():
    first = look(1.0, a=layer(dead=0))
    assert kinds(first, look(0.51, a=layer(dead=3))) == ["dead units"]
    assert kinds(first, look(0.49, a=layer(dead=3))) == []
    assert kinds(first, look(0.49, a=layer(dead=4))) == ["dead units"]


def test_a_delta_that_steps_have_made_small_is_not_that_of_a_network_too_deep():
    good, bad = (look(1.0, a=layer(delta=delta), b=layer()) for delta in (0.01, 1e-5))
    assert kinds(bad, bad) == ["vanishing δ"]
    assert kinds(good, bad) == kinds(bad, good) == []


@pytest.mark.parametrize(
    ("losses", "settings", "expected"),
    [
        ([1.0] * 9, {"loss_of_mean": 0.94}, ["learning rate too high"]),
        ([1.0] * 9, {"loss_of_mean": 0.96}, []),
        ([1.0] * 8, {"loss_of_mean": 0.5}, []),  # too few
        ([1.0] + [0.89] * 8, {"loss_of_mean": 0.5}, []),  # it has come some way
        ([1.0] * 5 + [0.88] * 4, {"loss_of_mean": 0.5}, []),  # it falls
        ([1.0] * 9, {"loss_of_mean": 0.5, "batch_size": 8}, ["noise"]),
        ([1.0] * 9, {"loss_of_mean": 0.5, "batch_size": 9}, ["learning rate too high"]),
        ([1.0] + [1.2] * 8, {"loss_of_mean": 0.5, "batch_size": 2}, ["noise"]),
        ([1.0] + [9.0] * 8, {"loss_of_mean": 0.5, "batch_size": 2}, ["noise"]),
        ([1.0] + [11.0] * 8, {"loss_of_mean": 0.5, "batch_size": 2}, ["learning rate too high"]),
        ([1.0] + [1.2] * 8, {"loss_of_mean": 1.2, "batch_size": 2}, ["learning rate too high"]),
    ],
)
def test_steps_to_and_fro(losses, settings, expected):
    assert kinds(*[look(loss, 9.0) for loss in losses], **settings) == expected


@pytest.mark.parametrize(
    ("count", "end", "beyond", "expected"),
    [
        (6, 0.99, 0.85, ["learning rate too low"]),
        (5, 0.99, 0.85, []),  # too few
        (6, 0.97, 0.1, []),  # it moves
        (6, 1.01, 0.1, []),  # it does not fall
        (6, 0.99, 0.91, []),  # further on there is hardly more
        (6, 0.985, 0.86, []),  # nor ten times as much
    ],
)
def test_a_short_way_in_the_right_direction(count, end, beyond, expected):
    assert kinds(*[look(1.0)] * (count - 1), look(end), loss_beyond=lambda times: beyond) == expected


# ---- arguments -------------------------------------------------------------------------------------------------------

MODEL = nn.MLP(1, [1])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (MODEL.parameters(), squared(MODEL), curve(4)),
            TypeError,
            "model must be an nn.Module, got \\[Value.*\\(list\\); the arg",
        ),
        (
            (squared(MODEL), MODEL, curve(4)),
            TypeError,
            "model must be an nn.Module, got <function.*Watch\\(model, loss",
        ),
        ((nn.Module(), squared(MODEL), curve(4)), ValueError, "model must have parameters, got a Module without any"),
        ((MODEL, MODEL([1.0]), curve(4)), TypeError, "loss must be a function of one sample, got its result"),
        ((MODEL, squared(MODEL), DataLoader(curve(4))), TypeError, "samples must be a list .*got a DataLoader"),
        ((MODEL, squared(MODEL), []), ValueError, "samples must hold one sample at least, got none"),
        ((MODEL, squared(MODEL), [1.0]), TypeError, "sample 0 of the batch: expected a tuple"),
        ((MODEL, lambda x, y: 0.0, curve(4)), TypeError, "the loss must return a Value, got 0.0"),
        ((MODEL, squared(nn.MLP(1, [1])), curve(4)), ValueError, "expected a loss of the model, got one that"),
        (
            (MODEL, squared(MODEL), curve(4), optim.SGD(nn.MLP(1, [1]).parameters())),
            ValueError,
            "got one with none of the model's parameters; if the model was made anew, make the optimizer anew too",
        ),
        ((MODEL, squared(MODEL), curve(4), optim.SGD), TypeError, "expected an optimizer, got the class SGD"),
        (
            (MODEL, squared(MODEL), curve(4), None, 0),
            ValueError,
            "batch_size must be a whole number >= 1, or None, got 0",
        ),
    ],
)
def test_wrong_arguments_are_told_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        Watch(*arguments)


def test_nothing_can_be_seen_under_no_grad():
    watch = Watch(MODEL, squared(MODEL), curve(4))
    with no_grad(), pytest.raises(ValueError, match="under no_grad"):
        watch.look()


def test_a_batch_is_a_list_of_samples():
    with pytest.raises(TypeError, match="expected a batch, a list of samples, got the sample"):
        Watch(MODEL, squared(MODEL), curve(4)).look(curve(4)[0])


def test_a_node_by_hand_cannot_be_looked_into():
    def loss(x, _):
        s = MODEL(x)
        out = Value(s.data, (s,), "mine")
        out._backward = lambda: None
        return out

    with pytest.raises(ValueError, match="was made by hand"):
        Watch(MODEL, loss, curve(4))
