"""Lower the loss graph of one sample to a tape: a flat list of instructions that ``kernels`` replays for many samples.

What depends on the sample becomes *rows* (one number per sample); what does not becomes *shared* scalars: parameters,
constants, and results computed from these alone, once per batch, by the instructions of the *prelude*. Dead nodes are
left out, constants are folded, sums of products become dots, and dots over the same rows become one layer.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from enum import IntEnum

from micrograd import ops
from micrograd.engine import Value
from micrograd.instructions import DOT, INPUTS, LAYER, LOGSUMEXP, MAP, PICK, PICK_SHARED, WEIGHTS, Tape
from micrograd.ops import Primitive

LINEAR = {ops.add, ops.sub, ops.neg, ops.mul, ops.dot}
Instruction = tuple[int, int, list[int], int]  # op, n, args, flags
Unit = tuple[int, list[int], int]  # of a layer: y, weights, bias
MOST_OPERANDS = 2  # of a primitive that MAP replays


class Kind(IntEnum):
    """What the number of a node depends on."""

    CONSTANT = 0
    SHARED = 1  # on parameters
    ROW = 2  # on the sample


def lower(
    results: Sequence[Value],
    graph: Sequence[Value],
    inputs: Sequence[Value],
    known: Sequence[Value] = (),
    made: Collection[Value] = (),
) -> Tape:
    """The tape that computes ``results`` from ``inputs``, the leaves that stand for the numbers of a sample.

    ``graph`` are the results' nodes, each after its parents.

    Its parameters are the ``known`` ones, in their order, and after them what else it finds; ``made`` are plain Values
    that the function itself makes, and constants.

    Everything recorded has the inputs' class, a subclass of Value of their own; plain Values are leaves that existed
    before, the parameters. Raises TypeError for nodes that cannot be replayed: results of operations from before the
    recording, nodes made by hand, and primitives of three numbers or more.
    """
    return _Lowering(results, graph, inputs, known, made).tape


Factor = Value | float  # a float is 1.0 or -1.0


class _Lowering:
    """Goes through the graph once, from leaves to results; ``place`` is the index of a node's scalar or row."""

    def __init__(
        self,
        results: Sequence[Value],
        graph: Sequence[Value],
        inputs: Sequence[Value],
        known: Sequence[Value],
        made: Collection[Value],
    ) -> None:
        self.kind = dict.fromkeys(inputs, Kind.ROW) | dict.fromkeys(made, Kind.CONSTANT)
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
        self.packed: dict[tuple[int, ...], int] = {}  # where weights are in the tape; layers may have the same ones
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
        for node in _by_level(graph):
            if self.kind[node] != Kind.CONSTANT:
                self._lower(node)
        self.tape.results = [self._operand(result, rows=True) for result in results]
        self._renumber()
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
            if op is ops.logsumexp:
                self.place[node] = y = self._new(rows, not self.active[rows].isdisjoint(operands))
                self.code[rows].append((LOGSUMEXP, len(operands), [y, self._new(rows, False), *operands], 0))
            elif len(operands) > MOST_OPERANDS or op.group is not tuple:
                raise TypeError(f"a tape replays primitives of one or two numbers; {op.name!r} has {len(operands)}")
            else:
                self.place[node] = self._map(op, operands, rows)

    def _map(self, op: Primitive, operands: list[int], rows: bool) -> int:
        y = self._new(rows, not self.active[rows].isdisjoint(operands))
        self.code[rows].append((MAP, self._primitive(op, len(operands)), [y, operands[0], operands[-1]], 0))
        return y

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
            return self._residual(scalars, shift) or self._layer(scalars, shift)
        rows = [row for pair in pairs for row in pair]
        more = bool(scalars) or shift != self.constants[0.0]
        y = self._layer(scalars, shift) if more else self._new(True, False)
        if not self.active[True].isdisjoint(rows):
            self.active[True].add(y)
        self.code[True].append((DOT, len(pairs), [y, *[a for a, _ in pairs], *[b for _, b in pairs]], int(more)))
        return y

    def _residual(self, weights: dict[int, int], bias: int) -> int | None:
        """A unit whose output is added to a row, if it is one: without that row, it is of one layer with others."""
        rest = dict(weights)
        plain = [row for row, weight in weights.items() if weight == self.constants[1.0] and rest.pop(row)]
        if len(plain) == 2 and not rest and bias == self.constants[0.0]:
            return self._map(ops.add, plain, True)
        return self._map(ops.add, [self._layer(rest, bias), *plain], True) if len(plain) == 1 and rest else None

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

    def _renumber(self) -> None:
        """Number rows in the order of computation: like operations, next to each other, then work on rows that are so."""
        order = [*range(1 + self.tape.n_inputs)]
        for op, _, args, _ in self.code[True]:
            order += [y for y, _, _ in self.layers[tuple(args)]] if op == LAYER else args[: 1 + (op == LOGSUMEXP)]
        new = {row: k for k, row in enumerate(dict.fromkeys(order))}
        self.layers = {
            tuple([new[x] for x in rows]): [(new[y], weights, bias) for y, weights, bias in units]
            for rows, units in self.layers.items()
        }
        for k, (op, n, args, flags) in enumerate(self.code[True]):
            rows = 2 if op == PICK_SHARED else len(args)
            self.code[True][k] = op, n, [*[new[a] for a in args[:rows]], *args[rows:]], flags
        self.tape.results = [new[row] for row in self.tape.results]

    def _flatten(self) -> None:
        tape = self.tape
        for instructions in self.code[False], self.code[True]:
            tape.prelude = len(tape.code)
            for op, n, args, flags in instructions:
                if op == LAYER:
                    units = self.layers[tuple(args)]
                    shared = [s for _, weights, bias in units for s in [*weights, bias]]
                    wanted = flags | WEIGHTS * (not self.active[False].isdisjoint(shared))
                    tape.emit(op, len(units), *self._filled(args, units), wanted)
                elif op == MAP and len(tape.code) > tape.prelude and self._continues(n, args):
                    _, at, m, _, _ = tape.code[-1]
                    tape.code[-1] = op, at, m + 1, n, flags
                else:
                    tape.emit(op, 1, n, args, flags)

    def _filled(self, inputs: list[int], units: list[Unit]) -> tuple[int, list[int]]:
        """The number of a layer's inputs and its arguments, filled up to fours as kernels take them."""
        zero = self.constants[0.0]
        rows = [*inputs, *[0] * (-len(inputs) % 4)]
        padding = [zero] * (len(rows) - len(inputs))
        units = [*units, *[(0, [zero] * len(inputs), zero)] * (-len(units) % 4)]
        packed = []
        for k in range(0, len(units), 4):
            packed += [s for column in zip(*[[bias, *w, *padding] for _, w, bias in units[k : k + 4]]) for s in column]
        place = self.packed.setdefault(tuple(packed), len(self.tape.weights))
        if place == len(self.tape.weights):
            self.tape.weights += packed
        return len(rows), [*rows, *[y for y, _, _ in units], place]

    def _continues(self, n: int, args: list[int]) -> bool:
        """Whether this MAP does to the next rows what the instruction before does."""
        op, at, m, before, _ = self.tape.code[-1]
        return op == MAP and before == n and args == [a + m for a in self.tape.args[at : at + 3]]


def _by_level(graph: Sequence[Value]) -> list[Value]:
    """Results of operations, those that depend on leaves alone first: like operations come to stand side by side."""
    level: dict[Value, int] = {}
    for node in graph:
        level[node] = 1 + max([level[parent] for parent in node.parents], default=-1)
    return sorted([node for node in graph if node.parents], key=lambda node: (level[node], node.op.name))


def _sums_within(node: Value) -> Sequence[Value]:
    """The operands that are terms of the sum that this node is."""
    if node.op is ops.add:
        return node.parents
    if node.op is ops.sub:
        return node.parents[:1]
    return node.parents[-1:] if node.op is ops.dot and len(node.parents) % 2 else ()
