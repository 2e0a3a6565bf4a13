"""Samples as columns of numbers, and batches of them replayed.

A sample is numbers in nested tuples, lists and arrays. Samples of one shape share a tape, and their numbers are the
columns of one matrix, so that a batch is a choice of columns:

>>> shape, numbers = flatten(([0.5, 1.5], 1))
>>> numbers, rebuild(shape, iter("abc"))
([0.5, 1.5, 1.0], (['a', 'b'], 'c'))
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.engine import Value
from micrograd.instructions import Tape
from micrograd.kernels import replay
from micrograd.loops import addresses

if TYPE_CHECKING:
    from micrograd.tape import Recorded, Track

BLOCK_BYTES = 1 << 18  # of values and derivatives of a block of lanes: they stay in the second-level cache

# Samples that are one piece of work. Fixed, so that the order in which sums are taken does not depend on who works.
CHUNK = 1024

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
    if isinstance(item, Real):
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
    """Shape and columns of items of one shape, by a few array operations for all; None if that cannot be told."""
    kinds = set(map(type, items))
    if kinds == {tuple}:
        if len(set(map(len, items))) > 1:
            return None
        parts = [_columns(part) for part in zip(*items)]
        found = [part for part in parts if part is not None]
        if not found or len(found) < len(parts):
            return None
        return (tuple, tuple([shape for shape, _ in found])), np.concatenate([rows for _, rows in found])
    try:
        array = np.array(items)
    except ValueError:  # of several lengths
        return None
    if array.dtype.kind not in "biuf" or (len(kinds) > 1 and array.ndim > 1):  # Values, words; lists beside arrays
        return None
    return flatten(items[0])[0], array.reshape(len(items), -1).T


class Program:
    """A tape in arrays. It pickles, so that other processes can replay it."""

    def __init__(self, tape: Tape) -> None:
        self.primitives = tape.primitives
        self.code = np.array(tape.code, dtype=np.int64).reshape(-1, 5)
        self.args = np.array(tape.args, dtype=np.int64)
        self.constants = np.array(tape.constants, dtype=np.float64)
        width = min(max(BLOCK_BYTES // (16 * tape.n_rows) // 8 * 8, 16), 128)
        self.sizes = np.array([tape.prelude, width, tape.n_rows, tape.n_shared, *tape.results], dtype=np.int64)
        self._loops: Any = None

    def run(self, parameters: Any, inputs: Any, chosen: Any, backward: bool = True) -> tuple[bool, Any, Any]:
        """Replay for the columns ``chosen`` of ``inputs``.

        Returns whether every number was finite, the results (results × lanes), and the sum over lanes of the gradient
        of the first result by the parameters (of no length if not ``backward``).
        """
        if self._loops is None:
            self._loops = addresses(self.primitives)
        outputs = np.empty((len(self.sizes) - 4, len(chosen)))
        gradient = np.empty(len(parameters) if backward else 0)
        finite = replay(
            self.code, self.args, self._loops, self.sizes, parameters, self.constants, inputs, chosen, outputs, gradient
        )
        return finite, outputs, gradient

    def evaluate(self, parameters: Sequence[float], inputs: Any) -> tuple[bool, list[float], list[float]]:
        """``run`` for one sample, as lists."""
        finite, outputs, gradient = self.run(np.array(parameters), np.ascontiguousarray(inputs), np.zeros(1, np.int64))
        return finite, outputs[:, 0].tolist(), gradient.tolist()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loops": None}  # addresses are of this process


def data(parameters: Sequence[Value]) -> Any:
    return np.array([parameter.data for parameter in parameters], dtype=np.float64)


class Pack:
    """Samples in columns, one matrix for each shape, with the tapes to replay them.

    Packing costs more than a replay, so ``fit`` packs its data once and takes batches by their positions.
    """

    def __init__(self, recorded: "Recorded", samples: Sequence[Any]) -> None:
        self.recorded = recorded
        self.samples = samples
        self.groups: list[tuple[Track, Any, Any]] = []
        self.where = np.zeros((2, len(samples)), dtype=np.int64)  # of each sample, its group and its column there
        for shape, positions, columns in group(samples):
            first = positions[0]
            track = recorded.track(shape, columns[:, 0].tolist(), samples[first], int(first))
            self.groups.append((track, columns, positions))
            self.where[0, positions], self.where[1, positions] = len(self.groups) - 1, range(len(positions))

    def require_one_result(self) -> None:
        if any([track.several for track, _, _ in self.groups]):
            raise TypeError("the loss of a sample is one Value; the recorded function returns a list")

    def replay(
        self, values: Any, order: Any = None, backward: bool = True, executor: Executor | None = None
    ) -> tuple[Any, Any] | None:
        """Results (samples × results) and the summed gradient of samples ``order`` at parameters ``values``.

        None if a number on the way is not finite: the plain function then tells what happened.
        """
        pieces, places = [], []
        size = len(self.samples) if order is None else len(order)
        for g, (track, columns, positions) in enumerate(self.groups):
            if len(self.groups) == 1:
                chosen, place = (self.where[1] if order is None else order), None
            else:
                group_of, column_of = self.where if order is None else self.where[:, order]
                place = np.flatnonzero(group_of == g)
                chosen = column_of[place]
            if not len(chosen):
                continue
            if backward:
                track.check_if_due(self, columns, positions, chosen, values)
            for start in range(0, len(chosen), CHUNK):
                pieces.append((track, columns, chosen[start : start + CHUNK]))
                places.append(slice(start, start + CHUNK) if place is None else place[start : start + CHUNK])
        answers = _run_all(pieces, values, backward, executor)
        if len(answers) == 1:  # spares three array operations
            finite, results, gradient = answers[0]
            return (results.T, gradient) if finite else None
        results = np.empty((size, answers[0][1].shape[0]))
        total = np.zeros(len(values) if backward else 0)
        for (finite, some, gradient), place in zip(answers, places):
            if not finite:
                return None
            results[place] = some.T
            total[: len(gradient)] += gradient
        return results, total


def _run_all(pieces: Sequence[Any], values: Any, backward: bool, executor: Executor | None) -> list[Any]:
    if executor is None or len(pieces) == 1:
        return [track.program.run(values[: track.parameters], x, chosen, backward) for track, x, chosen in pieces]
    futures = [
        executor.submit(_run, track.program, values[: track.parameters], x[:, chosen], backward)
        for track, x, chosen in pieces
    ]
    answers = []
    for future, (track, x, chosen) in zip(futures, pieces):
        try:
            answers.append(future.result())
        except BrokenExecutor:  # a worker died; what it left undone is done here
            answers.append(_run(track.program, values[: track.parameters], x[:, chosen], backward))
    return answers


def _run(program: Program, values: Any, inputs: Any, backward: bool) -> Any:
    return program.run(values, np.ascontiguousarray(inputs), np.arange(inputs.shape[1]), backward)
