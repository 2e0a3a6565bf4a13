"""Engines in processes of their own, asked for steps in turn, so that a change in the machine's speed meets all.

A process holds one engine, so none meets the threads or the garbage of another, and one that crashes is left out. A
turn takes about as long for each engine, if a step is short: so what a call of many steps costs once is shared by as
many as the engine takes in that time. It begins with steps that are not timed, to fill the caches that the others have
emptied.
"""

import gc
import multiprocessing
import os
import statistics
import time
from contextlib import contextmanager
from math import ceil

import numpy as np
from task import UnableError

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def timed(steps, n):
    start = time.perf_counter()
    steps(n)
    return time.perf_counter() - start


def serve(make, pipe):
    """Answer a task with its gradient or a reason why not, and a number of steps with seconds."""
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
            pipe.send(np.array(gradient))
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
        """The engine's answer; raises UnableError with the reason if it has none."""
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
            answer = pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            del self.workers[name]
            raise UnableError("its process crashed") from None
        if isinstance(answer, str):
            raise UnableError(answer)
        return answer

    def close(self):
        for process, pipe in self.workers.values():
            pipe.send(None)
            process.join()

    def measure(self, task, names, rounds, seconds, least=1):
        """Seconds a step, turn by turn, of each engine that gives the same gradient as the first one named.

        A turn has ``least`` steps, and as many more as fit into the seconds; fewer only where those take ten times as
        long.
        """
        counts, times, expected, unit = {}, {}, None, len(task.batches())
        for name in names:
            with self._left_out_if_unable(task, name):
                gradient = self.ask(name, task)
                expected = gradient if expected is None else expected
                if not np.allclose(gradient, expected, rtol=1e-9, atol=1e-12):
                    raise UnableError("it gives another gradient")
                counts[name], times[name] = self._count(name, unit, seconds, least), []
        for name, n in [*counts.items()] * rounds:
            with self._left_out_if_unable(task, name):
                if n > unit:
                    self.ask(name, unit)
                times[name].append(self.ask(name, n) / n)
        return {name: seen for name, seen in times.items() if len(seen) == rounds}

    @contextmanager
    def _left_out_if_unable(self, task, name):
        try:
            yield
        except UnableError as cause:
            self.left_out[task.name, name] = str(cause)
            print(f"{task.name}: {name} is left out: {cause}", flush=True)

    def _count(self, name, unit, seconds, least):
        """How many steps take so long, with what a call costs once; a multiple of ``unit``."""
        n = unit
        while True:
            spent = min([self.ask(name, n) for _ in range(3)])  # the first may compile, one may check what it replays
            if spent > 0.9 * seconds and (n >= least or spent > 10 * seconds):
                return n
            n = unit * ceil(max(n * seconds / spent, min(least, 10 * n)) / unit)


def ratio(times, others):
    """The median, turn by turn, of how many times as long ``times`` are."""
    return statistics.median([a / b for a, b in zip(times, others)])
