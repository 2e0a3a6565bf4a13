"""The recording of a function on one sample, and what became of it: a tape, its program and its checks."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from micrograd.engine import Value, recording
from micrograd.lower import lower
from micrograd.samples import call, graph_of, is_several, lasting_leaves, plain_leaves, uncollected, values_of
from micrograd.traced import Traced

if TYPE_CHECKING:
    from micrograd.checks import Checks
    from micrograd.replay import Program


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
