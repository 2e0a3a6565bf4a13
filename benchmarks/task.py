"""What the benchmarked engines have to do: train a network on batches, with weights that are the same for all."""

import random
from dataclasses import dataclass

import numpy as np

from micrograd import data, nn

LR = 0.05


class UnableError(Exception):
    """An engine lacks an operation that the task needs."""


@dataclass(frozen=True)
class Task:
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


def flat(layers):
    """Weights and biases, or their gradients, in the order of ``Module.parameters``."""
    return np.concatenate([np.column_stack([np.asarray(w), np.asarray(b)]).ravel() for w, b in layers])


def moons(size, n=None, widths=(2, 16, 16, 1), activation="relu"):
    from sklearn.datasets import make_moons

    xs, ys = make_moons(n or size, noise=0.1, random_state=1)
    return Task(f"moons, {activation}, batch {size}", widths, activation, "hinge", xs, 2.0 * ys - 1, size, 1e-4)


def digits():
    from sklearn.datasets import load_digits

    xs, ys = load_digits(return_X_y=True)
    return Task("digits, batch 32", (64, 64, 32, 10), "relu", "cross-entropy", xs[:128] / 16, ys[:128], 32, 0.0)
