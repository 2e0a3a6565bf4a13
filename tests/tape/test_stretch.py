"""Stretches of training: the same bits as step by step, in all that can be seen."""

import itertools
import math
import random
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interrupt import interrupted_at

from micrograd import Value, accumulate, data, fit, jit, losses, nn, optim
from micrograd.tape import replay, stretch
from micrograd.tape.checks import Checks
from micrograd.tape.kernels import train
from micrograd.tape.packed import packed

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
        lengths.has_stopped |= lengths[-1] < len(arguments[7])
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


@pytest.mark.parametrize("before", [0, 5])
def test_parameters_that_the_loss_does_not_use(stretched, before):
    one, other = Run(), Run()
    for run in (one, other):
        for _ in range(before):
            accumulate(run.loss, SAMPLES)  # then the tape has those alone that it uses, in its own order
        run.others = [Value(7.0), Value(8.0)]
        mixed = [run.others[0], *run.parameters[::-1], run.others[1]]
        run.optimizer = optim.SGD(mixed, lr=0.05, weight_decay=0.1)
    assert one.fit().seen() == other.fit(**STEP_BY_STEP).seen()
    shrunk = (1 - 0.05 * 0.1) ** 40
    assert [v.data for v in one.others] == [v.data for v in other.others] == pytest.approx([7 * shrunk, 8 * shrunk])
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


def test_a_batch_that_is_listed_often_is_packed_once():
    run = Run()
    packs = packed(run.loss, [SAMPLES[:30]] * 200 + [SAMPLES[30:]], False)
    assert len(packs.pack.samples) == 70
    assert [len(batch) for batch in packs] == [30] * 200 + [40]
    assert packed(run.loss, batches := [SAMPLES[:30]], True) is batches


class Shifted(list):
    def __iter__(self):
        return (([u + 1, v], y) for (u, v), y in super().__iter__())


class ShiftedLoader(data.DataLoader):
    def __iter__(self):
        return map(Shifted, super().__iter__())


@pytest.mark.parametrize("batches", [[Shifted(SAMPLES)], ShiftedLoader(SAMPLES, 20)])
def test_batches_that_make_their_samples_themselves(batches):
    one, other = Run(), Run()
    one.loader = other.loader = batches
    other.loss = other.loss.function
    assert one.fit().history == pytest.approx(other.fit().history, rel=1e-9)


def test_a_wrong_sample_is_told_of_at_its_batch():
    run = Run()
    run.loader = [SAMPLES[:30], [*SAMPLES[:3], ("x", 1)]]
    with pytest.raises(TypeError, match="sample 3 of the batch"):
        run.fit()
    assert run.optimizer.steps == 1


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


def test_ctrl_c_at_any_time_leaves_all_of_one_count(stretched):
    for call in itertools.count(1, 29):
        run, histories = Run(optim.Adam, SCHEDULES[1], size=70), []

        def training(run=run, histories=histories):
            more = {"schedule": run.schedule, "progress": False}
            histories.append(fit(run.loss, run.loader, run.optimizer, 40, **more))

        if interrupted_at(call, training) and not histories[0].interrupted:
            break
        for history in histories:
            assert 0 <= run.optimizer.steps - len(history.loss) <= 1
        steps = run.schedule.steps
        assert 0 <= run.optimizer.steps - steps <= 1
        assert run.optimizer.lr in (run.schedule.lr(steps), run.schedule.lr(max(steps - 1, 0)))
    assert call > 1000
    assert sum(stretched) > 1000


def test_a_state_that_another_thread_loads_is_not_lost(monkeypatch, stretched):
    def loading(*arguments):
        done = train(*arguments)
        if run.optimizer.steps == 32 and not loaded:
            loaded.append(True)
            run.optimizer.load_state_dict({**run.optimizer.state_dict(), "steps": 0, "lr": 0.001})
        return done

    run, loaded = Run(optim.Adam, size=70), []
    monkeypatch.setattr(stretch, "train", loading)
    run.fit(100)
    assert (run.optimizer.steps, run.optimizer.lr) == (68, 0.001)
    assert not stretched


def test_samples_are_added_and_batches_grow(stretched):
    def change(run, samples):
        def callback(history):
            if len(history.loss) == 2:
                samples.extend([([5.0, 0.1 * k], -1) for k in range(20)])
            if len(history.loss) == 4:
                run.loader.batch_size = 40

        return [callback]

    for shuffle in (False, True):
        runs = [Run(shuffle=shuffle) for _ in range(3)]
        for run, more in zip(runs, ({}, STEP_BY_STEP, {})):
            run.loader.samples = samples = [*SAMPLES]
            if run is runs[2]:
                run.loss = run.loss.function
            run.fit(callbacks=change(run, samples), **more)
        assert runs[0].seen() == runs[1].seen()
        assert runs[0].history == pytest.approx(runs[2].history, rel=1e-9)
        assert runs[0].optimizer.steps == runs[2].optimizer.steps == 2 * 5 + 2 * 6 + 4 * 3
    assert stretched


def test_batches_that_grow_beyond_a_piece(monkeypatch, stretched):
    monkeypatch.setattr(replay, "CHUNK_OPERANDS", 1)
    one, other = Run(optim.Adam, size=64), Run(optim.Adam, size=64)
    for run, more in ((one, {}), (other, STEP_BY_STEP)):
        run.loader.samples = SAMPLES * 6
        run.fit(callbacks=[lambda _, run=run: setattr(run.loader, "batch_size", 210)], **more)
    assert one.seen() == other.seen()
    assert stretched


def test_a_schedule_that_overflows_later(stretched):
    one, other = (Run(schedule=lambda o: optim.StepLR(o, 10, 1e10), lr=1e-300) for _ in range(2))
    messages = []
    for run, more in ((one, {}), (other, STEP_BY_STEP)):
        with pytest.raises(OverflowError) as error:
            run.fit(1000, **more)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert one.seen() == other.seen()
    assert sum(stretched) > 200


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


@pytest.mark.parametrize("name", ["step", "zero_grad"])
def test_a_method_that_was_replaced_in_the_class(monkeypatch, stretched, name):
    method, calls = getattr(optim.SGD, name), []
    monkeypatch.setattr(optim.SGD, name, lambda self: (calls.append(1), method(self)))
    Run().fit()
    assert len(calls) in (40, 41)
    assert not stretched


def test_other_attributes_do_not_matter(stretched):
    one, other = Run(optim.Adam), Run(optim.Adam)
    for run in (one, other):
        run.optimizer.tag, run.optimizer.model, run.optimizer.betas = [], run.model, [0.8, 0.9]
    assert one.fit().seen() == other.fit(**STEP_BY_STEP).seen()
    assert sum(stretched) > 20


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


@pytest.mark.parametrize("size", [391, 3200, 12500, 50000])
def test_a_check_that_is_due_twice(stretched, size):
    w = Value(1.0)
    samples = [(0.001 * k, 1.0) for k in range(size)]
    epochs = min(2200, 4_000_000 // size)
    fit(
        jit(lambda x, y: (w * x - y) ** 2), data.DataLoader(samples, None), optim.SGD([w], 1e-9), epochs, progress=False
    )
    assert stretched


@mock.patch("micrograd.tape.checks.EVERY", 500)
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
        assert one.free(size) >= 0
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
