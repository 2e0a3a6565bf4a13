"""What the batch size changes, and what it does not: one data set, one set of first weights, three batch sizes.

1. Loss against epochs, gradient evaluations and updates, for B = 1, 16 and N. An epoch costs N gradient evaluations
   whatever B is, but has N / B updates: small batches learn more per evaluation, large ones more per update.
2. How far a batch's gradient points away from that of all samples, as B grows.
3. Sum against mean. With the learning rate divided by B the sum is the same training, and the curves coincide. That
   ends where a step is no longer the learning rate times the gradient, or a batch is not of size B: in Adam, when
   gradients are clipped, in a ragged last batch.
4. The way of the weights over the loss surface, in the plane that holds most of it: small batches go to and fro.
"""

import random

import numpy as np
import options
import plots
from datasets import moons

from micrograd import accumulate, data, evaluate, fit, jit, losses, nn, optim

LR = 0.5
EVALUATIONS = 25  # of the loss on all samples: so many in even steps along a curve, and as many in growing ones


class Run:
    """A small network, with the same weights whenever it is made, and its samples."""

    def __init__(self, samples, seed):
        random.seed(seed)
        self.samples = samples
        self.model = nn.MLP(2, [8, 1], activation="tanh", init="xavier")

    def loss(self, x, y):
        return losses.binary_cross_entropy(self.model(x), (y + 1) / 2)

    def weights(self):
        return [parameter.data for parameter in self.model.parameters()]

    def gradient(self, batch):
        self.model.zero_grad()
        accumulate(self.loss, batch)
        return np.array([parameter.grad for parameter in self.model.parameters()])


def training(samples, seed, size, epochs):
    """Loss on all samples after so many updates: two lists."""
    run = Run(samples, seed)
    optimizer = optim.SGD(run.model.parameters(), LR)
    batches = data.DataLoader(samples, size, shuffle=True, seed=seed)
    last = epochs * len(batches)
    look = {round(u) for u in [*np.linspace(1, last, EVALUATIONS), *np.geomspace(1, last, EVALUATIONS)]}
    updates, errors = [0], [evaluate(run.loss, samples)]
    for _ in range(epochs):
        for batch in batches:
            optimizer.zero_grad()
            accumulate(run.loss, batch)
            optimizer.step()
            if optimizer.steps in look:
                updates.append(optimizer.steps)
                errors.append(evaluate(run.loss, samples))
    return updates, errors


