"""A one-layer GPT, every number of it a Value, learns to invent module names from those of Python's standard library.

    python demos/names.py
    python demos/names.py --eager --steps 3       the very same code without the tape
    python demos/names.py --compare               time a step both ways

Characters are tokens; attention, rmsnorm and a relu layer are written out as sums of products. The loss of one name is
the mean cross-entropy of its next characters; names of one length share a tape. After Andrej Karpathy's microgpt.
Written to --out: the loss, which characters each character of a name attends to, and names that were invented.
"""

import argparse
import math
import random
import sys
import time
from pathlib import Path

import options

from micrograd import accumulate, jit, logsumexp, no_grad, optim, pick
from micrograd.engine import Value
from micrograd.nn import Module

WIDTH, HEADS, LONGEST = 16, 4, 12
NAMES = sorted(name for name in {n.strip("_") for n in sys.stdlib_module_names} if 3 <= len(name) <= LONGEST)
ALPHABET = ["", *sorted(set("".join(NAMES)))]  # the first token begins and ends a name


def dot(w, x):
    """Σ wᵢxᵢ, as it is written on the blackboard."""
    return sum(a * b for a, b in zip(w, x))


def linear(x, matrix):
    return [dot(row, x) for row in matrix]


def rmsnorm(x):
    """X scaled to a root mean square of 1."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [v * scale for v in x]


def softmax(x):
    total = logsumexp(x)
    return [(v - total).exp() for v in x]


class GPT(Module):
    """One layer: multi-head attention over the characters so far, then a relu layer, each added to its input."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)

        def matrix(rows, columns, scale=0.08):
            return [[Value(draw.gauss(0, scale)) for _ in range(columns)] for _ in range(rows)]

        self.tokens, self.positions = matrix(len(ALPHABET), WIDTH), matrix(LONGEST + 1, WIDTH)
        self.query, self.key, self.value, self.out = (matrix(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = matrix(4 * WIDTH, WIDTH), matrix(WIDTH, 4 * WIDTH)
        self.head = matrix(len(ALPHABET), WIDTH)

    def __call__(self, token, position, keys, values, attention=None):
        """Scores of the next token. ``keys`` and ``values`` hold those of the tokens before, and get this one's.

        ``attention``, if it is a list, gets the weights of each head.
        """
        embedding = [pick(column, token) for column in zip(*self.tokens)]
        x = rmsnorm([a + b for a, b in zip(embedding, self.positions[position])])
        normed = rmsnorm(x)
        query = linear(normed, self.query)
        keys.append(linear(normed, self.key))
        values.append(linear(normed, self.value))
        attended = []
        for start in range(0, WIDTH, WIDTH // HEADS):
            part = slice(start, start + WIDTH // HEADS)
            weights = softmax([dot(query[part], key[part]) / math.sqrt(WIDTH // HEADS) for key in keys])
            if attention is not None:
                attention.append([weight.data for weight in weights])
            attended += [dot(weights, [value[i] for value in values]) for i in range(part.start, part.stop)]
        x = [a + b for a, b in zip(x, linear(attended, self.out))]
        hidden = [v.relu() for v in linear(rmsnorm(x), self.up)]
        x = [a + b for a, b in zip(x, linear(hidden, self.down))]
        return linear(x, self.head)

    def loss(self, *tokens):
        """The mean of -log p(next token) over a name."""
        keys, values, error = [], [], 0.0
        for position in range(len(tokens) - 1):
            scores = self(tokens[position], position, keys, values)
            error = error + logsumexp(scores) - pick(scores, tokens[position + 1])
        return error / (len(tokens) - 1)

    def invent(self, draw: random.Random, temperature: float = 0.6) -> str:
        """A name, character by character, each drawn by the probabilities that the model gives."""
        keys, values, name, token = [], [], "", 0
        with no_grad():
            for position in range(LONGEST + 1):
                scores = [score / temperature for score in self(token, position, keys, values)]
                (token,) = draw.choices(range(len(ALPHABET)), [v.data for v in softmax(scores)])
                if token == 0:
                    break
                name += ALPHABET[token]
        return name


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__)
    parser.add_argument(
        "--steps", type=options.whole(), default=1000, metavar="N", help="updates (default: %(default)s)"
    )
    parser.add_argument(
        "--batch-size", type=options.whole(), default=16, metavar="N", help="names a batch (default: %(default)s)"
    )
    parser.add_argument(
        "--lr", type=options.positive, default=0.01, help="learning rate at first (default: %(default)s)"
    )
    parser.add_argument("--eager", action="store_true", help="without the tape")
    parser.add_argument("--compare", action="store_true", help="time a step on one name, eager and replayed")
    return parser.parse_args()


def encode(name: str) -> tuple[int, ...]:
    return (0, *[ALPHABET.index(character) for character in name], 0)


def main(chosen: argparse.Namespace) -> None:
    model, draw = GPT(chosen.seed), random.Random(chosen.seed)
    if chosen.compare:
        compare(model)
        return
    optimizer = optim.Adam(model.parameters(), chosen.lr, betas=(0.85, 0.99))
    schedule = optim.CosineLR(optimizer, chosen.steps)
    loss = model.loss if chosen.eager else jit(model.loss)
    print(f"{len(optimizer.parameters)} parameters, {len(NAMES)} names of the standard library")
    if not chosen.eager:
        print("the first steps record tapes, one for each length of name", flush=True)
    start, smooth, curve = time.perf_counter(), math.log(len(ALPHABET)), []
    for step in range(1, chosen.steps + 1):
        optimizer.zero_grad()
        batch = [encode(name) for name in draw.choices(NAMES, k=chosen.batch_size)]
        smooth += 0.05 * (accumulate(loss, batch) - smooth)
        optimizer.step()
        schedule.step()
        curve.append(smooth)
        if step in (1, 10, 100) or step % 500 == 0 or step == chosen.steps:
            invented = [model.invent(draw) for _ in range(8)]
            print(f"step {step:5}, {time.perf_counter() - start:5.1f} s, loss {smooth:.3f}: {' '.join(invented)}")
    invented += [model.invent(draw) for _ in range(16)]
    print("wrote", picture(model, curve, invented, chosen.out / "names.png"))


def picture(model: GPT, curve: list[float], invented: list[str], path: Path) -> Path:
    """The loss, the attention of the heads on one name, and invented names; those in the library are in grey."""
    import plots

    figure, axes = plots.figure(3)
    title = "Cross-entropy of the next character"
    plots.curves(axes[0, 0], {"smoothed": (range(1, len(curve) + 1), curve)}, title, "updates", "loss")
    attended(axes[0, 1], model, "functools")
    ax = axes[0, 2]
    ax.axis("off")
    ax.set(title="Invented names (grey: in the library)")
    for k, name in enumerate(invented):
        color = "#8a8a8a" if name in NAMES else plots.INK
        ax.text(0.5 * (k % 2), 0.95 - 0.08 * (k // 2), name or "(empty)", color=color, family="monospace", fontsize=15)
    return plots.save(figure, path)


def attended(ax, model: GPT, name: str) -> None:
    """A row for each character of the name, with the weights of the characters so far, a mean over the heads."""
    keys, values, rows = [], [], []
    tokens = encode(name)[:-1]
    with no_grad():
        for position, token in enumerate(tokens):
            heads: list[list[float]] = []
            model(token, position, keys, values, heads)
            mean = [sum(weights) / len(heads) for weights in zip(*heads)]
            rows.append([*mean, *[0.0] * (len(tokens) - len(mean))])
    ax.imshow(rows, cmap="Oranges", vmin=0, vmax=1)
    letters = ["start", *name]
    ax.set_xticks(range(len(letters)), letters, rotation=90)
    ax.set_yticks(range(len(letters)), letters)
    ax.set(title="What each character (row) attends to", xlabel="orange: a large share of the weight")


def compare(model: GPT) -> None:
    """The fastest of several steps (loss and gradient) on one name of 6 letters, by turns."""
    batch, fast = [encode("random")], jit(model.loss)
    times: dict[str, list[float]] = {"eager": [], "tape": []}
    accumulate(fast, batch)
    for _ in range(5):
        for name, loss, repeats in (("eager", model.loss, 1), ("tape", fast, 50)):
            start = time.perf_counter()
            for _ in range(repeats):
                accumulate(loss, batch)
            times[name].append((time.perf_counter() - start) / repeats)
    eager, tape = min(times["eager"]), min(times["tape"])
    print(f"eager {1e3 * eager:.1f} ms, tape {1e3 * tape:.3f} ms: {eager / tape:.0f} times as fast")


if __name__ == "__main__":
    main(arguments())
