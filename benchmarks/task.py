"""What the benchmarked engines have to do: train on batches, with parameters that are the same for all.

A task has a ``name``; ``batches()``, one round of them as arrays or samples; ``sample_batches()``, the same as lists of
samples; and ``problem()``, new parameters with the error of one sample and the penalty, a function or None.
"""

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from micrograd import data, losses, nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "demos"))

LR = 0.05


class UnableError(Exception):
    """An engine cannot do a task."""


@dataclass(frozen=True)
class Perceptron:
    """A multilayer perceptron, samples in rows, and batches that follow each other in order."""

    name: str
    widths: tuple[int, ...]
    activation: str  # "relu" or "tanh"
    loss: str  # "hinge", labels ±1 and one score, or "cross-entropy", labels 0, 1, …
    xs: np.ndarray
    ys: np.ndarray
    size: int  # of a batch
    strength: float  # of the L2 penalty

    def network(self):
        random.seed(1)
        return nn.MLP(self.widths[0], list(self.widths[1:]), activation=self.activation)

    def problem(self):
        model = self.network()
        parameters, function = model.parameters(), losses.hinge if self.loss == "hinge" else losses.cross_entropy
        penalty = (lambda: self.strength * losses.l2(parameters)) if self.strength else None
        return parameters, lambda x, y: function(model(x), y), penalty

    def layers(self):
        """The weights (units × inputs) and biases of each layer of that network."""
        return [
            (
                np.array([[w.data for w in neuron.weights] for neuron in layer.neurons]),
                np.array([neuron.bias.data for neuron in layer.neurons]),
            )
            for layer in self.network().layers
        ]

    def batches(self):
        """Arrays (xs, ys) of each batch; all have one size."""
        starts = range(0, len(self.xs) - self.size + 1, self.size)
        return [(self.xs[k : k + self.size], self.ys[k : k + self.size]) for k in starts]

    def sample_batches(self):
        return [data.pairs(xs, ys) for xs, ys in self.batches()]


@dataclass(frozen=True)
class Name:
    """The GPT of ``demos/names.py`` on one name of six letters, by the same code."""

    name: str = "GPT, 1 name"
    letters: str = "random"
    size: int = 1

    def problem(self):
        from names import GPT

        model = GPT(0)
        return model.parameters(), model.loss, None

    def batches(self):
        from names import encode

        return [[encode(self.letters)]]

    sample_batches = batches


def flat(layers):
    """Weights and biases, or their gradients, in the order of ``Module.parameters``."""
    return np.concatenate([np.column_stack([np.asarray(w), np.asarray(b)]).ravel() for w, b in layers])


def moons(size, n=None, widths=(2, 16, 16, 1), activation="relu"):
    from sklearn.datasets import make_moons

    xs, ys = make_moons(n or size, noise=0.1, random_state=1)
    return Perceptron(f"moons, {activation}, batch {size:,}", widths, activation, "hinge", xs, 2.0 * ys - 1, size, 1e-4)


def digits():
    from sklearn.datasets import load_digits

    xs, ys = load_digits(return_X_y=True)
    return Perceptron("digits, batch 32", (64, 64, 32, 10), "relu", "cross-entropy", xs[:128] / 16, ys[:128], 32, 0.0)
