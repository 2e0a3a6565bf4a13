"""The graphs of a recorded batch as SVG, laid out once, with every number in a place that a script can write to."""

from __future__ import annotations

from collections import Counter
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from micrograd.engine import Value
from micrograd.page.recorder import Recorder
from micrograd.pictures.draw import draw, role_in
from micrograd.pictures.render import RenderError

SVG = "{http://www.w3.org/2000/svg}"


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
                        longest[place] = max(longest.get(place, ""), text, key=len)
    graph = run.graphs[group[0]]
    roomy: dict[Value, Value] = {}
    for i, node in enumerate(graph):
        role = "parameter" if node.parents else node.role
        label = "" if node.role == "constant" else run.names[node]
        twin = roomy[node] = Value(
            _room(longest, f"v{i}.data"), [roomy[p] for p in node.parents], label=label, role=role
        )
        twin.op = node.op
        twin.grad = _room(longest, f"v{i}.grad")
        twin.partials = [_room(longest, f"o{i}.{j}") for j in range(len(node.partials))]
    picture = draw(roomy[graph[-1]], derivatives=True, max_nodes=len(graph), stacked=True)
    picture.graph_attr.update(label="", ranksep="0.12", nodesep="0.18")
    roles = {f"v{i}": role_in(node, graph) for i, node in enumerate(graph)}
    return _interactive(picture.pipe("svg", encoding="utf-8"), roles)


def _room(longest: dict[str, str], place: str) -> float:
    return float(longest.get(place, "0").replace("−", "-"))


def _interactive(svg: str, roles: dict[str, str]) -> str:
    """Graphviz's SVG, with the places that steps write to marked, and what HTML does not want taken away."""
    root = ElementTree.fromstring(svg)
    whole = root.find(f"{SVG}g")
    if whole is None:
        raise RenderError("the SVG by Graphviz is not as expected: it holds no group")
    *_, width, height = (float(number) for number in root.get("viewBox", "").split())
    # Without the transform, coordinates are the picture's own, which is easier on the script that zooms.
    del whole.attrib["transform"]
    root.attrib = {"viewBox": f"-4 {4 - height:g} {width:g} {height:g}", "role": "img"}
    for child in [child for child in whole if child.tag != f"{SVG}g"]:  # title and background
        whole.remove(child)
    groups = [(child, child.findtext(f"{SVG}title") or "") for child in whole]
    # The number of an edge is that in the source, so that twins come in the order of the operands.
    edges = [pair for pair in groups if pair[0].get("class") == "edge"]
    _edges(sorted(edges, key=lambda pair: int(pair[0].get("id", "")[4:])))
    for child, name in groups:
        if child.get("class") == "node":
            child.set("data-node", name)
        if name in roles:
            _box(child, name, roles[name])
        child.remove(child[0])  # the title, which a browser would show as a tip
    for element in root.iter():
        element.attrib.pop("id", None)  # another picture on the page has the same
    ElementTree.register_namespace("", SVG[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def _edges(edges: list[tuple[Element, str]]) -> None:
    seen: Counter[str] = Counter()
    for edge, title in edges:
        tail, head = title.split("->")
        edge.set("data-from", tail)
        edge.set("data-to", head)
        for text in edge.iter(f"{SVG}text"):
            text.set("data-place", f"{head}.{seen[head]}")
        seen[head] += 1


def _box(box: Element, name: str, shown: str) -> None:
    box.set("class", f"node {shown}")
    corners = [float(pair.split(",")[0]) for pair in box[1].get("points", "").split()]
    *_, data, grad = texts = list(box.iter(f"{SVG}text"))
    for text in texts:  # numbers of other lengths are to stay in the middle
        text.set("text-anchor", "middle")
        text.set("x", f"{(min(corners) + max(corners)) / 2:.2f}")
    for text, what in ((data, "data"), (grad, "grad")):
        text.set("data-place", f"{name}.{what}")
        text.set("data-before", f"{what} ")
