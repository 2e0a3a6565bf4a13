"""A training step in plain Python beside micrograd 0.1.0, interleaved in one run.

    python benchmarks/eager.py

MLP 2-16-16-1 with relu, 100 moons, hinge loss + L2, sample by sample. The closures of 0.1.0 leave cycles behind: it
runs as shipped, and with the garbage collector off and the cycles freed between turns, which is its steady baseline.
"""

import statistics

import others
import ours
import task
import turns

MAKERS = {
    "ours, node by node": ours.eager,
    "micrograd 0.1.0, collector off": others.micrograd_old_uncollected,
    "micrograd 0.1.0": others.micrograd_old,
}


def main() -> None:
    peers = turns.Peers(MAKERS)
    times = peers.measure(task.moons(100), list(MAKERS), rounds=30, seconds=0.05)
    peers.close()
    reference = times["ours, node by node"]
    print(f"{'one step':32}{'median':>10}{'fastest':>10}   times ours, turn by turn: median")
    for name, seconds in times.items():
        median, fastest = 1e3 * statistics.median(seconds), 1e3 * min(seconds)
        print(f"{name:32}{median:7.1f} ms{fastest:7.1f} ms   {turns.ratio(seconds, reference):.1f}")


if __name__ == "__main__":
    main()
