"""The steps of ``fit`` for a recorded loss: parameters stay in an array from one step to the next.

Moving thousands of numbers between Values and arrays costs more than the step itself, so the Values are brought up to
date only where somebody can look: before a metric or a callback, and at the end, an exception's included.
"""

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import numpy as np

from micrograd.data import DataLoader
from micrograd.optim import Optimizer, within
from micrograd.replay import Pack, data
from micrograd.samples import LOCK, require_batch
from micrograd.tape import Recorded


class ArrayTrainer:
    """The parameters of an optimizer and its state as arrays, between ``load`` and ``publish``."""

    def __init__(self, loss: Recorded, batches: Iterable[Any], optimizer: Optimizer, executor: Executor | None) -> None:
        self.loss = loss
        self.batches = batches
        self.optimizer = optimizer
        self.executor = executor
        if not loss.parameters:  # then the tape has its parameters in the optimizer's order
            loss.parameters.extend(optimizer.parameters)
        # A data set of the user's own may make its samples anew each time, so it is asked for every batch.
        fixed = isinstance(batches, DataLoader) and isinstance(batches.samples, (list, tuple, np.ndarray))
        self.pack = Pack(loss, batches.samples) if fixed else None  # type: ignore[attr-defined]
        self.loaded = False

    def load(self) -> None:
        with LOCK:
            self._load()

    def _load(self) -> None:
        learning = set(self.optimizer.parameters)
        self.frozen = [p for p in self.loss.parameters if p not in learning]
        self.w = data(self.optimizer.parameters)
        self.g = np.zeros_like(self.w)
        self.state = [np.array(column) for column in self.optimizer.state]
        place = {p: i for i, p in enumerate([*self.optimizer.parameters, *self.frozen])}
        same = self.loss.parameters == self.optimizer.parameters
        self.index = None if same else np.array([place[p] for p in self.loss.parameters], dtype=np.int64)
        self.known = len(self.loss.parameters)
        self.loaded = True

    def publish(self) -> None:
        """Give data, gradients and state back to Values and optimizer."""
        if self.loaded:
            with LOCK:
                for parameter, number, slope in zip(self.optimizer.parameters, self.w.tolist(), self.g.tolist()):
                    parameter.data, parameter.grad = number, slope
            self.optimizer.state = [column.tolist() for column in self.state]
            self.loaded = False

    def orders(self) -> Iterator[tuple[Pack, Any]]:
        """Every batch of an epoch, as positions in a pack."""
        if self.pack is not None:
            for order in self.batches.orders():  # type: ignore[attr-defined]
                yield self.pack, np.arange(order.start, order.stop) if isinstance(order, range) else np.array(order)
        else:
            for batch in self.batches:
                samples = require_batch(batch)
                yield Pack(self.loss, samples), np.arange(len(samples))

    def gradient(self, pack: Pack, order: Any) -> tuple[float, Any] | None:
        """Sums over the batch: its loss, and its gradient by the optimizer's parameters."""
        if not self.loaded or self.known < len(self.loss.parameters):
            self.publish()
            self.load()
        values = self.w
        if self.index is not None:
            values = np.concatenate([self.w, data(self.frozen)])[self.index]
        answer = pack.gradient(values, order, self.executor)
        if answer is None or self.index is None:
            return answer
        whole = np.zeros(len(self.w) + len(self.frozen))
        whole[self.index] = answer[1]
        return answer[0], whole[: len(self.w)]

    def step(self, gradient: Any) -> None:
        """As ``Optimizer.step``: whole or not at all."""
        optimizer = self.optimizer
        optimizer.steps += 1
        try:
            w, *state = optimizer.rule(self.w, gradient, *self.state)
            if not math.isfinite(w @ w):  # or it overflows
                optimizer.require_finite("new value", w.tolist())
            for column in state:
                if not math.isfinite(column @ column):
                    optimizer.require_finite("new state", column.tolist())
        except BaseException:
            optimizer.steps -= 1
            raise
        self.w, self.state, self.g = w, state, gradient

    def quiet(self) -> Any:
        """Without NumPy's warnings: what is not finite raises an error that says more."""
        return np.errstate(all="ignore")

    def clip(self, gradient: Any, max_norm: float) -> Any:
        within("max_norm", max_norm, 0)
        norm = math.sqrt(gradient @ gradient)
        if not math.isfinite(norm):  # the squares overflow; the norm itself need not
            norm = math.hypot(*gradient)
        return gradient * (max_norm / norm) if norm > max_norm else gradient
