"""Batches cut into pieces: threads, processes and clusters give the same bits."""

import functools
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from micrograd import Value, accumulate, jit, losses, nn
from micrograd.tape import replay

# ---- who works -------------------------------------------------------------------------------------------------------


@pytest.fixture
def pieces(monkeypatch):
    """Pieces of work that are small, so that there are several of them."""
    kept = replay.program_of

    def program_of(tape):
        program = kept(tape)
        program.chunk = 1024
        return program

    monkeypatch.setattr(replay, "program_of", program_of)


def problem(n=5000):
    random.seed(5)
    model = nn.MLP(2, [7, 1], activation="tanh")
    draw = random.Random(6)
    samples = [([draw.gauss(0, 1), draw.gauss(0, 1)], draw.choice([-1, 1])) for _ in range(n)]
    return jit(lambda x, y: losses.hinge(model(x), y)), samples, model.parameters()


def bits(executor):
    fast, samples, parameters = problem()
    error = accumulate(fast, samples, executor=executor)
    (track,) = fast._tracks.values()
    assert 3 * track.program.chunk < len(samples)
    return error, [p.grad for p in parameters]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_threads_give_the_same_bits(workers):
    with ThreadPoolExecutor(workers) as pool:
        assert bits(pool) == bits(None)


@pytest.mark.usefixtures("pieces")
def test_processes_give_the_same_bits():
    with ProcessPoolExecutor(2) as pool:
        assert bits(pool) == bits(None)


def scale(model, x, y):
    return losses.hinge(model(x), y) * Value(0.5) + 0.01 * model.layers[0].neurons[0].bias ** 2


SHARED = nn.MLP(2, [3, 1])


def with_globals(x, y):
    return losses.hinge(SHARED(x), y)


def plain_bits(executor):
    _, samples, _ = problem(100)
    model = nn.MLP(2, [3, 1])
    error = accumulate(functools.partial(scale, model), samples, executor=executor)
    return error, [p.grad for p in model.parameters()]


def test_a_plain_loss_shared_out():
    results = []
    for make, workers in [(ThreadPoolExecutor, 1), (ThreadPoolExecutor, 3), (ProcessPoolExecutor, 2)]:
        with make(workers) as pool:
            results.append(plain_bits(pool))
    assert results[0] == results[1] == results[2]
    error, slopes = plain_bits(None)
    assert results[0][0] == pytest.approx(error, rel=1e-12)
    assert results[0][1] == pytest.approx(slopes, rel=1e-12)


def test_a_plain_loss_in_a_broken_pool():
    with ThreadPoolExecutor(1) as pool:
        expected = plain_bits(pool)
    with ProcessPoolExecutor(2) as pool:
        pool.submit(die, 0)
        assert plain_bits(pool) == expected


def test_a_plain_loss_that_cannot_be_sent():
    _, samples, _ = problem(40)
    with ProcessPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="not sent with it"):
            accumulate(with_globals, samples, executor=pool)
        with pytest.raises(ValueError, match=r"sample 33 of the batch: .*got 5"):
            accumulate(functools.partial(scale, SHARED), [*samples[:33], ([0, 0], 5)], executor=pool)
        with pytest.raises(TypeError, match="pickle of the loss"):
            accumulate(functools.partial(scale, threading.Lock()), samples, executor=pool)


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("pieces")
def test_a_pool_that_breaks_costs_time_not_the_result():
    with ProcessPoolExecutor(2) as pool:
        pool.submit(die, 0)
        assert bits(pool) == bits(None)


def test_a_program_pickles():
    fast, samples, _ = problem(10)
    accumulate(fast, samples * 10)
    (track,) = fast._tracks.values()
    again = pickle.loads(pickle.dumps(track.program))
    values, column, only = (
        np.array([p.data for p in fast.parameters]),
        np.array([[0.1], [0.2], [1.0]]),
        np.zeros(1, int),
    )
    (loss, gradient), (expected, slopes) = (p.gradient(values, column, only) for p in (again, track.program))
    assert loss == expected
    assert gradient.tolist() == slopes.tolist()


@pytest.mark.usefixtures("pieces")
def test_a_dask_cluster_with_a_worker_killed():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pool = client.get_executor()
        assert bits(pool) == bits(None)
        with ThreadPoolExecutor(1) as thread:
            assert plain_bits(pool) == plain_bits(thread)
        fast, samples, parameters = problem(100_000)
        pids = list(client.run(os.getpid).values())
        killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(0.05); os.kill({pids[0]}, 9)"])
        error = accumulate(fast, samples, executor=pool)
        killer.wait()
        slopes = [p.grad for p in parameters]
        for p in parameters:
            p.grad = 0.0
        assert (error, slopes) == (accumulate(fast, samples), [p.grad for p in parameters])
        alive = lambda: client.run(os.getpid, on_error="ignore").values()  # while a worker is dying, it cannot be asked
        deadline = time.monotonic() + 60
        while pids[0] in alive() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert pids[0] not in alive()
