"""Recorded functions where a tape is easily wrong: rare branches, odd samples and results, threads, copies."""

import copy
import functools
import math
import pickle
import random
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest

from micrograd import Value, accumulate, data, fit, jit, losses, nn, no_grad, ops, optim, pick
from micrograd.engine import where
from micrograd.higher import gradients
from micrograd.tape import objects
from micrograd.train import evaluate

MANY = [0.01 * k + 0.1 for k in range(300)]


@pytest.fixture
def w():
    return Value(2.0, label="w")


@pytest.fixture
def v():
    return Value(-0.5, label="v")


def sums(loss, samples, parameters):
    for parameter in parameters:
        parameter.grad = 0.0
    return accumulate(loss, samples, "sum"), *[parameter.grad for parameter in parameters]


def assert_same(loss, samples, parameters):
    assert sums(jit(loss), samples, parameters) == pytest.approx(sums(loss, samples, parameters), rel=1e-9, abs=1e-12)


def plain_number(x):
    return x.data if isinstance(x, Value) else x


# ---- what comes back -------------------------------------------------------------------------------------------------


def test_a_parameter_as_result(w, v):
    assert_same(lambda x: w, MANY, [w])
    assert_same(lambda x: pick([w, v], x), [0, 1] * 150, [w, v])
    assert jit(lambda x: [w * x, w, x, x, 3.0]).map([2.0] * 300)[7].tolist() == [4, 2, 2, 2, 3]


def test_a_function_without_instructions():
    assert jit(lambda x: x).map(MANY).tolist() == MANY


def test_an_array_of_results(w, v):
    both = np.array([w, v])
    assert jit(lambda x: both * x).map([2.0] * 300)[1].tolist() == [4, -1]


@pytest.mark.parametrize("answer", [None, "a", {"a": 1}, [[1.0]]])
def test_what_is_no_result(answer):
    with pytest.raises(TypeError, match="must return a Value, or a list of them, got"):
        jit(lambda x: answer).map(MANY)


def test_no_result():
    with pytest.raises(ValueError, match="empty list"):
        jit(lambda x: []).map(MANY)


@pytest.mark.parametrize("times", [1, 150])
def test_results_of_several_lengths(w, times):
    fast = jit(lambda x: [w * a for a in x])
    for samples in ([[1.0, 2.0], [1.0]], [[1.0], [1.0, 2.0]]):
        with pytest.raises(
            ValueError, match=r"as many results from every sample, got \d from sample 0 and \d from sample 1"
        ):
            fast.map(samples * times)


@pytest.mark.parametrize("answer", [3.0, [Value(1.0)]])
def test_a_loss_that_is_no_value(answer):
    parameter = Value(1.0)
    with pytest.raises(TypeError, match=r"expected (a|one) Value as the loss of a sample"):
        accumulate(jit(lambda x: answer), MANY)
    with pytest.raises(TypeError, match=r"expected (a|one) Value as the loss of a sample"):
        fit(jit(lambda x: answer), data.DataLoader(MANY, 50), optim.SGD([parameter], 0.1), progress=False)


def test_a_number_of_the_sample_is_no_loss():
    for loss in (lambda x: x, jit(lambda x: x)):
        with pytest.raises(TypeError, match=r"sample 0 of the batch"):
            accumulate(loss, MANY)


# ---- what goes in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "samples",
    [[np.bool_(True)] * 300, [True, False] * 150, [Fraction(1, 3)] * 300, [np.array(0.5)] * 300, [2**70] * 300],
)
def test_any_number(w, samples):
    assert_same(lambda x: (w * x).tanh(), samples, [w])


def test_a_number_beyond_floats(w):
    with pytest.raises(ValueError, match="sample 17 of the batch: expected a number in the range of a float"):
        accumulate(jit(lambda x: w * x), [1] * 17 + [10**400] + [1] * 300)


