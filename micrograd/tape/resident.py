"""Parameters whose numbers live in arrays, and come back as soon as anybody looks.

A step through a tape works on arrays, and moving thousands of numbers between them and Values costs more than the step
itself. So a ``Store`` keeps them from one step to the next: the slots ``data`` and ``grad`` of each of its Values are
empty, and their class is ``Resident``. Python asks that class only where a slot is empty, so plain Values pay nothing:
all numbers of the store are then given back, and the Values are plain again. At any time either all numbers of a store
are in its arrays or all are in its Values, so none is out of date.
"""

from collections import deque
from collections.abc import Iterable
from itertools import chain
from typing import Any

from micrograd.engine import Value
from micrograd.samples import LOCK


class Resident(Value):
    """A parameter whose numbers are in a store. Reading or setting one gives them all back, to plain Values."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        with LOCK:  # else another thread may come in between and take the numbers once more
            if name in ("data", "grad"):
                give_back(self)
            return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        with LOCK:
            if name in ("data", "grad"):
                give_back(self)
            object.__setattr__(self, name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        give_back(self)
        return Value.__deepcopy__(self, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        give_back(self)
        return Value.__reduce__(self)


def give_back(value: Value) -> None:
    """See that this Value is plain: that its numbers are its own."""
    with LOCK:  # another thread may have done it meanwhile
        store = value._store() if type(value) is Resident else None
        if store is not None:
            store.give_back()


def in_one_go(*loops: Iterable[Any]) -> None:
    """Run loops of C functions: as no Python code runs in them, neither Ctrl-C nor another thread comes in between."""
    deque(chain(*loops), maxlen=0)
