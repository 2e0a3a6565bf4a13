"""The mini-batch: add up the gradients of its samples, then change the weights once.

For a batch of B samples, ``accumulate`` does B forward and B backward passes, one sample's loss graph after the other,
each adding into the same parameter nodes: ∇e = Σₖ ∇eₖ. ``fit`` is the loop over batches and epochs around it.

>>> w = Value(1.0)
>>> accumulate(lambda x, y: (w * x - y) ** 2, [(1.0, 3.0), (2.0, 2.0)], reduction="sum"), w.grad
(4.0, -4.0)
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from micrograd.engine import Value, no_grad
from micrograd.optim import Schedule, clip
from micrograd.optimizer import Optimizer
from micrograd.samples import call, loss_of, require_batch, require_recording
from micrograd.tape import Recorded

Loss = Callable[..., Value]


def accumulate(loss: Loss, batch: Iterable[Any], reduction: str = "mean", executor: Executor | None = None) -> float:
    """Add a batch's gradient to ``grad`` of the parameters, and return the batch's error.

    Args:
        loss: builds the loss graph of one sample, called as ``loss(x, y)`` for a sample (x, y), as ``loss(x)`` for one
            that is not a tuple.
        batch: the samples. One sample's graph is alive at a time.
        reduction: "mean" divides error and gradient by the number of samples in this batch, "sum" does not.
        executor: shares out the work: any ``concurrent.futures.Executor``, of threads, processes or a cluster (Dask's
            ``Client.get_executor()``). The bits of the result do not depend on its number of workers, and a worker
            that dies costs time only. Processes get a pickle of the loss; threads help a recorded loss alone.

    Raises ValueError for an empty batch, and with the number of the sample for one whose loss is undefined; gradients
    of the samples before it have been added then.
    """
    samples = require_batch(batch)
    require_recording()
    share = _share(reduction, len(samples))
    return _add_gradients(loss, samples, share, executor) * share


def _add_gradients(loss: Loss, samples: Sequence[Any], share: float, executor: Executor | None) -> float:
    """Add ``share`` times the gradient of each sample to the parameters; the sum of the samples' losses."""
    if isinstance(loss, Recorded):
        replayed = loss.add_gradients(samples, share, executor)
        if replayed is not None:
            return replayed
        loss = loss.function
    if executor is not None:
        from micrograd import workers

        return workers.add_gradients(loss, samples, share, executor)
    total = 0.0
    for k, sample in enumerate(samples):
        error = loss_of(k, loss, sample)
        if error.role == "constant":
            raise ValueError(f"the loss of sample {k} of the batch has no graph; was it computed under no_grad()?")
        error.backward(share)
        total += error.data
        del error  # and its graph, before the next is built
    return total


def _share(reduction: str, size: int) -> float:
    if reduction == "mean":
        return 1 / size
    if reduction != "sum":
        raise ValueError(f"reduction is 'mean' or 'sum'; got {reduction!r}")
    return 1.0


def evaluate(function: Callable[..., Any], samples: Sequence[Any]) -> float:
    """The mean over samples of a loss or a metric (a number, a bool or a Value), without recording."""
    if not len(samples):
        raise ValueError("the mean of a loss or a metric wants one sample at least; got none")
    if isinstance(function, Recorded):
        return float(function.map(samples).mean())
    with no_grad():
        return sum([float(call(function, samples[i])) for i in range(len(samples))]) / len(samples)


@dataclass
class History:
    """What ``fit`` saw, a number an epoch: means over samples; lists without a source stay empty.

    ``loss`` is taken while the weights change within the epoch, the other lists after it. ``interrupted`` tells that
    Ctrl-C ended the training.
    """

    loss: list[float] = field(default_factory=list)
    metric: list[float] = field(default_factory=list)
    held_out_loss: list[float] = field(default_factory=list)
    held_out_metric: list[float] = field(default_factory=list)
    interrupted: bool = False

    def summary(self) -> str:
        """The last epoch in a line, short enough for a terminal: on the training samples / on held-out samples."""
        rows = {"loss": (self.loss, self.held_out_loss), "metric": (self.metric, self.held_out_metric)}
        shown = {name: " / ".join(f"{column[-1]:.4g}" for column in row if column) for name, row in rows.items()}
        return ", ".join(f"{name} {numbers}" for name, numbers in shown.items() if numbers)


