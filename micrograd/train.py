"""The mini-batch: add up the gradients of its samples, then change the weights once.

For a batch of B samples, ``accumulate`` does B forward and B backward passes, one sample's loss graph after the other,
each adding into the same parameter nodes: ∇e = Σₖ ∇eₖ. ``fit`` is the loop over batches and epochs around it,
``Training`` what a loop of your own takes.

>>> w = Value(1.0)
>>> batch = [(1.0, 3.0), (2.0, 2.0)]
>>> accumulate(lambda x, y: (w * x - y) ** 2, batch, reduction="sum"), w.grad
(4.0, -4.0)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise, repeat
from numbers import Integral
from types import TracebackType
from typing import Any, Protocol

from micrograd.data import listed, require_samples
from micrograd.engine import Value, no_grad, set_grad
from micrograd.optim import Optimizer, Schedule, Snapshot, clip_grad_norm, require_optimizer, within
from micrograd.samples import (
    call_numbered,
    loss_of,
    require_batch,
    require_function,
    require_recording,
    uncollected,
)

__all__ = ["History", "Training", "accumulate", "evaluate", "fit"]

Loss = Callable[..., Value]
Taken = tuple[int, float]  # a step that was taken: the size of its batch, and the sum of its losses


# ---- the lesson ------------------------------------------------------------------------------------------------------


def accumulate(loss: Loss, batch: Iterable[Any], reduction: str = "mean", executor: Executor | None = None) -> float:
    """Add a batch's gradient to ``grad`` of the parameters, and return the batch's error.

    >>> w = Value(1.0)
    >>> batch = [(1.0, 3.0), (2.0, 2.0)]
    >>> accumulate(lambda x, y: (w * x - y) ** 2, batch)   # the errors are 4 and 0
    2.0
    >>> w.grad                                  # (-4 + 0) / 2
    -2.0

    Args:
        loss: builds the loss graph of one sample, called as ``loss(x, y)`` for a sample (x, y), as ``loss(x)`` for one
            that is not a tuple.
        batch: a list of samples. One sample's graph is alive at a time. Meanwhile the garbage collector is off: graphs
            have no cycles, and searching a large graph for them takes longer than building it.
        reduction: "mean" divides error and gradient by the number of samples in this batch, "sum" does not.
        executor: shares out the work: any ``concurrent.futures.Executor``, of threads, processes or a cluster (Dask's
            ``Client.get_executor()``). The bits of the result do not depend on the number of workers. If a worker
            dies, its work is done here, within some seconds. Processes get a pickle of the loss; threads make only a
            recorded loss faster.

    Raises ValueError for an empty batch, and for a sample whose loss is undefined, with its number; the gradients of
    the samples before it have then been added. TypeError for arguments of another kind.
    """
    require_function("loss", loss, "the arguments are accumulate(loss, batch)")
    _require_executor(executor)
    samples = require_batch(batch)
    require_recording()
    share = _share(reduction, len(samples))
    return _add_gradients(loss, samples, share, executor) * share


def _add_gradients(loss: Any, samples: Sequence[Any], share: float, executor: Executor | None) -> float:
    """Add ``share`` times the gradient of each sample to the parameters; the sum of the samples' losses."""
    if hasattr(loss, "add_gradients"):  # it computes a batch by itself
        replayed: float | None = loss.add_gradients(samples, share, executor)
        if replayed is not None:
            return replayed
        loss = loss.function  # node by node, for it says so
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
        raise ValueError(f"sample {k} of the batch: the loss has no graph; was it computed under no_grad()?")
    error.backward(share)
    return error.data


def _require_executor(executor: Any) -> None:
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor, got {executor!r:.60}; write ProcessPoolExecutor()"
        )


def _share(reduction: str, size: int) -> float:
    """What the gradient of one sample is multiplied by, in a batch of that size."""
    if reduction == "mean":
        return 1 / size
    if reduction != "sum":
        raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
    return 1.0


