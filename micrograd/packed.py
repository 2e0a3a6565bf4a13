"""Batches of samples that are packed for replay once, by their positions."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain
from typing import Any

import numpy as np

from micrograd.data import DataLoader
from micrograd.replay import Pack
from micrograd.samples import require_batch

KEPT = list, tuple, np.ndarray  # samples that are there already


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

    A data set of the user's own may make its samples anew each time, so it is asked for every batch.
    """
    if isinstance(batches, DataLoader) and isinstance(batches.samples, KEPT):
        return PackedLoader(recorded, batches.samples, batches)
    if type(batches) is list and batches and not live and all([isinstance(batch, KEPT) for batch in batches]):
        return PackedLoader(recorded, list(chain.from_iterable(map(require_batch, batches))), _Listed(batches))
    return batches


class _Listed:
    """A list of batches as the loader that would yield them."""

    shuffle = False

    def __init__(self, batches: list[Any]) -> None:
        self.sizes = list(map(len, batches))
        self.batch_size = max(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def orders(self) -> Iterator[range]:
        for size, end in zip(self.sizes, accumulate(self.sizes)):
            yield range(end - size, end)


class PackedLoader:
    def __init__(self, recorded: Any, samples: Sequence[Any], loader: DataLoader | _Listed) -> None:
        self.loader = loader
        self.batch_size = loader.batch_size
        self.pack = Pack(recorded, samples)

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
