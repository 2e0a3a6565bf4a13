"""The rules by which looks at a training are judged: what is wrong, and what to do.

A rule speaks where its number is beyond a limit that healthy trainings keep away from. The limits are constants, each
with its reason. Rules come in the order of causes, so that the first line is what to mend first: wild inputs saturate
units, and saturated units let δ vanish.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from micrograd.health.look import LayerLook, Look

# Inputs are best of mean 0 and variance 1 (LeCun et al. 1998, "Efficient BackProp", section 4.3). Raw pixels to 16 or
# years of age still train. Large ones do harm once they make the first layer's signals large: tanh is flat beyond 3.
LARGE_INPUT, LARGE_SIGNAL = 30.0, 10.0
SMALL_INPUT = 0.01  # the gradient of a weight is δ·x: such weights learn a hundredth as fast as their bias

# Over the whole network. He et al. 2015 and Glorot & Bengio 2010 draw weights so that both stay near 1; a network of
# usual depth whose first layer learns a thousand times as slowly, or as fast, as its last has no one learning rate.
VANISHING, EXPLODING = 1e-3, 1e3

# A relu unit is off for half of the inputs, so a few of a layer may be off for all samples by chance, and a network
# does without them. More than half of a layer is told, and more than three quarters where the network has learned: of
# 488 random trainings that did, ten had lost more than half of a layer on the way, and two so much.
DEAD, DEAD_BUT_LEARNED = 0.5, 0.75

# Units that decide end in the flat parts of tanh on most samples when a classifier is trained. This is told only of
# networks that have not learned, and of whole layers.
SATURATED = 0.8

# How far a loss has come is told as a share of the first one's size: it may be below 0, as the log of a density is.

LEARNED = 0.5  # a network has learned if its loss has fallen by this share

# A loss may rise for a while: with momentum, or when batches are few. More than a tenth, three looks in a row, is not
# chance; a tenfold loss, which is nine times more, is not noise.
RISEN, DIVERGED, IN_A_ROW = 0.1, 9.0, 3
LOST = 1e50  # told at once, since the next step may end the training with an error

# Where steps go to and fro across a valley, the mean of the weights is nearer to its floor than they are (Polyak &
# Juditsky 1992, "Acceleration of stochastic approximation by averaging"). Told where the median loss of the last looks
# is above the loss at their mean weights by a twentieth, has fallen by a tenth at most, and no longer falls, by a
# tenth say from their first half to their second: a training may rest on a plateau on its way.
RECENT, ABOVE_FLOOR, NEAR, FALLS = 8, 0.05, 0.1, 0.1

# In so many looks the loss has hardly moved. The weights' way, made a hundred or more times as long, lowers it by a
# tenth at least, and ten times as far as it fell: the way is the right one, and short.
LOOKS, HARDLY, LONGER, FURTHER, TIMES = 5, 0.02, (1e2, 1e3, 1e4, 1e5, 1e6), 0.1, 10.0

# Of what was in ``grad`` before a batch: rounding alone leaves this share.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a training.

    >>> from micrograd import nn
    >>> from micrograd.health import Watch
    >>> model = nn.MLP(1, [2, 1])
    >>> for neuron in model.layers[0].neurons:
    ...     neuron.bias.data = -5.0
    >>> [found] = Watch(model, lambda x: model([x]) ** 2, [1.0, 2.0]).diagnosis()
    >>> found.kind, found.layer, found.number
    ('dead units', 'layer 1', 1.0)

    Attributes:
        kind: "no zero_grad", "symmetric weights", "wild inputs", "exploding", "learning rate too high", "noise",
            "dead units", "saturated units", "vanishing δ" or "learning rate too low".
        text: the sentence, with the number in it and what to do.
        number: what is beyond its limit: a share, a ratio, a loss.
        layer: where it is; "" for what is of the whole training.
    """

    kind: str
    text: str
    number: float
    layer: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Evidence:
    """What the rules go by.

    Attributes:
        looks: of the training, the first one from before it.
        batch_size: None if it is not known.
        lr: the highest learning rate so far; None if it is not known.
        loss_of_mean: the loss at the mean of the weights at the last looks, as many as ``RECENT``.
        loss_beyond: the loss where the weights' way since the first look is made so many times as long.
    """

    looks: Sequence[Look]
    batch_size: int | None
    lr: float | None
    loss_of_mean: Callable[[], float]
    loss_beyond: Callable[[float], float]

    @property
    def first(self) -> Look:
        """From before the training."""
        return self.looks[0]

    @property
    def last(self) -> Look:
        """The newest look at which the loss was defined."""
        return next(look for look in reversed(self.looks) if look.layers)

    def at_start(self, layer: str) -> LayerLook:
        """That layer before the training; nothing was seen of one that no sample used then."""
        return self.first.layers.get(layer, LayerLook(0.0, 0.0))

    @property
    def has_learned(self) -> bool:
        """Whether the loss is well below the first one."""
        return self.fall(self.looks[-1].loss) > self.share(LEARNED)

    def fall(self, loss: float) -> float:
        """How far a loss is below the first one."""
        return self.first.loss - loss

    def share(self, part: float) -> float:
        """That part of the first loss's size."""
        return part * abs(self.first.loss)

    @property
    def rate(self) -> str:
        """The learning rate in words."""
        return "the learning rate" if self.lr is None else f"the learning rate {self.lr:g}"


