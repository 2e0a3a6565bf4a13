"""Lower the loss graph of one sample to a tape: a flat list of instructions that ``kernels`` replays for many samples.

What depends on the sample becomes *rows* (one number per sample); what does not becomes *shared* scalars: parameters,
constants, and results computed from these alone, once per batch, by the instructions of the *prelude*. Dead nodes are
left out, constants are folded, sums of products become dots, and dots over the same rows become one layer.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from micrograd import ops
from micrograd.engine import Value
from micrograd.ops import Primitive
from micrograd.tape.assemble import Instruction, Unit, assemble
from micrograd.tape.instructions import ACTIVE, DOT, INPUTS, LAYER, LOGSUMEXP, MAP, MORE, PICK, PICK_SHARED, Tape

LINEAR = {ops.add, ops.sub, ops.neg, ops.mul, ops.dot}
MOST_OPERANDS = 2  # of a primitive that MAP replays


class Kind:
    """What the number of a node depends on; plain numbers, since an Enum's take a long time to look up."""

    CONSTANT = 0
    SHARED = 1  # on parameters
    ROW = 2  # on the sample


def lower(
    results: Sequence[Value], inputs: Sequence[Value], known: Sequence[Value] = (), made: Collection[Value] = ()
) -> Tape:
    """The tape that computes ``results`` from ``inputs``, the leaves that stand for the numbers of a sample.

    Its parameters are the ``known`` ones, in their order, and after them what else it finds; ``made`` are plain Values
    that the function itself makes, and constants. Everything recorded has the inputs' class, a subclass of Value of
    their own; plain Values are leaves that existed before, the parameters. Raises TypeError for nodes that cannot be
    replayed: results of operations from before the recording, nodes made by hand, and primitives of three numbers.
    """
    return _Lowering(results, inputs, known, made).tape


