r"""Lower the graph of one sample to a tape: a short list of instructions for all samples of a batch.

>>> from micrograd.engine import recording
>>> from micrograd.tape.trace import Traced
>>> w, x, y = Value(2.0, label="w"), Traced(3.0, role="input"), Traced(1.0, role="input")
>>> with recording(Traced):
...     result = (w * x - y).relu()
>>> print("\n".join(str(lower([result], [x, y])).splitlines()[2:]))
r3 = w·x1 - x2
r4 = relu(r3)
return r4

What depends on the sample becomes *rows*; what depends on parameters alone becomes *shared* numbers, computed once a
batch; the rest is constant. Sums of products become units of layers, and units on the same rows become one layer.

A tape rounds as the engine does, so a sum keeps its order. ``a + b + c`` leans to the left, (a + b) + c, and is one sum
of three terms; in ``a + (b + c)`` the bracket is another sum. The product of a weight and a row can be in a layer,
the product of two rows cannot, so w₁·x₁ + x₁·x₂ + w₂·x₂ is three instructions: a layer, a dot that starts from it, and
a layer that starts from that. Written w₁·x₁ + w₂·x₂ + x₁·x₂, it is two.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeAlias

from micrograd import ops
from micrograd.engine import LEAVES, Value
from micrograd.ops import Primitive
from micrograd.tape.tape import Dot, Instruction, Layer, LogSumExp, Map, Pick, Tape, Unit, outputs
from micrograd.tape.trace import Traced

SUMS = {ops.add, ops.sub, ops.neg, ops.mul, ops.dot}
LITERAL = 4  # whole exponents up to this one are part of the program; others are data of it

CONSTANT, SHARED, ROW = range(3)  # what a node's number depends on: nothing, parameters alone, the sample

Term: TypeAlias = tuple[Value, Value | None, bool]  # of a sum: a·b, or a alone; whether it is subtracted


def lower(
    results: Sequence[Value], inputs: Sequence[Value], known: Sequence[Value] = (), made: Collection[int] = ()
) -> Tape:
    """The tape that computes ``results`` from ``inputs``, the leaves that stand for the numbers of a sample.

    Its parameters are the ``known`` ones, in their order, and after them what else it finds: all leaves that the trace
    has not made, but for those whose ``id`` is in ``made``, which are constants. Raises TypeError for nodes that cannot
    be replayed: results of operations from before the recording, nodes made by hand, and primitives on vectors.
    """
    uses = _count_uses(results)
    found = _Found(results, inputs, made, uses)
    return _Writer(found, results, inputs, known).tape


def _count_uses(results: Sequence[Value]) -> dict[int, int]:
    """How often each operation's result is taken, by other operations and as a result, by the node's id."""
    uses: dict[int, int] = {}
    reached: list[Value] = []

    def take(node: Value) -> None:
        if node.parents:
            if id(node) not in uses:
                uses[id(node)] = 0
                reached.append(node)
            uses[id(node)] += 1

    for result in results:
        take(result)
    while reached:
        node = reached.pop()
        if not isinstance(node, Traced) or not node.partials:
            made = "before the function was called" if node.partials else "by hand"
            raise TypeError(
                f"a tape replays what the function does; {node!r} ({node.op.name}) was made {made}: compute it inside"
            )
        for parent in node.parents:
            take(parent)
    return uses


class _Found:
    """What the nodes of a graph are to a tape, by their ids.

    Attributes:
        kind: CONSTANT, SHARED or ROW.
        level: 0 for leaves, 1 for operations on them alone, and so on.
        operations: the nodes that are computed by instructions of their own, by level, like ones side by side.
        terms: of a sum, in order, with the number that it starts from.
        leaves: parameters in the order in which the operations take them.
    """

    def __init__(
        self, results: Sequence[Value], inputs: Sequence[Value], made: Collection[int], uses: dict[int, int]
    ) -> None:
        self.uses, self.made = uses, made
        self.kind: dict[int, int] = {id(leaf): ROW for leaf in inputs}
        self.level: dict[int, int] = dict.fromkeys(self.kind, 0)
        self.terms: dict[int, tuple[float, list[Term]]] = {}
        operands: dict[int, tuple[Value, list[Value]]] = {}
        path = [*results][::-1]
        while path:
            node = path[-1]
            key = id(node)
            if key in self.kind:
                path.pop()
            elif not node.parents:
                self._leaf(path.pop())
            elif key not in operands:
                taken = self._sum(node) if node.op in SUMS else [*node.parents]
                operands[key] = node, taken
                path += [v for v in taken if id(v) not in self.kind][::-1]
            else:
                _, taken = operands[key]
                self.kind[key] = max([self.kind[id(v)] for v in taken])
                self.level[key] = 1 + max([self.level[id(v)] for v in taken])
        order = sorted(operands.values(), key=lambda item: (self.level[id(item[0])], item[0].op.name))
        self.operations = [node for node, _ in order if self.kind[id(node)] != CONSTANT]
        met = [v for node, taken in order for v in taken if not v.parents] + [*results]
        self.leaves = [v for v in met if self.kind[id(v)] == SHARED and not v.parents]

    def _leaf(self, leaf: Value) -> None:
        # What is computed under no_grad() is a leaf as well, a constant one; its op is that of the computation.
        shared = not isinstance(leaf, Traced) and leaf.op.name in LEAVES and id(leaf) not in self.made
        self.kind[id(leaf)], self.level[id(leaf)] = SHARED if shared else CONSTANT, 0

    def _sum(self, node: Value) -> list[Value]:
        """Note the terms of a sum, product or difference; returns the nodes in them."""
        zero, backwards, left = -0.0, list[Term](), node  # the terms from right to left
        while left.op is ops.add or left.op is ops.sub or left.op is ops.dot:
            if left.op is ops.dot:
                w, x, *bias = ops.dot.group(left.parents)
                backwards += [(a, b, False) for a, b in zip(reversed(w), reversed(x))]
                if not bias:
                    zero = 0.0
                    break
                before = bias[0]
            else:
                before, right = left.parents
                backwards.append(self._term(right, negative=left.op is ops.sub))
            if not self._is_part(before):
                backwards.append((before, None, False))
                break
            left = before
        else:
            backwards.append(self._product(left, negative=False))
        terms = backwards[::-1]
        self.terms[id(node)] = zero, terms
        return [v for a, b, _ in terms for v in (a, b) if v is not None]

    def _is_part(self, node: Value) -> bool:
        """Whether it is a sum or product that is taken nowhere else, so that it needs no row."""
        return bool(node.parents) and node.op in SUMS and self.uses[id(node)] == 1

    def _term(self, node: Value, negative: bool) -> Term:
        if self._is_part(node) and (node.op is ops.mul or node.op is ops.neg):
            return self._product(node, negative)
        return node, None, negative

    def _product(self, node: Value, negative: bool) -> Term:
        if node.op is ops.mul:
            a, b = node.parents
            return a, b, negative
        return self._term(node.parents[0], not negative)  # of a negation; a change of sign is exact


class _Writer:
    """Writes the instructions, from leaves to results.

    ``place`` is the index of a node's row or shared number, by its id. Results are numbered as they come, and anew at
    the end, so that what one instruction computes stands together.
    """

    def __init__(
        self, found: _Found, results: Sequence[Value], inputs: Sequence[Value], known: Sequence[Value]
    ) -> None:
        self.kind, self.terms = found.kind, found.terms
        parameters = list({id(v): v for v in [*known, *found.leaves]}.values())
        self.tape = Tape(parameters, len(inputs), n_rows=1 + len(inputs))
        taken = set(map(id, found.leaves))
        self.tape.used = {i for i, v in enumerate(parameters) if id(v) in taken}
        self.active = {False: self.tape.active_shared, True: self.tape.active_rows}  # by whether of rows
        self.active[False].update(range(len(parameters)))
        self.code: dict[bool, list[Instruction]] = {False: [], True: []}  # prelude and body
        self.count = {False: RESULTS, True: 1 + len(inputs)}
        self.constants: dict[str, int] = {}  # by what they print, since 0.0 and -0.0 are equal
        self.numbers: list[float] = []
        self.units: dict[tuple[int, ...], list[Unit]] = {}  # of layers, by their inputs
        self.fills: dict[int, int] = {}
        self.place = {id(v): i for i, v in enumerate(parameters)} | {id(v): 1 + i for i, v in enumerate(inputs)}
        for node in found.operations:
            self.place[id(node)] = self._write(node, self.kind[id(node)] == ROW)
        self.tape.results = [self._operand(result, rows=True) for result in results]
        self._finish()

    # ---- numbers and rows ----

    def _number(self, x: float) -> int:
        """The place of a constant."""
        key = repr(x)
        if key not in self.constants:
            self.constants[key] = CONSTANTS + len(self.numbers)
            self.numbers.append(x)
        return self.constants[key]

    def _known(self, place: int) -> float | None:
        """The number at a shared place, if it is a constant."""
        return self.numbers[place - CONSTANTS] if CONSTANTS <= place < RESULTS else None

    def _at(self, node: Value) -> int:
        """The place of a node's row or shared number."""
        return self._number(node.data) if self.kind[id(node)] == CONSTANT else self.place[id(node)]

    def _new(self, rows: bool, active: bool, count: int = 1) -> int:
        """The first of so many new rows, or shared numbers."""
        y = self.count[rows]
        self.count[rows] += count
        if active:
            self.active[rows].update(range(y, y + count))
        return y

    def _is_active(self, rows: bool, places: Iterable[int]) -> bool:
        return not self.active[rows].isdisjoint(places)

    def _operand(self, node: Value, rows: bool) -> int:
        """The place of ``node``; where a row is expected, a shared number is spread over one."""
        place = self._at(node)
        return place if not rows or self.kind[id(node)] == ROW else self._spread(place)

    def _spread(self, shared: int) -> int:
        if shared not in self.fills:
            self.fills[shared] = self._unit((), shared, ())
        return self.fills[shared]

    # ---- instructions ----

    def _write(self, node: Value, rows: bool) -> int:
        op = node.op
        if op in SUMS:
            zero, terms = self.terms[id(node)]
            return self._row_sum(zero, terms) if rows else self._shared_sum(zero, terms)
        if op is ops.pick:
            return self._pick(node, rows)
        if op is ops.logsumexp:
            operands = tuple([self._operand(v, rows) for v in node.parents])
            y = self._new(rows, self._is_active(rows, operands), 3)
            self.code[rows].append(LogSumExp(y, operands))
            return y
        if op.group is not tuple:
            raise TypeError(
                f"a tape replays primitives of numbers; {op.name!r} groups its operands: run it without jit"
            )
        operands_, constants = [*node.parents], list[int]()
        if op.constant is not None and not (
            op.constant == 0.5 or (op.constant == int(op.constant) and abs(op.constant) <= LITERAL)
        ):
            constants = [self._number(op.constant)]
        while rows and op.constant is None and len(operands_) > 1 and self.kind[id(operands_[-1])] == CONSTANT:
            constants.insert(0, self._at(operands_.pop()))
        return self._map(op, [self._operand(v, rows) for v in operands_], rows, constants)

    def _map(self, op: Primitive, operands: Sequence[int], rows: bool, constants: Sequence[int] = ()) -> int:
        z = self._new(rows, self._is_active(rows, operands))
        self.code[rows].append(Map(op, z, tuple(operands), 1, tuple(constants)))
        return z

    def _pick(self, node: Value, rows: bool) -> int:
        *values, index = node.parents
        if self.kind[id(index)] == CONSTANT:
            return self._operand(values[int(index.data)], rows)
        if self.kind[id(index)] != ROW:
            raise TypeError("the index of pick must be a number of the sample, got one computed from parameters")
        in_rows = any([self.kind[id(v)] == ROW for v in values])
        places = tuple([self._operand(v, in_rows) for v in values])
        y = self._new(True, self._is_active(in_rows, places))
        self.code[True].append(Pick(y, self._at(index), places, shared=not in_rows))
        return y

    # ---- sums ----

    def _shared_sum(self, zero: float, terms: Sequence[Term]) -> int:
        """The shared number that starts with ``zero``, or with the first term where that is the same."""
        if all([self.kind[id(v)] == CONSTANT for a, b, _ in terms for v in (a, b) if v is not None]):
            return self._number(_folded(zero, terms))
        one, minus = self._number(1.0), self._number(-1.0)
        pairs: list[tuple[int, int]] = []
        for a, b, negative in terms:
            first, second = self._at(a), one if b is None else self._at(b)
            if negative and b is not None:
                first, second = self._map(ops.mul, [first, second], rows=False), minus
            pairs.append((first, minus if negative else second))
        plain = all([b in (one, minus) for _, b in pairs])
        if repr(zero) == "-0.0":
            x, factor = pairs[0]
            if len(pairs) == 1:
                if factor == one:
                    return x
                op, operands = (ops.neg, [x]) if factor == minus else (ops.mul, [x, factor])
                return self._map(op, operands, rows=False)
            if plain and factor == one and len(pairs) == 2:
                return self._map(ops.add if pairs[1][1] == one else ops.sub, [x, pairs[1][0]], rows=False)
        a_s, b_s = zip(*pairs)
        y = self._new(False, self._is_active(False, a_s + b_s))
        self.code[False].append(Dot(y, a_s, b_s, None, zero))
        return y

    def _row_sum(self, zero: float, terms: Sequence[Term]) -> int:
        """The row of a sum. Each of its terms is weight·row, for a layer, or row·row, for a dot."""
        parts = [self._part(*term) for term in terms]
        if repr(zero) == "-0.0":
            short = self._short(parts)
            if short is not None:
                return short
            if len(parts) == 2 and parts[0][0] and parts[1][0] and parts[1][2] == ONES:
                parts.reverse()  # of two numbers, the sum is the same in either order
        start = self._number(zero)
        if repr(zero) == "-0.0" and parts[0][0] and parts[0][2] == ONES:
            start = parts.pop(0)[1]
        row: int | None = None
        for is_layer, group in groupby(parts, key=lambda part: part[0]):
            firsts, seconds = zip(*[part[1:] for part in group])
            if is_layer:
                if row is None:
                    row = self._unit(seconds, start, firsts)
                else:
                    row = self._unit((row, *seconds), self._number(-0.0), (self._number(1.0), *firsts))
            else:
                begin = self._known(start)
                if row is None and begin != 0.0:
                    row = self._spread(start)
                y = self._new(True, self._is_active(True, firsts + seconds + (() if row is None else (row,))))
                self.code[True].append(
                    Dot(y, firsts, seconds, row, -0.0 if row is not None or begin is None else begin)
                )
                row = y
        return self._spread(start) if row is None else row

    def _part(self, a: Value, b: Value | None, negative: bool) -> tuple[bool, int, int]:
        """(True, weight, row), or (False, row, row)."""
        if b is not None and self.kind[id(a)] == self.kind[id(b)] == ROW:
            if not negative:
                return False, self._at(a), self._at(b)
            return True, self._number(-1.0), self._map(ops.mul, [self._at(a), self._at(b)], rows=True)
        if self.kind[id(a)] != ROW and (b is None or self.kind[id(b)] != ROW):
            return True, self._shared_sum(-0.0, [(a, b, negative)]), ONES
        if b is None:
            return True, self._number(-1.0 if negative else 1.0), self._at(a)
        row, weight = (a, b) if self.kind[id(a)] == ROW else (b, a)
        return True, self._negated(self._at(weight)) if negative else self._at(weight), self._at(row)

    def _negated(self, shared: int) -> int:
        known = self._known(shared)
        return self._map(ops.neg, [shared], rows=False) if known is None else self._number(-known)

    def _short(self, parts: Sequence[tuple[bool, int, int]]) -> int | None:
        """The row of a sum of one or two terms, where a primitive does it: many of these are one instruction."""
        one, minus = self._number(1.0), self._number(-1.0)
        if len(parts) == 1:
            is_layer, a, row = parts[0]
            if not is_layer:
                return self._map(ops.mul, [a, row], rows=True)
            if row == ONES or self._known(a) is None:
                return None
            if a == one:
                return row
            return self._map(ops.neg, [row], rows=True) if a == minus else self._map(ops.mul, [row], True, [a])
        if len(parts) == 2:
            (first, a, x), (second, b, y) = parts
            if first and second and a == one and b in (one, minus) and ONES not in (x, y):
                return self._map(ops.add if b == one else ops.sub, [x, y], rows=True)
        return None

    def _unit(self, inputs: tuple[int, ...], start: int, weights: tuple[int, ...]) -> int:
        """A unit on these rows. All units on the same rows are computed where the first of them is."""
        y = self._new(True, self._is_active(True, inputs) or self._is_active(False, (start, *weights)))
        unit, body = Unit(y, start, weights), self.code[True]
        if inputs in self.units:
            self.units[inputs].append(unit)
        else:
            self.units[inputs] = [unit]
            body.append(Layer(inputs, ()))  # its units are put in at the end
        return y

    # ---- the end ----

    def _finish(self) -> None:
        """Number rows and shared numbers anew, in the order of their computation, and join like instructions."""
        tape = self.tape
        tape.constants = self.numbers
        body = [replace(i, units=tuple(self.units[i.inputs])) if isinstance(i, Layer) else i for i in self.code[True]]
        before = len(tape.parameters) + len(tape.constants)
        shared = {k: k for k in range(len(tape.parameters))}
        shared |= {CONSTANTS + k: len(tape.parameters) + k for k in range(len(tape.constants))}
        shared |= {y: before + k for k, y in enumerate([y for i in self.code[False] for y in outputs(i)])}
        rows = {k: k for k in range(1 + tape.n_inputs)}
        rows |= {y: len(rows) + k for k, y in enumerate([y for i in body for y in outputs(i)])}
        tape.n_shared, tape.n_rows = before + self.count[False] - RESULTS, self.count[True]
        tape.prelude = _joined([_moved(i, shared, shared) for i in self.code[False]])
        tape.body = _joined([_moved(i, rows, shared) for i in body])
        tape.results = [rows[y] for y in tape.results]
        tape.active_shared = {shared[s] for s in tape.active_shared}
        tape.active_rows = {rows[r] for r in tape.active_rows}


