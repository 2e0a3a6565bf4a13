"""Replay a tape for many samples at once, in compiled loops.

Every instruction works on rows of *lanes*, one lane a sample, in blocks of lanes that fit the processor's cache.
Parameters are scalars that all lanes share; the gradient of a parameter is the sum over lanes. How samples are cut into
blocks depends on their number alone, and blocks are added up in order, so a result has the same bits every time.

Linear operations are ``LAYER`` and ``DOT`` instructions: see ``products``. All other primitives are ``MAP``: loops
compiled from their rows in the table of ``ops``, and called through their address.
"""

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from micrograd.tape import instructions, products, registers, vector
from micrograd.tape.compiled import kept_on_disk
from micrograd.tape.instructions import ACTIVE, DOT, INPUTS, LAYER, LOGSUMEXP, MAP, MORE, PICK, WEIGHTS
from micrograd.tape.products import OPTIONS, WORD
from micrograd.tape.registers import eight, four, one
from micrograd.tape.vector import exp

# A sum over lanes may be split over the parts of a vector register, always in one way.
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


@numba.njit(**OPTIONS)
def _logsumexp_forward(args, at, n, V):
    """With the largest operand taken out, so that no exponential overflows."""
    y, t, first, last = args[at], args[at + 1], at + 2, at + 2 + n
    for l in range(V.shape[1]):
        V[y, l], V[t, l] = V[args[first], l], 0.0
    for x in args[first + 1 : last]:
        for l in range(V.shape[1]):
            V[y, l] = max(V[y, l], V[x, l])
    for x in args[first:last]:
        for l in range(V.shape[1]):
            V[t, l] += exp(V[x, l] - V[y, l])
    for l in range(V.shape[1]):
        V[y, l] += math.log(V[t, l])


# ---- the interpreter -------------------------------------------------------------------------------------------------
# V[r, l] is the value of row r in lane l, G its derivative; ``shared`` and ``slopes`` are the same for shared scalars.


@numba.njit(**OPTIONS)
def _forward(like, code, args, loops, first, last, shared, packed, V):
    lanes = V.shape[1]
    values, row = V.ctypes.data, lanes * WORD
    for k in range(first, last):
        op, at, m, n, flags = code[k]
        if op == LAYER:
            products.layer_forward(like, args.ctypes.data + at * WORD, m, n, packed, values, row)
        elif op == DOT:
            products.dot_forward(like, args.ctypes.data + at * WORD, n, flags & MORE, values, row)
        elif op == MAP:
            z, x, y = values + args[at] * row, values + args[at + 1] * row, values + args[at + 2] * row
            _call(loops[n, 0], (z, x, y), m * lanes)
        elif op == LOGSUMEXP:
            _logsumexp_forward(args, at, n, V)
        else:  # PICK, PICK_SHARED; an index out of range gives nan, which is found like any other
            y, x = args[at], args[at + 1]
            for l in range(lanes):
                i = V[x, l]
                if 0 <= i < n and i == math.floor(i):
                    a = args[at + 2 + int(i)]
                    V[y, l] = V[a, l] if op == PICK else shared[a, 0]
                else:
                    V[y, l] = math.nan


@numba.njit(**OPTIONS)
def _backward(like, narrow, code, args, loops, first, last, slopes, packed, packed_slopes, V, G):
    """Add to G and the slopes; the result is nan if a local derivative is not finite, else 0."""
    lanes, check = V.shape[1], 0.0
    values, grads, row = V.ctypes.data, G.ctypes.data, lanes * WORD
    for k in range(last - 1, first - 1, -1):
        op, at, m, n, flags = code[k]
        if op == LAYER:
            arguments = args.ctypes.data + at * WORD
            if flags & WEIGHTS:
                products.layer_weights(narrow, arguments, m, n, packed_slopes, values, grads, row)
            if flags & INPUTS:
                products.layer_inputs(like, arguments, m, n, packed, grads, row)
        elif op == MAP:
            z, x, y = args[at] * row, args[at + 1] * row, args[at + 2] * row
            pointers = (values + z, values + x, values + y, grads + z, grads + x, grads + y)
            # ACTIVE or not: the engine too raises where a slope by a number of the sample is undefined.
            check += _call(loops[n, 1], pointers, m * lanes)
        elif not flags & ACTIVE:
            continue
        elif op == DOT:
            products.dot_backward(like, args.ctypes.data + at * WORD, n, values, grads, row)
        elif op == LOGSUMEXP:
            y = args[at]
            for x in args[at + 2 : at + 2 + n]:
                for l in range(lanes):
                    G[x, l] += G[y, l] * exp(V[x, l] - V[y, l])
        else:
            y, x = args[at], args[at + 1]
            for l in range(lanes):
                a = args[at + 2 + int(V[x, l])]
                if op == PICK:
                    G[a, l] += G[y, l]
                else:
                    slopes[a, 0] += G[y, l]
    return check


@numba.njit(**SUM)
def _check(V):
    """Nan if a number is not finite, else 0."""
    numbers, check = V.reshape(V.size), 0.0
    for i in range(len(numbers)):
        check += numbers[i] * 0.0
    return check


@numba.njit(**OPTIONS)
def _seed(G, first, lanes):
    """Derivatives of the sum over lanes of the first result, at the result itself."""
    for r in range(len(G)):
        for l in range(G.shape[1]):
            G[r, l] = 0.0
    for l in range(lanes):
        G[first, l] = 1.0


def scratch_size(sizes: Any, weights: Any) -> int:
    """How many numbers of memory ``replay`` works in."""
    _, most, rows, n_shared = sizes[:4]
    return int(8 + 2 * sum([n + 7 for n in (n_shared, len(weights), rows * most)]))


