"""The promises of the engine, by number, and what users do with a Value besides."""

import concurrent.futures
import copy
import gc
import math
import os
import pickle
import random
import subprocess
import sys
import threading
import tracemalloc
from fractions import Fraction

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.special import erf

from micrograd import Value, accumulate, dot, gradients, logsumexp, losses, nn, no_grad, ops, optim, softmax, where
from micrograd.engine import is_recording

# ---- 1, 2: leaves accumulate, interior nodes start anew --------------------------------------------------------------
# A second pass, and losses that share a node, are cases 3.2 to 3.7 of micrograd.conformance, which ours passes too.


def test_promise_01_backward_from_within_and_from_a_leaf():
    x = Value(3.0)
    h = x * x
    (2 * h).backward()
    h.backward()
    assert (x.grad, h.grad) == (12.0 + 6.0, 1.0)
    x.backward()
    x.backward(0.5)
    assert x.grad == 18.0 + 1.5


@pytest.mark.parametrize("gradient", [0.25, 2, np.float32(0.5), 0])
def test_backward_of_a_gradient(gradient):
    x = Value(3.0)
    (x * x).backward(gradient)
    assert x.grad == 6.0 * gradient


def test_backward_of_no_gradient_changes_nothing():
    x = Value(3.0)
    y = x * x
    y.backward()
    for wrong, error in ((math.nan, ValueError), ("1", TypeError), (None, TypeError)):
        with pytest.raises(error):
            y.backward(wrong)
    assert (x.grad, y.grad) == (6.0, 1.0)


def test_backward_wants_a_graph():
    w = Value(3.0, label="w")
    with no_grad():
        error = (w - 1) ** 2
    for result in (error, pickle.loads(pickle.dumps(error))):
        with pytest.raises(ValueError, match=r"no graph to go back through.*no_grad\(\)"):
            result.backward()
    assert w.grad == 0.0
    for leaf in (w, Value(1.0, role="input"), Value(1.0, (), "mine")):
        leaf.backward()
        assert leaf.grad == 1.0


# ---- 3: depth is no limit --------------------------------------------------------------------------------------------


