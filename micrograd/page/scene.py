"""The graphs of a recorded batch as SVG, laid out once, with every number in a place that a script can write to.

A result and the operation that makes it are one box, so that a picture has few columns and large letters.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from micrograd.page.recorder import Recorder
from micrograd.pictures.draw import role_in
from micrograd.pictures.formula import VISIBLE
from micrograd.pictures.palette import ROLES
from micrograd.pictures.render import Picture, RenderError
from micrograd.pictures.source import CHARACTER, EFFORT, FONT, in_order

SVG = "{http://www.w3.org/2000/svg}"
ASPECT = 1.6  # how much wider than high the place of the picture on the page is
PAD = 2  # points around a picture
RANKSEP = {"LR": "0.1", "TB": "0.25"}  # inches between ranks: the directions of a picture, one of which fits better


class Box(NamedTuple):
    """A Value and the operation that made it: the texts of its cells, and what it takes."""

    role: str
    symbol: str  # none for a leaf
    label: str  # none for a constant
    numbers: tuple[str, str]  # the longest data and gradient that it will show
    operands: list[tuple[int, str]]  # by number, each with the longest local derivative


def pictures(run: Recorder) -> tuple[list[str], list[int], float]:
    """The pictures of the graphs, one for those of the same shape; for each graph the number of its picture; and how
    high they are, as a part of their width: the largest such ratio.
    """
    shapes: dict[Any, list[int]] = {}
    for k, graph in enumerate(run.graphs):
        place = {node: i for i, node in enumerate(graph)}
        shape = tuple((run.names[n], n.role, n.op.symbol, *[place[p] for p in n.parents]) for n in graph)
        # Constants go by their number, which a picture shows as data, so it makes no difference.
        shape = tuple(row[1:] if row[1] == "constant" else row for row in shape)
        shapes.setdefault(shape, []).append(k)
    picture_of = {k: number for number, group in enumerate(shapes.values()) for k in group}
    drawn = [_picture(run, group) for group in shapes.values()]
    ratio = max([height / width for _, (width, height) in drawn])
    return [svg for svg, _ in drawn], [picture_of[k] for k in range(len(run.graphs))], ratio


def _picture(run: Recorder, group: list[int]) -> tuple[str, tuple[float, float]]:
    """The SVG of the graphs of these samples, with room for the longest number that each place will show; its size."""
    longest: dict[str, str] = {}
    for step in run.steps:
        # Steps of the batch as a whole write to the last sample's picture.
        if step.sample in group or step.sample < 0:
            for one in (step, step.mean or step):
                for place, text in one.writes.items():
                    if text[-1:].isalnum():
                        longest[place] = max(longest.get(place, ""), text, key=len)
    graph = run.graphs[group[0]]
    place_of = {node: i for i, node in enumerate(graph)}
    boxes = [
        Box(
            role_in(node, graph),
            node.op.symbol.translate(VISIBLE) if node.parents else "",
            "" if node.role == "constant" else run.names[node],
            (longest.get(f"v{i}.data", "0"), longest.get(f"v{i}.grad", "0")),
            [(place_of[p], longest.get(f"o{i}.{j}", "")) for j, p in enumerate(node.parents)],
        )
        for i, node in enumerate(graph)
    ]
    root = max([_laid_out(boxes, rankdir) for rankdir in RANKSEP], key=_scale)
    return _interactive(root, boxes), _size(root)


# ---- the layout ------------------------------------------------------------------------------------------------------


def _laid_out(boxes: list[Box], rankdir: str) -> Element:
    """The boxes and edges in Graphviz's SVG. Texts are so many letters m, which are their room alone."""
    picture = Picture(
        format="svg",
        graph_attr={**EFFORT, "rankdir": rankdir, "ranksep": RANKSEP[rankdir], "nodesep": "0.05", "pad": f"{PAD / 72}"},
        node_attr={"fontname": FONT, "fontsize": "12", "shape": "plain"},
        edge_attr={"fontname": FONT, "fontsize": "10", "arrowsize": "0.6"},
    )
    for i, box in enumerate(boxes):
        picture.node(f"v{i}", _table(box))
        for operand, slope in box.operands:
            # A letter less than the longest: it may reach over the gaps on both sides, and the graph is larger.
            picture.edge(f"v{operand}", f"v{i}", "m" * max(1, len(slope) - 1))
    in_order(picture, [f"v{i}" for i, box in enumerate(boxes) if box.role == "input"])
    return ElementTree.fromstring(picture.pipe("svg"))


