"""The samples of a batch, or of a whole data set, as lanes: columns of numbers, beside the tapes that replay them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from dataclasses import dataclass
from math import isnan
from typing import Any, Protocol, TypeAlias

import numpy as np

from micrograd.engine import Value
from micrograd.tape.checks import Checks, FunctionRaises
from micrograd.tape.columns import Array
from micrograd.tape.tape import Tape


class Program(Protocol):
    """A tape that can be replayed: ``machine.Program``, or ``reference.Program``."""

    chunk: int

    def gradient(self, parameters: Array, columns: Array, chosen: Array) -> tuple[float, Array]: ...
    def results(self, parameters: Array, columns: Array, chosen: Array) -> Array: ...


@dataclass
class Track:
    """What became of a function that was recorded on samples of one shape.

    Attributes:
        known: how many of the function's parameters the tape has; they come first.
        several: whether the function returns a list.
        plain: the number that it returned, if it was no Value.
    """

    tape: Tape
    program: Program
    checks: Checks
    several: bool
    plain: Any

    @property
    def gives_a_node(self) -> bool:
        """Whether the function returns one Value that it has computed."""
        return not self.several and self.plain is None

    @property
    def known(self) -> int:
        return len(self.tape.parameters)


Group: TypeAlias = tuple[Track, Array, Array]  # a track, its samples' numbers as columns, their positions among all


class Lanes:
    """Samples grouped by shape.

    Args:
        samples: as the plain function takes them, which the checks call.
        groups: for each shape the track, the columns, and the positions of its samples.
        parameters: the list that the recorded function has while these tapes are its own.
    """

    def __init__(self, samples: Sequence[Any], groups: list[Group], parameters: list[Value]) -> None:
        self.samples, self.groups, self.parameters = samples, groups, parameters
        self.checked = False
        self.all = np.arange(len(samples))
        self.where: Any = None  # with several groups: of each sample, its group and its column there
        if len(groups) > 1:
            self.where = np.empty((2, len(samples)), dtype=np.int64)
            for g, (_, _, positions) in enumerate(groups):
                self.where[0, positions], self.where[1, positions] = g, range(len(positions))

    def check(self, values: Array, order: Array | None = None) -> bool:
        """Compare the tapes with the plain function, on some of all samples when these are new, and on one of those
        that are about to be replayed if it is time.

        Raises ValueError where they differ. False if the plain function raises an error, which it is to do itself.
        """
        try:
            if not self.checked:
                for track, columns, positions in self.groups:
                    track.checks.of_data(self.samples, columns, positions, values)
                self.checked = True
            for (track, columns, positions), chosen, _ in self._chosen(order):
                track.checks.of_replay(self.samples, columns, positions, chosen, values)
        except FunctionRaises:
            return False
        return True

    def gradient(
        self, values: Array, order: Array | None = None, executor: Executor | None = None
    ) -> tuple[float, Array] | None:
        """The sum of the losses of the samples at positions ``order``, and its gradient, at parameters ``values``.

        None if a number on the way is not finite: the plain function then tells what happened. The sum is over pieces
        of a fixed size, so that its bits do not depend on who computes them.
        """
        self.require_losses()
        pieces = []
        if not self.check(values, order):
            return None
        for (track, columns, _), chosen, _ in self._chosen(order):
            pieces += [
                (track.program, values[: track.known], columns, chosen[start : start + track.program.chunk])
                for start in range(0, len(chosen), track.program.chunk)
            ]
        if executor is None or len(pieces) == 1:
            answers = [program.gradient(*piece) for program, *piece in pieces]
        else:
            answers = _share_out(pieces, executor)
        gradient = np.zeros(len(values))
        for _, some in answers:
            gradient[: len(some)] += some
        loss = sum([some for some, _ in answers])
        return None if isnan(loss) else (loss, gradient)

    def results(self, values: Array) -> Array | None:
        """The results of all samples, (samples, results); None as above."""
        self._require_as_many_results()
        if not self.check(values):
            return None
        results: Array = np.empty((len(self.samples), len(self.groups[0][0].tape.results)))
        for (track, columns, _), chosen, place in self._chosen(None):
            results[place] = track.program.results(values[: track.known], columns, chosen)
        return results if np.isfinite(results).all() else None

    def _chosen(self, order: Array | None) -> Iterator[tuple[Group, Array, Any]]:
        """For each shape among the samples ``order``: their columns, and their places in the order."""
        if len(self.groups) == 1:
            yield self.groups[0], self.all if order is None else order, slice(None)
            return
        groups, columns = self.where if order is None else self.where[:, order]
        for g, group in enumerate(self.groups):
            place = np.flatnonzero(groups == g)
            if len(place):
                yield group, columns[place], place

    def require_losses(self) -> None:
        for track, _, positions in self.groups:
            if track.several:
                raise TypeError("expected one Value as the loss of a sample, got a list: return a single one")
            if track.plain is not None:
                raise TypeError(
                    f"expected a Value as the loss of a sample, got {track.plain!r} for sample {positions[0]} of the "
                    "batch"
                )

    def _require_as_many_results(self) -> None:
        first = self.groups[0][0]
        for track, _, positions in self.groups:
            if (len(track.tape.results), track.several) != (len(first.tape.results), first.several):
                raise ValueError(
                    f"expected as many results from every sample, got {len(first.tape.results)} from sample 0 and "
                    f"{len(track.tape.results)} from sample {positions[0]}"
                )


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