def chain(depth):
    """x, and x - x + x - x … of that many operations."""
    x = Value(1.0)
    node = x
    for _ in range(depth // 2):
        node = -node
        node = node + x
    return x, node


def test_promise_03_backward_copy_and_freeing_of_a_million_nodes():
    x, root = chain(1_000_000)
    root.backward()
    assert x.grad == 1.0
    other = copy.deepcopy(root)
    del root
    assert other.data == 1.0


def test_promise_03_deep_pickles_and_gradients():
    x, root = chain(100_000)
    assert gradients(root, x).data == 1.0
    other = pickle.loads(pickle.dumps(root))
    other.backward()
    assert (other.data, other.grad) == (1.0, 1.0)


def test_promise_03_second_derivatives_of_a_deep_graph():
    x = Value(1.0)
    node = x * x
    for _ in range(20_000):
        node = node + 0.0
    assert gradients(gradients(node, x, create_graph=True), x).data == 2.0


# ---- 4: the same bits ------------------------------------------------------------------------------------------------

TRAINED = """
import random
from micrograd import Value, losses, nn
scattered = [Value(0.0) for _ in range(5000)]   # memory is laid out by the hash seed too, and with it sets of nodes
random.Random(hash("seed")).shuffle(scattered)
del scattered[::2]
random.seed(5)
model = nn.MLP(3, [8, 8, 4])
total = 0.0
for label in range(4):
    x = [random.gauss(0, 1) for _ in range(3)]
    loss = losses.cross_entropy(model(x), label) + sum(h * 0.1 * k for k, h in enumerate(model(x)))
    loss.backward()
answer = " ".join(p.grad.hex() for p in model.parameters())
"""


def test_promise_04_the_same_bits_whatever_the_hash_seed():
    def answer(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", TRAINED + "print(answer)"]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert len({answer(seed) for seed in ("0", "1", "2", "3")}) == 1


def test_promise_04_the_same_bits_in_threads():
    """Each thread its own leaves: what one records does not reach another."""

    def gradient(seed):
        draw = random.Random(seed)
        leaves = [Value(draw.gauss(0, 1)) for _ in range(20)]
        for _ in range(5):
            dot(leaves, [(a * b).tanh() for a, b in zip(leaves, reversed(leaves))]).backward()
        return [v.grad for v in leaves]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(gradient, range(32))) == list(map(gradient, range(32)))


def test_promise_04_parents_keep_their_order():
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    assert (b - a).parents == (b, a)
    assert dot([c, a], [b, c], a).parents == (c, a, b, c, a)
    for node in (2 + a, 2 - a, 2 * a, 2 / a, 2**a):
        assert [v.data for v in node.parents] == [2.0, 1.0]


def test_promise_05_an_operand_used_twice():
    for build, slope in (
        (lambda a: a + a, 2.0),
        (lambda a: a * a, 6.0),
        (lambda a: a / a, 0.0),
        (lambda a: a - a, 0.0),
    ):
        a = Value(3.0)
        node = build(a)
        node.backward()
        assert node.parents == (a, a)
        assert a.grad == slope
    a = Value(3.0)
    dot([a, a], [a, a], a).backward()
    assert a.grad == 13.0


# ---- 6: never a complex number, never a silent nan -------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "slope"), [(0, 0.0), (1, 1.0), (2, 0.0), (0.0, 0.0), (1.0, 1.0), (1.5, 0.0)])
def test_promise_06_powers_of_zero_have_gradients(exponent, slope):
    x = Value(0.0)
    power = x**exponent
    power.backward()
    assert (power.data, x.grad) == (0.0**exponent, slope)


@pytest.mark.parametrize(
    ("undefined", "message"),
    [
        (lambda: Value(0.0) ** 0.5, r"power\(0\.0, 0\.5\)"),
        (lambda: Value(0.0) ** -1, r"power\(0\.0, -1\)"),
        (lambda: Value(-8.0) ** (1 / 3), r"power\(-8\.0, 0\.333"),
        (lambda: Value(-8.0) ** Value(2.0), r"pow\(-8\.0, 2\.0\)"),
        (lambda: (-8.0) ** Value(0.5), r"pow\(-8\.0, 0\.5\)"),
        (lambda: Value(0.0).log(), r"log\(0\.0\)"),
        (lambda: Value(-1.0).log1p(), r"log1p\(-1\.0\)"),
        (lambda: Value(-1.0).sqrt(), r"sqrt\(-1\.0\)"),
        (lambda: Value(0.0).sqrt(), r"sqrt\(0\.0\)"),
        (lambda: Value(1.5).arcsin(), r"arcsin\(1\.5\)"),
        (lambda: Value(1.0).arccos(), r"arccos\(1\.0\)"),
        (lambda: 1 / Value(0.0), r"div\(1\.0, 0\.0\)"),
        (lambda: Value(1.0) / 0, r"div\(1\.0, 0\.0\)"),
        (lambda: np.float64(1.0) / Value(0.0), r"div\(1\.0, 0\.0\)"),
        (lambda: Value(math.inf) - math.inf, r"sub\(inf, inf\)"),
        (lambda: Value(math.inf) * 0, r"mul\(inf, 0\.0\)"),
        (lambda: Value(math.inf).sin(), r"sin\(inf\)"),
        (lambda: Value(1e308) * 10, r"mul\(1e\+308, 10\.0\)"),
        (lambda: dot([Value(1e308), 1e308], [1.0, 1.0]), r"dot\(1e\+308, 1e\+308, 1\.0, 1\.0\): the result is inf"),
        (lambda: logsumexp([]), r"logsumexp\(\)"),
    ],
)
def test_promise_06_the_undefined_raises_and_names_operation_and_operands(undefined, message):
    with pytest.raises(ValueError, match=message):
        undefined()


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: Value(0.0).sqrt(), r"^sqrt\(0\.0\): the value is 0\.0, but it has no derivative there"),
        (lambda: Value(-3.0) ** Value(2.0), r"^pow\(-3\.0, 2\.0\): the value is 9\.0, but .* \(log\(-3\.0\): "),
        (lambda: Value(0.0) ** 0.5, r"^power\(0\.0, 0\.5\): the value is 0\.0, but"),
        (lambda: Value(-1.0).sqrt(), r"^sqrt\(-1\.0\): (?!the value)"),
    ],
)
def test_where_only_the_derivative_is_undefined_the_error_says_so(compute, message):
    with pytest.raises(ValueError, match=message):
        compute()


