"""exp and tanh without branches and tables, as vector code: several times as fast as C's for each number.

Both reduce their argument to x = n·ln 2 + r with |r| ≤ ln 2 / 2 and use exp(x) = 2ⁿ·(1 + q) with q = expm1(r), the
Taylor polynomial of degree 13, whose remainder is below 4e-18. exp is within 1 unit in the last place, tanh(x) =
e/(e + 2) with e = expm1(2x) within 3. nan stays nan; exp overflows to inf and underflows through the subnormal numbers.
"""

import math
from collections.abc import Callable
from typing import Protocol

_LOG2_E = 1 / math.log(2)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # as in fdlibm; high has zeros at its end
_ROUND = 1.5 * 2.0**52  # added to a number, it leaves the nearest whole number in the last bits
_BIAS = 1023  # of the exponent in a number's bits


class Writer(Protocol):
    """What writes an operation and gives its value a name."""

    kind: str

    def let(self, expression: str) -> str: ...
    def number(self, x: float) -> str: ...
    def whole(self, n: int) -> str: ...
    def like(self, element: str) -> str: ...
    def add(self, a: str, b: str) -> str: ...
    def sub(self, a: str, b: str) -> str: ...
    def mul(self, a: str, b: str) -> str: ...
    def div(self, a: str, b: str) -> str: ...
    def compare(self, how: str, a: str, b: str) -> str: ...
    def select(self, condition: str, one: str, other: str) -> str: ...
    def call(self, name: str, *operands: str) -> str: ...


def exp(code: Writer, x: str) -> str:
    # Beyond these, the result is 0 or inf; nan fails both comparisons and goes through the arithmetic.
    low, high = code.number(-746.0), code.number(710.0)
    inside = code.select(code.compare("olt", x, low), low, x)
    inside = code.select(code.compare("ogt", inside, high), high, inside)
    n, q = _reduced(code, inside)
    # 2ⁿ in two factors, since n is from -1076 to 1024; the last product rounds a subnormal result once.
    half = code.let(f"lshr {code.like('i64')} {n}, {code.whole(1)}")
    rest = code.let(f"sub {code.like('i64')} {n}, {half}")
    return code.mul(code.mul(code.add(q, code.number(1.0)), _power_of_2(code, half)), _power_of_2(code, rest))


def tanh(code: Writer, x: str) -> str:
    size = code.call("fabs", x)
    size = code.add(size, size)
    most = code.number(40.0)  # where the result is 1 already
    n, q = _reduced(code, code.select(code.compare("ogt", size, most), most, size))
    scale = _power_of_2(code, n)
    e = code.call("fma", scale, q, code.sub(scale, code.number(1.0)))
    return code.call("copysign", code.div(e, code.add(e, code.number(2.0))), x)


def _reduced(code: Writer, x: str) -> tuple[str, str]:
    """n, in the last bits of whole numbers, and q."""
    shifted = code.call("fma", x, code.number(_LOG2_E), code.number(_ROUND))
    n = code.sub(shifted, code.number(_ROUND))
    r = code.call("fma", n, code.number(-_LN2_HIGH), x)
    r = code.call("fma", n, code.number(-_LN2_LOW), r)
    q = code.number(1 / math.factorial(13))
    for k in range(12, 1, -1):
        q = code.call("fma", q, r, code.number(1 / math.factorial(k)))
    q = code.call("fma", q, code.mul(r, r), r)
    return code.let(f"bitcast {code.kind} {shifted} to {code.like('i64')}"), q


def _power_of_2(code: Writer, n: str) -> str:
    """2ⁿ for n in the last 12 bits; what is before them is shifted out."""
    whole = code.like("i64")
    bits = code.let(f"shl {whole} {code.let(f'add {whole} {n}, {code.whole(_BIAS)}')}, {code.whole(52)}")
    return code.let(f"bitcast {whole} {bits} to {code.kind}")


FUNCTIONS: dict[str, Callable[..., str]] = {"exp": exp, "tanh": tanh}
