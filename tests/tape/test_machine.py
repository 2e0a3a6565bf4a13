"""Programs against a plain interpreter of tapes, number by number: the same bits forward, the same gradients."""

import math
import pickle
import random
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrograd import Value, ops
from micrograd.tape import objects
from micrograd.tape.kernels import LANES
from micrograd.tape.machine import Program
from micrograd.tape.symbols import Untraceable
from micrograd.tape.tape import Dot, Layer, LogSumExp, Map, Pick, Tape, Unit

EXACT = [ops.TABLE[name] for name in ("add", "sub", "mul", "neg", "relu", "abs", "maximum", "minimum")]
SMOOTH = [ops.TABLE[name] for name in ("exp", "tanh", "sin", "sigmoid", "softplus", "arctan", "erf")]
GUARDED = [ops.TABLE[name] for name in ("div", "sqrt", "log", "pow")]  # their results may be not finite
COUNTS = [1, 7, 8, 9, 31, 32, 33, 100]


# ---- an interpreter --------------------------------------------------------------------------------------------------


def rule(op, constants):
    """The primitive that a Map means: with an exponent, that member of the family."""
    return ops.power(constants[0]) if constants else op


def run(code, shared, rows):
    for i in code:
        match i:
            case Layer(inputs, units):
                for unit in units:
                    total = shared[unit.start]
                    for w, x in zip(unit.weights, inputs):
                        total = total + shared[w] * rows[x]
                    rows[unit.y] = total
            case Dot(y, a, b, start, zero):
                total = zero if start is None else rows[start]
                for j, k in zip(a, b):
                    total = total + rows[j] * rows[k]
                rows[y] = total
            case Map(op, z, operands, count, constants):
                op = rule(op, [shared[s] for s in constants])
                for k in range(count):
                    rows[z + k] = op.forward(*[rows[x + k] for x in operands])
            case LogSumExp(y, operands):
                top = max([rows[x] for x in operands])
                total = sum([math.exp(rows[x] - top) for x in operands])
                rows[y : y + 3] = [top + math.log(total), top, total]
            case Pick(y, index, values, picks_shared):
                rows[y] = (shared if picks_shared else rows)[values[int(rows[index])]]


def back(code, shared, rows, slopes_shared, slopes, active):  # noqa: PLR0912 - five kinds of instructions
    """Add to the slopes, last instruction first, through what is active."""
    for i in reversed(code):
        match i:
            case Layer(inputs, units):
                for unit in units:
                    slopes_shared[unit.start] += slopes[unit.y]
                    for w, x in zip(unit.weights, inputs):
                        slopes_shared[w] += slopes[unit.y] * rows[x]
                        slopes[x] += slopes[unit.y] * shared[w]
            case Dot(y, a, b, start):
                if start is not None:
                    slopes[start] += slopes[y]
                for j, k in zip(a, b):
                    slopes[j], bj = slopes[j] + slopes[y] * rows[k], rows[j]
                    slopes[k] += slopes[y] * bj
            case Map(op, z, operands, count, constants):
                op = rule(op, [shared[s] for s in constants])
                for k in range(count):
                    if z + k not in active or slopes[z + k] == 0:
                        continue
                    partials = op.partials(rows[z + k], *[rows[x + k] for x in operands])
                    for x, d in zip(operands, partials):
                        if x + k in active:
                            slopes[x + k] += slopes[z + k] * d
            case LogSumExp(y, operands):
                for x in operands:
                    slopes[x] += slopes[y] * math.exp(rows[x] - rows[y + 1]) / rows[y + 2]
            case Pick(y, index, values, picks_shared):
                (slopes_shared if picks_shared else slopes)[values[int(rows[index])]] += slopes[y]


def plain(tape, parameters, sample):
    """Results and gradient of one sample."""
    shared = [*parameters, *tape.constants] + [0.0] * (tape.n_shared - len(parameters) - len(tape.constants))
    run(tape.prelude, shared, shared)
    rows = [1.0, *sample] + [0.0] * (tape.n_rows - 1 - len(sample))
    run(tape.body, shared, rows)
    slopes_shared, slopes = [0.0] * tape.n_shared, [0.0] * tape.n_rows
    slopes[tape.results[0]] = 1.0
    back(tape.body, shared, rows, slopes_shared, slopes, tape.active_rows)
    back(tape.prelude, shared, shared, slopes_shared, slopes_shared, tape.active_shared)
    return [rows[r] for r in tape.results], slopes_shared[: len(parameters)]


