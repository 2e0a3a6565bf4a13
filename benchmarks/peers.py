"""Engines side by side, ours and its peers: each checked for the same gradient, then timed by turns in one run.

    python benchmarks/peers.py              some minutes; writes benchmarks.md and benchmarks.png to --out
    python benchmarks/peers.py --quick      a minute, fewer turns and smaller tasks

A step is loss, gradient and SGD update in float64, on one thread where an engine lets one choose. A peer that is not
installed, lacks an operation or gives another gradient is left out with a line that says so:

    pip install torch jax casadi autograd oxigrad micrograd-rust
"""

import argparse
import datetime
import os
import platform
import time
from pathlib import Path

import arrays
import costs
import gpt
import growth
import report
import scalars
import task
import turns

REFERENCE = growth.FIT
MAKERS = {
    growth.FIT: scalars.tape_fit,
    "ours, tape, accumulate + step": scalars.tape_accumulate,
    "ours, eager": scalars.eager,
    "micrograd 0.1.0": scalars.micrograd_old,
    "micrograd 0.1.0, collector off": scalars.micrograd_old_uncollected,
    "oxigrad (Rust)": scalars.oxigrad,
    "micrograd-rust": scalars.micrograd_rust,
    "CasADi, C by gcc": scalars.casadi,
    "CasADi, its machine": scalars.casadi_machine,
    "NumPy by hand": arrays.numpy_by_hand,
    "PyTorch": arrays.torch_eager,
    "JAX, jit": arrays.jax_jit,
    "JAX, jit, steps queued": arrays.jax_queued,
    "JAX, jit, steps in one loop": arrays.jax_loop,
    "autograd": arrays.hips_autograd,
}
OF_GPT = {
    growth.FIT: gpt.tape_fit,
    "ours, tape, accumulate + step": gpt.tape_accumulate,
    "ours, eager": gpt.eager,
}


def steps_of_all(quick):
    """Seconds a step, turn by turn, by workload and engine; and who was left out, with the reason."""
    rounds = 5 if quick else 12
    peers, names = turns.Peers(MAKERS), list(MAKERS)
    results = {}
    for job in (task.moons(100), task.moons(32, 96, activation="tanh"), task.digits()):
        results[job.name] = peers.measure(job, names, rounds)
        print(job.name, "done", flush=True)
    peers.close()
    ours = turns.Peers(OF_GPT)
    results[gpt.Name.name] = ours.measure(gpt.Name(), list(OF_GPT), rounds)
    ours.close()
    return results, peers.left_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns, smaller tasks")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where table and picture go")
    options = parser.parse_args()
    start = time.perf_counter()
    results, left_out = steps_of_all(options.quick)
    print(f"{time.perf_counter() - start:.0f} s, now growth", flush=True)
    peers = turns.Peers(growth.MAKERS | growth.THREADS)
    samples = growth.against_samples(peers, options.quick)
    widths = growth.against_width(peers, options.quick)
    threads = growth.against_threads(peers, options.quick)
    peers.close()
    memory = growth.memory(options.quick)

    machine = f"{os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}"
    parts = [
        f"{datetime.date.today()}, {machine}. Medians; in brackets, times ours through `fit`, turn by turn.",
        report.table(results, left_out, MAKERS, REFERENCE),
        report.rows(("one step over all samples", *samples), across(samples)),
        report.rows(("2-w-w-1, width", *widths), across(widths)),
        report.rows(
            ("threads, many samples", "median", "times as fast"),
            [
                (name, report.time_text(turns.statistics.median(t)), f"{1 / turns.ratio(t, threads[REFERENCE]):.2f}")
                for name, t in threads.items()
            ],
        ),
        report.rows(
            ("memory of a batch of", *memory),
            [
                (str(x), *[f"{dict(pairs)[x] / 1e3:.0f} kB" for pairs in memory.values()])
                for x, _ in memory["one graph"]
            ],
        ),
        report.rows(("first calls", ""), costs.first_calls()),
        report.rows(("small batches", "eager", "tape"), costs.small()),
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "benchmarks.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print("\n\n".join(parts))
    shown = {name: times for name, times in results.items() if name != gpt.Name.name}
    report.picture(options.out / "benchmarks.png", shown, samples, widths, memory)
    print(f"wrote {options.out}/benchmarks.md and benchmarks.png after {time.perf_counter() - start:.0f} s")


def across(points):
    """Lines of x and the time of each engine there."""
    for x in [x for x, _ in points[REFERENCE]]:
        yield str(x), *[report.time_text(dict(pairs)[x]) if x in dict(pairs) else "–" for pairs in points.values()]


if __name__ == "__main__":
    main()
