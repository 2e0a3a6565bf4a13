"""Recorded losses: they agree with the plain function, or say why they do not."""

import copy
import math
import pickle
import random
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from micrograd import Value, accumulate, data, dot, evaluate, fit, jit, logsumexp, losses, nn, no_grad, ops, optim, pick
from micrograd.engine import as_value
from micrograd.higher import gradients
from micrograd.ops import TABLE

ROWS = [TABLE[name] for name in sorted(TABLE) if name not in ("dot", "logsumexp", "pick", "bell")]


def arity(row):
    return row.partials.__code__.co_argcount - 1  # without the output


UNARY, BINARY = [row for row in ROWS if arity(row) == 1], [row for row in ROWS if arity(row) == 2]


def pairs(n, seed=0):
    draw = random.Random(seed)
    return [([draw.gauss(0, 1), draw.gauss(0, 1)], draw.choice([-1, 1])) for _ in range(n)]


def network(widths=(2, 5, 1), **kwargs):
    random.seed(1)
    return nn.MLP(widths[0], list(widths[1:]), **kwargs)


def plain(loss, samples, parameters):
    """Loss and gradients, each summed over the samples, by the engine."""
    graphs = [loss(*sample) if isinstance(sample, tuple) else loss(sample) for sample in samples]
    slopes = [[v.data for v in gradients(graph, parameters)] for graph in graphs]
    return math.fsum(graph.data for graph in graphs), [math.fsum(column) for column in zip(*slopes)]


def replayed(loss, samples, parameters):
    fast = jit(loss)
    for parameter in parameters:
        parameter.grad = 0.0
    result = fast.add_gradients(samples, 1.0)
    if result is None:
        return None
    return result, [parameter.grad for parameter in parameters]


def assert_agree(loss, samples, parameters, rel=1e-9):
    result, slopes = plain(loss, samples, parameters)
    fast, fast_slopes = replayed(loss, samples, parameters)
    assert fast == pytest.approx(result, rel=rel)
    largest = max([abs(slope) for slope in slopes], default=0.0)
    assert fast_slopes == pytest.approx(slopes, rel=rel, abs=rel * largest)


# ---- the same numbers ------------------------------------------------------------------------------------------------


def expressions():
    """Functions of (leaves) over the whole table."""
    leaf = st.integers(0, 7).map(lambda i: lambda v: Value._record(ops.add, (v[i], 0.0)))
    number = st.sampled_from([0.5, 2, -1.5, 1.0]).map(lambda c: lambda v: v[0] * 0 + c)

    def grown(inner):
        several = st.lists(inner, min_size=1, max_size=5)
        return st.one_of(
            st.tuples(st.sampled_from(UNARY), inner).map(lambda t: lambda v: t[0](t[1](v))),
            st.tuples(st.sampled_from(BINARY), inner, inner).map(lambda t: lambda v: t[0](t[1](v), t[2](v) + v[0])),
            st.tuples(st.sampled_from([2, 3, -1, 0, 0.5]), inner).map(lambda t: lambda v: (t[1](v) + v[1]) ** t[0]),
            several.map(lambda fs: lambda v: logsumexp([f(v) for f in fs])),
            several.map(lambda fs: lambda v: dot([f(v) for f in fs], v[: len(fs)], fs[0](v))),
            several.map(lambda fs: lambda v: sum([f(v) * v[i] for i, f in enumerate(fs)])),
            several.map(lambda fs: lambda v: pick([f(v) + v[2] for f in fs], v[8] * 0)),
        )

    return st.recursive(st.one_of(leaf, number), grown, max_leaves=12)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(expression=expressions(), seed=st.integers(0, 2**16))
