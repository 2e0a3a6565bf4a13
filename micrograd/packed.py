"""Batches of samples that are packed for replay once, by their positions."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
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
    if isinstance(batches, DataLoader) and isinstance(batches.samples, (list, tuple, np.ndarray)):
        return PackedLoader(recorded, batches)
    return batches


class PackedLoader:
    def __init__(self, recorded: Any, loader: DataLoader) -> None:
        self.loader = loader
        self.batch_size = loader.batch_size
        self.pack = Pack(recorded, loader.samples)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Packed]:
        if self.loader.shuffle:
            return (Packed(self.pack, np.array(order)) for order in self.loader.orders())
        return iter(self._same)

    @cached_property
    def _same(self) -> list[Packed]:
        """The batches of every epoch."""
        return [Packed(self.pack, self.pack.all[order[0] : order[-1] + 1]) for order in self.loader.orders()]
