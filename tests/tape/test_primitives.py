"""Every row of the table of primitives, and primitives of a user's own, on a tape."""

import math

import numpy as np
import pytest

from micrograd import Value, accumulate, jit, ops
from micrograd.engine import apply
from micrograd.higher import gradients
from micrograd.ops import TABLE, find, primitive

NUMBERS = [-2.5, -1.0, -0.6, -1e-9, 0.0, 1e-9, 0.3, 0.5, 1.0, 2.0, 3.7, 30.0]
ROWS = [row for name, row in TABLE.items() if name != "bell"] + [find("power", c) for c in (0, 1, 2, 3, -2, 0.5, 2.5)]


def operands(row):
    """Lists of operands on which the row and its partials are defined."""
    if row is ops.dot:
        return [NUMBERS[i : i + 2 * k + b] for i in range(3) for k in (1, 4) for b in (0, 1)]
    if row is ops.logsumexp:
        return [NUMBERS[:k] for k in (1, 2, 5)] + [[1000.0, -1000.0, 999.0]]
    if row is ops.where:
        return [[float(c), x, y] for c in (0, 1) for x in NUMBERS[:5] for y in NUMBERS[-5:]]
    if row is ops.pick:
        return [[*NUMBERS[:4], float(k)] for k in range(4)]
    found = []
    for case in [[x] for x in NUMBERS] + [[x, y] for x in NUMBERS for y in NUMBERS]:
        try:
            apply(row, case)
        except (TypeError, ValueError):
            continue
        found.append(case)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}{row.constant or ''}")
@pytest.mark.parametrize("shared", [False, True], ids=["rows", "scalars"])
def test_every_row(row, shared):
    cases = operands(row)
    assert cases
    for case in cases if shared else [case for case in cases if len(case) == len(cases[0])][:1]:
        parameters = [Value(1.0) for _ in case]
        alike = [other for other in cases if len(other) == len(case)]

        def loss(*numbers, parameters=parameters):
            values = [p if shared else p * x for p, x in zip(parameters, numbers)]
            if row is ops.where:
                values[0] = numbers[0]
            if row is ops.pick:
                values[-1] = numbers[-1]
            return apply(row, values) * (numbers[0] + 3)

        if shared:
            for p, x in zip(parameters, case):
                p.data = x
            alike = [case] * 2
        samples = [tuple(other) for other in alike]
        samples *= 1 + 400 // len(samples)
        fast = jit(loss)
        values = fast.map(samples)
        expected = [loss(*sample) for sample in samples]
        assert values == pytest.approx([v.data for v in expected], rel=1e-12, abs=1e-300)
        accumulate(fast, samples, reduction="sum")
        slopes = np.array([[v.data for v in gradients(graph, parameters)] for graph in expected])
        got, wanted = [p.grad for p in parameters], slopes.sum(axis=0)
        assert got == pytest.approx(wanted, rel=1e-11, abs=1e-11 * np.abs(slopes).max())


def test_a_primitive_of_the_users_own_replays():
    bump = primitive("test_bump", lambda x: math.exp(-x * x) + helper(x), lambda z, x: (-2 * x * ops.exp(-x * x) + 1,))
    ratio = primitive(
        "test_ratio", lambda x, y: x / (1 + y * y), lambda z, x, y: (1 / (1 + y * y), -2 * y * z / (1 + y * y))
    )
    try:
        p = Value(0.7)
        samples = [0.1 * k for k in range(-100, 100)]
        loss = lambda x: bump(p * x) + ratio(p, x)
        expected = [loss(x) for x in samples]
        fast = jit(loss)
        assert accumulate(fast, samples, "sum") == pytest.approx(sum(v.data for v in expected), rel=1e-12)
        assert p.grad == pytest.approx(sum(gradients(v, p).data for v in expected), rel=1e-12)
    finally:
        del TABLE["test_bump"], TABLE["test_ratio"]


def helper(x):
    return x


def test_a_primitive_that_cannot_be_traced_is_named_and_runs_node_by_node():
    odd = primitive("test_odd", lambda x: float(str(x)), lambda z, x: (1.0,))
    try:
        p = Value(1.0)
        fast = jit(lambda x: odd(p * x))
        with pytest.warns(RuntimeWarning, match="test_odd"):
            assert accumulate(fast, [1.0] * 300) == 1.0
        assert p.grad == pytest.approx(1.0)
        assert "the plain function" in repr(fast)
        assert accumulate(fast, [2.0] * 3) == 2.0
        assert fast.map([3.0]).tolist() == [3.0]
    finally:
        del TABLE["test_odd"]


def test_a_primitive_of_three_numbers_replays():
    three = primitive("test_three", lambda x, y, z: x * y * z, lambda r, x, y, z: (y * z, x * z, x * y))
    try:
        p = Value(2.0)
        assert accumulate(jit(lambda x: three(p, x, p * x)), [1.0, 3.0], "sum") == 4 + 4 * 9
        assert p.grad == 4 + 4 * 9
    finally:
        del TABLE["test_three"]


def logistic(x):
    return 1 / (1 + math.exp(-x))


def caught(x):
    try:
        return logistic(x)
    except OverflowError:
        return 7.0


@pytest.mark.parametrize("forward", [logistic, caught])
def test_an_overflow_on_the_way_is_no_number_of_the_tape(forward):
    own = primitive("test_own", forward, lambda z, x: (z * (1 - z),))
    try:
        p = Value(1.0)
        samples = [(a, b) for a in range(-30, 31, 3) for b in range(-30, 31, 3)]  # a·b is beyond -709 in a few

        def loss(a, b):
            return own(p * a * b)

        fast = jit(loss)
        accumulate(fast, [(1.0, 1.0), (-30.0, 1.0), (30.0, 30.0), (-1.0, 30.0)])
        if forward is caught:
            assert accumulate(fast, samples) == pytest.approx(accumulate(loss, samples), rel=1e-12)
        else:
            with pytest.raises(ValueError, match=r"test_own\(-720.0\): math range error"):
                accumulate(fast, samples)
    finally:
        del TABLE["test_own"]
