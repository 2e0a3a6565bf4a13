"""The recording of a function on one sample, and what became of it: a tape, its program and its checks."""

import functools
import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any

from micrograd.engine import Value, as_value, recording
from micrograd.graph import nodes
from micrograd.lower import lower
from micrograd.samples import call
from micrograd.traced import Traced

if TYPE_CHECKING:
    from micrograd.checks import Checks
    from micrograd.replay import Program

# Held while parameters are read, changed for a check, or given gradients: several threads may use recorded functions.
LOCK = threading.RLock()


class Track:
    """The tape for one shape of samples, and what was done to make sure of it.

    Attributes:
        several: whether the function returns a list.
        plain: the number that it returned, if it was no Value.
        known: how many of its owner's parameters the tape has; they come first.
        numbers: of the sample that it was recorded on.
    """

    def __init__(self, owner: Any, shape: Any, numbers: Sequence[float]) -> None:
        from micrograd import replay

        self.owner = owner
        leaves = [Traced(number, role="input") for number in numbers]
        traced = replay.rebuild(shape, iter(leaves))
        with uncollected(), recording(Traced):
            try:
                answer = call(owner.function, traced)
            except KeyError as cause:
                if isinstance(cause.args[0], Traced):
                    raise TypeError(
                        "a tape has one path for all samples, so it cannot look up a value of the sample in a dict; "
                        "keep the choices in a list, and write pick(values, index) for one by a whole number"
                    ) from cause
                raise
            results = values_of(answer)
            self.several = is_several(answer)
            self.plain = None if self.several or isinstance(answer, Value) else answer
            graph = graph_of(results)
            unknown = set(plain_leaves(graph)) - set(owner.parameters)
            made = unknown - lasting_leaves(owner.function, traced, unknown)
            self.tape = lower(results, graph, leaves, owner.parameters, made)
        self.known = len(self.tape.parameters)
        self.numbers = numbers

    @functools.cached_property
    def program(self) -> "Program":
        from micrograd import replay

        return replay.Program(self.tape)

    @functools.cached_property
    def checks(self) -> "Checks":
        from micrograd.checks import Checks

        return Checks(self)


def is_several(answer: Any) -> bool:
    return isinstance(answer, (list, tuple)) or getattr(answer, "ndim", 0) > 0


def values_of(answer: Any) -> list[Value]:
    """What a function returned, a number or several, as Values."""
    items = list(answer) if is_several(answer) else [answer]
    if not items:
        raise ValueError("a recorded function returns a Value, or a list of them; got an empty list")
    for item in items:
        if not isinstance(item, (Value, Real)):
            raise TypeError(f"a recorded function returns a Value, or a list of them; got {answer!r:.80}")
    return [as_value(item) for item in items]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector, which finds no cycles in graphs and would take most of the time looking."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def graph_of(results: Sequence[Value]) -> list[Value]:
    """The nodes of several results' graphs, each after its parents."""
    return list(dict.fromkeys([node for result in results for node in nodes(result)]))


def plain_leaves(graph: Sequence[Any]) -> list[Value]:
    """The leaves among these nodes, without the inputs and constants of a recording."""
    return [node for node in graph if type(node) is Value and not node.parents]


def lasting_leaves(function: Callable[..., Any], sample: Any, leaves: set[Value]) -> set[Value]:
    """Those among ``leaves`` that another call has as well; the others were made by the call they come from."""
    return leaves & set(plain_leaves(graph_of(values_of(call(function, sample))))) if leaves else leaves
