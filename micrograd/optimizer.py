"""What optimizers share: parameters, the state kept for each, and steps that are taken whole or not at all."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, TypeAlias

from micrograd.engine import Value, number
from micrograd.samples import LOCK
from micrograd.tape.residence import Residence
from micrograd.tape.resident import in_one_go

NOT_SETTINGS = {"residence", "names", "lr", "steps", "_state"}

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
        if hasattr(parameters, "named_parameters"):
            raise TypeError("an optimizer wants parameters; got a model: pass model.parameters()")
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
        self.residence = Residence(tuple(found), joins=True)
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
        """False, and nothing has changed, if it does not go: the numbers, one by one, then tell what the matter is."""
        data, gradient, *state = self.columns()
        done: list[bool] = []
        self.steps += 1
        try:
            moment = self.moment()
            with self.residence.quiet():
                new, *state = self.rule(data, gradient, *state)
                # A product with nan or an infinite number is not finite either.
                if math.isfinite(gradient.dot(new)) and all([math.isfinite(column.dot(column)) for column in state]):
                    self.settle(moment, new, state, self.steps, map(done.append, [True]))
        except (ArithmeticError, TypeError, ValueError):  # a rule of one's own that arrays do not suit
            pass
        finally:
            self.steps -= not done
        return bool(done)

    def columns(self) -> list[Any]:
        """The parameters' numbers, their gradients, and the state, while these are in arrays."""
        home = self.residence
        return [home.data, home.grad, *[home.store.array(column) for column in self._state]]

    def moment(self) -> tuple[Any, ...]:
        """What tells, later, that the parameters have been in the arrays ever since, and not been changed."""
        return self.residence.store.data, self._state, self.steps

    def settle(self, moment: tuple[Any, ...], data: Any, state: list[Any], steps: int, *also: Iterable[Any]) -> bool:
        """Let this be what the parameters are after so many steps, and run the loops ``also``, all in one go. False,
        and nothing has changed, if it is another moment: the rule has looked at a parameter, or another thread has.
        """
        store = self.residence.store
        if not store.resident or any([a is not b for a, b in zip(moment, self.moment())]):
            return False
        whole = self.residence.within(store.data, data)
        changes = [(store, "data", whole), (store, "used", True), (self, "_state", state), (self, "steps", steps)]
        in_one_go(map(setattr, *zip(*changes)), *also)
        return True

    @property
    def settings(self) -> tuple[tuple[str, Any], ...]:
        """The numbers that ``rule`` reads beside ``lr`` and ``steps``, by name."""
        return tuple(
            [
                (name, tuple(thing) if isinstance(thing, list) else thing)
                for name, thing in vars(self).items()
                if name not in NOT_SETTINGS and isinstance(thing, (Real, tuple, list))
            ]
        )

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
        data = [parameter.data for parameter in self.parameters]
        for name, x in zip(self.names, data):
            if isinstance(x, Value):
                raise TypeError(f"{name}.data is a Value; write {name}.data -= lr * {name}.grad, numbers all of them")
        columns = [data, gradients, *self.state]
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


def within(name: str, x: float, low: float, below: float = math.inf) -> float:
    if not (isinstance(x, Real) and low <= x < below):
        raise ValueError(f"{name} is to be at least {low}{f' and below {below}' * (below < math.inf)}; got {x!r}")
    return float(x)
