"""exp and tanh without branches and tables, so that a loop over lanes becomes vector code, several times libm's speed.

Both reduce their argument to x = n·ln 2 + r with |r| ≤ ln 2 / 2 and use expm1(x) = 2ⁿ·expm1(r) + (2ⁿ - 1), with the
Taylor polynomial of degree 13 for expm1(r), whose remainder is below 4e-18. exp is within 1 unit in the last place of
libm's, and 0 where that is below 1e-307; tanh is within 3.
"""

import math
from types import ModuleType
from typing import Any

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_LOG2_E = 1 / math.log(2)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # as in fdlibm; high has zeros at its end
_ROUND = 1.5 * 2.0**52  # added to a number, it leaves the nearest whole number in the last bits


@intrinsic
def _bits(_: Any, number: Any) -> Any:
    return types.int64(number), lambda _, builder, __, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic
def _number(_: Any, bits: Any) -> Any:
    return types.float64(bits), lambda _, builder, __, args: builder.bitcast(args[0], ir.DoubleType())


@numba.njit(fastmath={"contract"}, error_model="numpy")
def _reduced(x):
    """2ⁿ⁻¹ and expm1(r); the half, since 2ⁿ overflows before exp does."""
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    q = 1 / 6227020800
    for k in (479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2):
        q = q * r + 1 / k
    half = _number((_bits(shifted) + 1022) << 52)
    return half, q * r * r + r


@numba.njit(fastmath={"contract"}, error_model="numpy")
def exp(x):
    half, q = _reduced(min(max(x, -708.0), 709.79))
    return math.nan if x != x else 0.0 if x < -707.0 else math.inf if x > 709.782712893384 else (half + half * q) * 2


@numba.njit(fastmath={"contract"}, error_model="numpy")
def tanh(x):
    half, q = _reduced(min(abs(x) * 2, 40.0))
    e = half * 2 * q + (half * 2 - 1)
    return math.nan if x != x else math.copysign(e / (e + 2), x)


# What rules call ``math``.
vector_math = ModuleType("vector_math")
vars(vector_math).update(vars(math), exp=exp, tanh=tanh)
