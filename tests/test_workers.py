"""Workers that die: what they left undone is done here, and nobody waits for them for ever."""

import functools
import multiprocessing
import os
import signal
import struct
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from micrograd import Value, accumulate, workers

PARENT = os.getpid()
SAMPLES = [(k / 10, 1.0) for k in range(50)]


def squared(w, x, y):
    return (w * x - y) ** 2


def killed(w, x, y):
    if os.getpid() != PARENT and x == 3.0:
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(w, x, y)


def killed_while_it_answers(w, x, y):
    """As a worker whose answer is longer than a pipe takes at once: the executor has read its beginning."""
    if os.getpid() != PARENT and x == 3.0:
        frame = sys._getframe()
        while "result_queue" not in frame.f_locals:
            frame = frame.f_back
        os.write(frame.f_locals["result_queue"]._writer.fileno(), struct.pack("!i", 1000) + b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(w, x, y)


@pytest.mark.parametrize("loss", [killed, killed_while_it_answers])
def test_a_worker_that_is_killed_costs_time_only(loss, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.2)
    w, alone = Value(0.5), Value(0.5)
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        error = accumulate(functools.partial(loss, w), SAMPLES, executor=pool)
    assert error == pytest.approx(accumulate(functools.partial(squared, alone), SAMPLES), rel=1e-15)
    assert w.grad == pytest.approx(alone.grad, rel=1e-14)
