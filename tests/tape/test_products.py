"""Layers and dots in compiled loops, beside NumPy's products of matrices, at shapes that fours and lanes may have."""

import numba
import numpy as np
import pytest

from micrograd.tape import products
from micrograd.tape.products import OPTIONS
from micrograd.tape.registers import eight, four, one

SHAPES = [(n, m, lanes) for n in (4, 12) for m in (1, 4, 6) for lanes in (1, 8, 24)]


@numba.njit(**OPTIONS)
def layer(args, m, n, weights, slopes, V, G):
    where, w, s, values, grads = args.ctypes.data, weights.ctypes.data, slopes.ctypes.data, V.ctypes.data, G.ctypes.data
    row = V.shape[1] * 8
    if V.shape[1] == 1:
        products.layer_forward(one(), where, m, n, w, values, row)
        products.layer_weights(one(), where, m, n, s, values, grads, row)
        products.layer_inputs(one(), where, m, n, w, grads, row)
    else:
        products.layer_forward(eight(), where, m, n, w, values, row)
        products.layer_weights(four(), where, m, n, s, values, grads, row)
        products.layer_inputs(eight(), where, m, n, w, grads, row)


@numba.njit(**OPTIONS)
def dot(args, n, more, V, G):
    where, row = args.ctypes.data, V.shape[1] * 8
    if V.shape[1] == 1:
        products.dot_forward(one(), where, n, more, V.ctypes.data, row)
        products.dot_backward(one(), where, n, V.ctypes.data, G.ctypes.data, row)
    else:
        products.dot_forward(eight(), where, n, more, V.ctypes.data, row)
        products.dot_backward(eight(), where, n, V.ctypes.data, G.ctypes.data, row)


@pytest.mark.parametrize(("n", "m", "lanes"), SHAPES)
def test_a_layer_and_its_derivatives(n, m, lanes):
    draw = np.random.default_rng(n * m * lanes)
    rows = draw.permutation(np.arange(1, 1 + n + m))
    inputs, outputs = rows[:n], rows[n:]
    V, G = draw.normal(size=(2, 1 + n + m, lanes))
    V[0] = G[0] = 0.0
    W, bias = draw.normal(size=(m, n)), draw.normal(size=m)
    padded = np.zeros(((m + 3) // 4 * 4, 1 + n))
    padded[:m, 0], padded[:m, 1:] = bias, W
    place = 5  # of the first bias, among the weights of other layers
    weights = np.concatenate([draw.normal(size=place), padded.reshape(-1, 4, 1 + n).transpose(0, 2, 1).ravel()])
    args = np.array([*inputs, *outputs, *[0] * (len(padded) - m), place])
    before, slopes = G.copy(), np.ones_like(weights)
    layer(args, m, n, weights, slopes, V, G)
    np.testing.assert_allclose(V[outputs], W @ V[inputs] + bias[:, None], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(G[inputs], before[inputs] + W.T @ before[outputs], rtol=1e-13, atol=1e-13)
    found = slopes[place:].reshape(-1, 1 + n, 4).transpose(0, 2, 1).reshape(-1, 1 + n)
    np.testing.assert_allclose(found[:m, 0], 1 + before[outputs].sum(axis=1), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found[:m, 1:], 1 + before[outputs] @ V[inputs].T, rtol=1e-13, atol=1e-13)
    assert (found[m:] == 1).all(), "units that fill up to fours have no slope"
    assert (V[0] == 0).all()
    assert (G[0] == 0).all()
    assert (slopes[:place] == 1).all()


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("more", [0, 1])
def test_a_dot_and_its_derivatives_also_of_a_row_with_itself(lanes, more):
    V, G = np.random.default_rng(3).normal(size=(2, 5, lanes))
    values, before = V.copy(), G.copy()
    dot(np.array([4, 1, 2, 2, 3]), 2, more, V, G)  # row 4 = x₁x₂ + x₂x₃ … the a's are rows 1, 2 and the b's 2, 3
    np.testing.assert_allclose(V[4], more * values[4] + V[1] * V[2] + V[2] * V[3], rtol=1e-13)
    np.testing.assert_allclose(G[2], before[2] + before[4] * (V[1] + V[3]), rtol=1e-13)
    np.testing.assert_allclose(G[1], before[1] + before[4] * V[2], rtol=1e-13)
    G = before.copy()
    dot(np.array([4, 1, 1]), 1, 0, V, G)
    np.testing.assert_allclose(V[4], V[1] ** 2, rtol=1e-13)
    np.testing.assert_allclose(G[1], before[1] + 2 * before[4] * V[1], rtol=1e-13)
