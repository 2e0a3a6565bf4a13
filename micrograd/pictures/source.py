"""From the boxes of a picture to the text that Graphviz lays out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from graphlib import TopologicalSorter
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from micrograd.pictures import formula
from micrograd.pictures.palette import DATA, FRAME, GRADIENT, ROLES

if TYPE_CHECKING:
    from micrograd.pictures.render import Picture

FONT = "Courier"  # as wide in every renderer and browser, so that text fits the box that was made for it
CHARACTER = 7.2  # points: the width of a character in a box
WIDE = 1200  # points: a page of 1,000 pixels shows a picture of this width with letters of 10 pixels
# For each direction of a picture, the sides of a box where an edge leaves and arrives.
RANKDIRS = {"LR": ("e", "w"), "RL": ("w", "e"), "TB": ("s", "n"), "BT": ("n", "s")}
ACROSS = {"TB", "BT"}  # where the units of a layer stand side by side
# Iterations of the layout, per node. Usual graphs need fewer and look the same; a parameter that is shared all along a
# deep graph would otherwise take minutes.
EFFORT = {"nslimit": "2", "nslimit1": "2"}
# Each unit is joined to each one of the next layer, and the second search for fewer crossings would mix their order.
NETWORK = {"splines": "line", "remincross": "false", "newrank": "true"}
LINE = {"color": FRAME, "arrowhead": "none"}  # an edge between parts

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
    recurrent: tuple[int, ...] = ()  # the parts whose earlier outputs it takes: itself, or those at work after it

    def width(self, stacked: bool) -> float:
        """In points, about."""
        lengths = [len(text) * CHARACTER + 10 for text, _ in self.cells]
        return max(lengths) if stacked else sum(lengths)


# ---- the shape of a picture ------------------------------------------------------------------------------------------


def shape_of(boxes: list[Box], rankdir: str | None, stacked: bool | None) -> tuple[str, bool]:
    """The direction of a picture and whether its boxes are stacked, where these are not given.

    Left to right and side by side if that is not wider than ``WIDE``, else stacked, else from top to bottom; the
    narrowest of them if none fits.
    """
    directions = [rankdir] if rankdir else ["LR", "TB"]
    choices = list(product(directions, [False, True] if stacked is None else [stacked]))
    fitting = (choice for choice in choices if _width(boxes, *choice) <= WIDE)
    return next(fitting, None) or min(choices, key=lambda choice: _width(boxes, *choice))


def _width(boxes: list[Box], rankdir: str, stacked: bool) -> float:
    """About how wide a picture is, in points: its columns together, or its longest row."""
    ranks: dict[int, list[Box]] = {}
    for box, level in zip(boxes, _levels(boxes)):
        ranks.setdefault(level, []).append(box)
    if rankdir in ACROSS:
        return max([sum([box.width(stacked) + 18 for box in rank]) for rank in ranks.values()])
    symbols = sum([any(box.symbol is not None and box.operands for box in rank) for rank in ranks.values()])
    return sum([max([box.width(stacked) for box in rank]) + 50 for rank in ranks.values()]) + 70 * symbols


def _levels(boxes: list[Box]) -> list[int]:
    """For each box, the most steps from it to the last."""
    takes = {i: [operand for operand, _ in box.operands] for i, box in enumerate(boxes)}
    after = dict.fromkeys(takes, 0)
    for i in reversed(list(TopologicalSorter(takes).static_order())):
        for operand in takes[i]:
            after[operand] = max(after[operand], after[i] + 1)
    return list(after.values())


def independent(units: list[int], boxes: list[Box]) -> bool:
    """Whether none of these takes, directly or not, what another one gives, so that they can stand in one column."""
    seen: set[int] = set()
    met = list(units)
    while met:
        before = {operand for operand, _ in boxes[met.pop()].operands} - seen
        seen |= before
        met += before
    return not seen & {*units}


# ---- its text --------------------------------------------------------------------------------------------------------


def picture_of(boxes: list[Box], frames: dict[str, str], derivatives: bool, rankdir: str, stacked: bool) -> Picture:
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
    clusters = {name: f"cluster_{n}" for n, name in enumerate(frames)}
    for name, title in frames.items():
        with picture.subgraph(name=clusters[name]) as frame:
            units = [i for i, box in enumerate(boxes) if box.frame == name]
            _layer(picture, frame, units, boxes, clusters, title.translate(_PLAIN), rankdir, stacked)
    for i, box in enumerate(boxes):
        if box.frame not in frames:
            _add(picture, i, box, stacked)
            if box.recurrent:
                in_order(picture, [*_way_back(picture, picture, [i], boxes, clusters, rankdir), f"v{i}"])
    if any(box.symbol is None for box in boxes):
        in_order(picture, [f"v{i}" for i in _inputs(boxes)])
        _beside_the_operation(picture, boxes)
    _edges(picture, boxes, derivatives, rankdir)
    return picture


def _network(boxes: list[Box]) -> dict[str, str]:
    if all(box.symbol is not None for box in boxes):
        return {}
    widest = max(Counter([box.frame for box in boxes if box.frame]).values(), default=1)
    near = {"nodesep": "0.1"} if any(box.recurrent for box in boxes) else {}  # lines to these pass one more column
    levels = _levels(boxes)
    skips = any(levels[j] > levels[i] + 1 for i, box in enumerate(boxes) for j, _ in box.operands)
    curved = {"splines": "true"} if skips else {}  # straight lines would run through the boxes that they pass by
    return {**NETWORK, **near, **curved, "ranksep": f"{0.4 + widest / 25:.2f}"}  # room for the lines to fan out


def _layer(
    picture: Picture,
    frame: Picture,
    units: list[int],
    boxes: list[Box],
    clusters: dict[str, str],
    title: str,
    rankdir: str,
    stacked: bool,
) -> None:
    """The frame of a layer, with its units in order, and the title where no edge crosses it."""
    across, collapsed = rankdir in ACROSS, boxes[units[0]].symbol is None
    frame.attr(label="" if across and collapsed else title, color=FRAME, style="rounded", fontsize="12")
    wide = 0.0 if across else max([len(line) * CHARACTER for line in title.split(r"\n")])
    width = max([wide, *[boxes[i].width(stacked=True) for i in units]])
    for i in units:
        _add(frame, i, boxes[i], stacked, width)
    if collapsed:
        column = [*_way_back(picture, frame, units, boxes, clusters, rankdir), *[f"v{i}" for i in units]]
        if across:
            name = f"t{units[0]}"
            frame.node(name, title, shape="plaintext")
            column.insert(0, name)
        in_order(frame, column if across else column[::-1])  # Graphviz turns the columns of frames


def _way_back(
    picture: Picture, frame: Picture, units: list[int], boxes: list[Box], clusters: dict[str, str], rankdir: str
) -> list[str]:
    """Draw what units take of their earlier outputs, or of later units; return the box that it goes through, if any.

    The box stands at the head of the column, between a point in a column before and a point in a column after. So its
    lines go around the units.
    """
    sources = dict.fromkeys([source for i in units for source in boxes[i].recurrent])
    if not sources:
        return []
    back, before, after = f"r{units[0]}", f"r{units[0]}b", f"r{units[0]}a"
    leave, arrive = RANKDIRS[rankdir]
    frame.node(back, "x fed back", shape="box", style="rounded", color=FRAME, fontsize="10", height="0.3")
    frame.node(before, "", shape="point", width="0.01", color=FRAME)
    frame.edge(before, f"{back}:{arrive}", dir="back", weight="9", **LINE)
    layers = {boxes[source].frame for source in sources}
    if layers == {boxes[units[0]].frame}:
        _gather(frame, sources, after, leave)
    else:  # in the frame of the layer that it comes from, where this is one
        with picture.subgraph(name=clusters.get(layers.pop() or "") if len(layers) == 1 else None) as other:
            _gather(other, sources, after, leave)
        frame = picture
    frame.edge(f"{back}:{leave}", after, dir="back", weight="9", **LINE)
    for i in units:
        if boxes[i].recurrent:
            picture.edge(before, f"v{i}:{arrive}", **LINE)
    return [back]


def _gather(frame: Picture, sources: Iterable[int], point: str, leave: str) -> None:
    frame.node(point, "", shape="point", width="0.01", color=FRAME)
    for source in sources:
        frame.edge(f"v{source}:{leave}", point, **LINE)


def in_order(picture: Picture, names: list[str]) -> None:
    """Keep boxes in that order, from left to right or from above, where the layout is free to take any."""
    with picture.subgraph() as column:
        column.attr(rank="same")
        for one, other in pairwise(names):
            column.edge(one, other, style="invis")


def _inputs(boxes: list[Box]) -> list[int]:
    """The leaves that parts take."""
    taken = {operand for box in boxes if box.symbol is None for operand, _ in box.operands}
    return sorted([i for i in taken if boxes[i].symbol is not None and not boxes[i].operands])


def _beside_the_operation(picture: Picture, boxes: list[Box]) -> None:
    """Keep a target or a constant beside the one operation that takes it, so that its edge crosses no frame."""
    users: dict[int, list[int]] = {}
    for i, box in enumerate(boxes):
        for operand in dict.fromkeys([operand for operand, _ in box.operands]):
            users.setdefault(operand, []).append(i)
    for operand, [i, *others] in users.items():
        leaf = boxes[operand].symbol is not None and not boxes[operand].operands
        if leaf and not others and boxes[i].symbol is not None and len(boxes[i].operands) > 1:
            with picture.subgraph() as beside:
                beside.attr(rank="same")
                beside.node(f"v{operand}")
                beside.node(f"o{i}")


def _edges(picture: Picture, boxes: list[Box], derivatives: bool, rankdir: str) -> None:
    leave, arrive = RANKDIRS[rankdir]
    places = [box.frame or str(i) for i, box in enumerate(boxes)]
    # What goes back has a column before the layer that takes it, and one after the layer that gives it.
    before = {place for place, box in zip(places, boxes) if box.recurrent}
    after = {places[source] for box in boxes for source in box.recurrent}
    for i, box in enumerate(boxes):
        if box.operands and box.symbol is not None:
            picture.edge(f"o{i}", f"v{i}")
        for operand, slope in box.operands:
            label = f" {digits(slope)}" if derivatives and slope is not None else None  # a space, off the line
            tail = f"v{operand}:{leave}" if None in {box.symbol, boxes[operand].symbol} else f"v{operand}"
            columns = 1 + (places[i] in before) + (places[operand] in after)
            apart = {"minlen": f"{columns}"} if columns > 1 else {}
            if box.symbol is None:
                picture.edge(tail, f"v{i}:{arrive}", **LINE, **apart)
            else:
                picture.edge(tail, f"o{i}", label, **apart)


def _add(picture: Picture, i: int, box: Box, stacked: bool, width: float = 0.0) -> None:
    from graphviz import nohtml  # noqa: PLC0415

    picture.node(f"v{i}", _table(box, stacked, width))
    if box.symbol is not None and box.operands:
        symbol = nohtml(box.symbol.translate(_PLAIN))
        picture.node(f"o{i}", symbol, shape="ellipse", width="0.4", height="0.3", margin="0.04")


def digits(x: float) -> str:
    """As in formulas, but with an ASCII minus: Graphviz gives another the width of three characters."""
    return formula.digits(x).replace("−", "-")


def _table(box: Box, stacked: bool, width: float) -> str:
    texts = [text.translate(_MARKUP) for text, _ in box.cells]
    colours = [colour for _, colour in box.cells]
    # Units of a layer are of one width, and as wide as its title, which edges to them would cross otherwise.
    wide = max(96, width if stacked else width / len(texts))
    start = f'<TD WIDTH="{wide:.0f}" ALIGN="LEFT">' if box.frame and box.symbol is None else "<TD>"
    cells = [f'{start}<FONT COLOR="{c}">{t}</FONT></TD>' if c else f"{start}{t}</TD>" for t, c in zip(texts, colours)]
    between = "</TR><HR/><TR>" if stacked else "<VR/>"
    return (
        f'<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{2 if stacked else 4}"'
        f' BGCOLOR="{ROLES[box.role]}"><TR>{between.join(cells)}</TR></TABLE>>'
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
