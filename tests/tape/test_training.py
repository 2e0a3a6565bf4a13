"""Training on arrays: the numbers of the loop on Values, true when read, and always those of a whole step."""

import math
import random
import signal

import numpy as np
import pytest
from interrupt import interrupted_at

from micrograd import Training, Value, accumulate, data, dot, fit, jit, losses, nn, optim
from micrograd.tape.training import ArrayTrainer

PAIRS = [([random.Random(k).gauss(0, 1), random.Random(k + 99).gauss(0, 1)], 1 - 2 * (k % 2)) for k in range(24)]
BATCHES = [PAIRS[:10], PAIRS[10:20], PAIRS[20:]]  # the last one is ragged


class Case:
    """A small network with its loss and optimizer; made anew, it starts from the same numbers."""

    def __init__(self, make=lambda p: optim.SGD(p, 0.1), recorded=True, frozen=0, extra=0):
        random.seed(4)
        self.model = nn.MLP(2, [4, 1], activation="tanh")
        self.parameters = self.model.parameters()
        self.optimizer = make([*self.parameters[frozen:], *[Value(0.5) for _ in range(extra)]])
        self.loss = jit(self.plain) if recorded else self.plain

    def plain(self, x, y):
        return losses.hinge(self.model(x), y)

    def state(self):
        optimizer = self.optimizer
        numbers = [p.data for p in optimizer.parameters]
        return numbers, [list(map(float, column)) for column in optimizer.state], optimizer.steps, optimizer.lr


def by_hand(case, batches, schedule=None, max_norm=None, reduction="mean"):
    """The loop on Values that a Training stands for."""
    errors = []
    for batch in batches:
        case.optimizer.zero_grad()
        errors.append(accumulate(case.plain, batch, reduction))
        if max_norm is not None:
            optim.clip_grad_norm(case.optimizer.parameters, max_norm)
        case.optimizer.step()
        if schedule is not None:
            schedule.step()
    return errors


def close(found, expected):
    (numbers, state, *counts), (wanted, wanted_state, *wanted_counts) = found, expected
    assert numbers == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    for column, other in zip(state, wanted_state, strict=True):
        assert column == pytest.approx(other, rel=1e-9, abs=1e-12)
    assert counts == pytest.approx(wanted_counts)


class Shrinking(optim.SGD):
    """A rule of somebody's own, with a setting, a question and the count of steps."""

    def __init__(self, parameters, lr, least=0.2137):
        super().__init__(parameters, lr, momentum=0.5)
        self.least = least

    def rule(self, w, g, *state):
        new, velocity = super().rule(w, g, *state)
        return (new * (1 - 0.01 / self.steps) if abs(g) > self.least else new), velocity


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, 0.1),
    "nesterov": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "rmsprop": lambda p: optim.RMSprop(p, 0.003, momentum=0.5),
    "adam": lambda p: optim.Adam(p, 0.01),
    "adamw": lambda p: optim.AdamW(p, 0.01),
    "of one's own": lambda p: Shrinking(p, 0.1),
}


# ---- the same numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    "options",
    [{}, {"max_norm": 0.05}, {"schedule": True}, {"reduction": "sum"}, {"write_back": False}, {"known": True}],
)
def test_steps_are_those_of_the_loop_on_values(name, options):
    options = dict(options)
    plain, fast = Case(OPTIMIZERS[name], recorded=False), Case(OPTIMIZERS[name])
    schedules = (
        [optim.CosineLR(c.optimizer, 20) for c in (plain, fast)] if options.pop("schedule", False) else [None] * 2
    )
    write_back, known = options.pop("write_back", True), options.pop("known", False)
    expected = by_hand(plain, BATCHES * 4, schedules[0], **options)
    with Training(
        fast.loss,
        fast.optimizer,
        schedule=schedules[1],
        write_back=write_back,
        samples=PAIRS if known else (),
        **options,
    ) as training:
        assert isinstance(training._trainer, ArrayTrainer)
        errors = [training.step(batch) for batch in BATCHES * 4]
    assert errors == pytest.approx(expected, rel=1e-9)
    close(fast.state(), plain.state())


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_fit_takes_the_same_steps(name, shuffle):
    results = []
    for recorded in (False, True):
        case = Case(OPTIMIZERS[name], recorded)
        schedule = optim.StepLR(case.optimizer, 7, 0.9)
        loader = data.DataLoader(PAIRS, 10, shuffle=shuffle, seed=3)
        history = fit(case.loss, loader, case.optimizer, 30, schedule=schedule, progress=False)
        results.append((history.loss, case.state(), schedule.steps))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-9)
    close(results[1][1], results[0][1])
    assert results[1][2] == results[0][2] == 90