def test_promise_06_without_recording_only_the_number_has_to_be_defined():
    with no_grad():
        assert (Value(0.0).sqrt().data, (Value(0.0) ** 0.5).data) == (0.0, 0.0)
        with pytest.raises(ValueError, match=r"log\(0\.0\)"):
            Value(0.0).log()


@pytest.mark.parametrize("build", [lambda x: x.log(), lambda x: 1e-300 / x], ids=["log", "div"])
def test_a_slope_beyond_the_floats_shows_and_stops_the_optimizer(build):
    """Checking each slope would cost a tenth of the time; an infinite one cannot go unnoticed."""
    x = Value(1e-309)
    build(x).backward()
    assert not math.isfinite(x.grad)
    with pytest.raises(ValueError, match="the gradient of parameter 0 is"):
        optim.SGD([x]).step()


# ---- 7: what was recorded stays --------------------------------------------------------------------------------------


def test_promise_07_editing_data_does_not_change_recorded_derivatives():
    a, b = Value(2.0), Value(3.0)
    loss = a * b + dot([a], [b], b) + (a / b) ** 2 + a.tanh()
    expected = [g.data for g in gradients(loss, [a, b])]
    a.data, b.data = 100.0, -7.0
    loss.backward()
    assert [a.grad, b.grad] == expected


@pytest.mark.parametrize("edited", [-0.5, 0.75])  # at −x an even derivative is the same
@pytest.mark.parametrize("build", [Value.sin, Value.sinh, Value.erf, lambda x: x**3, lambda x: 1 / x])
def test_promise_07_second_derivatives_refuse_edited_data(build, edited):
    """The second derivative would belong to other numbers than the first."""
    x = Value(0.5)
    loss = build(x)
    x.data = edited
    assert gradients(loss, x).data == gradients(build(y := Value(0.5)), y).data
    with pytest.raises(ValueError, match="changed after the graph was recorded"):
        gradients(loss, x, create_graph=True)


# ---- 8, 9: copies, memory --------------------------------------------------------------------------------------------


def test_promise_08_a_deep_copy_backpropagates_and_a_parameter_pickles():
    x = Value(3.0, label="x")
    loss = copy.deepcopy(x * x)
    loss.backward()
    assert (loss.parents[0].grad, x.grad) == (6.0, 0.0)
    x.grad = 5.0
    other = pickle.loads(pickle.dumps(x))
    assert (other.data, other.grad, other.label, other.role) == (3.0, 5.0, "x", "parameter")


def test_promise_09_nothing_waits_for_the_garbage_collector():
    model = nn.MLP(2, [2, 1], activation="tanh")
    samples = [([0.1, -0.2], 1), ([0.3, 0.4], -1)] * 5

    def run(times):
        for _ in range(times):
            accumulate(lambda x, y: losses.hinge(model(x), y), samples)
        model.zero_grad()
        return tracemalloc.get_traced_memory()[0]

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        assert run(1000) - run(1) == pytest.approx(0, abs=5000)  # half a byte a sample: Python's own free lists fill up
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.parametrize("create_graph", [False, True])
def test_promise_09_a_graph_dies_with_its_loss(create_graph):
    x = Value(0.5)
    gc.collect()
    gc.disable()
    try:
        loss = dot([x, x], [x.tanh(), x**2], x.sigmoid()) + logsumexp([x, x * 2]) / (x + 1)
        loss.backward()
        slope = gradients(loss, x, create_graph=create_graph)
        copied = copy.deepcopy(loss)
        del loss, slope, copied
        assert gc.collect() == 0
    finally:
        gc.enable()


# ---- 10, 11: kinks, large numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinked", "slopes"),
    [
        (lambda a, _: a.relu(), (0.0, 0.0)),
        (lambda a, _: (-a).relu(), (0.0, 0.0)),
        (lambda a, _: abs(a), (0.0, 0.0)),
        (lambda a, b: a.maximum(b), (0.5, 0.5)),
        (lambda a, b: a.minimum(b), (0.5, 0.5)),
    ],
)
def test_promise_10_kinks_are_pinned(kinked, slopes):
    a, b = Value(0.0), Value(0.0)
    kinked(a, b).backward()
    assert (a.grad, b.grad) == slopes


def test_promise_10_relu_does_not_hide_nan():
    x = Value(1.0)
    x.data = math.nan
    with pytest.raises(ValueError, match=r"ReLU|relu\(nan\)"):
        x.relu()


