"""One training step in plain Python, side by side with micrograd 0.1.0 from PyPI, interleaved in one run.

    python benchmarks/eager.py

Step: MLP 2-16-16-1 with relu, 100 moons, hinge loss + L2, sample by sample: loss, gradient and SGD update. Both
engines run the same numbers (the same seed gives the same weights) and are checked to reach the same losses. Each runs
in a process of its own; the parent asks them for a step in turn, so that a change in the machine's speed meets all.
Each turn begins with a step that is not timed, to fill the caches that the others have emptied.

The closure design of 0.1.0 leaves cycles behind: it runs as shipped, and with the garbage collector switched off
(freeing the cycles between the timed steps), which is its steady baseline.
"""

import argparse
import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLD = "micrograd==0.1.0"
STRENGTH = 1e-4  # of the L2 penalty
LR = 0.05


def ours(samples, model):
    from micrograd import accumulate, losses, optim

    parameters = model.parameters()
    optimizer = optim.SGD(parameters, lr=LR)

    def loss(x, y):
        return losses.hinge(model(x), y)

    def step():
        optimizer.zero_grad()
        error = accumulate(loss, samples)
        penalty = STRENGTH * losses.l2(parameters)
        penalty.backward()
        optimizer.step()
        return error + penalty.data

    return step


def theirs(samples, model):
    parameters = model.parameters()
    share = 1 / len(samples)

    def step():
        model.zero_grad()
        error = 0.0
        for x, y in samples:
            e = (1 - y * model(x)).relu() * share
            e.backward()
            error += e.data
        penalty = STRENGTH * sum(p * p for p in parameters)
        penalty.backward()
        for p in parameters:
            p.data -= LR * p.grad
        return error + penalty.data

    return step


def work(engine: str) -> None:
    """Answer each line on stdin with the seconds and the loss of one step, as JSON."""
    from micrograd.nn import MLP

    samples = [(x, y) for x, y in json.loads(sys.stdin.readline())]
    random.seed(1)
    step = (ours if engine == "ours" else theirs)(samples, MLP(2, [16, 16, 1]))
    if engine == "closures, gc off":
        gc.disable()
    for _ in sys.stdin:
        step()
        start = time.perf_counter()
        loss = step()
        seconds = time.perf_counter() - start
        if engine == "closures, gc off":
            gc.collect()
        print(json.dumps([seconds, loss]), flush=True)


def ask(worker: subprocess.Popen) -> tuple[float, float]:
    worker.stdin.write("step\n")
    worker.stdin.flush()
    return tuple(json.loads(worker.stdout.readline()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=30, help="timed steps of each engine (default: 30)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return

    from sklearn.datasets import make_moons

    xs, ys = make_moons(100, noise=0.1, random_state=1)
    samples = json.dumps(list(zip(xs.tolist(), (2 * ys - 1).tolist())))
    with tempfile.TemporaryDirectory() as old:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", old, OLD], check=True)
        paths = {"ours": str(ROOT), "closures, gc off": old, "closures, as shipped": old}
        workers = {
            engine: subprocess.Popen(
                [sys.executable, __file__, "--worker", engine],
                env={"PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for engine, path in paths.items()
        }
        for worker in workers.values():
            worker.stdin.write(samples + "\n")
        times = {engine: [] for engine in workers}
        for _ in range(options.rounds):
            answers = {engine: ask(worker) for engine, worker in workers.items()}
            for engine, (seconds, loss) in answers.items():
                times[engine].append(seconds)
                if abs(loss - answers["ours"][1]) > 1e-9 * abs(loss):
                    raise SystemExit(f"{engine} reached loss {loss}, ours {answers['ours'][1]}")
        for worker in workers.values():
            worker.stdin.close()
            worker.wait()

    print(f"{'engine':22}{'median':>10}{'fastest':>10}   ratio to ours, pair by pair: median (range)")
    for engine, seconds in times.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds, times["ours"])]
        print(
            f"{engine:22}{1e3 * statistics.median(seconds):7.1f} ms{1e3 * min(seconds):7.1f} ms"
            f"   {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
