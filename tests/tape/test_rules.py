"""Rules of optimizers as machine code against the optimizers themselves, step by step."""

import math
import random

import numpy as np
import pytest
from test_machine import network, samples_of

from micrograd import Value, ops, optim
from micrograd.optim import clip_grad_norm
from micrograd.tape import objects
from micrograd.tape.machine import Program
from micrograd.tape.rules import Rule
from micrograd.tape.symbols import Untraceable


class Sign(optim.Optimizer):
    """Steps of one size; a user's own."""

    def __init__(self, parameters, lr=0.01, limits=((0.5, 0.1), [2.0]), name="sign", active=True):
        super().__init__(parameters, lr, state=1)
        self.limits, self.name, self.active = limits, name, active

    def rule(self, w, g, count):
        (low, _), (high,) = self.limits
        if self.active and abs(g) < low:
            return w, count
        step = min(high, 1 + math.log1p(count))
        return w - self.lr * step * math.copysign(1.0, g), count + (1 if g > 0 else 2)


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "decay": lambda p: optim.SGD(p, lr=0.05, weight_decay=0.01),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5),
    "adam": lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "own": Sign,
}


def parameters(count, seed=0):
    draw = random.Random(seed)
    return [Value(draw.uniform(-1, 1)) for _ in range(count)]


def table_of(optimizer):
    return np.array([[p.data for p in optimizer.parameters], [p.grad for p in optimizer.parameters], *optimizer.state])


@pytest.mark.parametrize("count", [1, 8, 21])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_steps_are_those_of_the_optimizer(make, count):
    optimizer, draw = make(parameters(count)), random.Random(1)
    rule, table = Rule(optimizer), table_of(optimizer)
    for step in range(1, 6):
        for p in optimizer.parameters:
            p.grad = draw.choice([0.0, draw.uniform(-3, 3)])
        table[1] = [p.grad for p in optimizer.parameters]
        optimizer.lr = 0.1 / step
        assert rule.apply(table, optimizer.lr, step)
        optimizer.step()
        assert table == pytest.approx(table_of(optimizer), rel=1e-14, abs=1e-16)


@pytest.mark.parametrize("max_norm", [0.0, 1.0, 100.0])
def test_a_gradient_is_clipped_as_by_hand(max_norm):
    optimizer = OPTIMIZERS["momentum"](parameters(70))
    for k, p in enumerate(optimizer.parameters):
        p.grad = math.sin(k)
    table, rule = table_of(optimizer), Rule(optimizer)
    clip_grad_norm(optimizer.parameters, max_norm)
    optimizer.step()
    assert rule.apply(table, optimizer.lr, 1, max_norm)
    assert table == pytest.approx(table_of(optimizer), rel=1e-14)


def spoiled(row, column, x):
    def change(table):
        table[row, column] = x

    return change


@pytest.mark.parametrize("column", [0, 8, 69])
@pytest.mark.parametrize(
    ("row", "x", "max_norm"),
    [
        (0, math.nan, None),
        (1, math.inf, None),
        (1, math.nan, 1.0),
        (1, 1e200, 1.0),  # its square overflows
        (2, 1.7e308, None),
        (2, -math.inf, None),
    ],
)
def test_what_is_not_finite_takes_no_step(row, column, x, max_norm):
    optimizer = optim.SGD(parameters(70), lr=10.0, momentum=0.9)
    table = table_of(optimizer)
    table[row, column] = x
    before = table.copy()
    assert not Rule(optimizer).apply(table, 10.0, 1, max_norm)
    assert table.tobytes() == before.tobytes()


def test_a_norm_of_zero_is_a_norm_and_one_that_vanishes_is_not():
    optimizer = optim.SGD(parameters(9), lr=0.1)
    table, rule = table_of(optimizer), Rule(optimizer)
    assert rule.apply(table, 0.1, 1, 1.0)
    table[1, 3] = 1e-170
    assert not rule.apply(table, 0.1, 1, 1.0)
    assert rule.apply(table, 0.1, 1)


