"""What a tape consists of: instructions on rows of numbers, as plain data that prints and pickles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from micrograd.engine import Value
from micrograd.ops import Primitive

# An instruction is (op, where its arguments begin, m, n, flags). Its arguments, which are rows if nothing else is said:
LAYER = 0  # n inputs, m outputs, the place of its weights: every output is bias + Σ weight·input; see ``Tape.layer``
DOT = 1  # y and 2n operands: y = Σ aᵢbᵢ
MAP = 2  # z, x, y: the primitive number n, of one operand (then y is x) or two; m times, on this row and those after
LOGSUMEXP = 3  # y, a row to work in, and n operands
PICK = 4  # y, index and n operands
PICK_SHARED = 5  # the same with shared operands

WEIGHTS, INPUTS = 1, 2  # flags of a layer: whose gradients are wanted
MORE = 1  # flag of a dot: Σ is added to y
ACTIVE = 4  # flag of all others: y depends on parameters, so that its gradient is wanted


@dataclass
class Tape:
    """A recorded function of one sample, as plain data.

    Attributes:
        parameters: the leaves that existed before the recording, shared by all samples.
        constants: numbers; the shared scalars are parameters, constants and results of the prelude, in this order.
        n_inputs: how many numbers a sample has; they are rows 1, 2, … (row 0 holds zeros).
        n_rows, n_shared: how many there are of each.
        code: instructions, the first ``prelude`` of them on shared scalars.
        args: their arguments, one after another.
        weights: shared scalars that are the biases and weights of layers.
        primitives: rows of the table that ``MAP`` names, with the number of operands.
        results: rows of the results.
    """

    parameters: list[Value]
    n_inputs: int
    constants: list[float] = field(default_factory=list)
    n_rows: int = 1
    n_shared: int = 0
    prelude: int = 0
    code: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    args: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    primitives: list[tuple[Primitive, int]] = field(default_factory=list)
    results: list[int] = field(default_factory=list)

    def emit(self, op: int, m: int, n: int, args: Iterable[int], flags: int = 0) -> None:
        self.code.append((op, len(self.args), m, n, flags))
        self.args.extend(args)

    @cached_property
    def size(self) -> int:
        """How many operands its instructions have: a measure of the work. Asked for when they are complete."""
        return sum([self._operands(*instruction) for instruction in self.code])

    def _operands(self, op: int, at: int, m: int, n: int, _: int) -> int:
        if op == LAYER:
            return m * (1 + sum([r != 0 for r in self.args[at : at + n]]))
        return 2 * n if op == DOT else m * self.primitives[n][1] if op == MAP else n

    def __str__(self) -> str:
        head = (
            f"tape of {len(self.code)} instructions: {self.n_inputs} inputs, {len(self.parameters)} parameters, "
            f"{len(self.constants)} constants, {self.n_rows} rows, {self.size} operands"
        )
        legend = "x: numbers of the sample, p: parameters, s: results from parameters alone, r: results for the sample"
        lines = [self._line(k) for k in range(len(self.code))]
        return "\n".join([head, legend, *lines, f"return {', '.join(self._row(r) for r in self.results)}"])

    def _row(self, r: int) -> str:
        return "0" if r == 0 else f"x{r}" if r <= self.n_inputs else f"r{r}"

    def _shared(self, s: int) -> str:
        if s < len(self.parameters):
            return self.parameters[s].label or f"p{s}"
        if s < len(self.parameters) + len(self.constants):
            return f"{self.constants[s - len(self.parameters)]:.4g}"
        return f"s{s}"

    def layer(self, k: int) -> tuple[list[int], list[tuple[int, int, list[int]]]]:
        """The inputs of the layer that instruction ``k`` is, and its units: output, bias, weights.

        Inputs and outputs are filled up to fours by row 0, and units stand in fours: in ``weights``, of each four the
        biases, then for each input the four weights.
        """
        _, at, m, n, _ = self.code[k]
        out, end = at + n, at + n + (m + 3) // 4 * 4
        units = []
        for j in range(m):
            start = self.args[end] + j // 4 * 4 * (n + 1) + j % 4
            bias, *weights = self.weights[start : start + 4 * (n + 1) : 4]
            units.append((self.args[out + j], bias, weights))
        return self.args[at:out], units

    def _line(self, k: int) -> str:
        op, at, m, n, flags = self.code[k]
        name = self._shared if k < self.prelude else self._row
        if op == LAYER:
            rows, units = self.layer(k)
            return "\n".join(
                f"{name(y)} = " + _sum([*self._products(rows, weights), self._shared(bias)])
                for y, bias, weights in units
            )
        args = self.args[at : at + (3 if op == MAP else 1 + 2 * n if op == DOT else 2 + n)]
        shown = [self._shared(a) if op == PICK_SHARED and i > 1 else name(a) for i, a in enumerate(args)]
        if op == MAP:
            row, arity = self.primitives[n]
            constant = [f"{row.constant}"] * (row.constant is not None)
            return "\n".join(
                f"{name(args[0] + i)} = {row.name}({', '.join([name(a + i) for a in args[1 : 1 + arity]] + constant)})"
                for i in range(m)
            )
        if op == DOT:
            terms = [_product(a, b) for a, b in zip(shown[1 : 1 + n], shown[1 + n :])]
            return f"{shown[0]} {'+=' if flags & MORE else '='} {_sum(terms)}"
        if op == LOGSUMEXP:
            return f"{shown[0]} = logsumexp({_few(shown[2:], ', ')})"
        return f"{shown[0]} = pick([{_few(shown[2:], ', ')}], {shown[1]})"

    def _products(self, rows: Sequence[int], weights: Sequence[int]) -> list[str]:
        return [_product(self._shared(w), self._row(r)) for w, r in zip(weights, rows) if r]


def _product(a: str, b: str) -> str:
    return b if a == "1" else f"-{b}" if a == "-1" else f"{a}·{b}"


def _few(parts: Sequence[str], separator: str, most: int = 8) -> str:
    shown = [*parts] if len(parts) <= most else [*parts[: most - 2], "…", parts[-1]]
    return separator.join(shown)


def _sum(terms: Sequence[str]) -> str:
    terms = [t for t in terms if t != "0"] or ["0"]
    return _few(terms, " + ").replace("+ -", "- ")