def test_any_expression(expression, seed):
    draw = random.Random(seed)
    parameters = [Value(draw.uniform(-2, 2)) for _ in range(4)]
    samples = [([draw.uniform(-2, 2) for _ in range(4)], draw.randrange(3)) for _ in range(3)]
    samples *= 70  # enough to be worth a replay

    def loss(xs, token):
        return expression([parameters[0], *xs[:2], *parameters[1:], *xs[2:], token]) + parameters[0] * xs[0]

    try:
        expected = plain(loss, samples, parameters)
        for parameter in parameters:
            parameter.data *= 1 + 1e-13
        moved = plain(loss, samples, parameters)
    except ValueError:
        with pytest.raises(ValueError, match="sample"):
            accumulate(jit(loss), samples)
        return
    except OverflowError:
        assume(False)
    scale = max(map(abs, expected[1]))
    # Not where rounding decides: next to a kink, or where most digits cancel.
    assume(expected[0] == pytest.approx(moved[0], rel=1e-11))
    assume(expected[1] == pytest.approx(moved[1], rel=1e-11, abs=1e-11 * scale))
    fast, slopes = replayed(loss, samples, parameters)
    assert fast == pytest.approx(moved[0], rel=1e-9)
    assert slopes == pytest.approx(moved[1], rel=1e-9, abs=1e-9 * scale)


@pytest.mark.parametrize("activation", list(nn.ACTIVATIONS))
def test_networks(activation):
    model = network((2, 6, 5, 1), activation=activation)
    assert_agree(lambda x, y: losses.hinge(model(x), y), pairs(150), model.parameters())


@pytest.mark.parametrize("n", [1, 2, 7, 8, 100, 129, 1030, 2500])
def test_any_number_of_samples(n):
    model = network((2, 16, 1))
    penalty = model.parameters()
    assert_agree(lambda x, y: losses.hinge(model(x), y) + 0.01 * losses.l2(penalty), pairs(n), penalty)


def test_losses():
    model = network((2, 4, 3))
    samples = [(x, k % 3) for k, (x, _) in enumerate(pairs(60))]
    assert_agree(lambda x, y: losses.cross_entropy(model(x), y), samples, model.parameters())
    assert_agree(lambda x, y: losses.squared_error(model(x), [y, 0, 1]), samples, model.parameters())
    shares = [(x, y / 2) for x, y in samples]
    assert_agree(lambda x, y: losses.binary_cross_entropy(model(x)[0], y), shares, model.parameters())


def test_sums_written_by_hand_become_layers():
    w = [[Value(0.1 * i - 0.2 * j) for i in range(4)] for j in range(3)]

    def loss(x):
        hidden = [sum([a * b for a, b in zip(row, x)], 0.5).tanh() for row in w]
        return hidden[0] * hidden[1] - hidden[2]

    tape = jit(loss).tape([1.0, 2.0, 3.0, 4.0])
    assert "r5 = 0.5 + p0·x1 + p1·x2 + p2·x3 + p3·x4" in str(tape)
    assert [type(i).__name__ for i in tape.body] == ["Layer", "Map", "Dot", "Layer"]
    assert_agree(loss, [[0.1 * k, 1.0, -k, 0.5] for k in range(60)], [*w[0], *w[1], *w[2]])


def test_dead_nodes_constants_and_shared_results():
    w = Value(0.5, label="w")

    def loss(x):
        x.exp() if isinstance(x, Value) else None  # not used
        return (w * 2).tanh() * x + Value._record(ops.exp, (1.0,)) * 3

    text = str(jit(loss).tape(1.0))
    assert "exp" not in text
    assert re.search(r"s\d+ = tanh", text)
    assert "= 8.155 + s7·x1" in text


def test_embeddings_and_ragged_samples():
    random.seed(2)
    embedding = nn.Embedding(5, 3)
    head = nn.Layer(3, 5, nonlin=False)

    def loss(tokens):
        vectors = [embedding(token) for token in tokens[:-1]]
        mean = [sum(column) / len(vectors) for column in zip(*vectors)]
        return losses.cross_entropy(head(mean), tokens[-1])

    draw = random.Random(3)
    samples = [[draw.randrange(5) for _ in range(draw.randint(2, 5))] for _ in range(80)]
    parameters = embedding.parameters() + head.parameters()
    assert_agree(loss, samples, parameters)
    fast = jit(loss)
    assert accumulate(fast, samples) == accumulate(fast, samples)  # the same bits
    assert fast.map(samples) == pytest.approx([loss(sample).data for sample in samples])


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_sequences_of_numbers(kind):
    model = network()
    samples = [(kind(x), np.float64(y)) for x, y in pairs(60)]
    assert_agree(lambda x, y: (model(x) - y) ** 2, samples, model.parameters())


