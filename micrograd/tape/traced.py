"""Values that are being traced: they refuse what a tape cannot record, and say what to write instead."""

import linecache
import sys
from collections.abc import Callable
from numbers import Real
from typing import Any, NoReturn

from micrograd.engine import Value

NOT_THE_USERS = ("micrograd", "numpy")  # packages
_CHOICE = (
    "for a choice by size use a.maximum(b), a.minimum(b), v.relu() or abs(v), for one by a whole number "
    "pick(values, index); a decision that is the same for all samples can be taken outside of the function"
)
_NUMBER = "compute with it as it is: it has arithmetic and methods such as v.exp() and v.tanh()"
_INDEX = "for values[index] use pick(values, index); a length may come from len(), as each shape has its own tape"


def refusal(what: str, instead: str) -> TypeError:
    """The error that names the line of the user's code that is being run."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in NOT_THE_USERS:
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(file, line, frame.f_globals).strip()
    return TypeError(
        f"{file}, line {line}: {source}\n{what} depends on the sample, but a tape has one path for all samples; "
        f"{instead}. To run the function as it is, leave out jit"
    )


def _refusing(what: str, instead: str) -> Callable[..., Any]:
    def method(_: "Traced", *__: Any) -> NoReturn:
        raise refusal(what, instead)

    return method


class Traced(Value):
    """A Value while a function is recorded: what would turn it into a plain number or a decision raises TypeError."""

    __slots__ = ()

    __bool__ = _refusing("whether a value is 0", _CHOICE)
    __lt__ = __le__ = __gt__ = __ge__ = _refusing("a comparison of values", _CHOICE)
    __float__ = __round__ = __floor__ = __ceil__ = _refusing("a value as a plain number", _NUMBER)
    __int__ = __trunc__ = __index__ = _refusing("a value as a whole number", _INDEX)
    __floordiv__ = __mod__ = __divmod__ = _refusing("a whole quotient or its remainder", _INDEX)
    __rfloordiv__ = __rmod__ = __rdivmod__ = _refusing("a whole quotient or its remainder", _INDEX)
    __hash__ = Value.__hash__
    _compare = _refusing("a comparison of values", _CHOICE)

    def __eq__(self, other: object) -> bool:
        return self._compare() if isinstance(other, Real) else self is other
