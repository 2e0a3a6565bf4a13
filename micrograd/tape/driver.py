"""The loops around a program's kernels, compiled once for all programs: a batch, its results, many batches in a row.

A program is a list of words: ``HEADER`` says which. Its steps are words too: the address of a kernel, how many words
the step has, and the words that the kernel is given. One block of memory holds the shared numbers S and their
derivatives D, the rows' values V and derivatives G, for one call at a time.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from micrograd.tape.kernels import LANES, PARAMETERS, Place
from micrograd.tape.llvm import SCALAR, VECTOR, WIDTH, Code, module

# Counts; places of D, V and G in memory, in numbers; addresses of result rows and of steps, and where these end.
HEADER = (
    *("inputs", "parameters", "shared", "computed", "rows", "results"),
    *("D", "V", "G", "result_rows"),
    *("prelude", "prelude_end", "body", "body_end", "body_back", "body_back_end", "prelude_back", "prelude_back_end"),
)
_BATCH = "ptr %program, ptr %S, ptr %parameters, ptr %columns, i64 %samples, ptr %chosen, i64 %count"


class _Driver(Code):
    """A function of a program."""

    def field(self, name: str) -> str:
        return self.let(f"load i64, ptr {self.at('%program', HEADER.index(name))}")

    def part(self, name: str) -> str:
        """The place of D, V or G in memory."""
        return self.at("%S", self.field(name))

    def word(self, base: str, place: int | str) -> str:
        return self.let(f"load i64, ptr {self.at(base, place)}")

    def copy(self, source: str, to: str, count: str) -> None:
        size = self.times(count, 8)
        self.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self.do(f"call void @llvm.memcpy.p0.p0.i64(ptr align 8 {to}, ptr align 8 {source}, i64 {size}, i1 false)")

    def clear(self, to: str, count: str) -> None:
        size = self.times(count, 8)
        self.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        self.do(f"call void @llvm.memset.p0.i64(ptr align 8 {to}, i8 0, i64 {size}, i1 false)")

    def least(self, a: int | str, b: int | str) -> str:
        self.declared.add("declare i64 @llvm.umin.i64(i64, i64)")
        return self.let(f"call i64 @llvm.umin.i64(i64 {a}, i64 {b})")

    def run(self, steps: str, rows: str = "ptr %S, ptr %D", lanes: Place = 1, live: Place = 1) -> None:
        begin, end = [self.let(f"inttoptr i64 {self.field(name)} to ptr") for name in (steps, steps + "_end")]
        self.do(f"call void @run({rows}, ptr %S, ptr %D, i64 {lanes}, ptr {begin}, i64 {live}, ptr {end})")

    def reduce(self, base: str, count: int | str, add: Callable[[str, str], str]) -> str:
        """A sum of terms over numbers that follow one another, in eight vectors; ``add(total, x)`` adds a term."""
        whole = self.let(f"and i64 {count}, -{WIDTH * WIDTH}")
        self.kind = VECTOR
        totals = [self.variable(self.zero) for _ in range(WIDTH)]
        with self.loop(whole, WIDTH * WIDTH, maybe=True) as i:
            for k, total in enumerate(totals):
                self.set(total, add(self.get(total), self.load(base, self.plus(i, k * WIDTH))))
        sums = self.sum_of(self.sums_of([self.get(total) for total in totals]))
        self.kind = SCALAR
        rest = self.variable(sums)
        with self.loop(count, 1, whole, maybe=True) as i:
            self.set(rest, add(self.get(rest), self.load(base, i)))
        return self.get(rest)

    def scale(self, source: str, to: str, count: str, factor: str) -> None:
        """Products with a factor, eight at a time."""
        whole = self.let(f"and i64 {count}, -{WIDTH}")
        for self.kind, step, first, end in ((VECTOR, WIDTH, "0", whole), (SCALAR, 1, whole, count)):
            factors = self.spread(factor)
            with self.loop(end, step, first, maybe=True) as i:
                self.store(self.mul(self.load(source, i), factors), to, i)

    def zero_or_nan(self, total: str, x: str) -> str:
        """Add 0·x to a total: nan if x is not finite; nothing overflows."""
        return self.call("fma", x, self.zero, total)


# Call the kernels of the steps, one after the other.
_RUN = f"""\
define internal void @run({PARAMETERS.replace("words", "begin")}, ptr %end) #0 {{
entry:
  %some = icmp ult ptr %begin, %end
  br i1 %some, label %step, label %done