def test_arrays_of_values():
    w = np.array([[Value(0.1 * i + j) for i in range(3)] for j in range(2)])
    samples = [np.array([0.1 * k, 1.0, -0.5]) for k in range(60)]
    assert_agree(lambda x: np.sum(np.tanh(w @ x)), samples, list(w.ravel()))


def test_called_like_the_function():
    model = network((2, 16, 16, 1))
    x, y = pairs(1)[0]

    @jit
    def loss(x, y):
        """Of one sample."""
        return losses.hinge(model(x), y)

    assert loss.__doc__ == "Of one sample."
    expected = loss.function(x, y)
    expected.backward()
    slopes = [p.grad for p in model.parameters()]
    model.zero_grad()
    error = loss(x, y)
    assert len(error.parents) == len(model.parameters())
    (2 * error).backward()
    assert error.data == pytest.approx(expected.data, rel=1e-12)
    assert [p.grad / 2 for p in model.parameters()] == pytest.approx(slopes, rel=1e-12)
    with no_grad():
        assert loss(x, y).parents == ()
    v = Value(0.3)
    assert v in loss([v, 1.0], y).parents or gradients(loss([v, 1.0], y), v).data
    with pytest.raises(ValueError, match="first derivatives only"):
        gradients(error, model.parameters(), create_graph=True)


def test_map():
    model = network((2, 3, 2))
    samples = [x for x, _ in pairs(40)]
    scores = jit(model).map(samples)
    assert scores.shape == (40, 2)
    assert scores[7].tolist() == pytest.approx([v.data for v in model(samples[7])], rel=1e-12)
    assert jit(lambda x: model(x)[0]).map(np.array(samples)).shape == (40,)
    assert evaluate(jit(lambda x, y: losses.hinge(model(x)[0], y)), pairs(40)) == pytest.approx(
        evaluate(lambda x, y: losses.hinge(model(x)[0], y), pairs(40)), rel=1e-12
    )
    with pytest.raises(TypeError, match="expected one Value"):
        accumulate(jit(model), samples * 9)


# ---- training --------------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": lambda parameters: optim.SGD(parameters, 0.1),
    "nesterov": lambda parameters: optim.SGD(parameters, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "rmsprop": lambda parameters: optim.RMSprop(parameters, 0.003, momentum=0.5),
    "adam": lambda parameters: optim.Adam(parameters, 0.01),
    "adamw": lambda parameters: optim.AdamW(parameters, 0.01),
}


def train(make, wrap, batch_size=16, **kwargs):
    model = network((2, 8, 1), activation="tanh")
    parameters = model.parameters()
    optimizer = make(parameters)
    schedule = optim.CosineLR(optimizer, 100)
    loader = data.DataLoader(pairs(80), batch_size, shuffle=True, seed=4)

    def loss(x, y):
        return losses.hinge(model(x), y) + 1e-3 * losses.l2(parameters)

    history = fit(wrap(loss), loader, optimizer, 20, schedule=schedule, progress=False, **kwargs)
    return history, [p.data for p in parameters], optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("extra", [{}, {"max_norm": 0.3}, {"callbacks": [lambda _: None]}, {"reduction": "sum"}])
def test_a_hundred_steps(name, extra):
    history, numbers, optimizer = train(OPTIMIZERS[name], jit, **extra)
    expected, expected_numbers, expected_optimizer = train(OPTIMIZERS[name], lambda loss: loss, **extra)
    assert optimizer.steps == expected_optimizer.steps == 100
    assert history.loss == pytest.approx(expected.loss, rel=1e-9)
    assert numbers == pytest.approx(expected_numbers, rel=1e-9)
    for column, wanted in zip(optimizer.state, expected_optimizer.state):
        assert column == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert all(type(number) is float for number in numbers)


