"""How cost grows: time against samples, width and threads, and memory against the size of a batch."""

import gc
import statistics
import tracemalloc

import others
import ours
from task import moons

from micrograd import accumulate

FIT, EAGER = "ours, fit", "ours, node by node"
STEPS = 20  # a turn, so that reading 100,000 samples or parameters, which a call does once, does not count as growth
NUMPY, TORCH, JAX = "NumPy by hand", "PyTorch", "JAX, all steps in lax.scan"
MAKERS = {FIT: ours.by_fit, EAGER: ours.eager, NUMPY: others.numpy_by_hand, TORCH: others.torch_eager}
MAKERS |= {JAX: others.jax_scan}


def turns_each(quick):
    """How many, and seconds each."""
    return (3, 0.03) if quick else (5, 0.05)


def curve(peers, quick, tasks, limits):
    """For each engine its points (x, median seconds a step); it stops at its limit of x."""
    points = {}
    for x, task in tasks.items():
        names = [name for name in MAKERS if x <= limits.get(name, x) and (task.name, name) not in peers.left_out]
        for name, times in peers.measure(task, names, *turns_each(quick), STEPS).items():
            points.setdefault(name, []).append((x, statistics.median(times)))
    return points


def against_samples(peers, quick):
    sizes = (100, 400) if quick else (100, 1000, 10_000, 100_000)
    return curve(peers, quick, {n: moons(n) for n in sizes}, {EAGER: 1000})


def against_width(peers, quick):
    widths = (8, 32) if quick else (8, 16, 32, 64, 128, 256, 512)
    return curve(peers, quick, {w: moons(100, widths=(2, w, w, 1)) for w in widths}, {EAGER: 64})


def one_thread(task):
    return ours.by_fit(task, threads=1)


def two_threads(task):
    return ours.by_fit(task, threads=2)


THREADS = {"ours, fit, executor of 1 thread": one_thread, "ours, fit, executor of 2 threads": two_threads}


def against_threads(peers, quick):
    """Seconds of a step over many samples, without an executor and with one of 1 and 2 threads."""
    return peers.measure(moons(10_000 if quick else 100_000), [FIT, *THREADS], *turns_each(quick), STEPS)


def memory(quick):
    """Peak bytes of eager accumulation, and of one graph for the whole batch, against its size."""
    task = moons(100, n=1000)
    _, error, _ = task.problem()
    whole = [sample for batch in task.sample_batches() for sample in batch]
    ways = {
        "sample by sample": lambda samples: accumulate(error, samples),
        "one graph": lambda samples: sum([error(*sample) for sample in samples]).backward(),
    }
    sizes = (1, 10, 100) if quick else (1, 10, 100, 1000)
    return {name: [(size, peak(way, whole[:size])) for size in sizes] for name, way in ways.items()}


def peak(function, *arguments):
    function(*arguments)
    gc.collect()
    tracemalloc.start()
    function(*arguments)
    bytes_ = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return bytes_
