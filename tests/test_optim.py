"""Optimizers against PyTorch's numbers (fixtures/optimizers.py made them); steps that are taken whole or not at all."""

import json
import math
from pathlib import Path

import pytest

from micrograd import Value, nn
from micrograd.optim import SGD, Adam, AdamW, CosineLR, RMSprop, Schedule, StepLR, WarmupLR, clip_grad_norm

FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "optimizers.json").read_text())
KINDS = {kind.__name__: kind for kind in (SGD, RMSprop, Adam, AdamW)}
CASES = [(case["optimizer"], case["options"]) for case in FIXTURE["optimizers"]]

every_kind = pytest.mark.parametrize("kind", KINDS.values())
every_case = pytest.mark.parametrize(("name", "options"), CASES)


def rosenbrock(w):
    return sum((w[i + 1] - w[i] * w[i]) ** 2 + (1 - w[i]) ** 2 for i in range(2))


def train(optimizer, steps):
    """Take steps on the function that the fixture was made with."""
    for _ in range(steps):
        optimizer.zero_grad()
        rosenbrock(optimizer.parameters).backward()
        optimizer.step()


def numbers(optimizer):
    return [parameter.data for parameter in optimizer.parameters]


def parameters(*data):
    return [Value(number, label=f"w{i}") for i, number in enumerate(data)]


# ---- the rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", FIXTURE["optimizers"], ids=lambda case: f"{case['optimizer']}-{case['options']}")
def test_optimizers_equal_pytorch_over_100_steps(case):
    optimizer = KINDS[case["optimizer"]](parameters(*FIXTURE["start"]), **case["options"])
    for step, expected in case["values"].items():
        train(optimizer, int(step) - optimizer.steps)
        assert numbers(optimizer) == pytest.approx(expected, rel=1e-12, abs=1e-12), f"after step {step}"


@every_case
def test_the_same_rule_serves_arrays(name, options):
    np = pytest.importorskip("numpy")
    single = KINDS[name](parameters(*FIXTURE["start"]), **options)
    together = KINDS[name](parameters(0.0), **options)
    w = np.array(FIXTURE["start"])
    state = [np.zeros(len(w)) for _ in together.state]
    for _ in range(5):
        train(single, 1)
        together.steps += 1
        w, *state = together.rule(w, np.array([p.grad for p in single.parameters]), *state)
    assert w.tolist() == pytest.approx(numbers(single), rel=1e-15)
    assert [column.tolist() for column in state] == [pytest.approx(column, rel=1e-15) for column in single.state]


@every_case
def test_training_resumed_equals_training_unbroken(name, options):
    unbroken = KINDS[name](parameters(*FIXTURE["start"]), **options)
    train(unbroken, 10)
    saved, data = json.loads(json.dumps(unbroken.state_dict())), numbers(unbroken)
    train(unbroken, 10)

    resumed = KINDS[name](parameters(*data), **{**options, "lr": 0.5})
    resumed.load_state_dict(saved)
    train(resumed, 10)
    assert numbers(resumed) == numbers(unbroken)
    assert resumed.state_dict() == unbroken.state_dict()


def test_a_saved_state_is_a_copy():
    optimizer = SGD(parameters(1.0), momentum=0.9)
    saved = optimizer.state_dict()
    saved["state"][0][0] = 7.0
    assert optimizer.state == [[0.0]]
    optimizer.load_state_dict(saved)
    saved["state"][0][0] = 8.0
    assert optimizer.state == [[7.0]]


def test_zero_grad():
    optimizer = SGD(parameters(1.0, 2.0))
    optimizer.parameters[1].grad = 3.0
    optimizer.zero_grad()
    assert [p.grad for p in optimizer.parameters] == [0.0, 0.0]


# ---- a step is taken whole or not at all -----------------------------------------------------------------------------


def assert_refused(optimizer, message):
    before = numbers(optimizer), optimizer.state_dict()
    with pytest.raises(ValueError, match=message):
        optimizer.step()
    assert (numbers(optimizer), optimizer.state_dict()) == before


@every_case
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_stops_the_step(name, options, bad):
    optimizer = KINDS[name](parameters(*FIXTURE["start"]), **options)
    train(optimizer, 2)
    optimizer.parameters[2].grad = bad
    assert_refused(optimizer, f"gradient of w2 is {bad}")


@every_kind
def test_a_new_value_that_is_not_finite_stops_the_step(kind):
    optimizer = kind(parameters(0.0, -1.75e308), lr=1e307)
    optimizer.parameters[1].grad = 1.0
    assert_refused(optimizer, "new value of w1 is -?inf")


@pytest.mark.parametrize("kind", [RMSprop, Adam, AdamW])
def test_state_that_is_not_finite_stops_the_step(kind):
    optimizer = kind(parameters(0.0, 1.0))
    optimizer.parameters[1].grad = 1e200  # its square overflows, and w1 would never move again
    assert_refused(optimizer, "w1")


