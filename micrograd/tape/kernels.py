"""The instructions of a tape as machine code: a function for each kind and size, forward and backward.

A block is ``LANES`` samples at most, eight at a time; a row has as many numbers as lanes are in use, and rows follow
one another. A kernel is called as

    void kernel(ptr V, ptr G, ptr S, ptr D, i64 lanes, ptr words, i64 live)

with the rows' values V and derivatives G, the shared numbers S and their derivatives D, how many lanes are in use (a
multiple of eight), the words of the instruction, which are places of its operands, and how many lanes have a sample of
their own; the rest repeat one, and no gradient comes to them. In the prelude a row is one number, V is S, and G is D.
Which kernel is called with which words is data (``Step``): tapes that differ in rows, or in how many instructions of a
kind they have, share their machine code.

Forward, each product is rounded before it is added, in the order of the tape: a vector holds lanes, never parts of one
sum. Backward, a product may be fused with the sum it is added to.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from micrograd.ops import Primitive
from micrograd.tape.llvm import SCALAR, VECTOR, WIDTH, Code, module
from micrograd.tape.symbols import forward, partials

LANES = 32
PARAMETERS = "ptr %V, ptr %G, ptr %S, ptr %D, i64 %lanes, ptr %words, i64 %live"
_DISTINCT = PARAMETERS.replace("ptr", "ptr noalias")  # in the body; the prelude's V and S are one
_NAN = "0x7FF8000000000000"


Place: TypeAlias = int | str  # a constant, or a name of LLVM's


class Places:
    """Where numbers lie: one after the other, at even steps, or anywhere, by a table after the other words.

    Attributes:
        key: stands for this in the name of a kernel: "r" for a run, "e" for even steps, "t" for a table.
        scale: how many numbers there are in memory for each that is counted: as many as lanes for a row.
        words: what a kernel is given: the first place and the step, or the table's place, filled in by ``step``.
    """

    def __init__(self, numbers: Sequence[int], scale: Place = 1) -> None:
        steps = {b - a for a, b in pairwise(numbers)} or {1}
        self.key = "r" if steps == {1} else "e" if len(steps) == 1 else "t"
        self.scale = scale
        self.words = [numbers[0], steps.pop()]
        self.table = [*numbers] if self.key == "t" else []


class At:
    """The same in a kernel: ``at(k)`` is the place of number k."""

    def __init__(self, code: Code, position: int, places: Places) -> None:
        self._code = code
        self._scale = places.scale
        self._word = code.let(f"load i64, ptr {code.at('%words', position)}")
        step: Place = code.let(f"load i64, ptr {code.at('%words', position + 1)}") if places.key == "e" else 1
        self._first, self._step = code.times(self._word, self._scale), code.times(step, self._scale)
        self._table = code.at("%words", self._word) if places.key == "t" else ""

    def __call__(self, k: Place = 0, lane: Place = 0) -> Place:
        code = self._code
        if self._table:
            place = code.let(f"load i64, ptr {code.at(self._table, k)}")
            return code.plus(code.times(place, self._scale), lane)
        return code.plus(code.plus(self._first, code.times(k, self._step)), lane)

    @property
    def word(self) -> str:
        """The number itself, where it is a count."""
        return self._word


@dataclass
class Step:
    """A call of a kernel: its name, and the words that it is given."""

    kernel: str
    words: list[int]


@dataclass
class Library:
    """The kernels that a program needs.

    Attributes:
        texts: LLVM's text of each kernel, by name.
        rules: the primitives that have kernels, by the name in them.
    """

    texts: dict[str, str] = field(default_factory=dict)
    rules: dict[str, Primitive] = field(default_factory=dict)

    def name(self, op: Primitive) -> str:
        """The primitive's name in names of functions; two that are called alike get two."""
        name = re.sub(r"\W", "_", op.name) + ("" if op.constant is None else f"_{op.constant}")
        while self.rules.setdefault(name, op) is not op:
            name += "_"
        return name


