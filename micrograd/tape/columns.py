"""Samples as columns of numbers.

A sample is numbers in nested tuples, lists and arrays. Samples of one shape share a tape, and their numbers are the
columns of one matrix, so that a batch is a choice of columns:

>>> shape, numbers = flatten(([0.5, 1.5], 1))
>>> numbers, rebuild(shape, iter("abc"))
([0.5, 1.5, 1.0], (['a', 'b'], 'c'))
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from micrograd.samples import call_numbered

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# The shape of a number is None, of a list or tuple (type, shapes of its items), of an array (ndarray, its dimensions).
Shape: TypeAlias = Any

PLAIN = {float, int, bool}


def flatten(sample: Any) -> tuple[Shape, list[float]]:
    """The shape of a sample and its numbers in order. Raises TypeError for what is no number."""
    numbers: list[float] = []
    return _flatten(sample, numbers), numbers


def _flatten(item: Any, numbers: list[float]) -> Shape:
    if isinstance(item, (list, tuple)):
        return type(item), tuple([_flatten(part, numbers) for part in item])
    if isinstance(item, np.ndarray) and item.dtype.kind in "biuf":
        numbers.extend(item.ravel().tolist())
        return np.ndarray, item.shape
    if isinstance(item, (Real, np.bool_)):
        try:
            numbers.append(float(item))
        except OverflowError:
            raise ValueError("expected a number in the range of a float, got one beyond it") from None
        return None
    raise TypeError(
        f"expected a sample of numbers, in nested tuples, lists and arrays, got {item!r} ({type(item).__name__})"
    )


def rebuild(shape: Shape, leaves: Iterator[Any]) -> Any:
    """A sample of that shape with ``leaves`` in the places of its numbers."""
    if shape is None:
        return next(leaves)
    kind, parts = shape
    if kind is np.ndarray:
        array = np.empty(parts, dtype=object)
        for place in np.ndindex(parts):
            array[place] = next(leaves)
        return array
    items = [rebuild(part, leaves) for part in parts]
    return items if kind is list else kind(*items) if hasattr(kind, "_fields") else kind(items)


def python_numbers(item: Any) -> Any:
    """The sample with Python's numbers in the place of NumPy's, whose arithmetic is in 32 bits, or wraps around."""
    if isinstance(item, np.ndarray):
        return item.astype(np.float64 if item.dtype.kind == "f" or item.dtype == np.uint64 else np.int64)
    if isinstance(item, np.generic):
        return item.item()
    if isinstance(item, (list, tuple)):
        items = [python_numbers(part) for part in item]
        return items if isinstance(item, list) else type(item)(*items) if hasattr(item, "_fields") else tuple(items)
    return item


def listed(samples: Sequence[Any]) -> Sequence[Any]:
    """Samples of anything that has a length and an index, or can be iterated over, in a list or an array."""
    if isinstance(samples, (list, tuple, np.ndarray)):
        return samples
    if hasattr(samples, "__len__") and hasattr(samples, "__getitem__"):
        return [samples[k] for k in range(len(samples))]
    return list(samples)


def group(samples: Sequence[Any]) -> list[tuple[Shape, Any, Any]]:
    """Samples by shape, in order of appearance: (shape, their positions, their numbers as columns of a matrix)."""
    whole = _columns(samples)
    if whole:
        return [(whole[0], np.arange(len(samples)), whole[1])]
    found: dict[Shape, tuple[list[int], list[list[float]]]] = {}
    for k, sample in enumerate(samples):
        shape, numbers = call_numbered(k, flatten, (sample,))
        positions, columns = found.setdefault(shape, ([], []))
        positions.append(k)
        columns.append(numbers)
    return [
        (shape, np.array(positions), np.array(columns, dtype=np.float64).reshape(len(positions), -1).T.copy())
        for shape, (positions, columns) in found.items()
    ]


def _columns(items: Sequence[Any]) -> tuple[Shape, Any] | None:
    """Shape and columns of items of one shape, by a few array operations for all; None if that cannot be told."""
    kinds = set(map(type, items))
    if kinds == {tuple}:
        if len(set(map(len, items))) > 1:
            return None
        parts = [_columns(part) for part in zip(*items)]
        found = [part for part in parts if part is not None]
        if not found or len(found) < len(parts):
            return None
        rows = np.concatenate([rows for _, rows in found], dtype=np.float64)
        return (tuple, tuple([shape for shape, _ in found])), rows
    if kinds == {list} and len(set(map(len, items))) == 1:
        size = len(items[0])
        numbers = _numbers([*chain.from_iterable(items)])
        if numbers is not None:
            return (list, (None,) * size), np.ascontiguousarray(numbers.reshape(len(items), size).T)
    if kinds <= PLAIN and (numbers := _numbers(items)) is not None:
        return None, numbers.reshape(1, -1)
    try:
        array = np.array(items)
    except ValueError:  # of several lengths
        return None
    if array.dtype.kind not in "biuf" or (len(kinds) > 1 and array.ndim > 1):  # Values, words; lists beside arrays
        return None
    return flatten(items[0])[0], np.ascontiguousarray(array.reshape(len(items), -1).T, dtype=np.float64)


def _numbers(items: Sequence[Any]) -> Array | None:
    """Python's numbers as an array; None if there is something else among them."""
    if not PLAIN.issuperset(map(type, items)):
        return None
    try:
        return np.fromiter(items, np.float64, len(items))
    except OverflowError:  # told with the number of the sample
        return None


def array(numbers: Sequence[Any]) -> Array:
    return np.array(numbers, dtype=np.float64)