# ---- tapes made by hand ----------------------------------------------------------------------------------------------


class Maker:
    """Adds instructions to a tape and keeps count of rows and of what is active."""

    def __init__(self, parameters, n_inputs, constants=()):
        self.tape = Tape([Value(p) for p in parameters], n_inputs, [*constants])
        self.tape.n_rows, self.tape.n_shared = 1 + n_inputs, len(parameters) + len(constants)
        self.tape.active_shared = set(range(len(parameters)))

    def rows(self, count, active):
        first = self.tape.n_rows
        self.tape.n_rows += count
        if active:
            self.tape.active_rows.update(range(first, first + count))
        return range(first, first + count)

    def shared(self, count, active):
        first = self.tape.n_shared
        self.tape.n_shared += count
        if active:
            self.tape.active_shared.update(range(first, first + count))
        return range(first, first + count)

    def layer(self, inputs, units):
        """``units``: (start, weights) of each."""
        tape = self.tape
        ys = [
            self.rows(1, not (tape.active_shared.isdisjoint((s, *w)) and tape.active_rows.isdisjoint(inputs)))[0]
            for s, w in units
        ]
        tape.body.append(Layer(tuple(inputs), tuple([Unit(y, s, tuple(w)) for y, (s, w) in zip(ys, units)])))
        return ys

    def dot(self, a, b, start=None, zero=-0.0):
        (y,) = self.rows(1, not self.tape.active_rows.isdisjoint((*a, *b, start)))
        self.tape.body.append(Dot(y, tuple(a), tuple(b), start, zero))
        return y

    def map(self, op, *operands, count=1, constants=()):
        active = [any([x + k in self.tape.active_rows for x in operands]) for k in range(count)]
        zs = [self.rows(1, a)[0] for a in active]
        self.tape.body.append(Map(op, zs[0], operands, count, constants))
        return zs[0]

    def logsumexp(self, operands):
        y, *_ = self.rows(3, not self.tape.active_rows.isdisjoint(operands))
        self.tape.body.append(LogSumExp(y, tuple(operands)))
        return y

    def pick(self, index, values, shared=False):
        active = self.tape.active_shared if shared else self.tape.active_rows
        (y,) = self.rows(1, not active.isdisjoint(values))
        self.tape.body.append(Pick(y, index, tuple(values), shared))
        return y

    def done(self, *results):
        self.tape.results = [*results]
        return self.tape


def network(sizes, act, seed=0):
    """A network with a squared error; the layers' weights follow one another, with each unit's start after them."""
    draw, parameters, layers = random.Random(seed), [], []
    for nin, nout in pairwise(sizes):
        units = []
        for _ in range(nout):
            units.append((len(parameters) + nin, range(len(parameters), len(parameters) + nin)))
            parameters += [draw.uniform(-1, 1) for _ in range(nin + 1)]
        layers.append(units)
    make = Maker(parameters, sizes[0] + sizes[-1])
    rows = range(1, 1 + sizes[0])
    for units in layers:
        rows = make.layer(rows, units)
        if units is not layers[-1]:
            z = make.map(act, rows[0], count=len(rows))
            rows = range(z, z + len(rows))
    errors = make.map(ops.sub, rows[0], 1 + sizes[0], count=sizes[-1])
    errors = range(errors, errors + sizes[-1])
    return make.done(make.dot(errors, errors), *rows)