@pytest.mark.parametrize("name", ["exp", "expm1", "sinh", "cosh"])
def test_promise_11_overflow_names_the_value(name):
    with pytest.raises(ValueError, match=rf"{name}\(1000\.0\)"):
        getattr(Value(1000.0), name)()


@pytest.mark.parametrize(
    ("stable", "at", "number", "slope"),
    [
        (Value.tanh, 1000, 1.0, 0.0),
        (Value.tanh, -1000, -1.0, 0.0),
        (Value.sigmoid, 1000, 1.0, 0.0),
        (Value.sigmoid, -1000, 0.0, 0.0),
        (Value.sigmoid, -700, math.exp(-700), math.exp(-700)),
        (Value.softplus, 1000, 1000.0, 1.0),
        (Value.softplus, -1000, 0.0, 0.0),
        (Value.softplus, -700, math.exp(-700), math.exp(-700)),
        (Value.exp, -1000, 0.0, 0.0),
        (lambda s: losses.binary_cross_entropy(s, 1), -1000, 1000.0, -1.0),
        (lambda s: losses.binary_cross_entropy(s, 1), 1000, 0.0, 0.0),
        (lambda s: losses.binary_cross_entropy(s, 0), 1000, 1000.0, 1.0),
        (lambda s: losses.binary_cross_entropy(s, 0.5), 1000, 500.0, 0.5),
        (lambda s: losses.cross_entropy([s, 0.0, -s], 0), 1000, 0.0, 0.0),
        (lambda s: losses.cross_entropy([s, 0.0, -s], 2), 1000, 2000.0, 2.0),
        (lambda s: logsumexp([s, s]), -1000, math.log(2) - 1000, 1.0),
        (lambda s: logsumexp([s, s - 1000]), -1000, -1000.0, 1.0),
    ],
)
def test_promise_11_stable_at_plus_and_minus_a_thousand(stable, at, number, slope):
    s = Value(at)
    out = stable(s)
    out.backward()
    assert (out.data, s.grad) == pytest.approx((number, slope), rel=1e-12, abs=1e-320)


# ---- 12: gradients of every mix --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "number", "slopes"),
    [
        (lambda a, b: a**b, 8.0, (12.0, 8 * math.log(2))),
        (lambda a, b: 2**b + 0 * a, 8.0, (0.0, 8 * math.log(2))),
        (lambda a, b: abs(-a) + 0 * b, 2.0, (1.0, 0.0)),
        (lambda a, b: a.maximum(b) + b.maximum(2), 6.0, (0.0, 2.0)),
        (lambda a, b: a.minimum(b) + b.minimum(2), 4.0, (1.0, 0.0)),
        (max, 3.0, (0.0, 1.0)),
        (min, 2.0, (1.0, 0.0)),
        (lambda a, b: ops.maximum(2.5, b) + a, 5.0, (1.0, 1.0)),
        (lambda a, b: sum([a, b, a]), 7.0, (2.0, 1.0)),
        (lambda a, b: +a - -b, 5.0, (1.0, 1.0)),
    ],
)
def test_promise_12_powers_abs_max_min(build, number, slopes):
    a, b = Value(2.0), Value(3.0)
    out = build(a, b)
    out.backward()
    assert (out.data, a.grad, b.grad) == pytest.approx((number, *slopes), rel=1e-14)


@pytest.mark.parametrize(("exponent", "slope"), [(2.0, 0.0), (1.0, 1.0), (1.5, 0.0)])
def test_promise_12_zero_to_a_value(exponent, slope):
    x, y = Value(0.0), Value(exponent)
    (x**y).backward()
    assert (x.grad, y.grad) == (slope, 0.0)


def test_promise_12_zero_to_a_value_that_is_zero():
    with pytest.raises(ValueError, match=r"pow\(0\.0, 0\.0\)"):  # by the exponent, 0ʸ jumps there
        Value(0.0) ** Value(0.0)


