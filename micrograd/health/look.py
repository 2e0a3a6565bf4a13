"""Measure a network at work: signals and δ of each layer, how alike the gradients of samples are, the size of a step.

The loss of each sample is computed and differentiated node by node, and nothing is touched: no ``data``, no ``grad``.
"""

import copy
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.graph import topological_order
from micrograd.nn import Module, Neuron
from micrograd.optim import Optimizer
from micrograd.pictures.formula import part_name
from micrograd.samples import loss_of, uncollected

# θ whose slope says whether a unit still learns, with the largest slope that they have.
STEEPEST = {ops.relu: 1.0, ops.tanh: 1.0, ops.sigmoid: 0.25}

# A unit is saturated on a sample where θ' is below this share of the steepest: |tanh s| > 0.995, and sigmoid nearer to
# 0 or 1 than 0.0025. A hundred such samples teach it what one teaches a unit in its range.
FLAT = 0.01


@dataclass(frozen=True)
class LayerLook:
    """What a look saw of a layer: ``nn.Neuron`` units that one module holds, or other parameters of one name.

    >>> from micrograd.health import Watch
    >>> neuron = Neuron(1)
    >>> neuron.weights[0].data = 2.0
    >>> watch = Watch(neuron, lambda x: neuron([x]) ** 2, [1.0, -1.0])
    >>> layer = watch.looks[0].layers["Neuron"]
    >>> layer.units, layer.dead, layer.signal
    (1, 0, 2.0)

    What is of units is 0, nan or False for other parameters.

    Attributes:
        weight: the norm of its parameters.
        gradient: the norm of their gradient, the mean over the samples looked at.
        update: the norm of the optimizer's step, as it would be with the gradient that is in ``grad``, divided by
            ``weight``. nan without an optimizer or a gradient there.
        units: how many.
        signal: the root mean square of s over units and samples.
        delta: that of δ = ∂e/∂s.
        dead: how many relu units are at 0 on every sample.
        saturated: the share of tanh and sigmoid units and samples with a slope θ'(s) near 0.
        alike: whether all units have the same weights, and the same δ on every sample.
    """

    weight: float
    gradient: float
    update: float = math.nan
    units: int = 0
    signal: float = math.nan
    delta: float = math.nan
    dead: int = 0
    saturated: float = 0.0
    alike: bool = False


@dataclass(frozen=True)
class Look:
    """What was seen of a network at one time.

    >>> from micrograd.health import Watch
    >>> neuron = Neuron(1)
    >>> neuron.weights[0].data = 2.0
    >>> look = Watch(neuron, lambda x: neuron([x]) ** 2, [1.0, -1.0]).looks[0]
    >>> look.loss, look.inputs, look.noise_scale    # the gradients (4, 4) and (0, 0): a variance of 16 beside 8
    (2.0, [1.0], 2.0)

    Attributes:
        loss: the mean over the samples; infinite where it was undefined.
        layers: those with units in the order in which a sample passes them, then other parameters.
        angle: in degrees, between a sample's gradient and the gradient of all: the median over the samples.
        noise_scale: tr Σ / ‖G‖², the variance of the samples' gradients around their mean G, beside the square of
            it. In a batch of so many, signal and noise are equally large (McCandlish et al. 2018, "An empirical model
            of large-batch training", equation 2.9). nan for a single sample, and where all gradients are 0.
        inputs: the root mean square of each number that the first units take from a sample.
        leftover: for a look at a batch, the gradient that was there before it, in lengths of the batch's own gradient.
    """

    loss: float
    layers: dict[str, LayerLook] = field(default_factory=dict)
    angle: float = math.nan
    noise_scale: float = math.nan
    inputs: list[float] = field(default_factory=list)
    leftover: float = 0.0


@dataclass
class _Unit:
    """What a neuron did on the samples: a number for each time that it was used."""

    signals: list[float] = field(default_factory=list)
    deltas: list[float] = field(default_factory=list)
    slopes: list[float] = field(default_factory=list)  # of θ, as shares of the steepest
    thetas: set[Any] = field(default_factory=set)


