"""Engines side by side, ours and its peers: each checked for the same gradient, then timed by turns in one run.

    python benchmarks/peers.py              up to ten minutes; writes speed.md, README.md and benchmarks.png to --out
    python benchmarks/peers.py --quick      a minute or two, with fewer turns and smaller tasks
    python benchmarks/peers.py --pages      puts them into docs/speed.md and benchmarks/README.md, with their picture

A step is loss, gradient and SGD update in float64, on one thread where an engine lets one choose. A peer that is not
installed, lacks an operation or gives another gradient is left out with a line that says so:

    pip install torch jax autograd
"""

import argparse
import time
from pathlib import Path

import costs
import growth
import others
import ours
import task
import turns

OF_ALL_TASKS = {
    growth.FIT: ours.by_fit,
    "ours, Training, write_back=False, samples=…": ours.training_arrays_known,
    "ours, Training, samples=…": ours.training_known,
    "ours, Training, write_back=False": ours.training_arrays,
    "ours, Training": ours.training,
    "ours, accumulate + step": ours.on_values,
    "ours, tape replayed by NumPy": ours.by_numpy,
    growth.EAGER: ours.eager,
}
OF_PERCEPTRONS = {
    "C by hand": others.c_by_hand,
    growth.JAX: others.jax_scan,
    "JAX, jit, steps queued": others.jax_queued,
    "JAX, jit, a step a call": others.jax_jit,
    growth.NUMPY: others.numpy_by_hand,
    growth.TORCH: others.torch_eager,
    "autograd": others.hips_autograd,
    "micrograd 0.1.0, collector off": others.micrograd_old_uncollected,
    "micrograd 0.1.0": others.micrograd_old,
}
MAKERS = OF_ALL_TASKS | OF_PERCEPTRONS
SLOW = {growth.EAGER, "micrograd 0.1.0, collector off", "micrograd 0.1.0"}  # seconds a step where samples are many


def steps_of_all(peers, quick):
    """Seconds a step, turn by turn, by workload and engine."""
    turns_each = (3, 0.06) if quick else (12, 0.1)  # and seconds each
    jobs = [(task.moons(100), MAKERS), (task.digits(), MAKERS), (task.Name(), OF_ALL_TASKS)]
    if not quick:
        jobs.insert(1, (task.moons(32, 96, activation="tanh"), MAKERS))
        jobs.append((task.moons(10_000), MAKERS.keys() - SLOW))
    results = {}
    for job, names in jobs:
        results[job.name] = peers.measure(job, [name for name in MAKERS if name in names], *turns_each)
        print(job.name, "done", flush=True)
    return results


def main() -> None:
    import report  # which no engine's process needs

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns, smaller tasks")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where tables and picture go")
    parser.add_argument("--pages", action="store_true", help="write them into the pages that show them")
    options = parser.parse_args()
    start = time.perf_counter()
    peers = turns.Peers(MAKERS | growth.THREADS)
    results = steps_of_all(peers, options.quick)
    print(f"{time.perf_counter() - start:.0f} s, now growth", flush=True)
    samples = growth.against_samples(peers, options.quick)
    widths = growth.against_width(peers, options.quick)
    threads = growth.against_threads(peers, options.quick)
    peers.close()
    memory = growth.memory(options.quick)
    print(f"{time.perf_counter() - start:.0f} s, now first calls", flush=True)
    first_calls, small = costs.first_calls(options.quick), costs.small()

    options.out.mkdir(parents=True, exist_ok=True)
    picture = report.PICTURE if options.pages else options.out / report.PICTURE.name
    report.picture(picture, results, samples, widths, memory)
    figures = {
        report.SPEED: report.speed(results, peers.left_out, MAKERS, growth.FIT),
        report.MORE: report.more(samples, widths, threads, memory, first_calls, small),
    }
    for page, text in figures.items():
        print(text, end="\n\n")
        (options.out / page.name).write_text(text + "\n", encoding="utf-8")
        if options.pages:
            report.put(page, text)
    print(f"wrote {options.out if not options.pages else 'the pages'} after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
