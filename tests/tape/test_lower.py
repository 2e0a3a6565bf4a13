"""From a graph to a tape: sums in the engine's order, like operations joined only where they are independent."""

import math
import random
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrograd import Value, accumulate, dot, jit, logsumexp, ops
from micrograd.tape import machine, reference
from micrograd.tape.columns import group
from micrograd.tape.lower import lower
from micrograd.tape.tape import Dot, Layer, LogSumExp, Map, Pick, outputs
from micrograd.tape.trace import trace

PROGRAMS = [reference.Program, machine.Program]

# The engine's sums of floats are compensated from Python 3.12 on; before, forward results are its bits.
SAME = (lambda a, b: a == b) if sys.version_info < (3, 12) else (lambda a, b: a == pytest.approx(b, rel=1e-12))


def tape_of(function, sample):
    [(shape, _, columns)] = group([sample])
    traced = trace(function, shape, columns[:, 0].tolist())
    return lower(traced.results, traced.inputs)


def lines(function, sample):
    return str(tape_of(function, sample)).splitlines()[2:]


def both(function, samples, parameters):
    """Result and gradient of each sample, by the function and by both programs."""
    tape = tape_of(function, samples[0])
    expected = []
    for sample in samples:
        for p in parameters:
            p.grad = 0.0
        error = function(*sample)
        error.backward()
        expected.append((error.data, [p.grad for p in tape.parameters]))
    [(_, _, columns)] = group(samples)
    values = np.array([p.data for p in tape.parameters])
    for make in PROGRAMS:
        program = make(tape)
        found = []
        for k in range(len(samples)):
            only = np.array([k])
            result = program.results(values, columns, only)[0, 0].item()
            found.append((result, program.gradient(values, columns, only)[1].tolist()))
        yield expected, found


# ---- order -----------------------------------------------------------------------------------------------------------

a, b, c = Value(0.3, label="a"), Value(-1.7, label="b"), Value(2.9, label="c")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y: a * x + b * y, ["r3 = a·x1 + b·x2"]),
        (lambda x, y: b * y + a * x, ["r3 = b·x2 + a·x1"]),
        (lambda x, y: a * x + (b * y + c), ["r3 = c + b·x2", "r4 = a·x1 + r3"]),
        (lambda x, y: dot([a, b], [x, y], c), ["r3 = c + a·x1 + b·x2"]),
        (lambda x, y: a * x + b * x + a * y, ["r3 = a·x1 + b·x1 + a·x2"]),  # two weights of one row stay two
        (lambda x, y: a * x - b * y, ["s5 = neg(b)", "r3 = a·x1 + s5·x2"]),
        (lambda x, y: x * y + a, ["r3 = x1·x2", "r4 = r3 + a"]),
        (lambda x, y: a * x + x * y + b * y, ["r3 = a·x1", "r4 = r3 + x1·x2", "r5 = r4 + b·x2"]),
        (lambda x, y: a * x + b * y + x * y, ["r3 = a·x1 + b·x2", "r4 = r3 + x1·x2"]),
        (lambda x, y: x - y + a * 0, ["s5 = mul(a, 0)", "r3 = x1 - x2 + s5"]),
        (lambda x, y: sum([a * x, b * y]), ["r3 = a·x1 + b·x2"]),
    ],
)
def test_a_sum_keeps_its_order(function, expected):
    assert lines(function, (0.7, -0.2))[:-1] == expected


def test_units_on_the_same_rows_are_one_layer():
    w = [[Value(0.1 * (i + 3 * j)) for i in range(3)] for j in range(4)]
    tape = tape_of(lambda x: [dot(row, x, row[0]) for row in w], [1.0, 2.0, 3.0])
    [layer] = tape.body
    assert isinstance(layer, Layer)
    assert [unit.y for unit in layer.units] == tape.results == [4, 5, 6, 7]


