"""gradcheck passes right gradients, and says exactly what is wrong with a wrong one."""

import math
import re

import pytest

from micrograd import Value, dot, gradcheck, gradients, losses, nn, ops
from micrograd.check import GradientError, KinkError


@pytest.fixture
def wrong(monkeypatch):
    """x · y with a slope by y of 2x in place of x."""
    monkeypatch.setattr(ops, "TABLE", dict(ops.TABLE))
    return ops.primitive("wrong", lambda x, y: x * y, lambda _, x, y: (y, 2 * x))


def test_a_wrong_rule_is_named_with_both_numbers_and_their_difference(wrong):
    with pytest.raises(GradientError) as caught:
        gradcheck(wrong, [3.0, 4.0])
    found = re.match(
        r"input 1 = 4.0: the gradient is (\S+), .* say (\S+) \(relative difference (\S+)\)", str(caught.value)
    )
    assert [float(number) for number in found.groups()] == pytest.approx([6.0, 3.0, 0.5])


def test_labels_name_the_input(wrong):
    with pytest.raises(GradientError, match=r"height = 4\.0"):
        gradcheck(wrong, [Value(3.0, label="width"), Value(4.0, label="height")])


def test_the_inputs_are_not_changed():
    x = Value(3.0)
    x.grad = 7.0
    assert gradcheck(lambda v: v * v, [x])
    assert (x.data, x.grad) == (3.0, 7.0)


def test_a_difference_of_one_in_a_million_is_seen(monkeypatch):
    monkeypatch.setattr(ops, "TABLE", dict(ops.TABLE))
    off = ops.primitive("off", math.sin, lambda _, x: ((1 + 3e-6) * ops.cos(x),))
    with pytest.raises(GradientError):
        gradcheck(off, [0.7])
    assert gradcheck(off, [0.7], rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    ("kinked", "at"),
    [
        (lambda x: x.relu(), 0.0),
        (abs, 0.0),
        (lambda x: x.maximum(2.0), 2.0),
        (lambda x: x.minimum(2.0), 2.0),
        (lambda x: (x - 1.5).relu() + x**2, 1.5),
        (lambda x: losses.hinge(x, -1), -1.0),
    ],
)
def test_kinks_are_reported_as_kinks(kinked, at, scale):
    with pytest.raises(KinkError, match=f"{re.escape(f'input 0 = {at}')} is at a kink: the slope is .* to the left"):
        gradcheck(lambda x: scale * kinked(x), [at])


@pytest.mark.parametrize(
    ("smooth", "at"),
    [
        (lambda x: x.relu(), 1e-3),
        (lambda x: x.relu() + 0.01 * x, -1e-4),
        (lambda x: x * abs(x), 0.0),  # its second derivative jumps, not its first
        (lambda x: x.relu() ** 3, 0.0),
        (lambda x: x * 0, 1.0),
        (lambda x: x.exp(), -30.0),
        (lambda x: 1e9 + x**2, 3.0),
    ],
)
def test_what_only_looks_like_a_kink(smooth, at):
    assert gradcheck(smooth, [at])


steep_functions = pytest.mark.parametrize(
    ("steep", "at"),
    [
        (lambda x: x.exp(), 100.0),
        (lambda x: x**9, 1e3),
        (lambda x: 1 / x, 1e-2),
        (lambda x: x.tan(), 1.57),
        (lambda x: (1000 * x).tanh(), 1e-3),
        (lambda x: (1000 * x).tanh(), 1e-2),
        (lambda x: (100 * x).softplus(), 0.001),
        (lambda x: (x * 80 * math.pi).sin(), 0.3),  # all steps of 0.1 / 2ⁿ down to 1/80 see a function that is 0
        (lambda x: (-((1000 * x) ** 2)).exp(), 5e-4),  # a bump between steps that see 0 on either side
        (lambda x: x.sin(), 1e6),
    ],
)


@steep_functions
def test_steep_functions(steep, at):
    assert gradcheck(steep, [at])


@steep_functions
def test_a_wrong_gradient_of_a_steep_function_does_not_pass(steep, at):
    """Off by a factor of 0, 2 and 1.01: the number is the function's, the gradient is not."""
    for factor in (0, 2, 1.01):
        with pytest.raises(GradientError):
            gradcheck(lambda x, k=factor: steep(x) * k + (1 - k) * float(steep(x)), [at])


@pytest.mark.parametrize(
    ("function", "at"),
    [(Value.log, 1e-2), (Value.log, 1e-5), (Value.log, 1e-7), (Value.sqrt, 1e-6), (Value.arcsin, 1 - 1e-6)],
)
def test_functions_whose_domain_is_near(function, at):
    assert gradcheck(function, [at])


def test_an_edge_of_the_domain_is_said_to_be_one():
    with pytest.raises(GradientError, match="not defined on both sides"):
        gradcheck(lambda x: x**1.5, [0.0])


def test_a_slope_lost_in_rounding_is_not_passed():
    with pytest.raises(GradientError, match="rounding hides the slope"):
        gradcheck(lambda x: 1e20 + x, [1.0])


def test_second_derivatives():
    assert gradcheck(lambda x, y: gradients(x**3 * y, x, create_graph=True), [2.0, 5.0])


def test_a_whole_network():
    model = nn.MLP(2, [4, 3], activation="tanh")
    start = [p.data for p in model.parameters()]

    def loss(*parameters):
        values = iter(parameters)
        x = [0.5, -1.0]
        for layer in model.layers:
            s = [dot([next(values) for _ in x], x, next(values)) for _ in layer.neurons]
            x = [v.tanh() for v in s]
        return losses.cross_entropy(s, 2)

    assert gradcheck(loss, start)


def test_only_functions_that_return_a_value():
    with pytest.raises(TypeError, match=r"must return a Value, got 3\.0"):
        gradcheck(lambda _: 3.0, [1.0])