def diagnose(evidence: Evidence) -> list[Diagnosis]:
    """What the rules say, causes first."""
    rules = (leftover, symmetric, inputs, exploding, unsettled, dead, saturated, vanishing, too_low)
    return [found for rule in rules for found in rule(evidence)]


def leftover(evidence: Evidence) -> Iterator[Diagnosis]:
    """Gradients of old batches are still in the sum."""
    worst = max(look.leftover for look in evidence.looks)
    if worst:
        text = (
            f"grad holds what was there before the batch, {_times(worst)} times the batch's own gradient: call "
            "optimizer.zero_grad() before each batch"
        )
        yield Diagnosis("no zero_grad", text, worst)


def symmetric(evidence: Evidence) -> Iterator[Diagnosis]:
    """All units of a layer are the same unit."""
    for name, layer in evidence.last.layers.items():
        if layer.alike:
            text = (
                f"all {layer.units} units of {name} have the same weights and the same δ on every sample, so they stay "
                "one unit: draw the weights by lot, as nn.MLP does"
            )
            yield Diagnosis("symmetric weights", text, layer.units, name)


def inputs(evidence: Evidence) -> Iterator[Diagnosis]:
    """The numbers of a sample are far from 1."""
    sizes, layers = evidence.first.inputs, evidence.first.layers
    largest = max(sizes, default=1.0)
    signal = next((layer.signal for layer in layers.values() if layer.units), 0.0)
    advice = "subtract its mean and divide by its standard deviation, from the training samples"
    if largest > LARGE_INPUT and signal > LARGE_SIGNAL:
        where = sizes.index(largest) + 1
        text = f"input {where} has a root mean square of {_times(largest)}, where about 1 trains well: {advice}"
        yield Diagnosis("wild inputs", text, largest)
    elif 0 < largest < SMALL_INPUT and not evidence.has_learned:
        text = f"no input has a root mean square above {_times(largest)}, where about 1 trains well: {advice}"
        yield Diagnosis("wild inputs", text, largest)


def exploding(evidence: Evidence) -> Iterator[Diagnosis]:
    """δ grows on the way back, as signals do on the way forward: both are multiplied by the weights of each layer.

    Of the two only δ is looked at. A large bias, of a last layer that starts at the mean answer say, makes large
    signals too, and does no harm.
    """
    layers = {name: layer for name, layer in evidence.first.layers.items() if layer.units}
    if len(layers) < 2:
        return
    (first, before), *_, (last, after) = layers.items()
    if before.delta > EXPLODING * after.delta > 0:
        ratio = before.delta / after.delta
        text = (
            f"δ explodes: that of {first} is {_times(ratio)} times as large as that of {last}: draw weights of another "
            'size, init="he" for relu and "xavier" for tanh'
        )
        yield Diagnosis("exploding", text, ratio, first)


def unsettled(evidence: Evidence) -> Iterator[Diagnosis]:
    """Steps go to and fro, because of the noise of small batches or of the learning rate; or the loss rises."""
    looks, first = evidence.looks, evidence.first.loss
    tail = [look.loss for look in looks[1:]][-IN_A_ROW:]
    if tail and tail[-1] > LOST:
        loss = "is no longer defined" if math.isinf(tail[-1]) else f"has risen from {first:.3g} to {_times(tail[-1])}"
        text = f"the loss {loss}: {evidence.rate} is too high, divide it by 10"
        yield Diagnosis("learning rate too high", text, tail[-1])
        return
    rise = -evidence.fall(min(tail)) if len(tail) == IN_A_ROW else -math.inf
    has_diverged = rise > evidence.share(DIVERGED)
    to_and_fro = "" if has_diverged else _to_and_fro(evidence)
    # Below the noise scale a batch's gradient is more noise than signal, and twice the batch is worth nearly two steps
    # (McCandlish et al. 2018). Above it the step is too long.
    scale = median([look.noise_scale for look in looks[-RECENT:]])
    if to_and_fro and evidence.batch_size is not None and scale > evidence.batch_size:
        text = (
            f"{to_and_fro}, and samples disagree: it takes {_times(scale)} of them for as much signal as noise, where "
            f"a batch has {evidence.batch_size}: take larger batches, or lower the learning rate"
        )
        yield Diagnosis("noise", text, scale)
    elif rise > evidence.share(RISEN):
        text = (
            f"the loss has risen from {first:.3g} to {_times(tail[-1])}: {evidence.rate} is too high, divide it by 10"
        )
        yield Diagnosis("learning rate too high", text, tail[-1])
    elif to_and_fro:
        text = f"{to_and_fro}: {evidence.rate} is too high, divide it by 3"
        yield Diagnosis("learning rate too high", text, tail[-1])


