"""Six trainings that go wrong, what ``micrograd.health`` says of each, and the same training cured.

A watch is given to ``fit`` as a callback. After each epoch it looks at every layer: how many units are dead or
saturated, how large the signals s and δ are, how far a step moves the weights, and how much samples agree. Printed: its
diagnosis, the cure, and the loss with and without it. Written to --out: for each training the sign that gives it away,
before and after the cure, and the loss of both.
"""

import math
import random
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any

import options
import plots
from datasets import Sample, clouds, moons

from micrograd import data, fit, losses, nn, optim
from micrograd.health import LayerLook, Watch

SAMPLES = 40
LINE = 150  # the most characters in a line of the picture


@dataclass
class Setting:
    """What a training is made of; as it stands, a healthy one."""

    widths: list[int] = field(default_factory=lambda: [8, 1])
    activation: str = "tanh"
    init: str = "xavier"
    lr: float = 0.3
    batch_size: int = 8
    prepare: Callable[[list[Sample]], list[Sample]] = list
    draw: Callable[..., list[Sample]] = moons
    noise: float = 0.1

    def train(self, seed: int, epochs: int) -> Watch:
        """The watch on the training, from before it to its end."""
        random.seed(seed)
        samples = self.prepare(self.draw(SAMPLES, self.noise, seed))
        model = nn.MLP(2, self.widths, self.activation, self.init)
        optimizer = optim.SGD(model.parameters(), self.lr)
        batches = data.DataLoader(samples, self.batch_size, shuffle=True, seed=seed)

        def loss(x, y):
            return losses.binary_cross_entropy(model(x), (y + 1) / 2)

        watch = Watch(model, loss, samples, optimizer, self.batch_size)
        fit(loss, batches, optimizer, epochs, callbacks=[watch], progress=False)
        return watch


def in_years(samples: list[Sample]) -> list[Sample]:
    """As if the first coordinate were the year of an observation."""
    return [([2000 + 10 * x[0], x[1]], y) for x, y in samples]


def standardized(samples: list[Sample]) -> list[Sample]:
    """Each input with mean 0 and standard deviation 1 over the samples."""
    raw = in_years(samples)
    columns = list(zip(*[x for x, _ in raw]))
    means, sizes = [fmean(column) for column in columns], [pstdev(column) for column in columns]
    return [([(a - mean) / size for a, mean, size in zip(x, means, sizes)], y) for x, y in raw]


@dataclass
class Case:
    """A training that goes wrong, and its cure.

    Attributes:
        name: what is wrong.
        sick, cured: the two settings.
        words: what the cure is.
        sign: the name of what gives it away.
        of_layer: that number of a layer.
        axis: settings of its axis.
    """

    name: str
    sick: Setting
    cured: Setting
    words: str
    sign: str
    of_layer: Callable[[LayerLook], float]
    axis: dict[str, Any]

    def curves(self, watch: Watch) -> dict[str, tuple[range, list[float]]]:
        """The sign over the epochs, of the first layer, the one in the middle, and the last."""
        looks = watch.looks
        names = list(looks[0].layers)
        names = [names[0], names[len(names) // 2], names[-1]] if len(names) > 3 else names
        return {name: (range(len(looks)), [self.of_layer(look.layers[name]) for look in looks]) for name in names}


def dead_share(layer: LayerLook) -> float:
    return layer.dead / layer.units


def update(layer: LayerLook) -> float:
    return layer.update or math.nan  # 0 has no place on a logarithmic scale


RELU = {"widths": [16, 16, 1], "activation": "relu", "init": "he"}
DEEP = [8, 8, 8, 8, 8, 1]
CASES = [
    Case(
        "Dead units",
        Setting(**RELU, lr=4.0),
        Setting(**RELU, lr=0.2),
        "learning rate 0.2",
        "share of units that are dead",
        dead_share,
        {"ylim": (-0.05, 1.05)},
    ),
    Case(
        "δ vanishes",
        Setting(DEEP, "sigmoid"),
        Setting(DEEP, "relu", "he", lr=0.1),
        'relu, weights drawn with init="he"',
        "size of δ",
        lambda layer: layer.delta,
        {"yscale": "log", "ylim": (1e-6, 10)},
    ),
    Case(
        "Inputs of wild scale",
        Setting(prepare=in_years),
        Setting(prepare=standardized),
        "each input minus its mean, divided by its standard deviation",
        "size of the signals s",
        lambda layer: layer.signal,
        {"yscale": "log", "ylim": (0.1, 1e4)},
    ),
    Case(
        "Learning rate too high",
        Setting(lr=40.0),
        Setting(lr=0.4),
        "learning rate 0.4",
        "size of the signals s",
        lambda layer: layer.signal,
        {"yscale": "log"},
    ),
    Case(
        "Learning rate too low",
        Setting(lr=1e-4),
        Setting(lr=0.4),
        "learning rate 0.4",
        "a step, as a share of the weights",
        update,
        {"yscale": "log", "ylim": (1e-7, 30)},
    ),
    Case(
        "Noise of small batches",
        Setting([6, 1], lr=2.0, batch_size=1, draw=clouds, noise=2.0),
        Setting([6, 1], lr=2.0, batch_size=SAMPLES, draw=clouds, noise=2.0),
        f"batches of {SAMPLES}, which is all samples",
        "size of the weights",
        lambda layer: layer.weight,
        {"yscale": "log"},
    ),
]


def main(seed: int, epochs: int, out) -> None:
    fig, rows = plots.stories(len(CASES), 3)
    for case, (row, axes) in zip(CASES, rows):
        sick, cured = case.sick.train(seed, epochs), case.cured.train(seed, epochs)
        said = str((sick.diagnosis() or [sick])[0])
        print(f"{case.name}: {said}")
        print(f"    cure: {case.words}. Loss {sick.looks[-1].loss:.3g}; cured {cured.looks[-1].loss:.3g}, {cured}")
        for ax, watch, words in ((axes[0], sick, "sick"), (axes[1], cured, "cured")):
            plots.curves(ax, case.curves(watch), f"{words}: {case.sign}", "epochs", "", **case.axis)
        both = {
            words: (range(epochs + 1), [look.loss for look in watch.looks])
            for words, watch in (("sick", sick), ("cured", cured))
        }
        plots.curves(axes[2], both, "loss", "epochs", "", yscale="log")
        plots.same_scale(axes[:2])
        for ax in axes:
            plots.legend_above(ax)
        plots.decimals(axes[2])
        plots.tell(row, case.name, textwrap.fill(f"{said}.", LINE), f"Cure: {case.words}.")
    print("wrote", plots.save(fig, out / "health.png"))


if __name__ == "__main__":
    chosen = options.parser(__doc__, epochs=20).parse_args()
    main(chosen.seed, chosen.epochs, chosen.out)
