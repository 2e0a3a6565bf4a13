"""A function of one sample, called: how its arguments are passed, and errors that say which sample it was."""

from collections.abc import Callable
from typing import Any

from micrograd.engine import Value, is_recording


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
        raise kind(f"sample {k} of the batch: {cause}") from cause


def require_batch(batch: Any) -> list[Any]:
    """The samples of a batch. Raises TypeError for a sample in its place, ValueError if there are none."""
    if isinstance(batch, tuple) and not all(isinstance(sample, tuple) for sample in batch):
        raise TypeError(
            f"a batch is a list of samples; got a sample, {batch!r:.80} (fit wants batches: see DataLoader)"
        )
    samples = list(batch)
    if not samples:
        raise ValueError("a batch wants one sample at least; got none")
    return samples


def require_recording() -> None:
    if not is_recording():
        raise ValueError("there are no gradients to accumulate under no_grad()")


def loss_of(k: int, loss: Callable[..., Any], sample: Any) -> Value:
    """The loss graph of sample number ``k`` of a batch. Raises TypeError if it is not a Value."""
    error = call_numbered(k, loss, sample)
    if not isinstance(error, Value):
        raise TypeError(f"the loss of a sample is a Value; for sample {k} of the batch, got {error!r}")
    return error
