"""Sums of products in compiled loops, for all lanes of a block: layers of units and dots, forward and backward.

Layers are products of matrices, and what they cost is reading and writing. So units are taken four at a time, with as
many lanes as the vector ``like`` has: then most operands stay in registers. A layer's weights lie as they are needed:
for each four units their biases, and then for each input their four weights. What is missing to fours of units or
inputs are weights of 0 and row 0, which is 0 in value and derivative.

Positions are addresses. ``args`` are a layer's row numbers of inputs and outputs, and the place of its first bias;
``values`` and ``grads`` are the rows' values and derivatives, ``row`` bytes each; ``like`` is a vector of zeros.
"""

from typing import Any

import numba

from micrograd.tape.registers import add, load, multiply_add, size_of, spread, store, totals, whole

WORD = 8  # bytes of a number
FOUR = 4 * WORD

# Division by zero gives inf, as in C, and is found by the check for finite numbers. The global interpreter lock is
# free meanwhile. A product and a sum may be rounded once.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


@numba.njit(**OPTIONS)
def _outputs(args, m, n):
    """Where the outputs' row numbers begin and end; then comes the place of the weights."""
    first = args + n * WORD
    return first, first + (m + 3) // 4 * FOUR


@numba.njit(**OPTIONS)
def _rows(base, args, row):
    return (
        base + whole(args) * row,
        base + whole(args + WORD) * row,
        base + whole(args + 2 * WORD) * row,
        base + whole(args + 3 * WORD) * row,
    )


@numba.njit(**OPTIONS)
def _load(rows, lane, like):
    a, b, c, d = rows
    return load(a + lane, like), load(b + lane, like), load(c + lane, like), load(d + lane, like)


@numba.njit(**OPTIONS)
def _spread(weights, like):
    a, b = spread(weights, like), spread(weights + WORD, like)
    return a, b, spread(weights + 2 * WORD, like), spread(weights + 3 * WORD, like)


@numba.njit(**OPTIONS)
def _store(rows, lane, sums):
    for address, vector in zip(rows, sums):
        store(address + lane, vector)


@numba.njit(**OPTIONS)
def _weighted(weights, step, v, sums):
    """``sums`` with v added, times each of four weights that are ``step`` apart."""
    a, b, c, d = sums
    return (
        multiply_add(spread(weights, v), v, a),
        multiply_add(spread(weights + step, v), v, b),
        multiply_add(spread(weights + 2 * step, v), v, c),
        multiply_add(spread(weights + 3 * step, v), v, d),
    )


@numba.njit(**OPTIONS)
def _products(g, v, sums):
    return (
        multiply_add(g[0], v, sums[0]),
        multiply_add(g[1], v, sums[1]),
        multiply_add(g[2], v, sums[2]),
        multiply_add(g[3], v, sums[3]),
    )


@numba.njit(**OPTIONS)
def _add_totals(slopes, sums):
    over_lanes = totals(sums[0], sums[1], sums[2], sums[3])
    store(slopes, add(load(slopes, over_lanes), over_lanes))


@numba.njit(**OPTIONS)
def layer_forward(like, args, m, n, weights, values, row):
    """Set each output to bias + Σ weight·input."""
    first, end = _outputs(args, m, n)
    biases = weights + whole(end) * WORD
    for y in range(first, end, FOUR):
        outputs = _rows(values, y, row)
        for lane in range(0, row, size_of(like)):
            sums, w = _spread(biases, like), biases
            for x in range(args, first, WORD):
                w += FOUR
                sums = _weighted(w, WORD, load(values + lane + whole(x) * row, like), sums)
            _store(outputs, lane, sums)
        biases += FOUR * (n + 1)


@numba.njit(**OPTIONS)
def layer_inputs(like, args, m, n, weights, grads, row):
    """Add to each input's derivative Σ weight·derivative of the outputs."""
    first, end = _outputs(args, m, n)
    begin = weights + whole(end) * WORD
    for x in range(args, first, FOUR):
        inputs = _rows(grads, x, row)
        begin += FOUR
        for lane in range(0, row, size_of(like)):
            sums, w = _load(inputs, lane, like), begin
            for y in range(first, end, FOUR):
                for k in range(0, FOUR, WORD):
                    sums = _weighted(w + k, FOUR, load(grads + lane + whole(y + k) * row, like), sums)
                w += FOUR * (n + 1)
            _store(inputs, lane, sums)
        begin += 3 * FOUR


@numba.njit(**OPTIONS)
def layer_weights(like, args, m, n, slopes, values, grads, row):
    """Add to the slope by each weight the sum over lanes of the output's derivative times the input; ``slopes`` lie as
    weights do.
    """
    first, end = _outputs(args, m, n)
    zeros, slopes = (like, like, like, like), slopes + whole(end) * WORD
    for y in range(first, end, FOUR):
        outputs, sums = _rows(grads, y, row), zeros
        for lane in range(0, row, size_of(like)):
            g = _load(outputs, lane, like)
            sums = add(sums[0], g[0]), add(sums[1], g[1]), add(sums[2], g[2]), add(sums[3], g[3])
        _add_totals(slopes, sums)
        for x in range(args, first, 2 * WORD):
            u, v, sums, more = values + whole(x) * row, values + whole(x + WORD) * row, zeros, zeros
            for lane in range(0, row, size_of(like)):
                g = _load(outputs, lane, like)
                sums, more = _products(g, load(u + lane, like), sums), _products(g, load(v + lane, like), more)
            _add_totals(slopes + FOUR, sums)
            _add_totals(slopes + 2 * FOUR, more)
            slopes += 2 * FOUR
        slopes += FOUR


@numba.njit(**OPTIONS)
def dot_forward(like, args, n, more, values, row):
    """Set y to Σ aᵢbᵢ, or add that if ``more``; ``args`` are the row numbers of y, the a's and the b's."""
    y, first, half = values + whole(args) * row, args + WORD, n * WORD
    for lane in range(0, row, size_of(like)):
        total = load(y + lane, like) if more else like
        for a in range(first, first + half, WORD):
            u, v = values + whole(a) * row, values + whole(a + half) * row
            total = multiply_add(load(u + lane, like), load(v + lane, like), total)
        store(y + lane, total)


@numba.njit(**OPTIONS)
def dot_backward(like, args, n, values, grads, row):
    """Add y's derivative times the other factor to that of each a and b."""
    y, first, half = grads + whole(args) * row, args + WORD, n * WORD
    for lane in range(0, row, size_of(like)):
        g = load(y + lane, like)
        for a in range(first, first + half, WORD):
            u, v = whole(a) * row + lane, whole(a + half) * row + lane
            to_u, to_v = load(values + v, like), load(values + u, like)
            store(grads + u, multiply_add(g, to_u, load(grads + u, like)))
            store(grads + v, multiply_add(g, to_v, load(grads + v, like)))
