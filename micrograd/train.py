"""The mini-batch: add up the gradients of its samples, then change the weights once.

For a batch of B samples, ``accumulate`` does B forward and B backward passes, one sample's loss graph after the other,
each adding into the same parameter nodes: ∇e = Σₖ ∇eₖ. ``fit`` is the loop over batches and epochs around it.

>>> w = Value(1.0)
>>> accumulate(lambda x, y: (w * x - y) ** 2, [(1.0, 3.0), (2.0, 2.0)], reduction="sum"), w.grad
(4.0, -4.0)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise, repeat
from numbers import Integral
from typing import Any

from micrograd.engine import Value, no_grad
from micrograd.optim import Schedule, clip, is_ours
from micrograd.optimizer import Optimizer
from micrograd.samples import Taken, call, loss_of, require_batch, require_recording, uncollected
from micrograd.tape.recorded import Recorded
from micrograd.tape.resident import in_one_go

Loss = Callable[..., Value]


def accumulate(loss: Loss, batch: Iterable[Any], reduction: str = "mean", executor: Executor | None = None) -> float:
    """Add a batch's gradient to ``grad`` of the parameters, and return the batch's error.

    Args:
        loss: builds the loss graph of one sample, called as ``loss(x, y)`` for a sample (x, y), as ``loss(x)`` for one
            that is not a tuple.
        batch: the samples. One sample's graph is alive at a time; meanwhile the garbage collector rests, since graphs
            have no cycles, and looking for some in a large one takes longer than building it.
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
        total += uncollected(_add_gradient, k, loss, sample, share)
    return total


