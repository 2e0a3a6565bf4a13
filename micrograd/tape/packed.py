"""Batches of samples that are packed for replay once, by their positions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from micrograd.data import DataLoader
from micrograd.samples import require_batch
from micrograd.tape.replay import Pack

KEPT = {list, tuple, np.ndarray}  # where samples are, and not made anew each time


class Packed(Sequence[Any]):
    """Samples of a pack, by their positions ``order``."""

    def __init__(self, pack: Pack, order: Any) -> None:
        self.pack = pack
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: Any) -> Any:
        return self.pack.samples[self.order[k]]


def packed(recorded: Any, batches: Iterable[Any], live: bool) -> Iterable[Any]:
    """The batches by their positions in samples that are packed once, for all epochs: those of a ``DataLoader``, and of
    a plain list unless it is ``live``, that is, somebody may change it.

    Others may make their samples anew each time, and are asked for every batch; so are those with a sample that cannot
    be packed, so that the error comes at its batch.
    """
    try:
        if isinstance(batches, DataLoader) and type(batches).__iter__ is DataLoader.__iter__:
            return PackedLoader(recorded, batches) if type(batches.samples) in KEPT else batches
        if type(batches) is list and batches and not live and KEPT.issuperset(map(type, batches)):
            return PackedLoader(recorded, _Listed(batches))
    except (TypeError, ValueError):
        pass
    return batches


class _Listed:
    """A list of batches as a loader. A batch that is listed several times is there once."""

    shuffle = drop_last = False

    def __init__(self, batches: list[Any]) -> None:
        self.samples: list[Any] = []
        places: dict[int, range] = {}
        for batch in batches:
            if id(batch) not in places:
                places[id(batch)] = range(len(self.samples), len(self.samples) + len(batch))
                self.samples += require_batch(batch)
        self.ranges = [places[id(batch)] for batch in batches]
        self.batch_size = max(map(len, self.ranges))

    def __len__(self) -> int:
        return len(self.ranges)

    def orders(self) -> list[range]:
        return self.ranges


class PackedLoader:
    """The batches of a loader, each as a ``Packed``. Its samples are packed anew where an epoch begins and their number
    has changed, but not where one was exchanged for another.
    """

    def __init__(self, recorded: Any, loader: DataLoader | _Listed) -> None:
        self.recorded, self.loader = recorded, loader
        self.pack = Pack(recorded, loader.samples)
        self._same: list[Packed] = []
        self._made: Any = None  # what they were made from

    @property
    def batch_size(self) -> int:
        return self.loader.batch_size

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Packed]:
        loader = self.loader
        if len(loader.samples) != len(self.pack.all):
            self.pack = Pack(self.recorded, loader.samples)
        if loader.shuffle:
            return (Packed(self.pack, np.array(order)) for order in loader.orders())
        now = self.pack, loader.batch_size, loader.drop_last
        if now != self._made:
            self._same = [Packed(self.pack, self.pack.all[o[0] : o[-1] + 1]) for o in loader.orders()]
            self._made = now
        return iter(self._same)