def test_fit_has_the_bits_of_step_by_step():
    """However many steps are taken in one call, and with callbacks in between or not."""
    found = []
    for callbacks in ([], [lambda _: None]):
        case = Case(OPTIMIZERS["adam"])
        fit(case.loss, data.DataLoader(PAIRS, 10), case.optimizer, 20, callbacks=callbacks, progress=False)
        found.append(case.state())
    case = Case(OPTIMIZERS["adam"])
    with Training(case.loss, case.optimizer) as training:
        for batch in BATCHES * 20:
            training.step(batch)
    assert found[0] == found[1] == case.state()


def test_frozen_parameters_and_those_of_other_losses():
    results = []
    for recorded in (False, True):
        case = Case(OPTIMIZERS["nesterov"], recorded, frozen=5, extra=2)
        for p in case.parameters:
            p.grad = 0.0
        fit(case.loss, BATCHES, case.optimizer, 3, progress=False)
        frozen = case.parameters[:5]
        results.append(([p.data for p in frozen], [p.grad for p in frozen], case.state()))
    assert results[1][0] == results[0][0]
    assert results[1][1] == pytest.approx(results[0][1], rel=1e-9)  # nobody zeroes those
    close(results[1][2], results[0][2])


def test_samples_of_several_shapes():
    w = [Value(0.1 * k) for k in range(4)]

    def loss(x, y):
        return (dot(w[: len(x)], x).tanh() - y) ** 2

    samples = [([1.0] * (1 + k % 4), 0.1 * k) for k in range(20)]
    results = []
    for function in (loss, jit(loss)):
        for k, p in enumerate(w):
            p.data = 0.1 * k
        optimizer = optim.Adam(w, 0.05)
        fit(function, data.DataLoader(samples, 7), optimizer, 5, progress=False, max_norm=0.5)
        results.append([p.data for p in w])
    assert results[1] == pytest.approx(results[0], rel=1e-9)


@pytest.mark.parametrize("kind", ["step", "rule", "schedule", "executor"])
def test_what_is_code_of_ones_own_runs_at_every_step(kind):
    """An optimizer with its own step, a rule that is more than arithmetic, a schedule that looks at the parameters."""
    from concurrent.futures import ThreadPoolExecutor

    seen = []

    class OwnStep(optim.SGD):
        def step(self):
            seen.append([p.data for p in self.parameters])
            super().step()

    class OwnRule(optim.SGD):
        def rule(self, w, g, *state):
            seen.append(math.floor(float(w)))
            return super().rule(w, g, *state)

    class OwnSchedule(optim.Schedule):
        def lr(self, t):
            seen.append([p.data for p in self.optimizer.parameters])
            return self.base / (1 + t)

    results = []
    for recorded in (False, True):
        seen.clear()
        make = {"step": lambda p: OwnStep(p, 0.1), "rule": lambda p: OwnRule(p, 0.1)}.get(kind, OPTIMIZERS["sgd"])
        case = Case(make, recorded)
        schedule = OwnSchedule(case.optimizer) if kind == "schedule" else None
        with ThreadPoolExecutor(2) as pool:
            executor = pool if kind == "executor" else None
            fit(case.loss, BATCHES, case.optimizer, 4, progress=False, schedule=schedule, executor=executor)
        results.append((case.state(), len(seen)))
    close(results[1][0], results[0][0])
    assert results[1][1] == results[0][1]


# ---- what one reads is true ------------------------------------------------------------------------------------------