def _to_and_fro(evidence: Evidence) -> str:
    """That steps go over a valley and come no deeper, with the numbers; "" if it is not so."""
    losses = [look.loss for look in evidence.looks[1:]][-RECENT:]
    if len(losses) < RECENT:
        return ""
    half = RECENT // 2
    level, before, after = median(losses), median(losses[:half]), median(losses[half:])
    if evidence.fall(level) > evidence.share(NEAR) or before - after > FALLS * abs(before):
        return ""
    floor = evidence.loss_of_mean()
    if level - floor < evidence.share(ABOVE_FLOOR):
        return ""
    return (
        f"the loss stays at {level:.3g}, and is {floor:.3g} at the mean of the last {RECENT} looks' weights, so steps "
        "go to and fro over a valley"
    )


def dead(evidence: Evidence) -> Iterator[Diagnosis]:
    """Relu units that are at 0 on every sample get no gradient."""
    limit = DEAD_BUT_LEARNED if evidence.has_learned else DEAD
    for name, layer in evidence.last.layers.items():
        if layer.dead > limit * layer.units:
            before = evidence.at_start(name).dead
            text = f"{layer.dead} of {layer.units} units of {name} are dead on every sample"
            if before > DEAD * layer.units:
                text += ', from the start: draw its weights with init="he" and its biases as 0, or use '
                text += 'activation="leaky_relu"'
            else:
                text += f", {before} at the start: lower the learning rate, or use "
                text += 'activation="leaky_relu"'
            yield Diagnosis("dead units", text, layer.dead / layer.units, name)


def saturated(evidence: Evidence) -> Iterator[Diagnosis]:
    """Units in the flat part of tanh or sigmoid learn hardly anything."""
    names = [name for name, layer in evidence.last.layers.items() if layer.units]
    for name in names:
        layer = evidence.last.layers[name]
        if layer.saturated > SATURATED and not evidence.has_learned:
            before = evidence.at_start(name).saturated
            text = (
                f"units of {name} are saturated on {layer.saturated:.0%} of samples, {before:.0%} at the start, with "
                f"signals of ±{_times(layer.signal)}: "
            )
            if name == names[-1]:
                text += "leave out its activation and use a loss of the score, losses.binary_cross_entropy say"
            elif before > SATURATED:
                text += 'draw smaller weights, init="xavier", and biases of 0'
            else:
                text += "lower the learning rate"
            yield Diagnosis("saturated units", text, layer.saturated, name)


def vanishing(evidence: Evidence) -> Iterator[Diagnosis]:
    """Hardly anything of δ comes back to the first layer, from the start: what steps have done is told above."""
    layers = {name: layer for name, layer in evidence.last.layers.items() if layer.units}
    if len(layers) < 2 or evidence.has_learned:
        return
    (first, before), *_, (last, after) = layers.items()
    is_from_start = evidence.at_start(first).delta < VANISHING * evidence.at_start(last).delta
    if is_from_start and 0 < before.delta < VANISHING * after.delta:
        ratio = before.delta / after.delta
        text = (
            f'δ vanishes: that of {first} is {ratio:.1g} times that of {last}: use relu with init="he", or fewer layers'
        )
        yield Diagnosis("vanishing δ", text, ratio, first)


def too_low(evidence: Evidence) -> Iterator[Diagnosis]:
    """The loss hardly moves, and would with longer steps in the same direction."""
    fall = evidence.fall(evidence.looks[-1].loss)
    if len(evidence.looks) <= LOOKS or not 0 < fall < evidence.share(HARDLY):
        return
    for times in LONGER:
        further = evidence.fall(evidence.loss_beyond(times))
        if further > max(TIMES * fall, evidence.share(FURTHER)):
            size, looks = evidence.share(1.0), len(evidence.looks) - 1
            text = (
                f"the loss has fallen by {100 * fall / size:.1g}% in {looks} looks, and would by "
                f"{further / size:.0%} if the weights went {times:,.0f} times as far the same way: {evidence.rate} is "
                "too low, multiply it by 10"
            )
            yield Diagnosis("learning rate too low", text, times)
            return


def _times(x: float) -> str:
    return f"{x:,.0f}" if 100 <= x < 1e6 else f"{x:.2g}"
