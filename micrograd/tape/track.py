"""The recording of a function on one sample, and what became of it: a tape, its program and its checks."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from micrograd.engine import LEAVES, Value, recording
from micrograd.samples import call, is_several, lasting_leaves, uncollected, values_of
from micrograd.tape.instructions import Tape
from micrograd.tape.lower import lower
from micrograd.tape.traced import Traced

if TYPE_CHECKING:
    from micrograd.tape.checks import Checks
    from micrograd.tape.replay import Program


class Track:
    """The tape for one shape of samples, and what was done to make sure of it.

    Attributes:
        several: whether the function returns a list.
        plain: the number that it returned, if it was no Value.
        known: how many of its owner's parameters the tape has; they come first.
        numbers, values: of the sample that it was recorded on, and of the parameters then.
    """

    def __init__(self, owner: Any, shape: Any, numbers: Sequence[float]) -> None:
        self.owner = owner
        self.numbers = numbers
        with recording(Traced):
            self.tape = uncollected(self._record, shape)  # and the graph dies before the collector could look at it
        self.known = len(self.tape.parameters)
        self.values = [parameter.data for parameter in self.tape.parameters]

    def _record(self, shape: Any) -> Tape:
        from micrograd.tape import replay

        function, known = self.owner.function, self.owner.parameters
        leaves = [Traced(number, role="input") for number in self.numbers]
        traced = replay.rebuild(shape, iter(leaves))
        try:
            answer = call(function, traced)
        except LookupError as cause:
            key = cause.args[0] if cause.args else None
            if isinstance(key, Traced) or str(key).startswith("only integers"):  # a dict's, an array's
                raise TypeError(
                    "a tape has one path for all samples, so it cannot look up a value of the sample in a dict or an "
                    "array; keep the choices in a list, and write pick(values, index) for one by a whole number"
                ) from cause
            raise
        results = values_of(answer)
        self.several = is_several(answer)
        self.plain = None if self.several or isinstance(answer, Value) else answer
        if answer is results[0] and answer in leaves:  # a number of the sample as it came
            self.plain = answer.data
        tape = lower(results, leaves, known)
        made = {v for v in tape.parameters[len(known) :] if v.op not in LEAVES.values()}
        made -= lasting_leaves(function, traced, made)  # made by the first call and kept, say
        return lower(results, leaves, known, made) if made else tape

    @functools.cached_property
    def program(self) -> "Program":
        from micrograd.tape import replay

        return replay.Program(self.tape)

    @functools.cached_property
    def checks(self) -> "Checks":
        from micrograd.tape.checks import Checks

        return Checks(self)
