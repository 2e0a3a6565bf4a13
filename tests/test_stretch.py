"""Stretches of training: the same bits as step by step, in all that can be seen."""

import math
import random
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Value, accumulate, data, fit, jit, losses, nn, optim, replay, stretch
from micrograd.checks import Checks
from micrograd.kernels import train

SAMPLES = [([0.01 * k, math.sin(k)], (-1) ** k) for k in range(70)]
STEP_BY_STEP = {"max_norm": 1e300}  # of gradients: clips nothing, but a stretch does not clip


class Run:
    """A network in training, and all that can be seen of it."""

    def __init__(self, optimizer=optim.SGD, schedule=None, size=16, shuffle=False, **settings):
        random.seed(3)
        self.model = nn.MLP(2, [6, 1], activation="tanh")
        self.parameters = self.model.parameters()
        self.loss = jit(lambda x, y: losses.hinge(self.model(x), y) + 1e-3 * losses.l2(self.parameters))
        self.optimizer = optimizer(self.parameters, **{"lr": 0.05, **settings})
        self.schedule = schedule and schedule(self.optimizer)
        self.loader = data.DataLoader(SAMPLES, size, shuffle=shuffle, seed=5)
        self.history = []

    def fit(self, epochs=8, **kwargs):
        settings = {"schedule": self.schedule, "progress": False, **kwargs}
        self.history += fit(self.loss, self.loader, self.optimizer, epochs, **settings).loss
        return self

    def seen(self):
        parameters = [(p.data, p.grad) for p in self.parameters]
        counts = self.optimizer.steps, self.optimizer.lr, self.schedule and self.schedule.steps
        return parameters, self.optimizer.state, counts, self.history


class Lengths(list):
    has_stopped = False  # before its end


@pytest.fixture
def stretched(monkeypatch):
    """Stretches from the first step on; how many steps each took."""
    lengths = Lengths()

    def spy(*arguments):
        lengths.append(train(*arguments))
        lengths.has_stopped |= lengths[-1] < len(arguments[6])
        return lengths[-1]

    monkeypatch.setattr(stretch, "START", 0)
    monkeypatch.setattr(stretch, "train", spy)
    return lengths


# ---- the same as step by step ----------------------------------------------------------------------------------------

SCHEDULES = [
    None,
    lambda optimizer: optim.StepLR(optimizer, 3, 0.5),
    lambda optimizer: optim.WarmupLR(optimizer, 5, then=optim.CosineLR(optimizer, 30)),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (optim.SGD, {}),
        (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        (optim.RMSprop, {"momentum": 0.5}),
        (optim.Adam, {"weight_decay": 0.1}),
        (optim.AdamW, {}),
    ],
)
def test_the_same_bits_as_step_by_step(stretched, optimizer, settings, schedule):
    one, other = (Run(optimizer, schedule, **settings) for _ in range(2))
    assert one.fit().seen() == other.fit(**STEP_BY_STEP).seen()
    assert sum(stretched) > 20  # of 40 steps; the others are taken before a check, and after one


@pytest.mark.parametrize("size", [1, 30, 70])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_batches_of_all_sizes(stretched, size, shuffle, reduction):
    one, other = (Run(size=size, shuffle=shuffle, lr=0.001) for _ in range(2))
    assert one.fit(reduction=reduction).seen() == other.fit(reduction=reduction, **STEP_BY_STEP).seen()
    assert stretched


def test_fit_called_again_and_again(stretched):
    one, other = Run(optim.Adam), Run(optim.Adam)
    for epochs in (1, 3, 2):
        one.fit(epochs)
        other.fit(epochs, **STEP_BY_STEP)
        one.optimizer.lr = other.optimizer.lr = one.optimizer.lr / 2
        one.optimizer.eps = other.optimizer.eps = 1e-3
    assert one.seen() == other.seen()
    assert stretched


@pytest.mark.parametrize("order", [lambda p: p[::-1], lambda p: [*p[5:], *p[:5]]])
def test_an_optimizer_with_another_order_of_parameters(stretched, order):
    one, other = Run(), Run()
    for run in (one, other):
        run.loss.map(SAMPLES[:2])  # so that the tape comes to an order of its own
        run.optimizer = optim.Adam(order(run.parameters), lr=0.05)
    assert one.fit().seen() == other.fit(**STEP_BY_STEP).seen()
    assert sum(stretched) > 20


@pytest.mark.usefixtures("stretched")
def test_frozen_parameters_stay():
    one, other = Run(), Run()
    for run in (one, other):
        run.optimizer = optim.SGD(run.parameters[:-4], lr=0.05)
    assert one.fit().seen() == other.fit(**STEP_BY_STEP).seen()
    assert [p.data for p in one.parameters[-4:]] == [p.data for p in Run().parameters[-4:]]


def test_parameters_that_the_loss_does_not_use(stretched):
    one, other = Run(), Run()
    for run in (one, other):
        run.parameters = [Value(7.0), *run.parameters]
        run.optimizer = optim.SGD(run.parameters, lr=0.05)
    seen = one.fit().seen()
    assert seen == other.fit(**STEP_BY_STEP).seen()
    assert sum(stretched) > 20


