"""Record a loss function once, on one sample, and replay it for whole batches at the speed of compiled code.

>>> w = Value(2.0)
>>> loss = jit(lambda x, y: (w * x - y) ** 2)
>>> loss.map([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)])
array([ 1.,  9., 25.])
>>> print(loss.tape(1.0, 1.0))
tape of 2 instructions: 2 inputs, 1 parameters, 3 constants, 5 rows, 4 operands
x: numbers of the sample, p: parameters, s: results from parameters alone, r: results for the sample
r3 = p0·x1 - x2
r4 = power(r3, 2)
return r4

A tape serves every sample of the shape that it was recorded on, and there is one for each shape. It has one path: what
the function decides by a value of the sample cannot be recorded, and raises an error that says what to write instead.
What the function does behind the graph's back, reading ``.data`` for one, is found by comparing other samples.
"""

import functools
import warnings
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn, cast

from micrograd.engine import Leaving, Value, current_leaving, is_recording, no_grad, set_grad
from micrograd.ops import Primitive
from micrograd.samples import call, call_numbered, from_arguments, require_batch, uncollected, values_of
from micrograd.tape.outside import Outside

if TYPE_CHECKING:
    from micrograd.tape.columns import Array, Shape
    from micrograd.tape.lanes import Lanes, Track
    from micrograd.tape.tape import Tape
    from micrograd.tape.training import ArrayTrainer
    from micrograd.train import Step

__all__ = ["Recorded", "jit"]

TRIALS = 10  # samples that a function may be undefined for before it is not recorded
WORTHWHILE = 40  # operands of all samples together: with fewer, the plain function is faster than a replay
MOST_SHAPES = 64  # tapes of a function that are kept; the one that was used longest ago goes first


def jit(function: Callable[..., Any]) -> "Recorded":
    """``function`` recorded: the same call and the same numbers, replayed as a tape. Serves as a decorator too.

    >>> w = Value(2.0)
    >>> loss = jit(lambda x, y: (w * x - y) ** 2)
    >>> loss(2.0, 1.0).data, loss.mean([(1.0, 1.0), (2.0, 1.0)])
    (9.0, 5.0)

    Args:
        function: of one sample, numbers in nested tuples, lists and arrays; returns a Value, or a list of them. The
            leaf Values that it uses are parameters, shared by all samples; numbers that it meets are constants.

    A tape is replayed by machine code where llvmlite is installed, else by NumPy; without NumPy the function is called
    sample by sample as it is. ``repr`` shows which. The forward pass rounds as the engine does, in the same order, so
    both stand on the same side of every kink: sums, products, quotients, ``sqrt``, ``relu``, ``abs``, ``maximum`` and
    ``minimum`` give the engine's bits on Python 3.10 and 3.11. (From 3.12 on, Python's ``sum`` keeps more digits.)
    ``exp`` and ``tanh`` are right to 3 units in the last place.

    Numbers from outside, globals of the function, cells of its closure, defaults, and one level of attributes and items
    in these, are looked at again at each call; if one is another, the function is recorded anew. Deeper places, and
    those that functions called by it read, are left to the checks.

    The checks compare the tape with the function, in result and every gradient: on the sample of the recording and a
    few others when it is new, on some that reach beyond the range of those before whenever new data comes, on one more
    at the 2nd, 4th, 8th, … replay, and on one in every 100,000 samples replayed; of the later ones, most are compared
    in results alone, and a large tape has fewer. So what the function reads from ``.data``, or draws at random, shows
    soon. What takes another path on rare samples within the range of the others, a single token say, is seen only if
    one of them is compared, which may be late or never. ``check(samples)`` compares all of them.
    """
    return Recorded(function)