def _table(box: Box) -> str:
    """A result's operation and label stand above its numbers; a leaf's label before them: columns of these are long."""
    data, grad = box.numbers
    heads = [text for text in (box.symbol, box.label) if text]
    if box.symbol:
        rows = "<VR/>".join([_cell(text) for text in heads])
        for number in (data, grad):
            rows += f"</TR><HR/><TR>{_cell(number, across=len(heads))}"
    else:
        rows = "".join([_cell(text, down=2) for text in heads]) + f"{_cell(data)}</TR><TR>{_cell(grad)}"
    return (
        '<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
        f' BGCOLOR="{ROLES[box.role]}"><TR>{rows}</TR></TABLE>>'
    )


def _cell(text: str, across: int = 1, down: int = 1) -> str:
    columns = _columns(text)
    place = f'COLSPAN="{across}" ROWSPAN="{down}" WIDTH="{columns * CHARACTER + 4:.0f}"'
    return f"<TD {place}>{'m' * columns}</TD>"


def _columns(text: str) -> int:
    """How many columns of a typewriter a text is wide. Graphviz takes letters that are not ASCII for wider."""
    return sum([2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text])


def _size(root: Element) -> tuple[float, float]:
    *_, width, height = (float(number) for number in root.get("viewBox", "0 0 1 1").split())
    return width, height


def _scale(root: Element) -> float:
    """How large the picture is in a place of usual shape."""
    width, height = _size(root)
    return min(ASPECT / width, 1 / height)


# ---- what a script needs ---------------------------------------------------------------------------------------------


def _interactive(root: Element, boxes: list[Box]) -> str:
    """Graphviz's SVG, with the places that steps write to marked, and without what HTML has no use for."""
    whole = root.find(f"{SVG}g")
    if whole is None:
        raise RenderError("the layout is not as expected: its SVG holds no group")
    width, height = _size(root)
    # Without the transform, coordinates are the picture's own, which is easier on the script that zooms.
    del whole.attrib["transform"]
    root.attrib = {"viewBox": f"{-PAD} {PAD - height:g} {width:g} {height:g}", "role": "img"}
    for child in [child for child in whole if child.tag != f"{SVG}g"]:  # title and background
        whole.remove(child)
    groups = [(child, child.findtext(f"{SVG}title") or "") for child in whole]
    for child, name in groups:
        if child.get("class") == "node":
            _box(child, name, boxes[int(name[1:])])
        child.remove(child[0])  # the title, which a browser would show as a tip
    # The number of an edge is that in the source, so that twins come in the order of the operands.
    edges = [pair for pair in groups if pair[0].get("class") == "edge"]
    whole.extend(_edges(sorted(edges, key=lambda pair: int(pair[0].get("id", "")[4:]))))
    for element in root.iter():
        element.attrib.pop("id", None)  # another picture on the page has the same
    ElementTree.register_namespace("", SVG[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def _edges(edges: list[tuple[Element, str]]) -> list[Element]:
    """Mark the edges; return groups with their texts, to stand above all lines."""
    seen: Counter[str] = Counter()
    above = []
    for edge, title in edges:
        tail, head = title.split("->")
        edge.set("data-from", tail)
        edge.set("data-to", head)
        for text in list(edge.iter(f"{SVG}text")):
            text.set("data-place", f"o{head[1:]}.{seen[head]}")
            edge.remove(text)
            above.append(Element(f"{SVG}g", edge.attrib))
            above[-1].append(text)
        seen[head] += 1
    return above


def _box(element: Element, name: str, box: Box) -> None:
    element.set("class", f"node {box.role}")
    element.set("data-node", name)
    heads = [(kind, text) for kind, text in (("symbol", box.symbol), ("label", box.label)) if text]
    *before, data, grad = texts = list(element.iter(f"{SVG}text"))
    for text in texts:
        width = CHARACTER * len(text.text or "")
        middle = float(text.get("x", "0")) + (0 if text.get("text-anchor") == "middle" else width / 2)
        text.set("text-anchor", "middle")  # numbers of other lengths are to stay in the middle
        text.set("x", f"{middle:.2f}")
        room = {"x": middle - width / 2 - 1, "y": float(text.get("y", "0")) - 11.3, "width": width + 2, "height": 12.8}
        mark = Element(f"{SVG}rect", {key: f"{number:.2f}" for key, number in room.items()})
        element.insert(list(element).index(text), mark)
    for text, (kind, shown) in zip(before, heads):
        text.text = shown
        text.set("class", kind)
    for text, what in ((data, "data"), (grad, "grad")):
        text.text = ""
        text.set("data-place", f"{name}.{what}")
        text.set("class", what)