def test_parameters_in_the_order_of_another_tape(stretched):
    one, other = Run(), Run()
    for run in (one, other):
        backwards = run.parameters[::-1]
        penalty = jit(lambda _, p=backwards: losses.l2(p) + losses.l2(p[:3]))
        for loss, batch in [(penalty, range(9)), *[(run.loss, SAMPLES)] * 5]:
            accumulate(loss, batch)  # and the next replay gives no parameter back
        assert run.parameters[0].grad
        assert penalty.residence.take()
    assert one.fit().seen() == other.fit(**STEP_BY_STEP).seen()
    assert sum(stretched) > 20


def test_batches_of_more_than_one_piece(monkeypatch, stretched):
    monkeypatch.setattr(replay, "CHUNK_OPERANDS", 1)
    one, other = Run(size=None), Run(size=None)
    for run in (one, other):
        run.loader.samples, run.loader.batch_size = SAMPLES * 3, 210
    assert one.fit().seen() == other.fit(**STEP_BY_STEP).seen()
    assert not stretched


@pytest.mark.parametrize("kind", [list, np.array])
def test_a_list_of_batches(stretched, kind):
    w = [Value(0.1 * k) for k in range(3)]
    function = lambda x: (w[0] * x[0] + w[1] * x[1] + w[2] - x[2]) ** 2
    rows = [[u, v, float(y)] for (u, v), y in SAMPLES]
    batches = [kind(rows[:30]), kind(rows[30:40]), kind(rows[40:])]
    seen = []
    for loss in (jit(function), function):
        for k, parameter in enumerate(w):
            parameter.data = 0.1 * k
        history = fit(loss, batches, optim.SGD(w, lr=0.1), 20, progress=False)
        seen.append([*history.loss, *[parameter.data for parameter in w]])
    assert seen[0] == pytest.approx(seen[1], rel=1e-9)
    assert sum(stretched) > 40


def test_a_list_of_batches_that_a_callback_changes():
    def grow(history):
        batches.append(SAMPLES[len(history.loss) :][:20])

    lengths = []
    for more in ({}, STEP_BY_STEP):
        batches, run = [SAMPLES[:20]], Run()
        fit(run.loss, batches, run.optimizer, 5, callbacks=[grow], progress=False, **more)
        lengths.append(run.optimizer.steps)
    assert lengths == [15, 15]


def test_batches_that_are_no_batches():
    run = Run()
    for batches, message in (([SAMPLES[:3], []], "one sample"), ([], "no batches"), ([zip(*[[]])], "one sample")):
        run.loader = batches
        with pytest.raises(ValueError, match=message):
            run.fit()
    with pytest.raises(TypeError, match="a batch is a list of samples"):
        fit(run.loss, SAMPLES, run.optimizer, progress=False)


def test_samples_of_two_shapes_go_step_by_step(stretched):
    w = Value(1.0)
    loss = jit(lambda x, y: (w * sum(x) - y) ** 2)
    samples = [([1.0] * (1 + k % 2), 3.0) for k in range(40)]
    fit(loss, data.DataLoader(samples, 4), optim.SGD([w], lr=0.01), 20, progress=False)
    assert not stretched
    assert w.data > 1


# ---- what may happen on the way --------------------------------------------------------------------------------------


def test_a_number_that_is_not_finite(stretched):
    def diverge(run, **kwargs):
        with pytest.raises(ValueError, match=r"layers|power|overflow|sample") as error:
            run.fit(100, **kwargs)
        return str(error.value), run.seen()

    one, other = (Run(size=70, lr=40.0, weight_decay=1.0) for _ in range(2))
    message, seen = diverge(one)
    assert (message, seen) == diverge(other, **STEP_BY_STEP)
    assert stretched.has_stopped
    assert all(math.isfinite(p.data) for p in one.parameters)


@pytest.mark.usefixtures("stretched")
def test_ctrl_c_leaves_as_many_epochs_as_steps(monkeypatch):
    def interrupted(*arguments):
        done = train(*arguments)
        if run.optimizer.steps > 20:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(stretch, "train", interrupted)
    run = Run(size=70)
    history = fit(run.loss, run.loader, run.optimizer, 500, progress=False)
    assert history.interrupted
    assert 20 < run.optimizer.steps == len(history.loss) < 500
    assert run.seen()[:3] == Run(size=70).fit(run.optimizer.steps, **STEP_BY_STEP).seen()[:3]


@pytest.mark.usefixtures("stretched")
def test_another_thread_may_look_at_any_time(monkeypatch):
    def looked_at(*arguments):
        done = train(*arguments)
        looks.append(one.parameters[0].data)
        return done

    looks = []
    one, other = Run(optim.Adam), Run(optim.Adam)
    monkeypatch.setattr(stretch, "train", looked_at)
    assert one.fit(30).seen() == other.fit(30, **STEP_BY_STEP).seen()
    assert looks


