"""Samples and batches.

>>> samples = pairs([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]], [-1, 1, 1])
>>> [len(batch) for batch in DataLoader(samples, batch_size=2)]
[2, 1]
"""

import random
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any


def listed(things: Any) -> list[Any]:
    """The members of anything iterable, or of a data set that has a length and an index, whatever lies beyond it."""
    if not hasattr(things, "__iter__") and hasattr(things, "__getitem__") and hasattr(things, "__len__"):
        return [things[i] for i in range(len(things))]
    return list(things)


def pairs(xs: Any, ys: Any) -> list[tuple[Any, Any]]:
    """The samples (x, y) of two lists or arrays of one length; arrays become lists of Python numbers."""
    xs, ys = (column.tolist() if hasattr(column, "tolist") else listed(column) for column in (xs, ys))
    if len(xs) != len(ys):
        raise ValueError(f"as many inputs as targets are wanted; got {len(xs)} and {len(ys)}")
    return list(zip(xs, ys))


def split(samples: Sequence[Any], held_out: float | int, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """Shuffle by ``seed``; returns samples to train on and samples held out, a share (float) or a number (int)."""
    whole = isinstance(held_out, Integral)
    count = int(held_out) if whole else round(held_out * len(samples)) if 0 < held_out < 1 else 0
    if not 0 < count < len(samples):
        raise ValueError(f"of {len(samples)} samples, 1 to {len(samples) - 1} can be held out; got {held_out}")
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    return [samples[i] for i in order[count:]], [samples[i] for i in order[:count]]


class DataLoader:
    """Batches of samples, as lists; iterating again starts the next epoch.

    Args:
        samples: anything with a length and an index: a list of pairs, an array, a data set of your own.
        batch_size: samples a batch; the last batch has what remains. None is all of them: batch gradient descent.
        shuffle: a new order every epoch, from a random generator of this loader's own.
        drop_last: leave out the last batch if it is not full.
        seed: of that generator: same seed, same orders. None draws one from the global ``random``, as weights are
            drawn, so that ``random.seed`` fixes both.
    """

    def __init__(
        self,
        samples: Sequence[Any],
        batch_size: int | None = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        if not len(samples):
            raise ValueError("a loader wants one sample at least; got none")
        if batch_size is not None and (not isinstance(batch_size, Integral) or batch_size < 1):
            raise ValueError(f"batch_size is a whole number from 1, or None for all samples; got {batch_size!r}")
        if drop_last and batch_size is not None and batch_size > len(samples):
            raise ValueError(f"drop_last leaves no batch: {len(samples)} samples, batch_size {batch_size}")
        self.samples = samples
        self.batch_size = len(samples) if batch_size is None else batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        # Without shuffle nothing is drawn, and whatever is drawn later stays as it was.
        self._random = random.Random(random.getrandbits(64) if shuffle and seed is None else seed)

    def __len__(self) -> int:
        """The number of batches an epoch."""
        whole, rest = divmod(len(self.samples), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[list[Any]]:
        for order in self.orders():
            yield [self.samples[k] for k in order]

    def orders(self) -> Iterator[Sequence[int]]:
        """An epoch's batches, as positions of the samples; iterating over the loader is the same with the samples."""
        order: Sequence[int] = range(len(self.samples))
        if self.shuffle:
            order = list(order)
            self._random.shuffle(order)
        for i in range(len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size]