class Recorded:
    """A function and its tapes, made by ``jit``. ``accumulate``, ``fit`` and ``Training`` take it as a loss.

    >>> w = Value(2.0)
    >>> loss = jit(lambda x: w * x)
    >>> loss.map([1.0, 2.0, 3.0]).tolist(), loss.parameters[0] is w
    ([2.0, 4.0, 6.0], True)

    Attributes:
        function: the plain function.
        parameters: those of all tapes; the ones of each tape come first.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"jit records a function of one sample, got {function!r}")
        functools.update_wrapper(self, function, updated=())
        self.function: Callable[..., Any] = function.function if isinstance(function, Recorded) else function
        self.parameters: list[Value] = []
        self._tracks: dict[Shape, Track] = {}
        self._former: dict[Shape, Track] = {}  # forgotten, but their kernels serve the tapes that take their place
        self._outside: Outside | None = None
        self._is_plain = find_spec("numpy") is None  # whether it cannot be replayed

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"<jit of {name}, replayed by {self.replays_by}>"

    @property
    def replays_by(self) -> str:
        """What computes a batch: "machine code", "NumPy", or "the plain function"."""
        if self._is_plain:
            return "the plain function"
        return "NumPy" if find_spec("llvmlite") is None else "machine code"

    # ---- one sample ----

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain function's answer; from a tape, a single Value is one node on all its parameters."""
        is_traced = type(current_leaving()) is not Leaving  # by the recording of a function that calls this one, say
        if keywords or not arguments or self._is_plain or is_traced:
            return self.function(*arguments, **keywords)
        sample = from_arguments(arguments)
        try:
            lanes, values = self.lanes([sample])
        except TypeError as refused:
            if _holds_values(sample):  # whose gradients are expected as well
                return self.function(*arguments)
            raise refused
        if lanes is None or not lanes.groups[0][0].gives_a_node or not self.parameters:
            return self.function(*arguments)
        if not is_recording():
            results = lanes.results(values)
            return self.function(*arguments) if results is None else Value(results.item(), role="constant")
        answer = lanes.gradient(values)
        if answer is None:
            return self.function(*arguments)
        return Value._restore((answer[0], 0.0, "", answer[1].tolist(), self._primitive, {}), tuple(self.parameters))

    @functools.cached_property
    def _primitive(self) -> Primitive:
        def refuse(*_: Any) -> NoReturn:
            raise ValueError("a tape has first derivatives only; for higher ones, call the plain function")

        return Primitive("tape", refuse, refuse)

    def tape(self, *arguments: Any) -> "Tape":
        """The tape for samples of this one's shape; ``print`` shows its instructions."""
        lanes, _ = self.lanes([from_arguments(arguments)])
        if lanes is None:
            raise ValueError(f"{self!r} has no tape")
        return lanes.groups[0][0].tape

    # ---- many samples ----

    def map(self, samples: Sequence[Any]) -> "Array":
        """Results for many samples, without gradients: an array (samples,), or (samples, results) for lists of them."""
        if find_spec("numpy") is None:
            raise ModuleNotFoundError("map needs NumPy: pip install numpy")
        from micrograd.tape.columns import array, listed

        samples = listed(samples)
        if not len(samples):
            raise ValueError("map: expected one sample at least, got none")
        lanes, values = self.lanes(samples)
        results = None if lanes is None else lanes.results(values)
        if results is None:
            with no_grad():
                answers = [call_numbered(k, self.function, sample) for k, sample in enumerate(samples)]
            results = array([[v.data for v in values_of(answer)] for answer in answers])
            return results if isinstance(answers[0], (list, tuple)) else results[:, 0]
        return results if lanes is not None and lanes.groups[0][0].several else results[:, 0]

    def mean(self, samples: Sequence[Any]) -> float:
        """The mean of the results, without gradients: what ``evaluate`` asks for."""
        if self._is_plain:
            with no_grad():
                return sum([float(call(self.function, samples[k])) for k in range(len(samples))]) / len(samples)
        results = self.map(samples)
        if results.ndim > 1:
            raise TypeError("expected a number or a Value from every sample, got a list: return a single one")
        return float(results.mean())

    def add_gradients(self, samples: Sequence[Any], share: float, executor: Executor | None = None) -> float | None:
        """Add ``share`` times the gradient of each sample to the parameters; the sum of the samples' losses.

        None, and nothing was added, where the plain function is to answer: where a number is not finite, for which it
        raises an error, where nothing can be replayed, and for few samples of a small loss, for which it is faster.
        """
        if self._tracks and max([t.tape.size for t in self._tracks.values()]) * len(samples) < WORTHWHILE:
            return None  # before anything is converted to arrays
        lanes, values = self.lanes(samples)
        answer = None if lanes is None else lanes.gradient(values, None, executor)
        if answer is None:
            return None
        from micrograd.tape.checks import LOCK

        loss, gradient = answer
        with LOCK:
            parameters = self.parameters[: len(gradient)]
            set_grad(parameters, [p.grad + slope for p, slope in zip(parameters, (gradient * share).tolist())])
        return loss

    def check(self, samples: Sequence[Any]) -> None:
        """Compare results and gradients of all these samples with the plain function's.

        Raises ValueError, with the number of the sample, where they differ; and what the function raises.
        """
        samples = require_batch(samples)
        lanes, values = self.lanes(samples)
        if lanes is None:
            return
        from micrograd.tape.checks import FunctionRaises

        try:
            for track, columns, positions in lanes.groups:
                for column in range(len(positions)):
                    track.checks.compare(samples, columns, positions, column, values)
        except FunctionRaises as told:
            raise cast(Exception, told.__cause__) from None

    def trainer(self, step: "Step", write_back: bool, samples: Sequence[Any]) -> "ArrayTrainer | None":
        """What takes steps of training on arrays; None where the loop over Values is to take them."""
        if self._is_plain or find_spec("llvmlite") is None:
            return None
        from micrograd.tape.training import trainer

        return trainer(self, step, write_back, samples)

    # ---- recording ----

    def lanes(self, samples: Sequence[Any]) -> "tuple[Lanes | None, Array]":
        """Samples ready for replay, with tapes for their shapes, and the parameters' numbers; None if it cannot be."""
        if self._is_plain:
            return None, ()  # type: ignore[return-value]
        from micrograd.tape.checks import LOCK
        from micrograd.tape.columns import array, group
        from micrograd.tape.lanes import Lanes
        from micrograd.tape.symbols import Untraceable

        grouped = group(samples)
        with LOCK:
            self.look_outside()
            try:
                groups = [
                    (self._track(samples, shape, columns, positions), columns, positions)
                    for shape, positions, columns in grouped
                ]
            except Untraceable as cause:
                self._is_plain = True
                warnings.warn(f"{self!r}: {cause}", RuntimeWarning, stacklevel=3)
                return None, array([])
            return Lanes(samples, groups, self.parameters), array([parameter.data for parameter in self.parameters])

    def expect(self, parameters: Sequence[Value]) -> None:
        """Let tapes have these parameters first, in this order, unless there are tapes already."""
        if not self._tracks:
            self.parameters = [*parameters]

    def look_outside(self) -> bool:
        """Forget all tapes if a number that the function takes from outside has changed; whether it has."""
        changed = self._outside is not None and self._outside.changed() is not None
        if changed:
            self._former, self._tracks, self.parameters, self._outside = self._tracks, {}, [], None
        return changed

    def takes(self, thing: object, names: Collection[str]) -> bool:
        """Whether the function takes one of these attributes of that object."""
        return self._outside is not None and self._outside.takes(thing, names)

    def _track(self, samples: Sequence[Any], shape: "Shape", columns: "Array", positions: "Array") -> "Track":
        """The track for samples of one shape."""
        track = self._tracks.pop(shape, None)
        if track is None:
            if self._outside is None:
                self._outside = Outside(self.function)
            track = self._first_track(samples, shape, columns, positions)
            self.parameters.extend(track.tape.parameters[len(self.parameters) :])
            if len(self._tracks) >= MOST_SHAPES:
                del self._tracks[next(iter(self._tracks))]
        self._tracks[shape] = track
        return track

    def _first_track(self, samples: Sequence[Any], shape: "Shape", columns: "Array", positions: "Array") -> "Track":
        """Recorded on the first sample where the function and its derivatives are defined, among the first few."""
        undefined: list[ValueError] = []
        for column, k in enumerate(positions[:TRIALS].tolist()):
            try:
                track = uncollected(self._record, k, samples[k], shape, columns[:, column].tolist())
            except ValueError as cause:  # noqa: PERF203  # few
                undefined.append(cause)
            except Exception:
                call_numbered(k, self.function, samples[k])  # its own error, if there is one
                raise
            else:
                track.checks.first = [*range(column)]  # is the tape undefined there as well?
                return track
        call_numbered(int(positions[0]), self.function, samples[positions[0]])
        raise undefined[0]

    def _record(self, k: int, sample: Any, shape: "Shape", numbers: list[float]) -> "Track":
        from micrograd.tape import checks
        from micrograd.tape.columns import array
        from micrograd.tape.lanes import Track
        from micrograd.tape.lower import lower
        from micrograd.tape.replay import program_of
        from micrograd.tape.trace import trace

        traced, known = trace(self.function, shape, numbers), list(self.parameters)
        tape = lower(traced.results, traced.inputs, known)
        answer = checks.plain(k, self.function, sample, tape.parameters)
        found = answer.leaves()
        unmet = {id(v): v for v in tape.parameters[len(known) :] if id(v) not in found}
        if any([not v.label for v in unmet.values()]):
            # Met by the trace, but not by the function: a choice that was not made, or made by the call itself.
            again = trace(self.function, shape, numbers)
            lasting = set(map(id, lower(again.results, again.inputs, known).parameters))
            tape = lower(traced.results, traced.inputs, known, unmet.keys() - lasting)
            answer = checks.plain(k, self.function, sample, tape.parameters)
        program = program_of(tape)
        check = checks.Checks(self.function, tape.parameters, tape, program, numbers)
        check.of_recording(k, sample, answer, array([p.data for p in tape.parameters]))
        return Track(tape, program, check, traced.several, traced.plain)

    def __get__(self, instance: Any, kind: Any = None) -> "Recorded":
        """As a method: every instance has its own, kept in its ``__dict__``, where it is found from then on."""
        if instance is None or not hasattr(self.function, "__get__"):
            return self
        kept = getattr(instance, "__dict__", None)
        if not isinstance(kept, dict):
            raise TypeError(
                f"jit keeps a method's tapes in the __dict__ of each object, and {instance!r:.60} has none; "
                "write loss = jit(function) outside of the class"
            )
        bound = Recorded(self.function.__get__(instance, kind))
        names = [name for base in type(instance).__mro__ for name, x in vars(base).items() if x is self]
        for name in names:  # not that of a method which super() finds
            if getattr(type(instance), name) is self:
                kept[name] = bound
        return bound

    def __reduce__(self) -> tuple[Any, ...]:
        return Recorded, (self.function,)  # a copy records anew, since it may have other parameters


def _holds_values(sample: Any) -> bool:
    if isinstance(sample, (list, tuple)) or getattr(sample, "ndim", 0) > 0:
        return any(map(_holds_values, sample))
    return isinstance(sample, Value)
