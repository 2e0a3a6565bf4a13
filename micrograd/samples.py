"""Samples as columns of numbers: nested tuples, lists and arrays, flattened and grouped by shape.

>>> shape, numbers = flatten(([0.5, 1.5], 1))
>>> numbers, rebuild(shape, iter("abc"))
([0.5, 1.5, 1.0], (['a', 'b'], 'c'))
"""

from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any

import numpy as np

from micrograd.engine import Value

# The shape of a number is None, of a list or tuple (type, shapes of its items), of an array (ndarray, its dimensions).
Shape = Any


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
    if isinstance(item, Real) and not isinstance(item, Value):
        numbers.append(float(item))
        return None
    raise TypeError(f"a sample is numbers, in nested tuples, lists and arrays; got {item!r} of {type(item).__name__}")


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


def group(samples: Sequence[Any]) -> list[tuple[Shape, Any, Any]]:
    """Samples by shape, in order of appearance: (shape, their positions, their numbers as columns of a matrix)."""
    whole = _columns(samples)
    if whole is not None:
        shape, rows = whole
        return [(shape, np.arange(len(samples)), np.ascontiguousarray(rows, dtype=np.float64))]
    found: dict[Shape, tuple[list[int], list[list[float]]]] = {}
    for k, sample in enumerate(samples):
        shape, numbers = flatten(sample)
        positions, columns = found.setdefault(shape, ([], []))
        positions.append(k)
        columns.append(numbers)
    return [
        (shape, np.array(positions), np.array(columns, dtype=np.float64).reshape(len(positions), -1).T.copy())
        for shape, (positions, columns) in found.items()
    ]


def _columns(items: Sequence[Any]) -> tuple[Shape, Any] | None:
    """Shape and columns of items of one shape, with a few array operations for all; None if that cannot be told."""
    kinds = set(map(type, items))
    if len(kinds) == 1 and (kind := kinds.pop()) is tuple:
        if len(set(map(len, items))) > 1:
            return None
        parts = [_columns(part) for part in zip(*items)]
        if not parts or None in parts:
            return None
        shapes, rows = zip(*[part for part in parts if part is not None])
        return (tuple, shapes), np.concatenate(rows)
    try:
        array = np.array(items)
    except ValueError:  # of several lengths
        return None
    if array.dtype.kind not in "biuf" or (kinds and array.ndim > 1):  # something else, or of several types
        return None
    return flatten(items[0])[0], array.reshape(len(items), -1).T
