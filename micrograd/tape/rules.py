"""An optimizer's rule as machine code: ``Rule`` takes one step, or many steps of a program in one call.

A rule works on a table of numbers with a column for each parameter. Its rows are the parameters' data, their gradient,
and what the optimizer keeps for each of them (momentum, say).
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from operator import eq
from types import MethodType
from typing import Any, cast

import numpy as np

from micrograd.optim import Optimizer
from micrograd.tape import objects
from micrograd.tape.llvm import SCALAR, VECTOR, WIDTH, Code, module
from micrograd.tape.machine import Memory, Numbers, Program, Whole, driver_functions, pointer, whole_lines
from micrograd.tape.outside import Outside
from micrograd.tape.symbols import Symbol, Untraceable, ordered, trace

_NAME = "rule"


class Rule:
    """What ``optimizer`` does to its parameters. Learning rate and steps are given to each call.

    Its settings, and the numbers that the rule takes from outside, are taken now; ``is_stale`` tells whether they are
    others by now.

    Attributes:
        columns: how many rows the table has: data, gradient, and state.

    Raises ``Untraceable`` if the rule does what cannot be compiled.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        structure, numbers = _split(optimizer.settings)
        state, kind = len(optimizer.state), cast(Any, type(optimizer))
        self._optimizer, self._taken = optimizer, _joined(structure, [*numbers])
        self._count = len(vars(optimizer))
        self._outside = Outside(MethodType(kind.rule, kind))
        self._code = _kept(_text(*_traced(kind, structure, numbers, state)))
        self.columns = 2 + state
        self._settings = np.array([0.0, 0.0, *numbers])  # first the learning rate and the number of the step
        self._driver = driver_functions()
        self._free: list[Memory] = []

    def is_stale(self) -> bool:
        """Whether something has been set since that the rule is made of."""
        now, taken = vars(self._optimizer), self._taken
        return (
            len(now) != self._count
            or not all(map(eq, map(now.get, taken), taken.values()))
            or len(self._optimizer.state) != self.columns - 2
            or self._outside.changed() is not None
        )

    def apply(self, table: Numbers, lr: float, step: int, max_norm: float | None = None) -> bool:
        """Take step number ``step`` by the gradient in the table.

        The gradient is clipped to ``max_norm``, and is in the table as it was used. False if a number is not finite, or
        if the norm cannot be computed; then the table is as it was.
        """
        memory, [new, settings] = self._memory([table.size, len(self._settings)])
        memory.numbers[settings : settings + 2] = lr, step
        done = self._driver["apply"](*self._arguments(table, memory, new, settings, max_norm))
        self._free.append(memory)
        return bool(done)

    def train(
        self,
        program: Program,
        table: Numbers,
        where: Whole | None,
        columns: Numbers,
        order: Whole,
        ends: Sequence[int],
        shares: Sequence[float],
        rates: Sequence[float],
        steps: int,
        max_norm: float | None = None,
    ) -> list[float]:
        """A step for each batch: the sum of losses of each that was taken.

        It ends before the first step in which a number is not finite; the table is that after the step before.

        Args:
            program: its first result is the loss.
            table: changes in place.
            where: the columns of the program's parameters in the table; None if they are its first, in order. The
                others have gradient 0.
            columns: the samples, as ``Program.gradient`` takes them.
            order: positions of samples. Batch b is those from ``ends[b - 1]`` to ``ends[b]``.
            shares: what the gradient of each batch is multiplied with.
            rates: the learning rate of each step.
            steps: how many steps were taken before.
        """
        used, count = len(program.tape.parameters), len(ends)
        order, columns = np.ascontiguousarray(order, dtype=np.int64), np.ascontiguousarray(columns, dtype=np.float64)
        where = None if where is None else np.ascontiguousarray(where, dtype=np.int64)
        sizes = [table.size, len(self._settings), used, count, count, count, count]
        memory, [new, settings, collected, at_ends, at_shares, at_rates, losses] = self._memory(sizes)
        memory.whole[at_ends : at_ends + count] = ends
        memory.numbers[at_shares : at_shares + count] = shares
        memory.numbers[at_rates : at_rates + count] = rates
        lanes = program.take()
        try:
            taken = self._driver["train"](
                *self._arguments(table, memory, new, settings, max_norm),
                *(program.address, lanes.address, None if where is None else pointer(where)),
                *(memory.address + 8 * collected, pointer(columns), columns.shape[1], pointer(order)),
                *[memory.address + 8 * place for place in (at_ends, at_shares, at_rates)],
                *(count, steps, memory.address + 8 * losses),
            )
            found: list[float] = memory.numbers[losses : losses + taken].tolist()
        finally:
            program.give(lanes)
            self._free.append(memory)
        return found

    def _memory(self, sizes: Sequence[int]) -> tuple[Memory, list[int]]:
        """Memory for so many numbers each, and where they begin; the second are the settings."""
        *places, size = accumulate(map(whole_lines, sizes), initial=0)
        try:
            memory = self._free.pop()
        except IndexError:  # at first, or while other threads are at work
            memory = Memory(size)
        if len(memory.numbers) < size:
            memory = Memory(size)
        memory.numbers[places[1] : places[1] + len(self._settings)] = self._settings
        return memory, places

    def _arguments(
        self, table: Numbers, memory: Memory, new: int, settings: int, max_norm: float | None
    ) -> tuple[Any, ...]:
        if table.dtype != np.float64 or not table.flags.c_contiguous or len(table) != self.columns:
            raise ValueError(f"expected a table of {self.columns} rows of float64, got shape {table.shape}")
        limit = np.inf if max_norm is None else max_norm
        places = self._code.address(_NAME), pointer(table), memory.address + 8 * new
        return *places, table.shape[1], self.columns, memory.address + 8 * settings, limit


