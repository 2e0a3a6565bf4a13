"""The data that several demos train on."""

from sklearn.datasets import make_moons

from micrograd import data


def moons(seed: int) -> tuple[list, list]:
    """200 samples ([x₁, x₂], ±1) to train on, and 200 held out."""
    xs, ys = make_moons(400, noise=0.1, random_state=seed)
    return data.split(data.pairs(xs, 2 * ys - 1), held_out=200, seed=seed)
