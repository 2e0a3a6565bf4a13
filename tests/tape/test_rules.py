import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Value, optim
from micrograd.tape.rules import compiled_rule

OPTIMIZERS = [
    (optim.SGD, {}),
    (optim.SGD, {"weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.RMSprop, {}),
    (optim.RMSprop, {"momentum": 0.5, "weight_decay": 0.01, "alpha": 0.5}),
    (optim.Adam, {}),
    (optim.Adam, {"weight_decay": 0.1, "betas": (0.0, 0.5)}),
    (optim.AdamW, {}),
]
LOOP = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_void_p] * 3, ctypes.c_int64)


def compiled_step(optimizer, columns, lr, step):
    """What the compiled loop makes of columns of data, gradients and state: data and state."""
    address, numbers = compiled_rule(type(optimizer), len(columns), optimizer.settings)
    settings, new = np.array(numbers), np.empty((len(columns) - 1, columns.shape[1]))
    settings[:2] = lr, step
    LOOP(address)(columns.ctypes.data, new.ctypes.data, settings.ctypes.data, columns.shape[1])
    return new


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS)
@given(seed=st.integers(0, 1000), n=st.integers(1, 70), lr=st.floats(0, 2), step=st.integers(1, 10**6))
def test_the_loop_does_what_the_rule_does(kind, settings, seed, n, lr, step):
    optimizer = kind([Value(1.0)], **settings)
    columns = np.random.default_rng(seed).normal(size=(2 + len(optimizer.state), n))
    columns[2:] = np.abs(columns[2:])  # a running mean of squares is not negative
    optimizer.lr, optimizer.steps = lr, step
    wanted = [list(row) for row in zip(*[optimizer.rule(*map(float, column)) for column in columns.T])]
    np.testing.assert_allclose(compiled_step(optimizer, columns, lr, step), wanted, rtol=1e-14)


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS)
def test_every_setting_counts(kind, settings):
    optimizer = kind([Value(1.0)], **settings)
    columns = np.full((2 + len(optimizer.state), 3), 0.7)
    before = compiled_step(optimizer, columns, 0.1, 2)
    for name, setting in optimizer.settings:
        if setting and not isinstance(setting, bool):
            smaller = tuple([x / 2 for x in setting]) if isinstance(setting, tuple) else setting / 2
            setattr(optimizer, name, smaller)
            assert not np.array_equal(compiled_step(optimizer, columns, 0.1, 2), before), name
            setattr(optimizer, name, setting)


def test_loops_are_shared_by_settings_that_differ_in_numbers():
    a, b = (optim.SGD([Value(1.0)], momentum=momentum) for momentum in (0.8, 0.9))
    one, other = (compiled_rule(optim.SGD, 3, optimizer.settings) for optimizer in (a, b))
    assert one[0] == other[0]
    assert one[1] != other[1]