@st.composite
def tapes(draw, primitives):
    """Any instructions on any rows: shared ones, operands that come twice, chains, parts that no gradient comes to."""
    numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
    parameters = draw(st.lists(numbers, max_size=9))
    constants = draw(st.lists(numbers, min_size=1, max_size=3))
    make = Maker(parameters, draw(st.integers(0, 4)), constants)
    tape = make.tape
    for _ in range(draw(st.integers(0, 4))):  # the prelude
        shared = st.integers(0, tape.n_shared - 1)
        if draw(st.booleans()):
            a, b = zip(*draw(st.lists(st.tuples(shared, shared), min_size=1, max_size=4)))
            start = draw(st.none() | shared)
            (y,) = make.shared(1, not tape.active_shared.isdisjoint((*a, *b, start)))
            tape.prelude.append(Dot(y, a, b, start))
        else:
            op = draw(st.sampled_from(primitives))
            count = draw(st.integers(1, min(10, tape.n_shared)))
            operands = [draw(st.integers(0, tape.n_shared - count)) for _ in range(arity(op))]
            active = [any([x + k in tape.active_shared for x in operands]) for k in range(count)]
            zs = [make.shared(1, a)[0] for a in active]
            tape.prelude.append(Map(op, zs[0], tuple(operands), count))
    for _ in range(draw(st.integers(1, 8))):
        row, shared = st.integers(0, tape.n_rows - 1), st.integers(0, tape.n_shared - 1)
        kind = draw(st.sampled_from(["layer", "layer", "dot", "map", "map", "chain", "pick"]))
        if kind == "layer":
            inputs = draw(st.lists(row, max_size=11))
            units = st.tuples(shared, st.lists(shared, min_size=len(inputs), max_size=len(inputs)))
            if draw(st.booleans()) and tape.n_shared > len(inputs):
                first = st.integers(0, tape.n_shared - len(inputs))
                units = st.tuples(shared, first.map(lambda w: range(w, w + len(inputs))))  # noqa: B023
            make.layer(inputs, draw(st.lists(units, min_size=1, max_size=10)))
        elif kind == "dot":
            a, b = zip(*draw(st.lists(st.tuples(row, row), min_size=1, max_size=5)))
            make.dot(a, b, draw(st.none() | row), draw(st.sampled_from([0.0, -0.0])))
        elif kind == "pick":
            index = make.layer([], [(draw(shared), ())])[0] if draw(st.booleans()) else 0
            index = make.map(ops.sub, 0, 0) if index == 0 else index  # 0, or it may be anything
            make.pick(make.map(ops.mul, index, make.map(ops.sub, 0, 0)), draw(st.lists(row, min_size=1, max_size=4)))
        elif kind == "chain":
            op = draw(st.sampled_from([op for op in primitives if arity(op) == 1]))
            z = draw(row)
            for _ in range(3):
                z = make.map(op, z)
        else:
            op = draw(st.sampled_from(primitives))
            count = draw(st.integers(1, min(9, tape.n_rows)))
            make.map(op, *[draw(st.integers(0, tape.n_rows - count)) for _ in range(arity(op))], count=count)
    last = tape.n_rows - 1
    return make.done(last, *draw(st.lists(st.integers(0, last), max_size=3)))


def arity(op):
    return 2 if op.name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum") else 1


def samples_of(tape, count, seed=3):
    draw = random.Random(seed)
    return [[draw.choice([draw.uniform(-2, 2), 0.0, 1.0]) for _ in range(count)] for _ in range(tape.n_inputs)]


def compare(tape, columns, chosen, rel=1e-9, exact=True):
    parameters = [p.data for p in tape.parameters]
    program = Program(tape)
    expected = [plain(tape, parameters, [column[k] for column in columns]) for k in chosen]
    columns = np.array(columns, dtype=float).reshape(tape.n_inputs, -1) if len(columns) else np.zeros((0, 9999))
    results = program.results(np.array(parameters), columns, np.array(chosen))
    total, gradient = program.gradient(np.array(parameters), columns, np.array(chosen))
    wanted = np.array([r for r, _ in expected])
    if exact:
        assert results.tobytes() == wanted.tobytes()
    else:
        assert results == pytest.approx(wanted, rel=rel, abs=1e-12)
    sizes = np.abs(np.array([g for _, g in expected])).sum(0) if tape.parameters else np.zeros(0)
    assert total == pytest.approx(math.fsum([r[0] for r, _ in expected]), rel=rel, abs=1e-9)
    slopes = np.array([math.fsum(g) for g in zip(*[g for _, g in expected])])
    assert np.all(np.abs(gradient - slopes) <= 1e-9 + rel * (np.abs(slopes) + sizes))