def _split(thing: Any) -> tuple[Any, list[float]]:
    """The structure of settings, with places for their numbers, and the numbers."""
    if isinstance(thing, dict):
        structure, numbers = _split(tuple(thing.values()))
        return ("dict", tuple(thing), structure), numbers
    if isinstance(thing, tuple | list):
        parts = [_split(x) for x in thing]
        return (type(thing).__name__, tuple([s for s, _ in parts])), [x for _, numbers in parts for x in numbers]
    if isinstance(thing, int | float) and not isinstance(thing, bool):
        return "number", [float(thing)]
    return ("as it is", type(thing), thing), []


def _joined(structure: Any, numbers: list[Any]) -> Any:
    """Settings of this structure, with numbers from the list, which is emptied."""
    match structure:
        case "number":
            return numbers.pop(0)
        case ("dict", names, inner):
            return dict(zip(names, _joined(inner, numbers)))
        case ("tuple", parts):
            return tuple([_joined(part, numbers) for part in parts])
        case ("list", parts):
            return [_joined(part, numbers) for part in parts]
    return structure[2]


@lru_cache(maxsize=64)
def _kept(text: str) -> objects.Code:
    """The machine code of a rule. Settings are data in it: others share it where the rule does not ask for them."""
    return objects.code(text, [_NAME])


def _traced(kind: Any, structure: Any, numbers: Sequence[float], state: int) -> tuple[list[Symbol], int]:
    """What the rule returns, as expressions, and how many of their arguments are settings."""
    rule, fixed = kind.rule, 2 + len(numbers)

    def called(*arguments: Any) -> Any:
        optimizer = object.__new__(kind)
        lr, steps, *settings = arguments[:fixed]
        vars(optimizer).update(_joined(structure, settings), lr=lr, steps=steps)
        return rule(optimizer, *arguments[fixed:])

    known = [None, None, *numbers]  # nothing is decided by the learning rate and the number of the step
    is_own = rule.__module__ != Optimizer.__module__
    expressions = trace(called, fixed + 1 + 1 + state, known, name=f"{kind.__name__}.rule", checked=is_own)
    if len(expressions) != 1 + state:
        raise Untraceable(f"{kind.__name__}.rule: expected {1 + state} numbers, got {len(expressions)}")
    return expressions, fixed


def _text(expressions: Sequence[Symbol], fixed: int) -> str:
    """``rule(table, new, count, settings)``: new data and state from the table and the gradient in the new one.

    It returns 0, or nan if a number in the new table is not finite.
    """
    code = Code()
    settings = [code.load("%settings", k) for k in range(fixed)]
    # What depends on settings alone is computed once.
    same = _settled(expressions, fixed)
    once = code.rule(same, settings)
    whole = code.let(f"and i64 %count, -{WIDTH}")
    rows = range(len(expressions) + 1)
    old = [code.at("%new" if row == 1 else "%table", code.times(row, "%count")) for row in rows]
    new = [code.at("%new", code.times(row, "%count")) for row in rows if row != 1]
    found = "0x0000000000000000"
    for kind, step, first, end in ((VECTOR, WIDTH, "0", whole), (SCALAR, 1, whole, "%count")):
        code.kind = kind
        given = {id(symbol): code.spread(x) for symbol, x in zip(same, once)}
        checks = [code.variable(code.zero) for _ in rows]
        with code.loop(end, step, first, maybe=True) as i:
            numbers = [*map(code.spread, settings), *[code.load(row, i) for row in old]]
            results = code.rule(expressions, numbers, given=given)
            for row, value in zip(new, results):
                code.store(value, row, i)
            for check, value in zip(checks, [numbers[fixed + 1], *results]):
                code.set(check, code.call("fma", value, code.zero, code.get(check)))
        for check in checks:
            total = code.get(check) if kind == SCALAR else code.sum_of(code.get(check))
            found = code.let(f"fadd double {found}, {total}")
    code.do(f"ret double {found}")
    parameters = "ptr noalias %table, ptr noalias %new, i64 %count, ptr noalias %settings"
    return module([code.function(_NAME, parameters, SCALAR)], code.declared)


def _settled(expressions: Sequence[Symbol], fixed: int) -> list[Symbol]:
    """The numbers among the operations that depend on the first arguments alone."""
    settled: set[int] = set()
    found = []
    for symbol in ordered(expressions):
        if symbol.op == "argument":
            same = symbol.args[0] < fixed
        else:
            same = all([id(a) in settled for a in symbol.args if isinstance(a, Symbol)])
        if same:
            settled.add(id(symbol))
            if symbol.op not in ("argument", "number") and not symbol.truth:
                found.append(symbol)
    return found