def test_after_a_step_everything_is_as_after_the_step():
    plain, fast = Case(OPTIMIZERS["adam"], recorded=False), Case(OPTIMIZERS["adam"])
    with Training(fast.loss, fast.optimizer) as training:
        for batch in BATCHES:
            training.step(batch)
            by_hand(plain, [batch])
            close(fast.state(), plain.state())
            assert {p.grad for p in fast.parameters} == {0.0}
            assert training.gradients() == pytest.approx([p.grad for p in plain.parameters], rel=1e-9, abs=1e-12)
            training.sync()
            assert [p.grad for p in fast.parameters] == training.gradients()
    assert {p.grad for p in fast.parameters} == {0.0}
    assert all(type(column) is list for column in fast.optimizer.state)


def test_a_checkpoint_inside_is_where_a_later_run_goes_on():
    unbroken, first, second = (Case(OPTIMIZERS["adam"]) for _ in range(3))
    with Training(first.loss, first.optimizer) as training:
        for batch in BATCHES:
            training.step(batch)
        saved = first.model.state_dict(), first.optimizer.state_dict()
        training.step(PAIRS)
    second.model.load_state_dict(saved[0])
    second.optimizer.load_state_dict(saved[1])
    for case, batches in ((unbroken, BATCHES * 2), (second, BATCHES)):
        with Training(case.loss, case.optimizer) as training:
            for batch in batches:
                training.step(batch)
    assert second.state() == unbroken.state()


@pytest.mark.parametrize("write_back", [True, False])
def test_what_is_set_is_taken_over(write_back):
    """Weights that are clipped, a learning rate, the optimizer's state."""
    results = []
    for recorded in (False, True):
        case = Case(OPTIMIZERS["nesterov"], recorded)
        with Training(case.loss, case.optimizer, write_back=write_back) as training:
            for batch in BATCHES * 2:
                training.step(batch)
                training.sync()
                for p in case.parameters:
                    p.data = max(-0.4, min(0.4, p.data))
                case.optimizer.lr *= 0.9
                case.optimizer.state[0][2] = 0.25
        results.append(case.state())
    close(results[1], results[0])


def test_a_learning_rate_set_between_syncs_counts():
    results = []
    for recorded in (False, True):
        case = Case(recorded=recorded)
        with Training(case.loss, case.optimizer, write_back=False) as training:
            training.step(PAIRS)
            case.optimizer.lr = 0.01
            training.step(PAIRS)
        results.append(case.state())
    close(results[1], results[0])


def test_callbacks_that_set_weights_are_taken_over():
    results = []
    for recorded in (False, True):
        case, best = Case(OPTIMIZERS["adam"], recorded), []

        def restore(history, case=case, best=best):
            best.append([p.grad for p in case.parameters])
            if len(history.loss) == 3:
                for p in case.parameters:
                    p.data = 0.1

        fit(case.loss, BATCHES, case.optimizer, 6, callbacks=[restore], progress=False)
        results.append((case.state(), best))
    close(results[1][0], results[0][0])
    for found, expected in zip(results[1][1], results[0][1]):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)  # grad is the last batch's, as on Values


def test_without_write_back_a_parameter_that_is_set_raises():
    case = Case()

    def set_one_between_steps():
        with Training(case.loss, case.optimizer, write_back=False) as training:
            training.step(PAIRS)
            case.parameters[1].data = 7.0
            training.step(PAIRS)
            training.sync()

    with pytest.raises(ValueError, match=r"layers\.0\.neurons\.0\.weights\.1 was set to 7\.0 while .* call sync"):
        set_one_between_steps()
    other = Case()
    by_hand(other, [PAIRS, PAIRS])
    close(case.state(), other.state())  # and nothing was lost


@pytest.mark.parametrize("write_back", [True, False])
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_leaving_by_an_error_writes_the_last_whole_step(write_back, error):
    case, other = Case(OPTIMIZERS["adam"]), Case(OPTIMIZERS["adam"])

    def train():
        with Training(case.loss, case.optimizer, write_back=write_back) as training:
            training.step(PAIRS)
            raise error

    with pytest.raises(error):
        train()
    by_hand(other, [PAIRS])
    close(case.state(), other.state())