def test_rows_are_numbered_as_they_are_computed():
    w = [Value(0.1 * i) for i in range(6)]
    tape = tape_of(lambda x, y: sum([(p * x).tanh() * (p * y).relu() for p in w]), (1.0, 2.0))
    rows = [y for i in tape.body for y in outputs(i)]
    assert rows == list(range(3, tape.n_rows))
    counts = [i.count for i in tape.body if isinstance(i, Map)]
    assert counts in ([6, 6], [6, 6, 6]), str(tape)  # tanh of six rows is one instruction


def test_a_vector_that_is_scaled_is_one_instruction():
    """One operand is the next row, the other the same row each time; so gradients add up in that one."""
    w = [Value(0.2 * i - 0.5) for i in range(5)]

    def loss(x, y):
        rows = [p * x for p in w]
        scale = (dot(rows, rows) + 1).log()
        scaled = [row * scale for row in rows]
        shift = y * scale
        shifted = [shift - v for v in scaled]
        return sum([(a * b).tanh() for a, b in zip(scaled, shifted)], 0.0)

    samples = [(random.Random(k).gauss(0, 1), random.Random(k + 50).gauss(0, 1)) for k in range(12)]
    tape = tape_of(loss, samples[0])
    assert [i.op.name for i in tape.body if isinstance(i, Map) and i.fixed and i.count >= 4] == ["mul", "sub"]
    for expected, found in both(loss, samples, w):
        for (result, slopes), (got, got_slopes) in zip(expected, found):
            assert got == pytest.approx(result, rel=1e-13)
            assert got_slopes == pytest.approx(slopes, rel=1e-11, abs=1e-14)


# ---- like operations -------------------------------------------------------------------------------------------------

w = [Value(0.1 + 0.05 * k) for k in range(4)]

