"""Losses and their gradients against the textbook formulas in decimals with hundreds of digits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from micrograd import Value, accumulate, jit, losses

DIGITS = 400  # enough for 1 + e^-800, less than which a float takes for 0
scores = st.floats(-1000, 1000)


def exactly(formula, *numbers):
    """The formula's result on decimals, as a float (a list of floats for a list)."""
    with localcontext() as context:
        context.prec = DIGITS
        result = formula(*[[Decimal(x) for x in n] if isinstance(n, list) else Decimal(n) for n in numbers])
        return [float(x) for x in result] if isinstance(result, list) else float(result)


def near(expected, floor=1e-300):
    return pytest.approx(expected, rel=1e-12, abs=floor)


def grads(values):
    return [v.grad for v in values]


# ---- squared error ---------------------------------------------------------------------------------------------------


@given(scores, scores)
def test_squared_error_of_numbers(p, t):
    prediction = Value(p)
    error = losses.squared_error(prediction, t)
    error.backward()
    assert (error.data, prediction.grad) == ((p - t) ** 2, 2 * (p - t))


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=5))
def test_squared_error_of_lists(pairs):
    ps, ts = map(list, zip(*pairs))
    predictions, targets = list(map(Value, ps)), list(map(Value, ts))
    error = losses.squared_error(predictions, targets)
    error.backward()
    assert error.data == near(exactly(lambda p, t: sum((a - b) ** 2 for a, b in zip(p, t)), ps, ts))
    assert grads(predictions) == [2 * (p - t) for p, t in pairs]
    assert grads(targets) == [-2 * (p - t) for p, t in pairs]


def test_squared_error_of_arrays():
    predictions = [Value(1.0), Value(2.0)]
    assert losses.squared_error(predictions, np.array([0.0, 4.0])).data == 5.0
    assert losses.squared_error(np.array(predictions), np.array([0.0, 4.0])).data == 5.0


@pytest.mark.parametrize("array", [False, True])
def test_squared_error_wants_one_shape(array):
    target = [1.0, 2.0, 3.0]
    if array:
        target = np.array(target)
    with pytest.raises(
        (TypeError, ValueError),
        match=r"squared_error: expected two numbers, or two lists",
    ):
        losses.squared_error(Value(1.0), target)
    with pytest.raises(ValueError, match="got 2 predictions but 3 targets"):
        losses.squared_error([Value(1.0), Value(2.0)], target)


# ---- hinge -----------------------------------------------------------------------------------------------------------


@given(scores, st.sampled_from([-1, 1, -1.0, 1.0]))
@example(1.0, 1)
def test_hinge(s, label):
    score = Value(s)
    error = losses.hinge(score, label)
    error.backward()
    assert (error.data, score.grad) == (max(0.0, 1 - label * s), -label if 1 - label * s > 0 else 0)


@pytest.mark.parametrize("label", [0, 2, 0.5, "1", None, math.nan, [1], np.array([1]), Value(0.0), Value(0.3)])
def test_hinge_refuses_other_labels(label):
    with pytest.raises(ValueError, match="label must be -1 or"):
        losses.hinge(Value(1.0), label)


# ---- binary cross-entropy --------------------------------------------------------------------------------------------


def bce(z, y):
    return y * (1 + (-z).exp()).ln() + (1 - y) * (1 + z.exp()).ln()


@given(scores, st.one_of(st.sampled_from([0, 1, True, False]), st.floats(0, 1)))
@example(1000.0, 1)
@example(1000.0, 0)
@example(-1000.0, 1)
@example(-1000.0, 0)
@example(40.0, 1)
def test_binary_cross_entropy(z, label):
    logit = Value(z)
    error = losses.binary_cross_entropy(logit, label)
    error.backward()
    assert error.data == near(exactly(bce, z, label))
    slope = exactly(lambda z, y: 1 / (1 + (-z).exp()) - y, z, label)
    assert logit.grad == near(slope, floor=1e-300 if label in (0, 1) else 1e-15)


@pytest.mark.parametrize("label", [-1, 1.5, math.nan, "1", None])
def test_binary_cross_entropy_refuses_other_labels(label):
    with pytest.raises((TypeError, ValueError), match="label must be from 0 to 1, got"):
        losses.binary_cross_entropy(Value(1.0), label)


