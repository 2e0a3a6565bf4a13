"""The graphs of a recorded batch as SVG, laid out once, with every number in a place that a script can write to."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from micrograd.page.recorder import Recorder
from micrograd.pictures.draw import role_in
from micrograd.pictures.palette import DATA, GRADIENT
from micrograd.pictures.render import RenderError
from micrograd.pictures.source import CHARACTER, Box, Operands, in_order, picture_of

SVG = "{http://www.w3.org/2000/svg}"
ASPECT = 1.6  # how much wider than high the place of the picture on the page is


def pictures(run: Recorder) -> tuple[list[str], list[int]]:
    """The pictures of the graphs, one for those of the same shape, and for each graph the number of its picture."""
    shapes: dict[Any, list[int]] = {}
    for k, graph in enumerate(run.graphs):
        place = {node: i for i, node in enumerate(graph)}
        shape = tuple((run.names[n], n.role, n.op.symbol, *[place[p] for p in n.parents]) for n in graph)
        # Constants go by their number, which a picture shows as data, so it makes no difference.
        shape = tuple(row[1:] if row[1] == "constant" else row for row in shape)
        shapes.setdefault(shape, []).append(k)
    picture_of = {k: number for number, group in enumerate(shapes.values()) for k in group}
    return [_picture(run, group) for group in shapes.values()], [picture_of[k] for k in range(len(run.graphs))]


def _picture(run: Recorder, group: list[int]) -> str:
    """The SVG of the graphs of these samples, with room for the longest number that each place will show."""
    longest: dict[str, str] = {}
    for step in run.steps:
        # Steps of the batch as a whole write to the last sample's picture.
        if step.sample in group or step.sample < 0:
            for one in (step, step.mean or step):
                for place, text in one.writes.items():
                    if text[-1:].isalnum():
                        longest[place] = max(longest.get(place, ""), text.replace("−", "-"), key=len)
    graph = run.graphs[group[0]]
    place_of = {node: i for i, node in enumerate(graph)}
    labels = {f"v{i}": "" if node.role == "constant" else run.names[node] for i, node in enumerate(graph)}
    boxes: list[Box] = []
    for i, node in enumerate(graph):
        numbers = [(longest.get(f"v{i}.{what}", "0"), colour) for what, colour in (("data", DATA), ("grad", GRADIENT))]
        named = [("m" * _columns(labels[f"v{i}"]), None)] if labels[f"v{i}"] else []
        # Three characters less than the longest: it may reach over the gaps on both sides, and the graph is larger.
        slopes = [10.0 ** max(0, len(longest.get(f"o{i}.{j}", "")) - 4) for j in range(len(node.parents))]
        operands: Operands = list(zip([place_of[p] for p in node.parents], slopes))
        beside = bool(named) and not node.parents  # columns of parameters are long
        boxes.append(Box([*named, *numbers], role_in(node, graph), node.op.symbol, operands, beside=beside))
    inputs = [f"v{i}" for i, node in enumerate(graph) if node.role == "input"]
    pictures = [_laid_out(boxes, inputs, rankdir) for rankdir in ("LR", "TB")]
    roles = {f"v{i}": role_in(node, graph) for i, node in enumerate(graph)}
    return _interactive(max(pictures, key=_scale), roles, labels)


def _columns(text: str) -> int:
    """How many columns of a typewriter a text is wide. Graphviz takes letters that are not ASCII for wider."""
    return sum([2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text])


def _laid_out(boxes: list[Box], inputs: list[str], rankdir: str) -> Element:
    picture = picture_of(boxes, {}, derivatives=True, rankdir=rankdir, stacked=True)
    in_order(picture, inputs)
    picture.graph_attr.update(label="", ranksep="0.1" if rankdir == "LR" else "0.2", nodesep="0.1")
    return ElementTree.fromstring(picture.pipe("svg"))


def _size(root: Element) -> tuple[float, float]:
    *_, width, height = (float(number) for number in root.get("viewBox", "0 0 1 1").split())
    return width, height


def _scale(root: Element) -> float:
    """How large the picture is on a page of usual shape."""
    width, height = _size(root)
    return min(ASPECT / width, 1 / height)


def _interactive(root: Element, roles: dict[str, str], labels: dict[str, str]) -> str:
    """Graphviz's SVG, with the places that steps write to marked, and without what HTML has no use for."""
    whole = root.find(f"{SVG}g")
    if whole is None:
        raise RenderError("the layout is not as expected: its SVG holds no group")
    width, height = _size(root)
    # Without the transform, coordinates are the picture's own, which is easier on the script that zooms.
    del whole.attrib["transform"]
    root.attrib = {"viewBox": f"-4 {4 - height:g} {width:g} {height:g}", "role": "img"}
    for child in [child for child in whole if child.tag != f"{SVG}g"]:  # title and background
        whole.remove(child)
    groups = [(child, child.findtext(f"{SVG}title") or "") for child in whole]
    for child, name in groups:
        if child.get("class") == "node":
            child.set("data-node", name)
        if name in roles:
            _box(child, name, roles[name], labels[name])
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
            text.set("data-place", f"{head}.{seen[head]}")
            edge.remove(text)
            above.append(Element(f"{SVG}g", edge.attrib))
            above[-1].append(text)
        seen[head] += 1
    return above


def _box(box: Element, name: str, shown: str, label: str) -> None:
    box.set("class", f"node {shown}")
    *labelled, data, grad = texts = list(box.iter(f"{SVG}text"))
    for text in texts:  # numbers of other lengths are to stay in the middle
        width = CHARACTER * len(text.text or "")
        middle = float(text.get("x", "0")) + (0 if text.get("text-anchor") == "middle" else width / 2)
        text.set("text-anchor", "middle")
        text.set("x", f"{middle:.2f}")
        if text not in labelled:
            room = {"x": middle - width / 2 - 2, "y": float(text.get("y", "0")) - 11, "width": width + 4, "height": 14}
            mark = Element(f"{SVG}rect", {key: f"{number:.2f}" for key, number in room.items()})
            box.insert(list(box).index(text), mark)
    for text in labelled:
        text.text = label
    for text, what in ((data, "data"), (grad, "grad")):
        text.set("data-place", f"{name}.{what}")
