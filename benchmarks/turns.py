"""Engines in processes of their own, asked for steps in turn, so that a change in the machine's speed meets all.

A process holds one engine, so none meets the threads or the garbage of another, and one that crashes is left out. Each
turn begins with steps that are not timed, to fill the caches that the others have emptied.
"""

import gc
import multiprocessing
import os
import statistics
import time
from math import ceil

import numpy as np
from task import UnableError

LEAST = (
    300  # steps a turn, of engines that do them in a second: what a call of ``fit`` costs is shared by an epoch or so
)
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def timed(steps, n):
    start = time.perf_counter()
    steps(n)
    return time.perf_counter() - start


def serve(make, pipe):
    """Answer a task with (gradient, seconds that a unit of steps needs) or a reason, a number of steps with seconds."""
    steps = None
    while (request := pipe.recv()) is not None:
        if isinstance(request, int):
            pipe.send(timed(steps, request))
            gc.collect()  # the cycles of an engine that runs without the collector
            continue
        steps = None
        gc.unfreeze()
        gc.collect()
        try:
            gradient, steps = make(request)
            unit = len(request.batches())
            steps(unit)
            pipe.send((np.array(gradient), timed(steps, unit) / unit))
        except ImportError as cause:
            pipe.send(f"not installed ({cause})")
        except UnableError as cause:
            pipe.send(str(cause))
        except Exception as cause:  # whatever a peer raises, the others go on
            pipe.send(f"{type(cause).__name__}: {str(cause)[:80]}")
        gc.collect()
        gc.freeze()  # what stays is no work for the collector


class Peers:
    """Processes by the names of engines, started at first use."""

    def __init__(self, makers):
        self.makers, self.workers, self.left_out = makers, {}, {}
        os.environ.update(THREADS)

    def ask(self, name, request):
        if name not in self.workers:
            context = multiprocessing.get_context("spawn")
            pipe, other = context.Pipe()
            process = context.Process(target=serve, args=(self.makers[name], other), daemon=True)
            process.start()
            other.close()
            self.workers[name] = process, pipe
        pipe = self.workers[name][1]
        try:
            pipe.send(request)
            return pipe.recv()
        except (EOFError, BrokenPipeError):
            del self.workers[name]
            return "its process crashed"

    def close(self):
        for process, pipe in self.workers.values():
            pipe.send(None)
            process.join()

    def measure(self, task, names, rounds, seconds=0.01, fewest=None):
        """Seconds a step, turn by turn, of each engine that gives the same gradient as the first one named."""
        steps, times, expected = {}, {}, None
        unit = len(task.batches())
        for name in names:
            answer = self.ask(name, task)
            if not isinstance(answer, str):
                gradient, cost = answer
                expected = gradient if expected is None else expected
                if np.allclose(gradient, expected, rtol=1e-9, atol=1e-12):
                    least = fewest or (LEAST if cost * LEAST < 1 else 10 if cost < 0.16 else 1)
                    steps[name], times[name] = unit * ceil(max(least, seconds / cost) / unit), []
                    continue
                answer = "it gives another gradient"
            self.leave_out(task, name, answer)
        for _ in range(rounds):
            for name, n in list(steps.items()):
                if n > unit or not times[name]:
                    self.ask(name, unit)
                answer = self.ask(name, n)
                if isinstance(answer, str):
                    self.leave_out(task, name, answer)
                    del steps[name], times[name]
                else:
                    times[name].append(answer / n)
        return times

    def leave_out(self, task, name, reason):
        self.left_out[task.name, name] = reason
        print(f"{task.name}: {name} is left out: {reason}", flush=True)


def ratio(times, others):
    """The median, turn by turn, of how many times as long ``times`` are."""
    return statistics.median([a / b for a, b in zip(times, others)])
