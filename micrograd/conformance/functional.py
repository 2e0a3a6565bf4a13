"""Engines in the style of functions, where ``grad(f)`` is the derivative of f, seen as a class of values.

The class records what is computed with it. ``backward()`` hands that over to the engine as a function of one number,
and adds what the engine's ``grad`` says to the leaf. So all slopes, and the order of all sums, are the engine's.

>>> import math
>>> def grad(f):                                 # an engine, if a poor one
...     return lambda x: (f(x + 1e-6) - f(x - 1e-6)) / 2e-6
>>> Value, gradients = value_class(grad, math)
>>> a = Value(3.0)
>>> (a * a).backward()
>>> round(a.grad, 4)
6.0
"""

import operator
from collections.abc import Callable, Sequence
from itertools import count
from types import ModuleType
from typing import Any

Function = Callable[..., Any]

_OPERATORS = ("add", "sub", "mul", "truediv", "pow")


def value_class(grad: Function, functions: ModuleType) -> tuple[type, Function]:
    """A class of values for an engine, and a function ``gradients`` that can be differentiated again.

    Args:
        grad: makes a function's derivative, by its first argument.
        functions: a module with ``exp``, ``tanh`` and so on for what ``grad`` passes to a function.
    """
    numbers = count()
    number = getattr(functions, "float64", float)  # NumPy's, where the engine computes with those

    class Value:
        def __init__(self, data: Any, op: Function | None = None, operands: Sequence[Any] = ()) -> None:
            self.data = number(data) if isinstance(data, float) else data
            self.op = op
            self.operands = operands
            self.number = next(numbers)
            self.root: Value | None = None
            self.total = 0.0

        @property
        def grad(self) -> Any:
            if self.op is None or self.root is None:
                return self.total
            return 1.0 if self.root is self else _slope(self.root, self)

        @grad.setter
        def grad(self, total: Any) -> None:
            self.total = total

        def backward(self) -> None:
            for node in _graph(self):
                node.root = self
                if node.op is None:
                    node.total += 1.0 if node is self else _slope(self, node)

        def __neg__(self) -> "Value":
            return record(operator.neg, self)

        def __abs__(self) -> "Value":
            return record(abs, self)

    def record(op: Function, *operands: Any) -> Value:
        return Value(op(*[x.data if isinstance(x, Value) else x for x in operands]), op, operands)

    def _graph(root: Value) -> list[Value]:
        """The nodes that ``root`` was computed from, each before those that use it."""
        found = {root.number: root}
        stack = [root]
        while stack:
            for operand in stack.pop().operands:
                if isinstance(operand, Value) and operand.number not in found:
                    found[operand.number] = operand
                    stack.append(operand)
        return [found[number] for number in sorted(found)]

    def _as_function(root: Value, node: Value) -> Function:
        """``root`` as a function of the number of ``node``, all else as it is."""
        order = _graph(root)

        def function(x: Any) -> Any:
            results = {node.number: x}
            for step in order:
                if step is not node:
                    operands = [results[o.number] if isinstance(o, Value) else o for o in step.operands]
                    results[step.number] = step.op(*operands) if step.op else step.data
            return results[root.number]

        return function

    def _slope(root: Value, node: Value) -> Any:
        return grad(_as_function(root, node))(node.data)

    def gradients(root: Value, node: Value, create_graph: bool = False) -> Value:  # noqa: ARG001  # it always is
        return record(grad(_as_function(root, node)), node)

    def method(op: Function, *swap: int) -> Function:
        return lambda self, *others: record(op, *(reversed((self, *others)) if swap else (self, *others)))

    for name in _OPERATORS:
        setattr(Value, f"__{name}__", method(getattr(operator, name)))
        setattr(Value, f"__r{name}__", method(getattr(operator, name), 1))
    for name in ("exp", "log", "tanh", "relu", "sigmoid", "sqrt", "sin", "cos"):
        if callable(getattr(functions, name, None)):
            setattr(Value, name, method(getattr(functions, name)))
    return Value, gradients
