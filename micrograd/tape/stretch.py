"""Many steps of training in one compiled call, while nobody can look in between.

On a small network, a step takes less time than the Python around it. So ``fit`` takes a step as anybody would, and then
has a ``Stretch`` take those that follow, until a sample is due to be checked, a number is not finite, or it has been
enough work for some hundredths of a second. The optimizer's rule is compiled for that, see ``rules``.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, takewhile
from typing import Any, cast

import numpy as np

from micrograd.optim import Schedule, is_ours
from micrograd.optimizer import Optimizer
from micrograd.samples import LOCK, Taken
from micrograd.tape.kernels import train
from micrograd.tape.packed import Packed, PackedLoader
from micrograd.tape.replay import Group
from micrograd.tape.rules import compiled_rule

START = 256  # steps are taken before: loading the code for the others takes as long as thousands of them
MOST_OPERANDS = 1 << 26  # of a stretch: Ctrl-C waits for its end
# What a step costs besides, in operands of the tape: for each parameter, and at all.
OF_PARAMETER, OF_STEP = 20, 1 << 15


class Stretch:
    """Steps on batches that are packed, with an optimizer and a schedule of ``optim``.

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
        self.loader, self.optimizer, self.schedule, self.share = loader, optimizer, schedule, share

    def take(self, batches: Iterator[Packed], taken: list[Taken]) -> list[Packed]:
        """Take some batches, and train on the first of them: a line for each goes to ``taken``. Returns all; the others
        are to be trained on step by step, which also tells what the matter was.
        """
        optimizer, pack = self.optimizer, self.loader.pack
        track = pack.groups[0][0]
        if len(pack.groups) > 1 or track.checks.replays < START:
            return []
        with LOCK:
            places = self._places(track)
            if places is None:
                return []
            moment, columns = optimizer.moment(), optimizer.columns()
        size = self.loader.batch_size
        operands = track.tape.size * size + OF_PARAMETER * len(places) + OF_STEP
        chosen = list(islice(batches, min(max(MOST_OPERANDS // operands, 1), track.checks.free(size))))
        rates = self._rates(len(chosen))
        mine = takewhile(lambda batch: batch.pack is pack, chosen)  # an epoch begins on samples that were packed anew
        orders = [batch.order for batch in islice(mine, len(rates) - 1)]
        if not orders or max(map(len, orders)) > track.program.chunk:
            return chosen
        try:
            rule, settings = compiled_rule(cast(Any, type(optimizer)), len(columns), optimizer.settings)
        except (ArithmeticError, AttributeError, TypeError, ValueError):  # a setting was changed
            return chosen
        table = np.empty((len(columns), len(places)))
        table[:, places] = columns
        losses = self._train(pack.groups[0], orders, table, rule, np.array(settings), rates)
        lines = list(zip(map(len, orders), losses))
        with LOCK:
            if lines and self._settle(moment, table[:, places], rates[len(lines)], taken, lines):
                track.checks.passed([size for size, _ in lines])
        return chosen

    def _train(
        self, group: Group, orders: list[Any], table: Any, rule: int, settings: Any, rates: list[float]
    ) -> list[float]:
        """Change the columns of the ``table`` by a step for each of the ``orders``; the sum of losses of each step that
        was taken.
        """
        track, inputs, _ = group
        sizes = list(map(len, orders))
        shares, losses = {size: self.share(size) for size in set(sizes)}, np.empty(len(orders))
        with track.program.arrays() as tape:
            done = train(
                tape,
                track.known,
                rule,
                settings,
                table,
                inputs,
                np.concatenate(orders),
                np.cumsum(sizes),
                np.array([shares[size] for size in sizes]),
                np.array(rates[: len(orders)], dtype=np.float64),
                self.optimizer.steps,
                losses,
            )
        return losses[:done].tolist()  # type: ignore[no-any-return]

    def _settle(self, moment: Any, columns: Any, rate: float, taken: list[Taken], lines: list[Taken]) -> bool:
        """As ``Optimizer.settle``, with all else that as many steps change as there are lines."""
        optimizer, schedule, done = self.optimizer, self.schedule, len(lines)
        data, gradient, *state = columns
        store = optimizer.residence.store
        changes = [(store, "grad", optimizer.residence.within(store.slopes, gradient))]
        if schedule is not None:
            changes += [(schedule, "steps", schedule.steps + done), (optimizer, "lr", rate)]
        also = map(setattr, *zip(*changes)), map(taken.extend, [lines])
        return optimizer.settle(moment, data, state, optimizer.steps + done, *also)

    def _places(self, track: Any) -> Any:
        """Those of the optimizer's parameters in a table that begins with the tape's, which are to be among them, and
        all in one store; else None.
        """
        mine, theirs = self.optimizer.residence, track.owner.residence
        if not (mine.find() and theirs.find() and mine.store is theirs.store):
            return None
        everyone = np.arange(len(mine.store.values))
        ours, tapes = (everyone if home.index is None else everyone[home.index] for home in (mine, theirs))
        places = np.full(len(everyone), -1)
        places[tapes[: track.known]] = everyone[: track.known]
        others = ours[places[ours] < 0]
        places[others] = track.known + np.arange(len(others))
        return places[ours] if track.known + len(others) == len(ours) else None

    def _rates(self, n: int) -> list[float]:
        """The learning rates of the next n steps, and of the one after them; fewer if the schedule has no more."""
        schedule, rates = self.schedule, [self.optimizer.lr]
        if schedule is None:
            return rates * (n + 1)
        with suppress(ArithmeticError, ValueError):  # it overflows, say, which is told when it comes to that
            rates.extend(schedule.lr(schedule.steps + k) for k in range(1, n + 1))
        return rates


def stretch(
    batches: Any, optimizer: Optimizer, schedule: Schedule | None, share: Callable[[int], float]
) -> Stretch | None:
    """A ``Stretch`` for these batches, if they are packed, and if optimizer and schedule are those of ``optim``: what
    others do besides arithmetic cannot be known.
    """
    if not isinstance(batches, PackedLoader) or not is_ours(optimizer):
        return None
    if schedule is not None and not (is_ours(schedule) and schedule.optimizer is optimizer):
        return None
    return Stretch(batches, optimizer, schedule, share)
