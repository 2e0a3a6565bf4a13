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
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, NoReturn

from micrograd.engine import Value, is_recording, recording, set_grad
from micrograd.ops import Primitive
from micrograd.samples import call_numbered, from_arguments, values_of
from micrograd.tape import LOCK
from micrograd.tape.instructions import Tape
from micrograd.tape.track import Track

if TYPE_CHECKING:
    from micrograd.tape.replay import Array, Pack

TRIALS = 10  # samples that a function may be undefined for before it is not recorded
WORTHWHILE = 40  # operands of all samples together: with fewer, the plain function is faster than a replay
ONE_CALL = 300  # the same where one call is answered, maybe without a gradient


def jit(function: Callable[..., Any]) -> "Recorded":
    """``function`` recorded: the same call and the same numbers, replayed as a tape. Serves as a decorator too.

    Args:
        function: of one sample, numbers in nested tuples, lists and arrays; returns a Value, or a list of them. The
            leaf Values that it uses are parameters, shared by all samples; numbers that it meets are constants.

    The tape is compared with the function, in result and every gradient: on a few samples when it is new, on some that
    reach beyond the range of those before whenever new data comes, on one more at the 2nd, 4th, 8th, … replay, and on
    one in every 100,000 samples replayed; of the later ones, most are compared in results alone, and a large tape has
    fewer. So what the function reads from ``.data``, draws at random or decides by a threshold on an input shows soon.
    What takes another path on rare samples within the range of the others, a single token say, is seen only if one of
    them is compared, which may be late or never.
    """
    return Recorded(function)


class Recorded:
    """A function and its tapes, made by ``jit``. ``accumulate`` and ``fit`` take it wherever they take a loss.

    Attributes:
        function: the plain function.
        parameters: those of all tapes; the ones of each tape come first.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"jit records a function of one sample; got {function!r}")
        functools.update_wrapper(self, function, updated=())
        self.function: Callable[..., Any] = function.function if isinstance(function, Recorded) else function
        self.parameters: list[Value] = []
        self._tracks: dict[Any, Track] = {}
        self._largest = WORTHWHILE  # size of a tape; what is not recorded yet counts as worth it

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain function's answer; from a tape, a single Value is one node on all its parameters."""
        if keywords or not arguments:
            return self.function(*arguments, **keywords)
        from micrograd.tape import replay

        sample = from_arguments(arguments)
        try:
            shape, numbers = replay.flatten(sample)
        except TypeError:  # Values among the numbers, whose gradients are wanted as well
            return self.function(*arguments)
        track = self.track(shape, numbers)
        if track.tape.size < ONE_CALL or track.several:
            return self.function(*arguments)
        pack, values = self.pack([sample])
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

    def mean(self, samples: Sequence[Any]) -> float:
        """The mean of the results, without gradients."""
        return float(self.map(samples).mean())

    def map(self, samples: Sequence[Any]) -> "Array":
        """Results for many samples, without gradients: an array (samples,), or (samples, results) for lists of them."""
        from micrograd.tape import replay

        samples = replay.listed(samples)
        if not len(samples):
            raise ValueError("map wants one sample at least; got none")
        pack, values = self.pack(samples)
        results = pack.results(values)
        if results is None:
            with recording(None):
                answers = [call_numbered(k, self.function, sample) for k, sample in enumerate(samples)]
                results = replay.array([[v.data for v in values_of(answer)] for answer in answers])
        return results if pack.groups[0][0].several else results[:, 0]

    def tape(self, *arguments: Any) -> Tape:
        """The tape for samples of this one's shape; ``print`` shows its instructions."""
        from micrograd.tape import replay

        return self.track(*replay.flatten(from_arguments(arguments))).tape

    def add_gradients(self, samples: Sequence[Any], share: float, executor: Executor | None = None) -> float | None:
        """Add ``share`` times the gradient of each sample to the parameters; the sum of the samples' losses.

        None, and nothing was added, where the plain function does better: for few samples of a small loss, and where
        a number is not finite, which it raises an error for.
        """
        if not self._tracks:
            self.pack(samples)  # which records: what cannot be replayed is told at once
        if self._largest * len(samples) < WORTHWHILE:
            return None  # before kernels are loaded
        pack, values = self.pack(samples)
        answer = pack.gradient(values, None, executor)
        if answer is None:
            return None
        loss, gradient = answer
        gradient *= share
        with LOCK:
            set_grad(self.parameters, [p.grad + slope for p, slope in zip(self.parameters, gradient.tolist())])
        return loss

    def pack(self, samples: Sequence[Any]) -> "tuple[Pack, Array]":
        """Samples ready for replay, and the parameters' numbers."""
        from micrograd.tape.replay import Pack

        return Pack(self, samples), self.values()

    def values(self) -> "Array":
        """The parameters' numbers."""
        with LOCK:
            from micrograd.tape import replay

            return replay.data(self.parameters)

    def first_track(self, samples: Sequence[Any], shape: Any, columns: Any, positions: Any) -> Track:
        """The track for samples of one shape, recorded on the first of them where the function is defined."""
        if shape in self._tracks:
            return self._tracks[shape]
        found: list[ValueError] = []
        for k, numbers in zip(positions[:TRIALS].tolist(), columns[:, :TRIALS].T.tolist()):
            try:
                return call_numbered(k, self.track, (shape, numbers))  # type: ignore[no-any-return]
            except ValueError as cause:  # noqa: PERF203  # few
                found.append(cause)
        call_numbered(int(positions[0]), self.function, samples[positions[0]])  # its own error, if there is one
        raise found[0]

    def track(self, shape: Any, numbers: Sequence[float]) -> Track:
        with LOCK:
            if shape not in self._tracks:
                track = Track(self, shape, numbers)
                self.parameters.extend(track.tape.parameters[len(self.parameters) :])
                self._largest = max([track.tape.size, *[other.tape.size for other in self._tracks.values()]])
                self._tracks[shape] = track
            return self._tracks[shape]

    def __get__(self, instance: Any, kind: Any = None) -> "Recorded":
        """As a method: every instance has its own, kept in its ``__dict__``, where it is found from then on."""
        if instance is None or not hasattr(self.function, "__get__"):
            return self
        bound = Recorded(self.function.__get__(instance, kind))
        vars(instance)[self.function.__name__] = bound
        return bound

    def __reduce__(self) -> tuple[Any, ...]:
        return Recorded, (self.function,)  # a copy records anew, since it may have other parameters
