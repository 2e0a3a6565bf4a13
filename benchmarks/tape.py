"""A training step through ``jit`` beside peers, interleaved in one run, each checked for the same gradient first.

    python benchmarks/tape.py

Step: MLP 2-16-16-1 with relu, 100 moons, hinge loss + L2: loss, gradient and SGD update. A peer that is not installed
is left out with a line that says so.
"""

import argparse
import random
import statistics
import time

import numpy as np
from sklearn.datasets import make_moons

from micrograd import accumulate, data, fit, jit, losses, nn, optim

STRENGTH, LR, WIDTHS = 1e-4, 0.05, (2, 16, 16, 1)


def network():
    random.seed(1)
    return nn.MLP(WIDTHS[0], list(WIDTHS[1:]))


def arrays():
    """The weights (units × inputs) and biases of each layer of that network."""
    return [
        (np.array([[w.data for w in n.weights] for n in layer.neurons]), np.array([n.bias.data for n in layer.neurons]))
        for layer in network().layers
    ]


def flat(gradients):
    """In the order of ``Module.parameters``."""
    return np.concatenate([np.column_stack([w, b]).ravel() for w, b in gradients])


# Each peer: a function of the moons that returns (gradient, steps): the gradient before training, and a function that
# does n steps.


def tape_fit(xs, ys, samples):
    model = network()
    parameters = model.parameters()
    loss = jit(lambda x, y: losses.hinge(model(x), y) + STRENGTH * losses.l2(parameters))
    accumulate(loss, samples)
    gradient = [p.grad for p in parameters]
    loader, optimizer = data.DataLoader(samples, None), optim.SGD(parameters, LR)
    return gradient, lambda n: fit(loss, loader, optimizer, n, progress=False)


def tape_accumulate(xs, ys, samples):
    model = network()
    parameters = model.parameters()
    loss = jit(lambda x, y: losses.hinge(model(x), y) + STRENGTH * losses.l2(parameters))
    accumulate(loss, samples)
    optimizer = optim.SGD(parameters, LR)

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            accumulate(loss, samples)
            optimizer.step()

    return [p.grad for p in parameters], steps


def numpy_by_hand(xs, ys, samples):
    layers = arrays()

    def gradients():
        outputs = [xs]
        for w, b in layers[:-1]:
            outputs.append(np.maximum(outputs[-1] @ w.T + b, 0))
        w, b = layers[-1]
        scores = (outputs[-1] @ w.T + b)[:, 0]
        delta = np.where(ys * scores < 1, -ys / len(ys), 0.0)[:, None]
        found = []
        for (w, b), x in zip(reversed(layers), reversed(outputs)):
            found.append((delta.T @ x + 2 * STRENGTH * w, delta.sum(axis=0) + 2 * STRENGTH * b))
            delta = (delta @ w) * (x > 0)
        return found[::-1]

    def steps(n):
        for _ in range(n):
            for (w, b), (dw, db) in zip(layers, gradients()):
                w -= LR * dw
                b -= LR * db

    return flat(gradients()), steps


def torch_eager(xs, ys, samples):
    import torch

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    x, y = torch.tensor(xs), torch.tensor(ys)
    layers = [[torch.tensor(a, requires_grad=True) for a in layer] for layer in arrays()]
    optimizer = torch.optim.SGD([a for layer in layers for a in layer], LR)

    def backward():
        optimizer.zero_grad()
        out = x
        for w, b in layers[:-1]:
            out = (out @ w.T + b).relu()
        scores = (out @ layers[-1][0].T + layers[-1][1])[:, 0]
        loss = (1 - y * scores).relu().mean() + STRENGTH * sum((a * a).sum() for layer in layers for a in layer)
        loss.backward()

    def steps(n):
        for _ in range(n):
            backward()
            optimizer.step()

    backward()
    return flat([[a.grad.numpy().copy() for a in layer] for layer in layers]), steps


def jax_jit(xs, ys, samples):
    import jax

    jax.config.update("jax_enable_x64", True)
    np_ = jax.numpy

    def loss(layers):
        out = xs
        for w, b in layers[:-1]:
            out = np_.maximum(out @ w.T + b, 0)
        scores = (out @ layers[-1][0].T + layers[-1][1])[:, 0]
        return np_.maximum(1 - ys * scores, 0).mean() + STRENGTH * sum((a * a).sum() for layer in layers for a in layer)

    @jax.jit
    def step(layers):
        slopes = jax.grad(loss)(layers)
        return jax.tree.map(lambda a, g: a - LR * g, layers, slopes)

    state = [jax.tree.map(np_.asarray, arrays())]

    def steps(n):
        for _ in range(n):
            state[0] = step(state[0])
        jax.block_until_ready(state[0])

    return flat([[np.asarray(a) for a in layer] for layer in jax.grad(loss)(state[0])]), steps


PEERS = {
    "micrograd, jit, through fit": tape_fit,
    "micrograd, jit, accumulate + step": tape_accumulate,
    "NumPy by hand": numpy_by_hand,
    "PyTorch": torch_eager,
    "JAX, jit": jax_jit,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=30, help="timed turns of each peer (default: 30)")
    parser.add_argument("--steps", type=int, default=100, help="steps a turn (default: 100)")
    options = parser.parse_args()
    xs, ys = make_moons(100, noise=0.1, random_state=1)
    ys = 2.0 * ys - 1
    samples = data.pairs(xs, ys)
    peers, times, expected = {}, {}, None
    for name, make in PEERS.items():
        try:
            gradient, steps = make(xs, ys, samples)
        except ImportError as cause:
            print(f"{name} is left out: {cause}")
            continue
        expected = gradient if expected is None else expected
        if not np.allclose(gradient, expected, rtol=1e-9, atol=1e-12):
            raise SystemExit(f"{name} has another gradient")
        peers[name], times[name] = steps, []
        steps(options.steps)
    for _ in range(options.rounds):
        for name, steps in peers.items():
            start = time.perf_counter()
            steps(options.steps)
            times[name].append((time.perf_counter() - start) / options.steps)
    ours = times["micrograd, jit, through fit"]
    print(f"| {'one step':34} |  fastest |   median | times ours, turn by turn: median |\n|---|---|---|---|")
    for name, seconds in times.items():
        ratio = statistics.median([theirs / mine for theirs, mine in zip(seconds, ours)])
        print(
            f"| {name:34} | {1e6 * min(seconds):5.1f} µs | {1e6 * statistics.median(seconds):5.1f} µs | {ratio:.1f} |"
        )


if __name__ == "__main__":
    main()
