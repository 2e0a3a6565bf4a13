"""A store: arrays that hold the numbers of Values, for as long as nobody looks at one of them. See ``resident``."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import repeat
from operator import attrgetter
from typing import Any

import numpy as np

from micrograd.engine import Value
from micrograd.samples import LOCK
from micrograd.tape.resident import Resident, in_one_go

_data, _grad = attrgetter("data"), attrgetter("grad")
_set, _delete = object.__setattr__, object.__delattr__
_switch = object.__dict__["__class__"].__set__  # what an assignment to value.__class__ does


class Store:
    """The numbers of ``values`` in arrays, between ``take`` and ``give_back``.

    Attributes:
        values: the Values, each once. They know their store by a weak reference; who uses it holds it.
        resident: whether the numbers are in the arrays.
        used: whether an optimizer has worked on them there.
        data, grad: the arrays; ``grad`` is None where all are 0. They are replaced at every change, not written to.
    """

    def __init__(self, values: list[Value]) -> None:
        self.values = values
        self.resident = self.used = False
        self.data: Any = ()
        self.grad: Any = ()
        self._self = weakref.ref(self)

    def take(self) -> bool:
        """Take the numbers over, from other stores too. False if there are Values of a class of their own."""
        with LOCK:
            values = self.values
            if set(map(type, values)) != {Value}:
                in_one_go(map(_data, values), map(_grad, values))  # other stores give them back
                if set(map(type, values)) != {Value}:
                    return False
            data: list[float] = []
            grad: list[float] = []
            self.data, self.grad, self.used = data, grad, False
            in_one_go(
                map(data.extend, [map(_data, values)]),
                map(grad.extend, [map(_grad, values)]),
                map(delattr, values, repeat("data")),
                map(delattr, values, repeat("grad")),
                map(setattr, values, repeat("_store"), repeat(self._self)),
                map(_switch, values, repeat(Resident)),
            )
            self.data, self.grad = self.array(data), self.array(grad)
            self.resident = True
            return True

    def give_back(self) -> None:
        """Put the numbers into the Values, and make these plain."""
        with LOCK:
            self.resident = False
            values = self.values
            if self.is_away():
                data, grad = np.asarray(self.data).tolist(), np.asarray(self.slopes).tolist()
                in_one_go(
                    map(_switch, values, repeat(Value)),
                    map(setattr, values, repeat("data"), data),
                    map(setattr, values, repeat("grad"), grad),
                )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Let the Values have ``data`` for reading, without giving it back: that takes a tenth of the time."""
        with LOCK:
            self.resident = False  # if Ctrl-C comes in between, that is all that has happened
            in_one_go(map(_set, self.values, repeat("data"), self.data.tolist()))
            try:
                yield
            finally:
                if self.is_away():
                    in_one_go(map(_delete, self.values, repeat("data")))
                    self.resident = True

    def is_away(self) -> bool:
        first = self.values[0]
        return type(first) is Resident and first._store is self._self

    def __del__(self) -> None:
        try:
            self.give_back()
        finally:  # Ctrl-C came just then
            self.give_back()

    @cached_property
    def places(self) -> dict[Value, int]:
        return {value: i for i, value in enumerate(self.values)}

    def index(self, values: Sequence[Value]) -> Any:
        """What chooses the numbers of these values, of which all are here, from an array; None for all as they are."""
        places = [self.places[value] for value in values]
        if places != list(range(len(places))):
            return np.array(places)
        return None if len(places) == len(self.values) else slice(len(places))

    @property
    def slopes(self) -> Any:
        return np.zeros(len(self.values)) if self.grad is None else self.grad

    @staticmethod
    def array(numbers: Any) -> Any:
        return np.asarray(numbers, dtype=np.float64)

    @staticmethod
    def quiet() -> Any:
        return np.errstate(all="ignore")
