"""Where parameters' numbers are, in Values or in a store, for one who works on all of them at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from micrograd.engine import Value
from micrograd.samples import LOCK
from micrograd.tape.resident import Resident

if TYPE_CHECKING:
    from micrograd.tape.store import Store

MOST_SKIPPED = 63


class Residence:
    """Where the numbers of some parameters are, for one who works on all of them at once: in one store, or at home.

    Args:
        parameters: the Values; a list may grow.
        joins: where some are in a store and some are not, these join; without, they stay where they are.

    Attributes:
        store: the store they were found in last.
        index: their places there, or None if they are all that it holds, in its order.
        is_quiet: whether NumPy's warnings are off already, as they are in ``fit``.

    The methods are called under ``LOCK``; those that work on arrays, after ``find`` or ``take`` has said yes.
    """

    def __init__(self, parameters: Sequence[Value], joins: bool = False) -> None:
        self.parameters = parameters
        self.joins = joins
        self.store: Store | Any = None
        self.index: Any = None
        self.is_quiet = False
        self._count = self._pause = self._skip = 0

    def find(self) -> bool:
        """Whether all are in one store."""
        store = self.store
        if store is not None and store.resident and self._count == len(self.parameters):
            return True
        kinds = set(map(type, self.parameters))
        if Resident not in kinds or not kinds <= {Resident, Value if self.joins else Resident}:
            return False
        store, *others = {parameter._store() for parameter in self.parameters if type(parameter) is Resident}
        if others or store is None or not store.resident:
            return False
        if Value in kinds:
            places = store.places
            store = type(store)([*store.values, *[p for p in self.parameters if p not in places]])
            store.take()
        self._settle(store)
        return True

    def take(self) -> bool:
        """See that all are in one store. False where that is not possible, or does not pay: if time and again somebody
        has looked at them before an optimizer used them.
        """
        if not self.parameters or self.find():
            return bool(self.parameters)
        used = self.store is None or self.store.used
        if self._skip and not used:
            self._skip -= 1
            return False
        from micrograd.tape.store import Store

        self._pause = 0 if used else min(2 * self._pause + 1, MOST_SKIPPED)
        self._skip = self._pause
        own = self.store is not None and self.index is None and self._count == len(self.parameters)
        store = self.store if own else Store(list(self.parameters))
        if not store.take():
            return False
        self._settle(store)
        return True

    def _settle(self, store: "Store") -> None:
        if store is not self.store or self._count != len(self.parameters):
            self.store, self.index, self._count = store, store.index(self.parameters), len(self.parameters)

    @property
    def data(self) -> Any:
        return self.store.data if self.index is None else self.store.data[self.index]

    @property
    def grad(self) -> Any:
        return self.store.slopes if self.index is None else self.store.slopes[self.index]

    @grad.setter
    def grad(self, slopes: Any) -> None:
        self.store.grad = self.within(self.store.slopes, slopes)

    def within(self, array: Any, numbers: Any) -> Any:
        """An array of the store's with ``numbers`` in the places of these parameters."""
        if self.index is None:
            return numbers
        whole = array.copy()
        whole[self.index] = numbers
        return whole

    def add_grad(self, slopes: Any) -> None:
        if self.index is None and self.store.grad is None:
            self.store.grad = slopes
        else:
            with self.quiet():
                self.grad = self.grad + slopes

    def quiet(self) -> AbstractContextManager[Any]:
        """Without NumPy's warnings: what is not finite raises an error that says more."""
        return nullcontext() if self.is_quiet else self.store.quiet()

    @contextmanager
    def holding(self, numbers: Any) -> Iterator[None]:
        """Let the parameters have these numbers, as many of them as there are, for reading."""
        if self.find() and self.store.data is numbers:
            with self.store.shown():
                yield
            return
        kept = [parameter.data for parameter in self.parameters]
        try:
            for parameter, number in zip(self.parameters, numbers.tolist()):
                parameter.data = number
            yield
        finally:
            for parameter, number in zip(self.parameters, kept):
                parameter.data = number

    @contextmanager
    def hush(self) -> Iterator[None]:
        """``quiet`` for a longer while."""
        from micrograd.tape.store import Store

        with Store.quiet():
            self.is_quiet = True
            try:
                yield
            finally:
                self.is_quiet = False

    def zero_grad(self) -> None:
        """Set the gradients of these parameters to 0."""
        with LOCK:
            if self.find():
                self.store.grad = None if self.index is None else self.within(self.store.slopes, 0.0)
            else:
                for parameter in self.parameters:
                    parameter.grad = 0.0

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Residence, (self.parameters, self.joins)  # a copy finds for itself where its parameters are


def zero_grad(parameters: Iterable[Value]) -> None:
    """Set their gradients to 0, wherever they are."""
    with LOCK:
        residents: dict[Any, list[Value]] = {}
        for parameter in parameters:
            if type(parameter) is Resident:
                residents.setdefault(parameter._store, []).append(parameter)
            else:
                parameter.grad = 0.0
        for some in residents.values():
            Residence(some).zero_grad()
