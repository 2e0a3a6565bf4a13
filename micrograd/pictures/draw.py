"""Pictures of a graph, from its leaves to its root: Values are boxes, operations the ellipses between them.

>>> from micrograd import Value
>>> a = Value(3.0, label="a")
>>> picture = draw(a * a)             # in a notebook it shows itself
>>> picture.source.count("v0 -> o1")  # both edges of a*a
2

``draw(loss, model=model)`` shows a network: a box for each neuron, or for a whole layer if it is wide.
``picture.save("graph.svg")`` or ``picture.save("graph.png")`` writes a file; ``picture.source`` is the text for
Graphviz, with the same bytes whenever the same graph is drawn.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.graph import nodes
from micrograd.nn import Module
from micrograd.pictures.collapse import LEVELS, Part, find_parts
from micrograd.pictures.formula import described, input_names, part_name, require_count, symbols
from micrograd.pictures.palette import DATA, GRADIENT
from micrograd.pictures.source import RANKDIRS, Box, Operands, digits, independent, picture_of, shape_of

if TYPE_CHECKING:
    from micrograd.pictures.render import Picture

__all__ = ["draw"]


def draw(
    root: Value,
    expand: bool = False,
    rankdir: str | None = None,
    derivatives: bool = False,
    max_nodes: int = 500,
    stacked: bool | None = None,
    model: Module | None = None,
    collapse: str | None = None,
) -> Picture:
    """The graph that ``root`` was computed by, as a ``graphviz.Digraph`` that shows itself in a notebook.

    A box has a Value's label, or the lecture's symbol for the parameters, signals and outputs of an ``nn.MLP``; its
    data and its grad to four significant digits; and the colour of its role. An ellipse has an operation's symbol.

    >>> w, x = Value(2.0, label="w"), Value(3.0, label="x", role="input")
    >>> loss = (w * x - 5) ** 2
    >>> loss.backward()
    >>> picture = draw(loss, derivatives=True)  # a notebook shows it
    >>> picture.source.splitlines()[0]
    'digraph {'

    Args:
        root: usually a loss; a call of ``root.backward()`` beforehand fills in the gradients.
        expand: draw each ``dot`` as products and sums; the gradient of each of these is that of the ``dot``.
        rankdir: where the edges lead: "LR" is left to right, "TB" top to bottom; also "RL" and "BT". If not given,
            it is "LR", or "TB" where that is less wide and "LR" is too wide for a page.
        derivatives: write on each edge from an operand the local derivative, as it was when the graph was recorded.
        max_nodes: the most boxes to draw; ValueError if there are more.
        stacked: put a box's texts below each other, for a picture less wide, or side by side. If not given, they stand
            side by side where a page has room for it.
        model: the network in the graph. Its layers are framed; each neuron is one box, with its input signal s,
            δ = ∂root/∂s and, after an activation, its output x; a layer of more than 8 neurons is one box. What is
            used several times, as in a recurrent network, shows the ranges of its numbers over all uses.
        collapse: "neurons" draws each neuron as a box, "layers" each layer, whatever their number; "nothing" draws the
            whole graph with frames around the layers. It needs ``model``.

    Raises TypeError or ValueError for arguments that do not fit, one line that says what to write. ``save``, ``pipe``,
    ``render`` and ``view`` of the picture raise ``micrograd.pictures.render.RenderError`` where there is no Graphviz,
    with the command that installs one.
    """
    _check_arguments(root, expand, rankdir, derivatives, max_nodes, stacked, model, collapse)
    graph = nodes(root)
    parts = [] if model is None else find_parts(graph, model, collapse)
    whole = model is not None and collapse != "nothing"
    if whole and expand:
        raise ValueError('a neuron that is drawn as one box shows no dot to expand; add collapse="nothing"')
    count = len(graph) - whole * sum([len(part.nodes) - 1 for part in parts])
    if expand:  # n products and as many sums, or one less without a bias, in place of one node
        count += sum([len(node.parents) - 2 for node in graph if node.op is ops.dot and node.parents])
    if count > max_nodes:
        advice = "draw one neuron, a smaller net or one sample" + ", or leave out expand" * expand
        advice += ", or show each neuron or layer as one box with model=" * (not whole)
        raise ValueError(f"a picture shows at most {max_nodes} Values, got {count}; {advice}, or raise max_nodes")
    paths = {} if model is None else {parameter: path for path, parameter in model.named_parameters()}
    names = symbols(graph, paths)
    if model is not None:
        names |= input_names(graph, names)
    boxes = _whole(graph, parts, names) if whole else _boxes(graph, expand, parts, names)
    frames = _frames(parts)
    for name in list(frames) if whole else []:  # units that take each other's outputs stand in no one column
        units = [i for i, box in enumerate(boxes) if box.frame == name]
        if not independent(units, boxes):
            del frames[name]
            boxes = [box._replace(frame=None) if box.frame == name else box for box in boxes]
    return picture_of(boxes, frames, derivatives, *shape_of(boxes, rankdir, stacked))


def _check_arguments(
    root: Any,
    expand: Any,
    rankdir: Any,
    derivatives: Any,
    max_nodes: Any,
    stacked: Any,
    model: Any,
    collapse: Any,
) -> None:
    """Raise for what is no argument of ``draw``, and say what to write."""
    if not isinstance(root, Value):
        write = "; write draw(loss, model=model)" * isinstance(root, Module)
        write += "; draw one of its Values" * isinstance(root, (list, tuple))
        raise TypeError(f"draw: expected a Value, the root of a graph, got {described(root)}{write}")
    for name, flag in (("expand", expand), ("derivatives", derivatives), ("stacked", stacked)):
        if not isinstance(flag, bool) and not (name == "stacked" and flag is None):
            write = "; write draw(loss, model=model)" * isinstance(flag, Module)
            raise TypeError(f"draw: {name} must be True or False, got {described(flag)}{write}")
    if rankdir is not None and rankdir not in RANKDIRS:
        raise ValueError(f"draw: rankdir must be one of {', '.join(RANKDIRS)}, got {rankdir!r}")
    require_count("draw", "max_nodes", max_nodes)
    if model is not None and not isinstance(model, Module):
        raise TypeError(f"draw: model must be an nn.Module, got {described(model)}")
    if collapse is not None and collapse not in LEVELS:
        raise ValueError(f"draw: collapse must be one of {', '.join(LEVELS)}, got {collapse!r}")
    if collapse is not None and model is None:
        raise ValueError(f"draw: collapse needs the network too; write draw(loss, model=model, collapse={collapse!r})")


def _boxes(graph: list[Value], expand: bool, parts: list[Part], names: dict[Value, str]) -> list[Box]:
    """A box for each Value."""
    boxes: list[Box] = []
    place: dict[Value, int] = {}
    frames = {node: part.layer for part in parts for node in part.nodes}
    for node in graph:
        operands: Operands = list(zip_longest([place[parent] for parent in node.parents], node.partials))
        symbol: str | None = node.op.symbol
        start = len(boxes)
        if expand and node.op is ops.dot and operands:
            symbol, operands = _chop(node, operands, boxes)
        boxes.append(Box(_cells(names.get(node, ""), node.data, node.grad), role_in(node, graph), symbol, operands))
        boxes[start:] = [box._replace(frame=frames.get(node)) for box in boxes[start:]]
        place[node] = len(boxes) - 1
    return boxes


def _whole(graph: list[Value], parts: list[Part], names: dict[Value, str]) -> list[Box]:
    """A box for each part, in the order of the model, then one for each Value that is in none."""
    boxes = [Box(_summary(part), "hidden" if part.parameters else "input", None, [], part.layer) for part in parts]
    place: dict[Value, int] = {node: i for i, part in enumerate(parts) for node in part.nodes}
    for node in graph:
        if node not in place:
            place[node] = len(boxes)
            operands: Operands = list(zip_longest([place[parent] for parent in node.parents], node.partials))
            cells = _cells(names.get(node, ""), node.data, node.grad)
            boxes.append(Box(cells, role_in(node, graph), node.op.symbol, operands))
    takes = [list(dict.fromkeys([place[node] for node in part.inputs])) for part in parts]
    takes += [[operand for operand, _ in box.operands] for box in boxes[len(parts) :]]
    begins: dict[int, int] = {}  # for each box, where in the graph it is at work, or taken, first
    for i, node in enumerate(graph):
        of = [node, *node.parents] if node.parents or place[node] >= len(parts) else []
        for one in of:
            begins.setdefault(place[one], i)
    follows: dict[int, set[int]] = {}
    for i, several in enumerate(takes):
        for j in several:
            follows.setdefault(j, set()).add(i)
    for i, part in enumerate(parts):
        beside = {j for j, other in enumerate(parts) if part.layer and other.layer == part.layer}
        back = [j for j in takes[i] if (begins[j] >= begins[i] or j in beside) and _leads_to(i, j, follows)]
        operands = [(j, None) for j in takes[i] if j not in back]
        boxes[i] = boxes[i]._replace(operands=operands, recurrent=tuple(back))
    return boxes


def _leads_to(start: int, goal: int, follows: dict[int, set[int]]) -> bool:
    seen, met = {start}, [start]
    while met:
        after = follows.get(met.pop(), set()) - seen
        seen |= after
        met += after
    return goal in seen


def _frames(parts: list[Part]) -> dict[str, str]:
    """For each layer whose units are shown one by one, its name and size."""
    layers: dict[str, list[Part]] = {}
    for part in parts:
        if part.layer is not None:
            layers.setdefault(part.layer, []).append(part)
    return {name: f"{part_name(name)}\n{_size(units)}" for name, units in layers.items()}


def _size(units: list[Part]) -> str:
    """How many units and parameters there are, and how many times they are used if it is not once."""
    count = sum([part.units for part in units])
    uses = max([len(part.signals) // part.units for part in units])
    size = f"{count} unit{'s' * (count != 1)}, {sum([len(part.parameters) for part in units])} parameters"
    return size + f", used {uses} times" * (uses > 1)


def role_in(node: Value, graph: list[Value]) -> str:
    """The role of a node in the picture of its graph."""
    return "loss" if node is graph[-1] and node.parents else node.role


def _cells(label: str, data: float, grad: float) -> list[tuple[str, str | None]]:
    named: list[tuple[str, str | None]] = [(label, None)] if label else []
    return [*named, (f"data {digits(data)}", DATA), (f"grad {digits(grad)}", GRADIENT)]


def _summary(part: Part) -> list[tuple[str, str | None]]:
    """What a part shows of itself: s, δ and x of a neuron; of a layer, or of several uses, the ranges they are in.

    A neuron without an activation has no x apart from s. What follows it, an activation too, is in other boxes.
    """
    cells: list[tuple[str, str | None]] = [(part_name(part.name), None)]
    if not part.layer and part.parameters:
        cells.append((_size([part]), None))
    if part.signals:
        cells.append((f"s {_range([s.data for s in part.signals])}", DATA))
        cells.append((f"δ {_range([s.grad for s in part.signals])}", GRADIENT))
    if {*part.outputs} - {*part.signals}:
        cells.append((f"x {_range([x.data for x in part.outputs])}", DATA))
    return cells


def _range(numbers: list[float]) -> str:
    low, high = digits(min(numbers)), digits(max(numbers))
    return low if low == high else f"{low} … {high}"


def _chop(node: Value, operands: Operands, boxes: list[Box]) -> tuple[str | None, Operands]:
    """Add the products and partial sums of a ``dot`` to ``boxes``; return the operation that gives its own box."""
    n = len(operands) // 2
    # The derivative by each factor of a product is the other one, as it was when the graph was recorded.
    products = [w * x for w, x in zip(node.partials[:n], node.partials[n:])]
    for i, product in enumerate(products):
        boxes.append(Box(_cells("", product, node.grad), "hidden", "*", [operands[i], operands[n + i]]))
        if i:
            terms: Operands = [(len(boxes) - 2, 1.0), (len(boxes) - 1, 1.0)]
            boxes.append(Box(_cells("", sum(products[: i + 1]), node.grad), "hidden", "+", terms))
    if len(operands) > 2 * n:
        return "+", [(len(boxes) - 1, 1.0), operands[-1]]
    last = boxes.pop()
    return last.symbol, last.operands