def by_hand(optimizer, program, where, columns, batches, shares, rates, max_norm):
    """The same training on Values, with the program's gradients; the losses."""
    losses = []
    for batch, share, optimizer.lr in zip(batches, shares, rates):
        data = np.array([p.data for p in program.tape.parameters])
        loss, gradient = program.gradient(data, columns, np.array(batch))
        if math.isnan(loss):
            break
        for p in optimizer.parameters:
            p.grad = 0.0
        for k, g in enumerate(gradient):
            optimizer.parameters[where[k]].grad = float(g) * share
        if max_norm is not None:
            clip_grad_norm(optimizer.parameters, max_norm)
        optimizer.step()
        losses.append(loss)
    return losses


@pytest.mark.parametrize("max_norm", [None, 0.7])
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_many_steps_in_one_call_are_the_same_steps(make, elsewhere, max_norm):
    tape = network((2, 5, 3, 1), ops.tanh)
    program, used = Program(tape), tape.parameters
    others = parameters(7, seed=5)
    optimizer = make([*others[:3], *reversed(used), *others[3:]] if elsewhere else [*used, *others])
    where = [optimizer.parameters.index(p) for p in used]
    columns = np.array(samples_of(tape, 50))
    batches = [[*range(20)], [3], [*range(7, 50)], [49, 0, 49], [*range(40)]] * 3
    ends, order = np.cumsum([*map(len, batches)]), np.concatenate(batches)
    shares, rates = np.array([1 / len(b) for b in batches]), np.linspace(0.1, 0.01, len(batches))
    table, rule = table_of(optimizer), Rule(optimizer)
    places = np.array(where) if elsewhere else None
    losses = rule.train(program, table, places, columns, order, ends, shares, rates, 0, max_norm)
    expected = by_hand(optimizer, program, where, columns, batches, shares, rates, max_norm)
    assert losses == pytest.approx(expected, rel=1e-12)
    assert table == pytest.approx(table_of(optimizer), rel=1e-11, abs=1e-13)


def test_training_ends_before_the_step_that_is_not_finite():
    tape = network((2, 3, 1), ops.tanh)
    optimizer, program = optim.SGD(tape.parameters, momentum=0.9, lr=0.1), Program(tape)
    columns = np.array(samples_of(tape, 10))
    columns[0, 6] = math.inf
    order, shares, rates = np.arange(10), np.ones(5), np.full(5, 0.1)
    table, rule = table_of(optimizer), Rule(optimizer)
    losses = rule.train(program, table, None, columns, order, np.arange(2, 12, 2), shares, rates, 0)
    other = table_of(optimizer)
    assert len(losses) == 3
    assert losses == rule.train(program, other, None, columns, order, np.array([2, 4, 6]), shares[:3], rates[:3], 0)
    assert table.tobytes() == other.tobytes()


def test_a_rule_is_made_in_no_time_and_its_settings_are_data():
    w = parameters(3)
    first = Rule(optim.SGD(w, momentum=0.9))
    assert Rule(optim.SGD(w, momentum=0.9))._code is first._code
    assert Rule(optim.SGD(w, momentum=0.8))._code is first._code
    assert Rule(optim.SGD(w, momentum=0.8, nesterov=True))._code is not first._code
    table = np.ones((3, 3))
    assert Rule(optim.SGD(w, momentum=0.5)).apply(table, 0.1, 1)
    assert table[2].tolist() == [1.5] * 3


class Rounding(optim.SGD):
    def rule(self, w, g):
        return (round(w - self.lr * g, 3),)


class Unfit(optim.SGD):
    def rule(self, w, g):
        return w - self.lr * g, 1.0


@pytest.mark.parametrize(
    ("kind", "what"),
    [(Rounding, r"^Rounding\.rule cannot be compiled"), (Unfit, r"^Unfit\.rule: expected 1 numbers, got 2")],
)
def test_a_rule_that_cannot_be_compiled_says_so(kind, what):
    with pytest.raises(Untraceable, match=what):
        Rule(kind(parameters(2)))


def test_settings_need_not_be_numbers():
    rule = Rule(Sign(parameters(2), name={1}))
    assert not rule.is_stale()


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"expected a table of 2 rows of float64, got shape \(3, 4\)"):
        Rule(optim.SGD(parameters(4))).apply(np.zeros((3, 4)), 0.1, 1)


def test_code_of_a_rule_is_alive():
    assert Rule(optim.Adam(parameters(1)))._code in objects.ALIVE.values()
