"""The lecture's backpropagation with plain lists, layer by layer, beside the gradients of the graph.

For a layer l, s_j = Σ_i w_ij x_i is a unit's input signal and x_j = θ(s_j) its output. With δ_j = ∂e/∂s_j,

    ∂e/∂w_ij = δ_j · x_i          where x_i comes from layer l-1
    δ of the last layer           directly, since e is a function of its s and of y
    δ_i in layer l-1              = θ'(s_i) · Σ_j δ_j w_ij

In the graph the same numbers stand in the nodes: ``s.grad`` is δ, and ``w.grad`` is Σₖ δ·x over the samples k of a
batch. Written to --out: the network with its δ's, and its whole graph in the lecture's symbols.
"""

import math
import random

import options

from micrograd import draw, losses, nn
from micrograd.pictures.formula import symbol

SIZES = [2, 2, 2, 1]
BATCH = [([0.8, -0.4], 1.0), ([-0.3, 0.9], -1.0), ([0.5, 0.6], 0.5)]


def theta(s: float) -> float:
    return math.tanh(s)


def theta_prime(s: float) -> float:
    return 1 - math.tanh(s) ** 2


# ---- the lecture: lists of numbers, one list a layer -----------------------------------------------------------------


def forward(w, b, x0):
    """Signals s and outputs x of every layer; ``w[l][j][i]`` leads from unit i of layer l to unit j of layer l + 1."""
    s, x = [None], [x0]
    for w_l, b_l in zip(w, b):
        s.append([b_j + sum(w_ij * x_i for w_ij, x_i in zip(w_j, x[-1])) for w_j, b_j in zip(w_l, b_l)])
        x.append([theta(s_j) for s_j in s[-1]])
    return s, x


def backward(w, s, x, y):
    """δ of every layer, from the last one back to the first: e = (x - y)² of the one unit in the last layer."""
    delta = [[2 * (x[-1][0] - y) * theta_prime(s[-1][0])]]
    for l in range(len(w) - 1, 0, -1):
        behind = [sum(d_j * w_j[i] for d_j, w_j in zip(delta[0], w[l])) for i in range(len(s[l]))]
        delta.insert(0, [theta_prime(s_i) * sum_i for s_i, sum_i in zip(s[l], behind)])
    return [None, *delta]


# ---- the graph -------------------------------------------------------------------------------------------------------


def graph(net, x0, y):
    """One sample's error as a graph, with the signals s of every layer; pictures name its nodes as the lecture does."""
    x, signals = nn.inputs(x0), [None]
    x[0].label, x[1].label = "x₁⁽⁰⁾", "x₂⁽⁰⁾"
    for layer in net.layers:
        signals.append([neuron.signal(x) for neuron in layer.neurons])
        x = [s.tanh() for s in signals[-1]]
    error = losses.squared_error(x[0], y)
    error.label = "e"
    return error, signals


# ---- side by side ----------------------------------------------------------------------------------------------------


def main(out):
    net = nn.MLP(SIZES[0], SIZES[1:], init="xavier")
    w = [[[value.data for value in neuron.weights] for neuron in layer.neurons] for layer in net.layers]
    b = [[neuron.bias.data for neuron in layer.neurons] for layer in net.layers]

    differences = []
    total = [[[0.0] * len(w_j) for w_j in w_l] for w_l in w]  # Σₖ δ·x
    for k, (x0, y) in enumerate(BATCH, start=1):
        s, x = forward(w, b, x0)
        delta = backward(w, s, x, y)
        error, signals = graph(net, x0, y)
        error.backward()  # adds to w.grad
        print(f"\nsample {k}: x = {x0}, y = {y:+}, e = {error.data:.6f}")
        print("layer  unit          s          x          δ      s.grad in the graph")
        for l in range(len(w), 0, -1):
            for j, s_j in enumerate(signals[l]):
                print(f"{l:5} {j + 1:5} {s[l][j]:+10.6f} {x[l][j]:+10.6f} {delta[l][j]:+10.6f} {s_j.grad:+10.6f}")
                differences += [abs(delta[l][j] - s_j.grad), abs(s[l][j] - s_j.data)]
                for i, x_i in enumerate(x[l - 1]):
                    total[l - 1][j][i] += delta[l][j] * x_i

    print("\nAfter the batch: Σₖ δ·x over its samples, and w.grad, which every backward pass added to")
    for l, layer in enumerate(net.layers, start=1):
        for j, neuron in enumerate(layer.neurons):
            for i, weight in enumerate(neuron.weights):
                print(f"{symbol(weight.label):10} Σ δ·x = {total[l - 1][j][i]:+10.6f}   w.grad = {weight.grad:+10.6f}")
                differences.append(abs(total[l - 1][j][i] - weight.grad))
    print(f"\n{len(differences)} numbers compared; the largest difference is {max(differences):.1e}")

    net.zero_grad()
    error, _ = graph(net, *BATCH[0])
    error.backward()
    options.write(draw(error, model=net, stacked=True), out / "lecture_network.svg")
    options.write(draw(error, model=net, collapse="nothing", stacked=True), out / "lecture_graph.svg")


if __name__ == "__main__":
    chosen = options.parser(__doc__).parse_args()
    random.seed(chosen.seed)
    main(chosen.out)