@pytest.mark.usefixtures("stretched")
def test_what_another_thread_sets_is_not_lost(monkeypatch):
    def changed(*arguments):
        done = train(*arguments)
        if not places and one.optimizer.steps > 10:
            places.append(one.optimizer.steps)
            one.parameters[0].data = 5.0
            assert one.loss.residence.take()
        return done

    places = []
    one, other = Run(size=70), Run(size=70)
    monkeypatch.setattr(stretch, "train", changed)
    one.fit(30)
    other.fit(places[0], **STEP_BY_STEP)
    other.parameters[0].data = 5.0
    other.fit(30 - places[0], **STEP_BY_STEP)
    assert one.seen() == other.seen()


def test_callbacks_see_every_epoch(stretched):
    def watch(run, seen):
        return lambda history: seen.append((history.loss[-1], [(p.data, p.grad) for p in run.parameters[:3]]))

    one, other = Run(), Run()
    mine, theirs = [], []
    one.fit(callbacks=[watch(one, mine)])
    other.fit(callbacks=[watch(other, theirs)], **STEP_BY_STEP)
    assert mine == theirs
    assert len({row[0] for row in mine}) == 8
    assert stretched


def test_metrics_and_held_out_samples(stretched):
    kwargs = {"held_out": SAMPLES[:5], "progress": False}
    histories = []
    for more in ({}, STEP_BY_STEP):
        run = Run()
        metric = lambda x, y, run=run: run.model(x).data * y > 0
        histories.append(fit(run.loss, run.loader, run.optimizer, 6, metric=metric, **kwargs, **more))
    assert histories[0] == histories[1]
    assert len(histories[0].held_out_metric) == 6
    assert stretched


def test_a_terminal_counts_every_epoch(stretched, monkeypatch, capsys):
    tqdm = pytest.importorskip("tqdm.std")
    monkeypatch.setattr("tqdm.auto.tqdm", type("Notebook", (tqdm.tqdm,), {}))
    Run(size=70).fit(60, progress=True)
    shown = capsys.readouterr().err
    assert "60/60" in shown
    assert "loss" in shown
    assert sum(stretched) > 40


# ---- what a stretch does not do --------------------------------------------------------------------------------------


class Own(optim.SGD):
    taken = 0

    def step(self):
        self.taken += 1
        super().step()


class OwnSchedule(optim.Schedule):
    def lr(self, t):
        return self.base / (1 + self.optimizer.steps) + 0 * t


def test_an_optimizer_of_ones_own_takes_its_steps(stretched):
    run = Run(Own).fit()
    assert run.optimizer.taken == 40
    assert not stretched


def test_a_step_that_was_replaced(stretched):
    run, calls = Run(), []
    step = run.optimizer.step
    run.optimizer.step = lambda: (calls.append(1), step())
    run.fit()
    assert len(calls) == 40
    assert not stretched


@pytest.mark.parametrize("wrap", [OwnSchedule, lambda o: optim.WarmupLR(o, 4, then=OwnSchedule(o))])
def test_a_schedule_of_ones_own_is_asked_at_every_step(stretched, wrap):
    run = Run(schedule=wrap).fit()
    assert run.optimizer.lr == 0.05 / 41
    assert not stretched


def test_a_schedule_of_another_optimizer(stretched):
    run, other = Run(), optim.SGD([Value(1.0)], lr=1.0)
    run.schedule = optim.StepLR(other, 10, 0.5)
    run.fit()
    assert (run.optimizer.lr, other.lr) == (0.05, 0.0625)
    assert not stretched


def test_a_short_training_loads_nothing_for_it(monkeypatch):
    monkeypatch.setattr(stretch, "train", None)
    Run().fit(5)


# ---- when samples are compared ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stretched")
def test_what_a_tape_cannot_see_is_found_in_a_long_training():
    run = Run(size=70)
    loss, knots = run.loss.function, [0]

    def changing(x, y):
        return loss(x, y) * (1.0 if knots[0] < 30 else 2.0)

    def count(*_):
        knots[0] += 1

    run.loss = jit(changing)
    with pytest.raises(ValueError, match="on the tape, but"):
        run.fit(100, callbacks=[count])


@mock.patch("micrograd.checks.EVERY", 500)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), max_size=60))
def test_steps_that_are_free_of_checks(batches):
    class Track:
        numbers = (0.0,)

    class Counted(Checks):
        compared = 0

        def compare(self, *_):
            self.compared += 1

        compare_results = compare

    Track.tape = type("Tape", (), {"size": 10})
    one, other = Counted(Track), Counted(Track)
    for size, n in batches:
        free = min(n, one.free(size))
        one.passed([size] * free)
        before = other.compared
        for _ in range(free):
            other.of_replay([], None, None, range(size), None)
        assert other.compared == before
        one.of_replay([], None, None, range(size), None)
        other.of_replay([], None, None, range(size), None)
    assert vars(one).keys() == vars(other).keys()
    assert (one.replays, one.replayed, one.compared) == (other.replays, other.replayed, other.compared)
