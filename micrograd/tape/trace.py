"""Call a function on one sample and keep the graph it records; refuse what a tape, with its one path, cannot hold.

>>> w = Value(2.0)
>>> trace(lambda x: (w * x).relu(), None, [3.0]).results
[Value(data=6.0, grad=0)]
>>> trace(lambda x: w * x if x > 0 else w, None, [3.0])
Traceback (most recent call last):
TypeError: ...
"""

import linecache
import math
import operator
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn

from micrograd.engine import Leaving, Value, current_leaving, leaving, recording
from micrograd.ops import Primitive
from micrograd.samples import call, is_several, uncollected, values_of
from micrograd.tape.columns import Shape, rebuild

NOT_THE_USERS = ("micrograd", "numpy")  # packages
_CHOICE = (
    "for a choice write where(condition, a, b), a.maximum(b), v.relu() or abs(v), for one of several values "
    "pick(values, index); compute with the number as it is, v.exp() and not math.exp(v)"
)
_INDEX = "for values[index] write pick(values, index); a length may come from len(), since each shape has its own tape"
_IDENTITY = "== compares results as objects, not by size; for that write (a >= b) & (a <= b)"
_EQUALITY = "its equality with others, so that it cannot be looked for in a list, a set or the keys of a dict"


class Recordable(Primitive):
    """A primitive that tapes have and the table has not. A pickled one is found here, by its name."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _find, (self.name,)


def _find(name: str) -> Primitive:
    return next(op for op in (*RELATIONS.values(), _POWER) if op.name == name)


def _relation(name: str, holds: Callable[[Any, Any], bool]) -> Primitive:
    """1 where it holds, else 0: what a comparison of recorded numbers is."""
    return Recordable(name, lambda x, y: 1.0 * holds(x, y), lambda z, x, y: (0.0, 0.0))


RELATIONS = {
    operator.lt: _relation("less", lambda x, y: x < y),
    operator.le: _relation("less_equal", lambda x, y: x <= y),
    operator.gt: _relation("greater", lambda x, y: x > y),
    operator.ge: _relation("greater_equal", lambda x, y: x >= y),
    operator.eq: _relation("equal", lambda x, y: x == y),
    operator.ne: _relation("not_equal", lambda x, y: x != y),
}

# A power whose exponent is a number of the sample: like ``power(n)`` it admits a negative base if the exponent is
# whole, since nobody asks for the slope by the exponent. At 0**0 the slope is 0.
_POWER = Recordable("pow", math.pow, lambda z, x, y: (y * x ** (y - 1) if y != 0 else 0.0, 0.0), "**")


class Traced(Value):
    """A Value while a function is traced: a comparison is recorded, and what asks for its answer raises TypeError."""

    __slots__ = ()

    def _refuse_index(self, *_: Any) -> NoReturn:
        raise refusal("a whole number, quotient or remainder", _INDEX)

    __index__ = __floordiv__ = __mod__ = __divmod__ = _refuse_index
    __rfloordiv__ = __rmod__ = __rdivmod__ = __trunc__ = __floor__ = __ceil__ = _refuse_index

    def __hash__(self) -> int:
        if isinstance(current_leaving(), Refusing):
            raise refusal(_EQUALITY, _CHOICE)
        return object.__hash__(self)  # the function has kept it

    def __eq__(self, other: object) -> Any:
        return self._equality(operator.eq, other)

    def __ne__(self, other: object) -> Any:
        return self._equality(operator.ne, other)

    def _equality(self, relation: Callable[[Any, Any], bool], other: object) -> Any:
        if not isinstance(other, (Real, Value)) or not isinstance(current_leaving(), Refusing):
            return NotImplemented
        if any([isinstance(v, Value) and _uses_parameters(v) for v in (self, other)]):
            raise refusal("whether it is another one", _IDENTITY)
        return _compared(relation, self, other)

    def __and__(self, other: Any) -> Value:
        """Of two conditions: where both hold."""
        both: Value = self * other
        return both

    def __or__(self, other: Any) -> Value:
        return self.maximum(other)

    __rand__, __ror__ = __and__, __or__

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, Traced) and not _uses_parameters(exponent):
            return Value._record(_POWER, (self, exponent))
        return super().__pow__(exponent)

    def __rpow__(self, base: Any) -> Any:
        if isinstance(base, (Real, Value)) and not _uses_parameters(self):
            return Value._record(_POWER, (base, self))
        return super().__rpow__(base)


class Refusing(Leaving):
    """While a function is traced: comparisons are recorded, and no Value becomes a plain number."""

    def number(self, value: Value) -> float:  # noqa: ARG002
        raise refusal("a plain number or a decision", _CHOICE)

    def compare(self, relation: Callable[[Any, Any], bool], value: Value, other: Any) -> Any:
        return _compared(relation, value, other)


def _compared(relation: Callable[[Any, Any], bool], value: Value, other: Any) -> Any:
    return Value._record(RELATIONS[relation], (value, other)) if isinstance(other, (Real, Value)) else NotImplemented


def _uses_parameters(value: Value) -> bool:
    met, seen = [value], set[int]()
    while met:
        node = met.pop()
        if not isinstance(node, Traced):
            return True
        if id(node) not in seen:
            seen.add(id(node))
            met += node.parents
    return False


def refusal(what: str, instead: str) -> TypeError:
    """The error that names the line of the user's code that is being run."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in NOT_THE_USERS:
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(file, line, frame.f_globals).strip()
    return TypeError(
        f"{file}, line {line}: {source}\na tape has one path for all samples, but this takes from a Value {what}; "
        f"{instead}. To run the function as it is, leave out jit"
    )


@dataclass
class Trace:
    """A function that was called on one sample.

    Attributes:
        results: what it returned, as Values.
        inputs: the leaves that stood for the numbers of the sample, in order.
        several: whether it returned a list.
        plain: the number that it returned, if it was no Value.
    """

    results: list[Value]
    inputs: list[Value]
    several: bool
    plain: Any


def trace(function: Callable[..., Any], shape: Shape, numbers: Sequence[float]) -> Trace:
    """Call ``function`` on a sample of that shape and record what it does.

    Raises TypeError, with the line of the function, where it decides by a number or turns one into a plain number; and
    whatever the function raises.
    """
    inputs: list[Value] = [Traced(number, role="input") for number in numbers]
    with recording(Traced), leaving(Refusing()):
        try:
            answer = uncollected(call, function, rebuild(shape, iter(inputs)))
        except IndexError as cause:
            if str(cause).startswith("only integers"):  # what an array says of an index that has refused to be one
                raise TypeError(f"a Value is no index of an array; {_INDEX}") from cause
            raise
        results = values_of(answer)
    several = is_several(answer)
    untouched = not several and any([answer is leaf for leaf in inputs])  # a number of the sample as it came
    plain = answer.data if untouched else None if several or isinstance(answer, Value) else answer
    return Trace(results, inputs, several, plain)