def evaluate(function: Callable[..., Any], samples: Sequence[Any]) -> float:
    """The mean over a list of samples of a loss or a metric (a number, a bool or a Value), without recording.

    >>> w = Value(2.0)
    >>> evaluate(lambda x, y: (w * x - y) ** 2, [(1.0, 2.0), (1.0, 4.0)])
    2.0
    """
    require_function("function", function, "the arguments are evaluate(function, samples)")
    require_samples("samples", samples)
    if not len(samples):
        raise ValueError("expected one sample at least, got none: a mean over nothing is undefined")
    if hasattr(function, "mean"):
        return float(function.mean(samples))
    with no_grad():
        return sum([_score(i, function, samples[i]) for i in range(len(samples))]) / len(samples)


def _score(k: int, function: Callable[..., Any], sample: Any) -> float:
    answer = call_numbered(k, function, sample)
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise TypeError(
            f"sample {k} of the batch: expected a number or a Value, got {answer!r:.60} ({type(answer).__name__})"
        ) from None


# ---- training --------------------------------------------------------------------------------------------------------


class Trainer(Protocol):
    """Takes steps of training. A loss that computes batches by itself brings one: ``loss.trainer(step, …)``.

    Attributes:
        taken: a line for each step, added with it or not at all; who reads them may set a shorter list.
    """

    taken: list[Taken]

    def batches(self, batches: Iterable[Any], watched: bool) -> Iterable[Any]:
        """The same batches as they are taken fastest. If it is another object, each epoch has ``len()`` of them.

        ``watched`` tells whether code of somebody else runs between epochs, which may change what they are made of.
        """

    def take(self, batches: Iterator[Any]) -> bool:
        """Train on the next batch, or on several of them; False if there is none."""

    def sync(self) -> None:
        """Write the numbers that the last step left into the Values and the optimizer."""

    def gradients(self) -> list[float]:
        """The gradient that the last step used, by the optimizer's parameters."""


@dataclass
class Step:
    """What a step of training consists of, beside loss and batch.

    Attributes:
        optimizer, schedule: change the parameters, and the learning rate after that.
        reduction: "mean" or "sum".
        max_norm: gradients are clipped to this norm, unless it is None.
        executor: as for ``accumulate``.
    """

    optimizer: Optimizer
    reduction: str = "mean"
    schedule: Schedule | None = None
    max_norm: float | None = None
    executor: Executor | None = None

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError, with what to write instead, for what does not make a step."""
        require_optimizer(self.optimizer)
        self.share(1)  # which raises for what is not a reduction
        if self.schedule is not None:
            if not isinstance(self.schedule, Schedule):
                raise TypeError(
                    f"schedule must be a Schedule, got {self.schedule!r:.60} ({type(self.schedule).__name__}); "
                    "write optim.CosineLR(optimizer, t_max), or subclass optim.Schedule"
                )
            if self.schedule.optimizer is not self.optimizer:
                raise ValueError("schedule must be of the same optimizer, got one of another")
        if self.max_norm is not None:
            within("max_norm", self.max_norm, 0)
        _require_executor(self.executor)

    def share(self, size: int) -> float:
        """What the gradient of one sample is multiplied by, in a batch of that size."""
        return _share(self.reduction, size)


class NodeByNode:
    """A ``Trainer`` that builds each sample's graph: ``accumulate``, clip, step, one batch after the other."""

    def __init__(self, loss: Loss, step: Step) -> None:
        self.loss, self._step = loss, step
        self._gradients = [0.0] * len(step.optimizer.parameters)
        self.taken: list[Taken] = []

    def batches(self, batches: Iterable[Any], watched: bool) -> Iterable[Any]:  # noqa: ARG002
        """The batches themselves."""
        return batches

    def take(self, batches: Iterator[Any]) -> bool:
        """Train on the next batch; False if there is none."""
        for batch in batches:
            self._train(require_batch(batch))
            return True
        return False

    def _train(self, samples: Sequence[Any]) -> None:
        step, optimizer = self._step, self._step.optimizer
        optimizer.zero_grad()
        total = _add_gradients(self.loss, samples, step.share(len(samples)), step.executor)
        if step.max_norm is not None:
            clip_grad_norm(optimizer.parameters, step.max_norm)
        before, gradients, count = Snapshot(optimizer, step.schedule), self._gradients, len(self.taken)
        try:
            optimizer.step()
            if step.schedule is not None:
                step.schedule.step()
            self._gradients = [parameter.grad for parameter in optimizer.parameters]
            optimizer.zero_grad()
            self.taken.append((len(samples), total))
        except BaseException:
            before.restore()
            self._gradients = gradients
            del self.taken[count:]
            raise

    def sync(self) -> None:
        """Write the gradient that the last step used into ``grad``."""
        set_grad(self._step.optimizer.parameters, self._gradients)

    def gradients(self) -> list[float]:
        """The gradient that the last step used, by the optimizer's parameters."""
        return self._gradients


