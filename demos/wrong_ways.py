"""The mistakes that everyone makes once, each run for real beside the right way.

    =                       for += where a backward pass adds to a gradient
    order                   nodes visited in the order in which they are found, not in topological order
    no zero_grad            the gradients of old batches stay in the sum
    averages                δ and x averaged over the batch each for itself, and then multiplied
    name                    p -= lr * p.grad, which gives the name p to a new node and leaves the parameter alone

A small network learns from batches of 8, each time with one mistake. Printed for each: the angle between the gradient
that it finds and the right one, how long the one is beside the other, and the loss after training. Written to --out:
the loss curves.
"""

import math
import random
from collections import deque
from functools import partial

import options
import plots
from datasets import moons

from micrograd import data, evaluate, losses, nn
from micrograd.graph import topological_order

LR, SIZE = 0.05, 8


# ---- the right way: a backward pass, a batch's gradient, an update ---------------------------------------------------


def right_backward(error):
    """Each node, once all that use it have added to its gradient, adds to its own operands."""
    order = topological_order(error)
    for node in order:
        node.grad = 0.0
    error.grad = 1.0
    for node in reversed(order):
        for operand, slope in zip(node.parents, node.partials):
            operand.grad += node.grad * slope


def right_gradient(net, batch, backward=right_backward, zero=True):
    """The mean over the batch: each sample's backward pass adds to the gradients that are there."""
    if zero:
        for parameter in net.parameters():
            parameter.grad = 0.0
    for x, y in batch:
        backward(loss(net, x, y) / len(batch))


def right_update(parameters):
    for p in parameters:
        p.data -= LR * p.grad


# ---- the wrong ways --------------------------------------------------------------------------------------------------


def backward_that_assigns(error):
    """Only the last use of a node counts, and only the last sample of a batch."""
    error.grad = 1.0
    for node in reversed(topological_order(error)):
        for operand, slope in zip(node.parents, node.partials):
            operand.grad = node.grad * slope


def backward_as_found(error):
    """Breadth first from the loss: a node may hand on its gradient before all that use it have added to it."""
    for node in topological_order(error):
        node.grad = 0.0
    error.grad = 1.0
    queue, seen = deque([error]), {error}
    while queue:
        node = queue.popleft()
        for operand, slope in zip(node.parents, node.partials):
            operand.grad += node.grad * slope
            if operand not in seen:
                seen.add(operand)
                queue.append(operand)


def gradient_of_averages(net, batch):
    """Mean δ times mean x. The sum over the batch is of products δ·x, and a sum of products is no product of sums."""
    for parameter in net.parameters():
        parameter.grad = 0.0
    passes = []
    for x, y in batch:
        error = loss(net, x, y)
        error.backward()
        passes.append(signals(net, error))
    for neuron in neurons(net):
        mean_delta = sum(found[neuron].grad for found in passes) / len(batch)
        for i, weight in enumerate(neuron.weights):
            mean_x = sum(found[neuron].parents[len(neuron.weights) + i].data for found in passes) / len(batch)
            weight.grad = mean_delta * mean_x
        neuron.bias.grad = mean_delta


def update_of_the_name(parameters):
    for p in parameters:
        p -= LR * p.grad  # the mistake: p is now the name of a new node, and the weight is as before


# ---- the network, and a training in one of these ways ----------------------------------------------------------------


def loss(net, x, y):
    return losses.squared_error(net(x), y)


def neurons(net):
    return [neuron for layer in net.layers for neuron in layer.neurons]


def signals(net, error):
    """For each neuron, its input signal s = bias + Σ w·x in the graph of ``error``: the node that uses its bias."""
    of_bias = {neuron.bias: neuron for neuron in neurons(net)}
    return {of_bias[node.parents[-1]]: node for node in topological_order(error) if node.parents[-1] in of_bias}


def train(samples, seed, epochs, gradient, update):
    """The mean loss before and after each epoch, and how far this gradient points away from the right one at first."""
    random.seed(seed)
    net = nn.MLP(2, [8, 8, 1], activation="silu", init="he")  # silu(s) = s · σ(s): s is used twice
    batches = data.DataLoader(samples, SIZE, shuffle=True, seed=seed)

    def mean_loss():
        return evaluate(lambda x, y: loss(net, x, y), samples)

    batch = samples[:SIZE]
    right_gradient(net, batch)
    right = [p.grad for p in net.parameters()]
    for _ in range(2):  # twice: what is left over from the first batch is part of a mistake
        gradient(net, batch)
    found = [p.grad for p in net.parameters()]
    net.zero_grad()

    history = [mean_loss()]
    for _ in range(epochs):
        for batch in batches:
            gradient(net, batch)
            update(net.parameters())
        history.append(mean_loss())
        if history[-1] > 1000:  # it grows without bounds
            break
    return history, angle(found, right), math.hypot(*found) / math.hypot(*right)


def angle(a, b):
    cosine = sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


WRONG_WAYS = {
    "= for +=": (partial(right_gradient, backward=backward_that_assigns), right_update),
    "not in topological order": (partial(right_gradient, backward=backward_as_found), right_update),
    "no zero_grad": (partial(right_gradient, zero=False), right_update),
    "mean δ times mean x": (gradient_of_averages, right_update),
    "p -= lr * p.grad": (right_gradient, update_of_the_name),
}


def compare(ax, angles):
    """Bars: how far each way's gradient points away from the right one."""
    ax.barh([*angles], [*angles.values()], color=plots.GRADIENT, height=0.5)
    for k, off in enumerate(angles.values()):
        ax.text(off + 2, k, f"{off:.0f}°", va="center")
    ax.invert_yaxis()  # in the order of the curves
    ax.set(
        title="Angle between a batch's gradient\nand the right one", xlabel="degrees", xlim=(0, 100), xticks=[0, 45, 90]
    )


def main(seed, epochs, out):
    samples = moons(64, seed=seed)
    right, *_ = train(samples, seed, epochs, right_gradient, right_update)
    print(f"{'':26}   gradient: angle off, times as long    loss after {epochs} epochs")
    print(f"{'the right way':26} {0:17.1f}° {1:17.2f} {right[-1]:22.4g}")
    fig, axes = plots.figure(3, rows=2, height=4.2)
    angles = {}
    for ax, (name, (gradient, update)) in zip(axes.flat, WRONG_WAYS.items()):
        wrong, off, length = train(samples, seed, epochs, gradient, update)
        print(f"{name:26} {off:17.1f}° {length:17.2f} {wrong[-1]:22.4g}")
        harm = (
            f"gradient {off:.0f}° off, {length:.2g} times as long" if update is right_update else "weights never change"
        )
        angles[name] = off
        named = {"the right way": (range(len(right)), right), name: (range(len(wrong)), wrong)}
        plots.curves(ax, named, f"{name}\n{harm}", "epochs", "mean loss", ylim=(0, 2))
    compare(axes[1, 2], angles)
    print("wrote", plots.save(fig, out / "wrong_ways.png"))


if __name__ == "__main__":
    chosen = options.parser(__doc__, epochs=60).parse_args()
    main(chosen.seed, chosen.epochs, chosen.out)
