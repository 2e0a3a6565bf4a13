"""Record a loss function once, on one sample, and replay it for whole batches at the speed of compiled code.

>>> w = Value(2.0)
>>> loss = jit(lambda x, y: (w * x - y) ** 2)
>>> loss.map([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)])
array([ 1.,  9., 25.])
>>> print(loss.tape(1.0, 1.0))
tape of 2 instructions: 2 inputs, 1 parameters, 3 constants, 5 rows, 13 operands
r3 = p0·x1 + -1·x2
r4 = power(r3, 2)
return r4

A tape serves every sample of the shape that it was recorded on, and there is one for each shape. It has one path: what
the function decides by a value of the sample cannot be recorded, and raises an error that says what to write instead.
What the function does behind the graph's back, reading ``.data`` for one, is found by comparing other samples.
"""

import functools
import gc
import linecache
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from micrograd.data import call
from micrograd.engine import Value, as_value, is_recording, recording
from micrograd.graph import nodes
from micrograd.instructions import Tape
from micrograd.lower import lower
from micrograd.ops import Primitive

if TYPE_CHECKING:
    from micrograd.replay import Array, Pack, Program

HERE = str(Path(__file__).parent)
WORTHWHILE = 200  # operands: with fewer, the plain function is faster than a replay
CHECKS = 6  # samples that a new tape is compared on, fewer for a large one:
CHECK_OPERANDS = 20_000  # together


def jit(function: Callable[..., Any]) -> "Recorded":
    """``function`` recorded: the same call and the same numbers, replayed as a tape. Serves as a decorator too.

    Args:
        function: of one sample, numbers in nested tuples, lists and arrays; returns a Value, or a list of them. The
            leaf Values that it uses are parameters, shared by all samples; numbers that it meets are constants.
    """
    return Recorded(function)


class Recorded:
    """A function and its tapes, made by ``jit``. ``accumulate`` and ``fit`` take it wherever they take a loss.

    Attributes:
        function: the plain function.
        parameters: those of all tapes; the ones of each tape come first.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.parameters: list[Value] = []
        self._tracks: dict[Any, Track] = {}

    def __call__(self, *arguments: Any) -> Any:
        """The plain function's answer; from a tape, a single Value is one node on all its parameters."""
        from micrograd import replay

        sample = _sample(arguments)
        try:
            shape, numbers = replay.flatten(sample)
        except TypeError:  # Values among the numbers, whose gradients are wanted as well
            return self.function(*arguments)
        track = self.track(shape, numbers)
        if track.tape.size < WORTHWHILE or track.several:
            return self.function(*arguments)
        pack, values = replay.Pack(self, [sample]), replay.data(self.parameters)
        if not is_recording():
            results = pack.results(values)
            return self.function(*arguments) if results is None else Value(results.item(), role="constant")
        answer = pack.gradient(values)
        if answer is None:
            return self.function(*arguments)
        return Value._restore((answer[0], 0.0, "", answer[1].tolist(), self._primitive), tuple(self.parameters))

    @functools.cached_property
    def _primitive(self) -> Primitive:
        def refuse(*_: Any) -> NoReturn:
            raise ValueError("a tape has first derivatives only; for higher ones, call the plain function")

        return Primitive("tape", refuse, refuse)

    def map(self, samples: Sequence[Any]) -> "Array":
        """Results for many samples, without gradients: an array (samples,), or (samples, results) for lists of them."""
        from micrograd import replay

        if not len(samples):
            raise ValueError("map wants one sample at least; got none")
        pack = replay.Pack(self, samples)
        results = pack.results(replay.data(self.parameters))
        if results is not None:
            return results if pack.groups[0][0].several else results[:, 0]
        with recording(None):
            answers = [_of_sample(k, self.function, sample) for k, sample in enumerate(samples)]
        return replay.array([[float(v) for v in a] if isinstance(a, (list, tuple)) else float(a) for a in answers])

    def tape(self, *arguments: Any) -> Tape:
        """The tape for samples of this one's shape; ``print`` shows its instructions."""
        from micrograd import replay

        sample = _sample(arguments)
        return self.track(*replay.flatten(sample)).tape

    def add_gradients(self, samples: Sequence[Any], share: float, executor: Executor | None = None) -> float | None:
        """Add ``share`` times the gradient of each sample to the parameters; the sum of the samples' losses.

        None, and nothing was added, where the plain function does better: for few samples of a small loss, and where
        a number is not finite, which it raises an error for.
        """
        if self._tracks and max([t.tape.size for t in self._tracks.values()]) * len(samples) < WORTHWHILE:
            return None
        from micrograd import replay

        pack = replay.Pack(self, samples)
        pack.require_one_result()
        answer = pack.gradient(replay.data(self.parameters), executor=executor)
        if answer is None:
            return None
        loss, gradient = answer
        for parameter, slope in zip(self.parameters, (gradient * share).tolist()):
            parameter.grad += slope
        return loss

    def track(self, shape: Any, numbers: Sequence[float], k: int = 0) -> "Track":
        if shape not in self._tracks:
            track = _of_sample(k, Track, (self, shape, numbers))
            self.parameters.extend(track.tape.parameters[len(self.parameters) :])
            self._tracks[shape] = track
        return self._tracks[shape]


