"""Watch a training: a callback for ``fit``, or looks taken by hand in a loop of your own."""

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from micrograd.data import require_samples
from micrograd.engine import Value, no_grad, set_data
from micrograd.health.diagnosis import RECENT, ROUNDING, Diagnosis, Evidence, diagnose
from micrograd.health.look import Look, Network, kept_random
from micrograd.nn import Module
from micrograd.optim import Optimizer, require_optimizer
from micrograd.samples import call_numbered, require_batch, require_function, require_recording

MOST_SAMPLES = 64  # of a look, which goes node by node: enough for a share of units, and for an angle


class Watch:
    """Looks at a network while it is trained, and says what goes wrong.

    >>> from micrograd import fit, losses, nn, optim
    >>> model = nn.MLP(2, [4, 1], activation="tanh")
    >>> loss = lambda x, y: losses.squared_error(model(x), y)
    >>> samples = [([0.0, 1.0], 1.0), ([1.0, 0.5], -1.0)]
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> watch = Watch(model, loss, samples, optimizer)
    >>> history = fit(loss, [samples], optimizer, epochs=20, callbacks=[watch])
    >>> print(watch)
    nothing was found in 21 looks

    The first look is taken at once, so make the watch before the training. Watching changes nothing: not the
    parameters and their ``grad``, not the optimizer, not the global ``random``. (A loss that draws from another
    generator draws from it for the looks too.)

    A look goes node by node, also where ``loss`` is recorded by ``jit``: it costs a forward and a backward pass for
    each sample. For a network of thousands of weights, pass a few samples.

    Args:
        model: the network: any ``nn.Module``. Of its ``nn.Neuron`` units signals and δ are seen, of other parameters
            gradient and step.
        loss: as for ``accumulate``; plain, or recorded by ``jit``.
        samples: those to look at; of more than 64, 64 drawn by lot, the same at each look.
        optimizer: the one that trains the model, for the size of its steps.
        batch_size: of the training. Without it, nothing is said about the noise of batches.

    Attributes:
        looks: what was seen, from before the training on.
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[..., Value],
        samples: Sequence[Any],
        optimizer: Optimizer | None = None,
        batch_size: int | None = None,
    ) -> None:
        usage = "the arguments are Watch(model, loss, samples)"
        if not isinstance(model, Module):
            raise TypeError(f"model must be an nn.Module, got {model!r:.60} ({type(model).__name__}); {usage}")
        require_function("loss", loss, usage)
        require_samples("samples", samples)
        if not len(samples):
            raise ValueError("samples must hold one sample at least, got none")
        self._network = Network(model)
        if not self._network.parameters:
            raise ValueError(f"model must have parameters, got a {type(model).__name__} without any")
        if optimizer is not None:
            require_optimizer(optimizer)
            if set(self._network.parameters).isdisjoint(optimizer.parameters):
                raise ValueError(
                    "expected the optimizer that trains the model, got one with none of the model's parameters; if the "
                    "model was made anew, make the optimizer anew too"
                )
        if batch_size is not None and (
            not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1
        ):
            raise ValueError(f"batch_size must be a whole number >= 1, or None, got {batch_size!r}")
        # Of a loss that computes a batch by itself, a recorded one, the plain function.
        self._loss: Callable[..., Value] = getattr(loss, "function", loss) if hasattr(loss, "add_gradients") else loss
        chosen: Sequence[int] = range(len(samples))
        if len(samples) > MOST_SAMPLES:  # by lot: every second one of a list may be all of one class
            chosen = sorted(random.Random(0).sample(chosen, MOST_SAMPLES))
        self._samples = [samples[k] for k in chosen]
        self._optimizer, self._batch_size = optimizer, batch_size
        self._rates: list[float] = []  # a schedule may end near 0
        self._kept: list[float] | None = None  # what was in grad at the last look at a batch
        self._start = self._numbers()
        self._recent: deque[list[float]] = deque(maxlen=RECENT)
        self.looks: list[Look] = []
        require_recording()
        if not self._network.is_used(self._loss, self._samples):
            raise ValueError("expected a loss of the model, got one that uses none of its parameters for any sample")
        self._see(self._network.look(self._loss, self._samples, optimizer))

    def __call__(self, history: Any) -> None:  # noqa: ARG002  # what fit passes to its callbacks
        """Look; for ``fit(…, callbacks=[watch])``, which calls it after each epoch."""
        self.look()

    def look(self, batch: Sequence[Any] | None = None) -> Look:
        """Look at the network as it is now, and keep what was seen in ``looks``.

        A loss that is undefined for a sample is seen as infinite.

        Args:
            batch: the samples whose gradient is in ``grad``, in a loop of your own between ``accumulate`` and
                ``optimizer.step()``. Given for each batch, it shows whether ``zero_grad`` is missing.
        """
        require_recording()
        leftover = 0.0 if batch is None else self._leftover(require_batch(batch))
        try:
            seen = self._network.look(self._loss, self._samples, self._optimizer)
        except ValueError:
            seen = Look(math.inf)
        look = Look(seen.loss, seen.layers, seen.angle, seen.noise_scale, seen.inputs, leftover)
        self._see(look)
        self._recent.append(self._numbers())
        return look

    def diagnosis(self) -> list[Diagnosis]:
        """What is wrong, the cause first; an empty list if nothing was found.

        Where the weights have changed since the last look, another one is taken: a training that an error has ended
        is seen as it was left.
        """
        if self._numbers() != (self._recent[-1] if self._recent else self._start):
            self.look()
        lr = max(self._rates, default=None)
        return diagnose(Evidence(self.looks, self._batch_size, lr, self._loss_of_mean, self._loss_beyond))

    def __str__(self) -> str:
        return (
            "\n".join(map(str, self.diagnosis()))
            or f"nothing was found in {len(self.looks)} look{'s' * (len(self.looks) > 1)}"
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002  # how a notebook shows it
        printer.text(str(self))

    def _see(self, look: Look) -> None:
        self.looks.append(look)
        if self._optimizer is not None:
            self._rates.append(self._optimizer.lr)

    def _numbers(self) -> list[float]:
        return [parameter.data for parameter in self._network.parameters]

    def _leftover(self, batch: Sequence[Any]) -> float:
        """How long the gradient from before the batch is beside the batch's own; 0 if it was zeroed, or not known."""
        own = self._network.gradient(self._loss, batch)
        there, before = [parameter.grad for parameter in self._network.parameters], self._kept
        self._kept = there
        for size in (1, len(batch)):  # the mean over the batch, and the sum
            added = [g * size for g in own]
            length = math.hypot(*added)
            if before is not None and length and math.hypot(*before) > ROUNDING * length:
                off = [g - b - a for g, b, a in zip(there, before, added)]
                if math.hypot(*off) <= ROUNDING * math.hypot(*there):
                    return math.hypot(*before) / length
        return 0.0

    def _loss_of_mean(self) -> float:
        return self._loss_at([sum(column) / len(self._recent) for column in zip(*self._recent)])

    def _loss_beyond(self, times: float) -> float:
        return self._loss_at([a + times * (b - a) for a, b in zip(self._start, self._numbers())])

    def _loss_at(self, numbers: Sequence[float]) -> float:
        """The mean loss with other weights, which are put back; infinite where it is undefined."""
        parameters, before = self._network.parameters, self._numbers()
        try:
            set_data(parameters, numbers)
            with no_grad(), kept_random():
                answers = [call_numbered(k, self._loss, sample) for k, sample in enumerate(self._samples)]
            return float(sum(answers)) / len(answers)
        except ValueError:
            return math.inf
        finally:
            set_data(parameters, before)
