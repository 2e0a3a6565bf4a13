"""Replay a tape for many samples at once, in compiled loops.

Every instruction works on rows of *lanes*, one lane a sample, in blocks of lanes that fit the processor's cache.
Parameters are scalars that all lanes share; the gradient of a parameter is the sum over lanes. Blocks have a fixed
size and are added up in order, so a result does not depend on how many threads share the work.

Linear operations are ``LAYER`` and ``DOT`` instructions. All other primitives are ``MAP``: loops compiled from their
rows in the table of ``ops``, and called through their address. Numba compiles on first use and keeps the machine code
on disk: next to this file, or in the user's cache directory where that is read-only.
"""

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from micrograd.instructions import DOT, LAYER, LOGSUMEXP, MAP, PICK
from micrograd.vector import exp

# Division by zero gives inf, as in C, and is found by the check for finite numbers. The global interpreter lock is
# free meanwhile. FMA is welcome; a sum over lanes may be split over the parts of a vector register, always in one way.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
SUM = OPTIONS | {"fastmath": {"contract", "reassoc"}}


@intrinsic
def _call(_: Any, address: Any, pointers: Any, lanes: Any) -> Any:
    """Call the compiled loop at ``address`` with a tuple of addresses of rows."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, rows, count = arguments
        values = [builder.extract_value(rows, i) for i in range(len(pointers))]
        kind = ir.FunctionType(ir.DoubleType(), [ir.IntType(64)] * (len(values) + 1))
        return builder.call(builder.inttoptr(target, kind.as_pointer()), [*values, count])

    return types.float64(address, pointers, lanes), build


# ---- the interpreter -------------------------------------------------------------------------------------------------
# V[r, l] is the value of row r in lane l, G its derivative; ``shared`` and ``slopes`` are the same for shared scalars.
# Four units by four inputs are taken at a time: 16 products for 4 reads, and the loop over lanes becomes vector code.


@numba.njit(**OPTIONS)
def _layer_forward(args, at, m, n, shared, V, lanes):
    out, weights, bias = at + n, at + n + m, at + n + m + m * n
    for j in range(0, m - 3, 4):
        y0, y1, y2, y3 = args[out + j], args[out + j + 1], args[out + j + 2], args[out + j + 3]
        b = bias + j
        b0, b1, b2, b3 = shared[args[b]], shared[args[b + 1]], shared[args[b + 2]], shared[args[b + 3]]
        for l in range(lanes):
            V[y0, l], V[y1, l], V[y2, l], V[y3, l] = b0, b1, b2, b3
        for i in range(0, n, 4):
            x0, x1, x2, x3 = args[at + i], args[at + i + 1], args[at + i + 2], args[at + i + 3]
            p = weights + j * n + i
            q, r, s = p + n, p + 2 * n, p + 3 * n
            p0, p1, p2, p3 = shared[args[p]], shared[args[p + 1]], shared[args[p + 2]], shared[args[p + 3]]
            q0, q1, q2, q3 = shared[args[q]], shared[args[q + 1]], shared[args[q + 2]], shared[args[q + 3]]
            r0, r1, r2, r3 = shared[args[r]], shared[args[r + 1]], shared[args[r + 2]], shared[args[r + 3]]
            s0, s1, s2, s3 = shared[args[s]], shared[args[s + 1]], shared[args[s + 2]], shared[args[s + 3]]
            for l in range(lanes):
                v0, v1, v2, v3 = V[x0, l], V[x1, l], V[x2, l], V[x3, l]
                a = V[y0, l] + p0 * v0 + p1 * v1 + p2 * v2 + p3 * v3
                b = V[y1, l] + q0 * v0 + q1 * v1 + q2 * v2 + q3 * v3
                c = V[y2, l] + r0 * v0 + r1 * v1 + r2 * v2 + r3 * v3
                d = V[y3, l] + s0 * v0 + s1 * v1 + s2 * v2 + s3 * v3
                V[y0, l], V[y1, l], V[y2, l], V[y3, l] = a, b, c, d
    for j in range(m // 4 * 4, m):
        y, b0 = args[out + j], shared[args[bias + j]]
        for l in range(lanes):
            V[y, l] = b0
        for i in range(0, n, 4):
            x0, x1, x2, x3 = args[at + i], args[at + i + 1], args[at + i + 2], args[at + i + 3]
            p = weights + j * n + i
            p0, p1, p2, p3 = shared[args[p]], shared[args[p + 1]], shared[args[p + 2]], shared[args[p + 3]]
            for l in range(lanes):
                V[y, l] = V[y, l] + p0 * V[x0, l] + p1 * V[x1, l] + p2 * V[x2, l] + p3 * V[x3, l]


@numba.njit(**OPTIONS)
def _layer_inputs(args, at, m, n, shared, G, lanes):
    out, weights = at + n, at + n + m
    for i in range(0, n, 4):
        x0, x1, x2, x3 = args[at + i], args[at + i + 1], args[at + i + 2], args[at + i + 3]
        for j in range(0, m - 3, 4):
            y0, y1, y2, y3 = args[out + j], args[out + j + 1], args[out + j + 2], args[out + j + 3]
            p = weights + j * n + i
            q, r, s = p + n, p + 2 * n, p + 3 * n
            p0, p1, p2, p3 = shared[args[p]], shared[args[p + 1]], shared[args[p + 2]], shared[args[p + 3]]
            q0, q1, q2, q3 = shared[args[q]], shared[args[q + 1]], shared[args[q + 2]], shared[args[q + 3]]
            r0, r1, r2, r3 = shared[args[r]], shared[args[r + 1]], shared[args[r + 2]], shared[args[r + 3]]
            s0, s1, s2, s3 = shared[args[s]], shared[args[s + 1]], shared[args[s + 2]], shared[args[s + 3]]
            for l in range(lanes):
                g0, g1, g2, g3 = G[y0, l], G[y1, l], G[y2, l], G[y3, l]
                a = G[x0, l] + p0 * g0 + q0 * g1 + r0 * g2 + s0 * g3
                b = G[x1, l] + p1 * g0 + q1 * g1 + r1 * g2 + s1 * g3
                c = G[x2, l] + p2 * g0 + q2 * g1 + r2 * g2 + s2 * g3
                d = G[x3, l] + p3 * g0 + q3 * g1 + r3 * g2 + s3 * g3
                G[x0, l], G[x1, l], G[x2, l], G[x3, l] = a, b, c, d
        for j in range(m // 4 * 4, m):
            y = args[out + j]
            p = weights + j * n + i
            p0, p1, p2, p3 = shared[args[p]], shared[args[p + 1]], shared[args[p + 2]], shared[args[p + 3]]
            for l in range(lanes):
                g = G[y, l]
                a, b, c, d = G[x0, l] + p0 * g, G[x1, l] + p1 * g, G[x2, l] + p2 * g, G[x3, l] + p3 * g
                G[x0, l], G[x1, l], G[x2, l], G[x3, l] = a, b, c, d


@numba.njit(**SUM)
def _layer_weights(args, at, m, n, slopes, V, G, lanes):
    out, weights, bias = at + n, at + n + m, at + n + m + m * n
    for j in range(m):
        y, total = args[out + j], 0.0
        for l in range(lanes):
            total += G[y, l]
        slopes[args[bias + j]] += total
    for i in range(0, n, 4):
        x0, x1, x2, x3 = args[at + i], args[at + i + 1], args[at + i + 2], args[at + i + 3]
        for j in range(0, m - 3, 4):
            y0, y1, y2, y3 = args[out + j], args[out + j + 1], args[out + j + 2], args[out + j + 3]
            p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = 0.0
            r0 = r1 = r2 = r3 = s0 = s1 = s2 = s3 = 0.0
            for l in range(lanes):
                v0, v1, v2, v3 = V[x0, l], V[x1, l], V[x2, l], V[x3, l]
                a, b, c, d = G[y0, l], G[y1, l], G[y2, l], G[y3, l]
                p0, p1, p2, p3 = p0 + a * v0, p1 + a * v1, p2 + a * v2, p3 + a * v3
                q0, q1, q2, q3 = q0 + b * v0, q1 + b * v1, q2 + b * v2, q3 + b * v3
                r0, r1, r2, r3 = r0 + c * v0, r1 + c * v1, r2 + c * v2, r3 + c * v3
                s0, s1, s2, s3 = s0 + d * v0, s1 + d * v1, s2 + d * v2, s3 + d * v3
            sums = ((p0, p1, p2, p3), (q0, q1, q2, q3), (r0, r1, r2, r3), (s0, s1, s2, s3))
            for k in range(4):
                p = weights + (j + k) * n + i
                for c in range(4):
                    slopes[args[p + c]] += sums[k][c]
        for j in range(m // 4 * 4, m):
            y = args[out + j]
            p0 = p1 = p2 = p3 = 0.0
            for l in range(lanes):
                g = G[y, l]
                p0, p1, p2, p3 = p0 + g * V[x0, l], p1 + g * V[x1, l], p2 + g * V[x2, l], p3 + g * V[x3, l]
            p = weights + j * n + i
            slopes[args[p]] += p0
            slopes[args[p + 1]] += p1
            slopes[args[p + 2]] += p2
            slopes[args[p + 3]] += p3


@numba.njit(**OPTIONS)
def _forward(code, args, loops, first, last, shared, V, lanes):
    base, row, whole = V.ctypes.data, V.shape[1] * 8, lanes == V.shape[1]
    for k in range(first, last):
        op, at, m, n, flags = code[k]
        if op == LAYER:
            _layer_forward(args, at, m, n, shared, V, lanes)
        elif op == MAP:
            z, x, y = base + args[at] * row, base + args[at + 1] * row, base + args[at + 2] * row
            for i in range(1 if whole else m):
                _call(loops[n, 0], (z + i * row, x + i * row, y + i * row), m * lanes if whole else lanes)
        elif op == DOT:
            y = args[at]
            if not flags:
                for l in range(lanes):
                    V[y, l] = 0.0
            if lanes == 1:
                total = V[y, 0]
                for i in range(n):
                    total += V[args[at + 1 + i], 0] * V[args[at + 1 + n + i], 0]
                V[y, 0] = total
            else:
                for i in range(n):
                    a, b = args[at + 1 + i], args[at + 1 + n + i]
                    for l in range(lanes):
                        V[y, l] += V[a, l] * V[b, l]
        elif op == LOGSUMEXP:  # with the largest operand taken out, so that no exponential overflows
            y, t, x = args[at], args[at + 1], args[at + 2]
            for l in range(lanes):
                V[y, l], V[t, l] = V[x, l], 0.0
            for i in range(1, n):
                x = args[at + 2 + i]
                for l in range(lanes):
                    V[y, l] = max(V[y, l], V[x, l])
            for i in range(n):
                x = args[at + 2 + i]
                for l in range(lanes):
                    V[t, l] += exp(V[x, l] - V[y, l])
            for l in range(lanes):
                V[y, l] += math.log(V[t, l])
        else:  # PICK, PICK_SHARED; an index out of range gives nan, which is found like any other
            y, x = args[at], args[at + 1]
            for l in range(lanes):
                i = V[x, l]
                if 0 <= i < n and i == math.floor(i):
                    a = args[at + 2 + int(i)]
                    V[y, l] = V[a, l] if op == PICK else shared[a]
                else:
                    V[y, l] = math.nan


@numba.njit(**OPTIONS)
def _backward(code, args, loops, first, last, shared, slopes, V, G, lanes):
    """Add to G and ``slopes``; the result is nan if a local derivative is not finite, else 0."""
    values, grads, row, check, whole = V.ctypes.data, G.ctypes.data, V.shape[1] * 8, 0.0, lanes == V.shape[1]
    for k in range(last - 1, first - 1, -1):
        op, at, m, n, flags = code[k]
        if op == LAYER:
            if flags & 1:
                _layer_weights(args, at, m, n, slopes, V, G, lanes)
            if flags & 2:
                _layer_inputs(args, at, m, n, shared, G, lanes)
        elif op == MAP:
            z, x, y = args[at] * row, args[at + 1] * row, args[at + 2] * row
            for _ in range(1 if whole else m):
                pointers = (values + z, values + x, values + y, grads + z, grads + x, grads + y)
                check += _call(loops[n, 1], pointers, m * lanes if whole else lanes)
                z, x, y = z + row, x + row, y + row
        elif op == DOT:
            y = args[at]
            if lanes == 1:
                g = G[y, 0]
                for i in range(n):
                    a, b = args[at + 1 + i], args[at + 1 + n + i]
                    G[a, 0] += g * V[b, 0]
                    G[b, 0] += g * V[a, 0]
            else:
                for i in range(n):
                    a, b = args[at + 1 + i], args[at + 1 + n + i]
                    for l in range(lanes):
                        G[a, l] += G[y, l] * V[b, l]
                    for l in range(lanes):
                        G[b, l] += G[y, l] * V[a, l]
        elif op == LOGSUMEXP:
            y = args[at]
            for i in range(n):
                x = args[at + 2 + i]
                for l in range(lanes):
                    G[x, l] += G[y, l] * exp(V[x, l] - V[y, l])
        elif op == PICK:
            y, x = args[at], args[at + 1]
            for l in range(lanes):
                G[args[at + 2 + int(V[x, l])], l] += G[y, l]
        else:
            y, x = args[at], args[at + 1]
            for l in range(lanes):
                slopes[args[at + 2 + int(V[x, l])]] += G[y, l]
    return check


@numba.njit(**SUM)
def _check(V, first, last, lanes):
    """Nan if a number is not finite, else 0."""
    check = 0.0
    if lanes == V.shape[1]:  # one long loop
        flat = V[first:last].reshape((last - first) * lanes)
        for i in range(len(flat)):
            check += flat[i] * 0.0
    else:
        for r in range(first, last):
            for l in range(lanes):
                check += V[r, l] * 0.0
    return check


def _replay(code, args, loops, sizes, parameters, constants, inputs, chosen, outputs, gradient):
    """Evaluate a tape for the columns ``chosen`` of ``inputs``; the sum of its first result over them.

    Fills ``outputs`` (results × lanes) if it has rows, and ``gradient`` (parameters), of the sum, if it has a length.
    The answer is nan if a number on the way was not finite; what was filled is then of no use.
    """
    begin, one, prelude, width, rows, n_shared, results = 0, 1, sizes[0], sizes[1], sizes[2], sizes[3], sizes[4:]
    n_parameters, n_inputs, n = len(parameters), len(inputs), len(chosen)
    shared, total, slopes = np.empty(n_shared), np.zeros(n_shared), np.empty(n_shared)
    shared[:n_parameters], shared[n_parameters : n_parameters + len(constants)] = parameters, constants
    # What depends on parameters alone is computed once: shared scalars are then the rows, of one lane each.
    column, slope = shared.reshape((n_shared, 1)), total.reshape((n_shared, 1))
    _forward(code, args, loops, begin, prelude, shared, column, one)
    check = _check(column, begin, n_shared, one)
    width = min(width, n)
    V, G = np.empty((rows, width)), np.empty((rows, width))
    V[0], result = 0.0, 0.0
    for start in range(0, n, width):
        lanes = min(width, n - start)
        for i in range(n_inputs):
            for l in range(lanes):
                V[1 + i, l] = inputs[i, chosen[start + l]]
        _forward(code, args, loops, prelude, len(code), shared, V, lanes)
        check += _check(V, one, rows, lanes)
        for l in range(lanes):
            result += V[results[0], l]
        for i in range(len(outputs)):
            for l in range(lanes):
                outputs[i, start + l] = V[results[i], l]
        if len(gradient) and check == 0.0:
            G[:, :lanes], slopes[:] = 0.0, 0.0
            G[results[0], :lanes] = 1.0
            check += _backward(code, args, loops, prelude, len(code), shared, slopes, V, G, lanes)
            total += slopes
    if len(gradient) and check == 0.0:
        check += _backward(code, args, loops, begin, prelude, shared, total, column, slope, one)
        gradient[:] = total[:n_parameters]
        for g in gradient:
            check += g * 0.0
    return result + check


try:
    replay = numba.njit(cache=True, **OPTIONS)(_replay)
except RuntimeError:  # there is no directory to keep it in that can be written to
    replay = numba.njit(**OPTIONS)(_replay)
