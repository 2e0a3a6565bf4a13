"""The check of a tape: some samples are also computed by the plain function, and must agree in result and gradient.

Which ones? When a tape is new, samples that differ from the recorded one in every number, and extreme ones. Of every
data set that comes later, samples beyond the range of those seen before. And as replays add up, one more sample at the
2nd, 8th, 32nd, …; of results alone, which costs far less, at the 4th, 16th, 64th, … and after every so many samples
replayed, so that checking takes a few percent of a long training. A large tape is spared the checks of ranges.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from micrograd.engine import Value, recording
from micrograd.samples import call_numbered, graph_of, lasting_leaves, plain_leaves, uncollected, values_of
from micrograd.tape import LOCK

FIRST = 6  # samples that a new tape is compared on, fewer for a large one:
FIRST_OPERANDS = 20_000  # together
BEYOND = 2  # samples of a data set that reaches beyond the range of those before
EVERY = 100_000  # samples replayed between two checks
TINY = 1e-290  # kernels may answer 0 in the place of smaller numbers


class Checks:
    """What was checked of the tape of a ``Track``."""

    def __init__(self, track: Any) -> None:
        self.track = track
        self.replays = self.replayed = self.count = 0
        self.failure = ""  # of which a tape does not recover: it would be wrong again where nothing is compared
        self.low = self.high = np.array(track.numbers)

    def of_data(self, samples: Sequence[Any], columns: Any, positions: Any, values: Any) -> None:
        """Compare on some of new data, the numbers in ``columns`` being of the samples at ``positions``."""
        self._require_success()
        if self.count and self.track.tape.size > FIRST_OPERANDS:
            return
        if self.count:
            if not (np.count_nonzero(columns < self.low[:, None]) or np.count_nonzero(columns > self.high[:, None])):
                return
            low, high = (
                np.fmin(self.low, np.fmin.reduce(columns, axis=1)),
                np.fmax(self.high, np.fmax.reduce(columns, axis=1)),
            )
            outside = (columns < self.low[:, None]) | (columns > self.high[:, None])
            self.low, self.high = low, high
            for column in _covering(outside, BEYOND):
                self.compare_results(samples, columns, positions, column, values)
        else:
            self.low, self.high = (
                np.fmin(self.low, np.fmin.reduce(columns, axis=1)),
                np.fmax(self.high, np.fmax.reduce(columns, axis=1)),
            )
            for column in self._first(columns, values):
                self.compare(samples, columns, positions, column, values)

    def of_replay(self, samples: Sequence[Any], columns: Any, positions: Any, chosen: Any, values: Any) -> None:
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
        elif is_late or (doublings and self.track.tape.size <= FIRST_OPERANDS):
            self.compare_results(samples, columns, positions, column, values)

    def free(self, size: int) -> int:
        """How many replays of ``size`` samples there are before one that something is compared at."""
        to_doubling = (1 << self.replays.bit_length()) - 1 - self.replays
        return max(0, min(to_doubling, (EVERY - 1 - self.replayed) // size))

    def passed(self, sizes: Sequence[int]) -> None:
        """So many samples were replayed, one time after the other."""
        self.replays += len(sizes)
        self.replayed += sum(sizes)

    def _first(self, columns: Any, values: Any) -> list[int]:
        """Columns that differ from the recorded sample, in every number if that is possible, and extremes.

        None where sample and parameters are those of the recording, whose graph the tape is.
        """
        count = min(FIRST, 1 + FIRST_OPERANDS // max(self.track.tape.size, 1))
        columns = columns[:, :10_000]
        different = _covering((self.track.numbers != columns.T).T, max(1, count - 2))
        if not different:
            return [] if values[: self.track.known].tolist() == self.track.values else [0]
        sums = columns.sum(axis=0)
        extreme = (columns <= self.low[:, None]) | (columns >= self.high[:, None])
        rest = [int(sums.argmin()), int(sums.argmax()), *_covering(extreme, count)]
        return list(dict.fromkeys([*different, *rest]))[:count]

    def compare(self, samples: Sequence[Any], columns: Any, positions: Any, column: int, values: Any) -> None:
        """Raise ValueError with the number of the sample if loss or gradient disagree."""
        self.count += 1
        k = int(positions[column])
        with LOCK, recording(Value):
            uncollected(self._compare, k, samples[k], columns[:, [column]], values)

    def compare_results(self, samples: Sequence[Any], columns: Any, positions: Any, column: int, values: Any) -> None:
        """As ``compare``, of results alone."""
        self.count += 1
        k, owner, numbers = int(positions[column]), self.track.owner, values[: self.track.known].tolist()
        with LOCK, recording(None):
            try:
                answers = [v.data for v in values_of(uncollected(call_numbered, k, owner.function, samples[k]))]
            except ValueError:
                return
        total, replayed = self.track.program.results(values[: self.track.known], columns, np.array([column]))
        if not math.isnan(total):
            scale = max([abs(v) for v in [*numbers, *answers, *columns[:, column].tolist()]])
            self._agree(f"sample {k}, {samples[k]!r:.80}", answers, replayed[0].tolist(), scale, [], [])

    def _compare(self, k: int, sample: Any, column: Any, values: Any) -> None:
        track, owner = self.track, self.track.owner
        parameters, known = owner.parameters[: track.known], set(owner.parameters)
        # Moved a little, the parameters are off the kinks, and a number that was read from one of them does not fit.
        moves = [(i * 0.618034 + 0.3) % 1 for i in range(len(parameters))]
        numbers = values[: track.known].tolist()
        for trial in [[v * (1 + r / 100) + r / 1000 for v, r in zip(numbers, moves)], numbers]:
            kept = [(parameter.data, parameter.grad) for parameter in parameters]
            try:
                for parameter, number in zip(parameters, trial):
                    parameter.data, parameter.grad = number, 0.0
                results = values_of(call_numbered(k, owner.function, sample))
                graph = graph_of(results)
                unknown = {v for v in plain_leaves(graph) if v.role == "parameter"} - known
                lasting = lasting_leaves(owner.function, sample, unknown)
                results[0].backward()
                slopes = [parameter.grad for parameter in parameters]
                answers, scale = [v.data for v in results], max([abs(node.data) for node in graph])
            except ValueError:  # undefined there, as the replay is going to find out if it is so where it has to be
                continue
            finally:
                for parameter, (number, slope) in zip(parameters, kept):
                    parameter.data, parameter.grad = number, slope
            if lasting:
                names = ", ".join(sorted([leaf.label or repr(leaf) for leaf in lasting])[:3])
                raise ValueError(
                    f"sample {k}, {sample!r:.80}: the function uses {names}, which it did not use when it was "
                    "recorded; it decides by what a tape cannot see, or the parameter was added since"
                )
            total, replayed, gradient = track.program.evaluate(trial, column)
            if not math.isnan(total):  # else the plain function is going to answer
                self._agree(f"sample {k}, {sample!r:.80}", answers, replayed, scale, slopes, gradient)
            return

    def _agree(
        self,
        sample: str,
        answers: list[float],
        replayed: list[float],
        scale: float,
        slopes: list[float],
        gradient: list[float],
    ) -> None:
        steepest = max([abs(slope) for slope in slopes], default=0.0)
        pairs = [("result", v, z, scale) for v, z in zip(answers, replayed)]
        pairs += [
            (f"gradient by {p.label or f'parameter {i}'}", a, b, steepest)
            for i, (p, a, b) in enumerate(zip(self.track.owner.parameters, slopes, gradient))
        ]
        if len(answers) != len(replayed):
            pairs = [("number of results", len(answers), len(replayed), 0)]
        for what, wanted, got, size in pairs:
            if wanted != got and not abs(wanted - got) <= 1e-9 * max(abs(wanted), abs(got), size, TINY):
                self.failure = (
                    f"{sample}: the {what} is {got!r} on the tape, but {wanted!r} by the function "
                    f"{getattr(self.track.owner.function, '__name__', '')}. It does what a tape cannot record: it "
                    "reads .data, draws random numbers, or uses parameters that were exchanged since it was recorded; "
                    "or somebody changed a sample that fit has packed. For parameters that were exchanged, jit it anew"
                )
                self._require_success()

    def _require_success(self) -> None:
        if self.failure:
            raise ValueError(self.failure)


def _covering(marks: Any, most: int) -> list[int]:
    """Columns that together have a mark in every row that has one, the fullest first, ``most`` of them at most."""
    picked: list[int] = []
    while len(picked) < most and marks.any():
        best = int(marks.sum(axis=0).argmax())
        picked.append(best)
        marks = marks & ~marks[:, [best]]
    return picked