def _add_gradient(k: int, loss: Loss, sample: Any, share: float) -> float:
    """Forward and backward pass of sample number ``k``; its loss. Its graph is gone when the next one is built."""
    error = loss_of(k, loss, sample)
    if error.role == "constant":
        raise ValueError(f"the loss of sample {k} of the batch has no graph; was it computed under no_grad()?")
    error.backward(share)
    return error.data


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

    A loss recorded by ``jit`` keeps the parameters in arrays for as long as nobody looks at them. The samples of a
    ``DataLoader``, or of a list of batches, are packed once. With optimizer and schedule of ``optim``, one shape of
    samples, no ``max_norm`` and no executor, the steps that nobody can look in between are taken in one compiled call,
    to the same bits; see ``stretch``. Ctrl-C ends the training and keeps what was learned. After it, or an error, a
    loader that shuffles may have drawn the orders of epochs that were not trained on.
    """
    if held_out is not None and not len(held_out):
        raise ValueError("held_out wants one sample at least; got none")
    if not isinstance(epochs, Integral) or epochs < 0:
        raise ValueError(f"epochs is a whole number from 0; got {epochs!r}")
    require_recording()
    history = History()
    watched = metric is not None or held_out is not None or bool(callbacks)
    live = watched or not is_ours(optimizer) or not (schedule is None or is_ours(schedule))
    batches = _packed(loss, batches, optimizer, live)
    steps = _Steps(loss, batches, optimizer, reduction, schedule, max_norm, executor, metric is not None)
    bar = _bar(epochs, progress)
    # Where nobody but the tape is at work, NumPy's warnings are turned off once, and not at every step.
    with optimizer.residence.hush() if isinstance(loss, Recorded) and not watched else nullcontext():
        try:
            for _ in steps.turns(epochs, watched):
                row = _evaluated(loss, metric, steps.seen, held_out)
                count = steps.report(history.loss)
                for name, number in row.items():
                    getattr(history, name).append(number)  # at once, so that Ctrl-C leaves lists of one length
                if bar is not None:
                    bar.set_postfix_str(history.summary(), refresh=False)
                    bar.update(count)
                if any([callback(history) for callback in callbacks]):  # each is called, whatever the first answers
                    break
        except KeyboardInterrupt:
            if not watched:
                steps.report(history.loss)
            history.interrupted = True
        finally:
            optimizer.zero_grad()
            if bar is not None:
                bar.close()
    return history


def _evaluated(
    loss: Loss, metric: Callable[..., Any] | None, samples: Sequence[Any], held_out: Sequence[Any] | None
) -> dict[str, float]:
    """What an epoch on these samples adds to the lists of a History, beside its mean loss."""
    row = {}
    if metric is not None:
        row["metric"] = evaluate(metric, samples)
    if held_out is not None:
        row["held_out_loss"] = evaluate(loss, held_out)
        if metric is not None:
            row["held_out_metric"] = evaluate(metric, held_out)
    return row


def _packed(loss: Loss, batches: Iterable[Any], optimizer: Optimizer, live: bool) -> Iterable[Any]:
    """The batches, packed for a tape where that goes; ``live`` ones may be changed meanwhile."""
    if not isinstance(loss, Recorded):
        return batches
    from micrograd.tape.packed import packed

    if not loss.parameters:  # then the tape has its parameters in the optimizer's order
        loss.parameters.extend(optimizer.parameters)
    return packed(loss, batches, live)


class _Steps:
    """Steps of training on batches.

    Attributes:
        taken: a line for each batch that was trained on, and whose epoch is not reported yet.
        length: of an epoch, in batches, once that is known.
        seen: the samples of the epoch, if it ``keeps`` them.
    """

    def __init__(
        self,
        loss: Loss,
        batches: Iterable[Sequence[Any]],
        optimizer: Optimizer,
        reduction: str,
        schedule: Schedule | None,
        max_norm: float | None,
        executor: Executor | None,
        keeps: bool,
    ) -> None:
        self.loss, self.optimizer = loss, optimizer
        self.keeps, self.seen = keeps, list[Any]()
        self.batches: Any = batches
        self.schedule, self.max_norm, self.executor = schedule, max_norm, executor
        self.share = partial(_share, reduction)
        self.taken: list[Taken] = []
        self.length = 0
        self.stretch: Any = None
        if isinstance(loss, Recorded) and max_norm is None and executor is None:
            from micrograd.tape.stretch import stretch

            self.stretch = stretch(batches, optimizer, schedule, self.share)

    def turns(self, epochs: int, watched: bool) -> Iterator[None]:
        """Train, with a turn after each epoch, or after several if nobody watches and it goes fast."""
        if self.stretch is not None and not watched:
            self.length = len(self.batches)
            for _ in self._train(chain.from_iterable(repeat(self.batches, epochs))):
                if len(self.taken) >= self.length:
                    yield
            return
        for _ in range(epochs):
            self.seen.clear()
            self.length = 0
            for _ in self._train(iter(self.batches)):
                pass
            if not self.taken:
                raise ValueError(
                    "there are no batches to train on; note that an iterator is spent after its first epoch"
                )
            self.length = len(self.taken)
            yield

    def report(self, losses: list[float]) -> int:
        """Move the mean losses of whole epochs to a list; how many there were."""
        count = len(self.taken) // self.length if self.length else 0
        ends = [k * self.length for k in range(count + 1)]
        means = [_mean(self.taken[start:end]) for start, end in pairwise(ends)]
        in_one_go(map(losses.extend, [means]), map(self.taken.__delitem__, [slice(ends[-1])]))
        return count

    def _train(self, batches: Iterator[Any]) -> Iterator[None]:
        """Train on each batch, with a turn after each, or after many."""
        for batch in batches:
            self._step(batch)
            if self.stretch is not None:
                before = len(self.taken)
                chosen = self.stretch.take(batches, self.taken)
                trained = len(self.taken) - before
                if self.keeps:
                    self.seen.extend(chain.from_iterable(chosen[:trained]))
                for other in chosen[trained:]:
                    self._step(other)
            yield

    def _step(self, batch: Any) -> None:
        samples = batch if hasattr(batch, "pack") else require_batch(batch)
        self.optimizer.zero_grad()
        total = _add_gradients(self.loss, samples, self.share(len(samples)), self.executor)
        if self.max_norm is not None:
            clip(self.optimizer.residence, self.max_norm)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        if self.keeps:
            self.seen.extend(samples)
        self.taken.append((len(samples), total))


def _mean(taken: Sequence[Taken]) -> float:
    total, count = 0.0, 0
    for size, losses in taken:
        total += losses
        count += size
    return total / count


def _bar(epochs: int, progress: bool) -> Any:
    """A progress bar; None if none is wanted, or to be had."""
    if not progress:
        return None
    try:
        from tqdm.asyncio import tqdm as terminal_tqdm
        from tqdm.auto import tqdm  # that one in a terminal, another in a notebook
    except ImportError:  # an extra: import micrograd stays light
        return None
    layout = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"  # fits 80 columns
    # None is silence where the output is no terminal, a file say; a notebook's output never is one.
    bar = tqdm(total=epochs, bar_format=layout, disable=None if tqdm is terminal_tqdm else False)
    return None if bar.disable else bar
