"""Samples and batches.

>>> samples = pairs([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]], [-1, 1, 1])
>>> [len(batch) for batch in DataLoader(samples, batch_size=2)]
[2, 1]
"""

import random
from collections.abc import Iterator, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any

__all__ = ["DataLoader", "DropoutLoader", "pairs", "split"]


def listed(things: Any) -> list[Any]:
    """The members of anything iterable, or of a data set that has a length and an index, up to its length."""
    if not hasattr(things, "__iter__") and hasattr(things, "__getitem__") and hasattr(things, "__len__"):
        return [things[i] for i in range(len(things))]
    return list(things)


def pairs(xs: Any, ys: Any) -> list[tuple[Any, Any]]:
    """The samples (x, y) from two lists, arrays, tensors or data frames of the same length, as Python numbers.

    >>> pairs([[0.0, 1.0], [2.0, 3.0]], [-1, 1])
    [([0.0, 1.0], -1), ([2.0, 3.0], 1)]
    """
    columns = []
    for column in (xs, ys):
        if isinstance(column, (str, bytes, Mapping, Set)) or not (
            hasattr(column, "__iter__") or hasattr(column, "__getitem__")
        ):
            raise TypeError(f"pairs: expected a list of inputs and a list of targets, got {column!r:.60} as one")
        array = column.to_numpy() if hasattr(column, "to_numpy") else column  # a data frame would give its names
        columns.append(array.tolist() if hasattr(array, "tolist") else listed(array))
    if len(columns[0]) != len(columns[1]):
        raise ValueError(f"pairs: got {len(columns[0])} inputs but {len(columns[1])} targets")
    return list(zip(*columns))


def require_samples(what: str, samples: Any) -> None:
    """Raises TypeError, with what to write instead, for what has no length and index, or is no list of samples."""
    kind = type(samples).__name__
    if hasattr(samples, "orders"):
        raise TypeError(f"{what} must be a list of samples, got a {kind}, which gives batches; pass its samples")
    if hasattr(samples, "to_numpy"):
        raise TypeError(f"{what} must be a list of samples, got a {kind}; write pairs(frame[columns], frame[target])")
    if isinstance(samples, (str, bytes, Mapping)):
        raise TypeError(f"{what} must be a list of samples, got {samples!r:.60} ({kind})")
    if not (hasattr(samples, "__len__") and hasattr(samples, "__getitem__")):
        raise TypeError(f"{what} must have a length and an index, got {samples!r:.60} ({kind}); pass list(…)")


