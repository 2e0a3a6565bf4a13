"""Eager and tape agree on every demo's loss, in the loss and in every gradient."""

import sys
from pathlib import Path

import pytest

from micrograd import accumulate, data, jit, losses, nn

sys.path.append(str(Path(__file__).parent.parent / "demos"))


def moons():
    import datasets

    model = nn.MLP(2, [16, 16, 1], init="he")
    return lambda x, y: losses.hinge(model(x), y), datasets.moons(64), model.parameters()


def digits():
    datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = datasets.load_digits(return_X_y=True)
    model = nn.MLP(64, [64, 32, 10], init="he")
    samples = data.pairs(pixels[:32] / 16, labels[:32])
    return lambda x, y: losses.cross_entropy(model(x), y), samples, model.parameters()


def names():
    import names

    model = names.GPT(0)
    return model.loss, [names.encode(name) for name in ("abc", "random", "sys", "token")], model.parameters()


@pytest.mark.parametrize("demo", [moons, digits, names])
def test_demo(demo):
    loss, samples, parameters = demo()
    found = []
    for function in (loss, jit(loss)):
        error = accumulate(function, samples)
        found.append((error, [p.grad for p in parameters]))
        for p in parameters:
            p.grad = 0.0
    (eager, slopes), (tape, tape_slopes) = found
    assert tape == pytest.approx(eager, rel=1e-9)
    assert tape_slopes == pytest.approx(slopes, rel=1e-9, abs=1e-12 * max(map(abs, slopes)))
