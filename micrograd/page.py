"""A page that steps through a mini-batch: forward, backward and the optimizer's step, number by number.

>>> from micrograd import Value
>>> w = Value(0.5, label="w")
>>> page = step_through(lambda x, y: (w * x - y) ** 2, [(1.0, 2.0), (3.0, 0.0)])
>>> "".join(page.html.split("<title>")[1:])[:21]
'A batch of 2 samples<'

``page.save("batch.html")`` writes one file that needs nothing else, no network either; a notebook shows the page itself.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from reprlib import repr as brief
from typing import Any
from xml.etree import ElementTree

from micrograd.draw import draw
from micrograd.engine import Value, is_recording
from micrograd.formula import VISIBLE
from micrograd.graph import nodes
from micrograd.optim import Optimizer
from micrograd.palette import DATA, GRADIENT, ROLES
from micrograd.steps import Recorder, Step
from micrograd.train import call

SVG = "http://www.w3.org/2000/svg"
REDUCTIONS = ("mean", "sum")


class Page:
    """A whole page in ``html``. ``save`` writes it to a file; a notebook shows it in a frame of its own."""

    def __init__(self, html: str) -> None:
        self.html = html

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page and return its path; folders that are missing are made."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.html, encoding="utf-8", newline="\n")
        return path

    def _repr_html_(self) -> str:
        # The frame keeps the page's styles and keys to itself, and sandbox its script away from the notebook.
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" title="Step through the graph"'
            ' width="100%" height="720" style="border: 1px solid gray"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<page of {len(self.html) / 1000:.0f} kB; save() writes it to a file>"


def step_through(
    loss: Callable[..., Value] | Value,
    batch: Iterable[Any] | None = None,
    optimizer: Optimizer | None = None,
    *,
    reduction: str = "mean",
    max_samples: int = 12,
    max_nodes: int = 120,
) -> Page:
    """A page that shows a batch at work, from the first operation on the first sample to the optimizer's step.

    It begins with gradients at 0, and shows what the engine computed: the passes are run here, on the parameters as
    they are. Afterwards parameters, gradients and optimizer are as they were before.

    Args:
        loss: builds the loss graph of one sample, as for ``accumulate``; or a Value, for a page of that expression.
        batch: the samples.
        optimizer: takes the last step, and names the parameters; without one they are the graphs' leaves of that role.
        reduction: "mean" or "sum", which the page shows first; a switch on it changes to the other.
        max_samples: the most samples to show; ValueError if there are more.
        max_nodes: the most Values in a sample's graph, and the most parameters; ValueError if there are more.

    Raises ``micrograd.render.RenderError`` where there is no Graphviz to lay out the graph, and ImportError without
    Jinja2; both come with ``pip install "micrograd[page]"``.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is 'mean' or 'sum'; got {reduction!r}")
    if not is_recording():
        raise ValueError("there is no graph to step through under no_grad()")
    if isinstance(loss, Value):
        if batch is not None or optimizer is not None:
            raise TypeError("for a batch, pass the function that builds a sample's loss; got a Value, one graph")
        samples, graphs = None, [nodes(loss)]
    else:
        samples = _samples(batch, max_samples)
        graphs = [_graph(loss, sample, k) for k, sample in enumerate(samples)]
    largest = max(map(len, graphs))
    if largest > max_nodes:
        raise ValueError(
            f"{largest} Values in one graph are too many for a page that shows at most {max_nodes};"
            " take a smaller net, or raise max_nodes"
        )
    if optimizer is None:
        leaves = dict.fromkeys([node for graph in graphs for node in graph if node.role == "parameter"])
        parameters = list(leaves)
    else:
        parameters = optimizer.parameters
    if len(parameters) > max_nodes:
        raise ValueError(
            f"{len(parameters)} parameters are too many for a table of at most {max_nodes}; take a smaller net,"
            ' or give the leaves that are no parameters another role, Value(x, role="input"); or raise max_nodes'
        )
    described = None if samples is None else [brief(sample).translate(VISIBLE) for sample in samples]
    return Page(_html(Recorder(graphs, parameters, optimizer, described), reduction))


def _samples(batch: Iterable[Any] | None, most: int) -> list[Any]:
    if batch is None:
        raise TypeError("step_through wants a batch of samples beside the loss, or else a Value; got neither")
    samples = list(batch)
    if not samples:
        raise ValueError("a batch wants one sample at least; got none")
    if len(samples) > most:
        raise ValueError(
            f"{len(samples)} samples are too many for a page that shows at most {most}; step through a smaller"
            f" batch, the first {min(most, 4)} samples say: batch[:{min(most, 4)}]; or raise max_samples"
        )
    return samples


def _graph(loss: Callable[..., Value], sample: Any, k: int) -> list[Value]:
    error = call(loss, sample)
    if not isinstance(error, Value):
        raise TypeError(f"the loss of a sample is a Value; for sample {k} of the batch, got {error!r}")
    return nodes(error)


