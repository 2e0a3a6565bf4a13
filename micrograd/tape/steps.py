"""From the instructions of a tape to steps: which kernels are called with which words, forward and backward.

A row's derivative needs no zeroing where the first that is known of it is stored, not added. So the backward pass is
followed here, row by row: what a gradient has come to, and what nothing has been added to yet. Nothing is computed for
what no gradient comes to, or what does not depend on parameters.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from micrograd.tape.kernels import Kernels, Library, Step
from micrograd.tape.tape import Dot, Instruction, Layer, LogSumExp, Map, Pick, Tape, Unit


@dataclass
class Steps:
    """What a program does, in order.

    Attributes:
        n_shared: how many shared numbers there are, with copies of weights that do not follow one another.
    """

    n_shared: int
    prelude: list[Step] = field(default_factory=list)
    body: list[Step] = field(default_factory=list)
    body_back: list[Step] = field(default_factory=list)
    prelude_back: list[Step] = field(default_factory=list)


def steps_of(tape: Tape, library: Library) -> Steps:
    """The steps of a tape; the kernels that they call are written into the library."""
    steps = Steps(tape.n_shared)
    weights = _Weights(tape, steps)
    shared, rows = Kernels(library, prelude=True), Kernels(library, prelude=False)
    for instruction in tape.body:
        steps.body.append(_forward(instruction, rows, weights))
    steps.prelude = [_forward(instruction, shared, weights) for instruction in tape.prelude]
    steps.prelude += [shared.pack(first, places) for places, first in weights.packs.items()]

    back = _Backward(rows, tape.active_rows, {*tape.results[:1]}, zeroed=False)
    for instruction in reversed(tape.body):
        back.instruction(instruction, weights)
    steps.body_back = back.zeros() + back.steps

    for places, first in weights.packs.items():
        if not tape.active_shared.isdisjoint(places):
            steps.prelude_back.append(shared.pack(first, places, back=True))
    back = _Backward(shared, tape.active_shared, back.shared & tape.active_shared, zeroed=True)
    for instruction in reversed(tape.prelude):
        back.instruction(instruction, weights)
    steps.prelude_back += back.steps
    return steps


class _Weights:
    """Where the weights of each unit follow one another: where they are, or where they are copied to."""

    def __init__(self, tape: Tape, steps: Steps) -> None:
        self.active = tape.active_shared
        self.packs: dict[tuple[int, ...], int] = {}
        self._steps = steps

    def first(self, unit: Unit) -> int:
        weights = unit.weights
        if all([b - a == 1 for a, b in pairwise(weights)]):
            return weights[0] if weights else 0
        if weights not in self.packs:
            self.packs[weights] = self._steps.n_shared
            self._steps.n_shared += len(weights)
        return self.packs[weights]


def _forward(instruction: Instruction, kernels: Kernels, weights: _Weights) -> Step:
    match instruction:
        case Layer(inputs, units):
            return kernels.layer(inputs, *_columns(units, weights))
        case Dot(y, a, b, start, zero):
            return kernels.dot(y, a, b, start, zero)
        case Map(op, z, operands, count, constants, fixed):
            return kernels.map(op, z, operands, count, constants, fixed)
        case LogSumExp(y, operands):
            return kernels.logsumexp(y, operands)
        case Pick(y, index, values, shared):
            return kernels.pick(y, index, values, shared)


def _columns(units: Iterable[Unit], weights: _Weights) -> tuple[list[int], list[int], list[int]]:
    units = list(units)
    return [u.y for u in units], [u.start for u in units], [weights.first(u) for u in units]


class _Backward:
    """The steps of a backward pass, last instruction first.

    Attributes:
        reached: the rows that a gradient has come to so far.
        shared: the shared numbers that one has come to, from the body.
    """

    def __init__(self, kernels: Kernels, active: set[int], reached: set[int], zeroed: bool) -> None:
        self.kernels = kernels
        self.active = active
        self.reached = reached
        self.zeroed = zeroed  # whether all derivatives are 0 at the start
        self.shared: set[int] = set()
        self.added: set[int] = set()
        self.steps: list[Step] = []

    def zeros(self) -> list[Step]:
        """Steps to go before: what is added to at first is set to 0."""
        runs = groupby(enumerate(sorted(self.added)), lambda pair: pair[1] - pair[0])
        rows = [[row for _, row in run] for _, run in runs]
        return [self.kernels.zero(run[0], len(run)) for run in rows]

    def instruction(self, instruction: Instruction, weights: _Weights) -> None:
        match instruction:
            case Layer(inputs, units):
                self._layer(inputs, [u for u in units if self._live(u.y)], weights)
            case Map():
                self._map(instruction)
            case Dot(y, a, b, start) if self._live(y):
                for rows, others in ((a, b), (b, a)):
                    pairs = [(to, other) for to, other in zip(rows, others) if to in self.active]
                    if pairs:
                        self._reach([to for to, _ in pairs])
                        self._add(self.kernels.dot_back(y, *zip(*pairs)))
                if start is not None and start in self.active:
                    fresh = self._reach([start], store=True)
                    self._add(self.kernels.add_back(y, start, fresh))
            case LogSumExp(y, operands) if self._live(y):
                active = [x for x in operands if x in self.active]
                fresh = self._reach(active, store=True)
                self._add(self.kernels.logsumexp_back(y, active, fresh))
            case Pick(y, index, values, shared) if self._live(y):
                if shared:
                    self.shared.update(values)
                if not shared or self.zeroed:
                    self._reach([v for v in values if v in self.active])
                self._add(self.kernels.pick(y, index, values, shared, back=True))

    def _layer(self, inputs: Sequence[int], units: Sequence[Unit], weights: _Weights) -> None:
        learn = [u for u in units if not weights.active.isdisjoint((u.start, *u.weights))]
        if learn:
            self.shared.update(*[(u.start, *u.weights) for u in learn])
            self._add(self.kernels.layer_weights(inputs, *_columns(learn, weights)))
        positions = [k for k, x in enumerate(inputs) if x in self.active]
        if units and positions:
            rows = [inputs[k] for k in positions]
            fresh = self._reach(rows, store=True)
            ys, _, firsts = _columns(units, weights)
            self._add(self.kernels.layer_inputs(rows, positions, ys, firsts, fresh))

    def _map(self, m: Map) -> None:
        def used(k: int) -> tuple[bool, ...]:
            return tuple([self._live(m.z + k) and m.operand(j, k) in self.active for j in range(len(m.operands))])

        for flags, group in groupby(range(m.count), used):
            if not any(flags):
                continue
            first, *more = group
            count = 1 + len(more)
            operands = [m.operand(j, first) for j in range(len(m.operands))]
            apart = [
                j not in m.fixed and all([abs(x - y) >= count for i, y in enumerate(operands) if i != j and flags[i]])
                for j, x in enumerate(operands)
            ]
            fresh = [
                flag and self._reach(range(x, x + (1 if j in m.fixed else count)), store=apart[j])
                for j, (x, flag) in enumerate(zip(operands, flags))
            ]
            how = "".join(["-" if not flag else "f" if new else "a" for flag, new in zip(flags, fresh)])
            self._add(self.kernels.map_back(m.op, m.z + first, operands, count, m.constants, m.fixed, how))

    def _live(self, row: int) -> bool:
        return row in self.reached and row in self.active

    def _reach(self, rows: Sequence[int], store: bool = False) -> bool:
        """A gradient comes to these rows. Whether it may be stored, as nothing has come to any of them.

        ``store`` says that this is of use, if each comes once; else what is new has to be 0 before.
        """
        new = {*rows} - self.reached
        self.reached |= new
        if self.zeroed or not new:
            return False
        if store and len(new) == len(rows):
            return True
        self.added |= new
        return False

    def _add(self, step: Step) -> None:
        self.steps.append(step)
