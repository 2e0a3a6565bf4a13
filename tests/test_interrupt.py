"""Promise 20: a step, a save, a load happens whole or not at all, at whichever line Ctrl-C comes."""

import pytest
from interrupt import require_whole_or_not

from micrograd import Value, nn
from micrograd.optim import SGD, Adam, CosineLR, RMSprop, StepLR, WarmupLR, clip_grad_norm

DATA = [1.0, 2.0, 3.0]


def parameters():
    return [Value(x) for x in DATA]


def with_gradients(optimizer):
    for k, parameter in enumerate(optimizer.parameters):
        parameter.grad = k + 1.0
    return optimizer


def numbers(values):
    return [(v.data, v.grad) for v in values]


@pytest.mark.parametrize("make", [SGD, lambda ps: SGD(ps, momentum=0.9), RMSprop, Adam])
def test_a_step(make):
    require_whole_or_not(
        lambda: with_gradients(make(parameters())),
        lambda optimizer: optimizer.step(),
        lambda optimizer: (numbers(optimizer.parameters), optimizer.state_dict()),
    )


def test_the_state_of_an_optimizer():
    other = with_gradients(Adam(parameters(), lr=0.5))
    other.step()
    saved = other.state_dict()
    require_whole_or_not(lambda: Adam(parameters()), lambda o: o.load_state_dict(saved), Adam.state_dict)


def test_clipping():
    require_whole_or_not(
        lambda: with_gradients(SGD(parameters())).parameters, lambda ps: clip_grad_norm(ps, 1.0), numbers
    )


SCHEDULES = {
    "step": lambda o: StepLR(o, 1),
    "cosine": lambda o: CosineLR(o, 5),
    "warm-up": lambda o: WarmupLR(o, 2, then=CosineLR(o, 5)),
}


def rates(schedule):
    then = getattr(schedule, "then", None)
    return schedule.state_dict(), schedule.optimizer.lr, then and then.base


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedule(make):
    require_whole_or_not(lambda: make(SGD(parameters())), lambda schedule: schedule.step(), rates)
    saved = {"base": 0.5, "steps": 1}
    require_whole_or_not(lambda: make(SGD(parameters())), lambda schedule: schedule.load_state_dict(saved), rates)


def neuron(*data):
    made = nn.Neuron(2)
    made.load_state_dict(dict(zip(made.state_dict(), data, strict=True)))
    return made


def test_the_state_of_a_model():
    saved = neuron(4.0, 5.0, 6.0).state_dict()
    require_whole_or_not(lambda: neuron(*DATA), lambda model: model.load_state_dict(saved), nn.Module.state_dict)


def test_loading(tmp_path):
    neuron(4.0, 5.0, 6.0).save(tmp_path / "model.json")
    require_whole_or_not(lambda: neuron(*DATA), lambda model: model.load(tmp_path / "model.json"), nn.Module.state_dict)


# Where Ctrl-C comes in the last moment of a ``with`` block, Python itself leaves the closing to the end of the object.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_saving(tmp_path):
    """The file is the old one or the new one, and nothing else is left in its folder."""
    path = tmp_path / "model.json"

    def prepare():
        neuron(4.0, 5.0, 6.0).save(path)
        return neuron(*DATA)

    require_whole_or_not(
        prepare, lambda model: model.save(path), lambda _: {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    )