# ---- 13, 14: clear errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "got"),
    [
        ("x", TypeError, r"got 'x' \(str\)"),
        (None, TypeError, "got None"),
        (1j, TypeError, r"got 1j \(complex\)"),
        ([1.0], TypeError, r"got \[1\.0\] \(list\)"),
        (np.array([1.0, 2.0]), TypeError, r"\(ndarray\)"),
        (np.array(["x"]), TypeError, r"got 'x' \(str\)"),
        (Value(1), TypeError, r"got Value\(data=1\.0, grad=0\)"),
        (math.nan, ValueError, "got nan"),
        (np.float32("nan"), ValueError, "got nan"),
        (10**400, ValueError, "range of a float"),
    ],
)
def test_promise_13_only_real_numbers(data, error, got):
    with pytest.raises(error, match=got):
        Value(data)


@pytest.mark.parametrize("other", ["x", None, 1j, [1.0]], ids=repr)
def test_promise_13_operands_are_real_numbers(other):
    v = Value(1.0)
    for operation in (
        lambda: v + other,
        lambda: other * v,
        lambda: v - other,
        lambda: other / v,
        lambda: v**other,
        lambda: v < other,
        lambda: v.maximum(other),
        lambda: v.minimum(other),
        lambda: dot([v], [other]),
    ):
        with pytest.raises(TypeError):
            operation()


@pytest.mark.parametrize(
    ("misfit", "message"),
    [
        (lambda model: model([1.0]), "dot: got 1 inputs but 2 weights"),
        (lambda model: model([1.0, 2.0, 3.0]), "got 3 inputs but 2"),
        (lambda model: model([]), "got 0 inputs but 2"),
        (lambda model: model(np.ones(3)), "got 3 inputs but 2"),
        (lambda _: dot([Value(1.0)], [1.0, 2.0]), "got 2 inputs but 1"),
        (lambda _: losses.squared_error([Value(1.0)], [1.0, 2.0]), "got 1 predictions but 2 targets"),
        (lambda model: losses.cross_entropy([model([1.0, 2.0])], 1), "from 0 to 0, got 1"),
        (lambda model: accumulate(model, []), "a batch must hold one sample at least"),
        (lambda model: accumulate(model, [[1.0, 2.0], [1.0]]), "sample 1 of the batch: .*got 1 inputs but 2"),
        (lambda _: nn.MLP(2, []), "one layer at least"),
        (lambda _: nn.MLP(2, [3, 0]), r"nouts\[1\] must be at least 1, got 0"),
    ],
)
def test_promise_14_nothing_is_truncated(misfit, message):
    with pytest.raises(ValueError, match=message):
        misfit(nn.MLP(2, [3, 1]))


def test_promise_14_a_hidden_layer_of_width_one_works():
    model = nn.MLP(1, [1, 1, 2])
    model.layers[0].neurons[0].bias.data = 2.0
    assert len(model([0.5])) == 2
    assert len(model(0.5)) == 2
    sum(model([0.5])).backward()
    assert all(unit.bias.grad == 1.0 for unit in model.layers[-1].neurons)


@pytest.mark.parametrize("children", ["a", "weight", [1.0], (Value(1.0), 2.0)])
def test_children_are_values(children):
    with pytest.raises(TypeError, match=r"children must be Values, got .*label="):
        Value(2.0, children)


def test_a_value_as_data_is_told_by_the_next_operation():
    w, x = Value(1.0, label="w"), Value(2.0)
    w.data = w - 0.1
    for compute in (lambda: w * x, lambda: w + 1, lambda: 1 - w, lambda: dot([x, w], [1.0, x]), w.relu):
        with pytest.raises(TypeError, match=r"w\.data is a Value; write w\.data -= lr \* w\.grad"):
            compute()


# ---- choices ---------------------------------------------------------------------------------------------------------


class Compared:
    """A comparison that is recorded, and so no bool."""

    def __init__(self, answer):
        self.answer = answer

    def _condition(self):
        return self.answer


@pytest.mark.parametrize("kind", [bool, int, float, Value, np.bool_, np.array, lambda c: Compared(Value(c))])
def test_where(kind):
    for chosen in (True, False):
        a, b = Value(2.0), Value(3.0)
        out = where(kind(chosen), a * a, b * b)
        out.backward()
        assert (out.data, a.grad, b.grad) == ((4.0, 4.0, 0.0) if chosen else (9.0, 0.0, 6.0))
    assert where(kind(True), 1, 2.5).data == 1.0


