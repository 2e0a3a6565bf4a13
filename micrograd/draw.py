"""Pictures of a graph, from its leaves to its root: Values are boxes, operations the ellipses between them.

>>> from micrograd import Value
>>> a = Value(3.0, label="a")
>>> picture = draw(a * a)             # in a notebook it shows itself
>>> picture.source.count("v0 -> o1")  # both edges of a*a
2

``draw(loss, model=model)`` shows a network: a box for each neuron, or for a whole layer if it is wide.
``picture.render("graph", format="png")`` writes a file; ``picture.source`` is the text for Graphviz, with the same
bytes whenever the same graph is drawn.
"""

from __future__ import annotations

from itertools import pairwise, zip_longest
from reprlib import repr as brief
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from micrograd import ops
from micrograd.collapse import LEVELS, Part, find_parts
from micrograd.engine import Value
from micrograd.graph import nodes
from micrograd.palette import DATA, FRAME, GRADIENT, ROLES

if TYPE_CHECKING:
    from micrograd.nn import Module
    from micrograd.render import Picture

FONT = "Courier"  # as wide in every renderer and browser, so that text fits the box that was made for it
RANKDIRS = {
    "LR": ("e", "w"),
    "RL": ("w", "e"),
    "TB": ("s", "n"),
    "BT": ("n", "s"),
}  # and the sides where an edge leaves and arrives
# Iterations of the layout, per node. Usual graphs need fewer and look the same; a parameter that is shared all along a
# deep graph would otherwise take minutes.
EFFORT = {"nslimit": "2", "nslimit1": "2"}
# Each unit is joined to each one of the next layer, and the second search for fewer crossings would mix their order.
NETWORK = {"splines": "line", "ranksep": "1.2", "remincross": "false"}

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
_Operands: TypeAlias = list[tuple[int, float | None]]


class _Box(NamedTuple):
    """One Value and the operation that made it, or a part of a network."""

    cells: list[tuple[str, str | None]]  # text and its colour
    role: str
    symbol: str | None  # none for a part
    operands: _Operands
    frame: str | None = None  # the layer that it stands in
    upright: bool = False  # the cells one below the other


def draw(
    root: Value,
    expand: bool = False,
    rankdir: str = "LR",
    derivatives: bool = False,
    max_nodes: int = 500,
    model: Module | None = None,
    collapse: str | None = None,
) -> Picture:
    """The graph that ``root`` was computed by, as a ``graphviz.Digraph`` that shows itself in a notebook.

    A box has a Value's label, if it has one, its data and its grad to four significant digits, and the colour of its
    role; an ellipse has an operation's symbol.

    Args:
        root: usually a loss; a call of ``root.backward()`` beforehand fills in the gradients.
        expand: draw each ``dot`` as products and sums; the gradient of each of these is that of the ``dot``.
        rankdir: where the edges lead: "LR" is left to right, "TB" top to bottom; also "RL" and "BT".
        derivatives: write on each edge from an operand the local derivative, as it was when the graph was recorded.
        max_nodes: the most boxes to draw; ValueError if there are more.
        model: the network in the graph. Its layers are framed; each neuron is one box, with its input signal s,
            δ = ∂root/∂s and its output x; a layer of more than 16 neurons is one box.
        collapse: "neurons" or "layers", to have these as boxes whatever their number, or "nothing", to have the whole
            graph with frames around the layers.

    The picture's methods ``pipe``, ``render`` and ``view`` raise ``micrograd.render.RenderError`` where there is no
    Graphviz, with the command that installs one.
    """
    if not isinstance(root, Value):
        raise TypeError(f"draw wants a Value, the root of a graph; got {brief(root)} of type {type(root).__name__}")
    if rankdir not in RANKDIRS:
        raise ValueError(f"rankdir is one of {', '.join(RANKDIRS)}; got {rankdir!r}")
    if collapse is not None and (model is None or collapse not in LEVELS):
        raise ValueError(f"collapse is one of {', '.join(LEVELS)}, and goes with model=; got {collapse!r}")
    graph = nodes(root)
    parts = [] if model is None else find_parts(graph, model, collapse)
    whole = model is not None and collapse != "nothing"
    if whole and expand:
        raise ValueError('a neuron drawn as one box shows no dot to expand; add collapse="nothing"')
    count = len(graph) - whole * sum([len(part.nodes) - 1 for part in parts])
    if expand:  # n products and as many sums, or one less without a bias, in place of one node
        count += sum([len(node.parents) - 2 for node in graph if node.op is ops.dot and node.parents])
    if count > max_nodes:
        advice = "draw one neuron, a smaller net or one sample" + ", or leave out expand" * expand
        advice += ", or show each neuron or layer as one box with model=" * (not whole)
        raise ValueError(
            f"{count} Values are too many for a picture of at most {max_nodes}; {advice}, or raise max_nodes"
        )
    names = {} if model is None else {parameter: name for name, parameter in model.named_parameters()}
    boxes = _whole(graph, parts) if whole else _boxes(graph, expand, parts, names)
    return _picture(boxes, _frames(parts), rankdir, derivatives)