def split(samples: Sequence[Any], held_out: float | int, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """Shuffle by ``seed`` and split: samples to train on, and held-out samples, a share (float) or a number (int).

    >>> training, held_out = split(range(10), held_out=0.2)
    >>> len(training), len(held_out)
    (8, 2)
    """
    require_samples("samples", samples)
    if not isinstance(held_out, Real) or isinstance(held_out, bool):
        raise TypeError(f"held_out must be a share or a number of samples, got {held_out!r}")
    whole = isinstance(held_out, Integral)
    count = int(held_out) if whole else round(held_out * len(samples)) if 0 < held_out < 1 else 0
    if not 0 < count < len(samples):
        raise ValueError(
            f"held_out must leave samples on both sides: of {len(samples)}, a share between 0 and 1 or a number from 1 "
            f"to {len(samples) - 1}, got {held_out}"
        )
    order = list(range(len(samples)))
    _generator(seed).shuffle(order)
    return [samples[i] for i in order[count:]], [samples[i] for i in order[:count]]


class DataLoader:
    """Batches of samples, as lists; iterating again starts the next epoch.

    >>> list(DataLoader([1, 2, 3, 4, 5], batch_size=2))
    [[1, 2], [3, 4], [5]]

    Args:
        samples: anything with a length and an index: a list of pairs, an array, your own data set.
        batch_size: samples a batch; the last batch has what remains. None is all of them: batch gradient descent.
        shuffle: a new order every epoch, drawn by a random generator that no one else uses.
        drop_last: leave out the last batch if it is not full.
        seed: the seed of that generator: same seed, same orders. None draws one from the global ``random``, as weights
            are drawn, so that ``random.seed`` fixes both.
    """

    def __init__(
        self,
        samples: Sequence[Any],
        batch_size: int | None = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        require_samples("samples", samples)
        if not len(samples):
            raise ValueError("samples must hold one sample at least, got none")
        if batch_size is not None and (
            not isinstance(batch_size, Integral) or isinstance(batch_size, bool) or int(batch_size) < 1
        ):
            raise ValueError(f"batch_size must be a whole number >= 1, or None for all samples, got {batch_size!r}")
        if drop_last and batch_size is not None and batch_size > len(samples):
            raise ValueError(f"drop_last leaves no batch of {batch_size}: got {len(samples)} samples")
        self.samples = samples
        self.batch_size = len(samples) if batch_size is None else batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        # Without shuffle nothing is drawn, and whatever is drawn later stays as it was.
        self._random = _generator(random.getrandbits(64) if shuffle and seed is None else seed)

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

    def __repr__(self) -> str:
        settings = f"batch_size={self.batch_size}, shuffle={self.shuffle}, drop_last={self.drop_last}"
        return f"DataLoader({len(self.samples)} samples, {settings}): {len(self)} batches"


class DropoutLoader:
    """The batches of a loader, each sample with a dropout mask as one member more, drawn anew in every epoch.

    A mask holds 0 with probability p and else 1 / (1 - p), so that a value times its mask keeps its mean (Srivastava et
    al. 2014, scaled while training). The loss hands it to ``nn.dropout``; a sample without one is computed in full:

    >>> loader = DropoutLoader(DataLoader([(0.5, 1), (1.5, -1)]), size=3, seed=1)
    >>> [batch for batch in loader]
    [[(0.5, 1, [0.0, 2.0, 2.0])], [(1.5, -1, [0.0, 0.0, 0.0])]]

    Args:
        loader: a ``DataLoader``, or a list of batches of tuples.
        size: how many values the mask is for: the width of a layer, or of several layers together.
        p: the share of values that are dropped, from 0 to below 1.
        seed: same seed, same masks. None draws one from the global ``random``.
    """

    def __init__(self, loader: Any, size: int, p: float = 0.5, seed: int | None = None) -> None:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"size must be a whole number >= 1, got {size!r}")
        if not (hasattr(loader, "__iter__") and hasattr(loader, "__len__")):
            raise TypeError(
                f"expected a DataLoader, or a list of batches, got {loader!r:.60} ({type(loader).__name__})"
            )
        self.loader, self.size, self.p = loader, size, _share(p)
        self._random = _generator(random.getrandbits(64) if seed is None else seed)

    def __len__(self) -> int:
        """The number of batches an epoch."""
        return len(self.loader)

    def __iter__(self) -> Iterator[list[Any]]:
        for batch in self.loader:
            for sample in batch:
                if not isinstance(sample, tuple):
                    raise TypeError(
                        f"expected a batch of tuples (x, y), got {sample!r:.60} in one; write "
                        "DropoutLoader(DataLoader(samples, batch_size), size)"
                    )
            yield [(*sample, self._mask()) for sample in batch]

    def _mask(self) -> list[float]:
        kept = 1 / (1 - self.p)
        return [0.0 if self._random.random() < self.p else kept for _ in range(self.size)]

    def __repr__(self) -> str:
        return f"DropoutLoader({self.loader!r}, size={self.size}, p={self.p})"


def _generator(seed: Any) -> random.Random:
    if not (seed is None or isinstance(seed, Integral)):
        raise TypeError(f"seed must be a whole number, or None, got {seed!r:.60} ({type(seed).__name__})")
    return random.Random(None if seed is None else int(seed))


def _share(p: Any) -> float:
    if not isinstance(p, Real) or not 0 <= float(p) < 1:
        raise ValueError(f"p must be >= 0 and < 1, got {p!r}")
    return float(p)
