"""Samples of plain numbers as columns of a matrix, all at once.

``marshal`` writes nested lists and tuples of floats and ints as bytes: for each list a mark and its length, for each
number a mark and the number. So samples of one shape are rows of bytes of one length, equal but for the numbers, which
can then be taken from their places; whatever else is different shows in the bytes between.

>>> shape, numbers = columns([([0.5, 1.5], 1), ([2.5, 3.5], 0)], {})
>>> numbers.tolist()
[[0.5, 2.5], [1.5, 3.5], [1.0, 0.0]]
>>> columns([([0.5, 1.5], 1), ([2.5, True], 0)], {}), columns([[1.0], [1.0, 2.0]], {})
(None, None)
"""

import marshal
from typing import Any

import numpy as np

VERSION = 2  # of the bytes: later ones write what they met before as a reference
HEAD = 5  # the bytes of a mark and a length
NUMBERS = {ord("g"): ("<f8", 8), ord("i"): ("<i4", 4)}  # the types of numbers and their bytes, by mark
SEQUENCES: dict[int, type] = {ord("("): tuple, ord("["): list}
AT_ONCE = 4096  # samples


class Layout:
    """How the bytes of a sample are laid out. Raises LookupError if they are not those of one sample of plain numbers.

    Attributes:
        shape: of the sample, see ``replay``.
        length, size: how many bytes, and how many numbers, it has.
        runs: of numbers one after the other: (where they begin, type, bytes from one to the next, count).
        between: the places of all other bytes, and ``marks`` what they are.
    """

    def __init__(self, row: bytes) -> None:
        self.length, self.size = len(row), 0
        self.runs: list[tuple[int, str, int, int]] = []
        self.places: list[int] = []
        self.shape, end = self._parse(row, 0)
        if end != self.length:
            raise LookupError("the sample ends elsewhere")
        self.between = np.array(self.places, dtype=np.intp)
        self.marks = bytes([row[at] for at in self.places])

    def _parse(self, row: bytes, at: int) -> tuple[Any, int]:
        """The shape of the item that begins there, and where the next one does."""
        mark = row[at]
        if mark in NUMBERS:
            kind, width = NUMBERS[mark]
            self.places.append(at)
            self._add(at + 1, kind, width + 1)
            return None, at + 1 + width
        sequence, count = SEQUENCES[mark], int.from_bytes(row[at + 1 : at + HEAD], "little")
        self.places += range(at, at + HEAD)
        at += HEAD
        parts = []
        for _ in range(count):
            part, at = self._parse(row, at)
            parts.append(part)
        return (sequence, tuple(parts)), at

    def _add(self, at: int, kind: str, step: int) -> None:
        self.size += 1
        if self.runs:
            first, last, _, count = self.runs[-1]
            if kind == last and at == first + count * step:
                self.runs[-1] = first, kind, step, count + 1
                return
        self.runs.append((at, kind, step, 1))

    def read(self, data: bytes, rows: Any) -> Any:
        """The numbers, (numbers, samples); None if a sample is laid out otherwise."""
        if rows.shape[1] != self.length or rows.take(self.between, axis=1).tobytes() != self.marks * len(rows):
            return None
        numbers, place = np.empty((self.size, len(rows))), 0
        for at, kind, step, count in self.runs:
            shape, strides = (count, len(rows)), (step, rows.shape[1])
            numbers[place : place + count] = np.ndarray(shape, kind, data, HEAD + at, strides)
            place += count
        return numbers


def written(samples: list[Any] | tuple[Any, ...]) -> bytes | None:
    """Samples as bytes; None if there are too many, or some that ``marshal`` does not know."""
    try:
        return marshal.dumps(samples, VERSION) if len(samples) <= AT_ONCE else None
    except ValueError:
        return None


def columns(samples: list[Any] | tuple[Any, ...], layouts: dict[int, Layout], data: bytes | None = None) -> Any:
    """Shape and columns of samples of one shape; None if that has to be found out in another way.

    ``layouts`` keeps those of samples seen before, by length in bytes; ``data`` are these samples, ``written``.
    """
    layout: Layout | None = None
    parts: list[Any] = []
    try:
        for start in range(0, len(samples), AT_ONCE):
            some = samples[start : start + AT_ONCE]
            data = data or marshal.dumps(some, VERSION)
            rows = np.frombuffer(data, np.uint8, offset=HEAD).reshape(len(some), -1)
            length = rows.shape[1]
            layout = layout or layouts.get(length)
            numbers = layout.read(data, rows) if layout else None
            if numbers is None and not parts:
                layout = layouts[length] = Layout(data[HEAD : HEAD + length])
                numbers = layout.read(data, rows)
            if layout is None or numbers is None:
                return None
            parts.append(numbers)
            data = None
    except (ValueError, LookupError):  # several lengths; something else than lists, tuples, floats and small ints
        return None
    return layout and (layout.shape, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))