def test_where_nothing_flows_back_to_the_branch_not_taken():
    """Not even a nan, from slopes beyond the floats."""
    x = Value(1e-309)
    steep = 1e-300 / x
    assert steep.partials[1] == -math.inf
    out = where(x > 0.5, steep, x * 3)
    out.backward()
    assert (x.grad, gradients(out, x).data) == (3.0, 3.0)
    first = gradients(out, x, create_graph=True)
    assert (first.data, gradients(first, x).data) == (3.0, 0.0)


def test_where_a_guarded_operand_is_defined_on_both_sides():
    def root(x):
        return where(x > 0, where(x > 0, x, 1.0).sqrt(), 0.0)

    for data, value, slope in ((4.0, 2.0, 0.25), (-4.0, 0.0, 0.0), (0.0, 0.0, 0.0)):
        x = Value(data)
        out = root(x)
        out.backward()
        assert (out.data, x.grad) == (value, slope)
    with pytest.raises(ValueError, match=r"sqrt\(-4\.0\)"):
        where(x > 0, Value(-4.0).sqrt(), 0.0)


@pytest.mark.parametrize(
    ("data", "clipped", "slope"), [(-2, -1, 0), (-1, -1, 0.5), (0.25, 0.25, 1), (3, 3, 0.5), (9, 3, 0)]
)
def test_clip(data, clipped, slope):
    x = Value(data)
    out = x.clip(-1, Value(3.0))
    out.backward()
    assert (out.data, x.grad) == (clipped, slope)


@pytest.mark.parametrize("shift", [0.0, 1000.0, -1000.0, 1e16])
def test_softmax(shift):
    leaves = [Value(x + shift) for x in (2.0, 0.0, 2.0)]
    shares = softmax(leaves)
    e = math.exp(2)
    expected = [e / (2 * e + 1), 1 / (2 * e + 1), e / (2 * e + 1)]
    assert [share.data for share in shares] == pytest.approx(expected, rel=1e-13)
    assert sum(share.data for share in shares) == pytest.approx(1.0, rel=1e-15)
    p, slopes = expected, [g.data for g in gradients(shares[0], leaves)]
    assert slopes == pytest.approx([p[0] * (1 - p[0]), -p[0] * p[1], -p[0] * p[2]], rel=1e-12)
    assert [share.data for share in softmax([-math.inf, 3, 3.0])] == [0.0, 0.5, 0.5]


# ---- other kinds of numbers ------------------------------------------------------------------------------------------

kinds = pytest.mark.parametrize(
    "kind", [int, float, bool, np.float64, np.float32, np.float16, np.int64, np.uint8, Fraction]
)


@kinds
def test_numbers_on_either_side(kind):
    number = kind(1)
    a = Value(4.0)
    results = [
        a + number,
        number + a,
        a - number,
        number - a,
        a * number,
        number * a,
        a / number,
        number / a,
        a**number,
    ]
    results += [number**a, a.maximum(number), dot([a], [number]), dot([number], [a], number)]
    assert all(type(v) is Value and type(v.data) is float for v in results)
    assert [v.data for v in results] == [5.0, 5.0, 3.0, -3.0, 4.0, 4.0, 4.0, 0.25, 4.0, 1.0, 4.0, 4.0, 5.0]
    sum(results).backward()
    assert a.grad == pytest.approx(1 + 1 + 1 - 1 + 1 + 1 + 1 - 1 / 16 + 1 + 0 + 1 + 1 + 1)
    assert type(a.grad) is float


@kinds
def test_comparisons_by_data(kind):
    low, number, high = Value(0.5), kind(1), Value(1.5)
    assert low < number < high
    assert high > number > low
    assert low <= number <= high
    assert high >= number >= low
    assert [v.data for v in sorted([high, low])] == [0.5, 1.5]
    equal = Value(0.5)
    assert low <= equal <= low
    assert not low < equal
    assert not low > equal


def test_equality_and_hash_are_of_identity():
    a, b = Value(1.0), Value(1.0)
    assert (a == b, a == 1.0, a != b, a in [b, a]) == (False, False, True, True)
    assert len({a, b, a}) == 2


def test_help_names_the_methods():
    for name in ("tanh", "exp", "__add__", "__radd__", "__neg__"):
        method = getattr(Value, name)
        assert (method.__name__, method.__qualname__) == (name, f"Value.{name}")
    assert "tanh" in Value.tanh.__doc__
    assert "add" in Value.__add__.__doc__