# ---- cross-entropy ---------------------------------------------------------------------------------------------------


def softmax(s):
    exponentials = [x.exp() for x in s]
    return [e / sum(exponentials) for e in exponentials]


@given(st.lists(scores, min_size=1, max_size=6), st.data())
def test_cross_entropy(s, data):
    label = data.draw(st.integers(0, len(s) - 1))
    values = list(map(Value, s))
    error = losses.cross_entropy(values, label)
    error.backward()
    assert error.data == near(exactly(lambda v: sum(x.exp() for x in v).ln() - v[label], s), floor=1e-12)
    assert grads(values) == near([p - (k == label) for k, p in enumerate(exactly(softmax, s))], floor=1e-12)


@pytest.mark.parametrize(("label", "expected"), [(0, 0.0), (1, 2000.0)])
def test_cross_entropy_of_logits_of_1000(label, expected):
    values = [Value(1000.0), Value(-1000.0)]
    error = losses.cross_entropy(values, label)
    error.backward()
    assert (error.data, grads(values)) == (expected, [1.0 - (label == 0), -1.0 * (label == 1)])


def test_cross_entropy_takes_whole_labels_of_any_type():
    values = [Value(1.0), Value(2.0), Value(0.5)]
    expected = losses.cross_entropy(values, 1).data
    for label in (np.int64(1), np.uint8(1), np.array([1])[0], 1.0, np.float32(1), Value(1.0)):
        assert losses.cross_entropy(np.array(values), label).data == expected


@pytest.mark.parametrize(
    ("label", "message"),
    [(-1, "from 0 to 2, got -1"), (3, "from 0 to 2, got 3"), (0.5, "got 0.5"), ([0, 1, 0], "got"), (None, "got None")],
)
def test_cross_entropy_refuses_other_labels(label, message):
    with pytest.raises((TypeError, ValueError), match="label must be the whole number of a class.*" + message):
        losses.cross_entropy([Value(1.0), Value(2.0), Value(3.0)], label)


def test_cross_entropy_wants_a_class():
    with pytest.raises(ValueError, match="cross_entropy: expected one score at least, got none"):
        losses.cross_entropy([], 0)


def test_cross_entropy_of_one_output_says_what_to_take():
    with pytest.raises(TypeError, match=r"list of scores, one for each class, got Value\(.*binary_cross_entropy"):
        losses.cross_entropy(Value(1.0), 0)


@pytest.mark.parametrize(
    ("loss", "wrong", "message"),
    [
        (losses.hinge, 0, r"hinge: the label must be -1 or \+1, got .*0"),
        (losses.binary_cross_entropy, -1, r"label must be from 0 to 1, got .*-1"),
        (
            lambda s, y: losses.cross_entropy([s, 2 * s], y),
            2,
            "label must be the whole number of a class, from 0 to 1, got 2",
        ),
    ],
)
@pytest.mark.parametrize("at", [0, 17])
def test_a_tape_says_the_same_of_a_wrong_label(loss, wrong, message, at):
    pytest.importorskip("llvmlite")
    w = Value(0.5)
    samples = [(0.01 * k, 1) for k in range(300)]
    samples[at] = (0.3, wrong)
    with pytest.raises(ValueError, match=message):
        accumulate(jit(lambda x, y: loss(w * x, y)), samples)


# ---- all -------------------------------------------------------------------------------------------------------------


@given(st.lists(scores, min_size=1, max_size=5))
def test_l2(ws):
    parameters = list(map(Value, ws))
    penalty = losses.l2(iter(parameters))
    penalty.backward()
    assert penalty.data == near(math.fsum(w * w for w in ws))
    assert grads(parameters) == [2 * w for w in ws]


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: losses.squared_error(s, 0.0),
        lambda s: losses.hinge(s, 1),
        lambda s: losses.binary_cross_entropy(s, 1),
        lambda s: losses.binary_cross_entropy(s, 0.25),
        lambda s: losses.cross_entropy([s, s], 0),
    ],
)
def test_scores_may_be_plain_numbers(loss):
    assert loss(0.5).data == loss(Value(0.5)).data