# ---- right numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [*COUNTS, 1030])
@pytest.mark.parametrize("sizes", [(2, 16, 16, 1), (3, 5, 9, 2), (1, 1, 1), (11, 8, 17, 3)])
def test_networks(sizes, count):
    tape = network(sizes, ops.relu)
    compare(tape, samples_of(tape, 1100), [*range(count)])
    tape = network(sizes, ops.tanh)
    compare(tape, samples_of(tape, 1100), [*reversed(range(count))], exact=False)


def finite(tape, columns, chosen):
    """Whether no number that the interpreter meets is large."""
    try:
        for k in chosen:
            sample = [column[k] for column in columns]
            parameters = [p.data for p in tape.parameters]
            results, slopes = plain(tape, parameters, sample)
            if not all([abs(x) < 1e6 for x in (*results, *slopes)]):
                return False
    except (ArithmeticError, ValueError):
        return False
    return True


@settings(max_examples=30)
@given(tape=tapes(EXACT), count=st.sampled_from(COUNTS))
def test_any_instructions_on_any_rows_give_the_same_bits(tape, count):
    columns = samples_of(tape, 110)
    if finite(tape, columns, range(count)):
        compare(tape, columns, [*range(3, 3 + count)])


@settings(max_examples=30)
@given(tape=tapes(EXACT + SMOOTH + GUARDED), count=st.sampled_from(COUNTS))
def test_functions_are_right_to_rounding(tape, count):
    columns = samples_of(tape, 110)
    chosen = [*range(3, 3 + count)]
    if finite(tape, columns, chosen):
        compare(tape, columns, chosen, rel=1e-6, exact=False)


def one_of_each():
    """Every kind of instruction, in prelude and body, with rows and shared numbers that come several times."""
    make = Maker([0.3, -0.7, 1.1, 0.2, 0.9], 3, [2.0, 0.5, 1.0])
    tape = make.tape
    (square,) = make.shared(1, True)
    tape.prelude.append(Dot(square, (0, 1, 2, 2), (0, 1, 2, 0), start=4))
    scaled = make.shared(3, True)
    tape.prelude.append(Map(ops.mul, scaled[0], (0, 2), 3))
    (root,) = make.shared(1, True)
    tape.prelude.append(Map(ops.power(9), root, (4,), 1, constants=(6,)))
    total = make.shared(3, True)
    tape.prelude.append(LogSumExp(total[0], (0, 1, square, 1)))
    (picked,) = make.shared(1, True)
    tape.prelude.append(Pick(picked, 7, (3, root, 0)))
    h = make.layer((1, 0, 2, 1), [(root, (0, 1, 2, 3)), (square, (2, 2, 6, 1)), (5, (picked, 0, scaled[1], 5))])
    e = make.map(ops.exp, h[0], count=3)
    p = make.map(ops.power(9), e, count=2, constants=(5,))
    d = make.dot((h[0], e, p), (e, e, h[2]), start=h[1])
    s = make.logsumexp((h[0], e, h[0], p, d))
    k = make.pick(3, (h[2], e, s, s))
    q = make.pick(3, (0, square, 5, total[0]), shared=True)
    r = make.layer((k, q, s, d), [(total[0], (0, 3, 3, 3)), (4, (1, 2, 3, 4))])
    return make.done(make.map(ops.tanh, make.map(ops.maximum, r[0], r[1])), d, s, k, q, 0)


@pytest.mark.parametrize("count", COUNTS)
def test_every_kind_of_instruction(count):
    tape = one_of_each()
    columns = samples_of(tape, 110)
    columns[2] = [float(k % 4) for k in range(110)]
    compare(tape, columns, [*range(count)], exact=False)


@pytest.mark.parametrize("length", [1, 8, 3000])
def test_a_long_prelude(length):
    make = Maker([math.sin(k) for k in range(length)], 0)
    sines, (penalty,) = make.shared(length, True), make.shared(1, True)
    make.tape.prelude += [Map(ops.sin, sines[0], (0,), length), Dot(penalty, tuple(sines), tuple(range(length)))]
    compare(make.done(*make.layer((), [(penalty, ())])), [], [0, 0, 0])


