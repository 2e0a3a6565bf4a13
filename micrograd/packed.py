"""Batches of samples that are packed for replay once, by their positions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from micrograd.data import DataLoader
from micrograd.replay import Pack


class Packed(Sequence[Any]):
    """Samples of a pack, by their positions ``order``."""

    def __init__(self, pack: Pack, order: Any) -> None:
        self.pack = pack
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: Any) -> Any:
        return self.pack.samples[self.order[k]]


def packed(recorded: Any, batches: Iterable[Any]) -> Iterable[Any]:
    """The batches, those of a ``DataLoader`` by their positions in samples that are packed once, for all epochs.

    A data set of the user's own may make its samples anew each time, so it is asked for every batch.
    """
    fixed = isinstance(batches, DataLoader) and isinstance(batches.samples, (list, tuple, np.ndarray))
    return PackedLoader(recorded, batches) if fixed else batches


class PackedLoader:
    def __init__(self, recorded: Any, loader: Any) -> None:
        self.loader = loader
        self.pack = Pack(recorded, loader.samples)

    def __iter__(self) -> Iterator[Packed]:
        for order in self.loader.orders():
            positions = self.pack.all[order.start : order.stop] if isinstance(order, range) else np.array(order)
            yield Packed(self.pack, positions)