def test_a_step_that_is_not_finite_raises_as_on_values():
    errors = []
    for recorded in (False, True):
        case = Case(lambda p: optim.SGD(p, 1e308), recorded)
        with pytest.raises(ValueError, match=r"no parameter was changed|not finite|the result is") as error:
            fit(case.loss, [PAIRS] * 50, case.optimizer, progress=False)
        errors.append((str(error.value).split("(")[0], case.optimizer.steps))
    assert errors[0] == errors[1]


def test_a_training_has_its_block():
    case = Case()
    training = Training(case.loss, case.optimizer)
    with pytest.raises(ValueError, match="in its block only"):
        training.step(PAIRS)
    with training:
        training.step(PAIRS)
    with pytest.raises(ValueError, match="in its block only"):
        training.sync()


@pytest.mark.parametrize("recorded", [False, True])
def test_bad_arguments(recorded):
    case = Case(recorded=recorded)
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'sum', got 'max'"):
        Training(case.loss, case.optimizer, reduction="max")
    with pytest.raises(ValueError, match="max_norm must be >= 0, got -1"):
        Training(case.loss, case.optimizer, max_norm=-1)
    with pytest.raises(ValueError, match="one sample at least"), Training(case.loss, case.optimizer) as training:
        training.step([])


# ---- numbers from outside --------------------------------------------------------------------------------------------


def test_a_number_that_anneals_between_epochs():
    """It is looked at again after each callback, and no program is compiled for it."""
    results = []
    for wrap in (lambda f: f, jit):
        w, beta = Value(1.0), [1.0]
        loss = wrap(lambda x, w=w, beta=beta: (w * x - beta[0]) ** 2)

        def anneal(_, beta=beta):
            beta[0] *= 0.9

        fit(loss, [[0.5, 1.0, 2.0]], optim.SGD([w], 0.1), 12, callbacks=[anneal], progress=False)
        results.append(w.data)
    assert results[1] == pytest.approx(results[0], rel=1e-9)


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


def whole_states(make, batches, epochs):
    """What there is after 0, 1, 2, … steps, on arrays."""
    case = Case(make)
    schedule = optim.StepLR(case.optimizer, 2, 0.9)
    states = [(*case.state(), schedule.steps)]
    with Training(case.loss, case.optimizer, schedule=schedule) as training:
        for batch in batches * epochs:
            training.step(batch)
            states.append((*case.state(), schedule.steps))
    return states


def assert_whole(case, schedule, states, history=None):
    now = (*case.state(), schedule.steps)
    assert now in states, f"torn: {now}"
    assert {p.grad for p in case.parameters} == {0.0}
    steps = now[2]
    if history is not None and history.interrupted:
        assert len(history.loss) == steps // len(BATCHES)
    return steps


@pytest.mark.parametrize("callbacks", [0, 1])
def test_ctrl_c_at_any_call_of_fit_leaves_a_whole_step(callbacks):
    make, epochs = OPTIMIZERS["adam"], 3
    states = whole_states(make, BATCHES, epochs)
    reached = set()
    for call in range(1, 20_000, 7):
        case = Case(make)
        schedule = optim.StepLR(case.optimizer, 2, 0.9)
        accumulate(case.loss, PAIRS)  # recorded before
        case.optimizer.zero_grad()
        histories = []

        def train(case=case, schedule=schedule, histories=histories):
            histories.append(
                fit(
                    case.loss,
                    BATCHES,
                    case.optimizer,
                    epochs,
                    schedule=schedule,
                    callbacks=[lambda _: None] * callbacks,
                    progress=False,
                )
            )

        done = interrupted_at(call, train)
        now = (*case.state(), schedule.steps)
        assert now in states, (call, now)
        reached.add(now[2])
        if done and not (histories and histories[0].interrupted):
            break
    else:
        raise AssertionError("it has no end")
    assert {0, 9} <= reached


