"""Parameters in arrays: whoever looks gets the numbers back at once, and nothing shows where they are."""

import contextlib
import copy
import gc
import math
import pickle
import random
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from interrupt import interrupted_at

from micrograd import Value, accumulate, data, draw, evaluate, fit, jit, losses, nn, optim
from micrograd.tape import resident
from micrograd.tape.residence import Residence
from micrograd.tape.resident import Resident, give_back
from micrograd.tape.store import Store

SAMPLES = [([0.01 * k, math.sin(k)], (-1) ** k) for k in range(60)]


@pytest.fixture
def model():
    random.seed(1)
    return nn.MLP(2, [6, 1], activation="tanh")


def loss_of(model):
    return lambda x, y: losses.hinge(model(x), y) + 1e-3 * losses.l2(model.parameters())


def away(*parameters):
    return {type(parameter) for parameter in parameters} == {Resident}


def numbers(parameters):
    return [(p.data, p.grad) for p in parameters]


def values(*numbers):
    """Values with these data, gradients of ten times as much, and a store that has both."""
    found = [Value(number, label=f"v{i}") for i, number in enumerate(numbers)]
    for value in found:
        value.grad = 10 * value.data
    store = Store(found)
    assert store.take()
    assert away(*found)
    return *found, store


# ---- who looks -------------------------------------------------------------------------------------------------------