def test_as_a_plain_number():
    v = Value(-2.5)
    assert (float(v), int(v), round(v), bool(v), bool(Value(0))) == (-2.5, -2, -2, True, False)
    assert round(Value(1.234), 1) == 1.2
    assert (f"{v:.3f}", f"{v:+08.2f}", f"{v}", str(v)) == ("-2.500", "-0002.50", repr(v), repr(v))
    assert math.exp(Value(0)) == 1.0


@pytest.mark.parametrize("kind", [int, bool, np.float32, np.float64, np.int64, np.array, Fraction])
def test_data_assigned_a_number_of_another_kind(kind):
    v, w = Value(7.5), Value(0.5)
    v.data = kind(1)
    assert type(float(v)) is float
    assert (float(v), int(v), round(v), bool(v), math.exp(v)) == (1.0, 1, 1, True, math.e)
    assert (w < v, v > w, v < 1, v <= 1.0) == (True, True, False, True)
    assert all(type(answer) is bool for answer in (w < v, v > w, v < 1, v <= 1.0))
    (v * w + v.tanh()).backward()
    assert w.grad == 1.0
    optim.SGD([v], lr=0.5).step()
    assert (type(v.data), v.data) == (float, 1 - 0.5 * (0.5 + 1 - math.tanh(1) ** 2))


def test_arrays_of_values():
    weights = [Value(1.0), Value(2.0), Value(3.0)]
    rows = np.array([[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]])
    out = rows @ weights
    assert [v.data for v in out] == [7.0, 2.5]
    error = np.sum(np.tanh(out / 10) ** 2)
    error.backward()
    t = np.tanh([0.7, 0.25])
    np.testing.assert_allclose([w.grad for w in weights], (2 * t * (1 - t**2) / 10) @ rows, rtol=1e-14)


SHARED = ["exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan"]
SHARED += ["sinh", "cosh", "tanh", "negative", "abs", "square", "log2", "log10", "cbrt"]


@pytest.mark.parametrize("name", SHARED)
def test_numpy_functions_on_arrays_of_values(name):
    numbers = np.array([0.25, 0.75])
    out = getattr(np, name)(np.array([Value(x) for x in numbers]))
    np.testing.assert_allclose([v.data for v in out], getattr(np, name)(numbers), rtol=1e-14)
    assert all(v.parents for v in out)


@pytest.mark.parametrize("name", ["hypot", "arctan2"])
def test_numpy_functions_of_two_arrays(name):
    xs, ys = np.array([0.25, -0.75]), np.array([1.5, 2.0])
    out = getattr(np, name)(np.array([Value(x) for x in xs]), ys)
    np.testing.assert_allclose([v.data for v in out], getattr(np, name)(xs, ys), rtol=1e-14)


def test_arrays_on_either_side():
    v, array = Value(2.0), np.array([1.0, 3.0])
    for mixed, expected in ((v * array, [2, 6]), (array - v, [-1, 1]), (v - array, [1, -1]), (array**v, [1, 9])):
        assert [x.data for x in mixed] == expected
    assert (v < array).tolist() == [False, True]


# ---- no_grad ---------------------------------------------------------------------------------------------------------


def test_no_grad_records_nothing():
    x = Value(2.0)
    with no_grad():
        with no_grad():
            pass
        assert not is_recording()
        inside = [x * 3, dot([x], [x]), x.exp(), x**2, logsumexp([x, x])]
    assert is_recording()
    assert all((v.parents, v.partials, v.role) == ((), (), "constant") for v in inside)
    assert inside[0].data == 6.0
    (x * inside[0]).backward()
    assert x.grad == 6.0


def test_no_grad_ends_with_an_error():
    with pytest.raises(ValueError, match="log"), no_grad():
        Value(-1.0).log()
    assert is_recording()


def test_no_grad_is_of_one_thread():
    entered, leave = threading.Event(), threading.Event()

    def elsewhere():
        with no_grad():
            entered.set()
            leave.wait(10)
            return is_recording()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with no_grad():
            assert pool.submit(is_recording).result()
        inside = pool.submit(elsewhere)
        entered.wait(10)
        assert is_recording()
        leave.set()
        assert not inside.result()


# ---- gradients -------------------------------------------------------------------------------------------------------