def _folded(total: float, terms: Sequence[Term]) -> float:
    for a, b, negative in terms:
        product = a.data if b is None else a.data * b.data
        total += -product if negative else product
    return total


ONES = 0  # the row of ones
# While a tape is written, constants and results of the prelude have these places and those after; parameters are below.
CONSTANTS, RESULTS = 1 << 40, 1 << 41


def _moved(i: Instruction, rows: Mapping[int, int], shared: Mapping[int, int]) -> Instruction:
    """The instruction with other places for its rows and shared numbers."""
    match i:
        case Layer(inputs, units):
            moved = [Unit(rows[u.y], shared[u.start], _all(shared, u.weights)) for u in units]
            return Layer(_all(rows, inputs), tuple(moved))
        case Dot(y, a, b, start, zero):
            return Dot(rows[y], _all(rows, a), _all(rows, b), None if start is None else rows[start], zero)
        case Map(op, z, operands, count, constants):  # not joined yet, so that none is fixed
            return Map(op, rows[z], _all(rows, operands), count, _all(shared, constants))
        case LogSumExp(y, operands):
            return LogSumExp(rows[y], _all(rows, operands))
        case Pick(y, index, values, is_shared):
            return Pick(rows[y], rows[index], _all(shared if is_shared else rows, values), is_shared)


def _all(places: Mapping[int, int], old: Sequence[int]) -> tuple[int, ...]:
    return tuple([places[k] for k in old])


def _joined(code: Sequence[Instruction]) -> list[Instruction]:
    """The same with Maps that do alike to the rows after those of the one before joined with it.

    An operand is the next row, or each time the same one: r5 = mul(r1, r4) and r6 = mul(r2, r4) are one instruction.
    ``r3 = tanh(r2)`` and ``r4 = tanh(r3)`` are not: the second takes what the first computes.
    """
    joined: list[Instruction] = []
    for i in code:
        last = joined[-1] if joined else None
        if isinstance(i, Map) and isinstance(last, Map) and (last.op, last.constants) == (i.op, i.constants):
            n, places = last.count, range(len(i.operands))
            fixed = last.fixed if n > 1 else tuple([j for j in places if i.operands[j] == last.operands[j]])
            longer = replace(last, count=n + 1, fixed=fixed)
            follows = i.z == last.z + n and [longer.operand(j, n) for j in places] == [*i.operands]
            own = range(last.z, last.z + n + 1)
            if follows and len(fixed) < len(places) and not any([x in own for x in (*i.operands, *last.operands)]):
                joined[-1] = longer
                continue
        joined.append(i)
    return joined