@pytest.mark.parametrize("kind", [RMSprop, Adam, AdamW])
def test_a_rule_that_is_undefined_names_the_parameter(kind):
    optimizer = kind(parameters(0.0, 1.0), eps=0.0)
    optimizer.parameters[0].grad = 1.0
    assert_refused(optimizer, "w1")  # 0 / 0


@pytest.mark.parametrize("error", [ArithmeticError, TypeError, KeyboardInterrupt])
def test_whatever_stops_a_rule_leaves_no_trace(error):
    class Broken(SGD):
        def rule(self, w, g, *state):
            if w == 2.0:
                raise error("broken")
            return super().rule(w, g, *state)

    optimizer = Broken(parameters(1.0, 2.0), momentum=0.9)
    optimizer.parameters[0].grad = 1.0
    before = numbers(optimizer), optimizer.state_dict()
    with pytest.raises((error, ValueError)):
        optimizer.step()
    assert (numbers(optimizer), optimizer.state_dict()) == before


# ---- a model made anew -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zero_grad", [lambda model, _: model.zero_grad(), lambda _, optimizer: optimizer.zero_grad()])
def test_an_optimizer_whose_parameters_are_not_reached_says_so_once(zero_grad):
    model = nn.MLP(2, [2, 1])
    optimizer = SGD(model.parameters())
    model([1.0, 2.0]).backward()
    optimizer.step()
    zero_grad(model, optimizer)
    model = nn.MLP(2, [2, 1])
    model([1.0, 2.0]).backward()
    with pytest.warns(UserWarning, match="no backward pass has reached any of this SGD's 9 parameters.*made anew"):
        optimizer.step()
    optimizer.step()  # warnings are errors
    assert optimizer.settings == {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False}


@pytest.mark.parametrize(
    "loss",
    [
        lambda out: (out * 0 - 1).relu(),  # a hinge that is satisfied
        lambda out: (out * 0 + 1e6).tanh(),  # saturated
        lambda out: (out - out.data) ** 2,  # exactly right
    ],
)
def test_a_gradient_of_0_is_a_gradient(loss):
    model = nn.MLP(2, [2, 1])
    optimizer = SGD(model.parameters())
    loss(model([1.0, 2.0])).backward()
    assert [p.grad for p in optimizer.parameters] == [0.0] * 9
    optimizer.step()


# ---- clipping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_norm", "expected"), [(1.0, [0.6, 0.8]), (5.0, [3.0, 4.0]), (9.0, [3.0, 4.0])])
def test_clipping_scales_down_to_the_norm(max_norm, expected):
    ws = parameters(1.0, 1.0)
    ws[0].grad, ws[1].grad = 3.0, 4.0
    assert clip_grad_norm(iter(ws), max_norm) == 5.0
    assert [w.grad for w in ws] == pytest.approx(expected, rel=1e-15)


def test_clipping_where_squares_overflow():
    ws = parameters(1.0, 1.0)
    ws[0].grad, ws[1].grad = 3e300, 4e300
    assert clip_grad_norm(ws, 1.0) == pytest.approx(5e300)
    assert [w.grad for w in ws] == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_clipping_refuses_what_is_not_finite(bad):
    ws = parameters(1.0, 1.0)
    ws[0].grad, ws[1].grad = 3.0, bad
    with pytest.raises(ValueError, match="norm of the gradient"):
        clip_grad_norm(ws, 1.0)
    assert ws[0].grad == 3.0


# ---- schedules -------------------------------------------------------------------------------------------------------