step:
  %at = phi ptr [%begin, %entry], [%next, %step]
  %kernel = load ptr, ptr %at
  %length_at = getelementptr i64, ptr %at, i64 1
  %length = load i64, ptr %length_at
  %words = getelementptr i64, ptr %at, i64 2
  call void %kernel(ptr %V, ptr %G, ptr %S, ptr %D, i64 %lanes, ptr %words, i64 %live)
  %next = getelementptr i64, ptr %at, i64 %length
  %more = icmp ult ptr %next, %end
  br i1 %more, label %step, label %done
done:
  ret void
}}"""


def _spoiled(code: _Driver) -> str:
    """0 if all numbers are finite, else nan."""
    code.do(f"ret double {code.reduce('%numbers', '%count', code.zero_or_nan)}")
    return code.function("spoiled", "ptr %numbers, i64 %count", "double", linkage="internal ")


def _begin(code: _Driver) -> str:
    """Take the parameters, and compute what depends on them alone."""
    code.copy("%parameters", "%S", code.field("parameters"))
    code.run("prelude")
    return code.function("begin", "ptr %program, ptr %S, ptr %D, ptr %parameters", linkage="internal ")


def _forward(code: _Driver) -> str:
    """Take so many samples from ``start`` on, a lane each, and compute their rows. Lanes left over repeat the last."""
    v, positions = code.part("V"), code.variable("zeroinitializer", f"[{LANES} x i64]")
    last = code.let("sub i64 %live, 1")
    with code.loop("%lanes") as lane:
        code.store(code.number(1.0), v, lane)
        k = code.plus("%start", code.least(lane, last))
        code.do(f"store i64 {code.word('%chosen', k)}, ptr {code.at(positions, lane)}")
    with code.loop(code.field("inputs"), maybe=True) as i:
        column, row = code.at("%columns", code.times(i, "%samples")), code.times(code.plus(i, 1), "%lanes")
        with code.loop("%lanes") as lane:
            x = code.load(column, code.word(positions, lane))
            code.store(x, v, code.plus(row, lane))
    code.run("body", f"ptr {v}, ptr {code.part('G')}", "%lanes", "%live")
    return code.function(
        "forward", f"{_BATCH.replace('count', 'start')}, i64 %live, i64 %lanes, ptr %D", linkage="internal "
    )


@contextmanager
def _blocks(code: _Driver) -> Iterator[tuple[str, str, str]]:
    """For each block of samples: its start, how many they are, and how many lanes that takes; the rows are computed."""
    with code.loop("%count", LANES, maybe=True) as start:
        live = code.least(code.let(f"sub i64 %count, {start}"), LANES)
        lanes = code.let(f"and i64 {code.plus(live, WIDTH - 1)}, -{WIDTH}")
        batch = f"{_BATCH.replace('%count', start)}, i64 {live}, i64 {lanes}, ptr %D"
        code.do(f"call void @forward({batch})")
        yield start, live, lanes


def _slopes(code: _Driver) -> str:
    """The sum of the losses, nan if a result on the way is not finite; the gradient is at the beginning of D."""
    v, g = code.part("V"), code.part("G")
    code.do("call void @begin(ptr %program, ptr %S, ptr %D, ptr %parameters)")
    code.clear("%D", code.field("shared"))
    first = code.plus(code.field("inputs"), 1)
    rows = code.let(f"sub i64 {code.field('rows')}, {first}")
    result = code.word(code.let(f"inttoptr i64 {code.field('result_rows')} to ptr"), 0)
    bad = code.variable(code.zero)
    code.kind = VECTOR
    total = code.variable(code.zero)
    ones, numbers = code.number(1.0), f"<{WIDTH} x i64>"
    counted = f"<{', '.join([f'i64 {k}' for k in range(WIDTH)])}>"
    with _blocks(code) as (_, live, lanes):
        with code.loop(lanes, WIDTH) as lane:
            left = code.let(f"sub i64 {live}, {lane}")
            some = code.let(f"insertelement {numbers} poison, i64 {left}, i64 0")
            some = code.let(f"shufflevector {numbers} {some}, {numbers} poison, <{WIDTH} x i32> zeroinitializer")
            used = code.let(f"icmp slt {numbers} {counted}, {some}")
            place = code.plus(code.times(result, lanes), lane)
            code.store(code.select(used, ones, code.zero), g, place)
            code.set(total, code.add(code.get(total), code.select(used, code.load(v, place), code.zero)))
        computed = code.at(v, code.times(first, lanes))
        found = code.let(f"call double @spoiled(ptr {computed}, i64 {code.times(rows, lanes)})")
        code.set(bad, code.let(f"fadd double {code.get(bad, SCALAR)}, {found}"), SCALAR)
        code.run("body_back", f"ptr {v}, ptr {g}", lanes, live)
    loss = code.sum_of(code.get(total))
    code.kind = SCALAR
    code.run("prelude_back")
    results = code.let(f"sub i64 {code.field('shared')}, {code.field('computed')}")
    found = code.let(f"call double @spoiled(ptr {code.at('%S', code.field('computed'))}, i64 {results})")
    code.do(f"ret double {code.add(loss, code.add(found, code.zero_or_nan(code.get(bad), loss)))}")
    return code.function("slopes", f"{_BATCH}, ptr %D", SCALAR, linkage="internal ")


def _gradient(code: _Driver) -> str:
    """The same, nan also if the gradient is not finite; and the gradient."""
    code.do("%D = " + _of(code, "D"))
    loss = code.let(f"call double @slopes({_BATCH}, ptr %D)")
    count = code.field("parameters")
    code.copy("%D", "%gradient", count)
    found = code.let(f"call double @spoiled(ptr %D, i64 {count})")
    code.do(f"ret double {code.add(loss, found)}")
    return code.function("gradient", f"{_BATCH}, ptr %gradient", SCALAR)


def _of(code: _Driver, name: str) -> str:
    return f"getelementptr inbounds double, ptr %S, i64 {code.field(name)}"


def _results(code: _Driver) -> str:
    """The results of each sample, one after the other."""
    code.do("%D = " + _of(code, "D"))
    v, count = code.part("V"), code.field("results")
    rows = code.let(f"inttoptr i64 {code.field('result_rows')} to ptr")
    code.do("call void @begin(ptr %program, ptr %S, ptr %D, ptr %parameters)")
    with _blocks(code) as (start, live, lanes), code.loop(live) as lane:
        to = code.at("%to", code.times(code.plus(start, lane), count))
        with code.loop(count, maybe=True) as k:
            code.store(code.load(v, code.plus(code.times(code.word(rows, k), lanes), lane)), to, k)
    return code.function("results", f"{_BATCH}, ptr %to")


# ---- steps of an optimizer -------------------------------------------------------------------------------------------

_STEP = "ptr %rule, ptr %table, ptr %new, i64 %count, i64 %columns, ptr %settings, double %max_norm"


def _step(code: _Driver) -> str:
    """Clip the gradient, in the second row of the new table, and make the rest of it; whether all in it is finite."""
    gradient, limit = code.at("%new", "%count"), code.number(math.inf)
    code.do(f"br i1 {code.compare('olt', '%max_norm', limit)}, label %clip, label %change")
    code.label("clip")
    squares = code.reduce(gradient, "%count", lambda total, x: code.add(total, code.mul(x, x)))
    sizes = code.reduce(gradient, "%count", lambda total, x: code.add(total, code.call("fabs", x)))
    # Squares that overflow or vanish say nothing of the norm.
    large, finite = code.compare("oge", squares, code.number(1e-280)), code.compare("olt", squares, limit)
    known = code.let(f"and i1 {large}, {finite}")
    known = code.let(f"or i1 {known}, {code.compare('oeq', sizes, code.zero)}")
    code.do(f"br i1 {known}, label %compare, label %no")
    code.label("compare")
    norm = code.call("sqrt", squares)
    code.do(f"br i1 {code.compare('ogt', norm, '%max_norm')}, label %scale, label %change")
    code.label("scale")
    share = code.div("%max_norm", norm)
    code.scale(gradient, gradient, "%count", share)
    code.do("br label %change")
    code.label("change")
    spoiled = code.let("call double %rule(ptr %table, ptr %new, i64 %count, ptr %settings)")
    code.do(f"ret i1 {code.compare('oeq', spoiled, code.zero)}")
    code.label("no")
    code.do("ret i1 false")
    return code.function("step", _STEP, "i1", linkage="internal ")


def _apply(code: _Driver) -> str:
    """A step by the gradient in the table: 1 if it was taken, else 0 and the table is as it was."""
    code.copy(code.at("%table", "%count"), code.at("%new", "%count"), "%count")
    code.do(f"br i1 {code.let(f'call i1 @step({_STEP})')}, label %taken, label %stop")
    code.label("taken")
    code.copy("%new", "%table", str(code.times("%count", "%columns")))
    code.do("ret i64 1")
    code.label("stop")
    code.do("ret i64 0")
    return code.function("apply", _STEP, "i64")


_JOB = (
    "ptr %program, ptr %S, ptr %where, ptr %collected, ptr %inputs, i64 %samples, ptr %order, ptr %ends, ptr %shares, "
    "ptr %rates, i64 %batches, i64 %steps, ptr %losses"
)


_PLACE = "ptr %program, ptr %D, ptr %where, ptr %gradient, i64 %count, double %share"


def _place(code: _Driver) -> str:
    """The gradient times a share, where the program's parameters are among all; 0 elsewhere."""
    parameters = code.field("parameters")
    code.do(f"br i1 {code.let('icmp ne ptr %where, null')}, label %scatter, label %follow")
    code.label("scatter")
    code.clear("%gradient", "%count")
    with code.loop(parameters, maybe=True) as i:
        code.store(code.mul(code.load("%D", i), "%share"), "%gradient", code.word("%where", i))
    code.do("ret void")
    code.label("follow")
    code.scale("%D", "%gradient", parameters, "%share")
    code.clear(code.at("%gradient", parameters), code.let(f"sub i64 %count, {parameters}"))
    return code.function("place", _PLACE, linkage="internal ")