@numba.njit(**OPTIONS)
def _matrix(scratch, at, n, width):
    """A matrix of n rows at place ``at`` of the scratch memory, and the next place where a line of the cache begins."""
    return scratch[at : at + n * width].reshape((n, width)), at + (n * width + 7) // 8 * 8


@numba.njit(**OPTIONS)
def _fill(V, inputs, chosen, start):
    """Put samples from ``start`` on into the lanes; how many there are. What lanes are left over repeat the first."""
    lanes = min(V.shape[1], len(chosen) - start)
    for l in range(V.shape[1]):
        V[0, l] = 0.0
        sample = chosen[start + l if l < lanes else start]
        for i in range(len(inputs)):
            V[1 + i, l] = inputs[i, sample]
    return lanes


def _replay(code, args, weights, loops, sizes, constants, scratch, parameters, inputs, chosen, outputs, gradient):
    """Evaluate a tape for the columns ``chosen`` of ``inputs``; the sum of its first result over them.

    Fills ``outputs`` (results × lanes) if it has rows, and ``gradient`` (parameters), of the sum, if it has a length.
    The answer is nan if a number on the way was not finite; what was filled is then of no use. ``scratch`` is memory to
    work in, as much as ``scratch_size`` says.
    """
    prelude, most, rows, n_shared, results = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4:]
    begin, end, n, first = np.int64(0), len(code), len(chosen), results[0]
    blocks = (n + most - 1) // most
    width = ((n + blocks - 1) // blocks + 7) // 8 * 8 if n > 1 else 1
    # What depends on parameters alone is computed once: shared scalars are then the rows, of one lane each.
    start_of_line = -scratch.ctypes.data // WORD % 8
    shared, at = _matrix(scratch, start_of_line, n_shared, 1)
    slopes, at = _matrix(scratch, at, n_shared, 1)
    packed, at = _matrix(scratch, at, len(weights), 1)
    packed_slopes, at = _matrix(scratch, at, len(weights), 1)
    V, at = _matrix(scratch, at, rows, width)
    G, at = _matrix(scratch, at, rows, width)
    for k in range(len(parameters)):
        shared[k, 0] = parameters[k]
    for k in range(len(constants)):
        shared[len(parameters) + k, 0] = constants[k]
    p, q = packed.ctypes.data, packed_slopes.ctypes.data
    _forward(one(), code, args, loops, begin, prelude, shared, p, shared)
    check = _check(shared)
    for k in range(len(weights)):
        packed[k, 0], packed_slopes[k, 0] = shared[weights[k], 0], 0.0
    for k in range(n_shared):
        slopes[k, 0] = 0.0
    result = 0.0
    for start in range(0, n, width):
        lanes = _fill(V, inputs, chosen, start)
        if width == 1:
            _forward(one(), code, args, loops, prelude, end, shared, p, V)
        else:
            _forward(eight(), code, args, loops, prelude, end, shared, p, V)
        check += _check(V)
        for l in range(lanes):
            result += V[first, l]
        for i in range(len(outputs)):
            for l in range(lanes):
                outputs[i, start + l] = V[results[i], l]
        if len(gradient) and check == 0.0:
            _seed(G, first, lanes)
            if width == 1:
                check += _backward(one(), one(), code, args, loops, prelude, end, slopes, p, q, V, G)
            else:
                check += _backward(eight(), four(), code, args, loops, prelude, end, slopes, p, q, V, G)
    if len(gradient) and check == 0.0:
        for k in range(len(weights)):
            slopes[weights[k], 0] += packed_slopes[k, 0]
        check += _backward(one(), one(), code, args, loops, begin, prelude, slopes, p, q, shared, slopes)
        for k in range(len(gradient)):
            gradient[k] = slopes[k, 0]
        check += _check(gradient)
    return result + check


replay = kept_on_disk(numba.njit, _replay, instructions, registers, products, vector, **OPTIONS)


def _train(tape, known, rule, settings, columns, inputs, order, ends, shares, rates, steps, losses):
    """Take a step on each batch, as long as all numbers are finite; how many were taken.

    The ``tape`` is the first seven arguments of ``replay``; ``rule`` is the address of a loop, which is given the
    ``settings``, see ``rules``. ``columns`` has a row of the parameters' numbers, one of their gradients, and one for
    each number that the rule carries along; the tape has the first ``known`` parameters. Batch k ends before
    ``order[ends[k]]``; its gradient is multiplied by ``shares[k]``, its learning rate is ``rates[k]``, and the sum of
    its losses is put into ``losses[k]``. So many ``steps`` were taken before.
    """
    n, start = columns.shape[1], 0
    new, no_results = np.empty((len(columns) - 1, n)), np.empty((0, 0))
    pointers = columns.ctypes.data, new.ctypes.data, settings.ctypes.data
    columns[1] = 0.0
    for k in range(len(ends)):
        chosen, gradient = order[start : ends[k]], columns[1][:known]
        losses[k] = replay(*tape, columns[0][:known], inputs, chosen, no_results, gradient)
        if math.isnan(losses[k]):
            return k
        for i in range(n):
            columns[1, i] *= shares[k]
        settings[0], settings[1] = rates[k], steps + k + 1
        _call(rule, pointers, n)
        if math.isnan(_check(new)):
            return k
        for i in range(n):
            columns[0, i] = new[0, i]
        for j in range(1, len(new)):
            for i in range(n):
                columns[1 + j, i] = new[j, i]
        start = ends[k]
    return len(ends)


train = kept_on_disk(numba.njit, _train, instructions, registers, products, vector, **OPTIONS)