class _Lowering:
    """Goes over the graph three times: to count uses, to gather sums, and from leaves to results to write the code.

    ``uses`` counts the operations and results that take the result of an operation. Leaves have ``level`` 0, operations
    on them alone 1, and so on; the ``operands`` of a sum are the factors of its products, two by two, and what is part
    of another sum has neither. ``place`` is the index of a node's scalar or row.
    """

    def __init__(
        self, results: Sequence[Value], inputs: Sequence[Value], known: Sequence[Value], made: Collection[Value]
    ) -> None:
        self.uses = _count_uses(results)
        self.one, self.minus = Value(1.0), Value(-1.0)
        self.kind = dict.fromkeys(inputs, Kind.ROW) | dict.fromkeys([*made, self.one, self.minus], Kind.CONSTANT)
        self.level = dict.fromkeys(self.kind, 0)
        self.operands: dict[Value, list[Value]] = {}
        self._gather(results)
        # By level, and then by name, so that like operations come to stand side by side.
        operations = sorted(self.operands, key=lambda node: (self.level[node], node.op.name))
        # Parameters as they are met from there: those of a network mostly in its own order, as an optimizer has them.
        met = [v for node in operations for v in self.operands[node] if not v.parents] + [*results]
        found = [v for v in met if self.kind[v] == Kind.SHARED and not v.parents]
        parameters = list(dict.fromkeys([*known, *found]))
        constants = [v for v, kind in self.kind.items() if kind == Kind.CONSTANT]
        numbers = dict.fromkeys([0.0, 1.0, -1.0, *[v.data for v in constants]])
        self.tape = Tape(parameters, len(inputs), list(numbers), 1 + len(inputs), len(parameters) + len(numbers))
        self.constants = {number: len(parameters) + i for i, number in enumerate(numbers)}
        self.place = {v: self.constants[v.data] for v in constants}
        self.place |= {v: i for i, v in enumerate(parameters)} | {v: 1 + i for i, v in enumerate(inputs)}
        # The scalars (False) and rows (True) that depend on parameters: what gradients are wanted for.
        self.active = {False: set(range(len(parameters))), True: set[int]()}
        self.code: dict[bool, list[Instruction]] = {False: [], True: []}  # prelude and body
        self.layers: dict[tuple[int, ...], list[Unit]] = {}
        self.fills: dict[int, int] = {}
        for node in operations:
            if self.kind[node] != Kind.CONSTANT:
                self._lower(node)
        self.tape.results = [self._operand(result, rows=True) for result in results]
        assemble(self.tape, self.code[False], self.code[True], self.layers, self.active[False])

    def _gather(self, results: Sequence[Value]) -> None:
        """Find the operands, kind and level of all that the results are computed from."""
        kind, level, operands = self.kind, self.level, self.operands
        path = [*results][::-1]
        while path:
            node = path[-1]
            if node in kind:
                path.pop()
            elif not node.parents:
                kind[path.pop()] = Kind.SHARED if type(node) is Value else Kind.CONSTANT
                level[node] = 0
            elif node not in operands:
                operands[node] = taken = self._factors(node) if node.op in LINEAR else [*node.parents]
                path += [v for v in taken if v not in kind][::-1]
            else:
                kinds = [kind[v] for v in operands[node]]
                kind[node] = max(kinds)
                level[node] = 1 + max([level[v] for v in operands[node]])
                if node.op in LINEAR and min(kinds) == Kind.CONSTANT:
                    operands[node] = self._folded(operands[node])

    # ---- sums of products ----

    def _factors(self, node: Value) -> list[Value]:
        """Of the products that a linear operation adds up, factor after factor, those of its terms in their place."""
        uses, one, minus = self.uses, self.one, self.minus
        factors: list[Value] = []  # the last first
        terms = [node]
        while terms:
            term = terms.pop()
            op, parents = term.op, term.parents
            if op not in LINEAR or (term is not node and uses.get(term) != 1):
                factors += (term, one)
            elif op is ops.mul:
                factors += parents[::-1]
            elif op is ops.add:
                terms += parents
            elif op is ops.dot:
                w, x, *bias = ops.dot.group(parents)
                if bias and not bias[0].parents:  # after the weights, as in a Neuron
                    factors += (bias.pop(), one)
                factors += [v for pair in zip(reversed(x), reversed(w)) for v in pair]
                terms += bias
            else:
                factors += (parents[-1], minus)
                terms += parents[:-1]
        factors.reverse()
        return factors

    def _folded(self, factors: list[Value]) -> list[Value]:
        """The same with products of constants added up to one."""
        total, rest = 0.0, list[Value]()
        for a, b in zip(factors[::2], factors[1::2]):
            if self.kind[a] == self.kind[b] == Kind.CONSTANT:
                total += a.data * b.data
            else:
                rest += (a, b)
        if total:
            constant = Value(total)
            self.kind[constant] = Kind.CONSTANT
            rest += (self.one, constant)
        return rest

    def _lower(self, node: Value) -> None:
        op, rows = node.op, self.kind[node] == Kind.ROW
        if op in LINEAR:
            factors = self.operands[node]
            products = list(zip(factors[::2], factors[1::2]))
            self.place[node] = (
                self._affine(products) if rows else self._scalar([(self.place[a], self.place[b]) for a, b in products])
            )
        elif op is ops.pick:
            self.place[node] = self._pick(node, rows)
        else:
            operands = [self._operand(parent, rows) for parent in node.parents]
            if op is ops.logsumexp:
                self.place[node] = y = self._new(rows, not self.active[rows].isdisjoint(operands))
                self._emit(rows, LOGSUMEXP, len(operands), [y, self._new(rows, False), *operands])
            elif len(operands) > MOST_OPERANDS or op.group is not tuple:
                raise TypeError(f"a tape replays primitives of one or two numbers; {op.name!r} has {len(operands)}")
            else:
                self.place[node] = self._map(op, operands, rows)

    def _map(self, op: Primitive, operands: list[int], rows: bool) -> int:
        y = self._new(rows, not self.active[rows].isdisjoint(operands))
        self._emit(rows, MAP, self._primitive(op, len(operands)), [y, operands[0], operands[-1]])
        return y

    def _emit(self, rows: bool, op: int, n: int, args: list[int], flags: int = 0) -> None:
        self.code[rows].append((op, n, args, flags | ACTIVE * (args[0] in self.active[rows])))

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
        self._emit(False, DOT, len(products), [y, *a_s, *b_s])
        return y

    def _affine(self, products: list[tuple[Value, Value]]) -> int:
        """The row bias + Σ weight·row + Σ row·row."""
        weights: dict[int, list[tuple[int, int]]] = {}
        bias, pairs, one = [], [], self.constants[1.0]
        for a, b in products:
            a_place, b_place = self.place[a], self.place[b]
            a_row, b_row = self.kind[a] == Kind.ROW, self.kind[b] == Kind.ROW
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
        self._emit(True, DOT, len(pairs), [y, *[a for a, _ in pairs], *[b for _, b in pairs]], MORE * more)
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
        self._emit(True, PICK if in_rows else PICK_SHARED, len(values), [y, self.place[index], *operands])
        return y


def _count_uses(results: Sequence[Value]) -> dict[Value, int]:
    """How often each operation's result is taken, by other operations and as a result."""
    uses = dict(Counter([result for result in results if result.parents]))
    reached = list(uses)
    while reached:
        node = reached.pop()
        if type(node) is Value or not node.partials:
            made = "before the function was called" if node.partials else "by hand"
            raise TypeError(f"a tape replays what the function does; {node!r} ({node.op.name}) was made {made}")
        for parent in node.parents:
            if parent in uses:
                uses[parent] += 1
            elif parent.parents:
                uses[parent] = 1
                reached.append(parent)
    return uses