class Training:
    """Steps of training in a loop of your own.

    >>> from micrograd.optim import SGD
    >>> w = Value(1.0)
    >>> optimizer = SGD([w], lr=0.1)
    >>> with Training(lambda x, y: (w * x - y) ** 2, optimizer) as training:
    ...     print(training.step([(1.0, 3.0), (2.0, 2.0)]), w.data)
    2.0 1.2

    A step is ``zero_grad``, ``accumulate``, clip, ``optimizer.step()``, ``schedule.step()``, taken whole or not at all.
    For a loss recorded by ``jit`` the numbers are in arrays from the beginning of the ``with`` block to its end, which
    makes it many times faster than the same calls on Values.

    What one reads in the block is true. After each step, the parameters' ``data``, the learning rate, and state and
    step count of the optimizer are those after the step, so a checkpoint can be taken there; what one sets (weights,
    ``lr``, ``optimizer.load_state_dict``) is what the next step starts from. A step uses its gradient up: ``grad`` is 0
    after it, and ``gradients()`` returns what it was. ``sync()`` writes it into ``grad`` too.

    Writing thousands of numbers back takes longer than a step. With ``write_back=False`` they are written by ``sync()``
    and at the end, the optimizer's included; a parameter that is set meanwhile makes the next of these raise
    ValueError. However the block is left, by an error or Ctrl-C too, the last whole step is written back.

    Args:
        loss: as for ``accumulate``.
        optimizer: holds the parameters that learn.
        reduction: "mean" or "sum" over a batch.
        schedule: of the learning rate; steps after every update.
        max_norm: gradients are clipped to this norm.
        executor: as for ``accumulate``.
        write_back: whether every step writes the parameters back.
        samples: those that the batches are taken from. A recorded loss then reads their numbers once, and knows the
            members of a batch again by identity; they must not be changed in place meanwhile.
    """

    def __init__(
        self,
        loss: Loss,
        optimizer: Optimizer,
        *,
        reduction: str = "mean",
        schedule: Schedule | None = None,
        max_norm: float | None = None,
        executor: Executor | None = None,
        write_back: bool = True,
        samples: Sequence[Any] = (),
    ) -> None:
        require_function("loss", loss, "the arguments are Training(loss, optimizer)")
        self._step = Step(optimizer, reduction, schedule, max_norm, executor)
        self._make = partial(_trainer, loss, self._step, write_back, samples)
        self._trainer: Trainer | None = None

    def __enter__(self) -> "Training":
        if self._trainer is not None:
            raise ValueError("this Training is in its block already; make another one, or write a single with block")
        require_recording()
        self._trainer = self._make()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _finish(self._require_open(), self._step.optimizer)
        self._trainer = None

    def step(self, batch: Iterable[Any]) -> float:
        """Train on a batch; returns its error before the step, summed or averaged as ``reduction`` says."""
        trainer = self._require_open()
        trainer.taken = []
        trainer.take(iter([batch]))
        [(size, total)] = trainer.taken
        return total * self._step.share(size)

    def sync(self) -> None:
        """Write all that the last step left into the Values and the optimizer, ``grad`` included."""
        self._require_open().sync()

    def gradients(self) -> list[float]:
        """The gradient that the last step used, one number for each of the optimizer's parameters."""
        return self._require_open().gradients()

    def _require_open(self) -> Trainer:
        if self._trainer is None:
            raise ValueError(
                "a Training takes steps in its block only; write with Training(loss, optimizer) as training: …"
            )
        return self._trainer