def test_real_signals_leave_a_whole_step_and_the_next_run_goes_on():
    """An alarm at moments spread over a run; 100 of them in a row."""
    make, epochs = OPTIMIZERS["nesterov"], 40
    states = whole_states(make, BATCHES, epochs)
    place = {repr(state): k for k, state in enumerate(states)}

    armed = []

    def interrupt(_, frame):
        if not armed:  # it comes just before the run, or just after
            return
        ours = frame.f_globals.get("__name__", "").startswith("micrograd.") or frame.f_globals is globals()
        while ours and frame is not None:
            ours, frame = frame.f_code.co_name != "__del__", frame.f_back
        if not ours:  # in a callback of the collector or a finaliser, say, Python prints the error and goes on
            signal.setitimer(signal.ITIMER_REAL, 0.0001)
            return
        armed.clear()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    settings, interrupted = np.geterr(), 0
    try:
        for k in range(100):
            case = Case(make)
            schedule = optim.StepLR(case.optimizer, 2, 0.9)
            accumulate(case.loss, PAIRS)
            case.optimizer.zero_grad()
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + 0.0001 * k)
                armed.append(True)
                for _ in range(3):  # until the alarm has come
                    with Training(case.loss, case.optimizer, schedule=schedule) as training:
                        for batch in BATCHES * epochs:
                            training.step(batch)
                armed.clear()
            except KeyboardInterrupt:
                interrupted += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            if case.optimizer.steps < len(states):
                steps = place.get(repr((*case.state(), schedule.steps)))
                assert steps == case.optimizer.steps, "torn"
                with Training(case.loss, case.optimizer, schedule=schedule) as training:
                    for batch in (BATCHES * (epochs + 1))[steps : steps + 3]:
                        training.step(batch)
                if steps + 3 < len(states):
                    assert (*case.state(), schedule.steps) == states[steps + 3]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted
    assert np.geterr() == settings


# ---- what somebody sets ----

SAMPLES = [(0.5, 1.0), (1.5, -0.5), (-1.0, 2.0), (2.0, 0.3)]


def line(wrap, make, **values):
    """A parameter, an optimizer for it, and the squared error of a line through 0."""
    w = Value(1.0, label="w")
    return w, make([w], **values), wrap(lambda x, y: (w * x - y) ** 2)


def alike(use):
    """``use`` gives with a recorded loss what it gives with the plain one."""
    expected = use(lambda function: function)
    assert use(jit) == pytest.approx(expected, rel=1e-12)


def test_what_is_set_after_the_last_step_stays():
    def use(wrap):
        w, optimizer, loss = line(wrap, optim.Adam, lr=0.01)
        with Training(loss, optimizer) as training:
            training.step(SAMPLES)
            w.data, optimizer.lr, optimizer.steps, optimizer.state = 5.0, 0.5, 3, [[7.0], [8.0]]
            training.sync()
            synced = w.grad
            w.data = 6.0
        return [w.data, optimizer.lr, optimizer.steps, *optimizer.state[0], *optimizer.state[1], synced]

    alike(use)


def test_settings_that_are_set_between_steps_count():
    def use(wrap):
        w, optimizer, loss = line(wrap, optim.SGD, lr=0.1)
        with Training(loss, optimizer) as training:
            for k in range(4):
                optimizer.weight_decay = 0.1 * k
                training.step(SAMPLES)
        return w.data

    alike(use)


def test_settings_that_a_callback_sets_count():
    def use(wrap):
        w, optimizer, loss = line(wrap, optim.SGD, lr=0.1, momentum=0.9)
        fit(loss, [SAMPLES], optimizer, 4, callbacks=[lambda _: setattr(optimizer, "momentum", 0.5)], progress=False)
        return w.data

    alike(use)


def test_settings_with_which_the_rule_cannot_be_compiled():
    class Rounded(optim.SGD):
        digits = None

        def rule(self, w, g):
            return (w - self.lr * (g if self.digits is None else round(g, self.digits)),)

    def use(wrap):
        w, optimizer, loss = line(wrap, Rounded, lr=0.1)
        with Training(loss, optimizer) as training:
            training.step(SAMPLES)
            optimizer.digits = 1
            training.step(SAMPLES)
        return w.data

    alike(use)


