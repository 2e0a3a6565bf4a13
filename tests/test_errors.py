"""What a tired person passes: each gets an error of one line, with what was got and what to write."""

import functools
import math
import multiprocessing.pool
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from micrograd import (
    Training,
    Value,
    accumulate,
    dot,
    evaluate,
    fit,
    gradcheck,
    gradients,
    jit,
    logsumexp,
    losses,
    nn,
    ops,
    optim,
    pick,
    softmax,
    where,
)
from micrograd.data import DataLoader, DropoutLoader, pairs, split


class Frame:
    """What a pandas DataFrame has: iterating gives the names of its columns."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        return iter(["a", "b"])

    def to_numpy(self):
        return np.array(self.rows)


class Tensor:
    """What a tensor of another library has."""

    def __init__(self, *numbers):
        self.numbers, self.shape = numbers, (len(numbers),)

    def item(self):
        (number,) = self.numbers
        return number

    def __iter__(self):
        return map(Tensor, self.numbers)


class Stateless(optim.Optimizer):
    """As short as one writes it."""

    def __init__(self, parameters, answer):
        super().__init__(parameters, 0.1)
        self.answer = answer

    def rule(self, w, g):
        return self.answer(w - 0.1 * g)


model = nn.MLP(2, [1])
SAMPLES = [([0.5, -1.0], 1), ([1.0, 2.0], -1)]
LISTS = [[[0.5, -1.0], 1], [[1.0, 2.0], -1]]
frame = Frame([[0.5, -1.0], [1.0, 2.0]])


def loss(x, y):
    return losses.hinge(model(x), y)


def sgd():
    return optim.SGD(model.parameters(), lr=0.1)


def training(**kwargs):
    return lambda: Training(loss, sgd(), **kwargs)


def fitting(**kwargs):
    return lambda: fit(loss, DataLoader(SAMPLES), sgd(), progress=False, **kwargs)


def stepping(answer):
    def run():
        w = Value(1.0)
        w.grad = 1.0
        Stateless([w], answer).step()

    return run


def stepping_with(lr=0.1, grad=1.0):
    def run():
        w = Value(1.0)
        optimizer = optim.SGD([w])
        optimizer.lr, w.grad = lr, grad
        try:
            optimizer.step()
        finally:
            assert type(w.data) is float
            assert w.data == 1.0

    return run


def pooled():
    with multiprocessing.pool.ThreadPool(1) as pool:
        accumulate(loss, SAMPLES, executor=pool)


def generator():
    return (sample for sample in SAMPLES)


CASES = {
    # ---- samples and batches
    "lists for tuples": (lambda: accumulate(loss, LISTS), r"sample 0 .*tuple \(x, y\), got \[.*list.*pairs\(xs, ys\)"),
    "lists, evaluated": (lambda: evaluate(loss, LISTS), r"sample 0 .*tuple \(x, y\), got \[.*list"),
    "rows of an array": (lambda: accumulate(loss, np.ones((2, 3))), r"sample 0 .*ndarray.*pairs\(xs, ys\)"),
    "x and y": (lambda: accumulate(loss, SAMPLES[0]), r"expected a batch, a list of samples, got the sample"),
    "tuples of three": (lambda: accumulate(loss, [(1, 2, 3)]), "does not take the 3 members of a sample.*too many"),
    "a loader": (lambda: accumulate(loss, DataLoader(SAMPLES)), "expected one batch, got a DataLoader; .*for batch in"),
    "a frame": (lambda: accumulate(loss, frame), r"got a Frame; write pairs\("),
    "a frame, loaded": (lambda: DataLoader(frame), r"samples must be a list of samples, got a Frame; write pairs\("),
    "a generator, loaded": (lambda: DataLoader(generator()), r"length and an index, got <generator.*pass list\("),
    "a generator, split": (lambda: split(generator(), 0.5), r"length and an index, got <generator.*pass list\("),
    "a generator, evaluated": (lambda: evaluate(loss, generator()), "length and an index, got <generator"),
    "a loader, loaded": (
        lambda: DataLoader(DataLoader(SAMPLES)),
        "got a DataLoader, which gives batches; pass its samp",
    ),
    "a dict": (lambda: DataLoader({0: SAMPLES[0]}), "must be a list of samples, got {0"),
    "a set": (lambda: DataLoader({1, 2}), "must have a length and an index, got {1"),
    "a text": (lambda: DataLoader("moons.csv"), "must be a list of samples, got 'moons.csv'"),
    "a number": (lambda: accumulate(loss, 3), r"expected a batch, a list of samples, got 3 \(int\)"),
    "a name": (lambda: accumulate(loss, "ab"), "expected a batch, a list of samples, got 'ab'"),
    "a batch size": (lambda: DataLoader(SAMPLES, "16"), "batch_size must be a whole number.*got '16'"),
    "a share in words": (lambda: split(SAMPLES, "half"), "held_out must be a share or a number .*got 'half'"),
    "pairs of numbers": (lambda: pairs(1, 2), "pairs: expected a list of inputs and a list of targets, got 1"),
    "pairs of dicts": (lambda: pairs({1: 2}, [3]), "pairs: expected a list of inputs .*got {1: 2}"),
    "pairs of a text": (lambda: pairs("ab", [1, 2]), "pairs: expected a list of inputs .*got 'ab'"),
    "a seed in a list": (
        lambda: DataLoader(SAMPLES, seed=[1]),
        r"seed must be a whole number, or None, got \[1\] \(list",
    ),
    "samples to DropoutLoader": (
        lambda: list(DropoutLoader(SAMPLES, 2)),
        r"batch of tuples \(x, y\), got \[0.5.*write DropoutLoader\(DataLoader\(",
    ),
    "lists to DropoutLoader": (lambda: list(DropoutLoader([LISTS], 2)), r"batch of tuples \(x, y\), got \[\[0.5"),
    "a number to DropoutLoader": (lambda: DropoutLoader(3, 2), r"a DataLoader, or a list of batches, got 3 \(int\)"),
    # ---- functions
    "swapped": (lambda: accumulate(SAMPLES, loss), r"loss must be a function .*accumulate\(loss, batch\)"),
    "called": (lambda: accumulate(loss(*SAMPLES[0]), SAMPLES), "got its result Value.*do not call it"),
    "swapped evaluate": (
        lambda: evaluate(SAMPLES, loss),
        r"function must be a function .*evaluate\(function, samples\)",
    ),
    "a list as a score": (lambda: evaluate(lambda x, _: x, SAMPLES), r"sample 0.*number or a Value, got \[0.5"),
    "a text as a loss": (lambda: accumulate(lambda *_: "1", SAMPLES), r"must return a Value, got '1' \(str\)"),
    # ---- fit and Training
    "swapped fit": (lambda: fit(DataLoader(SAMPLES), loss, sgd()), r"loss must be .*fit\(loss, batches, optimizer\)"),
    "fit the other way": (lambda: fit(loss, sgd(), DataLoader(SAMPLES)), "expected an optimizer, got DataLoader"),
    "fit without batches": (lambda: fit(loss, 3, sgd()), r"batches must be a DataLoader .*got 3; .*fit\(loss, batches"),
    "fit on samples": (lambda: fit(loss, SAMPLES, sgd(), progress=False), "got the sample .*for fit, see DataLoader"),
    "callbacks=f": (fitting(callbacks=print), r"callbacks must be a list .*write callbacks=\[function\]"),
    "callbacks=[3]": (fitting(callbacks=[3]), r"callbacks must be functions, got 3 \(int\)"),
    "held_out=loader": (fitting(held_out=DataLoader(SAMPLES)), "held_out must be a list of samples, got a DataLoader"),
    "held_out=generator": (fitting(held_out=generator()), "held_out must have a length and an index, got <gener"),
    "schedule=0.5": (fitting(schedule=0.5), r"schedule must be a Schedule, got 0.5 \(float\); write optim.CosineLR\("),
    "schedule of another": (fitting(schedule=optim.StepLR(sgd(), 1)), "schedule must be of the same optimizer"),
    "metric=accuracy": (
        fitting(metric="accuracy"),
        "metric must be a function of one sample, got 'accuracy'.*write la",
    ),
    "epochs=1.5": (fitting(epochs=1.5), "epochs must be a whole number >= 0, got 1.5"),
    "max_norm=-1": (fitting(max_norm=-1), "max_norm must be >= 0, got -1"),
    "reduction=average": (training(reduction="average"), "reduction must be 'mean' or 'sum', got 'average'"),
    "schedule of Training": (training(schedule=0.5), "schedule must be a Schedule, got 0.5"),
    "an optimizer's class": (
        lambda: Training(loss, optim.SGD),
        r"got the class SGD; write SGD\(model.parameters\(\), lr",
    ),
    "a model for a loss": (lambda: Training(model([1, 2]), sgd()), "loss must be a function .*got its result Value"),
    "a step without with": (lambda: Training(loss, sgd()).step(SAMPLES), "write with Training"),
    # ---- executors
    "a pool of multiprocessing": (
        pooled,
        r"must be a concurrent.futures.Executor, got .*write ProcessPoolExecutor\(\)",
    ),
    "an executor's class": (fitting(executor=ThreadPoolExecutor), "must be a concurrent.futures.Executor, got <class"),
    # ---- optimizers
    "lr in words": (lambda: optim.SGD([Value(1.0)], lr="0.1"), r"lr must be >= 0, got '0.1' \(str\)"),
    "lr=True": (lambda: optim.SGD([Value(1.0)], lr=True), r"lr must be >= 0, got True \(bool\)"),
    "betas=0.9": (lambda: optim.Adam([Value(1.0)], betas=0.9), r"two numbers, got 0.9; write betas=\(0.9, 0.999\)"),
    "lr set to a Value": (stepping_with(lr=Value(0.1)), r"lr must be >= 0, got Value.* \(Value\)"),
    "lr set to a text": (stepping_with(lr="0.1"), r"lr must be >= 0, got '0.1' \(str\)"),
    "grad = None": (stepping_with(grad=None), "gradient of parameter 0 must be a number, got None; no parameter was"),
    "grad = Value": (
        stepping_with(grad=Value(1.0)),
        "gradient of parameter 0 must be a number, got Value.*no parameter",
    ),
    "a rule of Values": (stepping(lambda w: (Value(w),)), "new value of parameter 0 must be a number, got Value"),
    "numbers to clip": (lambda: optim.clip_grad_norm([1.0], 1.0), r"parameters must be Values, got 1.0 \(float\)"),
    "parameters not called": (lambda: optim.SGD(model.parameters), r"got a function; call it: model.parameters\(\)"),
    "one Value": (lambda: optim.SGD(Value(1.0)), r"expected a list of Values, got a single one; write \[value\]"),
    "a model": (lambda: optim.SGD(model), r"got a model; pass model.parameters\(\)"),
    "a number to learn": (lambda: optim.SGD(3.0), r"expected a list of Values, got 3.0 \(float\)"),
    "a state to learn": (lambda: optim.SGD(model.state_dict()), r"parameters must be Values, got 'layers"),
    "a model to clip": (lambda: optim.clip_grad_norm(model, 1.0), r"got a model; pass model.parameters\(\)"),
    "a rule without a tuple": (stepping(lambda w: w), r"rule of Stateless must return a tuple .*got 0.9"),
    "a rule of two": (stepping(lambda w: (w, w)), "rule of Stateless must return a tuple .*got"),
    "no rule": (lambda: optim.Optimizer([Value(1.0)], 0.1).rule(1, 1), r"must define rule\(self, w, g, \*state\)"),
    "a schedule's class": (lambda: optim.StepLR(optim.SGD, 3), "expected an optimizer, got the class SGD"),
    "a schedule of a rate": (lambda: optim.CosineLR(0.1, 3), r"expected an optimizer, got 0.1 \(float\)"),
    "then=0.1": (lambda: optim.WarmupLR(sgd(), 3, then=0.1), r"then must be a Schedule, got 0.1 \(float\)"),
    "no schedule": (lambda: optim.Schedule(sgd()), r"must define lr\(self, t\)"),
    "a file's state": (
        lambda: sgd().load_state_dict("sgd.json"),
        r"expected the dict of state_dict\(\), got 'sgd.json'",
    ),
    "a model's state": (
        lambda: sgd().load_state_dict(model.state_dict()),
        r"expected the keys kind, lr, steps, state, got \['layers.{,60}$",
    ),
    # ---- models
    "a set as inputs": (lambda: model({1.0, 2.0}), r"inputs must be a list of numbers, got {.*\(set\)"),
    "bytes as inputs": (lambda: model(b"ab"), r"inputs must be a list of numbers, got b'ab' \(bytes\)"),
    "a text as inputs": (lambda: model("ab"), r"inputs must be a list of numbers, got 'ab' \(str\)"),
    "a dict as inputs": (lambda: model({1.0: 2.0, 2.0: 3.0}), r"inputs must be a list of numbers, got {.*\(dict\)"),
    "inf as input": (lambda: model([1.0, math.inf]), "inputs must be finite, got inf"),
    "nan as input": (lambda: model([math.nan, 1.0]), "expected a number, got nan"),
    "a batch as inputs": (lambda: model([[1.0, 2.0]]), "must be a list of numbers, got a list of lists"),
    "None as input": (lambda: model([None, 1.0]), r"expected a real number, got None \(NoneType\)"),
    "nouts=3": (lambda: nn.MLP(2, 3), r"nouts must be a list of the layers' widths, got 3; write \[3\]"),
    "nin in words": (lambda: nn.Neuron("2"), r"nin must be a whole number, got '2' \(str\)"),
    "nout=0": (lambda: nn.Layer(2, 0), "nout must be at least 1, got 0"),
    "count=0": (lambda: nn.Embedding(0, 3), "count must be at least 1, got 0"),
    "an activation's name": (
        lambda: nn.MLP(2, [1], activation="thanh"),
        "activation must be one of .*got 'thanh'",
    ),
    "math.tanh as activation": (
        lambda: nn.MLP(2, [3, 1], activation=math.tanh),
        r"activation must return a Value, got 0.46.*write a name, activation='tanh', or",
    ),
    "math.tanh at the end": (lambda: nn.MLP(2, [1], last_activation=math.tanh), "activation must return a Value, got"),
    "math.tanh in between": (lambda: nn.Sequential(nn.Linear(2, 1), math.tanh), "activation must return a Value, got"),
    "softmax as activation": (
        lambda: nn.MLP(2, [3], last_activation=softmax),
        "activation must be a function of one Value, got <function softmax.*expected a list of Values",
    ),
    "an activation as nonlin": (
        lambda: nn.Neuron(2, "tanh"),
        "nonlin must be True or False, .*write activation='tanh'",
    ),
    "p for a mask": (
        lambda: nn.dropout([1.0], 0.5),
        r"expected a list .*and 0.5; masks are drawn by data.DropoutLoader\(",
    ),
    "an activation's class": (lambda: nn.Neuron(2, activation=nn.Module), "activation must be one of .*got <class"),
    "a module without forward": (lambda: nn.Module()(1), r"Module must define forward\(self, x\)"),
    "an empty Sequential": (nn.Sequential, "expected one module at least, got none"),
    "a list of modules": (
        lambda: nn.Sequential([nn.Linear(2, 1)]),
        r"list of them; write Sequential\(\*modules\)",
    ),
    "a mask too short": (lambda: nn.dropout([1.0, 2.0], [2.0]), "dropout: got 2 values but a mask of 1"),
    "p=1": (lambda: DropoutLoader(DataLoader(SAMPLES), 3, p=1), "p must be >= 0 and < 1, got 1"),
    "masks of no width": (lambda: DropoutLoader(DataLoader(SAMPLES), 0), "size must be a whole number >= 1, got 0"),
    # ---- losses
    "outputs to hinge": (lambda: losses.hinge([Value(1.0)] * 3, 1), "hinge: expected one score, got a list of 3"),
    "one to cross_entropy": (
        lambda: losses.cross_entropy(Value(1.0), 1),
        "for a single score, use binary_cross_entropy",
    ),
    "a number and a list": (
        lambda: losses.squared_error(Value(1.0), [1.0]),
        "squared_error: expected two numbers, or tw",
    ),
    "a model to l2": (lambda: losses.l2(model), r"l2: expected a list of Values, .*write l2\(model.parameters\(\)\)"),
    # ---- values
    "a number as child": (lambda: Value(1.0, 2.0), r"children must be Values, got 2.0; write Value\(data, \(a, b\)\)"),
    "a Value to softmax": (lambda: softmax(Value(1.0)), "softmax: expected a list of Values, got Value"),
    "nothing to softmax": (lambda: softmax([]), "expected one value at least, got none"),
    "pick of a Value": (lambda: pick(Value(1.0), 0), "pick: expected a list of values, got Value"),
    "pick of nothing": (lambda: pick([], 0), "pick: expected one value at least, got none"),
    "numbers to dot": (lambda: dot(1.0, [2.0]), r"dot: expected two lists, got 1.0 and \[2.0\]"),
    "a Value to logsumexp": (lambda: logsumexp(Value(1.0)), "logsumexp: expected a list of Values, got Value"),
    "pick by a text": (lambda: pick([Value(1.0)], "0"), r"pick: expected a whole number as index, got '0' \(str\)"),
    "where on a number": (
        lambda: where(Value(0.5), 1.0, 2.0),
        r"0 or 1, got 0.5; write where\(x > 0, a, b\)",
    ),
    "clip the wrong way": (lambda: Value(1.0).clip(2, 1), "clip: low must not be above high, got 2 and 1"),
    "gradcheck swapped": (lambda: gradcheck([1.0], loss), r"gradcheck: expected a function first, got \[1.0\]"),
    "gradcheck of a number": (lambda: gradcheck(Value.exp, 1.0), r"expected a list of inputs, got 1.0; write \[1.0\]"),
    "gradcheck of data": (
        lambda: gradcheck(lambda x: Value(x.data), [1.0]),
        "depends on no input; compute with the inp",
    ),
    "gradcheck, rtol": (lambda: gradcheck(Value.exp, [1.0], rtol="x"), r"expected a real number, got 'x' \(str\)"),
    "gradients of a list": (lambda: gradients([Value(1.0)], Value(1.0)), "expected a Value as output, got "),
}


@pytest.mark.parametrize(("wrong", "message"), CASES.values(), ids=CASES)
def test_the_error_is_one_line_that_says_what_to_write(wrong, message):
    with pytest.raises((TypeError, ValueError, NotImplementedError), match=message) as caught:
        wrong()
    assert "\n" not in str(caught.value)
    assert type(caught.value) in (TypeError, ValueError, NotImplementedError)


def test_a_loss_that_is_a_partial_or_takes_anything_is_no_misfit():
    assert accumulate(functools.partial(lambda m, x, y: losses.hinge(m(x), y), model), SAMPLES) > 0
    with pytest.raises(TypeError, match="sample 0 of the batch: mine"):
        accumulate(lambda *_: (_ for _ in ()).throw(TypeError("mine")), LISTS)


# ---- what is right, though it is unusual -----------------------------------------------------------------------------


def test_frames_and_tensors_make_pairs():
    assert pairs(frame, Frame([1, -1])) == [([0.5, -1.0], 1), ([1.0, 2.0], -1)]


def test_arrays_and_tensors_of_one_element_are_numbers():
    for one in (np.array(2.0), np.array([2.0]), np.array([[2]]), Tensor(2.0), Tensor(np.float32(2.0))):
        assert (type(Value(one).data), Value(one).data) == (float, 2.0)
    v = Value(3.0)
    for one in (np.array(2.0), Tensor(2.0)):
        results = [v + one, one + v, v * one, one * v, v - one, one - v, v / one, one / v, v.maximum(one)]
        assert [type(result) for result in results] == [Value] * 9
        assert [result.data for result in results] == [5, 5, 6, 6, 1, -1, 1.5, 2 / 3, 3]
        assert (v**one).data == 9.0
        assert dot([v], [one]).data == 6.0
    assert model(Tensor(1.0, 2.0)).data == model([1.0, 2.0]).data


def test_a_seed_of_numpy_is_a_seed():
    orders = [list(DataLoader(SAMPLES * 4, shuffle=True, seed=seed).orders()) for seed in (3, np.int64(3))]
    assert orders[0] == orders[1]


def test_an_activation_that_is_undefined_where_it_is_tried():
    """Or that answers a plain 0 on one side."""
    for theta in (lambda s: (s - 1).log(), lambda s: s if s > 0 else 0.0):
        assert nn.Neuron(1, activation=theta)


def test_an_optimizer_without_state():
    w = Value(1.0)
    w.grad = 1.0
    optimizer = Stateless([w], lambda w: (w,))
    optimizer.step()
    assert (w.data, optimizer.state) == (0.9, [])


# ---- primitives ------------------------------------------------------------------------------------------------------


@pytest.fixture
def define(monkeypatch):
    monkeypatch.setattr(ops, "TABLE", dict(ops.TABLE))
    return ops.primitive


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("mine", math.exp, lambda x: (x,)),
            r"partials must take the output and the operands, 2 arguments, got .* of 1",
        ),
        (("mine", lambda x, y: x, lambda z, x: (x,)), r"3 arguments, got a function of 2; write lambda z, x: \(…,\)"),
        (("mine", math.exp, 1.0), "'mine': expected a function as partials, got 1.0"),
        (("mine", 1.0, math.exp), "'mine': expected a function as forward, got 1.0"),
        ((math.exp, lambda z, _: (z,), "mine"), r"expected a name first, got <.*write primitive\(name, forward"),
        (("exp", math.exp, lambda z, _: (z,)), "a primitive named 'exp' exists already; choose another name"),
    ],
)
def test_a_primitive_is_refused(define, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        define(*arguments)
    assert "mine" not in ops.TABLE


@pytest.mark.parametrize("answer", [1.0, 0.0, None, (None,), ("1",), [1.0, 2.0], np.ones(1)])
def test_partials_that_return_no_tuple_of_slopes(define, answer):
    mine = define("mine", math.exp, lambda z, x: answer)
    assert mine(0.0) == 1.0
    with pytest.raises(ValueError, match=r"^mine: partials must return a tuple of 1 number, .*write \(x,\)"):
        mine(Value(0.0))


@pytest.mark.parametrize("answer", [None, "1", 1j])
def test_a_forward_rule_that_returns_no_number(define, answer):
    mine = define("mine", lambda x: answer, lambda z, x: (1.0,))
    with pytest.raises(TypeError, match=r"^mine: forward must return a number, got "):
        mine(Value(0.0))


def test_a_cell_that_defines_a_primitive_can_be_run_again(define):
    """What was computed by the row before keeps its derivatives."""
    x = Value(3.0)
    before = define("mine", lambda x: x * x, lambda z, x: (2 * x,))(x)
    mine = define("mine", lambda x: x**3, lambda z, x: (3 * x * x,))
    assert ops.find("mine") is mine
    before.backward()
    assert x.grad == 6.0
    mine(x).backward()
    assert x.grad == 6.0 + 27.0


# ---- what others set stays as it is ----------------------------------------------------------------------------------


def test_numpys_own_settings_for_errors_stay_and_do_not_matter(monkeypatch):
    """A sample that overflows is told by the engine, not by an error of NumPy that somebody has switched on."""
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    w = Value(1.0)
    recorded = jit(lambda x: (w * x).exp())
    settings = np.geterr()
    with np.errstate(all="raise"):
        inside = np.geterr()
        accumulate(recorded, [1.0, 2.0])
        for replay in (accumulate, evaluate):
            with pytest.raises(ValueError, match=r"exp\(1000.0\): math range error"):
                replay(recorded, [1.0, 1000.0])
        assert np.geterr() == inside
    assert np.geterr() == settings
    assert "NumPy" in repr(recorded)