def test_values_are_shown_to_callbacks_and_metrics():
    seen = {True: [], False: []}

    def look(history, rows, model):
        rows.append((copy.deepcopy(vars(history)), [p.data for p in model.parameters()]))

    for fast, rows in seen.items():
        model = network()
        optimizer = optim.SGD(model.parameters(), 0.1)
        wrap = jit if fast else (lambda loss: loss)
        fit(
            wrap(lambda x, y, model=model: losses.hinge(model(x), y)),
            data.DataLoader(pairs(40), 20),
            optimizer,
            3,
            metric=lambda x, y, model=model: (model(x) > 0) == (y > 0),
            held_out=pairs(10, 1),
            callbacks=[lambda history, rows=rows, model=model: look(history, rows, model)],
            progress=False,
        )
    for (row, numbers), (expected, wanted) in zip(seen[True], seen[False], strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-9)
        assert row["held_out_loss"] == pytest.approx(expected["held_out_loss"], rel=1e-9)
        assert row["metric"] == expected["metric"]
        assert numbers == pytest.approx(wanted, rel=1e-9)


def test_changes_by_callbacks_count():
    model = network()
    optimizer = optim.SGD(model.parameters(), 0.1)

    def freeze(_):
        for parameter in model.parameters():
            parameter.data = 0.25

    fit(
        jit(lambda x, y: losses.hinge(model(x), y)),
        data.DataLoader(pairs(40), None),
        optimizer,
        3,
        callbacks=[freeze],
        progress=False,
    )
    assert {p.data for p in model.parameters()} == {0.25}


def test_frozen_and_unused_parameters():
    model, unused = network(), Value(7.0)
    frozen = model.layers[0].parameters()
    before = [p.data for p in frozen]
    optimizer = optim.SGD([unused, *model.layers[1].parameters()], 0.1)
    loss = jit(lambda x, y: losses.hinge(model(x), y))
    accumulate(loss, pairs(40))  # recorded in its own order
    fit(loss, [pairs(30), pairs(30, 1)], optimizer, 3, progress=False)
    assert [p.data for p in frozen] == before
    assert unused.data == 7.0


def test_an_error_in_the_middle_keeps_what_was_learned():
    w = Value(1.0)
    samples = [float(x) for x in range(1, 300)] + [0.0] * 30
    optimizer = optim.SGD([w], 1e-6)
    with pytest.raises(ValueError, match=r"log\(0.0\)"):
        fit(jit(lambda x: (w * x).log() ** 2 + (w * x).tanh()), data.DataLoader(samples, 50), optimizer, progress=False)
    assert w.data != 1.0
    assert optimizer.steps == 5


def test_overflow_stops_with_the_name():
    w = Value(1.0, label="w")
    optimizer = optim.SGD([w], 1e200)
    with pytest.raises(ValueError, match="new value of w is -inf"), np.errstate(all="ignore"):
        fit(jit(lambda x: w * x), data.DataLoader([1e150] * 300, None), optimizer, progress=False)
    assert (w.data, optimizer.steps) == (1.0, 0)


# ---- errors ----------------------------------------------------------------------------------------------------------

w = Value(2.0, label="w")


@pytest.fixture(autouse=True)
def no_gradient():
    w.grad = 0.0


@pytest.mark.parametrize(
    ("loss", "advice"),
    [
        (lambda x: w * x if x > 0 else w, "maximum"),
        (lambda x: w * x if x <= w else w, "maximum"),
        (lambda x: w * x if w * x >= w else w, "maximum"),
        (lambda x: max(w * x, w), "maximum"),
        (lambda x: w if w * x else x, "maximum"),
        (lambda x: w if x == 1 else x, "pick"),
        (lambda x: w if x in (1, 2) else x, "pick"),
        (lambda x: w * float(x), "as it is"),
        (lambda x: w * math.exp(x), "as it is"),
        (lambda x: w * round(x), "as it is"),
        (lambda x: [w, w][x], "pick"),
        (lambda x: w * int(x), "pick"),
        (lambda x: sum(w for _ in range(x)), "len"),
    ],
)
def test_control_flow_on_values(loss, advice):
    with pytest.raises(TypeError, match=advice) as error:
        accumulate(jit(loss), [1, 2])
    line = loss.__code__.co_firstlineno
    assert f"test_recorded.py, line {line}: (lambda x: " in str(error.value)


