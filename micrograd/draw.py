"""Pictures of a graph, from its leaves to its root: Values are boxes, operations the ellipses between them.

>>> from micrograd import Value
>>> a = Value(3.0, label="a")
>>> picture = draw(a * a)             # in a notebook it shows itself
>>> picture.source.count("v0 -> o1")  # both edges of a*a
2

``picture.render("graph", format="png")`` writes a file; ``picture.source`` is the text for Graphviz, with the same
bytes whenever the same graph is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from reprlib import repr as brief
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from micrograd import ops
from micrograd.engine import Value
from micrograd.graph import nodes
from micrograd.palette import DATA, GRADIENT, ROLES

if TYPE_CHECKING:
    from micrograd.render import Picture

FONT = "Courier"  # as wide in every renderer and browser, so that text fits the box that was made for it
RANKDIRS = ("LR", "RL", "TB", "BT")
# Iterations of the layout, per node. Usual graphs need fewer and look the same; a parameter that is shared all along a
# deep graph would otherwise take minutes.
EFFORT = {"nslimit": "2", "nslimit1": "2"}

# From text to Graphviz's two kinds of labels. What XML cannot hold or nobody can see becomes a character one can see.
_PLAIN = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd"),
    0x7F: "\u2421",
    ord("\n"): r"\n",
    ord("\\"): r"\\",  # a lone one would start an escape: \N is replaced by the name of the node
    ord("&"): "&amp;",
}
_MARKUP = {**_PLAIN, ord("\n"): "<BR/>", ord("<"): "&lt;", ord(">"): "&gt;"}


# The boxes that an operation takes, by number, each with the local derivative; a node made by hand has none.
_Operands: TypeAlias = Sequence[tuple[int, float | None]]


class _Box(NamedTuple):
    """One Value of the picture, and the operation that made it."""

    label: str
    data: float
    grad: float
    role: str
    symbol: str
    operands: _Operands


def draw(
    root: Value,
    expand: bool = False,
    rankdir: str = "LR",
    derivatives: bool = False,
    max_nodes: int = 500,
    stacked: bool = False,
) -> Picture:
    """The graph that ``root`` was computed by, as a ``graphviz.Digraph`` that shows itself in a notebook.

    A box has a Value's label, if it has one, its data and its grad to four significant digits, and the colour of its
    role; an ellipse has an operation's symbol.

    Args:
        root: usually a loss; a call of ``root.backward()`` beforehand fills in the gradients.
        expand: draw each ``dot`` as products and sums; the gradient of each of these is that of the ``dot``.
        rankdir: where the edges lead: "LR" is left to right, "TB" top to bottom; also "RL" and "BT".
        derivatives: write on each edge from an operand the local derivative, as it was when the graph was recorded.
        max_nodes: the most Values to draw; ValueError if there are more.
        stacked: put a Value's data and grad below its label instead of beside it, for a picture less wide.

    The picture's methods ``pipe``, ``render`` and ``view`` raise ``micrograd.render.RenderError`` where there is no
    Graphviz, with the command that installs one.
    """
    if not isinstance(root, Value):
        raise TypeError(f"draw wants a Value, the root of a graph; got {brief(root)} of type {type(root).__name__}")
    if rankdir not in RANKDIRS:
        raise ValueError(f"rankdir is one of {', '.join(RANKDIRS)}; got {rankdir!r}")
    graph = nodes(root)
    count = len(graph)
    if expand:  # n products and as many sums, or one less without a bias, in place of one node
        count += sum([len(node.parents) - 2 for node in graph if node.op is ops.dot and node.parents])
    if count > max_nodes:
        advice = "draw one neuron, a smaller net or one sample" + ", or leave out expand" * expand
        raise ValueError(
            f"{count} Values are too many for a picture of at most {max_nodes}; {advice}, or raise max_nodes"
        )
    return _picture(_boxes(graph, expand), rankdir, derivatives, stacked)


def _boxes(graph: list[Value], expand: bool) -> list[_Box]:
    boxes: list[_Box] = []
    place: dict[Value, int] = {}
    for node in graph:
        parents = [place[parent] for parent in node.parents]
        symbol = node.op.symbol
        operands: _Operands = list(zip_longest(parents, node.partials))
        if expand and node.op is ops.dot and parents:
            symbol, operands = _chop(list(zip(parents, node.partials)), node.grad, boxes)
        role = "loss" if node is graph[-1] and parents else node.role
        place[node] = len(boxes)
        boxes.append(_Box(str(node.label), node.data, node.grad, role, symbol, operands))
    return boxes


def _chop(operands: list[tuple[int, float]], grad: float, boxes: list[_Box]) -> tuple[str, _Operands]:
    """Add the products and partial sums of a ``dot`` to ``boxes``; return the operation that gives its own box."""
    n = len(operands) // 2
    total = -1
    for w, x in zip(operands[:n], operands[n:]):
        # The derivative by each factor is the other one, as it was when the graph was recorded.
        boxes.append(_Box("", w[1] * x[1], grad, "hidden", "*", [w, x]))
        if total >= 0:
            both = boxes[total].data + boxes[-1].data
            boxes.append(_Box("", both, grad, "hidden", "+", [(total, 1.0), (len(boxes) - 1, 1.0)]))
        total = len(boxes) - 1
    if len(operands) > 2 * n:
        return "+", [(total, 1.0), operands[-1]]
    last = boxes.pop()
    return last.symbol, last.operands


def _picture(boxes: list[_Box], rankdir: str, derivatives: bool, stacked: bool) -> Picture:
    # graphviz takes twice as long to import as the rest of micrograd, which many programs never draw with
    from graphviz import nohtml  # noqa: PLC0415

    from micrograd.render import Picture  # noqa: PLC0415

    picture = Picture(
        format="svg",
        graph_attr={
            **EFFORT,
            "rankdir": rankdir,
            "fontname": FONT,
            "fontsize": "10",
            "label": _legend(boxes, derivatives),
        },
        node_attr={"fontname": FONT, "fontsize": "12", "shape": "plain"},
        edge_attr={"fontname": FONT, "fontsize": "10", "fontcolor": GRADIENT, "arrowsize": "0.6"},
    )
    for i, box in enumerate(boxes):
        picture.node(f"v{i}", _table(box, stacked))
        if not box.operands:
            continue
        symbol = nohtml(box.symbol.translate(_PLAIN))
        picture.node(f"o{i}", symbol, shape="ellipse", width="0.4", height="0.3", margin="0.04")
        picture.edge(f"o{i}", f"v{i}")
        for operand, slope in box.operands:
            label = f" {_digits(slope)}" if derivatives and slope is not None else None  # a space, off the line
            picture.edge(f"v{operand}", f"o{i}", label)
    return picture


def _digits(x: float) -> str:
    return f"{x + 0.0:.4g}"  # + 0.0 makes 0 of -0


def _table(box: _Box, stacked: bool) -> str:
    cells = [
        f'<FONT COLOR="{DATA}">data {_digits(box.data)}</FONT>',
        f'<FONT COLOR="{GRADIENT}">grad {_digits(box.grad)}</FONT>',
    ]
    if box.label:
        cells.insert(0, box.label.translate(_MARKUP))
    row = ("</TR><HR/><TR>" if stacked else "<VR/>").join([f"<TD>{cell}</TD>" for cell in cells])
    return (
        f'<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{2 if stacked else 4}"'
        f' BGCOLOR="{ROLES[box.role]}"><TR>{row}</TR></TABLE>>'
    )


def _legend(boxes: list[_Box], derivatives: bool) -> str:
    present = {box.role for box in boxes}
    cells = [f'<TD BGCOLOR="{fill}">{role}</TD>' for role, fill in ROLES.items() if role in present]
    if derivatives:
        cells.append(f'<TD BORDER="0"><FONT COLOR="{GRADIENT}">on edges: local derivative</FONT></TD>')
    return f'<<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="4" CELLPADDING="2"><TR>{"".join(cells)}</TR></TABLE>>'