def test_the_sample_that_is_no_number_is_named(w):
    with pytest.raises(TypeError, match="sample 17 of the batch: expected a sample of numbers"):
        jit(lambda x: w * x).map([1.0] * 17 + ["a"] + [1.0] * 300)
    with pytest.raises(TypeError, match=r"sample 17 of the batch: pick: expected a whole number as index, got 0\.5"):
        accumulate(jit(lambda x: pick([w, 1.0], x)), [0] * 17 + [0.5] + [1] * 300)


def test_map_takes_what_can_be_iterated_over(w):
    fast = jit(lambda x: w * x)
    assert fast.map(iter([1.0, 2.0])).tolist() == fast.map(x for x in (1.0, 2.0)).tolist() == [2, 4]


def test_keywords_and_no_arguments(w):
    assert jit(lambda x, y: w * x * y)(1.0, y=3.0).data == 6.0
    assert jit(lambda: w * 1.0)().data == 2.0


# ---- what a tape cannot record ---------------------------------------------------------------------------------------


def test_a_dict_or_an_array_is_no_list_of_choices(w, v):
    with pytest.raises(TypeError, match=r"the keys of a dict; .*pick"):
        accumulate(jit(lambda x: {0: w, 1: v}[x] * 1.0), [0, 1] * 150)
    with pytest.raises(TypeError, match=r"no index of an array; .*pick"):
        accumulate(jit(lambda x: np.array([w, v])[x] * 1.0), [0, 1] * 150)