def _values(answer: Any) -> list[Value]:
    return [as_value(v) for v in answer] if isinstance(answer, (list, tuple)) else [as_value(answer)]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which finds no cycles in graphs and would take most of the time looking."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def graph_of(results: Sequence[Value]) -> list[Value]:
    """The nodes of several results' graphs, each after its parents."""
    return list(dict.fromkeys([node for result in results for node in nodes(result)]))


def plain_leaves(graph: Sequence[Any]) -> list[Value]:
    """The leaves among these nodes, without the inputs and constants of a recording."""
    return [node for node in graph if type(node) is Value and not node.parents]


def _sample(arguments: tuple[Any, ...]) -> Any:
    """The sample for which ``call`` passes these arguments."""
    return arguments[0] if len(arguments) == 1 and not isinstance(arguments[0], tuple) else arguments


def _of_sample(k: int, function: Callable[..., Any], sample: Any) -> Any:
    try:
        return call(function, sample)
    except ValueError as cause:
        raise ValueError(f"sample {k} of the batch: {cause}") from cause


class Track:
    """The tape for one shape of samples, and what was done to make sure of it."""

    def __init__(self, owner: Recorded, shape: Any, numbers: Sequence[float]) -> None:
        from micrograd import replay

        self.owner = owner
        leaves = [Traced(number, role="input") for number in numbers]
        traced = replay.rebuild(shape, iter(leaves))
        with _uncollected(), recording(Traced):
            answer = call(owner.function, traced)
            self.several = isinstance(answer, (list, tuple))
            results = _values(answer)
            graph = graph_of(results)
            unknown = set(plain_leaves(graph)) - set(owner.parameters)
            made = unknown - self._again(traced) if unknown else unknown
            self.tape = lower(results, graph, leaves, owner.parameters, made)
        self.parameters = len(self.tape.parameters)
        self.numbers = numbers
        self.replays, self.due = 0, 1  # the number of the replay before which the next check is

    def _again(self, sample: Any) -> set[Value]:
        """The plain leaves of another call: those of the first that are not among them were made by it."""
        return set(plain_leaves(graph_of(_values(call(self.owner.function, sample)))))

    @functools.cached_property
    def program(self) -> "Program":
        from micrograd import replay

        return replay.Program(self.tape)

    # ---- the check by other samples ----

    def check_if_due(self, pack: "Pack", columns: Any, positions: Any, chosen: Any, values: Any) -> None:
        """Compare with the plain function: some samples at first, and one more as replays add up (2, 8, 32, …).

        Raises ValueError with the number of a sample on which loss or gradient disagree.
        """
        self.replays += 1
        if self.replays != self.due:
            return
        first = self.replays == 1
        self.due *= 2 if first else 4
        picked = self._different(columns, chosen) if first else [int(chosen[self.replays // 3 % len(chosen)])]
        with _uncollected(), recording(Value):
            for column in picked:
                self._check(pack.samples[positions[column]], int(positions[column]), columns[:, [column]], values)

    def _different(self, columns: Any, chosen: Any) -> list[int]:
        """Columns that differ from the recorded sample, in every number if that is possible, and two extremes."""
        checks = min(CHECKS, 1 + CHECK_OPERANDS // self.tape.size)
        numbers = columns[:, chosen[:1000]]
        new = (self.numbers != numbers.T).T
        picked: list[int] = []
        while new.any() and len(picked) < max(1, checks - 2):
            best = int(new.sum(axis=0).argmax())
            picked.append(int(chosen[best]))
            new &= ~new[:, [best]]
        sums = columns[:, chosen].sum(axis=0)
        extremes = int(chosen[sums.argmin()]), int(chosen[sums.argmax()])
        return list(dict.fromkeys([*picked, *extremes]))[:checks]

    def _check(self, sample: Any, k: int, column: Any, values: Any) -> None:
        parameters = self.owner.parameters[: self.parameters]
        known = set(self.owner.parameters)
        # Moved a little, the parameters are off the kinks, and a number that was read from one of them does not fit.
        moves = [(i * 0.618034 + 0.3) % 1 for i in range(len(parameters))]
        numbers = values[: self.parameters].tolist()
        for trial in [[v * (1 + r / 100) + r / 1000 for v, r in zip(numbers, moves)], numbers]:
            kept = [(parameter.data, parameter.grad) for parameter in parameters]
            try:
                for parameter, number in zip(parameters, trial):
                    parameter.data, parameter.grad = number, 0.0
                results = _values(call(self.owner.function, sample))
                graph = graph_of(results)
                unknown = {v for v in plain_leaves(graph) if v.role == "parameter"} - known
                lasting = unknown & self._again(sample) if unknown else unknown
                results[0].backward()
                slopes = [parameter.grad for parameter in parameters]
            except ValueError:  # undefined there, as the replay is going to find out if it is so where it has to be
                continue
            finally:
                for parameter, (number, slope) in zip(parameters, kept):
                    parameter.data, parameter.grad = number, slope
            if lasting:
                names = ", ".join(sorted([leaf.label or repr(leaf) for leaf in lasting])[:3])
                raise ValueError(f"sample {k}: the function uses {names}, which was not there when it was recorded")
            scale = max([abs(node.data) for node in graph])
            self._compare(k, sample, results, slopes, scale, self.program.evaluate(trial, column))
            return

    def _compare(
        self, k: int, sample: Any, results: list[Value], slopes: list[float], scale: float, replayed: Any
    ) -> None:
        total, numbers, gradient = replayed
        if math.isnan(total):  # the plain function is going to answer
            return
        steepest = max([abs(slope) for slope in slopes], default=0.0)
        pairs = [("result", v.data, z, scale) for v, z in zip(results, numbers)]
        pairs += [
            (f"gradient by {p.label or f'parameter {i}'}", a, b, steepest)
            for i, (p, a, b) in enumerate(zip(self.owner.parameters, slopes, gradient))
        ]
        if len(results) != len(numbers):
            pairs = [("number of results", len(results), len(numbers), 0)]
        for what, wanted, got, size in pairs:
            if abs(wanted - got) > 1e-9 * max(abs(wanted), abs(got), size):
                raise ValueError(
                    f"sample {k}, {sample!r:.80}: the {what} is {got!r} on the tape, but {wanted!r} by the "
                    f"function {getattr(self.owner.function, '__name__', '')}. It does what a tape cannot record: it "
                    "reads .data, draws random numbers, or uses parameters that were exchanged since it was recorded"
                )


# ---- values that are being traced ------------------------------------------------------------------------------------

_CHOICE = (
    "for a choice by size use a.maximum(b), a.minimum(b), v.relu() or abs(v), for one by a whole number "
    "pick(values, index); a decision that is the same for all samples can be taken outside of the function"
)
_NUMBER = "compute with it as it is: it has arithmetic and methods such as v.exp() and v.tanh()"
_INDEX = "for values[index] use pick(values, index); a length may come from len(), as each shape has its own tape"


def _refusal(what: str, instead: str) -> Callable[..., Any]:
    def method(_: "Traced", *__: Any) -> NoReturn:
        frame = sys._getframe(1)
        while frame.f_back is not None and str(Path(frame.f_code.co_filename).parent) == HERE:
            frame = frame.f_back
        file, line = frame.f_code.co_filename, frame.f_lineno
        source = linecache.getline(file, line, frame.f_globals).strip()
        raise TypeError(
            f"{file}, line {line}: {source}\n{what} depends on the sample, but a tape has one path for all samples; "
            f"{instead}. To run the function as it is, leave out jit"
        )

    return method


class Traced(Value):
    """A Value while a function is recorded: what would turn it into a plain number or a decision raises TypeError."""

    __slots__ = ()

    __bool__ = _refusal("whether a value is 0", _CHOICE)
    __lt__ = __le__ = __gt__ = __ge__ = _refusal("a comparison of values", _CHOICE)
    __float__ = __round__ = __floor__ = __ceil__ = _refusal("a value as a plain number", _NUMBER)
    __int__ = __trunc__ = __index__ = _refusal("a value as a whole number", _INDEX)
    __hash__ = Value.__hash__
    _compare = _refusal("a comparison of values", _CHOICE)

    def __eq__(self, other: object) -> bool:
        return self._compare() if isinstance(other, Real) else self is other