# ---- the graph's picture ---------------------------------------------------------------------------------------------


def _pictures(run: Recorder) -> tuple[list[str], list[int]]:
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
    picture.graph_attr.update(label="", ranksep="0.12", nodesep="0.1")
    roles = {f"v{i}": _role(node, graph) for i, node in enumerate(graph)}
    return _interactive(picture.pipe("svg", encoding="utf-8"), roles)


def _role(node: Value, graph: list[Value]) -> str:
    return "loss" if node is graph[-1] and node.parents else node.role


def _room(longest: dict[str, str], place: str) -> float:
    return float(longest.get(place, "0").replace("−", "-"))


def _interactive(svg: str, roles: dict[str, str]) -> str:
    """Graphviz's SVG, with the places that steps write to marked, and what HTML does not want taken away."""
    root = ElementTree.fromstring(svg)
    group = root.find(f"{{{SVG}}}g")
    assert group is not None  # Graphviz always writes one
    width, height = (float(root.get("viewBox", "").split()[i]) for i in (2, 3))
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    # Without the transform, coordinates are the picture's own, which is easier on the script that zooms.
    del group.attrib["transform"]
    root.set("viewBox", f"-4 {4 - height:g} {width:g} {height:g}")
    root.set("role", "img")
    for child in list(group):
        if child.tag != f"{{{SVG}}}g":  # title and background
            group.remove(child)
    seen: dict[str, int] = {}
    # Their numbers are those of the source's edges, so that twins come in the order of operands.
    edges = [child for child in group if child.get("class") == "edge"]
    for child in sorted(edges, key=lambda edge: int(edge.get("id", "")[4:])):
        tail, head = (child.findtext(f"{{{SVG}}}title") or "").split("->")
        child.set("data-from", tail)
        child.set("data-to", head)
        if head[0] == "o":
            j = seen[head] = seen.get(head, -1) + 1
            for text in child.iter(f"{{{SVG}}}text"):
                text.set("data-place", f"{head}.{j}")
    for child in group:
        title = child.find(f"{{{SVG}}}title")
        if child.get("class") == "node" and title is not None:
            name = title.text or ""
            child.set("data-node", name)
            if name in roles:
                child.set("class", f"node {roles[name]}")
                *_, data, grad = texts = list(child.iter(f"{{{SVG}}}text"))
                corners = [float(pair.split(",")[0]) for pair in child[1].get("points", "").split()]
                for text in texts:
                    text.set("text-anchor", "middle")
                    text.set("x", f"{(min(corners) + max(corners)) / 2:.2f}")
                for text, what in ((data, "data"), (grad, "grad")):
                    text.set("data-place", f"{name}.{what}")
                    text.set("data-before", f"{what} ")
        if title is not None:
            child.remove(title)
    for element in root.iter():
        element.attrib.pop("id", None)  # another picture on the page has the same
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


# ---- the page --------------------------------------------------------------------------------------------------------


def _html(run: Recorder, reduction: str) -> str:
    try:
        import jinja2  # noqa: PLC0415  # an extra: import micrograd stays light
    except ImportError as cause:
        raise ImportError('a page wants Jinja2; install it with: pip install "micrograd[page]"') from cause
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("micrograd"),
        autoescape=lambda name: name == "page.html",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    pictures, picture_of = _pictures(run)
    style = templates.get_template("page.css").render(
        data=DATA, gradient=GRADIENT, roles=ROLES, columns=max(len(run.graphs) + 2, 4) if run.samples else 1
    )
    script = templates.get_template("page.js").render()
    size = len(run.graphs)
    present = {_role(node, graph) for graph in run.graphs for node in graph}
    return templates.get_template("page.html").render(
        title=f"A batch of {size} sample{'s' * (size > 1)}" if run.samples else "An expression",
        policy="; ".join(
            [
                "default-src 'none'",
                f"style-src '{_hash(style)}'",
                f"script-src '{_hash(script)}'",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
        batch=run.samples is not None,
        reduction=reduction,
        size=size,
        pictures=pictures,
        parameters=[run.names[p] for p in run.parameters],
        roles=[role for role in ROLES if role in present],
        optimizer=run.optimizer is not None,
        style=style,
        script=script,
        data=_json({"steps": [_compact(step) for step in run.steps], "pictures": picture_of}),
    )


def _compact(step: Step) -> dict[str, Any]:
    content: dict[str, Any] = {"phase": step.phase, "lines": step.lines, "writes": step.writes, "sample": step.sample}
    if step.node >= 0:
        content["node"] = step.node
    if step.mean is not None:
        content["mean"] = {"lines": step.mean.lines, "writes": step.mean.writes}
    return content


def _json(content: Any) -> str:
    """JSON that can stand in a script element, which any "</script" or "<!--" in it would end or change."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")


def _hash(text: str) -> str:
    """How a content-security policy names an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
