"""Loops over lanes compiled from the rows of the table of primitives, for kernels to call through their address."""

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from types import CellType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core import types

from micrograd import ops
from micrograd.ops import Primitive
from micrograd.tape import vector
from micrograd.tape.compiled import kept_on_disk
from micrograd.tape.kernels import SUM
from micrograd.tape.vector import vector_math

# Templates: ``rule`` is a global that each copy of them gets. All have the arguments of two operands; one ignores y.


def _forward1(z, x, _, lanes):
    Z, X = numba.carray(z, lanes), numba.carray(x, lanes)
    for l in range(lanes):
        Z[l] = rule(X[l])
    return 0.0


def _forward2(z, x, y, lanes):
    Z, X, Y = numba.carray(z, lanes), numba.carray(x, lanes), numba.carray(y, lanes)
    for l in range(lanes):
        Z[l] = rule(X[l], Y[l])
    return 0.0


def _backward1(z, x, _, z_grad, x_grad, __, lanes):
    Z, X = numba.carray(z, lanes), numba.carray(x, lanes)
    GZ, GX = numba.carray(z_grad, lanes), numba.carray(x_grad, lanes)
    check = 0.0
    for l in range(lanes):
        slopes = rule(Z[l], X[l])
        GX[l] += GZ[l] * slopes[0]
        check += slopes[0] * 0.0
    return check


def _backward2(z, x, y, z_grad, x_grad, y_grad, lanes):
    Z, X, Y = numba.carray(z, lanes), numba.carray(x, lanes), numba.carray(y, lanes)
    GZ, GX, GY = numba.carray(z_grad, lanes), numba.carray(x_grad, lanes), numba.carray(y_grad, lanes)
    check = 0.0
    for l in range(lanes):
        slopes = rule(Z[l], X[l], Y[l])
        GX[l] += GZ[l] * slopes[0]
        GY[l] += GZ[l] * slopes[1]
        check += (slopes[0] + slopes[1]) * 0.0
    return check


# A user's rule may raise where it is undefined; the kernel's check then finds nan, and the plain function tells why.


def _guarded_forward(z, x, y, lanes):
    try:
        loop(z, x, y, lanes)
    except Exception:  # numba knows no other
        Z = numba.carray(z, lanes)
        for l in range(lanes):
            Z[l] = math.nan
    return 0.0


def _guarded_backward(z, x, y, z_grad, x_grad, y_grad, lanes):
    check = 0.0
    try:
        check = loop(z, x, y, z_grad, x_grad, y_grad, lanes)
    except Exception:
        check = math.nan
    return check


_TEMPLATES: dict[int, tuple[Any, Any]] = {1: (_forward1, _backward1), 2: (_forward2, _backward2)}
FORWARD = types.float64(*[types.CPointer(types.float64)] * 3, types.int64)
_BACKWARD = types.float64(*[types.CPointer(types.float64)] * 6, types.int64)
_loops: dict[tuple[Primitive, int], tuple[Any, Any]] = {}


def numeric(rule: Any) -> Any:
    """A rule of the table for numba: primitives that it names are replaced by their own rules, math by vector_math."""
    if isinstance(rule, Primitive):
        rule = rule.forward
    if rule is math:
        return vector_math
    if rule is ops:
        return _numeric_ops()
    if not isinstance(rule, FunctionType):
        return getattr(vector_math, rule.__name__) if getattr(rule, "__module__", "") == "math" else rule
    named = {name: rule.__globals__[name] for name in rule.__code__.co_names if name in rule.__globals__}
    scope = rule.__globals__ | {name: numeric(thing) for name, thing in named.items() if thing is not rule}
    cells = tuple([CellType(numeric(cell.cell_contents)) for cell in rule.__closure__ or ()])
    return numba.njit(error_model="numpy")(
        FunctionType(rule.__code__, scope, rule.__name__, rule.__defaults__, cells or None)
    )


@lru_cache
def _numeric_ops() -> ModuleType:
    module = ModuleType("numeric_ops")
    vars(module).update({name: numeric(row) for name, row in ops.TABLE.items() if row.group is tuple and is_ours(row)})
    return module


def is_ours(row: Primitive) -> bool:
    """Whether it is a row of ``ops``, not a user's."""
    return row.partials.__module__ == ops.__name__


def _loop(template: Any, signature: Any, row: Primitive, rule: Any) -> Any:
    scope = {"numba": numba, "rule": numeric(rule), "math": math, "__name__": __name__}
    ours = is_ours(row)
    if not ours:
        scope |= {"loop": numba.njit(**SUM)(FunctionType(template.__code__, scope, template.__name__))}
        template = _guarded_forward if rule is row.forward else _guarded_backward
    function = FunctionType(template.__code__, scope, f"{template.__name__}_{row.name}_{row.constant}")
    function.__module__ = __name__
    compiler = partial(numba.cfunc, signature)
    try:
        # A user's rule may change from one run to the next while its name does not, so it is not kept.
        return kept_on_disk(compiler, function, ops, vector, **SUM) if ours else compiler(**SUM)(function)
    except numba.core.errors.NumbaError as cause:
        raise TypeError(
            f"the primitive {row.name!r} cannot be replayed, since numba does not compile its rules; write them with "
            f"arithmetic, math and primitives, or call the plain function: {cause}"
        ) from cause


def addresses(primitives: Sequence[tuple[Primitive, int]]) -> Any:
    """Where the forward and backward loops of primitives of so many operands are; they stay loaded."""
    for key in primitives:
        if key not in _loops:
            row, arity = key
            forward, backward = _TEMPLATES[arity]
            _loops[key] = _loop(forward, FORWARD, row, row.forward), _loop(backward, _BACKWARD, row, row.partials)
    found = [[loop.address for loop in _loops[key]] for key in primitives]
    return np.array(found, dtype=np.int64).reshape(-1, 2)
