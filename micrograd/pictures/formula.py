"""Name the nodes of a graph and write its operations as formulas, for the pages and texts that explain it.

>>> from micrograd.graph import nodes
>>> a = Value(3.0, label="a")
>>> e = a * Value(-2.0, label="b")
>>> called = names([nodes(e)])
>>> write(e.op, [called[p] for p in e.parents]), write(e.op, [digits(p.data) for p in e.parents])
('a·b', '3 · (−2)')
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from reprlib import repr as brief

from micrograd import ops
from micrograd.engine import Value
from micrograd.ops import Primitive

LONGEST = 60  # characters of a label; more would push everything else off the page

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁾")
_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾", "01234567890123456789()")
# What HTML cannot hold or nobody can see becomes a character that one can see.
VISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd"),
    0x7F: "\u2421",
}
# θ of a unit: an operation on s alone that gives its output x. Others, a minus say, belong to the loss.
_THETA = {ops.relu, ops.tanh, ops.sigmoid, ops.softplus}
_UNIT = re.compile(r"layers\.(\d+)\.neurons\.(\d+)\.(?:weights\.(\d+)|bias)")  # a parameter of an nn.MLP
_GREEK = {"α": "alpha", "β": "beta", "δ": "delta", "η": "eta", "θ": "theta", "λ": "lambda", "μ": "mu", "σ": "sigma"}


def described(thing: object) -> str:
    """A value and its type, for an error message: 3.5 (float)."""
    return f"{brief(thing)} ({type(thing).__name__})"


def require_count(who: str, name: str, count: object) -> None:
    """Raise TypeError or ValueError if an argument is not a whole number from 1."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{who}: {name} must be a whole number, got {described(count)}")
    if count < 1:
        raise ValueError(f"{who}: {name} must be at least 1, got {count}")


def digits(x: float) -> str:
    """Four significant digits, as in pictures, with a minus sign that is wide enough to see."""
    return f"{x + 0.0:.4g}".replace("-", "−")  # + 0.0 makes 0 of -0


def names(graphs: Sequence[Sequence[Value]]) -> dict[Value, str]:
    """A name for each node of the graphs (lists as of ``graph.nodes``), the same for a node that they share.

    A name is the label, or else the lecture's symbol (see ``symbols``). A constant's name is its number. All others are
    counted: x for inputs, w and b for parameters, s for ``dot`` nodes, z for other results; the last node is e.
    """
    called: dict[Value, str] = {}
    taken = {str(node.label) for graph in graphs for node in graph}
    shared: Counter[str] = Counter()  # parameters are counted through all graphs, the rest in each

    def counted(letter: str, counter: Counter[str]) -> str:
        while True:
            counter[letter] += 1
            name = f"{letter}{counter[letter]}".translate(SUBSCRIPTS)
            if name not in taken:
                return name

    for graph in graphs:
        biases = {node.parents[-1] for node in graph if node.op is ops.dot and len(node.parents) % 2}
        known = symbols(graph)
        own: Counter[str] = Counter()
        for node in graph:
            if node in called:
                continue
            if node is graph[-1] and node.parents and not node.label and "e" not in taken:
                called[node] = "e"
            elif node in known:
                seen = known[node].translate(VISIBLE)
                called[node] = seen if len(seen) <= LONGEST else seen[: LONGEST - 1] + "…"
            elif node.parents:
                called[node] = counted("s" if node.op is ops.dot else "z", own)
            elif node.role == "constant":
                called[node] = digits(node.data)
            elif node.role == "input":
                called[node] = counted("x", own)
            else:
                called[node] = counted("b" if node in biases else "w", shared)
    return called


def symbols(graph: Sequence[Value], paths: Mapping[Value, str] | None = None) -> dict[Value, str]:
    """The names that nodes have without counting: their labels, and in an ``nn.MLP`` the lecture's symbols.

    A parameter's path becomes w₂₁⁽¹⁾: the weight from input 2 to unit 1 of layer 1. The signal and the output of that
    unit are s₁⁽¹⁾ and x₁⁽¹⁾. ``paths`` gives the paths of parameters that have no label.
    """
    called: dict[Value, str] = {}
    units: dict[Value, str] = {}  # indices of the unit whose signal s a node is
    paths = paths or {}
    for node in graph:
        label = str(node.label or paths.get(node, ""))
        unit = None
        if node.op is ops.dot and node.parents:
            bias = node.parents[-1]
            unit = _indices(str(bias.label or paths.get(bias, "")))
        if unit:
            units[node] = unit[-1]
        if label:
            called[node] = symbol(label)
        elif unit:
            called[node] = f"s{unit[-1]}"
        elif node.op in _THETA and node.parents and node.parents[0] in units:
            called[node] = f"x{units[node.parents[0]]}"
    return called