LOOKS = {
    "data": lambda v: v.data == 2.0,
    "gradient": lambda v: v.grad == 20.0,
    "getattr": lambda v: getattr(v, "data", None) == 2.0,
    "arithmetic": lambda v: (v * 3).data == (3 * v).data == 6.0,
    "comparison": lambda v: v > 1.5,
    "a float": lambda v: float(v) == 2.0,
    "repr": lambda v: repr(v) == "Value(data=2.0, grad=20.0)",
    "a sum": lambda v: sum([v, v]).data == 4.0,
    "an array": lambda v: (np.array([v, v]) @ [1.0, 2.0]).data == 6.0,
    "a copy": lambda v: (copy.copy(v).data, copy.deepcopy(v).grad) == (2.0, 20.0),
    "a pickle": lambda v: pickle.loads(pickle.dumps(v)).grad == 20.0,
    "a picture": lambda v: "2" in draw(v * 2).source,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_whoever_looks_gets_all_numbers_back(look):
    u, v, _ = values(1.0, 2.0)
    assert look(v)
    assert type(u) is type(v) is Value
    assert numbers([u, v]) == [(1.0, 10.0), (2.0, 20.0)]


@pytest.mark.parametrize("name", ["data", "grad"])
def test_whoever_assigns_changes_that_number_alone(name):
    u, v, _ = values(1.0, 2.0)
    setattr(v, name, 7.0)
    assert numbers([u, v]) == [(1.0, 10.0), (7.0, 20.0) if name == "data" else (2.0, 7.0)]


def test_backward_adds():
    u, v, _ = values(1.0, 2.0)
    (u * v).backward()
    assert (u.grad, v.grad) == (12.0, 21.0)
    u, v, _ = values(1.0, 2.0)
    v.backward()  # a leaf itself
    assert (u.grad, v.grad) == (10.0, 21.0)


def test_what_is_no_number_leaves_them_where_they_are():
    u, v, _ = values(1.0, 2.0)
    v.label = "b"
    assert (v.label, v.role, v.parents, u == v, {u: 1}[u]) == ("b", "parameter", (), False, 1)
    assert not hasattr(v, "nothing")
    assert not hasattr(v, "_rule")
    assert away(u, v)


def test_copies_and_pickles_are_as_of_a_plain_value():
    plain = Value(2.0, label="v0")
    plain.grad = 20.0
    v, _ = values(2.0)
    assert pickle.dumps(v) == pickle.dumps(plain)
    v, _ = values(2.0)
    assert type(copy.deepcopy(v)) is type(copy.copy(v)) is Value
    v, _ = values(2.0)
    graph = pickle.loads(pickle.dumps((v * 2) + v))
    assert graph.data == 6.0
    assert {type(node) for node in graph.parents} == {Value}


def test_arrays_are_of_floats():
    v, store = values(2.0)
    store.data = np.array([3.0])
    assert type(v.data) is type(v.grad) is float


# ---- stores ----------------------------------------------------------------------------------------------------------


def test_a_dying_store_gives_back_and_nothing_waits_for_the_collector():
    gc.collect()
    gc.disable()
    try:
        u, v, store = values(1.0, 2.0)
        alive = weakref.ref(store)
        del store
        assert alive() is None
    finally:
        gc.enable()
    assert type(u) is Value
    assert numbers([u, v]) == [(1.0, 10.0), (2.0, 20.0)]


def test_a_store_in_a_circle_gives_back():
    u, v, store = values(1.0, 2.0)
    store.itself = store
    del store
    gc.collect()
    assert numbers([u, v]) == [(1.0, 10.0), (2.0, 20.0)]


def test_two_stores_take_turns():
    u, v, first = values(1.0, 2.0)
    second = Store([v, Value(3.0)])
    assert second.take()
    assert (first.resident, second.resident) == (False, True)
    assert type(u) is Value
    second.data = np.array([5.0, 6.0])
    assert first.take()
    assert not second.resident
    assert numbers([u, v]) == [(1.0, 10.0), (5.0, 20.0)]


def test_a_class_of_ones_own_stays():
    class Weight(Value):
        __slots__ = ()

    some = [Value(1.0), Weight(2.0)]
    assert not Store(some).take()
    assert [type(v) for v in some] == [Value, Weight]
    fast = jit(lambda x: (some[0] * x).tanh())
    accumulate(fast, [0.1 * k for k in range(200)])
    assert some[0].grad != 0.0


def test_shown_numbers_are_read_where_they_are():
    u, v, store = values(1.0, 2.0)
    with store.shown():
        assert (u.data, v.data) == (1.0, 2.0)
        assert away(u, v)
    assert store.resident
    with store.shown():
        v.data = 5.0  # or written
    assert (u.data, v.data, v.grad, type(u)) == (1.0, 5.0, 20.0, Value)
    assert store.take()
    with store.shown():
        assert u.grad == 10.0
    assert (v.data, type(v)) == (5.0, Value)


def until_uninterrupted(make, check):
    """Interrupt what ``make`` returns at each event in turn."""
    for call in range(1, 1000):
        function, *rest = make()
        done = interrupted_at(call, function)
        check(done, *rest)
        if done:
            return
    raise AssertionError("it has no end")


def test_ctrl_c_while_numbers_move():
    def taking():
        u, v, store = values(5.0, 2.0)
        u.data, u.grad = 1.0, 10.0
        return store.take, u, v, store

    def giving():
        u, v, store = values(1.0, 2.0)
        return store.give_back, u, v, store

    def showing():
        u, v, store = values(1.0, 2.0)

        def show():
            with store.shown():
                assert u.data == 1.0

        return show, u, v, store

    def check(_, u, v, store):
        assert numbers([u, v]) == [(1.0, 10.0), (2.0, 20.0)]
        v.data = 3.0
        assert store.take()
        assert away(u, v)
        assert numbers([u, v]) == [(1.0, 10.0), (3.0, 20.0)]

    for make in (taking, giving, showing):
        until_uninterrupted(make, check)


def test_ctrl_c_in_a_step_leaves_it_whole_or_undone():
    def make():
        u, v, store = values(1.0, 2.0)
        optimizer = optim.SGD([u, v], 0.1, momentum=0.5)
        return optimizer.step, u, v, store, optimizer

    def check(_, u, v, __, optimizer):
        state = optimizer.steps, u.data, v.data, *optimizer.state[0]
        assert state in [(0, 1.0, 2.0, 0.0, 0.0), (1, 0.0, 0.0, 10.0, 20.0)]

    until_uninterrupted(make, check)


@pytest.mark.parametrize("look", [lambda v: v.grad, lambda v: setattr(v, "data", 7.0)])
def test_no_thread_comes_in_between_giving_back_and_looking(monkeypatch, look):
    def and_take_again(value):
        give_back(value)
        taker.start()
        taker.join(0.1)

    *some, store = values(1.0, 2.0)
    taker = threading.Thread(target=store.take)
    monkeypatch.setattr(resident, "give_back", and_take_again)
    look(some[0])
    taker.join()
    assert store.resident
    monkeypatch.undo()
    assert some[0].data in (1.0, 7.0)
    assert numbers(some) == [(some[0].data, 10.0), (2.0, 20.0)]


def test_threads_see_no_number_in_between():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    some = [Value(float(i)) for i in range(50)]
    store, seen = Store(some), []

    def look():
        try:
            for _ in range(300):
                seen.append([v.data for v in some] == [float(i) for i in range(50)])
                some[3].grad += 1.0
        except BaseException as error:
            seen.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    try:
        for thread in threads:
            thread.start()
        while any([thread.is_alive() for thread in threads]):
            store.take()
            time.sleep(1e-5)
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert seen == [True] * 900
    assert 0 < some[3].grad <= 900


def test_a_process_that_ends_with_parameters_away_says_nothing():
    code = (
        "from micrograd import *; w = Value(2.0); fast = jit(lambda x: (w * x).tanh())\n"
        "accumulate(fast, [0.1] * 300); print(type(w).__name__)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (answer.stdout, answer.stderr) == ("Resident\n", "")


# ---- training --------------------------------------------------------------------------------------------------------


def by_hand(model, optimizer, steps, wrap, between=lambda _: None, batch=SAMPLES):
    loss = wrap(loss_of(model))
    errors = []
    for k in range(steps):
        optimizer.zero_grad()
        errors.append(accumulate(loss, batch))
        optimizer.step()
        between(k)
    return errors


def both(train):
    """What ``train(model, wrap)`` gives with a tape and without, and the models' numbers after it."""
    answers = []
    for wrap in (jit, lambda loss: loss):
        random.seed(1)
        model = nn.MLP(2, [6, 1], activation="tanh")
        answers.append((train(model, wrap), [p.data for p in model.parameters()]))
    return answers


def assert_same(train):
    (fast, fast_numbers), (plain, plain_numbers) = both(train)
    assert fast == pytest.approx(plain, rel=1e-9)
    assert fast_numbers == pytest.approx(plain_numbers, rel=1e-9)


def test_a_loop_by_hand_leaves_parameters_in_arrays(model):
    optimizer = optim.Adam(model.parameters(), 0.01)
    by_hand(model, optimizer, 20, jit)
    parameters = model.parameters()
    assert away(*parameters)
    loss = jit(loss_of(model))
    for _ in range(3):
        model.zero_grad()
        accumulate(loss, SAMPLES)
        optim.clip_grad_norm(parameters, 0.1)
        optimizer.step()
        evaluate(loss, SAMPLES)
    assert away(*parameters)


OPTIMIZERS = {
    "in order": lambda p: optim.SGD(p, 0.1, momentum=0.9),
    "another order": lambda p: optim.Adam(p[::-1], 0.01),
    "some": lambda p: optim.RMSprop(p[5:9], 0.01),
    "some first": lambda p: optim.SGD(p[:9], 0.1),
    "others too": lambda p: optim.AdamW([Value(1.0), *p, Value(2.0)], 0.01),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_any_choice_of_parameters(make):
    states = []

    def train(model, wrap):
        optimizer = make(model.parameters())
        errors = by_hand(model, optimizer, 12, wrap)
        states.append([*optimizer.state, [p.grad for p in model.parameters()], [p.data for p in optimizer.parameters]])
        return errors

    assert_same(train)
    for fast, plain in zip(*states):
        assert fast == pytest.approx(plain, rel=1e-9, abs=1e-12)


def test_unused_parameters_join(model):
    unused = Value(1.0)
    optimizer = optim.SGD([unused, *model.parameters()], 0.1)
    loss = jit(loss_of(model))
    for _ in range(3):
        optimizer.zero_grad()
        accumulate(loss, SAMPLES)
        optimizer.step()
    assert away(unused, *model.parameters())
    assert unused.data == 1.0


def test_two_losses_that_share_parameters():
    def train(model, wrap):
        head = Value(0.5)
        first, second = wrap(loss_of(model)), wrap(lambda x, y: (model(x) * head - y) ** 2)
        optimizer = optim.SGD([*model.parameters(), head], 0.05)
        for _ in range(6):
            optimizer.zero_grad()
            accumulate(first, SAMPLES)
            accumulate(second, SAMPLES, "sum")
            optimizer.step()
        return [head.data, head.grad, *[p.grad for p in model.parameters()]]

    assert_same(train)


def test_two_optimizers_on_parts():
    def train(model, wrap):
        first, second = (optim.Adam(layer.parameters(), 0.01) for layer in model.layers)
        loss = wrap(loss_of(model))
        for _ in range(8):
            first.zero_grad()
            second.zero_grad()
            accumulate(loss, SAMPLES)
            first.step()
            second.step()
        return [*first.state[0], *second.state[0]]

    assert_same(train)


def test_gradients_add_up_over_calls():
    def train(model, wrap):
        loss = wrap(loss_of(model))
        for _ in range(3):
            accumulate(loss, SAMPLES[:40])
        return [p.grad for p in model.parameters()]

    assert_same(train)


def test_parameters_of_a_later_tape():
    def train(model, wrap):
        extra = Value(0.3)
        fast = wrap(lambda xs, y: losses.hinge(model(xs[:2]) + (extra * xs[2] if len(xs) > 2 else 0), y))
        optimizer = optim.SGD([*model.parameters(), extra], 0.1)
        for k in range(8):
            optimizer.zero_grad()
            accumulate(fast, [(x + [0.5] * (k % 4 == 3), y) for x, y in SAMPLES])
            optimizer.step()
        return [extra.data, extra.grad]

    assert_same(train)


def test_a_later_tape_of_other_parameters_alone():
    v, w = Value(0.5), Value(2.0)
    fast = jit(lambda xs: ((v if len(xs) > 1 else w) * xs[0]).tanh())
    for samples in ([[0.1]] * 300, [[0.1, 0.2]] * 300) * 2:
        accumulate(fast, samples, "sum")
    slopes = w.grad, v.grad
    w.grad = v.grad = 0.0
    for samples in ([[0.1]] * 300, [[0.1, 0.2]] * 300) * 2:
        accumulate(fast.function, samples, "sum")
    assert slopes == pytest.approx((w.grad, v.grad))


def test_looks_and_writes_between_steps():
    def train(model, wrap):
        optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.5)

        def write(k):
            if k % 3 == 1:
                model.layers[0].neurons[0].weights[0].data *= 0.5
            if k % 4 == 2:
                optimizer.state[0][1] = 0.25
            if k % 5 == 3:
                model.load_state_dict({name: x * 0.9 for name, x in model.state_dict().items()})

        return by_hand(model, optimizer, 15, wrap, write)

    assert_same(train)


@pytest.mark.parametrize("where", ["schedule", "callback", "metric"])
def test_fit_keeps_what_others_write(where):
    def train(model, wrap):
        parameters = model.parameters()
        optimizer = optim.SGD(parameters, 0.1)

        class Decay(optim.Schedule):
            def lr(self, t):
                if where == "schedule" and t:
                    for parameter in parameters:
                        parameter.data *= 0.9
                return self.base

        def shrink(*_):
            parameters[0].data *= 0.5

        history = fit(
            wrap(loss_of(model)),
            data.DataLoader(SAMPLES, 20),
            optimizer,
            4,
            schedule=Decay(optimizer),
            callbacks=[shrink] if where == "callback" else [],
            metric=(lambda x, y: shrink() or model(x)) if where == "metric" else None,
            progress=False,
        )
        return [*history.loss, *history.metric]

    assert_same(train)


def test_fit_calls_the_optimizers_own_step():
    def train(model, wrap):
        class Rounded(optim.SGD):
            def step(self):
                super().step()
                for parameter in self.parameters:
                    parameter.data = round(parameter.data, 3)

        return fit(wrap(loss_of(model)), [SAMPLES], Rounded(model.parameters(), 0.1), 5, progress=False).loss

    assert_same(train)


def test_a_rule_that_arrays_do_not_suit():
    def train(model, wrap):
        class Sign(optim.SGD):
            def rule(self, w, g, *_):
                return (w - self.lr * math.copysign(1.0, g) if g else w,)

        return by_hand(model, Sign(model.parameters(), 0.01), 5, wrap)

    assert_same(train)


def test_a_rule_that_looks():
    def train(model, wrap):
        class Looking(optim.SGD):
            def rule(self, w, g, *_):
                return (w - self.lr * g * (1 + self.parameters[0].data ** 2),)

        return by_hand(model, Looking(model.parameters(), 0.01), 5, wrap)

    assert_same(train)


@pytest.mark.parametrize(("lr", "gradient"), [(1e308, 1e9), (0.1, math.inf), (0.1, math.nan)])
def test_a_step_that_is_not_finite_names_the_parameter(lr, gradient):
    u, v, store = values(1.0, 2.0)
    optimizer = optim.SGD([u, v], lr, momentum=0.5)
    store.grad = np.array([0.0, gradient])
    with pytest.raises(ValueError, match=r"of v1 is .*no parameter was changed"):
        optimizer.step()
    assert (u.data, v.data, optimizer.steps, optimizer.state) == (1.0, 2.0, 0, [[0.0, 0.0]])


def test_large_numbers_step():
    u, v, _ = values(1e200, 2.0)
    optim.SGD([u, v], 0.1).step()  # the check's product overflows, the numbers do not
    assert (u.data, v.data) == (0.0, 0.0)


@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
def test_clipping_in_arrays(scale):
    u, v, store = values(0.3 * scale, 0.4 * scale)
    assert optim.clip_grad_norm([v, u], 2.5 * scale) == pytest.approx(5 * scale, rel=1e-12, abs=0)
    assert away(u, v)
    assert store.grad == pytest.approx([1.5 * scale, 2 * scale], rel=1e-12, abs=0)
    store.grad = np.array([1.0, math.nan])
    with pytest.raises(ValueError, match="norm of the gradient is nan"):
        optim.clip_grad_norm([u, v], 1.0)
    assert u.grad == 1.0


def test_gradients_that_overflow_warn_nobody():
    w = Value(1.0)
    fast = jit(lambda x: w * x * 1e300)
    w.grad = 1.7976e308
    accumulate(fast, [1e5] * 300)
    assert away(w)
    assert w.grad == math.inf


def test_copies_of_an_optimizer_are_apart(model):
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.5)
    loss = jit(loss_of(model))
    for _ in range(2):
        accumulate(loss, SAMPLES)
        optimizer.step()
    other, other_model = copy.deepcopy((optimizer, model))
    third = pickle.loads(pickle.dumps(optimizer))
    assert b"numpy" not in pickle.dumps(optimizer)
    assert other.state == third.state == optimizer.state
    assert list(other.parameters) == other_model.parameters()
    before = [p.data for p in model.parameters()]
    other.step()
    third.step()
    assert [p.data for p in model.parameters()] == before
    assert [p.data for p in other_model.parameters()] != before


def test_who_always_looks_is_spared_most_moves():
    w = Value(1.0)
    home, moves = Residence([w]), 0
    for _ in range(1000):
        moves += home.take()
        assert w.data == 1.0
    assert moves < 30
    home.take()
    for _ in range(64):
        home.take()
    optimizer = optim.SGD([w], 0.1)
    for _ in range(10):
        optimizer.step()
        assert w.data == 1.0
        assert home.take()


def test_a_parameter_as_the_result_itself():
    w = Value(2.0)
    accumulate(jit(lambda x: (w * x).tanh()), [0.1] * 300)
    keep = jit(lambda x: (w * x).tanh())
    accumulate(keep, [0.1] * 300)
    assert away(w)
    w.grad = 0.0
    for loss in (jit(lambda x: w), lambda x: w):
        for executor in (None, ThreadPoolExecutor(2)):
            accumulate(keep, [0.1] * 300)
            with contextlib.closing(executor) if hasattr(executor, "close") else contextlib.nullcontext():
                keep.residence.take()
                before = keep.residence.grad[0] if away(w) else w.grad
                accumulate(loss, [1.0] * 300, "sum", executor)
                assert w.grad == before + 300
    assert jit(lambda x: [w, x]).map([1.0]).tolist() == [[2.0, 1.0]]
