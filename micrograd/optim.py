"""Change parameters by their gradients: optimizers, clipping, and schedules of the learning rate.

>>> w = Value(3.0)
>>> optimizer = SGD([w], lr=0.1)
>>> (w * w).backward()
>>> optimizer.step()
>>> w.data                                  # 3 - 0.1 · 6
2.4

The arithmetic is PyTorch's. Each optimizer's rule is one function of numbers, ``rule(w, g, *state)``, which uses
nothing but arithmetic and so serves arrays as well, for parameters that a tape keeps in arrays (see ``residence``).
"""

import math
from collections.abc import Iterable
from numbers import Integral
from typing import Any

from micrograd.engine import Value
from micrograd.optimizer import Optimizer, Parameters, within
from micrograd.samples import LOCK
from micrograd.tape.residence import Residence


class SGD(Optimizer):
    """Gradient descent, w ← w - lr · g, with optional (Nesterov) momentum and L2 penalty ``weight_decay`` · w²/2."""

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, state=1 if momentum else 0)
        self.momentum = within("momentum", momentum, 0)
        self.weight_decay = within("weight_decay", weight_decay, 0)
        if nesterov and not momentum:
            raise ValueError("Nesterov's rule wants a momentum above 0")
        self.nesterov = nesterov

    def rule(self, w: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        if self.weight_decay:
            g = g + self.weight_decay * w
        if not self.momentum:
            return (w - self.lr * g,)
        velocity = self.momentum * state[0] + g
        return w - self.lr * (g + self.momentum * velocity if self.nesterov else velocity), velocity


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient (Hinton, Coursera lecture 6e, 2012)."""

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, state=2 if momentum else 1)
        self.alpha = within("alpha", alpha, 0, 1)
        self.eps = within("eps", eps, 0)
        self.weight_decay = within("weight_decay", weight_decay, 0)
        self.momentum = within("momentum", momentum, 0)

    def rule(self, w: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        if self.weight_decay:
            g = g + self.weight_decay * w
        square = self.alpha * state[0] + (1 - self.alpha) * g * g
        scaled = g / (square**0.5 + self.eps)
        if not self.momentum:
            return w - self.lr * scaled, square
        velocity = self.momentum * state[1] + scaled
        return w - self.lr * velocity, square, velocity


class Adam(Optimizer):
    """Running means of the gradient and of its square, corrected for their start at 0 (Kingma & Ba 2015)."""

    decoupled = False

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, state=2)
        if len(betas) != 2:
            raise ValueError(f"betas are two numbers; got {betas!r}")
        self.betas = within("betas[0]", betas[0], 0, 1), within("betas[1]", betas[1], 0, 1)
        self.eps = within("eps", eps, 0)
        self.weight_decay = within("weight_decay", weight_decay, 0)

    def rule(self, w: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        if self.decoupled:
            w = w * (1 - self.lr * self.weight_decay)
        elif self.weight_decay:
            g = g + self.weight_decay * w
        beta1, beta2 = self.betas
        mean = beta1 * state[0] + (1 - beta1) * g
        square = beta2 * state[1] + (1 - beta2) * g * g
        scale = (square / (1 - beta2**self.steps)) ** 0.5 + self.eps
        return w - self.lr / (1 - beta1**self.steps) * mean / scale, mean, square


class AdamW(Adam):
    """Adam with weight decay apart from the gradient's statistics (Loshchilov & Hutter 2019)."""

    decoupled = True

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)


def clip_grad_norm(parameters: Iterable[Value], max_norm: float) -> float:
    """Scale the gradients so that their Euclidean norm is at most ``max_norm``; returns the norm before.

    Raises ValueError if the norm is not finite; the gradients are then as they were.
    """
    return clip(Residence(list(parameters)), max_norm)


