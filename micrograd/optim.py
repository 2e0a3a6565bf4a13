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
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

from micrograd.engine import Value, number
from micrograd.residence import Residence
from micrograd.samples import LOCK

Parameters: TypeAlias = Iterable[Value] | Iterable[tuple[str, Value]]  # values, or pairs (name, value)


class Optimizer:
    """What optimizers share: the parameters, the state kept for each, and a step that is taken whole or not at all.

    Args:
        parameters: leaf Values, or pairs (name, Value) as of ``Module.named_parameters()``; names serve messages.
        lr: the learning rate; may be changed between steps.

    Attributes:
        lr: the learning rate of the next step.
        steps: how many were taken.
        residence: where the parameters' numbers are, in Values or in arrays.
    """

    _state: list[Any]  # of lists, or of arrays while the parameters are in arrays

    def __init__(self, parameters: Parameters, lr: float, state: int) -> None:
        found: list[Value] = []
        self.names: list[str] = []
        for i, item in enumerate(parameters):
            name, parameter = (
                item if isinstance(item, tuple) else (getattr(item, "label", "") or f"parameter {i}", item)
            )
            if not isinstance(parameter, Value):
                raise TypeError(f"parameters are Values; got {parameter!r}")
            if parameter.parents:
                raise ValueError(f"{name} is the result of an operation; a parameter is a leaf")
            found.append(parameter)
            self.names.append(name)
        if not found:
            raise ValueError("an optimizer wants one parameter at least; got none")
        if len(set(found)) < len(found):
            raise ValueError("a parameter is listed twice and would be changed twice a step")
        self.residence = Residence(tuple(found))
        self.lr = within("lr", lr, 0)
        self.steps = 0
        self.state = [[0.0] * len(found) for _ in range(state)]

    @property
    def parameters(self) -> Sequence[Value]:
        return self.residence.parameters

    def rule(self, w: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        """The new parameter and state from parameter, gradient and state, at step number ``self.steps`` (from 1)."""
        raise NotImplementedError

    def step(self) -> None:
        """Change every parameter by its gradient.

        Raises ValueError, with the parameter's name, if a gradient or a new value is not finite; nothing has changed.
        """
        with LOCK:
            if not (self.residence.find() and self._step_on_arrays()):
                self._step_on_numbers()

    def _step_on_arrays(self) -> bool:
        """False, and nothing has changed, if that does not go: the numbers, one by one, then tell what the matter is."""
        home = self.residence
        store, data, gradient = home.store, home.data, home.grad
        columns = [store.array(column) for column in self._state]
        self.steps += 1
        done = False
        try:
            with store.quiet():
                new, *columns = self.rule(data, gradient, *columns)
                # A product with nan or an infinite number is not finite either.
                finite = math.isfinite(gradient @ new) and all([math.isfinite(column @ column) for column in columns])
                whole = home.within(store.data, new)
            if finite and store.resident:  # else the rule has looked at a parameter
                store.data, self._state, store.used, done = whole, columns, True, True  # nothing comes in between
        except (ArithmeticError, TypeError, ValueError):  # a rule of one's own that arrays do not suit
            pass
        finally:
            self.steps -= not done
        return done

    def _step_on_numbers(self) -> None:
        gradients = [parameter.grad for parameter in self.parameters]
        self.require_finite("gradient", gradients)
        self.steps += 1
        try:
            data, *columns = self._moved(gradients)
            self.require_finite("new value", data)
            for column in columns:
                self.require_finite("new state", column)
        except BaseException:
            self.steps -= 1
            raise
        self.state = columns
        for parameter, new in zip(self.parameters, data):
            parameter.data = new

    def _moved(self, gradients: list[float]) -> list[list[float]]:
        """What ``rule`` says for every parameter: the column of new data, and one for each of the state."""
        columns = [[parameter.data for parameter in self.parameters], gradients, *self.state]
        rows: list[tuple[float, ...]] = []
        try:
            rows.extend(self.rule(*row) for row in zip(*columns))
        except ArithmeticError as cause:
            name = self.names[len(rows)]
            raise ValueError(f"the new value of {name} is undefined: {cause}; no parameter was changed") from cause
        return [list(column) for column in zip(*rows)]

    @property
    def state(self) -> list[list[float]]:
        """For each quantity that the rule carries along (momentum, say), its number for each parameter."""
        self._state = [column if type(column) is list else column.tolist() for column in self._state]
        return self._state

    @state.setter
    def state(self, columns: list[list[float]]) -> None:
        self._state = columns

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_state": self.state}

    def zero_grad(self) -> None:
        self.residence.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to go on: learning rate, number of steps, state."""
        state = [list(column) for column in self.state]
        return {"kind": type(self).__name__, "lr": self.lr, "steps": self.steps, "state": state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from ``state_dict()`` of the same kind of optimizer on as many parameters; else ValueError."""
        if saved.keys() != self.state_dict().keys():
            raise ValueError(f"the state of an optimizer has {', '.join(self.state_dict())}; got {', '.join(saved)}")
        shape = [len(column) for column in saved["state"]]
        if shape != [len(self.parameters)] * len(self.state) or saved["kind"] != type(self).__name__:
            raise ValueError(
                f"this {type(self).__name__} keeps {len(self.state)} × {len(self.parameters)} numbers; "
                f"got {shape} of {saved['kind']}"
            )
        state = [[number(x) for x in column] for column in saved["state"]]
        self.lr, self.steps, self.state = within("lr", saved["lr"], 0), saved["steps"], state

    def require_finite(self, what: str, numbers: Sequence[float]) -> None:
        if all(map(math.isfinite, numbers)):
            return
        for name, x in zip(self.names, numbers):
            if not math.isfinite(x):
                raise ValueError(f"the {what} of {name} is {x}; no parameter was changed")


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
            with home.store.quiet():
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


def within(name: str, x: float, low: float, below: float = math.inf) -> float:
    if not (isinstance(x, Real) and low <= x < below):
        raise ValueError(f"{name} is to be at least {low}{f' and below {below}' * (below < math.inf)}; got {x!r}")
    return x


def _whole(name: str, count: int) -> int:
    if not (isinstance(count, Integral) and count >= 1):
        raise ValueError(f"{name} is to be a whole number from 1; got {count!r}")
    return int(count)
