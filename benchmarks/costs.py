"""What a first call costs, and small batches: whether the tape is ever slower than the plain function."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ours
from task import moons

from micrograd import Value, accumulate, fit, jit, optim

# Each runs in a new process: what is set up before the clock starts, and the call.
COMMON = """
import sys, time
import numpy as np
import ours, task
from micrograd import accumulate, fit, optim
"""
MOONS = """
xs = np.random.default_rng(1).normal(size=(100, 2))
job = task.Perceptron("", (2, 16, 16, 1), "relu", "hinge", xs, np.sign(xs[:, 0]), 100, 1e-4)
(batch,) = job.sample_batches()
"""
NAMES = """
from names import NAMES, encode
lengths = {len(name): encode(name) for name in NAMES}
job = task.Name()
"""
CALL = """
parameters, loss = ours.recorded(job)
if sys.argv[1] == "plain":
    loss = loss.function
start = time.perf_counter()
{}
print(time.perf_counter() - start)
"""
FIRST_CALLS = {
    "moons, batch 100: `accumulate`": (MOONS, "accumulate(loss, batch)"),
    "moons, batch 100: `fit`, 1 epoch": (MOONS, "fit(loss, [batch], optim.SGD(parameters, 0.05), progress=False)"),
    "GPT, 1 name: `accumulate`": (NAMES, "accumulate(loss, [lengths[6]])"),
    "GPT, 10 names, one of each length: `accumulate`": (NAMES, "accumulate(loss, list(lengths.values()))"),
}


def first_calls(quick):
    """Seconds of the first call in a new process: nothing on disk, code on disk, and by the plain function."""
    chosen = dict([*FIRST_CALLS.items()][: 3 if quick else None])  # the last one takes long
    found = {what: [[], [], []] for what in chosen}
    for _ in range(1 if quick else 3):
        for what, (setup, call) in chosen.items():
            with tempfile.TemporaryDirectory() as cache:
                for seconds, way in zip(found[what], ("recorded", "recorded", "plain")):
                    seconds.append(in_new_process(COMMON + setup + CALL.format(call), way, cache))
    return {what: [statistics.median(seconds) for seconds in ways] for what, ways in found.items()}


def in_new_process(script, way, cache):
    command = [sys.executable, "-c", script, way]
    environment, folder = {**os.environ, "MICROGRAD_CACHE": cache}, Path(__file__).parent
    return float(subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True).stdout)


def small():
    """Seconds of small calls, by the plain function and by the tape, measured by turns."""
    (parameters, network), w = ours.recorded(moons(100)), Value(2.0)
    (samples,) = moons(100).sample_batches()
    tiny = jit(lambda x, y: (w * x - y) ** 2)
    optimizer = optim.SGD(parameters, 0.0)
    calls = {
        "moons, batch of 1": (network, lambda loss: accumulate(loss, samples[:1])),
        "moons, batch of 10": (network, lambda loss: accumulate(loss, samples[:10])),
        "moons, batch of 100: `fit`, 1 epoch of 1 step": (
            network,
            lambda loss: fit(loss, [samples], optimizer, progress=False),
        ),
        "(w·x − y)², batch of 1": (tiny, lambda loss: accumulate(loss, [(0.5, 1.0)])),
        "(w·x − y)², batch of 100": (tiny, lambda loss: accumulate(loss, [(0.01 * k, 1.0) for k in range(100)])),
    }
    return {what: by_turns(call, [loss.function, loss]) for what, (loss, call) in calls.items()}


def by_turns(call, losses, turns=10, seconds=0.01):
    """For each loss the median of what a call takes."""
    counts, times = [], [[] for _ in losses]
    for loss in losses:
        call(loss)
        start = time.perf_counter()
        call(loss)
        counts.append(1 + int(seconds / (time.perf_counter() - start)))
    for _ in range(turns):
        for loss, count, seen in zip(losses, counts, times):
            start = time.perf_counter()
            for _ in range(count):
                call(loss)
            seen.append((time.perf_counter() - start) / count)
    return [statistics.median(seen) for seen in times]