class Network:
    """A model's parameters and neurons, by the layers that they are in.

    Attributes:
        parameters: in the model's order.
        layer_of: the layer of each parameter.
        neurons: by the bias, since the dot that ends in it is the signal s: the layer, and the neuron.
    """

    def __init__(self, model: Module) -> None:
        self.neurons: dict[Value, tuple[str, Neuron]] = {}
        of_neurons: dict[Value, str] = {}
        for path, module in model.named_modules():
            if isinstance(module, Neuron):
                layer = _layer_name(path, model)
                self.neurons[module.bias] = layer, module
                of_neurons.update((parameter, layer) for _, parameter in module.named_parameters())
        named = list(model.named_parameters())
        self.parameters = [parameter for _, parameter in named]
        self.layer_of = [of_neurons.get(parameter) or _layer_name(path, model) for path, parameter in named]

    def norms(self, numbers: Sequence[float]) -> dict[str, float]:
        """The norm of the numbers, one for each parameter, by layer."""
        found: dict[str, list[float]] = {}
        for layer, x in zip(self.layer_of, numbers):
            found.setdefault(layer, []).append(x)
        return {layer: math.hypot(*xs) for layer, xs in found.items()}

    def look(self, loss: Callable[..., Value], samples: Sequence[Any], optimizer: Optimizer | None) -> Look:
        """Measure it on these samples. Raises ValueError where the loss is undefined."""
        units: dict[Value, _Unit] = {}
        columns: dict[int, list[float]] = {}
        total, rows = 0.0, []
        with kept_random():
            for k, sample in enumerate(samples):
                error, row = uncollected(self._sample, k, loss, sample, units, columns)
                total += error
                rows.append(row)
        mean = _mean(rows)
        return Look(
            total / len(samples),
            self._layers(units, mean, optimizer),
            _angle(rows, mean),
            _noise_scale(rows, mean),
            [_root_mean_square(column) for _, column in sorted(columns.items())],
        )

    def is_used(self, loss: Callable[..., Value], samples: Sequence[Any]) -> bool:
        """Whether the loss of some sample is computed with a parameter of the network."""
        parameters = set(self.parameters)
        with kept_random():
            for k, sample in enumerate(samples):
                error = loss_of(k, loss, sample)
                if not parameters.isdisjoint([error, *[x for node in topological_order(error) for x in node.parents]]):
                    return True
        return False

    def gradient(self, loss: Callable[..., Value], batch: Sequence[Any]) -> list[float]:
        """The batch's gradient by the parameters, the mean over its samples; no ``grad`` is touched."""
        with kept_random():
            return _mean([uncollected(self._sample, k, loss, sample, {}, {})[1] for k, sample in enumerate(batch)])

    def _sample(
        self,
        k: int,
        loss: Callable[..., Value],
        sample: Any,
        units: dict[Value, _Unit],
        columns: dict[int, list[float]],
    ) -> tuple[float, list[float]]:
        """The loss of a sample and its gradient; what the neurons did on it is added to ``units``."""
        error = loss_of(k, loss, sample)
        order = topological_order(error)
        slopes = _backward(error, order)
        signals: dict[Value, list[Value]] = {}  # with what takes them
        for node in order:
            for operand in node.parents:
                if operand in signals:
                    signals[operand].append(node)
            if node.op is ops.dot and node.parents[-1] in self.neurons:
                signals[node] = []
        first = next((self.neurons[s.parents[-1]] for s in signals), None)
        for s, takers in signals.items():
            bias = s.parents[-1]
            unit = units.setdefault(bias, _Unit())
            unit.signals.append(s.data)
            unit.deltas.append(slopes.get(s, 0.0))
            theta = takers[0] if len(takers) == 1 and len(takers[0].parents) == 1 else None
            if theta is not None and theta.op in STEEPEST:
                unit.thetas.add(theta.op)
                unit.slopes.append(abs(theta.partials[0]) / STEEPEST[theta.op])
            if first is not None and self.neurons[bias] == first:
                for i, x in enumerate(s.parents[len(s.parents) // 2 : -1]):
                    if x.role == "input":
                        columns.setdefault(i, []).append(x.data)
        return error.data, [slopes.get(parameter, 0.0) for parameter in self.parameters]

    def _layers(
        self, units: dict[Value, _Unit], mean: Sequence[float], optimizer: Optimizer | None
    ) -> dict[str, LayerLook]:
        weights = self.norms([parameter.data for parameter in self.parameters])
        gradients, steps = self.norms(mean), self.norms(_step(self.parameters, optimizer))
        members: dict[str, list[tuple[Neuron, _Unit]]] = {}
        for bias, unit in units.items():
            layer, neuron = self.neurons[bias]
            members.setdefault(layer, []).append((neuron, unit))
        return {
            layer: LayerLook(
                weights[layer],
                gradients[layer],
                steps[layer] / weights[layer] if weights[layer] else math.nan,
                *(_of_units(members[layer]) if layer in members else ()),
            )
            for layer in [*members, *[layer for layer in weights if layer not in members]]
        }


@contextmanager
def kept_random() -> Iterator[None]:
    """Inside the block, a loss may draw from ``random``; afterwards it is as it was."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _layer_name(path: str, model: Module) -> str:
    """The layer of a neuron, or of a parameter, by its path: layer 1 of layers.0.neurons.3, tokens of tokens.2.5."""
    path = re.sub(r"(\.\d+)+$", "", path)  # the number of a unit, or the row and column of a parameter
    return part_name(re.sub(r"(\.|^)neurons$", "", path)) or type(model).__name__


def _backward(error: Value, order: Sequence[Value]) -> dict[Value, float]:
    """∂error/∂node, as ``backward()`` finds it; the sums are kept here, so that no ``grad`` is touched."""
    slopes = {error: 1.0}
    for node in reversed(order):
        delta = slopes.get(node, 0.0)
        if delta and not node.partials:
            raise ValueError(f"{node!r} was made by hand: it has a _backward, but no partials to look at")
        if delta:
            for operand, slope in zip(node.parents, node.partials):
                slopes[operand] = slopes.get(operand, 0.0) + delta * slope
    return slopes


def _of_units(members: Sequence[tuple[Neuron, _Unit]]) -> tuple[Any, ...]:
    """The part of a ``LayerLook`` that is about units."""
    units = [unit for _, unit in members]
    weights = [[parameter.data for parameter in (*neuron.weights, neuron.bias)] for neuron, _ in members]
    dead = [unit for unit in units if unit.thetas == {ops.relu} and not any(unit.slopes)]
    bounded = [slope for unit in units if unit.thetas and ops.relu not in unit.thetas for slope in unit.slopes]
    return (
        len(units),
        _root_mean_square([s for unit in units for s in unit.signals]),
        _root_mean_square([delta for unit in units for delta in unit.deltas]),
        len(dead),
        sum([slope < FLAT for slope in bounded]) / len(bounded) if bounded else 0.0,
        len(units) > 1
        and all(ws == weights[0] for ws in weights)
        and all(unit.deltas == units[0].deltas for unit in units),
    )


def _step(parameters: Sequence[Value], optimizer: Optimizer | None) -> list[float]:
    """How far the optimizer would move each parameter with the gradient that is in ``grad``; nan if it would not."""
    if optimizer is None or not any([parameter.grad for parameter in optimizer.parameters]):
        return [math.nan] * len(parameters)
    twin = copy.copy(optimizer)  # whose count of steps may change
    twin.steps += 1
    moves: dict[Value, float] = {}
    try:
        for parameter, *state in zip(optimizer.parameters, *optimizer.state):
            moves[parameter] = twin.rule(parameter.data, parameter.grad, *state)[0] - parameter.data
    except ArithmeticError:  # which the step itself would tell
        return [math.nan] * len(parameters)
    return [moves.get(parameter, 0.0) for parameter in parameters]


def _root_mean_square(xs: Sequence[float]) -> float:
    return math.hypot(*xs) / math.sqrt(len(xs)) if xs else math.nan


def _square(xs: Sequence[float]) -> float:
    return sum([x * x for x in xs])


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows)]


def _angle(rows: Sequence[Sequence[float]], mean: Sequence[float]) -> float:
    length = math.hypot(*mean)
    cosines = [
        sum([a * b for a, b in zip(row, mean)]) / own / length for row in rows if length and (own := math.hypot(*row))
    ]
    return math.degrees(median([math.acos(max(-1.0, min(1.0, cosine))) for cosine in cosines])) if cosines else math.nan


def _noise_scale(rows: Sequence[Sequence[float]], mean: Sequence[float]) -> float:
    if len(rows) < 2:
        return math.nan
    signal = _square(mean)
    noise = (sum([_square(row) for row in rows]) - len(rows) * signal) / (len(rows) - 1)
    return noise / signal if signal else math.nan
