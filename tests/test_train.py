import gc
import io
import math
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interrupt import interrupted_at

from micrograd import Value, accumulate, evaluate, fit, losses, nn, no_grad
from micrograd.data import DataLoader, DropoutLoader, pairs
from micrograd.engine import is_recording
from micrograd.optim import SGD, StepLR

SAMPLES = [(1.0, 3.0), (2.0, 2.0), (-1.0, 0.5), (0.5, 1.0), (1.5, -2.0)]


class Line:
    """h(x) = w·x with squared error, and its gradient worked out by hand."""

    def __init__(self, w=1.0):
        self.w = Value(w, label="w")
        self.optimizer = SGD([self.w], lr=0.1)

    def loss(self, x, y):
        return (self.w * x - y) ** 2

    def error(self, batch):
        return [(self.w.data * x - y) ** 2 for x, y in batch]

    def gradient(self, batch):
        return [2 * x * (self.w.data * x - y) for x, y in batch]

    def fit(self, batches=None, **kwargs):
        batches = DataLoader(SAMPLES, batch_size=2) if batches is None else batches
        return fit(self.loss, batches, self.optimizer, **{"progress": False, **kwargs})


@pytest.fixture
def line():
    return Line()


# ---- accumulate ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_accumulate_adds_the_gradients_and_returns_the_error(line, size, reduction):
    batch = SAMPLES[:size]
    share = 1 if reduction == "sum" else 1 / size
    line.w.grad = 10.0
    assert accumulate(line.loss, batch, reduction) == pytest.approx(share * sum(line.error(batch)), rel=1e-14)
    assert line.w.grad == pytest.approx(10.0 + share * sum(line.gradient(batch)), rel=1e-14)


