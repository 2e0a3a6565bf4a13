"""Samples as columns of numbers, and batches of them replayed.

A sample is numbers in nested tuples, lists and arrays. Samples of one shape share a tape, and their numbers are the
columns of one matrix, so that a batch is a choice of columns:

>>> shape, numbers = flatten(([0.5, 1.5], 1))
>>> numbers, rebuild(shape, iter("abc"))
([0.5, 1.5, 1.0], (['a', 'b'], 'c'))
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from contextlib import contextmanager
from math import isnan
from numbers import Real
from typing import Any

from micrograd.engine import Value
from micrograd.samples import call_numbered
from micrograd.tape.instructions import Tape

try:
    import numpy as np

    from micrograd.tape.kernels import replay, scratch_size
    from micrograd.tape.loops import addresses
except ModuleNotFoundError as cause:
    raise ModuleNotFoundError(
        "replaying a tape wants NumPy and Numba; install them with: pip install numpy numba"
    ) from cause

BLOCK_BYTES, LANES = 1 << 21, 128  # at most, of values and derivatives of a block of lanes: they stay in the cache

Array = np.ndarray[Any, np.dtype[Any]]

# A Track with its tape, the numbers of its samples as columns of a matrix, and these samples' positions among all.
Group = tuple[Any, Array, Array]

# Of the samples that are one piece of work, a millisecond or so. Fixed, so that the order in which sums are taken does
# not depend on who works.
CHUNK_OPERANDS = 1 << 23

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
    if isinstance(item, (Real, np.bool_)):
        try:
            numbers.append(float(item))
        except OverflowError:
            raise ValueError("a number in the range of a float is wanted, got one beyond it") from None
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
    try:
        array = np.array(items)
    except ValueError:  # of several lengths
        return None
    if array.dtype.kind not in "biuf" or (len(kinds) > 1 and array.ndim > 1):  # Values, words; lists beside arrays
        return None
    return flatten(items[0])[0], np.ascontiguousarray(array.reshape(len(items), -1).T, dtype=np.float64)


_NO_RESULTS, _NO_GRADIENT = np.empty((0, 0)), np.empty(0)


class Program:
    """A tape in arrays. It pickles, so that other processes can replay it."""

    def __init__(self, tape: Tape) -> None:
        self.primitives = tape.primitives
        self.code = np.array(tape.code, dtype=np.int64).reshape(-1, 5)
        self.args = np.array(tape.args, dtype=np.int64)
        self.weights = np.array(tape.weights, dtype=np.int64)
        self.constants = np.array(tape.constants, dtype=np.float64)
        most = min(max(BLOCK_BYTES // (16 * tape.n_rows) // 8 * 8, 8), LANES)
        self.sizes = np.array([tape.prelude, most, tape.n_rows, tape.n_shared, *tape.results], dtype=np.int64)
        self.chunk = max(CHUNK_OPERANDS // max(tape.size, 1) // LANES, 1) * LANES
        self._loops: Any = None
        self._scratch: list[Array] = []  # kept, since the system takes longer to give memory than a replay to use it

    def gradient(self, parameters: Any, inputs: Any, chosen: Any) -> tuple[float, Any]:
        """Sums over the columns ``chosen`` of ``inputs``: the first result, nan if a number on the way is not finite,
        and its gradient by the parameters.
        """
        gradient = np.empty(len(parameters))
        return self._replay(parameters, inputs, chosen, _NO_RESULTS, gradient), gradient

    def results(self, parameters: Any, inputs: Any, chosen: Any) -> tuple[float, Any]:
        """The sum as above, and all results as an array (lanes, results)."""
        outputs = np.empty((len(self.sizes) - 4, len(chosen)))
        return self._replay(parameters, inputs, chosen, outputs, _NO_GRADIENT), outputs.T

    def evaluate(self, parameters: Sequence[float], column: Array) -> tuple[float, list[float], list[float]]:
        """Sum, results and gradient for a single sample, as lists."""
        arrays = array(parameters), np.ascontiguousarray(column), np.zeros(1, dtype=np.int64)
        total, gradient = self.gradient(*arrays)
        return total, self.results(*arrays)[1][0].tolist(), gradient.tolist()

    def _replay(self, parameters: Any, inputs: Any, chosen: Any, outputs: Any, gradient: Any) -> float:
        with self.arrays() as tape:
            return replay(*tape, parameters, inputs, chosen, outputs, gradient)  # type: ignore[no-any-return]

    @contextmanager
    def arrays(self) -> Iterator[tuple[Array, ...]]:
        """The tape as kernels take it, with memory to work in."""
        if self._loops is None:
            self._loops = addresses(self.primitives)
        try:
            scratch = self._scratch.pop()
        except IndexError:  # at first, or while other threads replay
            scratch = np.empty(scratch_size(self.sizes, self.weights))
        yield self.code, self.args, self.weights, self._loops, self.sizes, self.constants, scratch
        self._scratch.append(scratch)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loops": None, "_scratch": []}  # addresses are of this process


def array(numbers: Sequence[Any]) -> Array:
    return np.array(numbers, dtype=np.float64)


def data(parameters: Sequence[Value]) -> Array:
    return array([parameter.data for parameter in parameters])


class Pack:
    """Samples in columns, one matrix for each shape, with the tapes to replay them.

    Packing costs more than a replay, so ``fit`` packs its data once and takes batches by their positions.

    """

    def __init__(self, recorded: Any, samples: Sequence[Any]) -> None:
        self.recorded = recorded
        self.samples = samples
        self.checked = False
        self.groups: list[Group] = []
        self.where: Any = None  # with several groups: of each sample, its group and its column there
        for shape, positions, columns in group(samples):
            track = recorded.first_track(samples, shape, columns, positions)
            self.groups.append((track, columns, positions))
        self.all = positions if len(self.groups) == 1 else np.arange(len(samples))
        if len(self.groups) > 1:
            self.where = np.empty((2, len(samples)), dtype=np.int64)
            for g, (_, _, positions) in enumerate(self.groups):
                self.where[0, positions], self.where[1, positions] = g, range(len(positions))

    def _require_one_result(self) -> None:
        if any([track.several for track, _, _ in self.groups]):
            raise TypeError("the loss of a sample is one Value; the recorded function returns a list")
        for track, _, positions in self.groups:
            if track.plain is not None:
                raise TypeError(
                    f"the loss of a sample is a Value; for sample {positions[0]} of the batch, got {track.plain!r}"
                )

    def _require_as_many_results(self) -> None:
        first = self.groups[0][0]
        for track, _, positions in self.groups:
            if (len(track.tape.results), track.several) != (len(first.tape.results), first.several):
                raise ValueError(
                    f"map wants as many results from every sample; got {len(first.tape.results)} from sample 0, "
                    f"{len(track.tape.results)} from sample {positions[0]}"
                )

    def _check(self, values: Any) -> None:
        """Compare the tapes with the plain function on some of these samples, once."""
        if not self.checked:
            self.checked = True
            for track, columns, positions in self.groups:
                track.checks.of_data(self.samples, columns, positions, values)

    def gradient(self, values: Any, order: Any = None, executor: Executor | None = None) -> tuple[float, Any] | None:
        """The sum of the losses of samples ``order`` at parameters ``values``, and its gradient.

        None if a number on the way is not finite: the plain function then tells what happened.
        """
        if not self.checked:
            self._require_one_result()
            self._check(values)
        size = len(self.samples) if order is None else len(order)
        if len(self.groups) == 1 and size <= self.groups[0][0].program.chunk:
            track, columns, positions = self.groups[0]
            chosen = self.all if order is None else order
            track.checks.of_replay(self.samples, columns, positions, chosen, values)
            loss, gradient = track.program.gradient(values[: track.known], columns, chosen)
            if len(gradient) < len(values):
                gradient = np.append(gradient, np.zeros(len(values) - len(gradient)))
        else:
            loss, gradient = self._gradient_of_pieces(values, order, executor)
        return None if isnan(loss) else (loss, gradient)

    def _gradient_of_pieces(self, values: Any, order: Any, executor: Executor | None) -> tuple[float, Any]:
        pieces = []
        for (track, columns, positions), chosen, _ in self._chosen(order):
            track.checks.of_replay(self.samples, columns, positions, chosen, values)
            pieces += [
                (track.program, values[: track.known], columns, chosen[start : start + track.program.chunk])
                for start in range(0, len(chosen), track.program.chunk)
            ]
        answers = (
            [program.gradient(*piece) for program, *piece in pieces]
            if executor is None or len(pieces) == 1
            else _share_out(pieces, executor)
        )
        gradient = np.zeros(len(values))
        for _, some in answers:
            gradient[: len(some)] += some
        return sum([some for some, _ in answers]), gradient

    def results(self, values: Any) -> Array | None:
        """The results of all samples, (samples, results), or None as above."""
        self._require_as_many_results()
        self._check(values)
        results: Array = np.empty((len(self.samples), len(self.groups[0][0].tape.results)))
        for (track, columns, positions), chosen, place in self._chosen(None):
            track.checks.of_replay(self.samples, columns, positions, chosen, values)
            total, results[place] = track.program.results(values[: track.known], columns, chosen)
            if isnan(total):
                return None
        return results

    def _chosen(self, order: Any) -> Iterator[tuple[Group, Any, Any]]:
        """For each shape among the samples ``order``: their columns, and their places in the order."""
        if len(self.groups) == 1:
            yield self.groups[0], self.all if order is None else order, slice(None)
            return
        groups, columns = self.where if order is None else self.where[:, order]
        for g, group in enumerate(self.groups):
            place = np.flatnonzero(groups == g)
            if len(place):
                yield group, columns[place], place


def _share_out(pieces: Sequence[Any], executor: Executor) -> list[Any]:
    """The gradients of pieces, computed by workers; what one that dies leaves undone is done here."""
    if not isinstance(executor, ThreadPoolExecutor):  # others get copies, of what they need alone
        pieces = [
            (program, values, np.ascontiguousarray(columns[:, chosen]), np.arange(len(chosen)))
            for program, values, columns, chosen in pieces
        ]
    answers: list[Any] = []
    try:
        for future in [executor.submit(program.gradient, *piece) for program, *piece in pieces]:
            answers.append(future.result())  # noqa: PERF401  # those before a failure are kept
    except BrokenExecutor:
        answers += [program.gradient(*piece) for program, *piece in pieces[len(answers) :]]
    return answers
