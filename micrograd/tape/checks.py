"""Compare a tape with the plain function: some samples are also computed node by node, and must agree.

Which ones? When a tape is new, the sample that it was recorded on, others that differ from it in every number, and
extreme ones. Of every data set that comes later, samples beyond the range of those seen before. And as replays add up,
one more sample at the 2nd, 8th, 32nd, …; of results alone, which costs far less, at the 4th, 16th, 64th, … and after
every so many samples replayed, so that checking takes a few percent of a long training. A large tape is spared the
checks of ranges.

What is compared may differ by rounding. How much that is cannot be seen from a result: of (a + b) - b, with a large b,
nothing may be left but rounding. So the scale is that of the terms that were added up; see ``scales``.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.engine import LEAVES, Value, recording, set_data, set_grad
from micrograd.graph import nodes
from micrograd.samples import call_numbered, uncollected, values_of
from micrograd.tape.columns import Array, python_numbers
from micrograd.tape.tape import Tape

FIRST = 6  # samples that a new tape is compared on, fewer for a large one:
FIRST_OPERANDS = 20_000  # together
BEYOND = 2  # samples of a data set that reaches beyond the range of those before
EVERY = 100_000  # samples replayed between two checks
TOLERANCE = 1e-9  # of the scale
TINY = 1e-290  # kernels may answer 0 in the place of smaller numbers

# Held while parameters are changed for a check, or given gradients: several threads may use recorded functions.
LOCK = RLock()

KINKS = {ops.relu, ops.absolute, ops.maximum, ops.minimum}
LINEAR = {ops.add, ops.sub, ops.neg}


@dataclass
class Plain:
    """What the plain function says of one sample.

    Attributes:
        results: the roots of its graphs, and ``numbers`` what they were.
        slopes: of the first result, by the parameters.
    """

    results: list[Value]
    numbers: list[float]
    slopes: list[float]

    def leaves(self) -> dict[int, Value]:
        """The leaves of the graphs, by id."""
        found = [v for result in self.results for v in nodes(result) if not v.parents]
        return {id(v): v for v in found if v.op.name in LEAVES}


def plain(k: int, function: Callable[..., Any], sample: Any, parameters: Sequence[Value], values: Any = None) -> Plain:
    """Call the function on sample number ``k``, with other numbers in the parameters if there are any."""
    with LOCK, recording(Value):
        data, slopes = [p.data for p in parameters], [p.grad for p in parameters]
        try:
            if values is not None:
                set_data(parameters, values)
            results = values_of(uncollected(call_numbered, k, function, python_numbers(sample)))
            set_grad(parameters, [0.0] * len(parameters))
            if results[0].role != "constant":
                results[0].backward()
            answer = Plain(results, [v.data for v in results], [p.grad for p in parameters])
            set_data(parameters, data)
            set_grad(parameters, slopes)
        except BaseException:
            set_data(parameters, data)
            set_grad(parameters, slopes)
            raise
    return answer


class FunctionRaises(Exception):  # noqa: N818  # it is not the tape's error
    """The plain function raises for a sample that the tape answers for: the function is to answer for the batch."""


class Checks:
    """What was checked of a tape.

    Args:
        function: the plain one.
        parameters: the tape's.
        tape, program: to be checked.
        numbers: of the sample that the tape was recorded on.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        parameters: Sequence[Value],
        tape: Tape,
        program: Any,
        numbers: Sequence[float],
    ) -> None:
        self.function, self.parameters, self.tape, self.program = function, parameters, tape, program
        self.known = len(tape.parameters)
        self.replays = self.replayed = self.count = 0
        self.first: list[int] = []  # columns of the first data that have to be compared
        self.failure = ""  # of which a tape does not recover: it would be wrong again where nothing is compared
        self.numbers = np.array(numbers)
        self.low = self.high = self.numbers

    # ---- when ----

    def of_recording(self, k: int, sample: Any, answer: Plain, values: Array) -> None:
        """Compare on the sample of the recording, for which the plain function has answered."""
        self._agree(k, sample, answer, self.numbers[:, None], values)

    def of_data(self, samples: Sequence[Any], columns: Array, positions: Array, values: Array) -> None:
        """Compare on some of new data, the numbers in ``columns`` being of the samples at ``positions``."""
        self._require_success()
        if self.count and self.tape.size > FIRST_OPERANDS:
            return
        below, above = columns < self.low[:, None], columns > self.high[:, None]
        if self.count and not (below.any() or above.any()):
            return
        self.low = np.fmin(self.low, np.fmin.reduce(columns, axis=1))
        self.high = np.fmax(self.high, np.fmax.reduce(columns, axis=1))
        if self.count:
            for column in _covering(below | above, BEYOND):
                self.compare_results(samples, columns, positions, column, values)
        else:
            for column in self._first(columns):
                self.compare(samples, columns, positions, column, values)

    def of_replay(self, samples: Sequence[Any], columns: Array, positions: Array, chosen: Array, values: Array) -> None:
        """Compare on one of the samples that are about to be replayed, if it is time."""
        self._require_success()
        is_free = self.free(len(chosen)) > 0
        self.passed([len(chosen)])
        if is_free:
            return
        doublings = self.replays.bit_length() - 1 if not self.replays & (self.replays - 1) else 0
        is_late = self.replayed >= EVERY
        if is_late:
            self.replayed = 0
        column = int(chosen[self.count % len(chosen)])
        if doublings % 2:
            self.compare(samples, columns, positions, column, values)
        elif is_late or (doublings and self.tape.size <= FIRST_OPERANDS):
            self.compare_results(samples, columns, positions, column, values)

    def free(self, size: int) -> int:
        """How many replays of ``size`` samples there are before one that something is compared at."""
        to_doubling = (1 << self.replays.bit_length()) - 1 - self.replays
        return max(0, min(to_doubling, (EVERY - 1 - self.replayed) // size))

    def passed(self, sizes: Sequence[int]) -> None:
        """So many samples were replayed, one time after the other."""
        self.replays += len(sizes)
        self.replayed += sum(sizes)

    def _first(self, columns: Array) -> list[int]:
        """Columns that differ from the recorded sample, in every number if that is possible, and extremes."""
        count = min(FIRST, FIRST_OPERANDS // max(self.tape.size, 1))
        columns = columns[:, :10_000]
        sums = columns.sum(axis=0)
        extreme = (columns <= self.low[:, None]) | (columns >= self.high[:, None])
        different = _covering((self.numbers != columns.T).T, max(1, count - 2))
        rest = [int(sums.argmin()), int(sums.argmax()), *_covering(extreme, count)]
        return list(dict.fromkeys([*self.first, *different, *rest]))[: len(self.first) + count]

    # ---- what ----

    def compare(self, samples: Sequence[Any], columns: Array, positions: Array, column: int, values: Array) -> None:
        """Compare results and gradients, at the parameters' numbers, and at others.

        Raises ValueError with the number of the sample if they disagree, and the function's own error, in a
        FunctionRaises, if the tape has an answer where it has none.
        """
        self.count += 1
        k, numbers, values = int(positions[column]), columns[:, [column]], values[: self.known]
        try:
            answer = plain(k, self.function, samples[k], self.parameters, values.tolist())
        except Exception as cause:
            self._require_undefined(numbers, values, cause)
            return
        self._require_known(k, samples[k], answer)
        self._agree(k, samples[k], answer, numbers, values)
        # Moved a little, the parameters are off the kinks, and a number that was read from one of them does not fit.
        moved = [v * (1 + r / 100) + r / 1000 for v, r in zip(values.tolist(), _spread(len(values)))]
        with suppress(Exception):  # undefined there
            answer = plain(k, self.function, samples[k], self.parameters, moved)
            self._agree(k, samples[k], answer, numbers, np.array(moved))
        self._require_success()

    def _require_undefined(self, column: Array, values: Array, cause: Exception) -> None:
        """Raise FunctionRaises unless the tape finds a number that is not finite, too."""
        total, _ = self.program.gradient(values, np.ascontiguousarray(column), np.zeros(1, dtype=np.int64))
        if not math.isnan(total):
            raise FunctionRaises from cause

    def compare_results(
        self, samples: Sequence[Any], columns: Array, positions: Array, column: int, values: Array
    ) -> None:
        """As ``compare``, of results alone, at the parameters' numbers."""
        self.count += 1
        k, parameters, values = int(positions[column]), self.parameters, values[: self.known]
        replayed = self.program.results(values, columns, np.array([column]))[0].tolist()
        with LOCK, recording(None):
            data = [p.data for p in parameters]
            try:
                set_data(parameters, values.tolist())
                results = values_of(uncollected(call_numbered, k, self.function, python_numbers(samples[k])))
                numbers = [v.data for v in results]
                set_data(parameters, data)
            except Exception as cause:
                set_data(parameters, data)
                if all(map(math.isfinite, replayed)):
                    raise FunctionRaises from cause
                return
            except BaseException:
                set_data(parameters, data)
                raise
        if not _close(numbers, replayed):
            self.compare(samples, columns, positions, column, values)  # which knows the scale

    def _agree(self, k: int, sample: Any, answer: Plain, column: Array, values: Array) -> None:
        only, column = np.zeros(1, dtype=np.int64), np.ascontiguousarray(column)
        replayed = self.program.results(values, column, only)[0].tolist()
        total, gradient = self.program.gradient(values, column, only)
        if math.isnan(total):  # then the plain function is going to answer
            return
        results, slopes = answer.numbers, gradient.tolist()
        if len(results) == len(replayed) and _close(results, replayed) and _close(answer.slopes, slopes):
            return
        sizes, steepness, decided = scales(answer.results, dict(zip(map(id, self.parameters), values.tolist())))
        if not decided:
            return
        pairs = [("result", v, z, size) for v, z, size in zip(results, replayed, sizes)]
        pairs += [
            (f"gradient by {p.label or f'parameter {i}'}", a, b, steepness.get(id(p), 0.0))
            for i, (p, a, b) in enumerate(zip(self.parameters, answer.slopes, slopes))
        ]
        if len(results) != len(replayed):
            pairs = [("number of results", len(results), len(replayed), 0)]
        for what, expected, got, size in pairs:
            if not abs(expected - got) <= TOLERANCE * size + TINY:
                self.failure = (
                    f"sample {k}, {sample!r:.80}: the {what} is {got!r} on the tape, but {expected!r} by the function "
                    f"{getattr(self.function, '__name__', '')}. It does what a tape cannot record: it reads .data, "
                    "draws random numbers, takes a number from a place that is not looked at again, or uses "
                    "parameters that were exchanged since it was recorded; or a sample was changed after it was read. "
                    "For parameters that were exchanged, jit it anew"
                )
                self._require_success()

    def _require_known(self, k: int, sample: Any, answer: Plain) -> None:
        """Raise ValueError if the function uses parameters that are not the tape's, and does so each time."""
        known = set(map(id, self.parameters))
        unknown = {i: v for i, v in answer.leaves().items() if i not in known and v.role == "parameter"}
        if unknown:
            again = plain(k, self.function, sample, self.parameters).leaves()
            names = sorted([v.label or repr(v) for i, v in unknown.items() if again.get(i) is v])
            if names:
                self.failure = (
                    f"sample {k}, {sample!r:.80}: the function uses {', '.join(names[:3])}, which it did not use when "
                    "it was recorded; it decides by what a tape cannot see, or the parameter was added since"
                )
                self._require_success()

    def _require_success(self) -> None:
        if self.failure:
            raise ValueError(self.failure)


def scales(results: Sequence[Value], numbers: dict[int, float]) -> tuple[list[float], dict[int, float], bool]:
    """How large the numbers are that add up to each result, and to the gradient of the first by each node (by id).

    A result may be small where large terms cancel; what rounding leaves of them is in proportion to the terms. So terms
    are added without their signs, forward and back. The last answer is whether each kink is decided: not where what is
    compared there differs by no more than rounding. ``numbers`` are those that parameters had, by id: by now they may
    have others.
    """
    data = {id(v): v.data for result in results for v in nodes(result)} | numbers
    order = list({id(v): v for result in results for v in nodes(result)}.values())
    size, decided = dict[int, float](), True
    for node in order:
        parts = [abs(slope) * size[id(p)] for p, slope in zip(node.parents, node.partials)]
        size[id(node)] = abs(data[id(node)]) + sum(parts)
        if node.op in KINKS:
            gap = data[id(node.parents[0])] - (data[id(node.parents[1])] if len(node.parents) > 1 else 0.0)
            decided &= abs(gap) > 1e-12 * sum([size[id(p)] for p in node.parents])
    steepness = {id(results[0]): 1.0}
    for node in reversed(nodes(results[0])):
        for parent, slope in zip(node.parents, _slope_sizes(node, size)):
            steepness[id(parent)] = steepness.get(id(parent), 0.0) + steepness[id(node)] * slope
    return [size[id(result)] for result in results], steepness, decided


def _slope_sizes(node: Value, size: dict[int, float]) -> list[float]:
    """The terms that the local derivatives of a node are made of, without signs."""
    if node.op in LINEAR:
        return [1.0] * len(node.parents)
    if node.op is ops.mul or node.op is ops.dot:
        w, x, *bias = ops.dot.group(node.parents)
        return [*[size[id(v)] for v in (*x, *w)], *[1.0 for _ in bias]]
    # Others saturate, as 1 - z² does: their slope may be rounding of numbers about as large as 1 and z.
    sizes = [abs(slope) + 1e-3 * (1 + abs(node.data)) for slope in node.partials]
    steep = [abs(slope) / max(abs(node.data), TINY) for slope in node.partials]
    return [s * max(1.0, 1e-6 * size[id(p)] * max(1.0, r)) for s, r, p in zip(sizes, steep, node.parents)]


def _close(expected: Sequence[float], got: Sequence[float]) -> bool:
    return all([a == b or abs(a - b) <= TOLERANCE * abs(a) for a, b in zip(expected, got)])


def _spread(count: int) -> list[float]:
    """Numbers from 0 to 1, no two of them near each other."""
    return [(i * 0.618034 + 0.3) % 1 for i in range(count)]


def _covering(marks: Array, most: int) -> list[int]:
    """Columns that together have a mark in every row that has one, the fullest first, ``most`` of them at most."""
    picked: list[int] = []
    while len(picked) < most and marks.any():
        best = int(marks.sum(axis=0).argmax())
        picked.append(best)
        marks = marks & ~marks[:, [best]]
    return picked