def test_no_inputs_and_no_parameters():
    make = Maker([], 0, [0.25, 3.0])
    a, b = make.layer((), [(0, ()), (1, ())])
    compare(make.done(make.map(ops.mul, a, b)), [], [5, 6])
    program = Program(make.tape)
    assert program.gradient(np.zeros(0), np.zeros((0, 3)), np.array([], dtype=int))[0] == 0.0


def test_a_sum_starts_from_its_zero():
    make = Maker([-0.0], 1)
    plus, minus = make.dot((1,), (1,), zero=0.0), make.dot((1,), (0,), zero=-0.0)
    program = Program(make.done(plus, minus, make.layer((1,), [(0, (0,))])[0]))
    results = program.results(np.array([-0.0]), np.array([[-0.0]]), np.array([0]))
    assert np.signbit(results).tolist() == [[False, True, False]]


def test_products_are_rounded_before_they_are_added():
    # 0.1·3 is 0.30000000000000004, and a fused product would leave the rounding error of that: relu'(0) is 0.
    make = Maker([-0.1, 0.30000000000000004], 1)
    r = make.map(ops.relu, *make.layer((1,), [(1, (0,))]))
    total, gradient = Program(make.done(r)).gradient(np.array([-0.1, 0.1 * 3]), np.array([[3.0]]), np.array([0]))
    assert (total, gradient.tolist()) == (0.0, [0.0, 0.0])


def test_kinks_are_on_the_side_of_the_rules():
    make = Maker([0.0, 0.0, 2.0], 0)
    x, y, z = make.layer((), [(0, ()), (1, ()), (2, ())])
    parts = [
        make.map(op, *rows)
        for op, rows in [
            (ops.relu, (x,)),
            (ops.absolute, (x,)),
            (ops.maximum, (x, y)),
            (ops.minimum, (z, z)),
            (ops.maximum, (y, z)),
        ]
    ]
    total, gradient = Program(make.done(make.dot(parts, [0] * 5))).gradient(
        np.array([0.0, 0.0, 2.0]), np.zeros((0, 1)), np.array([0])
    )
    assert (total, gradient.tolist()) == (4.0, [0.5, 0.5, 2.0])


