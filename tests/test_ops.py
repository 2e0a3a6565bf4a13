"""Every row of the table of primitives, alone and composed at random, against gradcheck and against HIPS autograd.

The tests run over ``TABLE``: a new row is tested the day it is added, and asks for its reference here.
"""

import math
import pickle

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.special import erf, expit
from hypothesis import assume, given
from hypothesis import strategies as st

from micrograd import Value, gradcheck, gradients, ops

# Each row by an independent autodiff, under the least and the greatest number of its operands.
UNARY = ["exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan"]
UNARY += ["sinh", "cosh", "tanh", "abs", "log2", "log10"]
EXPONENTS = (0, 1, 2, 3, -1, -2, 0.5, 2.5)
REFERENCES = {
    (1, 1): {
        **{name: getattr(anp, name) for name in UNARY},
        **{f"power {n}": lambda x, n=n: x**n for n in EXPONENTS},
        "neg": lambda x: -x,
        "sigmoid": expit,
        "softplus": lambda x: anp.logaddexp(0.0, x),
        "erf": erf,
        "relu": lambda x: anp.maximum(x, 0.0),
        "cbrt": lambda x: anp.sign(x) * anp.abs(x) ** (1 / 3),
    },
    (2, 2): {
        "add": lambda x, y: x + y,
        "sub": lambda x, y: x - y,
        "mul": lambda x, y: x * y,
        "div": lambda x, y: x / y,
        "pow": lambda x, y: anp.exp(y * anp.log(x)),  # autograd's own second derivative of x**y is wrong at y = 0
        "maximum": anp.maximum,
        "minimum": anp.minimum,
        "hypot": lambda x, y: anp.sqrt(x * x + y * y),
        "arctan2": anp.arctan2,
    },
    (3, 3): {"where": lambda condition, a, b: anp.where(condition > 0, a, b)},
    (2, 5): {
        "dot": lambda *v: sum([w * x for w, x in zip(v[: len(v) // 2], v[len(v) // 2 :])], v[-1] * (len(v) % 2)),
        "logsumexp": lambda *v: anp.log(sum([anp.exp(x) for x in v])),
    },
}
REFERENCE = {name: function for rows in REFERENCES.values() for name, function in rows.items()}
ARITY = {name: arity for arity, rows in REFERENCES.items() for name in rows}
ROWS = {**ops.TABLE, **{f"power {n}": ops.power(n) for n in EXPONENTS}}
del ROWS["pick"]  # its index is data, without a slope: see test_tape.py
# Where this is 0, the row has its kink.
KINK = {"relu": lambda x: x, "abs": lambda x: x, "maximum": lambda x, y: x - y, "minimum": lambda x, y: x - y}
KINK |= {"hypot": math.hypot, "where": lambda condition, *_: condition}
KINK |= {"arctan2": lambda y, x: y if x < 0 else math.hypot(x, y)}  # a jump, which slopes do not see

# What autograd says where a derivative is constant, and then answers 0 as it should.
pytestmark = pytest.mark.filterwarnings("ignore:Output seems independent of input")

numbers = st.integers(-300, 300).map(lambda i: i / 100)


def at_kink(name, operands):
    return name in KINK and abs(KINK[name](*operands)) < 1e-3


def first_and_second(function, point):
    """The gradient and the Hessian of a function of Values."""
    leaves = [Value(x) for x in point]
    output = function(*leaves)
    slopes = gradients(output, leaves, create_graph=True)
    output.backward()
    # To rounding: from Python 3.12 on, sum() of floats keeps more digits than a sum of Values.
    assert [v.grad for v in leaves] == pytest.approx([slope.data for slope in slopes], rel=1e-14)
    return [v.grad for v in leaves], [[second.data for second in gradients(slope, leaves)] for slope in slopes]


def require_equal_to_autograd(function, expected, point):
    def of_vector(v):
        return expected(*[v[i] for i in range(len(point))])

    point = np.array(point)
    for ours, theirs in zip(
        first_and_second(function, point), (autograd.grad(of_vector)(point), autograd.hessian(of_vector)(point))
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10 * max(1.0, np.abs(theirs).max()))


@st.composite
def operands_of(draw, name):
    """A point inside of the row's domain, away from its kink, where slopes are of a size that differences can see."""
    assert name in REFERENCE, f"{name!r} has no reference: add it to REFERENCES (and to KINK if it has a kink)"
    least, greatest = ARITY[name]
    point = draw(st.lists(numbers, min_size=least, max_size=greatest))
    try:
        for shift in (-1e-3, 1e-3, 0):
            node = ROWS[name](*[Value(x + shift) for x in point])
    except ValueError:
        assume(False)
    assume(not at_kink(name, point) and max(map(abs, node.partials)) < 100)
    return point


@pytest.mark.parametrize("name", ROWS)
@given(data=st.data())
def test_row_against_autograd_and_central_differences(name, data):
    point = data.draw(operands_of(name))
    assert ROWS[name](*point) == pytest.approx(float(REFERENCE[name](*point)), rel=1e-14, abs=1e-15)
    require_equal_to_autograd(ROWS[name], REFERENCE[name], point)
    assert gradcheck(ROWS[name], point)


@pytest.mark.parametrize("name", ROWS)
@given(data=st.data())
def test_row_gives_the_same_number_from_numbers_as_from_values(name, data):
    point = data.draw(operands_of(name))
    number, node = ROWS[name](*point), ROWS[name](*[Value(x) for x in point])
    assert type(number) is float
    assert (number, node.op) == (node.data, ROWS[name])


@st.composite
def programs(draw):
    """Inputs, and steps (name, places of the operands) that stay in every domain and away from kinks and cliffs."""
    inputs = draw(st.lists(numbers, min_size=1, max_size=4))
    data, steps = list(inputs), []
    for _ in range(draw(st.integers(1, 10))):
        name = draw(st.sampled_from(sorted(REFERENCE)))
        least, greatest = ARITY[name]
        places = draw(st.lists(st.integers(0, len(data) - 1), min_size=least, max_size=greatest))
        operands = [data[i] for i in places]
        try:
            node = ROWS[name](*[Value(x) for x in operands])
        except ValueError:
            continue
        if not at_kink(name, operands) and max(map(abs, (node.data, *node.partials))) < 10:
            data.append(node.data)
            steps.append((name, places))
    return inputs, steps


@given(programs())
def test_random_expressions_against_autograd(program):
    """Of several inputs, with shared subexpressions: all results are summed, so that none goes unseen."""
    inputs, steps = program

    def run(table):
        def function(*leaves):
            nodes = list(leaves)
            for name, places in steps:
                nodes.append(table[name](*[nodes[i] for i in places]))
            return sum(nodes)

        return function

    require_equal_to_autograd(run(ROWS), run(REFERENCE), inputs)


def test_every_row_is_found_under_its_name():
    assert all(row.name == name and row.symbol and ops.find(name) is row for name, row in ops.TABLE.items())
    with pytest.raises(ValueError, match="no primitive named 'nonsense'"):
        ops.find("nonsense")


def test_a_power_keeps_its_number_as_written():
    assert [ops.power(n).symbol for n in (2, 2.0, -1, 0.5)] == ["**2", "**2.0", "**-1", "**0.5"]
    assert pickle.loads(pickle.dumps(ops.power(3))) is ops.power(3)


@pytest.mark.parametrize(("x", "y"), [(math.nan, 1.0), (1.0, math.nan)])
@pytest.mark.parametrize("name", ["add", "mul", "maximum", "minimum"])
def test_nan_is_not_swallowed(name, x, y):
    operands = Value(0.0), Value(0.0)
    for operand, data in zip(operands, (x, y)):
        operand.data = data
    with pytest.raises(ValueError, match=f"{name}.*nan"):
        ROWS[name](*operands)


@pytest.mark.parametrize("x", [-1.0, -38.0])
def test_slope_of_expm1_keeps_its_digits(x):
    assert Value(x).expm1().partials[0] == pytest.approx(math.exp(x), rel=1e-12, abs=0)


@pytest.mark.parametrize("x", [0.0, 1.0, 8.0, 27.0, 64.0, 1e15, -125.0, 1e300, 5e-324, 1e-300])
def test_cube_roots_of_cubes(x):
    assert ops.cbrt(x) == pytest.approx(float(np.cbrt(x)), rel=1e-15)
    assert ops.cbrt(-x) == -ops.cbrt(x)


def test_slopes_at_the_origin():
    """That of hypot is pinned to 0, at the tip of a cone; an angle and a cube root have none."""
    x, y = Value(0.0), Value(0.0)
    ops.hypot(x, y).backward()
    assert (x.grad, y.grad) == (0.0, 0.0)
    for build in (lambda: ops.arctan2(x, y), lambda: ops.cbrt(x)):
        with pytest.raises(ValueError, match=r"the value is 0\.0, but it has no derivative there"):
            build()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_angles_and_lengths_of_any_size(scale):
    leaves = [Value(3 * scale), Value(4 * scale)]
    assert ops.hypot(*leaves).partials == pytest.approx((0.6, 0.8))
    assert [x * scale for x in ops.arctan2(*leaves).partials] == pytest.approx((4 / 25, -3 / 25))


INF = math.inf


@pytest.mark.parametrize(
    ("point", "value", "shares"),
    [
        ([1e16, 1e16], 1e16, [0.5, 0.5]),
        ([-1e16] * 4, -1e16, [0.25] * 4),
        ([1e16, 1e16 - 2, -1e16], 1e16, [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2)), 0.0]),
        ([1e308, -1e308], 1e308, [1.0, 0.0]),
        ([-INF, 2.0, 2.0], 2 + math.log(2), [0.0, 0.5, 0.5]),
        ([-INF, 0.0], 0.0, [0.0, 1.0]),
        ([-INF, -INF], -INF, [0.5, 0.5]),
        ([INF, 1.0], INF, [1.0, 0.0]),
    ],
)
def test_logsumexp_and_its_shares_at_the_ends_of_the_line(point, value, shares):
    leaves = [Value(x) for x in point]
    node = ops.logsumexp(*leaves)
    node.backward()
    assert node.data == ops.logsumexp(*point) == pytest.approx(value, rel=1e-15)
    assert [v.grad for v in leaves] == pytest.approx(shares, rel=1e-15)


def test_second_derivatives_of_logsumexp_at_a_tie():
    """p(1 - p) and -p², whether the numbers are large or not."""
    for x in (0.0, 1e16, -1e16):
        leaves = [Value(x), Value(x)]
        first = gradients(ops.logsumexp(*leaves), leaves, create_graph=True)
        assert [[g.data for g in gradients(share, leaves)] for share in first] == [[0.25, -0.25], [-0.25, 0.25]]


@pytest.mark.parametrize("others", [[1.0], [INF], [-INF], [-INF, 1.0]])
def test_logsumexp_does_not_swallow_nan(others):
    bad = Value(0.0)
    bad.data = math.nan
    for operands in ([bad, *others], [*others, bad]):
        with pytest.raises(ValueError, match=r"logsumexp.*nan"):
            ops.logsumexp(*operands)


# ---- a primitive of one's own ----------------------------------------------------------------------------------------


@pytest.fixture
def define(monkeypatch):
    """``ops.primitive``, its rows to be removed again after the test."""
    monkeypatch.setattr(ops, "TABLE", dict(ops.TABLE))
    return ops.primitive


def test_a_primitive_of_ones_own(define):
    bell = define("bell", lambda x: math.exp(-x * x), lambda z, x: (-2 * x * z,), symbol="⌒")
    assert bell(0.5) == math.exp(-0.25)
    assert bell(Value(0.5))._op == "⌒"
    assert gradcheck(bell, [0.5])
    require_equal_to_autograd(bell, lambda x: anp.exp(-x * x), [0.5])


def test_a_name_is_taken_once(define):
    with pytest.raises(ValueError, match="'exp' exists already"):
        define("exp", math.exp, lambda z, _: (z,))


def test_a_primitive_outside_of_its_domain_names_itself(define):
    root = define("fourth root", lambda x: math.pow(x, 0.25), lambda z, x: (0.25 * z / x,))
    for operand in (-1.0, Value(-1.0)):
        with pytest.raises(ValueError, match=r"fourth root\(-1.0\)"):
            root(operand)


@pytest.mark.parametrize("slopes", [(), (2.0,), (2.0, 3.0, 4.0)])
def test_as_many_partials_as_operands(define, slopes):
    two = define("two", lambda x, y: x * y, lambda *_: slopes)
    with pytest.raises(ValueError, match="two"):
        two(Value(3.0), Value(2.0)).backward()
