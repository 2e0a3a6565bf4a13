"""What a tape consists of: instructions on rows of numbers, as plain data that prints.

A *row* holds one number for each sample; a *shared* number is one for all samples. Rows are counted from 0: row 0 holds
ones, rows 1, 2, … the numbers of the sample, and the rest are results. Shared numbers are parameters, then constants,
then results that depend on parameters alone; these are computed once a batch, by the *prelude*, and the rows after
that, by the *body*. In the prelude the same instructions work on shared numbers in the place of rows.

Every sum is taken in the order in which it is listed, and each product is rounded before it is added, as the engine
does. What each instruction means, forward and backward, is written in ``reference``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from micrograd.engine import Value
from micrograd.ops import Primitive

__all__ = ["Tape"]


@dataclass(frozen=True)
class Unit:
    """One output of a layer: row ``y`` = start + Σ weight·input; ``start`` and ``weights`` are shared numbers."""

    y: int
    start: int
    weights: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """Units on the same input rows; only in the body. Without inputs, a unit spreads a shared number over a row."""

    inputs: tuple[int, ...]
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Dot:
    """``y`` = start + Σ aᵢ·bᵢ of rows. ``start`` is a row, or None: then the sum starts from the number ``zero``.

    -0.0 + p is p for each p, so a sum that starts with its first product has -0.0 there; ``dot`` has 0.0.
    """

    y: int
    a: tuple[int, ...]
    b: tuple[int, ...]
    start: int | None = None
    zero: float = -0.0


@dataclass(frozen=True)
class Map:
    """``z`` + k = op(x₁ + k, x₂ + k, …) for k from 0 to ``count`` - 1: a primitive on this row and those after it.

    Operands whose positions are in ``fixed`` are the same row for each k, as the scale is where a vector is scaled. No
    operand is a row that the same instruction computes. ``constants`` are shared numbers that the rule of ``op`` takes
    after its operands, and that no gradient goes to: the exponent of ``power``.
    """

    op: Primitive
    z: int
    operands: tuple[int, ...]
    count: int = 1
    constants: tuple[int, ...] = ()
    fixed: tuple[int, ...] = ()

    def operand(self, j: int, k: int) -> int:
        """The row of operand ``j`` for result ``k``."""
        return self.operands[j] + (0 if j in self.fixed else k)


@dataclass(frozen=True)
class LogSumExp:
    """``y`` = top + log(total) where row y + 1 is top, the largest operand, and y + 2 is total = Σ exp(x - top)."""

    y: int
    operands: tuple[int, ...]


@dataclass(frozen=True)
class Pick:
    """``y`` = values[index]; ``index`` is a row of whole numbers. ``values`` are rows, or shared numbers.

    An index that is not a whole number from 0 to len(values) - 1 makes y nan.
    """

    y: int
    index: int
    values: tuple[int, ...]
    shared: bool = False


Instruction: TypeAlias = Layer | Dot | Map | LogSumExp | Pick


@dataclass
class Tape:
    """A recorded function of one sample, as plain data.

    >>> from micrograd import jit
    >>> w = Value(2.0, label="w")
    >>> print(jit(lambda x: (w * x).tanh()).tape(1.0))
    tape of 2 instructions: 1 inputs, 1 parameters, 3 constants, 4 rows, 3 operands
    x: numbers of the sample, p: parameters, s: results from parameters alone, r: results for the sample
    r2 = w·x1
    r3 = tanh(r2)
    return r3

    Attributes:
        parameters: the leaves that existed before the recording.
        used: the positions of those that the function takes; others may be listed for their order.
        n_inputs: how many numbers a sample has.
        constants: numbers that the function has met; they are data, so a tape with others is the same program.
        n_rows, n_shared: how many rows and shared numbers there are.
        prelude, body: instructions on shared numbers, and on rows.
        results: the rows of the results.
        active_rows, active_shared: those that depend on parameters, so that gradients go through them.
    """

    parameters: list[Value]
    n_inputs: int
    constants: list[float] = field(default_factory=list)
    n_rows: int = 1
    n_shared: int = 0
    prelude: list[Instruction] = field(default_factory=list)
    body: list[Instruction] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    active_rows: set[int] = field(default_factory=set)
    active_shared: set[int] = field(default_factory=set)
    used: set[int] = field(default_factory=set)

    @cached_property
    def size(self) -> int:
        """How many operands its instructions have: a measure of the work. Asked for when they are complete."""
        return sum([operand_count(instruction) for instruction in (*self.prelude, *self.body)])

    def __str__(self) -> str:
        head = (
            f"tape of {len(self.prelude) + len(self.body)} instructions: {self.n_inputs} inputs, "
            f"{len(self.parameters)} parameters, {len(self.constants)} constants, {self.n_rows} rows, "
            f"{self.size} operands"
        )
        legend = "x: numbers of the sample, p: parameters, s: results from parameters alone, r: results for the sample"
        lines = [
            line
            for code, names in ((self.prelude, self._shared), (self.body, self._row))
            for i in code
            for line in self._lines(i, names)
        ]
        return "\n".join([head, legend, *lines, f"return {', '.join(map(self._row, self.results))}"])

    def _row(self, r: int) -> str:
        return "1" if r == 0 else f"x{r}" if r <= self.n_inputs else f"r{r}"

    def _shared(self, s: int) -> str:
        if s < len(self.parameters):
            return self.parameters[s].label or f"p{s}"
        if s < len(self.parameters) + len(self.constants):
            return f"{self.constants[s - len(self.parameters)]:.4g}"
        return f"s{s}"

    def _lines(self, instruction: Instruction, name: Callable[[int], str]) -> Iterator[str]:
        match instruction:
            case Layer(inputs, units):
                for unit in units:
                    terms = [_product(self._shared(w), name(x)) for w, x in zip(unit.weights, inputs)]
                    yield f"{name(unit.y)} = {_sum([self._shared(unit.start), *terms])}"
            case Dot(y, a, b, start):
                first = [] if start is None else [name(start)]
                yield f"{name(y)} = {_sum([*first, *[_product(name(i), name(j)) for i, j in zip(a, b)]])}"
            case Map(op, z, operands, count, constants):
                numbers = [op.constant] * (op.constant is not None and not constants)
                for k in range(count):
                    rows = [name(instruction.operand(j, k)) for j in range(len(operands))]
                    shown = [*rows, *map(self._shared, constants), *map(str, numbers)]
                    yield f"{name(z + k)} = {op.name}({', '.join(shown)})"
            case LogSumExp(y, operands):
                yield f"{name(y)} = logsumexp({_few([name(x) for x in operands], ', ')})"
            case Pick(y, index, values, shared):
                shown = [self._shared(v) if shared else name(v) for v in values]
                yield f"{name(y)} = pick([{_few(shown, ', ')}], {name(index)})"


def outputs(instruction: Instruction) -> Sequence[int]:
    """The rows that an instruction computes."""
    match instruction:
        case Layer(_, units):
            return [unit.y for unit in units]
        case Map(_, z, _, count):
            return range(z, z + count)
        case LogSumExp(y):
            return range(y, y + 3)
        case Dot(y) | Pick(y):
            return [y]


def operand_count(instruction: Instruction) -> int:
    match instruction:
        case Layer(inputs, units):
            return len(units) * (1 + len(inputs))
        case Dot(_, a):
            return 2 * len(a)
        case Map(_, _, operands, count):
            return count * len(operands)
        case LogSumExp(_, operands):
            return len(operands)
        case Pick(_, _, values):
            return len(values)


def _product(a: str, b: str) -> str:
    if "1" in (a, b):
        return b if a == "1" else a
    return f"-{b}" if a == "-1" else f"{a}·{b}"


def _few(parts: Sequence[str], separator: str, most: int = 8) -> str:
    shown = [*parts] if len(parts) <= most else [*parts[: most - 2], "…", parts[-1]]
    return separator.join(shown)


def _sum(terms: Sequence[str]) -> str:
    terms = [t for t in terms if t not in ("0", "-0")] or ["0"]
    return _few(terms, " + ").replace("+ -", "- ")