# ---- what is not finite ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 9, 40, 64])
@pytest.mark.parametrize("bad", [math.inf, math.nan, 1e200])
def test_a_result_that_is_not_finite_makes_the_total_nan_wherever_it_is(count, bad):
    make = Maker([1.0], 1)
    (x,) = make.layer((1,), [(0, (0,))])
    hidden = make.map(ops.relu, make.map(ops.neg, make.map(ops.mul, x, x)))  # inf there is 0 here
    program = Program(make.done(hidden))
    for at in {0, count // 2, count - 1}:
        columns = np.full((1, count), 2.0)
        assert program.gradient(np.ones(1), columns, np.arange(count))[0] == 0.0
        columns[0, at] = bad
        assert math.isnan(program.gradient(np.ones(1), columns, np.arange(count))[0])
    assert program.gradient(np.ones(1), np.full((1, count), 2.0), np.arange(count))[0] == 0.0


def test_a_slope_that_is_not_finite_makes_the_total_nan():
    make = Maker([0.0], 0)
    (x,) = make.layer((), [(0, ())])
    program = Program(make.done(make.map(ops.sqrt, x)))
    assert math.isnan(program.gradient(np.zeros(1), np.zeros((0, 1)), np.array([0]))[0])
    assert program.results(np.zeros(1), np.zeros((0, 1)), np.array([0])).tolist() == [[0.0]]


def test_a_prelude_that_is_not_finite_makes_the_total_nan():
    make = Maker([0.0, 0.0], 0)
    (y,) = make.shared(1, True)
    make.tape.prelude.append(Map(ops.log, y, (1,)))
    program = Program(make.done(*make.layer((), [(0, ())])))
    assert math.isnan(program.gradient(np.zeros(2), np.zeros((0, 1)), np.array([0]))[0])
    assert program.gradient(np.ones(2), np.zeros((0, 1)), np.array([0]))[0] == 1.0


def test_large_numbers_are_finite():
    make = Maker([1.0], 1, [0.0])
    rows = make.layer((1,), [(1, (0,))] * 16)
    program = Program(make.done(make.map(ops.minimum, rows[0], 0), *rows))
    columns = np.full((1, 32), 1.7e308)
    assert program.gradient(np.ones(1), columns, np.arange(32))[0] == 32.0


def test_a_slope_that_nobody_asks_for_may_be_undefined():
    make = Maker([2.0], 1)
    (w,) = make.layer((), [(0, ())])
    program = Program(make.done(make.map(ops.pow, 1, w)))  # 0², whose slope by 2 is 0 · log 0
    total, gradient = program.gradient(np.array([2.0]), np.array([[0.0]]), np.array([0]))
    assert (total, gradient.tolist()) == (0.0, [0.0])
    (x,) = make.layer((0,), [(0, (0,))])
    unused = make.map(ops.sqrt, make.map(ops.sub, x, x))  # its slope is infinite, but no gradient comes to it
    assert unused
    program = Program(make.done(x))
    assert program.gradient(np.array([2.0]), np.array([[0.0]]), np.array([0]))[1].tolist() == [2.0]


@pytest.mark.parametrize("index", [-1.0, 0.5, 3.0, 1e300, -1e300, math.nan, math.inf])
def test_an_index_that_picks_nothing_gives_nan(index):
    make = Maker([1.0], 1)
    rows = make.layer((), [(0, ())] * 3)
    program = Program(make.done(make.pick(1, rows)))
    columns = np.array([[2.0, index]])
    assert math.isnan(program.gradient(np.ones(1), columns, np.arange(2))[0])
    assert [*map(math.isnan, program.results(np.ones(1), columns, np.arange(2))[:, 0])] == [False, True]


# ---- functions -------------------------------------------------------------------------------------------------------


def applied(op, numbers):
    make = Maker([], 1)
    return Program(make.done(make.map(op, 1))).results(np.zeros(0), np.array([numbers]), np.arange(len(numbers)))[:, 0]


def in_the_prelude(op, numbers):
    make = Maker([0.0] * len(numbers), 0)
    first, *others = zs = make.shared(len(numbers), True)
    make.tape.prelude.append(Map(op, first, (0,), len(zs)))
    rows = make.layer((), [(z, ()) for z in (first, *others)])
    return Program(make.done(*rows)).results(np.array(numbers), np.zeros((0, 1)), np.array([0]))[0]


@pytest.mark.parametrize("name", ["exp", "tanh"])
def test_vector_functions_are_right_to_three_units_in_the_last_place(name):
    draw = random.Random(7)
    numbers = [s * 10.0 ** draw.uniform(-20, 2.9) for _ in range(20_000) for s in (1, -1)]
    numbers += [draw.uniform(-746, -700) for _ in range(2000)] + [k * math.log(2) / 2 for k in range(-2200, 2048)]
    function = getattr(math, name)
    for x, y in zip(numbers, applied(ops.TABLE[name], numbers).tolist()):
        expected = function(x) if x < 709.782712893384 or name == "tanh" else math.inf
        assert y == expected or abs(y - expected) <= 3 * math.ulp(expected), x


@pytest.mark.parametrize("name", ["exp", "tanh"])
def test_vector_functions_at_the_ends_and_one_by_one(name):
    numbers = [math.inf, -math.inf, math.nan, 0.0, -0.0, 5e-324, -1e-310, 709.78, 709.79, 1e300, -745.1, -745.2, -1e300]
    expected = {
        "exp": [math.inf, 0.0, math.nan, 1.0, 1.0, 1.0, 1.0, math.exp(709.78), math.inf, math.inf, 5e-324, 0.0, 0.0],
        "tanh": [1.0, -1.0, math.nan, 0.0, -0.0, 5e-324, -1e-310, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0],
    }[name]
    op = ops.TABLE[name]
    found = applied(op, numbers)
    assert found == pytest.approx(expected, rel=1e-15, abs=0, nan_ok=True)
    assert np.signbit(found).tolist() == np.signbit(expected).tolist()
    assert in_the_prelude(op, numbers).tobytes() == found.tobytes()


def test_primitives_of_a_user():
    def guard(x):
        if x < -1.5:
            raise ValueError("too low")
        return max(x, 0.5) ** 1.5 if abs(x) > 1e-4 else 1 - x * x / 6

    row = ops.Primitive("a guard, odd", guard, lambda z, x: (1.5 * math.sqrt(x) if x > 0.5 else 0.0,))
    namesake = ops.Primitive("a guard, odd", lambda x: 2 * x, lambda z, x: (2.0,))
    make = Maker([1.0], 1)
    (x,) = make.layer((1,), [(0, (0,))])
    tape = make.done(make.map(namesake, make.map(row, x)))
    columns = [[k / 10 - 2.9 for k in range(40)]]
    compare(tape, columns, [*range(10, 40)], exact=False)
    assert math.isnan(Program(tape).gradient(np.ones(1), np.array(columns), np.array([0]))[0])


def test_a_primitive_that_cannot_be_compiled_is_told_by_name():
    make = Maker([1.0], 1)
    (x,) = make.layer((1,), [(0, (0,))])
    make.map(ops.Primitive("halves", lambda x: x // 2, lambda z, x: (0.0,)), x)
    with pytest.raises(Untraceable, match="the rule of halves cannot be compiled"):
        Program(make.done(x))


# ---- what programs share ---------------------------------------------------------------------------------------------


def test_constants_are_data():
    def made(constants):
        make = Maker([0.5], 1, constants)
        (x,) = make.layer((1, 1), [(1, (0, 2))])
        return Program(make.done(make.map(ops.power(3), x, constants=(1,))))

    for constants in ([2.0, 3.0], [0.0, -0.0], [-1.0, 2.0]):
        assert made(constants).texts == made([2.0, 3.0]).texts
        compare(made(constants).tape, [[1.5, 2.0]], [0, 1], exact=False)


def test_programs_share_kernels_that_go_with_the_last_that_needs_them():
    before = len(objects.ALIVE)
    programs = [Program(network((2, 7, 3), ops.relu, seed=n)) for n in range(50)]
    alike = len(objects.ALIVE) - before
    assert 0 < alike <= len(programs[0].texts)
    programs.append(Program(network((2, 7, 9, 3), ops.relu)))
    more = len(objects.ALIVE) - before - alike
    assert 0 < more < len(programs[-1].texts)
    del programs[1:]
    assert len(objects.ALIVE) == before + alike
    del programs[:]
    assert len(objects.ALIVE) == before


def test_a_program_is_pickled_as_its_tape():
    program = Program(network((2, 3, 1), ops.tanh))
    copy = pickle.loads(pickle.dumps(program))
    parameters, columns = np.linspace(-1, 1, 13), np.array(samples_of(program.tape, 40))
    for k in (0, 1):
        first, second = [p.gradient(parameters, columns, np.arange(40))[k] for p in (program, copy)]
        assert np.asarray(first).tobytes() == np.asarray(second).tobytes()


def test_threads_use_a_program_at_once():
    program = Program(network((2, 9, 1), ops.tanh))
    parameters, columns = np.linspace(-1, 1, 37), np.array(samples_of(program.tape, 2000))
    pieces = [np.arange(k, 2000, 4) for k in range(4)]
    expected = [program.gradient(parameters, columns, piece)[1].tobytes() for piece in pieces]
    found = {k: [] for k in range(4)}

    def work(k):
        for _ in range(50):
            found[k].append(program.gradient(parameters, columns, pieces[k])[1].tobytes())

    threads = [threading.Thread(target=work, args=(k,)) for k in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [set(x) for x in found.values()] == [{x} for x in expected]


def test_the_chunk_depends_on_the_tape_alone_and_is_whole_blocks():
    for sizes in ((1, 1), (2, 16, 16, 1), (64, 64, 10)):
        chunk = Program(network(sizes, ops.relu)).chunk
        assert chunk == Program(network(sizes, ops.relu, seed=9)).chunk
        assert chunk >= LANES
        assert chunk % LANES == 0


def test_numbers_of_another_shape_are_refused():
    program = Program(network((2, 3, 1), ops.tanh))
    with pytest.raises(
        ValueError, match=r"expected 13 parameters and columns of 3 inputs, got shapes \(12,\) and \(3, 5\)"
    ):
        program.gradient(np.zeros(12), np.zeros((3, 5)), np.array([0]))