class Endless:
    """A data set with a length and an index, as one writes for PyTorch, that never says where it ends."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i % len(self.items)]


def test_a_data_set_ends_at_its_length(line):
    data = Endless(SAMPLES)
    assert accumulate(line.loss, data) == accumulate(line.loss, SAMPLES)
    assert evaluate(line.loss, data) == evaluate(line.loss, SAMPLES)
    other = Line()
    assert (
        line.fit(Endless([SAMPLES[:2], SAMPLES[2:]]), epochs=2).loss
        == other.fit([SAMPLES[:2], SAMPLES[2:]], epochs=2).loss
    )
    assert Line().fit(DataLoader(data, 2)).loss == Line().fit().loss
    assert pairs(data, Endless([0] * 5)) == [(sample, 0) for sample in SAMPLES]
    with pytest.raises(TypeError, match="fit"):
        line.fit(data)


def test_the_mean_is_the_default(line):
    assert accumulate(line.loss, SAMPLES) == accumulate(line.loss, SAMPLES, reduction="mean")


@given(st.lists(st.tuples(*[st.floats(-5, 5)] * 3), min_size=1, max_size=6), st.sampled_from(["sum", "mean"]))
def test_sample_by_sample_equals_one_graph(rows, reduction):
    random.seed(0)
    model = nn.MLP(2, [3, 1], activation="tanh")
    samples = [((a, b), y) for a, b, y in rows]

    def loss(x, y):
        return losses.squared_error(model(x), y)

    error = accumulate(loss, iter(samples), reduction)
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    whole = sum(loss(x, y) for x, y in samples) / (1 if reduction == "sum" else len(samples))
    whole.backward()
    assert error == pytest.approx(whole.data, rel=1e-12)
    assert gradients == pytest.approx([p.grad for p in model.parameters()], rel=1e-12, abs=1e-12)


def test_one_graph_is_alive_at_a_time(line):
    alive = []

    def loss(x, y):
        alive.append(sum(type(thing) is Value for thing in gc.get_objects()))
        return line.loss(x, y)

    gc.collect()
    gc.disable()  # nothing waits for the collector
    try:
        accumulate(loss, SAMPLES)
    finally:
        gc.enable()
    assert alive == [alive[0]] * len(SAMPLES)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_as_it_was(line, enabled):
    def loss(x, y):
        seen.append(gc.isenabled())
        return (line.w * x - y).log() if x > 1 else line.loss(x, y)

    seen = []
    try:
        (gc.enable if enabled else gc.disable)()
        accumulate(loss, SAMPLES[:1])
        after = gc.isenabled()
        with pytest.raises(ValueError, match="sample 1"):
            accumulate(loss, [(0.5, 1.0), (2.0, 3.0)])
        assert (after, gc.isenabled()) == (enabled, enabled)
        assert seen == [False, False, False]
    finally:
        gc.enable()


def test_ctrl_c_leaves_the_garbage_collector_on(line):
    for call in range(1, 2000):
        done = interrupted_at(call, lambda: accumulate(line.loss, SAMPLES))
        assert gc.isenabled()
        if done:
            return
    raise AssertionError("it has no end")


def test_ctrl_c_leaves_recording_on(line):
    for call in range(1, 2000):
        done = interrupted_at(call, lambda: evaluate(line.loss, SAMPLES))
        assert is_recording()
        if done:
            return
    raise AssertionError("it has no end")


def test_samples_that_are_not_tuples_come_whole(line):
    seen = []

    def loss(*sample):
        seen.append(sample)
        return line.w * 1.0

    accumulate(loss, [[1.0, 2.0], 3.0, (4.0,), (5.0, 6.0, 7.0), "8"])
    assert seen == [([1.0, 2.0],), (3.0,), (4.0,), (5.0, 6.0, 7.0), ("8",)]


def test_a_batch_may_be_an_array(line):
    np = pytest.importorskip("numpy")
    accumulate(lambda row: line.loss(*row), np.array(SAMPLES), "sum")
    assert line.w.grad == pytest.approx(sum(line.gradient(SAMPLES)))


@pytest.mark.parametrize(
    ("loss", "batch", "reduction", "message"),
    [
        (Line().loss, [], "mean", "one sample at least"),
        (Line().loss, iter([]), "sum", "one sample at least"),
        (Line().loss, SAMPLES, "average", "'mean' or 'sum', got 'average'"),
        (lambda x, y: x - y, SAMPLES, "mean", "sample 0 of the batch: the loss must return a Value, got -2.0"),
        (lambda *_: None, SAMPLES, "mean", "sample 0 of the batch: the loss must return a Value, got None"),
        (lambda x, _: Value(x + 1).log(), SAMPLES, "mean", r"sample 2 of the batch: log\(0.0\)"),
        (lambda _, y: 1 / Value(y - 1), SAMPLES, "mean", r"sample 3 of the batch: div\(1.0, 0.0\)"),
        (lambda x, y: losses.cross_entropy([Value(x)], y), SAMPLES, "mean", "sample 0 of the batch: .* whole number"),
    ],
)
def test_accumulate_refuses(loss, batch, reduction, message):
    with pytest.raises((TypeError, ValueError), match=message):
        accumulate(loss, batch, reduction)


def test_nothing_accumulates_under_no_grad(line):
    with no_grad(), pytest.raises(ValueError, match="no_grad"):
        accumulate(line.loss, SAMPLES)


def test_a_loss_without_a_graph(line):
    def unrecorded(x, y):
        with no_grad():
            return line.loss(x, y)

    with pytest.raises(ValueError, match="no_grad"):  # it would silently add nothing
        accumulate(unrecorded, SAMPLES)


# ---- evaluate --------------------------------------------------------------------------------------------------------


def test_evaluate_is_the_mean(line):
    assert evaluate(line.loss, SAMPLES) == pytest.approx(sum(line.error(SAMPLES)) / 5)
    assert evaluate(lambda x, y: x > y, SAMPLES) == 1 / 5


def test_evaluate_records_nothing(line):
    assert evaluate(lambda *sample: len(line.loss(*sample).parents), SAMPLES) == 0


def test_evaluate_wants_a_sample(line):
    with pytest.raises(ValueError, match="one sample at least"):
        evaluate(line.loss, [])


# ---- fit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_fit_is_the_loop_by_hand(line, reduction):
    line.w.grad = 100.0  # left over from before; it must not leak in
    by_hand, expected = Line(), []
    for _ in range(3):
        errors = []
        for batch in (SAMPLES[:2], SAMPLES[2:4], SAMPLES[4:]):  # the last has one sample: its mean divides by 1
            errors += by_hand.error(batch)
            by_hand.w.data -= 0.1 * sum(by_hand.gradient(batch)) / (1 if reduction == "sum" else len(batch))
        expected.append(sum(errors) / 5)

    history = line.fit(epochs=3, reduction=reduction)
    assert line.w.data == pytest.approx(by_hand.w.data, rel=1e-12)
    assert history.loss == pytest.approx(expected, rel=1e-12)
    assert (line.w.grad, line.optimizer.steps, history.interrupted) == (0.0, 9, False)


def test_histories_of_loss_and_metric(line):
    states = []
    history = line.fit(
        epochs=4,
        metric=lambda x, _: line.w.data * x,
        held_out=[(10.0, 0.0), (20.0, 0.0)],
        callbacks=[lambda _: states.append(line.w.data)],
    )
    assert len(history.loss) == 4
    assert history.metric == pytest.approx([w * sum(x for x, _ in SAMPLES) / 5 for w in states])  # after each epoch
    assert history.held_out_loss == pytest.approx([w * w * 250 for w in states])
    assert history.held_out_metric == pytest.approx([w * 15 for w in states])
    parts = (history.loss, history.held_out_loss, history.metric, history.held_out_metric)
    assert history.summary() == "loss {:.4g} / {:.4g}, metric {:.4g} / {:.4g}".format(*[part[3] for part in parts])


def test_lists_without_a_source_stay_empty(line):
    history = line.fit(epochs=2)
    assert (history.metric, history.held_out_loss, history.held_out_metric) == ([], [], [])
    assert history.summary() == f"loss {history.loss[1]:.4g}"


def test_callbacks_see_the_history_and_a_true_answer_stops(line):
    seen = []

    def when_three(history):
        seen.append(len(history.loss))
        return len(history.loss) == 3

    history = line.fit(epochs=10, callbacks=[when_three, lambda h: seen.append(f"second {len(h.loss)}")])
    assert seen == [1, "second 1", 2, "second 2", 3, "second 3"]
    assert (len(history.loss), history.interrupted) == (3, False)


def test_the_schedule_steps_after_every_update(line):
    schedule = StepLR(line.optimizer, step_size=1, gamma=0.5)
    line.fit(epochs=2, schedule=schedule)
    assert schedule.steps == 6  # of 3 batches an epoch
    assert line.optimizer.lr == 0.1 * 0.5**6


def test_gradients_are_clipped(line):
    line.fit([SAMPLES], max_norm=0.01)
    assert line.w.data == pytest.approx(1.0 - 0.1 * math.copysign(0.01, sum(Line().gradient(SAMPLES))))


def stop_at(call, error, function):
    """``function``, but at that call (from 1) ``error`` is raised."""
    calls = iter(range(1, call))

    def wrapped(*args):
        if next(calls, None) is None:
            raise error
        return function(*args)

    return wrapped


def test_ctrl_c_keeps_what_was_learned(line):
    after_one_update = Line()
    after_one_update.fit([SAMPLES[:2]])
    line.loss = stop_at(4, KeyboardInterrupt, line.loss)  # within the second batch of two
    history = line.fit(epochs=3)
    assert (history.interrupted, history.loss) == (True, [])
    assert (line.w.data, line.w.grad, line.optimizer.steps) == (after_one_update.w.data, 0.0, 1)


@pytest.mark.parametrize("call", [1, 5, 8])
def test_ctrl_c_leaves_histories_of_one_length(line, call):
    history = line.fit(epochs=9, held_out=SAMPLES, metric=stop_at(call, KeyboardInterrupt, lambda *_: 1.0))
    assert history.interrupted
    assert len(history.loss) == len(history.metric) == len(history.held_out_loss) == len(history.held_out_metric)


@pytest.mark.parametrize("error", [ValueError, TypeError, RuntimeError, MemoryError])
def test_an_error_comes_through_and_leaves_gradients_zero(line, error):
    line.loss = stop_at(2, error("broken"), line.loss)  # the first sample has added its gradient
    with pytest.raises(error, match="broken"):
        line.fit()
    assert (line.w.data, line.w.grad) == (1.0, 0.0)


def test_a_diverging_run_stops_with_finite_weights():
    line = Line()
    line.optimizer.lr = 1e200
    with pytest.raises(ValueError, match=r"math range error|not finite|new value of w"):
        line.fit(epochs=10)
    assert math.isfinite(line.w.data)


def test_a_spent_iterator_is_no_epoch(line):
    with pytest.raises(ValueError, match="spent"):
        line.fit(iter([SAMPLES]), epochs=2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"batches": []}, "expected batches"),
        ({"batches": [[]]}, "one sample at least"),
        ({"reduction": "max"}, "'mean' or 'sum', got 'max'"),
        ({"max_norm": -1}, "max_norm"),
        ({"held_out": []}, "one sample at least"),
    ],
)
def test_fit_refuses(line, kwargs, message):
    with pytest.raises(ValueError, match=message):
        line.fit(**kwargs)
    assert (line.w.data, line.w.grad) == (1.0, 0.0)  # before anything was learned


# ---- progress --------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def bar_of(line, monkeypatch, stderr, **kwargs):
    monkeypatch.setattr(sys, "stderr", stderr)
    line.fit(epochs=2, progress=True, **kwargs)
    return stderr.getvalue()


def test_a_terminal_shows_progress(line, monkeypatch, capsys):
    pytest.importorskip("tqdm")
    shown = bar_of(line, monkeypatch, Terminal(), metric=lambda *_: 0.25)
    assert "2/2" in shown
    assert "loss" in shown
    assert "metric 0.25" in shown
    assert capsys.readouterr().out == ""


def test_a_file_gets_no_progress(line, monkeypatch, capsys):
    assert bar_of(line, monkeypatch, io.StringIO()) == ""
    assert capsys.readouterr().out == ""


def test_no_progress_if_not_wanted(line, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    line.fit(progress=False)
    assert sys.stderr.getvalue() == ""


def test_a_notebook_shows_progress_though_it_is_no_terminal(line, monkeypatch):
    std = pytest.importorskip("tqdm.std")
    monkeypatch.setattr("tqdm.auto.tqdm", type("Notebook", (std.tqdm,), {}))
    assert "2/2" in bar_of(line, monkeypatch, io.StringIO())


def test_the_bar_is_closed_after_an_error(line, monkeypatch):
    pytest.importorskip("tqdm")
    line.loss = lambda *_: 1.0
    stderr = Terminal()
    with pytest.raises(TypeError):
        bar_of(line, monkeypatch, stderr)
    assert stderr.getvalue().endswith("\n")


def test_training_goes_without_tqdm(line, monkeypatch):
    for name in ["tqdm", *(name for name in sys.modules if name.startswith("tqdm."))]:
        monkeypatch.setitem(sys.modules, name, None)  # importing it now raises ImportError
    assert bar_of(line, monkeypatch, Terminal()) == ""
    assert line.optimizer.steps == 6


def test_a_sample_in_the_place_of_a_batch(line):
    with pytest.raises(TypeError, match="expected a batch, a list of samples, got the sample"):
        accumulate(line.loss, SAMPLES[0])
    with pytest.raises(TypeError, match="for fit, see DataLoader"):
        fit(line.loss, SAMPLES, line.optimizer, progress=False)


@pytest.mark.parametrize("epochs", [-1, 2.5, "3"])
def test_epochs_are_a_whole_number(epochs):
    with pytest.raises(ValueError, match="epochs must be a whole number >= 0, got"):
        fit(Line().loss, [SAMPLES], SGD([Value(1.0)]), epochs, progress=False)


def test_training_with_dropout_is_reproducible():
    def trained():
        random.seed(0)
        model = nn.MLP(2, [4, 1])
        hidden, last = model.layers

        def loss(x, y, mask=None):
            return losses.hinge(last(nn.dropout(hidden(x), mask)), y)

        loader = DropoutLoader(DataLoader([([0.5, 1.0], 1), ([1.0, -0.5], -1)], 2, shuffle=True, seed=1), 4, seed=2)
        history = fit(loss, loader, SGD(model.parameters(), lr=0.1), 5, held_out=loader.loader.samples, progress=False)
        return history.loss, history.held_out_loss

    assert trained() == trained()
    assert trained()[0] != trained()[1]


def test_an_epoch_that_is_broken_off_is_not_measured_by_the_one_before():
    """The first epoch has one batch; the second is interrupted after two, and is no two epochs."""

    class Growing:
        epochs = 0

        def __iter__(self):
            self.epochs += 1
            yield SAMPLES[:2]
            if self.epochs == 2:
                yield SAMPLES[2:]
                raise KeyboardInterrupt

    history = Line().fit(Growing(), epochs=3)
    assert (history.interrupted, len(history.loss)) == (True, 1)


def test_gradients_of_threads_are_clipped_as_those_of_one():
    def trained(executor):
        line = Line()
        history = line.fit(epochs=3, max_norm=0.5, reduction="sum", executor=executor)
        return line.w.data, history.loss

    with ThreadPoolExecutor(2) as pool:
        assert trained(pool) == trained(None)
    unclipped = Line()
    unclipped.fit(epochs=3, reduction="sum")
    assert unclipped.w.data != trained(None)[0]