class Kernels:
    """Steps for instructions in the body, on rows, or in the prelude, on single numbers; writes kernels on the way."""

    def __init__(self, library: Library, prelude: bool) -> None:
        self.library = library
        self.prelude = prelude
        self.kind = SCALAR if prelude else VECTOR

    def rows(self, *rows: int) -> Places:
        return Places(rows, 1 if self.prelude else "%lanes")

    def step(self, name: str, parts: Sequence[int | Places], write: Callable[..., None]) -> Step:
        """A call of the kernel of that name; if it is new, ``write(code, *places)`` writes it."""
        places = [part if isinstance(part, Places) else Places([part]) for part in parts]
        keys = [part.key for part in parts if isinstance(part, Places)]
        name = f"{'prelude' if self.prelude else 'body'}_{name}_{''.join(keys)}"
        if name not in self.library.texts:
            code = Code(self.kind)
            write(code, *[At(code, 2 * k, p) for k, p in enumerate(places)])
            function = code.function(name, PARAMETERS if self.prelude else _DISTINCT)
            self.library.texts[name] = module([function], code.declared)
        words: list[int] = []
        tables: list[int] = []
        for p in places:
            words += [2 * len(places) + len(tables), 0] if p.table else p.words
            tables += p.table
        return Step(name, words + tables)

    @contextmanager
    def lanes(self, code: Code) -> Iterator[str]:
        """A loop over the lanes of a row, a vector of them at a time."""
        with code.loop("%lanes", WIDTH if code.kind == VECTOR else 1) as lane:
            yield lane

    # ---- layers: only in the body, where numbers are vectors ---------------------------------------------------------

    def layer(self, inputs: Sequence[int], ys: Sequence[int], starts: Sequence[int], weights: Sequence[int]) -> Step:
        """Each unit: start + Σ weight·input. ``weights`` are the places of each unit's first one."""
        units, n = len(ys), len(inputs)

        def write(code: Code, x: At, y: At, w: At, b: At) -> None:
            for some in _loops(code, units):
                results, firsts = [y(u) for u in some], [w(u) for u in some]
                begin = [code.spread(code.load("%S", b(u), SCALAR)) for u in some]
                with self.lanes(code) as lane:
                    sums = [code.variable(s) for s in begin]
                    for i in _each(code, n):
                        value = code.load("%V", x(i, lane))
                        for total, place in zip(sums, firsts):
                            weight = code.spread(code.load("%S", code.plus(place, i), SCALAR))
                            code.set(total, code.add(code.get(total), code.mul(weight, value)))
                    for total, place in zip(sums, results):
                        code.store(code.get(total), "%V", code.plus(place, lane))

        places = [self.rows(*(inputs or [0])), self.rows(*ys), Places(weights), Places(starts)]
        return self.step(f"layer_{units}x{n}", places, write)

    def layer_inputs(
        self, inputs: Sequence[int], positions: Sequence[int], ys: Sequence[int], weights: Sequence[int], fresh: bool
    ) -> Step:
        """Add to the derivative of each input Σ weight·derivative of the units; ``fresh`` if nothing is there yet.

        ``positions`` are those of the inputs' weights, counted from each unit's first one.
        """
        units, n = len(ys), len(inputs)
        alone = len(set(inputs)) < n  # a row that comes twice is added to twice, one after the other

        def write(code: Code, x: At, p: At, y: At, w: At) -> None:
            for some in _loops(code, n, 1 if alone else WIDTH):
                results, at = [x(i) for i in some], [p(i) for i in some]
                with self.lanes(code) as lane:
                    places = [code.plus(r, lane) for r in results]
                    sums = [code.variable(code.zero if fresh else code.load("%G", place)) for place in places]
                    for u in _each(code, units):
                        slope, unit = code.load("%G", y(u, lane)), w(u)
                        for total, position in zip(sums, at):
                            weight = code.spread(code.load("%S", code.plus(unit, position), SCALAR))
                            code.set(total, code.add_product(code.get(total), weight, slope))
                    for total, place in zip(sums, places):
                        code.store(code.get(total), "%G", place)

        name = f"layer_inputs_{units}x{n}{'_fresh' * fresh}{'_alone' * alone}"
        return self.step(name, [self.rows(*inputs), Places(positions), self.rows(*ys), Places(weights)], write)

    def layer_weights(
        self, inputs: Sequence[int], ys: Sequence[int], starts: Sequence[int], weights: Sequence[int]
    ) -> Step:
        """Add to the derivatives of each unit's start and weights, summed over the lanes.

        Where units are many, a vector holds weights, not lanes: for that, eight inputs at a time are turned round.
        """
        units, n = len(ys), len(inputs)
        turn = n // WIDTH * WIDTH if units >= 4 else 0  # so many inputs; the others' slopes are sums over vectors

        def write(code: Code, x: At, y: At, w: At, b: At) -> None:
            if turn:
                self._turned(code, (units, turn), x, y, w)
            for tile in _loops(code, units if turn or n < WIDTH else 0):
                for k in range(turn, n):
                    self._sums(code, [(y(u), x(k), code.plus(w(u), k)) for u in tile])
            for u in _loops(code, 0 if turn or n < WIDTH else units, 1):
                for tile in _loops(code, n):
                    self._sums(code, [(y(u[0]), x(k), code.plus(w(u[0]), k)) for k in tile])
            for tile in _loops(code, units):
                self._sums(code, [(y(u), None, b(u)) for u in tile])

        places = [self.rows(*(inputs or [0])), self.rows(*ys), Places(weights), Places(starts)]
        return self.step(f"layer_weights_{units}x{n}", places, write)

    def _sums(self, code: Code, terms: Sequence[tuple[Place, Place | None, Place]]) -> None:
        """For eight at most of (unit, input or None, place in D): add the sum over lanes of their product."""
        sums = [code.variable(code.zero) for _ in terms]
        with self.lanes(code) as lane:
            for total, (unit, x, _) in zip(sums, terms):
                slope = code.load("%G", code.plus(unit, lane))
                if x is None:
                    code.set(total, code.add(code.get(total), slope))
                else:
                    code.set(total, code.add_product(code.get(total), slope, code.load("%V", code.plus(x, lane))))
        totals = code.sums_of([code.get(total) for total in sums] + [code.zero] * (WIDTH - len(terms)))
        for k, (_, _, place) in enumerate(terms):  # one after the other, since places may be the same
            slope = code.let(f"extractelement {VECTOR} {totals}, i64 {k}")
            before = code.load("%D", place, SCALAR)
            code.store(code.let(f"fadd double {before}, {slope}"), "%D", place, SCALAR)

    def _turned(self, code: Code, size: tuple[int, int], x: At, y: At, w: At) -> None:
        """The slopes of the weights of the first inputs, as many as whole vectors of weights take."""
        units, n = size
        turned = code.variable("zeroinitializer", f"[{LANES * WIDTH} x double]")
        for some in _loops(code, n):
            places = [x(i) for i in some]
            with self.lanes(code) as lane:
                for k, vector in enumerate(code.transposed([code.load("%V", code.plus(p, lane)) for p in places])):
                    code.store(vector, turned, code.times(code.plus(lane, k), WIDTH))
            for tile in _loops(code, units):
                rows, sums = [y(u) for u in tile], [code.variable(code.zero) for _ in tile]
                with code.loop("%live") as lane:
                    inputs = code.load(turned, code.times(lane, WIDTH))
                    for total, row in zip(sums, rows):
                        slope = code.spread(code.load("%G", code.plus(row, lane), SCALAR))
                        code.set(total, code.add_product(code.get(total), slope, inputs))
                for total, u in zip(sums, tile):  # one after the other, since units may share weights
                    place = code.plus(w(u), some[0])
                    code.store(code.add(code.load("%D", place), code.get(total)), "%D", place)

    # ---- products of rows --------------------------------------------------------------------------------------------

    def dot(self, y: int, a: Sequence[int], b: Sequence[int], start: int | None, zero: float) -> Step:
        def write(code: Code, result: At, count: At, first: At, one: At, other: At) -> None:
            with self.lanes(code) as lane:
                total = code.variable(code.number(zero) if start is None else code.load("%V", first(0, lane)))
                with code.loop(count.word) as i:
                    product = code.mul(code.load("%V", one(i, lane)), code.load("%V", other(i, lane)))
                    code.set(total, code.add(code.get(total), product))
                code.store(code.get(total), "%V", result(0, lane))

        parts: list[int | Places] = [self.rows(y), len(a), self.rows(start or 0), self.rows(*a), self.rows(*b)]
        return self.step(f"dot{zero}" if start is None else "dot_start", parts, write)

    def dot_back(self, y: int, to: Sequence[int], others: Sequence[int]) -> Step:
        """Add to the derivative of each row of ``to`` that of y, times the row it was multiplied with."""

        def write(code: Code, result: At, count: At, one: At, other: At) -> None:
            with self.lanes(code) as lane:
                slope = code.load("%G", result(0, lane))
                with code.loop(count.word) as i:
                    place = one(i, lane)
                    value = code.load("%V", other(i, lane))
                    code.store(code.add_product(code.load("%G", place), slope, value), "%G", place)

        return self.step("dot_back", [self.rows(y), len(to), self.rows(*to), self.rows(*others)], write)

    def add_back(self, y: int, to: int, fresh: bool) -> Step:
        """Add to the derivative of a row that of y."""

        def write(code: Code, result: At, one: At) -> None:
            with self.lanes(code) as lane:
                slope, place = code.load("%G", result(0, lane)), one(0, lane)
                code.store(slope if fresh else code.add(code.load("%G", place), slope), "%G", place)

        return self.step("add_back" + "_fresh" * fresh, [self.rows(y), self.rows(to)], write)

    # ---- primitives --------------------------------------------------------------------------------------------------

    def map(
        self,
        op: Primitive,
        z: int,
        operands: Sequence[int],
        count: int,
        constants: Sequence[int],
        fixed: Sequence[int] = (),
    ) -> Step:
        """The primitive on ``count`` rows; operands at the positions ``fixed`` are one row for all."""

        def write(code: Code, count: At, *places: At) -> None:
            expressions = [forward(op, len(operands), len(constants))]

            def numbers(result: Place, *at: Place) -> None:
                arguments = [code.load("%V", place) for place in at] + self._constants(code, places[len(rows) :])
                code.store(code.rule(expressions, arguments)[0], "%V", result)

            rows = places[: 1 + len(operands)]
            self._over(code, count.word, rows, fixed, numbers)

        name = f"map_{self.library.name(op)}_{len(operands)}_{len(constants)}{_letters(operands, fixed)}"
        return self.step(name, [count, *map(self.rows, (z, *operands)), *constants], write)

    def map_back(
        self,
        op: Primitive,
        z: int,
        operands: Sequence[int],
        count: int,
        constants: Sequence[int],
        fixed: Sequence[int],
        how: str,
    ) -> Step:
        """Add to each operand's derivative slope times that of z.

        ``how`` has a letter for each operand: "a" to add, "f" if it is fresh, so that nothing is there to add to, and
        "-" if no gradient goes there.
        """

        def write(code: Code, count: At, *places: At) -> None:
            slopes = partials(op, len(operands), len(constants))
            used = [k for k, letter in enumerate(how) if letter != "-"]

            def numbers(result: Place, *at: Place) -> None:
                arguments = [code.load("%V", place) for place in (result, *at)]
                arguments += self._constants(code, places[len(rows) :])
                outer = code.load("%G", result)
                for j, slope in zip(used, code.rule([slopes[j] for j in used], arguments, fuse=True)):
                    if how[j] == "f":
                        code.store(code.mul(outer, slope), "%G", at[j])
                    else:
                        code.store(code.add_product(code.load("%G", at[j]), outer, slope), "%G", at[j])

            rows = places[: 1 + len(operands)]
            self._over(code, count.word, rows, fixed, numbers)

        name = f"map_back_{self.library.name(op)}_{len(constants)}{_letters(operands, fixed)}_{how}"
        return self.step(name, [count, *map(self.rows, (z, *operands)), *constants], write)

    def _constants(self, code: Code, places: Sequence[At]) -> list[str]:
        return [code.spread(code.load("%S", p.word, SCALAR)) for p in places]

    def _over(
        self, code: Code, count: str, rows: Sequence[At], fixed: Sequence[int], numbers: Callable[..., None]
    ) -> None:
        """Call ``numbers`` with the places in result and operands, for all results, eight at a time.

        Rows that follow one another are one run of numbers; in the prelude some may be left over. Where an operand is
        one row for all, it goes row by row.
        """
        if fixed:
            with code.loop(count) as row, self.lanes(code) as lane:
                numbers(*[at(0 if j - 1 in fixed else row, lane) for j, at in enumerate(rows)])
            return
        if not self.prelude:
            with code.loop(str(code.times(count, "%lanes")), WIDTH) as k:
                numbers(*[at(0, k) for at in rows])
            return
        whole = code.let(f"and i64 {count}, -{WIDTH}")
        for code.kind, step, first, end in ((VECTOR, WIDTH, "0", whole), (SCALAR, 1, whole, count)):
            with code.loop(end, step, first, maybe=True) as k:
                numbers(*[at(0, k) for at in rows])

    # ---- logsumexp and pick ------------------------------------------------------------------------------------------

    def logsumexp(self, y: int, operands: Sequence[int]) -> Step:
        def write(code: Code, result: At, count: At, x: At) -> None:
            with self.lanes(code) as lane:
                top = code.variable(code.load("%V", x(0, lane)))
                with code.loop(count.word) as i:
                    value, largest = code.load("%V", x(i, lane)), code.get(top)
                    code.set(top, code.select(code.compare("ogt", value, largest), value, largest))
                largest = code.get(top)
                total = code.variable(code.zero)
                with code.loop(count.word) as i:
                    term = code.call("exp", code.sub(code.load("%V", x(i, lane)), largest))
                    code.set(total, code.add(code.get(total), term))
                rows = [largest, code.get(total)]
                for k, value in enumerate([code.add(largest, code.call("log", rows[1])), *rows]):
                    code.store(value, "%V", result(k, lane))

        return self.step("logsumexp", [self.rows(y), len(operands), self.rows(*operands)], write)

    def logsumexp_back(self, y: int, operands: Sequence[int], fresh: bool) -> Step:
        def write(code: Code, result: At, count: At, x: At) -> None:
            with self.lanes(code) as lane:
                top, total = [code.load("%V", result(k, lane)) for k in (1, 2)]
                outer = code.load("%G", result(0, lane))
                with code.loop(count.word) as i:
                    at = x(i, lane)
                    share = code.div(code.call("exp", code.sub(code.load("%V", at), top)), total)
                    if fresh:
                        code.store(code.mul(outer, share), "%G", at)
                    else:
                        code.store(code.add_product(code.load("%G", at), outer, share), "%G", at)

        name = "logsumexp_back" + "_fresh" * fresh
        return self.step(name, [self.rows(y), len(operands), self.rows(*operands)], write)

    def pick(self, y: int, index: int, values: Sequence[int], shared: bool, back: bool = False) -> Step:
        """Lane by lane, since each may pick another; ``back`` adds the derivative of y to that of what was picked."""

        def write(code: Code, result: At, at: At, count: At, value: At) -> None:
            code.kind = SCALAR
            code.declared.add("declare i64 @llvm.fptoui.sat.i64.f64(double)")
            with code.loop("%lanes") as lane:
                number = code.load("%V", at(0, lane))
                k = code.let(f"call i64 @llvm.fptoui.sat.i64.f64(double {number})")
                whole = code.compare("oeq", code.let(f"uitofp i64 {k} to double"), number)
                inside = code.let(f"and i1 {whole}, {code.let(f'icmp ult i64 {k}, {count.word}')}")
                place = value(code.let(f"select i1 {inside}, i64 {k}, i64 0"), 0 if shared else lane)
                if back:
                    to = "%D" if shared else "%G"
                    code.store(code.add(code.load(to, place), code.load("%G", result(0, lane))), to, place)
                else:
                    picked = code.load("%S" if shared else "%V", place)
                    code.store(code.select(inside, picked, _NAN), "%V", result(0, lane))

        parts: list[int | Places] = [
            self.rows(y),
            self.rows(index),
            len(values),
            Places(values) if shared else self.rows(*values),
        ]
        return self.step("pick" + "_shared" * shared + "_back" * back, parts, write)

    # ---- numbers that are moved --------------------------------------------------------------------------------------

    def zero(self, first: int, count: int) -> Step:
        """Set the derivatives of rows that follow one another to 0."""

        def write(code: Code, count: At, row: At) -> None:
            self._over(code, count.word, [row], (), lambda place: code.store(code.zero, "%G", place))

        return self.step("zero", [count, self.rows(first)], write)

    def pack(self, first: int, places: Sequence[int], back: bool = False) -> Step:
        """Copy shared numbers to where they follow one another; ``back`` adds their derivatives to the originals'."""

        def write(code: Code, count: At, to: At, source: At) -> None:
            with code.loop(count.word) as k:
                packed, place = code.plus(to.word, k), source(k)
                if back:
                    code.store(code.add(code.load("%D", place), code.load("%D", packed)), "%D", place)
                else:
                    code.store(code.load("%S", place), "%S", packed)

        return self.step("pack" + "_back" * back, [len(places), first, Places(places)], write)


def _letters(operands: Sequence[int], fixed: Sequence[int]) -> str:
    """For the name of a kernel: which operands are one row for all."""
    return "_" + "".join(["1" if j in fixed else "n" for j in range(len(operands))]) if fixed else ""


def _each(code: Code, count: int) -> Iterator[Place]:
    """0, 1, …, count - 1: one after the other where they are few, else in a loop."""
    if count <= 4:
        yield from range(count)
    else:
        with code.loop(count) as i:
            yield i


def _loops(code: Code, count: int, size: int = WIDTH) -> Iterator[list[Place]]:
    """Loops over 0, 1, …, count - 1, so many at a time, and then the rest; what is written for one is its body."""
    whole = count // size * size
    for first, end, step in ((0, whole, size), (whole, count, count - whole)):
        if first < end:
            with code.loop(end, step, first) as tile:
                yield [code.plus(tile, k) for k in range(step)]
