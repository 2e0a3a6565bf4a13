"""Write a function as LLVM's text, line by line: loops, sums in loops, vectors of eight numbers, and traced rules.

>>> code = Code(VECTOR)
>>> with code.loop("%n", WIDTH) as i:
...     x = code.load("%x", i)
...     code.store(code.let(f"fadd {VECTOR} {x}, {x}"), "%x", i)
>>> print(code.function("doubled", "ptr %x, i64 %n"))  # doctest: +ELLIPSIS
define void @doubled(ptr %x, i64 %n) #0 {
entry:
  br label %L1
...

A value is a name or a constant of LLVM's; places in memory count numbers of eight bytes from a pointer.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from micrograd.tape import vectormath
from micrograd.tape.symbols import COMPARISONS, Symbol, ordered

WIDTH = 8  # numbers in a vector
SCALAR, VECTOR = "double", f"<{WIDTH} x double>"
_INTRINSICS = ("sqrt", "fabs", "floor", "ceil", "trunc", "copysign", "fma")  # exact, and vector instructions

# A function is optimised for itself: kernels are many, and inlining them multiplies the time that compiling takes.
ATTRIBUTES = 'attributes #0 = { nounwind noinline "prefer-vector-width"="512" }'


class Code:
    """The body of a function.

    Attributes:
        kind: of the numbers that it works on, ``SCALAR`` or ``VECTOR``; may change on the way.
        declared: lines that declare what it calls.
    """

    def __init__(self, kind: str = SCALAR) -> None:
        self.kind = kind
        self.declared: set[str] = set()
        self._variables: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._block = "entry"

    # ---- lines -------------------------------------------------------------------------------------------------------

    def do(self, line: str) -> None:
        self._lines.append("  " + line)

    def let(self, expression: str) -> str:
        """A new name for the value of an expression."""
        self._count += 1
        self._lines.append(f"  %t{self._count} = {expression}")
        return f"%t{self._count}"

    def label(self, name: str) -> None:
        self._lines.append(f"{name}:")
        self._block = name

    def function(self, name: str, parameters: str, result: str = "void", linkage: str = "") -> str:
        """The text of the whole function."""
        end = ["  ret void", "}"] if result == "void" else ["}"]
        head = f"define {linkage}{result} @{name}({parameters}) #0 {{"
        return "\n".join([head, "entry:", *self._variables, *self._lines, *end])

    @contextmanager
    def loop(self, end: int | str, step: int = 1, start: int | str = 0, maybe: bool = False) -> Iterator[str]:
        """``for i in range(start, end, step)``; the body runs once at least, unless it is said that it may not."""
        self._count += 1
        n = self._count
        if maybe:
            some = self.let(f"icmp ult i64 {start}, {end}")
            self.do(f"br i1 {some}, label %L{n}, label %X{n}")
        else:
            self.do(f"br label %L{n}")
        before = self._block
        self.label(f"L{n}")
        self.do(f"%i{n} = phi i64 [{start}, %{before}], [%j{n}, %E{n}]")
        yield f"%i{n}"
        self.do(f"br label %E{n}")
        self.label(f"E{n}")
        self.do(f"%j{n} = add nuw nsw i64 %i{n}, {step}")
        self.do(f"%c{n} = icmp ult i64 %j{n}, {end}")
        self.do(f"br i1 %c{n}, label %L{n}, label %X{n}")
        self.label(f"X{n}")

    # ---- variables, memory, whole numbers ----------------------------------------------------------------------------

    def variable(self, value: str, kind: str | None = None) -> str:
        """What a loop changes: LLVM keeps it in a register. Read by ``get``, written by ``set``."""
        self._count += 1
        self._variables.append(f"  %v{self._count} = alloca {kind or self.kind}")
        self.set(f"%v{self._count}", value, kind)
        return f"%v{self._count}"

    def get(self, variable: str, kind: str | None = None) -> str:
        return self.let(f"load {kind or self.kind}, ptr {variable}")

    def set(self, variable: str, value: str, kind: str | None = None) -> None:
        self.do(f"store {kind or self.kind} {value}, ptr {variable}")

    def at(self, base: str, place: int | str) -> str:
        return base if place == 0 else self.let(f"getelementptr inbounds double, ptr {base}, i64 {place}")

    def load(self, base: str, place: int | str, kind: str | None = None) -> str:
        return self.let(f"load {kind or self.kind}, ptr {self.at(base, place)}, align 8")

    def store(self, value: str, base: str, place: int | str, kind: str | None = None) -> None:
        self.do(f"store {kind or self.kind} {value}, ptr {self.at(base, place)}, align 8")

    def plus(self, a: int | str, b: int | str) -> int | str:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        return a if b == 0 else b if a == 0 else self.let(f"add nsw i64 {a}, {b}")

    def times(self, a: int | str, b: int | str) -> int | str:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        return 0 if 0 in (a, b) else a if b == 1 else b if a == 1 else self.let(f"mul nsw i64 {a}, {b}")

    # ---- numbers -----------------------------------------------------------------------------------------------------

    @property
    def zero(self) -> str:
        return self.number(0.0)

    def number(self, x: float) -> str:
        """A constant; in all places of a vector."""
        bits = f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"
        return bits if self.kind == SCALAR else f"splat (double {bits})"

    def whole(self, n: int) -> str:
        return str(n) if self.kind == SCALAR else f"splat (i64 {n})"

    def like(self, element: str) -> str:
        """The type of as many booleans (i1) or whole numbers (i64)."""
        return self.kind.replace("double", element)

    def spread(self, x: str) -> str:
        """A number in all places of a vector."""
        if self.kind == SCALAR:
            return x
        one = self.let(f"insertelement {VECTOR} poison, double {x}, i64 0")
        return self.let(f"shufflevector {VECTOR} {one}, {VECTOR} poison, <{WIDTH} x i32> zeroinitializer")

    def add(self, a: str, b: str) -> str:
        return self.let(f"fadd {self.kind} {a}, {b}")

    def sub(self, a: str, b: str) -> str:
        return self.let(f"fsub {self.kind} {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        return self.let(f"fmul {self.kind} {a}, {b}")

    def div(self, a: str, b: str) -> str:
        return self.let(f"fdiv {self.kind} {a}, {b}")

    def compare(self, how: str, a: str, b: str) -> str:
        return self.let(f"fcmp {how} {self.kind} {a}, {b}")

    def select(self, condition: str, one: str, other: str) -> str:
        return self.let(f"select {self.like('i1')} {condition}, {self.kind} {one}, {self.kind} {other}")

    def add_product(self, total: str, a: str, b: str) -> str:
        """Add a·b to a total, rounded once where the processor can: for the backward pass."""
        product = self.let(f"fmul contract {self.kind} {a}, {b}")
        return self.let(f"fadd contract {self.kind} {product}, {total}")

    def call(self, name: str, *operands: str) -> str:
        """A function of C, by its name."""
        typed = ", ".join([f"{self.kind} {x}" for x in operands])
        if name in vectormath.FUNCTIONS:
            return vectormath.FUNCTIONS[name](self, *operands)
        if name in _INTRINSICS:
            function = f"@llvm.{name}.{'f64' if self.kind == SCALAR else f'v{WIDTH}f64'}"
            self.declared.add(f"declare {self.kind} {function}({', '.join([self.kind] * len(operands))})")
            return self.let(f"call {self.kind} {function}({typed})")
        # LLVM must not replace it by what is nearly the same; without memory, equal calls are made once.
        self.declared.add(
            f"declare double @{name}({', '.join(['double'] * len(operands))}) nounwind willreturn memory(none)"
        )
        if self.kind == SCALAR:
            return self.let(f"call double @{name}({typed}) nobuiltin")
        result = "poison"
        for lane in range(WIDTH):
            numbers = [self.let(f"extractelement {VECTOR} {x}, i64 {lane}") for x in operands]
            y = self.let(f"call double @{name}({', '.join([f'double {x}' for x in numbers])}) nobuiltin")
            result = self.let(f"insertelement {VECTOR} {result}, double {y}, i64 {lane}")
        return result

    def sum_of(self, vector: str) -> str:
        """The sum of a vector's eight numbers, in halves, so that its order is fixed."""
        for half in (4, 2, 1):
            turned = self.shuffle(vector, "poison", [(lane + half) % WIDTH for lane in range(WIDTH)])
            vector = self.let(f"fadd {VECTOR} {vector}, {turned}")
        return self.let(f"extractelement {VECTOR} {vector}, i64 0")

    def sums_of(self, vectors: Sequence[str]) -> str:
        """The sums of eight vectors' numbers, as one vector: halves of pairs are added until one vector is left."""
        size = 1
        while len(vectors) > 1:
            pairs = []
            for a, b in zip(vectors[::2], vectors[1::2]):
                halves = []
                for half in (0, size):
                    places = [
                        i + half + k + WIDTH * source
                        for i in range(0, WIDTH, 2 * size)
                        for source in (0, 1)
                        for k in range(size)
                    ]
                    halves.append(self.shuffle(a, b, places))
                pairs.append(self.let(f"fadd {VECTOR} {halves[0]}, {halves[1]}"))
            vectors, size = pairs, 2 * size
        return vectors[0]

    def transposed(self, vectors: Sequence[str]) -> list[str]:
        """Number k of each of eight vectors, as vector k: a pair at a time, numbers change places across it."""
        found = [*vectors]
        for size in (1, 2, 4):
            for i in [i for i in range(WIDTH) if not i & size]:
                a, b = found[i], found[i + size]
                upper = [k if not k & size else WIDTH + k - size for k in range(WIDTH)]
                lower = [k + size if not k & size else WIDTH + k for k in range(WIDTH)]
                found[i], found[i + size] = self.shuffle(a, b, upper), self.shuffle(a, b, lower)
        return found

    def shuffle(self, a: str, b: str, places: Sequence[int]) -> str:
        """A vector of numbers of two, counted through both."""
        mask = f"<{WIDTH} x i32> <{', '.join([f'i32 {k}' for k in places])}>"
        return self.let(f"shufflevector {VECTOR} {a}, {VECTOR} {b}, {mask}")

    # ---- rules -------------------------------------------------------------------------------------------------------

    def rule(
        self,
        results: Sequence[Symbol],
        arguments: Sequence[str],
        fuse: bool = False,
        given: Mapping[int, str] = MappingProxyType({}),
    ) -> list[str]:
        """The values of traced expressions.

        Products may be fused with sums if ``fuse``. ``given`` are values that are known already, by id of the symbol.
        """
        values = dict(given)
        for symbol in ordered(results):
            if id(symbol) in given:
                continue
            values[id(symbol)] = self._operation(symbol, values, arguments, "contract " * fuse)
        return [values[id(symbol)] for symbol in results]

    def _operation(self, symbol: Symbol, values: dict[int, str], arguments: Sequence[str], flags: str) -> str:
        op = symbol.op
        if op == "argument":
            argument: str = arguments[symbol.args[0]]
            return argument
        if op == "number":
            return self.number(symbol.args[0])
        operands: list[str] = [values[id(a)] for a in symbol.args]
        if op in COMPARISONS:
            return self.compare(op, *operands)
        if op == "select":
            return self.select(*operands)
        if op == "fneg":
            return self.let(f"fneg {self.kind} {operands[0]}")
        if op in ("fadd", "fsub", "fmul", "fdiv"):
            return self.let(f"{op} {flags}{self.kind} {operands[0]}, {operands[1]}")
        return self.call(op, *operands)


def module(functions: Sequence[str], declared: set[str]) -> str:
    """Functions, and what they call, as one text to compile."""
    return "\n".join([*sorted(declared), *functions, ATTRIBUTES, ""])