def clip(home: Residence, max_norm: float) -> float:
    """As ``clip_grad_norm``."""
    within("max_norm", max_norm, 0)
    with LOCK:
        resident = home.find()
        gradient: Any = home.grad if resident else [parameter.grad for parameter in home.parameters]
        norm = 0.0
        if resident:
            with home.quiet():
                norm = math.sqrt((gradient * gradient).sum())
        if not 1e-140 < norm < math.inf:  # squares overflow or vanish; the norm itself need not
            norm = math.hypot(*gradient)
        if not math.isfinite(norm):
            raise ValueError(f"the norm of the gradient is {norm}; nothing was clipped")
        if norm > max_norm:
            scale = max_norm / norm
            if resident:
                home.grad = gradient * scale
            else:
                for parameter in home.parameters:
                    parameter.grad *= scale
    return norm


class Schedule:
    """A learning rate that changes with the count of updates: ``step()`` after each ``optimizer.step()``."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base = optimizer.lr
        self.steps = 0
        optimizer.lr = self.lr(0)

    def lr(self, t: int) -> float:
        """The learning rate after ``t`` updates."""
        raise NotImplementedError

    def step(self) -> None:
        self.steps += 1
        self.optimizer.lr = self.lr(self.steps)

    def state_dict(self) -> dict[str, float]:
        """What a later run needs to go on, beside the optimizer's state."""
        return {"base": self.base, "steps": self.steps}

    def load_state_dict(self, saved: dict[str, float]) -> None:
        """Go on from ``state_dict()`` of a schedule made with the same arguments."""
        self.base, self.steps = saved["base"], int(saved["steps"])
        self.optimizer.lr = self.lr(self.steps)


class StepLR(Schedule):
    """Times ``gamma`` after every ``step_size`` updates."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _whole("step_size", step_size), within("gamma", gamma, 0)
        super().__init__(optimizer)

    def lr(self, t: int) -> float:
        return self.base * self.gamma ** (t // self.step_size)


class CosineLR(Schedule):
    """Half a cosine wave from the base rate down to ``eta_min`` over ``t_max`` updates (Loshchilov & Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, t_max: int, eta_min: float = 0.0) -> None:
        self.t_max, self.eta_min = _whole("t_max", t_max), within("eta_min", eta_min, 0)
        super().__init__(optimizer)

    def lr(self, t: int) -> float:
        wave = (1 + math.cos(math.pi * min(t, self.t_max) / self.t_max)) / 2
        return self.eta_min + (self.base - self.eta_min) * wave


class WarmupLR(Schedule):
    """Linear warm-up from ``start`` times the base rate over ``updates``, then the base rate or the schedule ``then``.

    >>> optimizer = SGD([Value(0.0)], lr=1.0)
    >>> schedule = WarmupLR(optimizer, updates=4, start=0.2, then=CosineLR(optimizer, t_max=100))
    """

    def __init__(self, optimizer: Optimizer, updates: int, start: float = 0.1, then: Schedule | None = None) -> None:
        self.updates, self.start, self.then = _whole("updates", updates), within("start", start, 0), then
        if then is not None:
            if then.optimizer is not optimizer:
                raise ValueError("the schedule to follow the warm-up is of another optimizer")
            optimizer.lr = then.base
        super().__init__(optimizer)

    def load_state_dict(self, saved: dict[str, float]) -> None:
        if self.then is not None:
            self.then.base = saved["base"]
        super().load_state_dict(saved)

    def lr(self, t: int) -> float:
        if t < self.updates:
            return self.base * (self.start + (1 - self.start) * t / self.updates)
        return self.base if self.then is None else self.then.lr(t - self.updates)


def _whole(name: str, count: int) -> int:
    if not (isinstance(count, Integral) and count >= 1):
        raise ValueError(f"{name} is to be a whole number from 1; got {count!r}")
    return int(count)


_METHODS = "rule", "step", "zero_grad", "lr"
_OWN = {
    kind: [getattr(kind, name, None) for name in _METHODS]
    for kind in (SGD, RMSprop, Adam, AdamW, StepLR, CosineLR, WarmupLR)
}


def is_ours(part: Any) -> bool:
    """Whether this optimizer or schedule, and the schedules that follow it, are of this file, and no method of theirs
    was replaced: so that it is known to do arithmetic, and nothing else.
    """
    replaced = [name for name in _METHODS if callable(vars(part).get(name))]
    methods = [getattr(type(part), name, None) for name in _METHODS]
    then = getattr(part, "then", None)
    return not replaced and methods == _OWN.get(type(part)) and (then is None or is_ours(then))