def test_gradients_of_one_of_several_and_of_strangers():
    a, b, stranger = Value(2.0), Value(3.0), Value(1.0)
    h = a * b
    loss = h * h
    assert gradients(loss, a).data == 36.0
    assert [g.data for g in gradients(loss, [a, b, h, loss, stranger])] == [36.0, 24.0, 12.0, 1.0, 0.0]
    assert [g.data for g in gradients(loss, (v for v in (a, b)), create_graph=True)] == [36.0, 24.0]
    assert [v.grad for v in (a, b, h, loss)] == [0.0] * 4


def test_third_derivative():
    x = Value(0.7)
    d = x.sin() * x
    for _ in range(3):
        d = gradients(d, x, create_graph=True)
    assert d.data == pytest.approx(-3 * math.sin(0.7) - 0.7 * math.cos(0.7), rel=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "softplus", "gelu"])
def test_hessian_of_a_small_network(activation):
    """Against autograd, and against central differences of the gradient."""
    random.seed(3)
    model = nn.MLP(2, [3, 2], activation=activation)
    parameters = model.parameters()
    samples = [([0.5, -1.0], 0), ([1.5, 0.25], 1), ([-0.75, 2.0], 1)]
    start = np.array([p.data for p in parameters])

    def loss():
        return sum([losses.cross_entropy(model(x), label) for x, label in samples])

    def reference(w):
        theta = {
            "tanh": anp.tanh,
            "softplus": lambda s: anp.logaddexp(0.0, s),
            "gelu": lambda s: 0.5 * s * (1 + erf(s / 2**0.5)),
        }[activation]
        first, second = w[:9].reshape(3, 3), w[9:].reshape(2, 4)
        total = 0.0
        for x, label in samples:
            hidden = theta(first[:, :2] @ anp.array(x) + first[:, 2])
            scores = second[:, :3] @ hidden + second[:, 3]
            total = total + anp.log(anp.sum(anp.exp(scores))) - scores[label]
        return total

    first = gradients(loss(), parameters, create_graph=True)
    hessian = np.array([[second.data for second in gradients(g, parameters)] for g in first])
    np.testing.assert_allclose([g.data for g in first], autograd.grad(reference)(start), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(hessian, autograd.hessian(reference)(start), rtol=1e-11, atol=1e-12)

    h = 1e-5
    for parameter, row in zip(parameters, hessian):
        slopes = []
        for step in (h, -h):
            parameter.data += step
            slopes.append(np.array([g.data for g in gradients(loss(), parameters)]))
            parameter.data -= step
        np.testing.assert_allclose((slopes[0] - slopes[1]) / (2 * h), row, rtol=1e-6, atol=1e-8)


# ---- nodes made by hand ----------------------------------------------------------------------------------------------


def by_hand(x):
    """sin, with a rule of its own."""
    out = Value(math.sin(x.data), (x,), "sine")
    out._backward = lambda: setattr(x, "grad", x.grad + math.cos(x.data) * out.grad)
    return out


def test_a_node_made_by_hand():
    x = Value(0.5)
    node = by_hand(2 * x)
    (node * node).backward()
    assert x.grad == pytest.approx(2 * math.sin(1) * math.cos(1) * 2, rel=1e-15)
    assert (node._op, node.role) == ("sine", "hidden")


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_through_a_node_made_by_hand_say_why_not(create_graph):
    x = Value(0.5)
    with pytest.raises(ValueError, match="by hand"):
        gradients(by_hand(x) * 2, x, create_graph=create_graph)


def test_a_node_made_by_hand_without_a_rule():
    with pytest.raises(ValueError, match=r"made by hand.*assign its _backward"):
        Value(4.0, (Value(2.0),), "square").backward()


def test_the_rules_of_a_node_made_by_hand_say_that_there_are_none():
    node = Value(4.0, (Value(2.0),), "square")
    for rule in (node.op.forward, node.op.partials, node.op):
        with pytest.raises(ValueError, match=r"made by hand.*define a primitive instead"):
            rule(2.0)


def test_roles():
    assert [Value(1.0).role, Value(1.0, role="input").role, (Value(1.0) + 1).role] == ["parameter", "input", "hidden"]
    assert (Value(1.0) + 1).parents[1].role == "constant"
    with pytest.raises(ValueError, match="role must be one of parameter, input, constant, got 'weight'"):
        Value(1.0, role="weight")