def _require_observers(metric: Any, held_out: Any, callbacks: Any) -> None:
    """Raises TypeError or ValueError, with what to write instead, for what cannot watch an epoch."""
    if metric is not None:
        require_function("metric", metric, "write lambda x, y: (model(x).data > 0) == (y > 0), say")
    if held_out is not None:
        require_samples("held_out", held_out)
        if not len(held_out):
            raise ValueError("held_out must hold one sample at least, got none")
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a list of functions, got {callbacks!r:.60}; write callbacks=[function]")
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks must be functions, got {callback!r:.60} ({type(callback).__name__})")


def _iterable(batches: Any, usage: str) -> Iterable[Any]:
    if hasattr(batches, "__iter__") and not isinstance(batches, Value):
        return batches  # type: ignore[no-any-return]
    if not (hasattr(batches, "__getitem__") and hasattr(batches, "__len__")):
        raise TypeError(f"batches must be a DataLoader or a list of batches, got {batches!r:.60}; {usage}")
    return listed(batches)


def _trainer(loss: Loss, step: Step, write_back: bool, samples: Sequence[Any]) -> Trainer:
    step.optimizer.zero_grad()
    own: Trainer | None = loss.trainer(step, write_back, samples) if hasattr(loss, "trainer") else None
    return NodeByNode(loss, step) if own is None else own


def _finish(trainer: Trainer, optimizer: Optimizer) -> None:
    """Write back what the last step left, and let ``grad`` be 0. If Ctrl-C comes in between, that is done first."""
    try:
        trainer.sync()
        optimizer.zero_grad()
    except BaseException:
        trainer.sync()
        optimizer.zero_grad()
        raise


@dataclass
class History:
    """What ``fit`` saw, a number an epoch: means over samples; lists without a source stay empty.

    ``loss`` is taken while the weights change within the epoch, the other lists after it. ``interrupted`` tells that
    Ctrl-C ended the training.

    >>> History(loss=[0.5, 0.25], held_out_loss=[0.75, 0.375]).summary()
    'loss 0.25 / 0.375'
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

    >>> from micrograd.optim import SGD
    >>> w = Value(0.0)
    >>> batches, optimizer = [[(1.0, 2.0)]], SGD([w], lr=0.25)
    >>> history = fit(lambda x, y: (w * x - y) ** 2, batches, optimizer, epochs=3)
    >>> w.data, history.loss
    (1.75, [4.0, 1.0, 0.25])

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
        callbacks: called with the history after each epoch; a true answer ends the training. Parameters, their
            ``grad`` (of the last batch) and the optimizer are then as the last step left them, and what a callback sets
            is what the next step starts from.
        progress: show a bar with ``History.summary()``, in terminals and notebooks, if tqdm is installed.
        executor: as for ``accumulate``.

    For a loss recorded by ``jit`` this is a ``Training`` that writes back whenever callbacks, a metric or a schedule of
    your own are called, and at the end; the steps between are taken together in compiled code. The samples of a
    ``DataLoader``, or of a list of batches, are read once. Ctrl-C ends the training and keeps what was learned. After
    it, or an error, a loader that shuffles may have drawn the orders of epochs that were not trained on.
    """
    usage = "the arguments are fit(loss, batches, optimizer)"
    require_function("loss", loss, usage)
    step = Step(optimizer, reduction, schedule, max_norm, executor)
    _require_observers(metric, held_out, callbacks)
    if not isinstance(epochs, Integral) or int(epochs) < 0:
        raise ValueError(f"epochs must be a whole number >= 0, got {epochs!r}")
    require_recording()
    batches = _iterable(batches, usage)
    history = History()
    trainer = _trainer(loss, step, False, ())
    watched = metric is not None or held_out is not None or bool(callbacks)
    run = _Run(trainer, trainer.batches(batches, watched), batches, epochs, history, watched, metric is not None)
    bar = _bar(epochs, progress)
    try:
        for count in run.turns():
            row = {}
            if watched:
                trainer.sync()
                row = _evaluated(loss, metric, run.seen, held_out)
            run.report()
            for name, number in row.items():
                getattr(history, name).append(number)  # at once, so that Ctrl-C leaves lists of one length
            if bar is not None:
                bar.set_postfix_str(history.summary(), refresh=False)
                bar.update(count)
            if any([callback(history) for callback in callbacks]):  # each is called, whatever the first answers
                break
        _finish(trainer, optimizer)
    except KeyboardInterrupt:
        _finish(trainer, optimizer)
        if not watched:
            run.report()
        history.interrupted = True
    except BaseException:
        _finish(trainer, optimizer)
        raise
    finally:
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


