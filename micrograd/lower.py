"""Lower the loss graph of one sample to a tape: a flat list of instructions that ``kernels`` replays for many samples.

What depends on the sample becomes *rows* (one number per sample); what does not becomes *shared* scalars: parameters,
constants, and results computed from these alone, once per batch, by the instructions of the *prelude*. Dead nodes are
left out, constants are folded, sums of products become dots, and dots over the same rows become one layer.
"""

from collections.abc import Iterable, Sequence
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.graph import nodes
from micrograd.ops import Primitive

# An instruction is (op, where its arguments begin, m, n, flags). Its arguments, indices of rows if nothing else is said:
LAYER = 0  # n inputs, m outputs, m·n weights and m biases that are shared: every output is bias + Σ weight·input.
DOT = 1  # y and 2n operands: y = Σ aᵢbᵢ, added to y if flags is 1
MAP = 2  # z, x, y: the primitive number n of one or two operands (then y is x)
LOGSUMEXP = 3  # y and n operands
PICK = 4  # y, index and n operands
PICK_SHARED = 5  # the same with shared operands
NAMES = ("layer", "dot", "map", "logsumexp", "pick", "pick")

WEIGHTS, INPUTS = 1, 2  # flags of a layer: whose gradients are wanted

LINEAR = {ops.add, ops.sub, ops.neg, ops.mul, ops.dot}
Instruction = tuple[int, int, list[int], int]  # op, n, args, flags
Unit = tuple[int, list[int], int]  # of a layer: y, weights, bias
MOST_OPERANDS = 2  # of a primitive that MAP replays


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
        primitives: rows of the table that ``MAP`` names, with the number of operands.
        results: rows of the results.
        labels: names of shared scalars and rows, for printing.
    """

    parameters: list[Value]
    n_inputs: int
    constants: list[float] = field(default_factory=list)
    n_rows: int = 1
    n_shared: int = 0
    prelude: int = 0
    code: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    args: list[int] = field(default_factory=list)
    primitives: list[tuple[Primitive, int]] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)

    def emit(self, op: int, m: int, n: int, args: Iterable[int], flags: int = 0) -> None:
        self.code.append((op, len(self.args), m, n, flags))
        self.args.extend(args)

    def new_row(self) -> int:
        self.n_rows += 1
        return self.n_rows - 1

    @property
    def size(self) -> int:
        """How many operands its instructions have: a measure of the work."""
        return len(self.args)

    def __str__(self) -> str:
        head = (
            f"tape of {len(self.code)} instructions: {self.n_inputs} inputs, {len(self.parameters)} parameters, "
            f"{len(self.constants)} constants, {self.n_rows} rows, {self.size} operands"
        )
        lines = [self._line(k) for k in range(len(self.code))]
        return "\n".join([head, *lines, f"return {', '.join(self._row(r) for r in self.results)}"])

    def _row(self, r: int) -> str:
        return "0" if r == 0 else self.labels.get(f"x{r}") or (f"x{r}" if r <= self.n_inputs else f"r{r}")

    def _shared(self, s: int) -> str:
        if s < len(self.parameters):
            return self.parameters[s].label or f"p{s}"
        if s < len(self.parameters) + len(self.constants):
            return f"{self.constants[s - len(self.parameters)]:.4g}"
        return f"s{s}"

    def _line(self, k: int) -> str:
        op, at, m, n, flags = self.code[k]
        name = self._shared if k < self.prelude else self._row
        if op == LAYER:
            rows, out = self.args[at : at + n], self.args[at + n : at + n + m]
            weights, bias = self.args[at + n + m : at + n + m + m * n], self.args[at + n + m + m * n :][:m]
            return "\n".join(
                f"{name(y)} = " + _sum([*self._products(rows, weights[j * n : j * n + n]), self._shared(bias[j])])
                for j, y in enumerate(out)
            )
        args = self.args[at : at + 3 if op == MAP else at + 1 + 2 * n if op == DOT else at + n + 2 - (op == LOGSUMEXP)]
        shown = [self._shared(a) if op == PICK_SHARED and i > 1 else name(a) for i, a in enumerate(args)]
        if op == MAP:
            row, arity = self.primitives[n]
            operands = shown[1 : 1 + arity] + [f"{row.constant}"] * (row.constant is not None)
            return f"{shown[0]} = {row.name}({', '.join(operands)})"
        if op == DOT:
            terms = [f"{a}·{b}" for a, b in zip(shown[1 : 1 + n], shown[1 + n :])]
            return f"{shown[0]} {'+=' if flags else '='} {_sum(terms)}"
        return f"{shown[0]} = {NAMES[op]}({_few(shown[1:], ', ')})"

    def _products(self, rows: Sequence[int], weights: Sequence[int]) -> list[str]:
        return [f"{self._shared(w)}·{self._row(r)}" for w, r in zip(weights, rows) if r]


def _few(parts: Sequence[str], separator: str, most: int = 8) -> str:
    shown = [*parts] if len(parts) <= most else [*parts[: most - 2], "…", parts[-1]]
    return separator.join(shown)


def _sum(terms: Sequence[str]) -> str:
    terms = [t for t in terms if t != "0"] or ["0"]
    return _few(terms, " + ")


# ---- lowering --------------------------------------------------------------------------------------------------------


class Kind(IntEnum):
    """What the number of a node depends on."""

    CONSTANT = 0
    SHARED = 1  # on parameters
    ROW = 2  # on the sample


def lower(results: Sequence[Value], inputs: Sequence[Value], known: Sequence[Value] = ()) -> Tape:
    """The tape that computes ``results`` from ``inputs``, the leaves that stand for the numbers of a sample.

    Its parameters are the ``known`` ones, in their order, and after them what else it finds.

    Everything recorded has the inputs' class, a subclass of Value of their own; plain Values are leaves that existed
    before, the parameters. Raises TypeError for nodes that cannot be replayed: results of operations from before the
    recording, nodes made by hand, and primitives of three numbers or more.
    """
    return _Lowering(results, inputs, known).tape


class _Root:
    def __init__(self, parents: Sequence[Value]) -> None:
        self.parents = parents


Factor = Value | float  # a float is 1.0 or -1.0


class _Lowering:
    """Goes through the graph once, from leaves to results; ``place`` is the index of a node's scalar or row."""

    def __init__(self, results: Sequence[Value], inputs: Sequence[Value], known: Sequence[Value]) -> None:
        graph = nodes(_Root(results))[:-1]
        self.kind = dict.fromkeys(inputs, Kind.ROW)
        for node in graph:
            if node not in self.kind:
                self.kind[node] = self._kind_of(node)
        found = [v for v in graph if not v.parents and self.kind[v] == Kind.SHARED]
        parameters = list(dict.fromkeys([*known, *found]))
        numbers = dict.fromkeys([0.0, 1.0, -1.0, *[v.data for v in graph if self.kind[v] == Kind.CONSTANT]])
        self.tape = Tape(parameters, len(inputs), list(numbers), 1 + len(inputs), len(parameters) + len(numbers))
        self.constants = {number: len(parameters) + i for i, number in enumerate(numbers)}
        self.place = {v: self.constants[v.data] for v in graph if self.kind[v] == Kind.CONSTANT}
        self.place |= {v: i for i, v in enumerate(parameters)} | {v: 1 + i for i, v in enumerate(inputs)}
        # The scalars (False) and rows (True) that depend on parameters: what gradients are wanted for.
        self.active = {False: set(range(len(parameters))), True: set[int]()}
        self.code: dict[bool, list[Instruction]] = {False: [], True: []}  # prelude and body
        self.layers: dict[tuple[int, ...], list[Unit]] = {}
        self.fills: dict[int, int] = {}

        # A sum that is one term of another sum and used nowhere else is made part of it.
        uses = Counter([parent for node in graph for parent in node.parents])
        uses.update(results)
        self.terms: dict[Value, list[tuple[Factor, Value]]] = {
            term: []
            for node in graph
            for term in _sums_within(node)
            if uses[term] == 1 and term.op in LINEAR and self.kind[term] == self.kind[node] != Kind.CONSTANT
        }
        for node in graph:
            if node.parents and self.kind[node] != Kind.CONSTANT:
                self._lower(node)
        self.tape.results = [self._operand(result, rows=True) for result in results]
        self._flatten()

    def _kind_of(self, node: Value) -> Kind:
        recorded = type(node) is not Value
        if not node.parents:
            return Kind.CONSTANT if recorded else Kind.SHARED
        if not recorded or not node.partials:
            made = "before the function was called" if node.partials else "by hand"
            raise TypeError(f"a tape replays what the function does; {node!r} ({node.op.name}) was made {made}")
        return max([self.kind[parent] for parent in node.parents])

    def _lower(self, node: Value) -> None:
        op, rows = node.op, self.kind[node] == Kind.ROW
        if op in LINEAR:
            products = self._products(node)
            if node in self.terms:
                self.terms[node] = products
            else:
                self.place[node] = (
                    self._affine(products) if rows else self._scalar([self._places(*p) for p in products])
                )
        elif op is ops.pick:
            self.place[node] = self._pick(node, rows)
        else:
            operands = [self._operand(parent, rows) for parent in node.parents]
            self.place[node] = y = self._new(rows, any([a in self.active[rows] for a in operands]))
            if op is ops.logsumexp:
                self.code[rows].append((LOGSUMEXP, len(operands), [y, *operands], 0))
            elif len(operands) > MOST_OPERANDS or op.group is not tuple:
                raise TypeError(f"a tape replays primitives of one or two numbers; {op.name!r} has {len(operands)}")
            else:
                self.code[rows].append((MAP, self._primitive(op, len(operands)), [y, operands[0], operands[-1]], 0))

    def _new(self, rows: bool, active: bool) -> int:
        if rows:
            self.tape.n_rows += 1
        else:
            self.tape.n_shared += 1
        y = (self.tape.n_rows if rows else self.tape.n_shared) - 1
        if active:
            self.active[rows].add(y)
        return y

    def _primitive(self, op: Primitive, arity: int) -> int:
        if (op, arity) not in self.tape.primitives:
            self.tape.primitives.append((op, arity))
        return self.tape.primitives.index((op, arity))

    def _operand(self, node: Value, rows: bool) -> int:
        """The place of ``node``; where a row is wanted, a scalar is spread over one."""
        place = self.place[node]
        if not rows or self.kind[node] == Kind.ROW:
            return place
        if place not in self.fills:
            self.fills[place] = self._layer({}, place)
        return self.fills[place]

    # ---- sums of products ----

    def _products(self, node: Value) -> list[tuple[Factor, Value]]:
        """The terms of a linear operation, products of two, with those of sums that are its terms in their place."""
        parents = node.parents
        if node.op is ops.mul:
            return [(parents[0], parents[1])]
        if node.op is ops.neg:
            return [(-1.0, parents[0])]
        if node.op is ops.sub:
            return [*self._take(parents[0]), (-1.0, parents[1])]
        if node.op is ops.add:
            first, second = self._take(parents[0]), self._take(parents[1])
        else:
            w, x, *bias = ops.dot.group(parents)
            first, second = list(zip(w, x)), self._take(bias[0]) if bias else []
        if len(first) < len(second):
            first, second = second, first
        first += second
        return first

    def _take(self, term: Value) -> list[tuple[Factor, Value]]:
        return self.terms.pop(term, None) or [(1.0, term)]

    def _places(self, a: Factor, b: Value) -> tuple[int, int]:
        return self.constants[a] if isinstance(a, float) else self.place[a], self.place[b]

    def _scalar(self, products: list[tuple[int, int]]) -> int:
        """The shared scalar Σ ab, of products of shared scalars; no instruction if it is there already."""
        zero, one = self.constants[0.0], self.constants[1.0]
        products = [p for p in products if zero not in p]
        if not products:
            return zero
        if len(products) == 1 and one in products[0]:
            a, b = products[0]
            return b if a == one else a
        a_s, b_s = [list(column) for column in zip(*products)]
        y = self._new(False, not self.active[False].isdisjoint(a_s + b_s))
        self.code[False].append((DOT, len(products), [y, *a_s, *b_s], 0))
        return y

    def _affine(self, products: list[tuple[Factor, Value]]) -> int:
        """The row bias + Σ weight·row + Σ row·row."""
        weights: dict[int, list[tuple[int, int]]] = {}
        bias, pairs, one = [], [], self.constants[1.0]
        for a, b in products:
            a_place, b_place = self._places(a, b)
            a_row, b_row = not isinstance(a, float) and self.kind[a] == Kind.ROW, self.kind[b] == Kind.ROW
            if a_row and b_row:
                pairs.append((a_place, b_place))
            elif a_row or b_row:
                weight, row = (b_place, a_place) if a_row else (a_place, b_place)
                weights.setdefault(row, []).append((one, weight))
            else:
                bias.append((a_place, b_place))
        scalars = {row: self._scalar(terms) for row, terms in weights.items()}
        shift = self._scalar(bias)
        if not pairs:
            if shift == self.constants[0.0] and list(scalars.values()) == [one]:
                return next(iter(scalars))
            return self._layer(scalars, shift)
        rows = [row for pair in pairs for row in pair]
        more = bool(scalars) or shift != self.constants[0.0]
        y = self._layer(scalars, shift) if more else self._new(True, False)
        if not self.active[True].isdisjoint(rows):
            self.active[True].add(y)
        self.code[True].append((DOT, len(pairs), [y, *[a for a, _ in pairs], *[b for _, b in pairs]], int(more)))
        return y

    def _layer(self, weights: dict[int, int], bias: int) -> int:
        """A unit on these rows. All units on the same rows are computed where the first of them is."""
        rows = tuple(weights)
        active = not self.active[True].isdisjoint(rows)
        y = self._new(True, active or not self.active[False].isdisjoint([bias, *weights.values()]))
        if rows not in self.layers:
            self.layers[rows] = []
            self.code[True].append((LAYER, 0, list(rows), INPUTS * active))
        self.layers[rows].append((y, list(weights.values()), bias))
        return y

    def _pick(self, node: Value, rows: bool) -> int:
        *values, index = node.parents
        if self.kind[index] == Kind.CONSTANT:
            return self._operand(values[int(index.data)], rows)
        if self.kind[index] != Kind.ROW:
            raise TypeError("pick wants a whole number of the sample as index; got one computed from parameters")
        in_rows = any([self.kind[v] == Kind.ROW for v in values])
        operands = [self._operand(v, in_rows) for v in values]
        y = self._new(True, not self.active[in_rows].isdisjoint(operands))
        self.code[True].append((PICK if in_rows else PICK_SHARED, len(values), [y, self.place[index], *operands], 0))
        return y

    # ---- the flat lists ----

    def _flatten(self) -> None:
        zero = self.constants[0.0]
        self.tape.prelude = len(self.code[False])
        for op, n, args, flags in self.code[False] + self.code[True]:
            if op == LAYER:
                units = self.layers[tuple(args)]
                padding = -n_inputs % 4 if (n_inputs := len(args)) else 0  # kernels take four inputs at a time
                weights = [[*w, *[zero] * padding] for _, w, _ in units]
                shared = [*[s for w in weights for s in w], *[bias for _, _, bias in units]]
                wanted = flags | WEIGHTS * (not self.active[False].isdisjoint(shared))
                rows = [*args, *[0] * padding]
                self.tape.emit(op, len(units), len(rows), [*rows, *[y for y, _, _ in units], *shared], wanted)
            else:
                self.tape.emit(op, 1, n, args, flags)


def _sums_within(node: Value) -> Sequence[Value]:
    """The operands that are terms of the sum that this node is."""
    if node.op is ops.add:
        return node.parents
    if node.op is ops.sub:
        return node.parents[:1]
    return node.parents[-1:] if node.op is ops.dot and len(node.parents) % 2 else ()
