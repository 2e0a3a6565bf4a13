"""A function of one sample, called: how its arguments are passed, errors that say which sample it was, its graph."""

import gc
from collections.abc import Callable, Mapping
from inspect import signature
from numbers import Real
from typing import Any, TypeVar

from micrograd.data import listed
from micrograd.engine import Value, as_value, is_recording

Answer = TypeVar("Answer")


def call(function: Callable[..., Any], sample: Any) -> Any:
    """``function`` of a sample: of its members if it is a tuple, (x, y) say, else of the sample itself."""
    return function(*sample) if isinstance(sample, tuple) else function(sample)


def from_arguments(arguments: tuple[Any, ...]) -> Any:
    """The sample for which ``call`` passes these arguments."""
    return arguments[0] if len(arguments) == 1 and not isinstance(arguments[0], tuple) else arguments


def call_numbered(k: int, function: Callable[..., Any], sample: Any) -> Any:
    """As ``call``; a TypeError or ValueError names the sample's number in the batch."""
    try:
        return call(function, sample)
    except (TypeError, ValueError) as cause:
        kind = TypeError if isinstance(cause, TypeError) else ValueError
        raise kind(f"sample {k} of the batch: {_misfit(function, sample) or cause}") from cause


def _misfit(function: Callable[..., Any], sample: Any) -> str:
    """What is wrong with the shape of a sample for this function; "" if it fits."""
    arguments = sample if isinstance(sample, tuple) else (sample,)
    try:
        expected = signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        expected.bind(*arguments)
    except TypeError as cause:
        if isinstance(sample, tuple):
            return f"the function does not take the {len(sample)} members of a sample ({cause}); got {sample!r:.60}"
        return (
            f"expected a tuple (x, y), got {sample!r:.60} ({type(sample).__name__}), which is passed as one argument "
            f"({cause}); make the samples with pairs(xs, ys), or write tuple(sample)"
        )
    return ""


def require_function(what: str, function: Any, usage: str) -> None:
    """Raises TypeError, with what to write, for what is no function of a sample."""
    if isinstance(function, Value):
        raise TypeError(
            f"{what} must be a function of one sample, got its result {function!r}; do not call it yourself"
        )
    if not callable(function):
        raise TypeError(
            f"{what} must be a function of one sample, got {function!r:.60} ({type(function).__name__}); {usage}"
        )


def require_batch(batch: Any) -> list[Any]:
    """The samples of a batch. Raises TypeError for a sample in its place, ValueError if there are none."""
    if isinstance(batch, tuple) and not all(isinstance(sample, tuple) for sample in batch):
        raise TypeError(f"expected a batch, a list of samples, got the sample {batch!r:.80}; for fit, see DataLoader")
    if hasattr(batch, "orders"):
        raise TypeError("expected one batch, got a DataLoader; write: for batch in loader: …")
    if hasattr(batch, "to_numpy"):
        raise TypeError(
            f"expected a list of samples, got a {type(batch).__name__}; write pairs(frame[columns], frame[target])"
        )
    if isinstance(batch, (str, bytes, Mapping, Value)) or not (
        hasattr(batch, "__iter__") or hasattr(batch, "__getitem__")
    ):
        raise TypeError(f"expected a batch, a list of samples, got {batch!r:.80} ({type(batch).__name__})")
    samples = listed(batch)
    if not samples:
        raise ValueError("a batch must hold one sample at least, got none")
    return samples


def require_recording() -> None:
    """Raises ValueError under ``no_grad()``."""
    if not is_recording():
        raise ValueError("under no_grad() nothing is recorded, so there are no gradients; leave its block first")


def loss_of(k: int, loss: Callable[..., Any], sample: Any) -> Value:
    """The loss graph of sample number ``k`` of a batch. Raises TypeError if the loss does not return a Value."""
    error = call_numbered(k, loss, sample)
    if not isinstance(error, Value):
        kind = type(error).__name__
        raise TypeError(f"sample {k} of the batch: the loss must return a Value, got {error!r:.60} ({kind})")
    return error


def is_several(answer: Any) -> bool:
    """Whether a function returned a list or an array, not a single number."""
    return isinstance(answer, (list, tuple)) or getattr(answer, "ndim", 0) > 0


def values_of(answer: Any) -> list[Value]:
    """What a function returned, a number or several, as Values."""
    items = list(answer) if is_several(answer) else [answer]
    if not items:
        raise ValueError("a recorded function must return a Value, or a list of them, got an empty list")
    for item in items:
        if not isinstance(item, (Value, Real)):
            raise TypeError(f"a recorded function must return a Value, or a list of them, got {answer!r:.80}")
    return [as_value(item) for item in items]


def uncollected(function: Callable[..., Answer], *arguments: Any) -> Answer:
    """``function(*arguments)`` with the process's garbage collector off: it would search graphs for cycles most of the
    time, and graphs have none.

    A context manager would not do: Ctrl-C may come just before its end is reached, and leave the collector off.
    """
    enabled = gc.isenabled()
    try:
        gc.disable()
        return function(*arguments)
    finally:
        if enabled:
            gc.enable()