READERS = {
    "an input": lambda x: w * x * (x.data if isinstance(x, Value) else x),
    "a branch": lambda x: w * x if (x.data if isinstance(x, Value) else x) > 0 else w * 3,
    "a result": lambda x: w * x * (w * x).data,
    "a parameter": lambda x: x * w * w.data,
    "a branch on a hidden value": lambda x: (w * x).tanh() if (w * x).data > 0 else w * x,
    "random numbers": lambda x: w * x * random.random(),
    "a value without recording": lambda x: w * x + detached(w * x),
}


def detached(v):
    with no_grad():
        return v * 1.0


@pytest.mark.parametrize("what", READERS)
def test_what_reads_data_is_found_out(what):
    samples = [0.7, 0.7, 0.9, 1.1, -0.8] * 60
    with pytest.raises(ValueError, match=r"sample \d+, .* on the tape, but .* reads \.data"):
        accumulate(jit(READERS[what]), samples)
    assert (w.data, w.grad) == (2.0, 0.0)
    with pytest.raises(ValueError, match="on the tape"):
        jit(READERS[what]).map(samples)


def test_a_late_difference_is_found_out():
    fast = jit(READERS["a branch"])
    accumulate(fast, [0.5, 0.6, 0.7] * 80)
    with pytest.raises(ValueError, match="on the tape"):
        accumulate(fast, [-0.5] * 240)


def test_exchanged_parameters_are_found_out():
    model = network((2, 16, 1))
    fast = jit(lambda x, y: losses.hinge(model(x), y))
    accumulate(fast, pairs(40))
    model.layers[0].neurons[0].weights[0] = Value(0.3)
    with pytest.raises(ValueError, match="did not use when it was recorded"):
        accumulate(fast, pairs(40))


def test_added_parameters_are_found_out():
    model, extra = network((2, 16, 1)), [[]]
    fast = jit(lambda x, y: losses.hinge(model(x), y) + sum(extra[0]))
    accumulate(fast, pairs(40))
    extra[0].append(Value(0.0))
    with pytest.raises(ValueError, match="did not use when it was recorded"):
        accumulate(fast, pairs(40))


def test_values_made_within_the_function_are_constants():
    def loss(x):
        total = Value(0.5)
        for factor in range(3):
            total += factor * w * x
        return total * Value(2.0, role="input")

    assert jit(loss).tape(1.0).parameters == [w]
    assert_agree(loss, [0.1 * k for k in range(300)], [w])


@pytest.mark.parametrize(
    ("loss", "bad", "message"),
    [
        (lambda x: (w * x).log(), 0.0, r"sample 17 of the batch: log\(0.0\): math domain error"),
        (lambda x: (w * x).sqrt(), -1.0, r"sample 17 .*: sqrt\(-2.0\)"),
        (lambda x: w * Value._record(ops.sqrt, (x,)), 0.0, r"sample 17 .*: sqrt\(0.0\).*zero"),
        (lambda x: 1 / (w * x), 0.0, r"sample 17 .*: div\(1.0, 0.0\)"),
        (lambda x: (1 / (w * x)).tanh(), 0.0, r"sample 17 .*: div\(1.0, 0.0\)"),
        (lambda x: (w * x).exp() ** -1, 1000.0, r"sample 17 .*: exp\(2000.0\)"),
        (lambda x: (w * x) ** 0.5, -1.0, r"sample 17 .*: power\(-2.0, 0.5\)"),
        (lambda x: (w * x) ** w, -1.0, r"sample 17 .*: pow\(-2.0, 2.0\)"),
        (lambda x: w * x, float("nan"), r"nan"),
        (lambda x: w * pick([1.0, w], x), 2, r"sample 17 .*pick.* from 0 to 1, got"),
        (lambda x: w * pick([1.0, w], x), -1, r"sample 17 .*pick.* from 0 to 1, got"),
        (lambda x: losses.hinge(w, x), 3, r"sample 17 .*label must be -1 or \+1, got 3"),
        (lambda x: losses.binary_cross_entropy(w, x), 1.5, r"sample 17 .*from 0 to 1, got 1.5"),
        (lambda x: losses.cross_entropy([w, w], x), 2, r"sample 17 .*2"),
    ],
)
def test_errors_are_those_of_the_engine(loss, bad, message):
    samples = [1] * 200
    samples[17] = bad
    with pytest.raises(ValueError, match=message):
        accumulate(jit(loss), samples)
    assert w.data == 2.0


