"""Samples packed by their bytes: the same columns as number by number, or a refusal."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Value
from micrograd.tape import layout
from micrograd.tape.replay import flatten, group

NUMBERS = st.floats() | st.integers(-(2**31), 2**31 - 1)
SHAPES = st.recursive(
    st.just(None), lambda inner: st.tuples(st.sampled_from([list, tuple]), st.lists(inner)), max_leaves=8
)


def sample(shape, number):
    return number() if shape is None else shape[0]([sample(part, number) for part in shape[1]])


def columns_one_by_one(samples):
    return np.array([flatten(s)[1] for s in samples]).reshape(len(samples), -1).T


@given(SHAPES, st.integers(1, 5), st.data())
def test_columns_are_those_of_the_numbers(shape, count, draw):
    layouts = {}
    kinds = [draw.draw(st.sampled_from([st.floats(), st.integers(-(2**31), 2**31 - 1)])) for _ in range(8)]
    for _ in range(2):
        samples = []
        for _ in range(count):
            turn = iter(kinds)
            samples.append(sample(shape, lambda turn=turn: draw.draw(next(turn))))
        found, numbers = layout.columns(samples, layouts)
        assert found == flatten(samples[0])[0]
        assert np.array_equal(numbers, columns_one_by_one(samples), equal_nan=True)
        assert numbers.flags.c_contiguous
        assert numbers.dtype == np.float64


@given(st.lists(SHAPES.flatmap(lambda shape: st.builds(lambda seed: sample(shape, lambda: seed), NUMBERS)), min_size=1))
def test_what_is_not_of_one_layout_is_refused(samples):
    found = layout.columns(samples, {})
    layouts = {(flatten(s)[0], *map(type, iter_numbers(s))) for s in samples}
    assert (found is None) == (len(layouts) > 1)
    grouped = group(samples)
    assert sum([len(positions) for _, positions, _ in grouped]) == len(samples)
    for shape, positions, numbers in grouped:
        assert all(flatten(samples[k])[0] == shape for k in positions)
        assert np.array_equal(numbers, columns_one_by_one([samples[k] for k in positions]), equal_nan=True)


def iter_numbers(item):
    if isinstance(item, (list, tuple)):
        for part in item:
            yield from iter_numbers(part)
    else:
        yield item


@pytest.mark.parametrize(
    "odd",
    [
        True,
        2**31,
        10**400,
        None,
        "a",
        1j,
        Value(1.0),
        np.float64(1.0),
        np.ones(1),
        [1.0],
        (1.0, 2.0),
        {},
        math.pi.hex(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_odd_is_refused(odd, place):
    samples = [([1.0, 2.0], 3.0) for _ in range(3)]
    samples[place] = ([1.0, odd], 3.0)
    assert layout.columns(samples, {}) is None


def test_layouts_of_one_length_take_turns():
    layouts = {}
    for samples in ([([1.0], 2.0)] * 2, [[(1.0,), 2.0]] * 3, [([1.0], 2.0)] * 2):
        assert layout.columns(samples, layouts)[0] == flatten(samples[0])[0]
    assert len(layouts) == 1


def test_numbers_that_look_like_marks():
    x = struct.unpack("<d", bytes([0, ord("g"), 0, 0, 0, 0, 0, 64]))[0]
    assert layout.columns([0.0, [x, 1.0]], {}) is None  # half of the bytes begin with a mark


def test_many_samples():
    samples = [[float(k), k] for k in range(3 * layout.AT_ONCE + 5)]
    _, numbers = layout.columns(samples, {})
    assert numbers[0].tolist() == numbers[1].tolist() == list(range(len(samples)))
    odd = [*samples[:-5], *[tuple(sample) for sample in samples[-5:]]]  # those of a chunk
    assert layout.columns(odd, {}) is None
    samples[-1] = [1, 1.0]  # of the same length
    assert layout.columns(samples, {}) is None
    samples[-1] = [1.0]
    layouts = {}
    layout.columns([[1.0]], layouts)
    assert layout.columns(samples, layouts) is None