def input_names(graph: Sequence[Value], called: Mapping[Value, str]) -> dict[Value, str]:
    """x₁, x₂ … for the inputs of a graph, in order, that have no name in ``called``; names taken there are left out."""
    taken = {*called.values()}
    free = (name for i in count(1) if (name := f"x{i}".translate(SUBSCRIPTS)) not in taken)
    return {node: next(free) for node in graph if node.role == "input" and node not in called}


def symbol(path: str) -> str:
    """The lecture's symbol of a parameter of an ``nn.MLP``, from its path; any other text is returned unchanged.

    >>> symbol("layers.0.neurons.0.weights.1"), symbol("layers.1.neurons.2.bias")
    ('w₂₁⁽¹⁾', 'b₃⁽²⁾')
    """
    indices = _indices(path)
    return ("b" if path.endswith("bias") else "w") + indices[0] if indices else path


def part_name(path: str) -> str:
    """The name of a part of an ``nn.MLP``, from its path; it counts from 1, as symbols do.

    >>> part_name("layers.0.neurons.2"), part_name("layers.1")
    ('layer 1 unit 3', 'layer 2')
    """
    for holder, name in (("layers", "layer"), ("neurons", "unit")):
        path = re.sub(rf"\b{holder}\.(\d+)\.?", lambda match: f"{name} {int(match[1]) + 1} ", path)  # noqa: B023
    return path.rstrip()


def _indices(label: str) -> tuple[str, str] | None:
    """The indices of a parameter of an ``nn.MLP``, with those of its unit, from the parameter's path."""
    match = _UNIT.fullmatch(label)
    if match is None:
        return None
    layer, unit, weight = (int(text) + 1 if text else 0 for text in match.groups())
    above = f"({layer})".translate(_SUPERSCRIPTS)
    comma = "," if max(unit, weight) > 9 else ""
    pair = f"{weight}{comma}{unit}" if weight else f"{unit}"
    return f"{pair}".translate(SUBSCRIPTS) + above, f"{unit}".translate(SUBSCRIPTS) + above


def write(op: Primitive, operands: Sequence[str]) -> str:
    """The operation as a formula of its operands, which are names or numbers as written by ``digits``."""
    rest = [f"({text})" if text.startswith("−") else text for text in operands]
    first = operands[0]  # needs no parentheses where it opens a sum or a product
    times = " · " if any([re.search(r"[0-9)]$", text) for text in rest]) else "·"  # w₁·x₁, but 0.5 · (−2)
    if op is ops.dot:
        n = len(operands) // 2
        opening = [first, *rest[1:n]]
        products = [f"{w}{times}{x}" for w, x in zip(opening, rest[n:])]
        return " + ".join([*products, *rest[2 * n :]])
    infix = {ops.add: " + ", ops.sub: " − ", ops.mul: times, ops.div: " / "}.get(op)
    if infix:
        return infix.join([first, *rest[1:]])
    if op is ops.neg:
        return f"−{rest[0]}"
    if op.name == "power" and op.constant is not None:
        whole = float(op.constant).is_integer()
        return rest[0] + (f"{op.constant:.0f}".translate(_SUPERSCRIPTS) if whole else f"^{digits(op.constant)}")
    if op is ops.pow:
        return f"{rest[0]}^{rest[1]}"
    if op is ops.absolute:
        return f"|{first}|"
    if op is ops.logsumexp:
        return f"log({' + '.join([f'exp({text})' for text in operands])})"
    return f"{op.symbol}({', '.join(operands)})"


def latex(name: str) -> str:
    r"""A name or number as LaTeX mathematics: with its indices, words upright, special characters escaped.

    >>> print(latex("w₂₁⁽¹⁾"), latex("x1"), latex("−0.5"), latex("50% {a}"))
    w_{21}^{(1)} x_{1} -0.5 \text{50\% \{a\}}
    """
    number = re.fullmatch(r"(−?[\d.]+|−?inf)(?:e([+−]\d+))?", name)
    if number:
        mantissa, exponent = number.groups()
        text = mantissa.replace("−", "-").replace("inf", r"\infty")
        return text + (rf" \cdot 10^{{{int(exponent.replace('−', '-'))}}}" if exponent else "")
    symbol = re.fullmatch(r"([A-Za-zαβδηθλμσ])(?:_?(\d+)|([₀-₉,]+))?(⁽[⁰¹²³⁴-⁹]+⁾)?", name)
    if symbol:
        letter, plain, below, above = symbol.groups()
        index = plain or (below or "").translate(_PLAIN)
        return (
            (f"\\{_GREEK[letter]}" if letter in _GREEK else letter)
            + (f"_{{{index}}}" if index else "")
            + (f"^{{{above.translate(_PLAIN)}}}" if above else "")
        )
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    escaped = "".join([special.get(c) or (f"\\{c}" if c in "&%$#_{}" else c) for c in name])
    return rf"\text{{{escaped}}}"