def test_infinite_numbers_that_the_engine_allows():
    samples = [1.0, math.inf] * 150
    fast = jit(lambda x: (w * x).tanh())
    assert accumulate(fast, samples) == pytest.approx((math.tanh(2) + 1) / 2)
    assert fast.map(samples)[:2].tolist() == pytest.approx([math.tanh(2), 1])


def test_what_is_no_sample():
    fast = jit(lambda x: w * x)
    with pytest.raises(ValueError, match="at least"):
        accumulate(fast, [])
    with pytest.raises(ValueError, match="at least"):
        fast.map([])
    for bad in ("1.5", None, 1j, Value(1.0)):
        with pytest.raises(TypeError, match="expected a sample of numbers"):
            accumulate(fast, [1.0] * 300 + [bad])
    with pytest.raises(TypeError):
        jit(lambda x: None)(1.0)


def test_nodes_that_cannot_be_replayed():
    before = w * 3
    with pytest.raises(TypeError, match="before the function was called"):
        accumulate(jit(lambda x: before * x), [1.0] * 300)
    with pytest.raises(TypeError, match="by hand"):
        accumulate(jit(lambda x: Value(1.0, (w,), "?") * x), [1.0] * 300)


# ---- small things ----------------------------------------------------------------------------------------------------


def test_a_tape_pickles_prints_and_has_a_size():
    model = network((2, 3, 1))
    model.parameters()
    tape = jit(lambda x, y: losses.hinge(model(x), y)).tape([0.1, 0.2], 1)
    again = pickle.loads(pickle.dumps(tape))
    assert str(again) == str(tape)
    layers, relus, label, margin = (2 + 1) * 3 + (3 + 1), 3 + 1, 1 + 1 + 1 + 1, 2 + 2 + 1
    assert tape.size == layers + relus + label + margin
    assert "layers.0.neurons.2.bias" in str(tape)
    assert "relu" in str(tape)


def test_a_deep_graph_records():
    def loss(x):
        v = w
        for _ in range(20_000):
            v = v * x
        return v + sum([w * x for _ in range(20_000)])

    fast = jit(loss)
    assert accumulate(fast, [1.0, -1.0]) == pytest.approx(2.0)


def test_a_constant_loss():
    assert accumulate(jit(lambda x: Value(3.0)), [1.0] * 300) == 3.0
    assert jit(lambda x: 5).map([1.0] * 300).tolist() == [5.0] * 300
    assert accumulate(jit(lambda x: w * 3), [1.0] * 300) == 6.0


def test_pick_without_a_tape():
    a, b = Value(2.0), Value(3.0)
    assert pick([a, b], 1) is b
    chosen = pick([a * a, b], Value(0.0, role="input"))
    (chosen * b).backward()
    assert (chosen.data, a.grad, b.grad) == (4.0, 12.0, 4.0)
    (second,) = gradients(gradients(pick([a**3, b], Value(0.0)), [a], create_graph=True)[0], [a])
    assert second.data == 12.0
    for index in (2, -1):
        with pytest.raises(ValueError, match="from 0 to 1, got"):
            pick([a, b], index)
        with pytest.raises(ValueError, match="pick"):
            pick([a, b], Value(index))
    with pytest.raises(ValueError, match="pick"):
        pick([a, b], Value(0.5))
    with pytest.raises(TypeError, match="whole number"):
        pick([a, b], 0.5)


