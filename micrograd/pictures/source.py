"""From the boxes of a picture to the text that Graphviz lays out."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from micrograd.pictures import formula
from micrograd.pictures.palette import DATA, FRAME, GRADIENT, ROLES

if TYPE_CHECKING:
    from micrograd.pictures.render import Picture

FONT = "Courier"  # as wide in every renderer and browser, so that text fits the box that was made for it
# For each direction of a picture, the sides of a box where an edge leaves and arrives.
RANKDIRS = {"LR": ("e", "w"), "RL": ("w", "e"), "TB": ("s", "n"), "BT": ("n", "s")}
# Iterations of the layout, per node. Usual graphs need fewer and look the same; a parameter that is shared all along a
# deep graph would otherwise take minutes.
EFFORT = {"nslimit": "2", "nslimit1": "2"}
# Each unit is joined to each one of the next layer, and the second search for fewer crossings would mix their order.
NETWORK = {"splines": "line", "remincross": "false"}

# From text to Graphviz's two kinds of labels.
_PLAIN = {
    **formula.VISIBLE,
    ord("\n"): r"\n",
    ord("\\"): r"\\",  # a lone one would start an escape: \N is replaced by the name of the node
    ord("&"): "&amp;",
}
_MARKUP = {**_PLAIN, ord("\n"): "<BR/>", ord("<"): "&lt;", ord(">"): "&gt;"}


# The boxes that an operation takes, by number, each with the local derivative; a node made by hand has none.
Operands: TypeAlias = list[tuple[int, float | None]]


class Box(NamedTuple):
    """One Value and the operation that made it, or a part of a network."""

    cells: list[tuple[str, str | None]]  # text and its colour
    role: str
    symbol: str | None  # none for a part
    operands: Operands
    frame: str | None = None  # the layer that it stands in
    stacked: bool = False  # the cells one below the other


def picture_of(boxes: list[Box], frames: dict[str, str], rankdir: str, derivatives: bool) -> Picture:
    from micrograd.pictures.render import Picture  # noqa: PLC0415  # graphviz takes long to import, and many never draw

    picture = Picture(
        format="svg",
        graph_attr={
            **EFFORT,
            **_network(boxes),
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
            label = f" {digits(slope)}" if derivatives and slope is not None else None  # a space, off the line
            tail = f"v{operand}:{leave}" if None in {box.symbol, boxes[operand].symbol} else f"v{operand}"
            if box.symbol is None:
                picture.edge(tail, f"v{i}:{arrive}", color=FRAME, arrowhead="none")
            else:
                picture.edge(tail, f"o{i}", label)
    return picture


def _network(boxes: list[Box]) -> dict[str, str]:
    if all(box.symbol is not None for box in boxes):
        return {}
    widest = max(Counter([box.frame for box in boxes if box.frame]).values(), default=1)
    return {**NETWORK, "ranksep": f"{0.4 + widest / 25:.2f}"}  # room for the lines to fan out


def _in_order(frame: Picture, units: list[int]) -> None:
    """Keep units in that order, from left to right or from below, where the layout is free to take any."""
    with frame.subgraph() as column:
        column.attr(rank="same")
        for one, other in pairwise(units):
            column.edge(f"v{one}", f"v{other}", style="invis")


def _add(picture: Picture, i: int, box: Box) -> None:
    from graphviz import nohtml  # noqa: PLC0415

    picture.node(f"v{i}", _table(box))
    if box.symbol is not None and box.operands:
        symbol = nohtml(box.symbol.translate(_PLAIN))
        picture.node(f"o{i}", symbol, shape="ellipse", width="0.4", height="0.3", margin="0.04")


def digits(x: float) -> str:
    """As in formulas, but with an ASCII minus: Graphviz gives another the width of three characters."""
    return formula.digits(x).replace("−", "-")


def _table(box: Box) -> str:
    texts = [text.translate(_MARKUP) for text, _ in box.cells]
    colours = [colour for _, colour in box.cells]
    start = '<TD WIDTH="96" ALIGN="LEFT">' if box.frame and box.symbol is None else "<TD>"  # units of one width
    cells = [f'{start}<FONT COLOR="{c}">{t}</FONT></TD>' if c else f"{start}{t}</TD>" for t, c in zip(texts, colours)]
    rows = "</TR><HR/><TR>".join(cells) if box.stacked else "<VR/>".join(cells)
    return (
        f'<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{2 if box.stacked else 4}"'
        f' BGCOLOR="{ROLES[box.role]}"><TR>{rows}</TR></TABLE>>'
    )


def _legend(boxes: list[Box], derivatives: bool) -> str:
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
