"""Many steps of training in one compiled call, while nobody can look in between.

On a small network, a step takes less time than the Python around it. So ``fit`` takes a step as anybody would, and then
has a ``Stretch`` take those that follow, until a sample is due to be checked, a number is not finite, or a hundredth of
a second has passed. The optimizer's rule is compiled for that, see ``rules``.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, cast

import numpy as np

from micrograd import optim
from micrograd.kernels import train
from micrograd.optim import Schedule
from micrograd.optimizer import Optimizer
from micrograd.packed import Packed, PackedLoader
from micrograd.rules import compiled_rule
from micrograd.samples import LOCK

MOST_OPERANDS = 1 << 26  # of a stretch: Ctrl-C waits for its end
START = 256  # steps are taken before: loading the code for the others takes as long as thousands of them
OPERANDS_OF_RULE = 20  # for each parameter, or so


class Stretch:
    """Steps on the batches of a loader, with an optimizer and a schedule of the learning rate; see ``stretch``.

    Args:
        share: what the gradient of a batch of so many samples is multiplied by.
    """

    def __init__(
        self,
        loader: PackedLoader,
        optimizer: Optimizer,
        schedule: Schedule | None,
        share: Callable[[int], float],
    ) -> None:
        self.optimizer, self.schedule, self.share = optimizer, schedule, share
        self.recorded, self.size = loader.pack.recorded, loader.batch_size
        self.track, self.inputs, _ = loader.pack.groups[0]

    def take(self, batches: Iterator[Packed]) -> tuple[list[Packed], list[tuple[int, float]]]:
        """Take some batches, and train on the first of them, or on all; for each of these, its size and the sum of its
        losses.
        """
        optimizer, track, kind = self.optimizer, self.track, cast(Any, type(self.optimizer))
        if track.checks.replays < START:
            return [], []
        with LOCK:
            order = self._order()
            if order is None:
                return [], []
            before, steps, columns = optimizer.residence.store.data, optimizer.steps, optimizer.columns()
            operands = track.program.operands * self.size + OPERANDS_OF_RULE * len(before)
            taken = list(islice(batches, min(MOST_OPERANDS // operands, track.checks.free(self.size))))
            if not taken:
                return [], []
        table = np.empty((len(columns), len(before)))
        table[:, order] = columns
        orders = [batch.order for batch in taken]
        sizes = list(map(len, orders))
        shares = {size: self.share(size) for size in set(sizes)}
        rates, losses = self._rates(len(taken)), np.empty(len(taken))
        try:
            rule, settings = compiled_rule(kind, len(columns), optimizer.settings)
        except (ArithmeticError, TypeError, ValueError):  # a setting was changed, and an ordinary step tells to what
            return taken, []
        with track.program.arrays() as tape:
            done = train(
                tape,
                rule,
                np.array(settings),
                table,
                self.inputs,
                np.concatenate(orders),
                np.cumsum(sizes),
                np.array([shares[size] for size in sizes]),
                np.array(rates[:-1], dtype=np.float64),
                steps,
                losses,
            )
        data, gradient, *state = table[:, order]
        with LOCK:
            if not (done and optimizer.settle(before, data, state, steps + done)):
                return taken, []
            optimizer.residence.grad = gradient
            track.checks.passed(sizes[:done])
            if self.schedule is not None:
                self.schedule.steps += done
                optimizer.lr = rates[done]
        return taken, list(zip(sizes, losses[:done].tolist()))

    def _order(self) -> Any:
        """The places of the optimizer's parameters among the tape's, if these are the same ones, in one store."""
        mine, theirs = self.optimizer.residence, self.recorded.residence
        if not (mine.find() and theirs.find() and mine.store is theirs.store):
            return None
        n = len(mine.store.values)
        if {len(mine.parameters), len(theirs.parameters), self.track.known} != {n}:
            return None
        if mine.index is None and theirs.index is None:
            return slice(None)
        everyone = np.arange(n)
        places = np.empty(n, dtype=np.int64)
        places[everyone if theirs.index is None else theirs.index] = everyone
        return places if mine.index is None else places[mine.index]

    def _rates(self, n: int) -> list[float]:
        """The learning rates of the next n steps, and of the one after them."""
        schedule = self.schedule
        if schedule is None:
            return [self.optimizer.lr] * (n + 1)
        return [self.optimizer.lr, *[schedule.lr(schedule.steps + k) for k in range(1, n + 1)]]


def stretch(
    batches: Any, optimizer: Optimizer, schedule: Schedule | None, share: Callable[[int], float]
) -> Stretch | None:
    """A ``Stretch``, if samples are packed, of one shape, in batches that are one piece of work, and if optimizer and
    schedule are those of ``optim``: what others do besides arithmetic cannot be known.
    """
    parts = [optimizer]
    part: Any = schedule
    while part is not None:
        parts.append(part)
        part = getattr(part, "then", None)
    if not isinstance(batches, PackedLoader) or len(batches.pack.groups) > 1 or not all(map(_is_ours, parts)):
        return None
    if batches.batch_size > batches.pack.groups[0][0].program.chunk:
        return None
    if schedule is not None and schedule.optimizer is not optimizer:
        return None
    return Stretch(batches, optimizer, schedule, share)


def _is_ours(part: Any) -> bool:
    """Whether this optimizer or schedule is of ``optim``, and no method of it was replaced."""
    return type(part).__module__ == optim.__name__ and not any(map(callable, vars(part).values()))