def test_what_a_rule_takes_from_outside_is_looked_at_again():
    scale = [1.0]

    class Scaled(optim.Optimizer):
        factor = 1.0

        def rule(self, w, g):
            return (w - self.lr * scale[0] * self.factor * g,)

    def use(wrap):
        scale[0] = Scaled.factor = 1.0
        w, optimizer, loss = line(wrap, Scaled, lr=0.1)
        fit(loss, [SAMPLES], optimizer, 2, callbacks=[lambda _: scale.__setitem__(0, 0.5)], progress=False)
        Scaled.factor = 0.1
        fit(loss, [SAMPLES], optimizer, progress=False)
        Scaled.rule = lambda self, w, g: (w - 0.01 * g,)
        fit(loss, [SAMPLES], optimizer, progress=False)
        return w.data

    rule = Scaled.rule
    expected = use(lambda function: function)
    Scaled.rule = rule
    assert use(jit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("write_back", [True, False])
def test_gradients_of_frozen_parameters_when_another_shape_brings_more_of_them(write_back):
    def use(wrap):
        w, first, second = Value(1.0), Value(2.0), Value(3.0)

        def loss(xs):
            error = w * first * xs[0]
            return (error if len(xs) == 1 else error + w * second * xs[1]) ** 2

        with Training(wrap(loss), optim.SGD([w], lr=0.001), write_back=write_back) as training:
            for batch in [[[1.0]], [[1.0, 2.0]], [[2.0]]]:
                training.step(batch)
        return [w.data, first.grad, second.grad]

    alike(use)


def test_a_learning_rate_set_while_nothing_is_written_back():
    w, optimizer, loss = line(jit, optim.SGD, lr=0.1)
    with Training(loss, optimizer, write_back=False) as training:
        training.step(SAMPLES)
        optimizer.lr = 0.5
    assert optimizer.lr == 0.5
    assert w.data != 1.0


CHANGES = {
    "steps": lambda optimizer, _: setattr(optimizer, "steps", 7),
    "schedule": lambda _, schedule: setattr(schedule, "steps", 7),
    "load": lambda optimizer, _: optimizer.load_state_dict(optimizer.state_dict()),
    "in place": lambda optimizer, _: optimizer.state[0].__setitem__(0, 2.0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_state_set_while_nothing_is_written_back_is_told(change):
    _, optimizer, loss = line(jit, optim.SGD, lr=0.1, momentum=0.9)
    schedule = optim.StepLR(optimizer, 100)
    with Training(loss, optimizer, write_back=False, schedule=schedule) as training:
        training.step(SAMPLES)
        change(optimizer, schedule)
        with pytest.raises(ValueError, match="the optimizer's state, or a count of steps, was set while its numbers"):
            training.sync()
        training.sync()
        assert optimizer.steps == 1
        change(optimizer, schedule)  # after sync, it may be set
        training.step(SAMPLES)


def test_a_training_is_entered_once_at_a_time():
    _, optimizer, loss = line(jit, optim.SGD, lr=0.1)
    with Training(loss, optimizer, write_back=False) as training:
        training.step(SAMPLES)
        with pytest.raises(ValueError, match="this Training is in its block already"), training:
            pass
        training.step(SAMPLES)
    assert optimizer.steps == 2
    with training:
        training.step(SAMPLES)
    assert optimizer.steps == 3


@pytest.mark.parametrize("name", ["lr", "steps"])
def test_a_loss_that_takes_a_number_from_the_optimizer(name):
    def use(wrap):
        w, optimizer, _ = line(wrap, optim.SGD, lr=0.05)
        schedule = optim.CosineLR(optimizer, 20)
        loss = wrap(lambda x, y: (w * x * optimizer.lr if name == "lr" else w * x - optimizer.steps) ** 2 + w * y)
        fit(loss, [SAMPLES, SAMPLES[:2]] * 4, optimizer, 2, schedule=schedule, progress=False)
        return w.data

    alike(use)


@pytest.mark.parametrize("recorded", [False, True])
def test_an_optimizer_of_another_model_says_so_once(recorded):
    case, other = Case(recorded=recorded), Case(recorded=recorded)
    with pytest.warns(UserWarning, match="no backward pass has reached any of this SGD's 17 parameters") as warned:
        fit(case.loss, BATCHES, other.optimizer, 2, progress=False)
    assert len(warned) == 1