def compare_sizes(axes, samples, seed, epochs):
    against_epochs, against_updates = {}, {}
    n = len(samples)
    print(f"{n} samples, {epochs} epochs of {n} gradient evaluations, each with the learning rate {LR}")
    for size, name in ((1, "B = 1"), (16, "B = 16"), (n, f"B = N = {n}")):
        updates, errors = training(samples, seed, size, epochs)
        an_epoch = -(-n // size)
        against_epochs[name] = [u / an_epoch for u in updates], errors
        against_updates[name] = updates, errors
        print(f"{name:12} {an_epoch * epochs:6} updates   loss {errors[-1]:.4f}")
    left, middle = axes
    rate = f"learning rate {LR}"
    plots.curves(left, against_epochs, f"The same work, {rate}", "epochs", "mean loss of all samples", ylim=(0, None))
    plots.second_scale(left, n, "gradient evaluations")
    title = f"The same number of updates, {rate}"
    plots.curves(middle, against_updates, title, "updates", "", xscale="symlog", ylim=(0, None))


def compare_directions(ax, samples, seed, batches=400):
    """The angle between a batch's gradient and the gradient of all samples, at the first weights."""
    run = Run(samples, seed)
    rows = np.array([run.gradient([sample]) for sample in samples])  # a batch's gradient is the mean of its rows
    full = rows.mean(axis=0)
    lots = np.random.default_rng(seed)
    sizes = [2**k for k in range(20) if 2**k < len(samples)] + [len(samples)]
    angles = []
    for size in sizes:
        drawn = [rows[lots.permutation(len(rows))[:size]].mean(axis=0) for _ in range(batches)]
        cosines = [g @ full / np.linalg.norm(g) / np.linalg.norm(full) for g in drawn]
        angles.append(np.degrees(np.arccos(np.clip(cosines, -1, 1))))
    low, median, high = np.array([np.percentile(a, [10, 50, 90]) for a in angles]).T
    for size, angle in zip(sizes, median):
        print(f"B = {size:3}: half of the batches point within {angle:5.1f}° of the gradient of all samples")
    settings = {"xscale": "log", "ylim": (0, 180), "yticks": range(0, 181, 30)}
    label = "8 of 10 batches"
    plots.band(
        ax, sizes, low, median, high, "Away from the full gradient", "batch size", "angle [°]", label, **settings
    )
    plots.ticks(ax, sizes)


def sum_and_mean(samples, seed, epochs, size=16, lr=LR, optimizer=optim.SGD, **settings):
    """Losses of both trainings, by epochs, and how far their weights are apart in the end."""
    histories, weights = {}, []
    for name, reduction, rate in (("mean, η", "mean", lr), ("sum, η / B", "sum", lr / size)):
        run = Run(samples, seed)
        chosen = optimizer(run.model.parameters(), rate)
        loader = data.DataLoader(samples, size, shuffle=True, seed=seed)
        history = fit(run.loss, loader, chosen, epochs, reduction=reduction, progress=False, **settings)
        histories[name] = range(1, epochs + 1), history.loss
        weights.append(run.weights())
    return histories, max(abs(a - b) for a, b in zip(*weights))


def compare_reductions(axes, samples, seed, epochs):
    ragged = len(samples) - 8  # two batches an epoch, the second one of 8
    cases = {
        "SGD": {},
        "Adam": {"optimizer": optim.Adam, "lr": 0.05},
        "SGD, gradients clipped to 0.1": {"max_norm": 0.1},
        f"SGD, batches of {ragged} and {len(samples) - ragged}": {"size": ragged, "lr": 1.0},
    }
    for ax, (name, settings) in zip(axes.flat, cases.items()):
        histories, apart = sum_and_mean(samples, seed, epochs, **settings)
        verdict = "the same" if apart < 1e-9 else f"up to {apart:.2g} apart"
        print(f"sum against mean, {name}: weights up to {apart:.1e} apart")
        plots.curves(ax, histories, f"{name}:\nweights {verdict}", "epochs", "mean loss", ylim=(0, None))


def weights_along(samples, seed, size, updates):
    """The weights at the start and after each update: an array (updates + 1, weights)."""
    run = Run(samples, seed)
    optimizer = optim.SGD(run.model.parameters(), LR)
    batches, path = data.DataLoader(samples, size, shuffle=True, seed=seed), [run.weights()]
    while True:
        for batch in batches:
            if optimizer.steps == updates:
                return np.array(path)
            optimizer.zero_grad()
            accumulate(run.loss, batch)
            optimizer.step()
            path.append(run.weights())


def loss_around(samples, seed, points):
    """The mean loss of all samples with each of these weights."""
    run = Run(samples, seed)
    loss, losses_there = jit(run.loss), []
    for point in points:
        for parameter, weight in zip(run.model.parameters(), point.tolist()):
            parameter.data = weight
        losses_there.append(evaluate(loss, samples))
    return np.array(losses_there)


def compare_paths(ax, samples, seed, updates, resolution=32):
    """The paths of three batch sizes over the loss, in a plane through the first weights.

    Its two directions are those in which the paths move most (the first two principal components of all their moves
    from the start): no other plane shows as much of them.
    """
    n = len(samples)
    paths = {size: weights_along(samples, seed, size, updates) for size in (1, 16, n)}
    start = paths[n][0]
    moves = np.concatenate([*paths.values()]) - start
    directions = np.linalg.svd(moves, full_matrices=False)[2][:2]
    directions *= np.where((paths[n][-1] - start) @ directions.T < 0, -1, 1)[:, None]  # to the right, and up
    flat = moves @ directions.T
    held = (flat**2).sum() / (moves**2).sum()
    low, high = flat.min(axis=0), flat.max(axis=0)
    margin = 0.2 * (high - low)
    xs, ys = (np.linspace(low[i] - margin[i], high[i] + margin[i], resolution) for i in (0, 1))
    grid = start + np.array([[x, y] for y in ys for x in xs]) @ directions
    heights = loss_around(samples, seed, grid).reshape(resolution, resolution)
    print(f"the plane of the loss surface holds {held:.1%} of the movement in {len(start)} dimensions")
    names = {1: "B = 1", 16: "B = 16", n: f"B = N = {n}"}
    plots.surface(ax, xs, ys, heights, {names[size]: (path - start) @ directions.T for size, path in paths.items()})
    ax.set(
        title=f"{updates} updates each, learning rate {LR}, in the plane in which the weights move most:\n"
        f"it holds {held:.0%} of their movement in {len(start)} dimensions",
        xlabel="first direction",
        ylabel="second direction",
    )


def main(seed, epochs, out):
    samples = moons(96, seed=seed)
    fig, axes = plots.figure(3)
    compare_sizes(axes[0, :2], samples, seed, epochs)
    compare_directions(axes[0, 2], samples, seed)
    print("wrote", plots.save(fig, out / "batch_sizes.png"))
    fig, axes = plots.figure(2, rows=2)
    compare_reductions(axes, samples, seed, epochs)
    print("wrote", plots.save(fig, out / "sum_and_mean.png"))
    fig, axes = plots.figure(1, width=10.7, height=7.5)
    compare_paths(axes[0, 0], samples, seed, updates=2 * epochs)
    print("wrote", plots.save(fig, out / "loss_surface.png"))


if __name__ == "__main__":
    chosen = options.parser(__doc__, epochs=60).parse_args()
    main(chosen.seed, chosen.epochs, chosen.out)
