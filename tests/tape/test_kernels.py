"""Kernels against the table: every row, value and partials; threads, processes, a cluster."""

import functools
import math
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

from micrograd import Value, accumulate, jit, losses, nn, ops
from micrograd.engine import apply
from micrograd.higher import gradients
from micrograd.ops import TABLE, find, primitive
from micrograd.tape import replay, vector

NUMBERS = [-2.5, -1.0, -0.6, -1e-9, 0.0, 1e-9, 0.3, 0.5, 1.0, 2.0, 3.7, 30.0]
ROWS = [row for name, row in TABLE.items() if name != "bell"] + [find("power", c) for c in (0, 1, 2, 3, -2, 0.5, 2.5)]


def operands(row):
    """Lists of operands on which the row and its partials are defined."""
    if row is ops.dot:
        return [NUMBERS[i : i + 2 * k + b] for i in range(3) for k in (1, 4) for b in (0, 1)]
    if row is ops.logsumexp:
        return [NUMBERS[:k] for k in (1, 2, 5)] + [[1000.0, -1000.0, 999.0]]
    if row is ops.pick:
        return [[*NUMBERS[:4], float(k)] for k in range(4)]
    found = []
    for case in [[x] for x in NUMBERS] + [[x, y] for x in NUMBERS for y in NUMBERS]:
        try:
            apply(row, case)
        except (TypeError, ValueError):
            continue
        found.append(case)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}{row.constant or ''}")
@pytest.mark.parametrize("shared", [False, True], ids=["rows", "scalars"])
def test_every_row(row, shared):
    cases = operands(row)
    assert cases
    for case in cases if shared else [case for case in cases if len(case) == len(cases[0])][:1]:
        parameters = [Value(1.0) for _ in case]
        alike = [other for other in cases if len(other) == len(case)]

        def loss(*numbers, parameters=parameters):
            values = [p if shared else p * x for p, x in zip(parameters, numbers)]
            if row is ops.pick:
                values[-1] = numbers[-1]
            return apply(row, values) * (numbers[0] + 3)

        if shared:
            for p, x in zip(parameters, case):
                p.data = x
            alike = [case] * 2
        samples = [tuple(other) for other in alike]
        samples *= 1 + 400 // len(samples)
        fast = jit(loss)
        values = fast.map(samples)
        expected = [loss(*sample) for sample in samples]
        assert values == pytest.approx([v.data for v in expected], rel=1e-12, abs=1e-300)
        accumulate(fast, samples, reduction="sum")
        slopes = np.array([[v.data for v in gradients(graph, parameters)] for graph in expected])
        got, wanted = [p.grad for p in parameters], slopes.sum(axis=0)
        assert got == pytest.approx(wanted, rel=1e-11, abs=1e-11 * np.abs(slopes).max())


def test_a_primitive_of_the_users_own_replays():
    bump = primitive("test_bump", lambda x: math.exp(-x * x) + helper(x), lambda z, x: (-2 * x * ops.exp(-x * x) + 1,))
    ratio = primitive(
        "test_ratio", lambda x, y: x / (1 + y * y), lambda z, x, y: (1 / (1 + y * y), -2 * y * z / (1 + y * y))
    )
    try:
        p = Value(0.7)
        samples = [0.1 * k for k in range(-100, 100)]
        loss = lambda x: bump(p * x) + ratio(p, x)
        expected = [loss(x) for x in samples]
        fast = jit(loss)
        assert accumulate(fast, samples, "sum") == pytest.approx(sum(v.data for v in expected), rel=1e-12)
        assert p.grad == pytest.approx(sum(gradients(v, p).data for v in expected), rel=1e-12)
    finally:
        del TABLE["test_bump"], TABLE["test_ratio"]


def helper(x):
    return x


def test_a_primitive_that_cannot_be_compiled_is_named():
    def lookup(x):
        return {"a": [x]}["a"][0] + len(open.__doc__) * 0

    odd = primitive("test_odd", lookup, lambda z, x: (1.0,))
    three = primitive("test_three", lambda x, y, z: x * y * z, lambda r, x, y, z: (y * z, x * z, x * y))
    try:
        p = Value(1.0)
        with pytest.raises(TypeError, match="'test_odd'"):
            accumulate(jit(lambda x: odd(p * x)), [1.0] * 300)
        with pytest.raises(TypeError, match="'test_three' has 3"):
            accumulate(jit(lambda x: three(p, x, x)), [1.0] * 300)
    finally:
        del TABLE["test_odd"], TABLE["test_three"]


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (-30, 30), (-700, 709), (-1e-8, 1e-8), (0.3, 0.4)])
def test_vector_functions_against_libm(low, high):
    draw = random.Random(0)
    xs = [draw.uniform(low, high) for _ in range(2000)]
    for fast, libm, units in [(vector.exp, math.exp, 1), (vector.tanh, math.tanh, 3)]:
        assert all(abs(fast(x) - libm(x)) <= units * math.ulp(libm(x)) for x in xs)


def test_vector_functions_at_the_ends():
    inf, nan = math.inf, math.nan
    assert [vector.exp(x) for x in (0.0, -inf, -750.0, inf, 710.0)] == [1.0, 0.0, 0.0, inf, inf]
    assert [vector.tanh(x) for x in (0.0, -inf, inf, 25.0, -25.0)] == [0.0, -1.0, 1.0, 1.0, -1.0]
    assert math.isnan(vector.exp(nan))
    assert math.isnan(vector.tanh(nan))
    assert math.copysign(1, vector.tanh(-0.0)) == -1


# ---- who works -------------------------------------------------------------------------------------------------------


@pytest.fixture
def pieces(monkeypatch):
    """Pieces of work that are small, so that there are several of them."""
    monkeypatch.setattr(replay, "CHUNK_OPERANDS", 1 << 16)


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
    parameters, column = [p.data for p in fast.parameters], np.array([[0.1], [0.2], [1.0]])
    assert again.evaluate(parameters, column) == track.program.evaluate(parameters, column)


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


def test_a_second_process_compiles_nothing():
    code = (
        "from micrograd import Value, accumulate, jit; from micrograd.tape.kernels import replay\n"
        "w = Value(2.0)\n"
        "accumulate(jit(lambda x: (w * x).tanh()), [1.0, 2.0] * 200)\n"
        "print(sum(replay.stats.cache_hits.values()), sum(replay.stats.cache_misses.values()))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[1].stdout == "1 0\n"