@pytest.mark.parametrize("loss", [lambda x: x // 2, lambda x: 5 % x, lambda x: divmod(x, 2)[1]])
def test_whole_quotients(w, loss):
    with pytest.raises(TypeError, match="a whole number, quotient or remainder"):
        accumulate(jit(lambda x: loss(x) * w), [1, 2] * 150)


def test_numpy_is_not_the_users_line(w):
    with pytest.raises(TypeError, match=r"test_recorded_hard\.py, line"):
        accumulate(jit(lambda x: np.max(w * x)), [np.array([1.0, 2.0])] * 300)


def test_a_function_is_wanted():
    with pytest.raises(TypeError, match="jit records a function of one sample, got 3"):
        jit(3)


def test_derivatives_within_a_loss(w):
    """As in a physics-informed loss; what the tape cannot see, it refuses."""

    def slope(x):
        return gradients((w * x) ** 3, w, create_graph=True)

    assert_same(slope, MANY, [w])
    with pytest.raises(TypeError, match="made by hand"):
        accumulate(jit(lambda x: gradients((w * x) ** 3, w) * w), MANY)


@pytest.mark.parametrize("bad", [0, 17])
@pytest.mark.parametrize(
    "loss",
    [
        lambda w, x: (w * x) ** 0.5,  # defined there, but not its slope
        lambda w, x: (w * x).log(),
        lambda w, x: losses.binary_cross_entropy(w, 1.5 - x),
    ],
)
def test_the_recorded_sample_is_like_any_other(w, loss, bad):
    """Where the loss is undefined there, another is recorded, and the error is the engine's."""
    samples = [1.0] * 300
    samples[bad] = 0.0
    errors = []
    for function in (lambda x: loss(w, x), jit(lambda x: loss(w, x))):
        w.grad = 0.0
        with pytest.raises(ValueError, match=f"sample {bad} of the batch: ") as error:
            accumulate(function, samples)
        errors.append((str(error.value), w.grad))
    assert errors[0] == errors[1]


def test_a_slope_that_nobody_wants(w):
    samples = [0.0, *MANY]
    assert jit(lambda x: (w * x) ** 0.5).map(samples)[:2].tolist() == pytest.approx([0.0, 0.2**0.5])
    assert_same(lambda x: w * x**0.5, samples, [w])
    with pytest.raises(ValueError, match=r"sample 0 of the batch: log\(0\.0\)"):
        jit(lambda x: (w * x).log()).map([0.0])


@pytest.mark.parametrize("scope", [nullcontext, no_grad])
def test_values_made_within_the_function(w, scope):
    """They are constants, unless the function keeps them: then they are parameters."""
    kept = {}

    def loss(x):
        with scope():
            factor = Value(0.5)
            if "p" not in kept:
                kept["p"] = Value(3.0)
        return factor * x * w * kept["p"]

    fast = jit(loss)
    assert fast.tape(1.0).parameters == [w, kept["p"]]
    assert_same(loss, MANY, [w, kept["p"]])


def test_the_function_is_called_twice_to_record_it(w):
    """Once to record it, and once with numbers, to compare."""
    calls = []
    jit(lambda x: calls.append(type(x).__name__) or w * x).tape(1.0)
    assert calls == ["Traced", "float"]


def test_what_cannot_be_recorded_is_told_at_the_first_sample(w):
    with pytest.raises(TypeError, match="a plain number or a decision; for a choice write where"):
        accumulate(jit(lambda x: w if x > 1 else x), [1.0])


# ---- the check -------------------------------------------------------------------------------------------------------


def test_a_branch_that_one_sample_takes(w):
    samples = [0.1 + 0.001 * k for k in range(500)]
    samples[333] = 0.9
    with pytest.raises(ValueError, match=r"sample 333, 0\.9: the result is"):
        accumulate(jit(lambda x: w * x if plain_number(x) < 0.8 else w), samples)


@pytest.mark.parametrize("before", [1, 2, 3, 5, 6, 7, 20])
def test_a_threshold_beyond_the_samples_so_far(w, before):
    """Found with the first batch that crosses it, however many came before."""
    fast = jit(lambda x, y: w * x if plain_number(y) > 0 else w * 3)
    for _ in range(before):
        accumulate(fast, [(0.5, 0.6), (0.6, 0.5), (0.7, 0.7)] * 80)
    w.grad = 0.0
    with pytest.raises(ValueError, match=r"sample 100, .* on the tape"):
        accumulate(fast, [(0.6, 0.6)] * 100 + [(0.6, -0.1)] + [(0.6, 0.6)] * 139)
    assert w.grad == 0.0


def test_a_token_within_the_range_is_found_by_training_on_it(w):
    """What is beyond no range is found as samples are compared one by one."""
    samples = [0, 1, 2, 3, 5, 6, 7, 8] * 30 + [4] * 60
    loss = jit(lambda x: (w * x - 1) ** 2 if plain_number(x) != 4 else w * x)
    with pytest.raises(ValueError, match="on the tape"):
        fit(loss, data.DataLoader(samples, 30, shuffle=True, seed=0), optim.SGD([w], 1e-4), 100, progress=False)


# ---- training --------------------------------------------------------------------------------------------------------


def network(seed=1):
    random.seed(seed)
    return nn.MLP(2, [6, 1], activation="tanh")


PAIRS = [([0.01 * k, math.sin(k)], (-1) ** k) for k in range(200)]


def trained(wrap, batches, make=lambda parameters: optim.SGD(parameters, 0.1), **kwargs):
    model = network()
    history = fit(
        wrap(lambda x, y: losses.hinge(model(x), y)), batches, make(model.parameters()), 3, progress=False, **kwargs
    )
    return history.loss, [p.data for p in model.parameters()]


@pytest.mark.parametrize(
    ("batches", "kwargs", "error", "message"),
    [
        ([PAIRS[:50], []], {}, ValueError, "one sample at least, got none"),
        (PAIRS[:4], {}, TypeError, "expected a batch, a list of samples, got the sample"),
        ([PAIRS], {"max_norm": -1}, ValueError, "max_norm must be >= 0, got -1"),
        ([PAIRS], {"max_norm": math.nan}, ValueError, "max_norm must be >= 0, got nan"),
        ([PAIRS], {"max_norm": "a"}, TypeError, "max_norm must be >= 0, got 'a'"),
    ],
)
@pytest.mark.parametrize("wrap", [jit, lambda loss: loss], ids=["tape", "eager"])
def test_errors_of_fit(wrap, batches, kwargs, error, message):
    with pytest.raises(error, match=message):
        trained(wrap, batches, **kwargs)


@pytest.mark.parametrize("wrap", [jit, lambda loss: loss], ids=["tape", "eager"])
def test_no_training_without_gradients(wrap):
    with no_grad(), pytest.raises(ValueError, match="under no_grad"):
        trained(wrap, [PAIRS])


def test_steps_that_overflow_warn_nobody():
    with pytest.raises(ValueError, match=r"the result is|not finite|new value"):
        trained(jit, [PAIRS], lambda parameters: optim.SGD(parameters, 1e308))


def test_gradients_whose_squares_overflow_are_clipped(w):
    for wrap in (jit, lambda loss: loss):
        w.data = 2.0
        fit(wrap(lambda x: w * x), [[1e200] * 300], optim.SGD([w], 0.5), max_norm=1.0, progress=False)
        assert w.data == pytest.approx(1.5)


class Noisy:
    """A data set that makes its samples anew each time."""

    def __init__(self):
        self.random = random.Random(3)

    def __len__(self):
        return 60

    def __getitem__(self, k):
        return [self.random.random() * k / 60, 1.0], (-1) ** k


def test_a_data_set_that_changes():
    expected = trained(lambda loss: loss, data.DataLoader(Noisy(), 16))
    assert trained(jit, data.DataLoader(Noisy(), 16)) == (
        pytest.approx(expected[0], rel=1e-9),
        pytest.approx(expected[1], rel=1e-9),
    )


# ---- copies, methods, threads, primitives ----------------------------------------------------------------------------


def test_a_copy_has_a_tape_of_its_own(w):
    fast = jit(lambda x: (w * x).tanh())
    accumulate(fast, MANY)
    expected, w.grad = w.grad, 0.0
    accumulate(copy.deepcopy(fast), MANY)  # the function is the same, and so is w
    assert w.grad == expected
    graded = jit(losses.hinge)
    assert graded.map([(0.25, 1)] * 300)[3] == pickle.loads(pickle.dumps(graded)).map([(0.25, 1)] * 300)[3] == 0.75


def test_a_called_tape_does_not_hinder_a_copy():
    model = nn.MLP(3, [20, 20, 1])
    fast = jit(lambda x: model(x) ** 2)
    expected = fast([1.0, 2.0, 3.0]).data
    assert copy.deepcopy(fast)([1.0, 2.0, 3.0]).data == expected


class Line(nn.Module):
    def __init__(self, slope):
        self.slope = Value(slope)

    @jit
    def loss(self, x, y):
        """Of a sample."""
        return (self.slope * x - y) ** 2


def test_methods():
    steep, flat = Line(3.0), Line(0.0)
    samples = [(x, 1.0) for x in MANY]
    for line in (steep, flat):
        expected = sum((line.slope.data * x - 1.0) ** 2 for x in MANY)
        assert accumulate(line.loss, samples, "sum") == pytest.approx(expected, rel=1e-12)
        assert line.loss(2.0, 1.0).data == (line.slope.data * 2 - 1) ** 2
    assert steep.loss is steep.loss
    assert steep.parameters() == [steep.slope]
    assert Line.loss.__doc__ == "Of a sample."


def test_a_model_with_a_recorded_method_copies_and_pickles():
    line = Line(3.0)
    accumulate(line.loss, [(x, 1.0) for x in MANY])
    for other in (copy.deepcopy(line), pickle.loads(pickle.dumps(line))):
        other.slope.data = 5.0
        assert other.loss.function.__self__ is other
        assert other.loss.map([(2.0, 1.0)]).tolist() == [81.0]
    assert line.loss.map([(2.0, 1.0)]).tolist() == [25.0]


def test_attributes_of_a_module_do_not_hide_methods():
    model = network()
    model.map = "a map"
    assert jit(model).map([[1.0, 2.0]]).shape == (1,)


def test_threads_that_share_a_tape():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(5):
            model = network()
            fast = jit(lambda *xs, model=model: sum([model(x) ** 2 for x in xs]))
            samples = [tuple([[0.01 * k, 1.0]] * (1 + j)) for j in range(3) for k in range(40)]
            totals, threads = [], []
            for _ in range(4):
                work = lambda fast=fast, totals=totals, samples=samples: totals.extend(
                    fast.map(samples).sum() for _ in range(3)
                )
                threads.append(threading.Thread(target=work))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(totals) == 12
            assert len(set(totals)) == 1
            assert len(fast.parameters) == len(model.parameters())
    finally:
        sys.setswitchinterval(interval)


def limited(x):
    if x > 20:
        raise ValueError("too large")
    return x


def test_a_rule_that_raises(w):
    odd = ops.Primitive("test_limited", limited, lambda z, x: (1.0,))
    with pytest.raises(ValueError, match=r"sample 17 of the batch: test_limited\(42.0\): too large"):
        accumulate(jit(lambda x: odd(w * x)), [1.0] * 17 + [21.0] + [1.0] * 300)
    steep = ops.Primitive("test_steep", lambda x: x, lambda z, x: (limited(x),))
    with pytest.raises(ValueError, match=r"sample 17 of the batch: test_steep\(42.0\): .*too large"):
        accumulate(jit(lambda x: steep(w * x)), [1.0] * 17 + [21.0] + [1.0] * 300)


def test_a_rule_that_names_the_table(w):
    soft = ops.primitive(
        "test_soft", lambda x: math.exp(-x) + ops.tanh(x), lambda z, x: (1 - ops.tanh(x) ** 2 - ops.exp(-x),)
    )
    try:
        assert_same(lambda x: soft(w * x), MANY, [w])
    finally:
        del ops.TABLE["test_soft"]


# ---- methods ---------------------------------------------------------------------------------------------------------


class Shifted(Line):
    @jit
    def loss(self, x, y):
        return super().loss(x, y) + self.slope

    def plain(self, x, y):
        return (self.slope * x - y) ** 2

    fast = jit(plain)
    named = jit(lambda self, x, y: self.plain(x, y) * 2)


def test_a_method_that_calls_the_one_it_overrides():
    line = Shifted(3.0)
    assert [line.loss(2.0, 1.0).data for _ in range(3)] == [28.0] * 3
    assert line.loss.function.__func__ is Shifted.loss.function
    assert super(Shifted, line).loss(2.0, 1.0).data == 25.0
    assert line.loss(2.0, 1.0).data == 28.0


def test_a_method_is_kept_by_the_name_that_it_has_in_the_class():
    line = Shifted(3.0)
    assert line.fast(2.0, 1.0).data == 25.0
    assert line.named(2.0, 1.0).data == 50.0
    assert line.fast is line.fast
    assert line.named is line.named
    assert line.plain.__func__ is Shifted.plain


def test_an_object_that_cannot_keep_tapes():
    class Slots:
        __slots__ = ()
        loss = jit(lambda self, x: Value(1.0) * x)

    with pytest.raises(TypeError, match="jit keeps a method's tapes in the __dict__ of each object"):
        Slots().loss(1.0)


# ---- calls -----------------------------------------------------------------------------------------------------------


def test_a_recorded_function_within_another(w):
    inner = jit(lambda x: w * x)
    assert accumulate(jit(lambda x: inner(2.0) * inner(x)), [1.0, 2.0]) == pytest.approx(3 * w.data**2)


def test_what_is_no_node_is_the_functions_own_answer():
    assert jit(lambda x: x * x)(2.0) == 4.0
    assert jit(lambda x: 3.0)(2.0) == 3.0
    assert jit(lambda x: x)(2.0) == 2.0
    assert jit(lambda x: Value(3.0) * x)(2.0).data == 6.0


def test_check_raises_the_functions_own_error(w):
    def loss(x):
        if (w * x).data > 5:
            raise ValueError("too large")
        return w * x

    w.data = 1.0
    with pytest.raises(ValueError, match="sample 2 of the batch: too large"):
        jit(loss).check([1.0, 2.0, 10.0])


def test_a_mean_of_lists(w):
    with pytest.raises(TypeError, match="expected a number or a Value from every sample, got a list"):
        evaluate(jit(lambda x: [w * x, w]), [1.0, 2.0])


class Weight(Value):
    """A parameter of somebody's own class."""


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor, ProcessPoolExecutor])
@pytest.mark.parametrize("wrap", [jit, lambda function: function])
def test_parameters_of_a_subclass(wrap, executor):
    weight, w = Weight(2.0), Value(1.0)
    loss = wrap(functools.partial(distance, weight, w))
    with nullcontext() if executor is None else executor(1) as pool:
        assert accumulate(loss, [1.0, 2.0], executor=pool) == 5.0
    assert (weight.grad, w.grad) == (7.0, -4.0)


