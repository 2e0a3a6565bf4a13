"""Change parameters by their gradients: optimizers, clipping, and schedules of the learning rate.

>>> w = Value(3.0)
>>> optimizer = SGD([w], lr=0.1)
>>> (w * w).backward()
>>> optimizer.step()
>>> w.data                                  # 3 - 0.1 · 6
2.4

The arithmetic is PyTorch's. The rule of an optimizer is one function of numbers, ``rule(w, g, *state)``: parameter,
gradient and state in, the new parameter and state out. A step is taken whole or not at all, whatever interrupts it.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

from micrograd.engine import NOT_REACHED, Value, number, set_data, set_grad

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineLR",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepLR",
    "WarmupLR",
    "clip_grad_norm",
]

Parameters: TypeAlias = Iterable[Value] | Iterable[tuple[str, Value]]  # values, or pairs (name, value)


class Optimizer:
    """What optimizers share: the parameters, the state kept for each, and a step that is taken whole or not at all.

    >>> class Shrinking(Optimizer):             # a rule of your own
    ...     def rule(self, w, g):
    ...         return (0.5 * w - self.lr * g,)
    >>> w = Value(1.0)
    >>> w.grad = 1.0
    >>> Shrinking([w], lr=0.25).step()
    >>> w.data
    0.25

    Args:
        parameters: leaf Values, or pairs (name, Value) as of ``Module.named_parameters()``; names serve messages.
        lr: the learning rate; may be changed between steps.
        state: how many numbers the rule keeps for each parameter.

    Attributes:
        parameters: the Values that learn.
        lr: the learning rate of the next step.
        steps: how many steps were taken.
        state: for each number that the rule keeps (momentum, say), a column of it, one entry a parameter.
    """

    def __init__(self, parameters: Parameters, lr: float, state: int = 0) -> None:
        _require_parameters(parameters)
        found: list[Value] = []
        self.names: list[str] = []
        for i, item in enumerate(parameters):
            name, parameter = (
                item if isinstance(item, tuple) else (getattr(item, "label", "") or f"parameter {i}", item)
            )
            if not isinstance(parameter, Value):
                raise TypeError(f"parameters must be Values, got {parameter!r:.60} ({type(parameter).__name__})")
            if parameter.parents:
                raise ValueError(f"{name} must be a leaf, got the result of an operation; write Value(number)")
            found.append(parameter)
            self.names.append(name)
        if not found:
            raise ValueError("parameters must hold one Value at least, got none")
        if len(set(map(id, found))) < len(found):
            raise ValueError("parameters must be different Values, got one of them twice")
        self.parameters: Sequence[Value] = tuple(found)
        self.lr = within("lr", lr, 0)
        self.steps = 0
        self._warned = False
        self.state: list[Sequence[float]] = [[0.0] * len(found) for _ in range(state)]

    def rule(self, w: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        """The new parameter and state from parameter, gradient and state, at step number ``self.steps`` (from 1)."""
        raise NotImplementedError(f"{type(self).__name__} must define rule(self, w, g, *state)")

    def step(self) -> None:
        """Change every parameter by its gradient.

        Raises ValueError, with the parameter's name, if a gradient or a new value is not finite. Then, and if Ctrl-C
        comes in between, nothing has changed. Warns, once, if no backward pass has reached any of the parameters.
        """
        within("lr", self.lr, 0)  # which may have been assigned
        gradients = [parameter.grad for parameter in self.parameters]
        if not self._warned and all(gradient is NOT_REACHED for gradient in gradients):
            self.warn_unreached()
        self.require_finite("gradient", gradients)
        before = Snapshot(self)
        try:
            self.steps += 1
            data, *state = self._moved(before.data, gradients)
            self.require_finite("new value", data)
            for column in state:
                self.require_finite("new state", column)
            self.state = [*state]
            set_data(self.parameters, data)
        except BaseException:
            before.restore()
            raise

    def warn_unreached(self) -> None:
        """Say, once, that no gradient comes to any of the parameters."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"no backward pass has reached any of this {type(self).__name__}'s {len(self.parameters)} parameters; "
                "if the model was made anew, make the optimizer anew too, from its parameters()",
                stacklevel=3,
            )

    def _moved(self, data: list[float], gradients: list[float]) -> list[list[float]]:
        """What ``rule`` says for every parameter: the column of new data, and one for each of the state."""
        if any([issubclass(kind, Value) for kind in set(map(type, data))]):
            name = next(name for name, x in zip(self.names, data) if isinstance(x, Value))
            raise TypeError(f"{name}.data is a Value; write {name}.data -= lr * {name}.grad, numbers all of them")
        rows: list[Any] = []
        try:
            rows += map(self.rule, map(float, data), gradients, *self.state)  # which keeps those before an error
        except ArithmeticError as cause:
            name = self.names[len(rows)]
            raise ValueError(f"the new value of {name} is undefined: {cause}; no parameter was changed") from cause
        if set(map(type, rows)) != {tuple} or set(map(len, rows)) != {1 + len(self.state)}:
            raise TypeError(
                f"the rule of {type(self).__name__} must return a tuple of the new parameter and {len(self.state)} "
                f"numbers of state, got {rows[0]!r}"
            )
        return [list(column) for column in zip(*rows)]

    @property
    def settings(self) -> dict[str, Any]:
        """The numbers that ``rule`` reads beside ``lr`` and ``steps``, by name: ``momentum``, ``betas``, …"""
        return {
            name: setting
            for name, setting in vars(self).items()
            if name not in ("parameters", "names", "lr", "steps", "state", "_warned")
        }

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__}({len(self.parameters)} parameters, lr={self.lr!r}{settings}), {self.steps} steps"

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, for the next batch."""
        for parameter in self.parameters:
            parameter.grad = NOT_REACHED

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to go on: learning rate, number of steps, state."""
        state = [list(map(float, column)) for column in self.state]
        return {"kind": type(self).__name__, "lr": self.lr, "steps": self.steps, "state": state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from ``state_dict()`` of the same kind of optimizer on as many parameters; else ValueError."""
        if not isinstance(saved, dict):
            raise TypeError(f"expected the dict of state_dict(), got {saved!r:.60} ({type(saved).__name__})")
        if saved.keys() != self.state_dict().keys():
            raise ValueError(f"expected the keys {', '.join(self.state_dict())}, got {list(saved)!r:.60}")
        shape = [len(column) for column in saved["state"]]
        if shape != [len(self.parameters)] * len(self.state) or saved["kind"] != type(self).__name__:
            raise ValueError(
                f"this {type(self).__name__} keeps {len(self.state)} × {len(self.parameters)} numbers; "
                f"got {shape} of {saved['kind']}"
            )
        state = [[number(x) for x in column] for column in saved["state"]]
        steps = _whole("steps", saved["steps"], least=0)
        vars(self).update(lr=within("lr", saved["lr"], 0), steps=steps, state=state)  # at once

    def require_finite(self, what: str, numbers: Sequence[float]) -> None:
        """Raises, with the parameter's name, if one of these, one per parameter, is no number (TypeError) or not finite
        (ValueError).
        """
        if set(map(type, numbers)) <= {float} and all(map(math.isfinite, numbers)):
            return
        for name, x in zip(self.names, numbers):
            if isinstance(x, Value) or not hasattr(x, "__float__"):  # a Value would be stored as it is
                raise TypeError(f"the {what} of {name} must be a number, got {x!r:.60}; no parameter was changed")
            if not math.isfinite(x):
                raise ValueError(f"the {what} of {name} is {x}; no parameter was changed")


def _require_parameters(parameters: Any) -> None:
    """Raises TypeError, with what to write instead, for what is no list of parameters."""
    if hasattr(parameters, "named_parameters"):
        raise TypeError("expected parameters, got a model; pass model.parameters()")
    if isinstance(parameters, Value):
        raise TypeError("expected a list of Values, got a single one; write [value]")
    if callable(parameters):
        raise TypeError("expected parameters, got a function; call it: model.parameters()")
    if not isinstance(parameters, Iterable):
        raise TypeError(f"expected a list of Values, got {parameters!r} ({type(parameters).__name__})")


class Snapshot:
    """What a step changes, kept so that it can be put back if the step is interrupted.

    Attributes:
        data: the parameters' numbers.
    """

    def __init__(self, optimizer: Optimizer, schedule: "Schedule | None" = None) -> None:
        self.parameters = optimizer.parameters
        self.data = [parameter.data for parameter in self.parameters]
        self._parts = [(vars(part), dict(vars(part))) for part in (optimizer, schedule) if part is not None]

    def restore(self) -> None:
        """Put back what was kept."""
        for attributes, kept in self._parts:
            attributes.update(kept)
        for parameter, x in zip(self.parameters, self.data):
            parameter.data = x


def within(name: str, x: float, low: float, below: float = math.inf) -> float:
    """``x`` as a float. Raises TypeError or ValueError, with the setting's name, if it is no number in that range."""
    expected = f"{name} must be >= {low}{f' and < {below}' * (below < math.inf)}"
    if isinstance(x, bool) or not isinstance(x, Real):
        raise TypeError(f"{expected}, got {x!r} ({type(x).__name__})")
    if not low <= x < below:
        raise ValueError(f"{expected}, got {x!r}")
    return float(x)


class SGD(Optimizer):
    """Gradient descent, w ← w - lr · g, with optional (Nesterov) momentum and L2 penalty ``weight_decay`` · w²/2.

    >>> w = Value(3.0)
    >>> w.grad = 2.0
    >>> SGD([w], lr=0.5).step()
    >>> w.data                                  # 3 - 0.5 · 2
    2.0
    """

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
            raise ValueError("nesterov=True needs a momentum above 0, got 0")
        self.nesterov = nesterov

    def rule(self, w: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        """The new parameter, and its velocity if there is momentum."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        if not self.momentum:
            return (w - self.lr * g,)
        velocity = self.momentum * state[0] + g
        return w - self.lr * (g + self.momentum * velocity if self.nesterov else velocity), velocity


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient (Hinton, Coursera lecture 6e, 2012).

    >>> w = Value(3.0)
    >>> w.grad = 2.0
    >>> RMSprop([w], lr=0.01, alpha=0.75).step()
    >>> round(w.data, 6)                        # 3 - 0.01 · 2 / √(0.25 · 2²)
    2.98
    """

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
        """The new parameter, the running mean of g², and the velocity if there is momentum."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        square = self.alpha * state[0] + (1 - self.alpha) * g * g
        scaled = g / (square**0.5 + self.eps)
        if not self.momentum:
            return w - self.lr * scaled, square
        velocity = self.momentum * state[1] + scaled
        return w - self.lr * velocity, square, velocity


class Adam(Optimizer):
    """Running means of the gradient and of its square, corrected for their start at 0 (Kingma & Ba 2015).

    >>> w = Value(3.0)
    >>> w.grad = 2.0
    >>> Adam([w], lr=0.01).step()
    >>> round(w.data, 6)                        # a first step is as long as lr
    2.99
    """

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
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {betas!r}; write betas=(0.9, 0.999)")
        self.betas = within("betas[0]", betas[0], 0, 1), within("betas[1]", betas[1], 0, 1)
        self.eps = within("eps", eps, 0)
        self.weight_decay = within("weight_decay", weight_decay, 0)

    def rule(self, w: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        """The new parameter and the running means of g and g²."""
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
    """Adam with weight decay apart from the gradient's statistics (Loshchilov & Hutter 2019).

    >>> w = Value(3.0)
    >>> w.grad = 2.0
    >>> AdamW([w], lr=0.01, weight_decay=0.5).step()
    >>> round(w.data, 6)                        # 3 · (1 - 0.01 · 0.5) - 0.01
    2.975
    """

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

    Raises ValueError if the norm is not finite. Then, and if Ctrl-C comes in between, the gradients are as they were.

    >>> v, w = Value(0.0), Value(0.0)
    >>> v.grad, w.grad = 3.0, 4.0
    >>> clip_grad_norm([v, w], max_norm=2.5), v.grad, w.grad
    (5.0, 1.5, 2.0)
    """
    _require_parameters(parameters)
    within("max_norm", max_norm, 0)
    parameters = list(parameters)
    for parameter in parameters:
        if not isinstance(parameter, Value):
            raise TypeError(f"parameters must be Values, got {parameter!r:.60} ({type(parameter).__name__})")
    gradients = [parameter.grad for parameter in parameters]
    norm = math.hypot(*gradients)
    if not math.isfinite(norm):
        raise ValueError(f"the norm of the gradient is {norm}; nothing was clipped")
    if norm > max_norm:
        set_grad(parameters, [g * (max_norm / norm) for g in gradients])
    return norm


def require_optimizer(optimizer: Any) -> None:
    """Raises TypeError, with what to write instead, for what is no optimizer."""
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        name = optimizer.__name__
        raise TypeError(f"expected an optimizer, got the class {name}; write {name}(model.parameters(), lr=0.1)")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"expected an optimizer, got {optimizer!r:.60} ({type(optimizer).__name__})")


class Schedule:
    """A learning rate that changes with the count of updates: ``step()`` after each ``optimizer.step()``.

    >>> class Inverse(Schedule):                # a schedule of your own
    ...     def lr(self, t):
    ...         return self.base / (1 + t)
    >>> optimizer = SGD([Value(0.0)], lr=1.0)
    >>> Inverse(optimizer).step()
    >>> optimizer.lr
    0.5
    """

    def __init__(self, optimizer: Optimizer) -> None:
        require_optimizer(optimizer)
        self.optimizer = optimizer
        self.base = optimizer.lr
        self.steps = 0
        optimizer.lr = self.lr(0)

    def lr(self, t: int) -> float:
        """The learning rate after ``t`` updates."""
        raise NotImplementedError(f"{type(self).__name__} must define lr(self, t), the learning rate after t updates")

    def step(self) -> None:
        """Count an update, and set the optimizer's learning rate for the next one."""
        _whole_or_not(lambda: self._go_to(self.steps + 1), self._changing())

    def __repr__(self) -> str:
        own = {name: value for name, value in vars(self).items() if name not in ("optimizer", "base", "steps")}
        settings = "".join(f"{name}={value!r}, " for name, value in own.items())
        return f"{type(self).__name__}({settings}base={self.base!r}), {self.steps} steps, lr={self.optimizer.lr!r}"

    def _go_to(self, t: int) -> None:
        self.steps = t
        self.optimizer.lr = self.lr(t)

    def _changing(self) -> list[Any]:
        """The objects that steps and ``load_state_dict`` change."""
        return [self, self.optimizer]

    def state_dict(self) -> dict[str, float]:
        """What a later run needs to go on, beside the optimizer's state."""
        return {"base": self.base, "steps": self.steps}

    def load_state_dict(self, saved: dict[str, float]) -> None:
        """Go on from ``state_dict()`` of a schedule made with the same arguments."""
        if not isinstance(saved, dict):
            raise TypeError(f"expected the dict of state_dict(), got {saved!r:.60} ({type(saved).__name__})")
        if saved.keys() != self.state_dict().keys():
            raise ValueError(f"expected the keys {', '.join(self.state_dict())}, got {list(saved)!r:.60}")
        base, steps = within("base", saved["base"], 0), _whole("steps", saved["steps"], least=0)
        _whole_or_not(lambda: self._load(base, steps), self._changing())

    def _load(self, base: float, steps: int) -> None:
        self.base = base
        self._go_to(steps)


class StepLR(Schedule):
    """The base rate, multiplied by ``gamma`` after every ``step_size`` updates.

    >>> schedule = StepLR(SGD([Value(0.0)], lr=1.0), step_size=10, gamma=0.5)
    >>> [schedule.lr(t) for t in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _whole("step_size", step_size), within("gamma", gamma, 0)
        super().__init__(optimizer)

    def lr(self, t: int) -> float:
        """The learning rate after ``t`` updates."""
        return self.base * self.gamma ** (t // self.step_size)


class CosineLR(Schedule):
    """Half a cosine wave from the base rate down to ``eta_min`` over ``t_max`` updates (Loshchilov & Hutter 2017).

    >>> schedule = CosineLR(SGD([Value(0.0)], lr=1.0), t_max=100)
    >>> [round(schedule.lr(t), 3) for t in (0, 50, 100)]
    [1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, t_max: int, eta_min: float = 0.0) -> None:
        self.t_max, self.eta_min = _whole("t_max", t_max), within("eta_min", eta_min, 0)
        super().__init__(optimizer)

    def lr(self, t: int) -> float:
        """The learning rate after ``t`` updates."""
        wave = (1 + math.cos(math.pi * min(t, self.t_max) / self.t_max)) / 2
        return self.eta_min + (self.base - self.eta_min) * wave


class WarmupLR(Schedule):
    """Linear warm-up from ``start`` times the base rate over ``updates``, then the base rate or the schedule ``then``.

    >>> optimizer = SGD([Value(0.0)], lr=1.0)
    >>> cosine = CosineLR(optimizer, t_max=100)
    >>> schedule = WarmupLR(optimizer, updates=4, start=0.2, then=cosine)
    >>> [round(schedule.lr(t), 2) for t in (0, 2, 4)]
    [0.2, 0.6, 1.0]
    """

    def __init__(self, optimizer: Optimizer, updates: int, start: float = 0.1, then: Schedule | None = None) -> None:
        self.updates, self.start, self.then = _whole("updates", updates), within("start", start, 0), then
        if then is not None:
            if not isinstance(then, Schedule):
                raise TypeError(f"then must be a Schedule, got {then!r} ({type(then).__name__})")
            if then.optimizer is not optimizer:
                raise ValueError("then must be a schedule of the same optimizer, got one of another")
            optimizer.lr = then.base
        super().__init__(optimizer)

    def _changing(self) -> list[Any]:
        return super()._changing() + ([] if self.then is None else [self.then])

    def _load(self, base: float, steps: int) -> None:
        if self.then is not None:
            self.then.base = base
        super()._load(base, steps)

    def lr(self, t: int) -> float:
        """The learning rate after ``t`` updates."""
        if t < self.updates:
            return self.base * (self.start + (1 - self.start) * t / self.updates)
        return self.base if self.then is None else self.then.lr(t - self.updates)


def _whole(name: str, count: Any, least: int = 1) -> int:
    if isinstance(count, bool) or not (isinstance(count, Integral) and int(count) >= least):
        raise ValueError(f"{name} must be a whole number >= {least}, got {count!r}")
    return int(count)


def _whole_or_not(change: Callable[[], None], things: Sequence[Any]) -> None:
    """Call ``change``, which sets attributes of these things; if it is interrupted, put them back as they were."""
    before = [(vars(thing), dict(vars(thing))) for thing in things]
    try:
        change()
    except BaseException:
        for attributes, kept in before:
            attributes.update(kept)
        raise
