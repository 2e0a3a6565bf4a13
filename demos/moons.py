"""Two moons: watch a small network learn from mini-batches.

    python demos/moons.py                         batches of 16
    python demos/moons.py --batch-size 1          stochastic gradient descent
    python demos/moons.py --batch-size all        batch gradient descent
    python demos/moons.py --reduction sum         the sum of gradients; the learning rate absorbs the factor

Every sample of a batch runs forward and backward through its own loss graph, and adds its gradient into the same
parameter nodes; then the weights change once. Written to --out: the loss curve beside the decision boundary, the
network on the sample that it finds hardest, neuron by neuron, and the whole loss graph of a net small enough to read.
"""

import argparse
import random
from pathlib import Path

import options
import plots
from datasets import moons

from micrograd import data, draw, evaluate, fit, losses, nn, optim


def batch_size(text: str) -> int | None:
    """A whole number from 1, or "all" for None."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, or all, got {text!r}")
    return int(text)


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, epochs=80)
    parser.add_argument(
        "--batch-size", type=batch_size, default="16", metavar="N|all", help="samples a batch (default: %(default)s)"
    )
    parser.add_argument("--reduction", choices=["mean", "sum"], default="mean", help="default: %(default)s")
    parser.add_argument(
        "--lr", type=options.positive, help="learning rate (default: 0.3, divided by the batch size for a sum)"
    )
    return parser.parse_args()


def train(chosen: argparse.Namespace) -> None:
    training, held_out = data.split(moons(400, seed=chosen.seed), held_out=200, seed=chosen.seed)
    model = nn.MLP(2, [16, 16, 1], init="he")
    batches = data.DataLoader(training, chosen.batch_size, shuffle=True, seed=chosen.seed)
    lr = chosen.lr
    if lr is None:
        lr = 0.3 if chosen.reduction == "mean" else 0.3 / batches.batch_size
    optimizer = optim.SGD(model.parameters(), lr)

    def loss(x, y):
        return losses.hinge(model(x), y)

    def correct(x, y):
        return (model(x) > 0) == (y > 0)

    print(f"{len(optimizer.parameters)} parameters, {len(batches)} updates an epoch, learning rate {lr:g}")
    history = fit(
        loss,
        batches,
        optimizer,
        chosen.epochs,
        reduction=chosen.reduction,
        schedule=optim.CosineLR(optimizer, chosen.epochs * len(batches)),
        metric=correct,
        held_out=held_out,
    )
    options.say_if_interrupted(history)
    accuracies = evaluate(correct, training), evaluate(correct, held_out)
    print("accuracy: {:.1%} on the training samples, {:.1%} on the held-out samples".format(*accuracies))

    fig, axes = plots.figure(2)
    size = "all" if chosen.batch_size is None else chosen.batch_size
    plots.loss_curve(axes[0, 0], history, f"Hinge loss, batches of {size}")
    plots.decision_boundary(axes[0, 1], model, held_out, f"Held-out samples: {accuracies[1]:.1%} right")
    print("wrote", plots.save(fig, chosen.out / "moons.png"))
    hardest = max(held_out, key=lambda sample: evaluate(loss, [sample]))
    error = loss(*hardest)
    error.backward()
    options.write(draw(error, model=model), chosen.out / "network.svg")


def one_sample(path: Path) -> None:
    """Draw the loss graph of one sample through a 2-2-1 net, its nodes named as in the lecture."""
    net = nn.MLP(2, [2, 1], activation="tanh")
    x = nn.inputs([0.8, -0.4])
    x[0].label, x[1].label = "x₁⁽⁰⁾", "x₂⁽⁰⁾"
    for layer in net.layers:
        x = [neuron.signal(x).tanh() for neuron in layer.neurons]
    error = losses.squared_error(x[0], 1.0)
    error.label = "e"
    error.backward()  # now the gradient of a signal s is δ, and that of a weight δ·x
    options.write(draw(error), path)


if __name__ == "__main__":
    chosen = arguments()
    random.seed(chosen.seed)
    train(chosen)
    one_sample(chosen.out / "one_sample.svg")