def distance(a, b, x):
    return (a * x - b) ** 2


def test_what_tapes_alone_have_is_pickled_with_them(w):
    tape = jit(lambda x, y: where(x > y, w * x, w**y) + (x == y) * w).tape(1.0, 2.0)
    copied = pickle.loads(pickle.dumps(tape))
    assert [i.op for i in copied.body if hasattr(i, "op")] == [i.op for i in tape.body if hasattr(i, "op")]


def test_a_large_unsigned_number(w):
    samples = [np.array([2**63 + 5], dtype=np.uint64), np.array([3], dtype=np.uint64)]
    assert accumulate(jit(lambda x: w * x[0]), samples) == 2.0**63


@pytest.mark.parametrize("loss", [lambda w, x: w * x == x, lambda w, x: x != w * x, lambda w, x: (w * x) == (w * x)])
def test_results_are_equal_as_objects_without_a_tape_and_refused_on_one(w, loss):
    with pytest.raises(TypeError, match=r"== compares results as objects.*write \(a >= b\) & \(a <= b\)"):
        accumulate(jit(lambda x: where(loss(w, x), w, w * x)), [0.0, 1.0])


def test_what_a_function_keeps_of_a_call_can_be_hashed_later(w):
    kept = functools.lru_cache(lambda k: w * k)
    with pytest.raises(ValueError, match="It does what a tape cannot record"):
        accumulate(jit(lambda x: kept(2) * x), [1.0, 2.0])
    assert {kept(2): 1}[kept(2)] == 1
    assert kept(2) == kept(2)
    assert accumulate(lambda x: kept(2) * x, [1.0, 2.0]) == 6.0


def test_rounding_at_the_moved_numbers_of_parameters_that_are_0_is_no_alarm():
    a, b = Value(0.0), Value(1.0)

    def loss(x, _):
        u = a * b
        rest = u.tanh() - u.tanh() * x
        return rest.minimum(1.0) + (-rest) * a

    samples = [(1.0, 0.1 * k) for k in range(40)]
    fast = jit(loss)
    assert accumulate(fast, samples) == 0.0
    fast.check(samples)


def test_kernels_live_on_when_a_number_from_outside_changes(w, monkeypatch):
    scale = [1.5]
    fast = jit(lambda x: (w * x * scale[0]).tanh() - scale[0])
    accumulate(fast, [1.0, 2.0])
    made = []
    monkeypatch.setattr(objects, "_made", lambda text, names: made.append(names))
    for k in range(3):
        scale[0] = 2.0 + k
        accumulate(fast, [1.0, 2.0])
    assert not made