def test_units_added_to_rows_are_one_layer_and_one_addition():
    random.seed(6)
    w = [[Value(random.random()) for _ in range(5)] for _ in range(5)]

    def residual(*x):
        hidden = [v.tanh() for v in map(as_value, x)]
        return [v + dot(row, hidden) for v, row in zip(x, w)]

    tape = jit(residual).tape(*range(5))
    assert [type(i).__name__ for i in tape.body] == ["Map", "Layer", "Map"], str(tape)
    np.testing.assert_allclose(
        jit(residual).map([(1.0, 2.0, 3.0, 4.0, 5.0)]),
        [[v.data for v in residual(1.0, 2.0, 3.0, 4.0, 5.0)]],
        rtol=1e-15,
    )


# ---- batches met before ----------------------------------------------------------------------------------------------


def line(slope, shift):
    return lambda x, y: (slope * sum(x) + shift - y) ** 2


def test_a_batch_that_was_changed_is_another_one():
    w, b, batch = Value(2.0), Value(1.0), [([0.1 * k, -1.0], 1) for k in range(30)]
    fast = jit(line(w, b))
    for change in range(5):
        batch[change][0][1] = 10.0 * change
        batch.append(([1.0, float(change)], -1))
        assert accumulate(fast, batch) == pytest.approx(accumulate(line(w, b), batch), rel=1e-12)


def test_samples_are_compared_as_they_are_now():
    w, b = Value(2.0), Value(1.0)
    fast = jit(line(w, b))
    for k in range(5):  # the 2nd and the 4th replay are compared with the function
        batch = [([0.5, 1.0 * (k % 2)], 1) for _ in range(30)]
        accumulate(fast, batch)
        for x, _ in batch:
            x[:] = [9.0, 9.0]


@pytest.mark.parametrize(
    "kinds",
    [
        [lambda x: np.array(x, dtype=np.float64), lambda x: np.array(x, dtype=np.float64).view(np.int64)],
        [lambda x: np.array(x, dtype=np.float64), lambda x: np.array([x], dtype=np.float64)],
        [lambda x: [np.array(x)], lambda x: [np.array(x).view(np.int64)]],
        [list, tuple],
        [lambda x: [*x], lambda x: [1, *x[1:]]],
        [lambda x: [*x], lambda x: [True, *x[1:]]],
        [lambda x: [*x], lambda x: [np.float64(v) for v in x]],
    ],
)
def test_batches_that_only_look_alike(kinds):
    w, b = Value(2.0), Value(1.0)
    function = lambda x, y: (w * (x[0] if len(x) > 1 else x[0][0]) + b - y) ** 2
    fast = jit(function)
    for kind in kinds * 2:
        batch = [(kind([1.0, 0.5 * k]), 2.0) for k in range(60)]
        assert accumulate(fast, batch) == pytest.approx(accumulate(function, batch), rel=1e-12)


# ---- what a comparison has found -------------------------------------------------------------------------------------


def reads_data(w):
    return lambda x, y: (w * sum(x) - w.data * y) ** 2


def test_a_tape_that_was_found_wrong_is_not_used_again():
    w, batch = Value(2.0), pairs(30)
    fast = jit(reads_data(w))
    for _ in range(6):
        with pytest.raises(ValueError, match="on the tape, but"):
            accumulate(fast, batch)
    with pytest.raises(ValueError, match="on the tape, but"):
        fit(fast, data.DataLoader(batch, 10), optim.SGD([w]), 3, progress=False)


def test_a_tape_is_compared_if_the_parameters_have_changed_since():
    w, sample = Value(2.0), ([float(k) for k in range(40)], 1.0)
    fast = jit(reads_data(w))
    fast.tape(*sample)
    w.data = 3.0
    with pytest.raises(ValueError, match="on the tape, but"):
        accumulate(fast, [sample])