def _boxes(graph: list[Value], expand: bool, parts: list[Part], names: dict[Value, str]) -> list[_Box]:
    """A box for each Value."""
    boxes: list[_Box] = []
    place: dict[Value, int] = {}
    frames = {node: part.layer for part in parts for node in part.nodes}
    for node in graph:
        operands: _Operands = list(zip_longest([place[parent] for parent in node.parents], node.partials))
        symbol: str | None = node.op.symbol
        start = len(boxes)
        if expand and node.op is ops.dot and operands:
            symbol, operands = _chop(node, operands, boxes)
        boxes.append(
            _Box(_cells(node.label or names.get(node, ""), node.data, node.grad), _role(node, graph), symbol, operands)
        )
        boxes[start:] = [box._replace(frame=frames.get(node)) for box in boxes[start:]]
        place[node] = len(boxes) - 1
    return boxes


def _whole(graph: list[Value], parts: list[Part]) -> list[_Box]:
    """A box for each part, in the order of the model, then one for each Value that is in none."""
    boxes = [
        _Box(_summary(part), "hidden" if part.signals else "input", None, [], part.layer, upright=not part.layer)
        for part in parts
    ]
    place: dict[Value, int] = {node: i for i, part in enumerate(parts) for node in part.nodes}
    for node in graph:
        if node not in place:
            place[node] = len(boxes)
            boxes.append(_Box(_cells(node.label, node.data, node.grad), _role(node, graph), node.op.symbol, []))
        box = boxes[place[node]]
        for parent, slope in zip_longest(node.parents, node.partials):
            if place[parent] >= len(parts) and box.symbol is not None:
                box.operands.append((place[parent], slope))
            elif place[parent] != place[node] and (place[parent], None) not in box.operands:
                box.operands.append((place[parent], None))
    return boxes


def _frames(parts: list[Part]) -> dict[str, str]:
    """For each layer whose units are shown one by one, its name and size."""
    sizes: dict[str, list[int]] = {}
    for part in parts:
        if part.layer is not None:
            sizes.setdefault(part.layer, []).append(len(part.parameters))
    return {name: f"{name}: {_units(len(n))}, {sum(n)} parameters" for name, n in sizes.items()}


def _role(node: Value, graph: list[Value]) -> str:
    return "loss" if node is graph[-1] and node.parents else node.role


def _cells(label: object, data: float, grad: float) -> list[tuple[str, str | None]]:
    named = [(str(label), None)] if str(label) else []
    return [*named, (f"data {_digits(data)}", DATA), (f"grad {_digits(grad)}", GRADIENT)]


def _summary(part: Part) -> list[tuple[str, str | None]]:
    """What a part shows of itself: s, δ and x of a neuron, the ranges that they are in of a layer."""
    cells: list[tuple[str, str | None]] = [(part.name, None)]
    if not part.layer and part.parameters:
        cells.append((f"{_units(part.units)}, {len(part.parameters)} parameters", None))
    if part.signals:
        cells.append((f"s {_range([s.data for s in part.signals])}", DATA))
        cells.append((f"δ {_range([s.grad for s in part.signals])}", GRADIENT))
    cells.append((f"x {_range([x.data for x in part.outputs])}", DATA))
    return cells


def _units(count: int) -> str:
    return f"{count} unit" + "s" * (count != 1)


def _range(numbers: list[float]) -> str:
    low, high = _digits(min(numbers)), _digits(max(numbers))
    return low if low == high else f"{low} … {high}"


def _chop(node: Value, operands: _Operands, boxes: list[_Box]) -> tuple[str | None, _Operands]:
    """Add the products and partial sums of a ``dot`` to ``boxes``; return the operation that gives its own box."""
    n = len(operands) // 2
    # The derivative by each factor of a product is the other one, as it was when the graph was recorded.
    products = [w * x for w, x in zip(node.partials[:n], node.partials[n:])]
    for i, product in enumerate(products):
        boxes.append(_Box(_cells("", product, node.grad), "hidden", "*", [operands[i], operands[n + i]]))
        if i:
            terms: _Operands = [(len(boxes) - 2, 1.0), (len(boxes) - 1, 1.0)]
            boxes.append(_Box(_cells("", sum(products[: i + 1]), node.grad), "hidden", "+", terms))
    if len(operands) > 2 * n:
        return "+", [(len(boxes) - 1, 1.0), operands[-1]]
    last = boxes.pop()
    return last.symbol, last.operands


