"""Whether the tape is ever slower than the plain function: first calls, batches of one, tiny expressions."""

import gc
import statistics
import subprocess
import sys
import time

import gpt
import scalars
from names import GPT, encode
from task import moons

from micrograd import Value, accumulate, jit

# In a new process: seconds to import, of a first accumulate, and of another one's, which records alone.
FRESH = """
import time
start = time.perf_counter()
import scalars, task
from micrograd import accumulate
job = task.moons(100)
(batch,) = job.sample_batches()
times = []
for loss in [scalars.recorded(job, job.network()) for _ in range(2)]:
    start = time.perf_counter()
    accumulate(loss, batch)
    times.append(time.perf_counter() - start)
print(*times)
"""


def milliseconds(function, rounds=9):
    """The median of several calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def first_calls():
    """Lines on what recording costs, and loading the compiled loops in a process that finds them on disk."""
    gc.freeze()  # what the rest of the benchmark left is no work for the collector
    command = [sys.executable, "-c", FRESH]
    folder = str(gpt.Path(__file__).parent)
    runs = [
        [float(t) for t in subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout.split()]
        for _ in range(4)
    ]
    first, second = map(statistics.median, zip(*runs[1:]))  # the first may compile what the others find on disk
    job = moons(100)
    (batch,), model = job.sample_batches(), GPT(0)
    letters = [encode("random")]
    eager = milliseconds(lambda: accumulate(scalars.sample_loss(job, job.network()), batch))
    yield (
        "first `accumulate` in a new process, moons: load the loops, record, check, replay",
        f"{1e3 * first:.0f} ms",
    )
    yield "another loss's first `accumulate` in that process: record, check, replay", f"{1e3 * second:.1f} ms"
    yield "the same batch, eager", f"{eager:.1f} ms"
    record = milliseconds(lambda: jit(model.loss).tape(*letters[0]), rounds=3)
    first = milliseconds(lambda: accumulate(jit(model.loss), letters), rounds=3)
    eager = milliseconds(lambda: accumulate(model.loss, letters), rounds=3)
    yield "GPT, 1 name: record", f"{record:.0f} ms"
    yield "GPT, 1 name: record, check, replay", f"{first:.0f} ms"
    yield "GPT, 1 name: eager", f"{eager:.0f} ms"


def small():
    """Lines (what, eager, tape) on batches of one and a tiny expression, in µs by turns."""
    job = moons(100)
    model, w = job.network(), Value(2.0)
    (samples,) = job.sample_batches()
    network = scalars.sample_loss(job, model)
    tiny = lambda x, y: (w * x - y) ** 2
    for what, loss, batch in (
        ("moons network, batch of 1", network, samples[:1]),
        ("moons network, batch of 10", network, samples[:10]),
        ("(w·x − y)², batch of 1", tiny, [(0.5, 1.0)]),
        ("(w·x − y)², batch of 100", tiny, [(0.01 * k, 1.0) for k in range(100)]),
    ):
        fast = jit(loss)
        times = {loss: [], fast: []}
        for _ in range(12):
            for function, seen in times.items():
                accumulate(function, batch)
                start = time.perf_counter()
                for _ in range(20):
                    accumulate(function, batch)
                seen.append((time.perf_counter() - start) / 20)
        eager, tape = (1e6 * statistics.median(seen[2:]) for seen in times.values())
        yield what, f"{eager:.1f} µs", f"{tape:.1f} µs"
