"""A formula as a graph: its values, its gradients, and why each gradient is what it is.

The formula is e = tanh(a·b + a² + a). Its operations are recorded while Python computes them; ``backward``
then walks the graph from e to a and b, and multiplies local derivatives on the way. ``a`` is used three times: its
gradient is the sum over the paths from a to e. Written to --out: the graph, with the local derivatives on its edges,
and a page that goes through it step by step.
"""

import math

import options

from micrograd import Value, draw, explain, gradcheck, step_through


def formula(a, b):
    return (a * b + a**2 + a).tanh()


def main(a, b, out):
    a, b = Value(a, label="a"), Value(b, label="b")
    e = formula(a, b)
    e.label = "e"
    e.backward()
    print(f"a = {a.data:g}, b = {b.data:g}, e = {e.data:.6f}\n")

    for leaf in (a, b):
        print(explain(leaf, e), end="\n\n")

    u = a.data * b.data + a.data**2 + a.data  # by hand: e = tanh u, de/du = 1 - tanh²u, ∂u/∂a = b + 2a + 1, ∂u/∂b = a
    by_hand = (1 - math.tanh(u) ** 2) * (b.data + 2 * a.data + 1), (1 - math.tanh(u) ** 2) * a.data
    print(f"a.grad = {a.grad:+.12f}   by hand {by_hand[0]:+.12f}")
    print(f"b.grad = {b.grad:+.12f}   by hand {by_hand[1]:+.12f}")
    print("central differences agree:", gradcheck(formula, [a.data, b.data]))

    options.write(draw(e, derivatives=True, stacked=True), out / "expression.svg")
    options.write(step_through(e), out / "expression.html")


if __name__ == "__main__":
    parser = options.parser(__doc__, seed=False)
    parser.add_argument("-a", type=options.number, default=0.75, help="default: %(default)s")
    parser.add_argument("-b", type=options.number, default=-1.25, help="default: %(default)s")
    chosen = parser.parse_args()
    main(chosen.a, chosen.b, chosen.out)