def _picture(boxes: list[_Box], frames: dict[str, str], rankdir: str, derivatives: bool) -> Picture:
    from micrograd.render import Picture  # noqa: PLC0415  # graphviz takes long to import, and many never draw

    picture = Picture(
        format="svg",
        graph_attr={
            **EFFORT,
            **(NETWORK if any(box.symbol is None for box in boxes) else {}),
            "rankdir": rankdir,
            "fontname": FONT,
            "fontsize": "10",
            "label": _legend(boxes, derivatives),
        },
        node_attr={"fontname": FONT, "fontsize": "12", "shape": "plain"},
        edge_attr={"fontname": FONT, "fontsize": "10", "fontcolor": GRADIENT, "arrowsize": "0.6"},
    )
    for n, (name, title) in enumerate(frames.items()):
        with picture.subgraph(name=f"cluster_{n}") as frame:
            frame.attr(label=f" {title.translate(_PLAIN)} ", color=FRAME, style="rounded", fontsize="12")
            units = [i for i, box in enumerate(boxes) if box.frame == name]
            for i in units:
                _add(frame, i, boxes[i])
            if boxes[units[0]].symbol is None:
                _in_order(frame, units if rankdir in {"TB", "BT"} else units[::-1])
    leave, arrive = RANKDIRS[rankdir]
    for i, box in enumerate(boxes):
        if box.frame not in frames:
            _add(picture, i, box)
        if box.operands and box.symbol is not None:
            picture.edge(f"o{i}", f"v{i}")
        for operand, slope in box.operands:
            label = f" {_digits(slope)}" if derivatives and slope is not None else None  # a space, off the line
            tail = f"v{operand}:{leave}" if None in {box.symbol, boxes[operand].symbol} else f"v{operand}"
            if box.symbol is None:
                picture.edge(tail, f"v{i}:{arrive}", color=FRAME, arrowhead="none")
            else:
                picture.edge(tail, f"o{i}", label)
    return picture


def _in_order(frame: Picture, units: list[int]) -> None:
    """Keep units in that order, from left to right or from below, where the layout is free to take any."""
    with frame.subgraph() as column:
        column.attr(rank="same")
        for one, other in pairwise(units):
            column.edge(f"v{one}", f"v{other}", style="invis")


def _add(picture: Picture, i: int, box: _Box) -> None:
    from graphviz import nohtml  # noqa: PLC0415

    picture.node(f"v{i}", _table(box))
    if box.symbol is not None and box.operands:
        symbol = nohtml(box.symbol.translate(_PLAIN))
        picture.node(f"o{i}", symbol, shape="ellipse", width="0.4", height="0.3", margin="0.04")


def _digits(x: float) -> str:
    return f"{x + 0.0:.4g}"  # + 0.0 makes 0 of -0


def _table(box: _Box) -> str:
    texts = [text.translate(_MARKUP) for text, _ in box.cells]
    colours = [colour for _, colour in box.cells]
    start = '<TD WIDTH="96" ALIGN="LEFT">' if box.frame and box.symbol is None else "<TD>"  # units of equal width
    cells = [f'{start}<FONT COLOR="{c}">{t}</FONT></TD>' if c else f"{start}{t}</TD>" for t, c in zip(texts, colours)]
    rows = "</TR><HR/><TR>".join(cells) if box.upright else "<VR/>".join(cells)
    return (
        '<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4"'
        f' BGCOLOR="{ROLES[box.role]}"><TR>{rows}</TR></TABLE>>'
    )


def _legend(boxes: list[_Box], derivatives: bool) -> str:
    present = {box.role for box in boxes}
    cells = [f'<TD BGCOLOR="{fill}">{role}</TD>' for role, fill in ROLES.items() if role in present]
    if any(box.symbol is None for box in boxes):
        cells.append(
            f'<TD BORDER="0"><FONT COLOR="{DATA}">s: input signal, x: output</FONT></TD>'
            f'<TD BORDER="0"><FONT COLOR="{GRADIENT}">δ: derivative of the root by s</FONT></TD>'
        )
    if derivatives:
        cells.append(f'<TD BORDER="0"><FONT COLOR="{GRADIENT}">on edges: local derivative</FONT></TD>')
    return f'<<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="4" CELLPADDING="2"><TR>{"".join(cells)}</TR></TABLE>>'