def fit(
    loss: Loss,
    batches: Iterable[Sequence[Any]],
    optimizer: Optimizer,
    epochs: int = 1,
    *,
    reduction: str = "mean",
    metric: Callable[..., Any] | None = None,
    held_out: Sequence[Any] | None = None,
    schedule: Schedule | None = None,
    max_norm: float | None = None,
    callbacks: Sequence[Callable[[History], Any]] = (),
    progress: bool = True,
    executor: Executor | None = None,
) -> History:
    """Train: for every batch of every epoch, zero the gradients, accumulate, and let the optimizer step once.

    Args:
        loss: as for ``accumulate``.
        batches: a ``DataLoader``, or any list of batches; iterated once an epoch.
        optimizer: holds the parameters that learn.
        epochs: how many times to go over the batches.
        reduction: "mean" or "sum" over a batch.
        metric: of one sample, called as the loss is: 1 or True if it is classified right, say.
        held_out: samples that loss and metric are evaluated on after each epoch.
        schedule: of the learning rate; steps after every update.
        max_norm: gradients are clipped to this norm.
        callbacks: called with the history after each epoch; a true answer ends the training.
        progress: show a bar with ``History.summary()``, in terminals and notebooks, if tqdm is installed.
        executor: as for ``accumulate``.

    A loss recorded by ``jit`` keeps the parameters in arrays for as long as nobody looks at them, and packs the samples
    of a ``DataLoader`` once. Ctrl-C ends the training and keeps what was learned.
    """
    if held_out is not None and not len(held_out):
        raise ValueError("held_out wants one sample at least; got none")
    if not isinstance(epochs, Integral) or epochs < 0:
        raise ValueError(f"epochs is a whole number from 0; got {epochs!r}")
    require_recording()
    history = History()
    bar = _bar(epochs, progress)
    batches = _packed(loss, batches, optimizer)
    # Where nobody but the tape is at work, NumPy's warnings are turned off once, and not at every step.
    alone = isinstance(loss, Recorded) and metric is None and held_out is None and not callbacks
    with optimizer.residence.hush() if alone else nullcontext():
        try:
            for _ in bar:
                samples: list[Any] | None = None if metric is None else []
                mean_loss = _epoch(loss, batches, optimizer, reduction, schedule, max_norm, executor, samples)
                for name, number in _row(loss, mean_loss, metric, samples, held_out).items():
                    getattr(history, name).append(number)  # at once, so that Ctrl-C leaves lists of one length
                if not getattr(bar, "disable", True):
                    bar.set_postfix_str(history.summary())
                if any([callback(history) for callback in callbacks]):  # each is called, whatever the first answers
                    break
        except KeyboardInterrupt:
            history.interrupted = True
        finally:
            optimizer.zero_grad()
            if hasattr(bar, "close"):
                bar.close()
    return history


def _row(
    loss: Loss, mean_loss: float, metric: Callable[..., Any] | None, samples: Any, held_out: Any
) -> dict[str, float]:
    """What an epoch adds to the lists of a History."""
    row = {"loss": mean_loss}
    if metric is not None:
        row["metric"] = evaluate(metric, samples)
    if held_out is not None:
        row["held_out_loss"] = evaluate(loss, held_out)
        if metric is not None:
            row["held_out_metric"] = evaluate(metric, held_out)
    return row


def _packed(loss: Loss, batches: Iterable[Any], optimizer: Optimizer) -> Iterable[Any]:
    """The batches; for a tape, those of a ``DataLoader`` over samples that are there already are packed."""
    if not isinstance(loss, Recorded):
        return batches
    from micrograd.packed import packed

    if not loss.parameters:  # then the tape has its parameters in the optimizer's order
        loss.parameters.extend(optimizer.parameters)
    return packed(loss, batches)


def _epoch(
    loss: Loss,
    batches: Iterable[Sequence[Any]],
    optimizer: Optimizer,
    reduction: str,
    schedule: Schedule | None,
    max_norm: float | None,
    executor: Executor | None,
    seen: list[Any] | None,
) -> float:
    """Train on each batch once, and list the samples if they are wanted; the mean of their losses."""
    total, count = 0.0, 0
    for batch in batches:
        samples = batch if hasattr(batch, "pack") else require_batch(batch)
        size = len(samples)
        optimizer.zero_grad()
        total += _add_gradients(loss, samples, _share(reduction, size), executor)
        if max_norm is not None:
            clip(optimizer.residence, max_norm)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        count += size
        if seen is not None:
            seen.extend(samples)
    if not count:
        raise ValueError("there are no batches to train on; note that an iterator is spent after its first epoch")
    return total / count


def _bar(epochs: int, progress: bool) -> Any:
    if not progress:
        return range(epochs)
    try:
        from tqdm.asyncio import tqdm as terminal_tqdm
        from tqdm.auto import tqdm  # that one in a terminal, another in a notebook
    except ImportError:  # an extra: import micrograd stays light
        return range(epochs)
    layout = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"  # fits 80 columns
    # None is silence where the output is no terminal, a file say; a notebook's output never is one.
    return tqdm(range(epochs), bar_format=layout, disable=None if tqdm is terminal_tqdm else False)
