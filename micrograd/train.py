"""The mini-batch: add up the gradients of its samples, then change the weights once.

For a batch of B samples, ``accumulate`` does B forward and B backward passes, one sample's loss graph after the other,
each adding into the same parameter nodes: ∇e = Σₖ ∇eₖ. ``fit`` is the loop over batches and epochs around it.

>>> w = Value(1.0)
>>> accumulate(lambda x, y: (w * x - y) ** 2, [(1.0, 3.0), (2.0, 2.0)], reduction="sum"), w.grad
(4.0, -4.0)
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from micrograd.engine import Value, no_grad
from micrograd.optim import Optimizer, Schedule, clip_grad_norm
from micrograd.samples import call, loss_of, require_batch, require_recording
from micrograd.tape import Recorded

if TYPE_CHECKING:
    from micrograd.trainer import ArrayTrainer

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
    if isinstance(loss, Recorded):
        replayed = loss.add_gradients(samples, share, executor)
        if replayed is not None:
            return replayed * share
        loss = loss.function
    if executor is not None:
        from micrograd import workers

        return workers.add_gradients(loss, samples, share, executor) * share
    total = 0.0
    for k, sample in enumerate(samples):
        error = loss_of(k, loss, sample)
        if error.role == "constant":
            raise ValueError(f"the loss of sample {k} of the batch has no graph; was it computed under no_grad()?")
        error.backward(share)
        total += error.data
        del error  # and its graph, before the next is built
    return total * share


def _share(reduction: str, size: int) -> float:
    shares = {"mean": 1 / size, "sum": 1.0}
    if reduction not in shares:
        raise ValueError(f"reduction is 'mean' or 'sum'; got {reduction!r}")
    return shares[reduction]


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

    A loss recorded by ``jit`` keeps the parameters in arrays; the Values show them before metrics and callbacks, and at
    the end. Ctrl-C ends the training and keeps what was learned.
    """
    if held_out is not None and not len(held_out):
        raise ValueError("held_out wants one sample at least; got none")
    require_recording()
    history = History()
    bar = _bar(epochs, progress)
    trainer = _trainer(loss, batches, optimizer, executor)
    try:
        for _ in bar:
            if trainer is None:
                samples, mean_loss = _epoch(loss, batches, optimizer, reduction, schedule, max_norm)
            else:
                with trainer.quiet():
                    samples, mean_loss = _replayed_epoch(trainer, reduction, schedule, max_norm, metric is not None)
                if metric is not None or held_out is not None or callbacks:
                    trainer.publish()
            for name, number in _row(loss, mean_loss, metric, samples, held_out).items():
                getattr(history, name).append(number)  # at once, so that Ctrl-C leaves lists of one length
            if not getattr(bar, "disable", True):
                bar.set_postfix_str(history.summary())
            if any([callback(history) for callback in callbacks]):  # each is called, whatever the first answers
                break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        if trainer is not None:
            trainer.publish()
        optimizer.zero_grad()
        if hasattr(bar, "close"):
            bar.close()
    return history


def _row(
    loss: Loss, mean_loss: float, metric: Callable[..., Any] | None, samples: Sequence[Any], held_out: Any
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


def _epoch(
    loss: Loss,
    batches: Iterable[Sequence[Any]],
    optimizer: Optimizer,
    reduction: str,
    schedule: Schedule | None,
    max_norm: float | None,
) -> tuple[list[Any], float]:
    """Train on each batch once; returns the samples seen and the mean of their losses."""
    samples: list[Any] = []
    total = 0.0
    for batch in batches:
        optimizer.zero_grad()
        error = accumulate(loss, batch, reduction)
        if max_norm is not None:
            clip_grad_norm(optimizer.parameters, max_norm)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        total += error / _share(reduction, len(batch))
        samples.extend(batch)
    if not samples:
        raise ValueError("there are no batches to train on; note that an iterator is spent after its first epoch")
    return samples, total / len(samples)


def _trainer(
    loss: Loss, batches: Iterable[Any], optimizer: Optimizer, executor: Executor | None
) -> "ArrayTrainer | None":
    if not isinstance(loss, Recorded):
        return None
    from micrograd.trainer import ArrayTrainer

    return ArrayTrainer(loss, batches, optimizer, executor)


def _replayed_epoch(
    trainer: "ArrayTrainer", reduction: str, schedule: Schedule | None, max_norm: float | None, keep: bool
) -> tuple[list[Any], float]:
    """``_epoch`` for a recorded loss; lists the samples only if they are to be kept."""
    samples: list[Any] = []
    total, count = 0.0, 0
    for pack, order in trainer.orders():
        share = _share(reduction, len(order))
        sums = trainer.gradient(pack, order)
        if sums is None:  # a number is not finite: let the plain function say where, or do the step
            trainer.publish()
            batch = [pack.samples[k] for k in order]
            _, mean = _epoch(trainer.loss.function, [batch], trainer.optimizer, reduction, None, max_norm)
            error = mean * len(order)
        else:
            error, gradient = sums[0], sums[1] * share
            trainer.step(gradient if max_norm is None else trainer.clip(gradient, max_norm))
        if schedule is not None:
            schedule.step()
        total += error
        count += len(order)
        if keep:
            samples.extend(pack.samples[k] for k in order)
    if not count:
        raise ValueError("there are no batches to train on; note that an iterator is spent after its first epoch")
    return samples, total / count


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