def _train(code: _Driver) -> str:
    """Steps on one batch after the other: how many were taken before one in which something was not finite.

    Two tables take turns, the one before a step and the one after it.
    """
    code.do("%D = " + _of(code, "D"))
    done, begin = code.variable("0", "i64"), code.variable("0", "i64")
    old, new = code.variable("%table", "ptr"), code.variable("%new", "ptr")
    parameters = code.field("parameters")
    somewhere = code.let("icmp ne ptr %where, null")
    with code.loop("%batches", maybe=True) as k:
        table, other = code.get(old, "ptr"), code.get(new, "ptr")
        code.do(f"br i1 {somewhere}, label %collect, label %ready")
        code.label("collect")
        with code.loop(parameters, maybe=True) as i:
            code.store(code.load(table, code.word("%where", i)), "%collected", i)
        code.do("br label %ready")
        code.label("ready")
        data = code.let(f"select i1 {somewhere}, ptr %collected, ptr {table}")
        at, end = code.get(begin, "i64"), code.word("%ends", k)
        batch = f"ptr %inputs, i64 %samples, ptr {code.at('%order', at)}, i64 {code.let(f'sub i64 {end}, {at}')}"
        loss = code.let(f"call double @slopes(ptr %program, ptr %S, ptr {data}, {batch}, ptr %D)")
        code.do(f"br i1 {code.compare('uno', loss, loss)}, label %stop, label %finite")
        code.label("finite")
        code.store(loss, "%losses", k)
        share, gradient = code.load("%shares", k), code.at(other, "%count")
        code.do(f"call void @place({_PLACE.replace('%gradient', gradient).replace('%share', share)})")
        code.store(code.load("%rates", k), "%settings", 0)
        number = code.plus(code.plus("%steps", k), 1)
        code.store(code.let(f"uitofp i64 {number} to double"), "%settings", 1)
        step = _STEP.replace("%table", table).replace("%new", other)
        code.do(f"br i1 {code.let(f'call i1 @step({step})')}, label %taken, label %stop")
        code.label("taken")
        code.set(begin, end, "i64")
        code.set(done, str(code.plus(k, 1)), "i64")
        code.set(old, other, "ptr")
        code.set(new, table, "ptr")
    code.do("br label %stop")
    code.label("stop")
    last = code.get(old, "ptr")
    code.do(f"br i1 {code.let(f'icmp eq ptr {last}, %table')}, label %end, label %move")
    code.label("move")
    code.copy(last, "%table", str(code.times("%count", "%columns")))
    code.do("br label %end")
    code.label("end")
    code.do(f"ret i64 {code.get(done, 'i64')}")
    return code.function("train", f"{_STEP}, {_JOB}", "i64")


_FUNCTIONS = (_spoiled, _begin, _forward, _slopes, _gradient, _results, _step, _apply, _place, _train)
EXPORTS = ("gradient", "results", "apply", "train")


def text() -> str:
    """The text of all of it."""
    codes = [_Driver() for _ in _FUNCTIONS]
    functions = [write(code) for write, code in zip(_FUNCTIONS, codes)]
    return module([_RUN, *functions], set().union(*[code.declared for code in codes]))