SCHEDULES = {
    "step": lambda o: StepLR(o, step_size=4, gamma=0.5),
    "cosine": lambda o: CosineLR(o, t_max=25, eta_min=0.01),
    "warm-up": lambda o: WarmupLR(o, updates=10, start=0.2),
    "warm-up, then cosine": lambda o: WarmupLR(o, updates=5, start=0.2, then=CosineLR(o, t_max=20)),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_equal_pytorch(name):
    optimizer = SGD(parameters(1.0), lr=0.1)
    schedule = SCHEDULES[name](optimizer)
    rates = []
    for _ in FIXTURE["schedules"][name]:
        rates.append(optimizer.lr)
        schedule.step()
    assert rates == pytest.approx(FIXTURE["schedules"][name], rel=1e-12, abs=1e-15)


def test_a_warm_up_starts_at_a_tenth():
    optimizer = SGD(parameters(1.0), lr=0.5)
    schedule = WarmupLR(optimizer, updates=2)
    rates = [optimizer.lr]
    for _ in range(3):
        schedule.step()
        rates.append(optimizer.lr)
    assert rates == pytest.approx([0.05, 0.275, 0.5, 0.5], rel=1e-15)


def test_cosine_stays_at_its_minimum():
    optimizer = SGD(parameters(1.0), lr=0.1)
    assert CosineLR(optimizer, t_max=4, eta_min=0.01).lr(7) == pytest.approx(0.01, rel=1e-15)


def test_a_schedule_of_ones_own():
    class Halving(Schedule):
        def lr(self, t):
            return self.base / 2**t

    optimizer = SGD(parameters(1.0), lr=0.8)
    schedule = Halving(optimizer)
    schedule.step()
    assert (optimizer.lr, schedule.steps) == (0.4, 1)


def test_optimizers_and_schedules_show_their_settings():
    optimizer = SGD(parameters(1.0, 2.0), lr=0.1, momentum=0.9)
    schedule = WarmupLR(optimizer, 4, then=StepLR(optimizer, 2))
    train_one = "SGD(2 parameters, lr=0.01, momentum=0.9, weight_decay=0.0, nesterov=False), 0 steps"
    assert repr(optimizer) == train_one.replace("0.01", repr(optimizer.lr))
    schedule.step()
    assert repr(schedule).startswith("WarmupLR(updates=4, start=0.1, then=StepLR(step_size=2, gamma=0.1, base=0.1), 0")
    assert repr(schedule).endswith(f"base=0.1), 1 steps, lr={optimizer.lr!r}")


# ---- arguments -------------------------------------------------------------------------------------------------------


def test_names_in_messages_are_those_of_the_model():
    model = nn.MLP(1, [1])
    names = [name for name, _ in model.named_parameters()]
    assert SGD(model.named_parameters()).names == names
    assert SGD(model.parameters()).names == names
    assert SGD([Value(1.0), Value(2.0, label="b")]).names == ["parameter 0", "b"]


shared = Value(1.0)
ADAM_STATE = Adam(parameters(1.0)).state_dict()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD([]), "one Value at least"),
        (lambda: SGD([1.0]), "Values, got 1.0"),
        (lambda: SGD([shared * 2]), "leaf"),
        (lambda: SGD([shared, shared]), "one of them twice"),
        (lambda: SGD([shared], lr=-1), "lr .* got -1"),
        (lambda: SGD([shared], lr=math.nan), "lr .* got nan"),
        (lambda: SGD([shared], lr="0.1"), "lr .* got '0.1'"),
        (lambda: SGD([shared], momentum=-0.5), "momentum .* got -0.5"),
        (lambda: SGD([shared], nesterov=True), "momentum above 0"),
        (lambda: SGD([shared], weight_decay=-1), "weight_decay .* got -1"),
        (lambda: RMSprop([shared], alpha=1.0), "alpha .* got 1.0"),
        (lambda: RMSprop([shared], eps=-1), "eps .* got -1"),
        (lambda: Adam([shared], betas=(1.0, 0.9)), r"betas\[0\] .* got 1.0"),
        (lambda: Adam([shared], betas=(0.9, -1)), r"betas\[1\] .* got -1"),
        (lambda: Adam([shared], betas=(0.9,)), "betas"),
        (lambda: Adam([shared], betas=(0.9, 0.9, 0.9)), "betas"),
        (lambda: StepLR(SGD([shared]), step_size=0), "step_size .* got 0"),
        (lambda: StepLR(SGD([shared]), step_size=2.5), "step_size .* got 2.5"),
        (lambda: StepLR(SGD([shared]), step_size=1, gamma=math.nan), "gamma .* got nan"),
        (lambda: CosineLR(SGD([shared]), t_max=0), "t_max .* got 0"),
        (lambda: CosineLR(SGD([shared]), t_max=1, eta_min=-1), "eta_min .* got -1"),
        (lambda: WarmupLR(SGD([shared]), updates=0), "updates .* got 0"),
        (lambda: WarmupLR(SGD([shared]), updates=1, start=-1), "start .* got -1"),
        (lambda: clip_grad_norm([shared], -1), "max_norm .* got -1"),
        (lambda: Adam([Value(1.0), Value(2.0)]).load_state_dict(ADAM_STATE), "2 × 2"),
        (lambda: SGD([shared]).load_state_dict(ADAM_STATE), "0 × 1"),
        (lambda: RMSprop([shared], momentum=0.9).load_state_dict(ADAM_STATE), "Adam"),
        (lambda: Adam([shared]).load_state_dict({}), "state"),
        (lambda: Adam([shared]).load_state_dict({**ADAM_STATE, "state": [[math.nan], [0.0]]}), "nan"),
        (lambda: Adam([shared]).load_state_dict({**ADAM_STATE, "lr": -1}), "lr .* got -1"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_value_as_data_is_refused():
    w = Value(1.0, label="w")
    optimizer = SGD([w], lr=0.1)
    w.data, w.grad = w - 0.1, 1.0
    with pytest.raises(TypeError, match=r"w\.data is a Value; write w\.data -= lr \* w\.grad"):
        optimizer.step()
    assert optimizer.steps == 0


def test_a_model_in_the_place_of_its_parameters_is_told():
    with pytest.raises(TypeError, match=r"pass model\.parameters\(\)"):
        SGD(nn.MLP(2, [1]), lr=0.1)
