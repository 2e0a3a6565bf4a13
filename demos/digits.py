"""Handwritten digits, read by a network of scalars: scikit-learn's 1,797 pictures of 8 × 8 pixels.

    python demos/digits.py
    python demos/digits.py --eager --epochs 2     without the tape: the same numbers, and time to see why there is one

The loss of one sample is written with Values; ``jit`` records it once and replays it for every batch. Written to --out:
the learning curve, misread digits with the scores of the classes, and what the first layer's units look for.
"""

import argparse
import random
import time

import numpy as np
import options
import plots
from sklearn.datasets import load_digits

from micrograd import data, fit, jit, losses, nn, optim


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, epochs=40)
    parser.add_argument(
        "--batch-size", type=options.whole(), default=32, metavar="N", help="samples a batch (default: %(default)s)"
    )
    parser.add_argument(
        "--lr", type=options.positive, default=0.005, help="learning rate at first (default: %(default)s)"
    )
    parser.add_argument("--eager", action="store_true", help="without the tape")
    return parser.parse_args()


def main(chosen: argparse.Namespace) -> None:
    pixels, labels = load_digits(return_X_y=True)
    training, held_out = data.split(data.pairs(pixels / 16, labels), held_out=0.2, seed=chosen.seed)
    model = nn.MLP(64, [64, 32, 10], init="he")
    batches = data.DataLoader(training, chosen.batch_size, shuffle=True, seed=chosen.seed)
    optimizer = optim.AdamW(model.parameters(), chosen.lr)
    schedule = optim.CosineLR(optimizer, t_max=chosen.epochs * len(batches))

    def loss(x, y):
        return losses.cross_entropy(model(x), y)

    print(f"{len(optimizer.parameters)} parameters, {len(batches)} updates an epoch")
    start = time.perf_counter()
    history = fit(
        loss if chosen.eager else jit(loss), batches, optimizer, chosen.epochs, held_out=held_out, schedule=schedule
    )
    seconds = time.perf_counter() - start
    options.say_if_interrupted(history)
    scores = jit(model).map([x for x, _ in held_out])
    wrong = [k for k, (_, y) in enumerate(held_out) if scores[k].argmax() != y]
    accuracy = 1 - len(wrong) / len(held_out)
    print(f"accuracy: {accuracy:.1%} on the held-out samples, after {seconds:.1f} s of training")

    figure, axes = plots.figure(3)
    plots.loss_curve(axes[0, 0], history, f"Cross-entropy, batches of {chosen.batch_size}")
    misread(axes[0, 1], [(held_out[k], scores[k]) for k in wrong[:4]], f"{accuracy:.1%} right; of those misread:")
    first_layer(axes[0, 2], model)
    print("wrote", plots.save(figure, chosen.out / "digits.png"))


def misread(ax, cases, title: str) -> None:
    """Digits beside the chances that the model gives to the classes, as bars."""
    ax.set(title=title)
    ax.axis("off")
    for at, color, words in ((0.1, plots.DATA, "blue: what it is"), (0.55, plots.GRADIENT, "orange: as it was read")):
        ax.text(at, -0.1, words, color=color, fontsize=12, transform=ax.transAxes)
    for row, ((x, y), scores) in enumerate(cases):
        bottom = 0.77 - 0.26 * row
        digit = ax.inset_axes((0.0, bottom, 0.3, 0.2))
        digit.imshow(np.reshape(x, (8, 8)), cmap="gray_r")
        digit.axis("off")
        bars = ax.inset_axes((0.36, bottom, 0.62, 0.14))
        colors = [plots.DATA if c == y else plots.GRADIENT if c == scores.argmax() else "#bbbbbb" for c in range(10)]
        chances = np.exp(scores - scores.max())
        bars.bar(range(10), chances / chances.sum(), color=colors)
        bars.set(xticks=range(10), yticks=[], ylim=(0, 1))
        bars.tick_params(labelsize=10, length=0)
        bars.set_title(f"{y}, read as {scores.argmax()}", fontsize=12, pad=2)


def first_layer(ax, model: nn.MLP) -> None:
    """Each unit's weights as an image: orange where ink raises its input signal s, blue where ink lowers it."""
    weights = np.array([[w.data for w in neuron.weights] for neuron in model.layers[0].neurons])
    tiles = np.full((8 * 9 - 1, 8 * 9 - 1), np.nan)
    for k, unit in enumerate(weights):
        row, column = 9 * (k // 8), 9 * (k % 8)
        tiles[row : row + 8, column : column + 8] = unit.reshape(8, 8) / np.abs(unit).max()
    ax.imshow(tiles, cmap=plots.DIVERGING, vmin=-1, vmax=1)
    ax.set(title="Weights of the first layer's 64 units")
    ax.axis("off")
    for at, color, words in ((0.0, plots.GRADIENT, "orange: ink raises s"), (0.55, plots.DATA, "blue: ink lowers s")):
        ax.text(at, -0.1, words, color=color, fontsize=12, transform=ax.transAxes)


if __name__ == "__main__":
    chosen = arguments()
    random.seed(chosen.seed)
    main(chosen)