class _Run:
    """The epochs of a ``fit``.

    Attributes:
        length: of an epoch, in batches, once that is known.
        seen: the samples of the epoch, if it ``keeps`` them.
    """

    def __init__(
        self,
        trainer: Trainer,
        prepared: Iterable[Any],
        batches: Iterable[Any],
        epochs: int,
        history: History,
        watched: bool,
        keeps: bool,
    ) -> None:
        self.trainer, self.batches, self.epochs, self.history = trainer, prepared, epochs, history
        self.together = not watched and prepared is not batches
        self.keeps, self.seen = keeps, list[Any]()
        self.length = 0

    def turns(self) -> Iterator[int]:
        """Train, with a turn after each epoch, or after several if nobody watches: how many they were."""
        if self.together:
            self.length = len(self.batches)  # type: ignore[arg-type]  # other than the ones given, so they have one
            all_epochs = chain.from_iterable(repeat(self.batches, self.epochs))
            while self.trainer.take(all_epochs):
                if len(self.trainer.taken) >= self.length:
                    yield len(self.trainer.taken) // self.length
            return
        for _ in range(self.epochs):
            self.seen.clear()
            self.length = 0
            batches = self._noted() if self.keeps else iter(self.batches)
            while self.trainer.take(batches):
                pass
            if not self.trainer.taken:
                raise ValueError("expected batches to train on, got none; an iterator is spent after its first epoch")
            self.length = len(self.trainer.taken)
            yield 1

    def report(self) -> None:
        """Move the mean losses of whole epochs to the history."""
        taken, losses = self.trainer.taken, self.history.loss
        count, before = (len(taken) // self.length if self.length else 0), len(losses)
        ends = [k * self.length for k in range(count + 1)]
        try:
            losses.extend([_mean(taken[start:end]) for start, end in pairwise(ends)])
            self.trainer.taken = taken[ends[-1] :]
        except BaseException:
            del losses[before:]
            self.trainer.taken = taken
            raise

    def _noted(self) -> Iterator[Any]:
        for batch in self.batches:
            samples = batch if isinstance(batch, Sequence) else require_batch(batch)
            self.seen.extend(samples)
            yield samples


def _mean(taken: Sequence[Taken]) -> float:
    total, count = 0.0, 0
    for size, losses in taken:
        total += losses
        count += size
    return total / count


def _bar(epochs: int, progress: bool) -> Any:
    """A progress bar; None without ``progress``, without tqdm, or where the output is no terminal."""
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
