"""Derivatives of derivatives: known, or an error that says what to write. Never a silent 0."""

import math
from operator import lt

import pytest

from micrograd import Value, dot, gradcheck, gradients, nn, no_grad, ops, pick
from micrograd.engine import Leaving, leaving


@pytest.mark.parametrize(
    "again",
    [
        gradients,
        lambda first, x: gradients(first, x, create_graph=True),
        lambda first, x: gradients(first * x + x, x),
        lambda first, x: (first**2 + x).backward(),
        lambda first, _: first.backward(),
    ],
)
def test_promise_21_a_derivative_through_a_gradient_without_a_graph_raises(again):
    x = Value(2.0)
    first = gradients(x**3, x)
    assert float(first) == 12.0
    with pytest.raises(ValueError, match="create_graph=True"):
        again(first, x)


def test_the_number_of_a_gradient_is_a_constant():
    x = Value(2.0)
    assert gradients(gradients(x**3, x).data * x, x).data == 12.0


def test_constants_have_the_derivative_0():
    x = Value(2.0)
    for first in (gradients(x, x, create_graph=True), gradients(3 * x, x, create_graph=True)):
        assert gradients(first, x).data == 0.0


def test_promise_21_a_result_without_a_graph_raises():
    x = Value(2.0)
    with no_grad():
        output = x**3
    with pytest.raises(ValueError, match=r"no graph.*no_grad\(\)"):
        gradients(output, x)


def test_swapped_arguments():
    x = Value(2.0)
    h = x**2
    for output, wrt in ((x, h), (x, [h, h**2]), (h, h**3), (h, [x, h**3])):
        with pytest.raises(ValueError, match="swap"):
            gradients(output, wrt)
    assert [g.data for g in gradients(x, [x, Value(1.0)])] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("output", "wrt", "message"),
    [
        (3.0, Value(1.0), r"expected a Value as output, got 3\.0 \(float\)"),
        (Value(1.0) * 2, 3.0, r"expected a Value, or a list of them, as wrt; got 3\.0 \(float\)"),
        (Value(1.0) * 2, ["w"], r"got 'w' \(str\)"),
        (Value(1.0) * 2, nn.Neuron(1), r"got a model; pass model\.parameters\(\)"),
    ],
)
def test_arguments_of_other_kinds(output, wrt, message):
    with pytest.raises(TypeError, match=message):
        gradients(output, wrt)


# ---- rules -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def define(monkeypatch):
    monkeypatch.setattr(ops, "TABLE", dict(ops.TABLE))
    return ops.primitive


@pytest.mark.parametrize(
    "slope",
    [
        math.cos,
        lambda x: math.cos(float(x)),
        lambda x: math.cos(x) if x > 0 else 1.0,
        lambda x: 1 - 2 * math.sin(x / 2) ** 2,
        lambda x: round(x, 3),
        lambda x: 1.0 if x else 0.0,
    ],
)
def test_promise_21_a_rule_that_cuts_the_graph_raises_and_is_named(define, slope):
    sine = define("sine", math.sin, lambda z, x: (slope(x),))
    x = Value(0.7)
    first = gradients(sine(x) * x, x)
    assert first.data == pytest.approx(math.sin(0.7) + 0.7 * slope(0.7))
    with pytest.raises(TypeError, match=r"the partials of 'sine' turn a Value into a plain number"):
        gradients(sine(x) * x, x, create_graph=True)
    assert float(x) == 0.7


def test_a_rule_may_compare(define):
    """And who watches comparisons sees those of rules too."""
    leaky = define("leaky", lambda x: max(x, 0.1 * x), lambda z, x: (0.1 if x < 0 else 1.0,))

    class Watching(Leaving):
        seen = ()

        def compare(self, relation, value, other):
            self.seen += ((relation, other),)
            return super().compare(relation, value, other)

    x, watching = Value(-0.5), Watching()
    output = leaky(x * x * x)
    with leaving(watching):
        first = gradients(output, x, create_graph=True)
    assert watching.seen == ((lt, 0),)
    assert gradients(first, x).data == pytest.approx(0.1 * 6 * -0.5)


def test_second_derivatives_of_powers_and_picks():
    a, b = Value(0.0), Value(2.0)
    assert [g.data for g in gradients(a**b, [a, b], create_graph=True)] == [0.0, 0.0]
    values = [Value(1.0), Value(-3.0), Value(2.0)]
    first = gradients(pick(values, Value(1.0)) ** 3, values, create_graph=True)
    assert [g.data for g in first] == [0.0, 27.0, 0.0]
    assert [g.data for g in gradients(first[1], values)] == [0.0, -18.0, 0.0]


def test_the_gradient_of_a_gradient_is_checked_by_differences():
    def slope(x, y):
        return gradients(dot([x, y], [y.tanh(), x * x]).sigmoid(), x, create_graph=True)

    assert gradcheck(slope, [0.3, -0.7])