CHAINS = {
    "tanh of tanh": lambda x, y: dot(w, [x, y, x, y]).tanh().tanh(),
    "abs of abs": lambda x, y: abs(abs(w[0] * x - y)),
    "square of square": lambda x, y: ((w[0] * x + y) ** 2) ** 2,
    "running maximum": lambda x, y: (w[0] * x).maximum(w[1] * y).maximum(w[2] * x).maximum(w[3] * y),
    "relu of relu of relu": lambda x, y: (w[1] * x * y).relu().relu().relu(),
    "chain of products": lambda x, y: w[0] * x * y * (w[1] * x) * (w[2] * y) * x,
    "maximum of itself": lambda x, y: (w[0] * x).maximum(w[0] * x * y),
    "minus minus": lambda x, y: ops.neg(ops.neg(w[0] * x - y)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_of_like_operations(name):
    draw = random.Random(1)
    samples = [(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(20)]
    for expected, found in both(CHAINS[name], samples, w):
        for (result, slopes), (got, got_slopes) in zip(expected, found):
            assert got == pytest.approx(result, rel=1e-14)
            assert got_slopes == pytest.approx(slopes, rel=1e-12, abs=1e-15)


def test_no_instruction_takes_what_it_computes():
    for function in CHAINS.values():
        for i in tape_of(function, (0.3, 0.8)).body:
            operands = {
                Map: lambda i: [x + k for x in i.operands for k in range(i.count)],
                Dot: lambda i: [*i.a, *i.b],
                Layer: lambda i: i.inputs,
                LogSumExp: lambda i: i.operands,
                Pick: lambda i: i.values,
            }[type(i)](i)
            assert set(operands).isdisjoint(outputs(i))


# ---- generated programs ----------------------------------------------------------------------------------------------

# What a step does with two earlier values, and more; of the first a sample's result has the engine's bits.
EXACT = {
    "add": lambda p, q, *_: p + q,
    "sub": lambda p, q, *_: p - q,
    "mul": lambda p, q, *_: p * q * 0.5,
    "neg": lambda p, *_: -p,
    "relu": lambda p, *_: p.relu(),
    "abs": lambda p, *_: abs(p),
    "maximum": lambda p, q, *_: p.maximum(q),
    "minimum": lambda p, q, *_: p.minimum(q),
    "dot": lambda p, q, *rest: dot([p, q], rest[:2], rest[2]),
    "dot without a bias": lambda p, q, *rest: dot([p, q], rest[:2]),
    "scale": lambda p, *_: 0.25 * p,
    "shift": lambda p, *_: p - 1.5,
}
INEXACT = {
    "tanh": lambda p, *_: p.tanh(),
    "sigmoid": lambda p, *_: p.sigmoid(),
    "exp": lambda p, *_: p.minimum(3.0).exp(),
    "square": lambda p, *_: p.minimum(3.0) ** 2,
    "logsumexp": lambda p, q, *_: logsumexp([p, q]),
}
STEPS = EXACT | INEXACT
AGAIN = ["again"] * 4  # the operation before on its own result: such chains come up often


@st.composite
def programs(draw, operations):
    """A list of steps (operation, places of operands) that ``run`` takes; places count back from the newest value."""
    return draw(
        st.lists(
            st.tuples(st.sampled_from(operations), st.lists(st.integers(0, 9), min_size=5, max_size=5)),
            min_size=1,
            max_size=12,
        )
    )


def run(steps, parameters, x, y):
    values, last = [*parameters, x + parameters[0] * 0, parameters[1] * y, x * parameters[2] - y], "neg"
    for operation, places in steps:
        operands = [values[-1 - place % len(values)] for place in places]
        if operation == "again":
            operands[0] = values[-1]
        else:
            last = operation
        values.append(STEPS[last](*operands))
    return sum(values[len(parameters) :], 0.0)


def test_the_generator_makes_chains_of_like_operations():
    """So that the tests below meet what once went wrong: an operation on its own result, twice in a row."""
    seen = []

    @settings(max_examples=60)
    @given(programs([*EXACT, *AGAIN]))
    def look(steps):
        names = [name for name, _ in steps]
        seen.append(any(name in ("relu", "abs") and after == "again" for name, after in pairwise(names)))

    look()
    assert sum(seen) > 3


@settings(max_examples=40)
@given(steps=programs([*EXACT, *AGAIN]), seed=st.integers(0, 1000))
def test_forward_results_are_the_engines_bits(steps, seed):
    draw = random.Random(seed)
    parameters = [Value(draw.choice([0.0, 1.0, -0.5, draw.gauss(0, 1)])) for _ in range(3)]
    samples = [(draw.choice([0.0, 1.0, draw.gauss(0, 1)]), draw.gauss(0, 1)) for _ in range(9)]
    for expected, found in both(lambda x, y: run(steps, parameters, x, y), samples, parameters):
        for (result, slopes), (got, got_slopes) in zip(expected, found):
            assert SAME(got, result)
            assert got_slopes == pytest.approx(slopes, rel=1e-9, abs=1e-9 * (1 + max(map(abs, slopes), default=0)))


@settings(max_examples=30)
@given(steps=programs([*STEPS, *AGAIN]), seed=st.integers(0, 1000))
def test_no_false_alarm_and_the_same_numbers(steps, seed):
    """The checks compare every sample, at and around the parameters' numbers, and find nothing."""
    draw = random.Random(seed)
    parameters = [Value(draw.gauss(0, 1)) for _ in range(3)]
    samples = [(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(6)]
    fast = jit(lambda x, y: run(steps, parameters, x, y))
    fast.check(samples)
    expected = sum(run(steps, parameters, *sample).data for sample in samples)
    assert accumulate(fast, samples, "sum") == pytest.approx(expected, rel=1e-12, abs=1e-12 * (1 + abs(expected)))


def test_signs_of_zero():
    zero = Value(0.0)
    functions = [
        lambda x: zero * x,  # -0.0 at x < 0
        lambda x: -(zero * x),
        lambda x: dot([zero], [x]),  # starts from 0.0
        lambda x: zero * x + zero * x,
        lambda x: sum([zero * x]),
    ]
    for function in functions:
        tape = tape_of(function, -1.0)
        for make in PROGRAMS:
            got = make(tape).results(np.array([0.0]), np.array([[-1.0, 1.0]]), np.array([0, 1]))[:, 0]
            assert [math.copysign(1, v) for v in got] == [math.copysign(1, function(x).data) for x in (-1.0, 1.0)]
