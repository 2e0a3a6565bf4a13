"""Which part of a network the nodes of a graph belong to, so that a picture can show a neuron or a layer as one box.

A *unit* is a module that holds parameters itself: a neuron. To it belong the operations on its parameters, and what
follows from its own nodes alone and leads on to another unit: s and θ(s), but not the loss. The *layer* of a unit is
the module that holds it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from micrograd.engine import Value

if TYPE_CHECKING:
    from micrograd.nn import Module

# What becomes one box, as the most units that a layer shows one by one.
LEVELS = {"nothing": inf, "neurons": inf, "layers": 0}
DEFAULT = 16


@dataclass(eq=False)
class Part:
    """Nodes of a graph that belong together.

    Attributes:
        name: of the module within its layer, or of the layer.
        layer: the name of the module that holds it; None for what stands alone.
        units: how many units it is made of.
        parameters, operations: its nodes.
        signals: where all of a unit's parameters have come together first: the lecture's s, whose ``grad`` is δ.
        outputs: what the rest of the graph uses of it: the lecture's x.
    """

    name: str
    layer: str | None = None
    units: int = 1
    parameters: list[Value] = field(default_factory=list)
    operations: list[Value] = field(default_factory=list)
    signals: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    @property
    def nodes(self) -> list[Value]:
        return self.parameters + self.operations

    def add(self, other: Part) -> None:
        self.units += other.units
        self.parameters += other.parameters
        self.operations += other.operations
        self.signals += other.signals
        self.outputs += other.outputs


def find_parts(graph: list[Value], model: Module, level: str | None = None) -> list[Part]:
    """The parts of ``model`` to be drawn as one box each; by default units, or layers of more than 16 of them.

    Of "nothing", these are the units, for their layers' names. ValueError if ``graph`` has no parameter of the model,
    or uses none of them as a unit does.
    """
    parts = units(graph, model)
    if not parts:
        raise ValueError("none of the model's parameters is in this graph")
    if not any(part.outputs for part in parts):
        raise ValueError(
            "no unit of the model is at work in this graph: it is a penalty on weights or a tape; "
            "draw it without model=, or call loss.function"
        )
    widest = LEVELS[level] if level else DEFAULT
    inputs = [node for node in graph if node.role == "input"]
    if len(inputs) > max(1, widest):
        parts.insert(0, Part(f"{len(inputs)} inputs", units=0, operations=inputs, outputs=inputs))
    return layers(parts, widest)


def units(graph: list[Value], model: Module) -> list[Part]:
    """The units of ``model`` that ``graph``, in topological order, makes use of, in the order of the model."""
    parts: dict[str, Part] = {}
    part_of: dict[Value, Part] = {}
    for path, module in model.named_modules():
        holder = path.rpartition(".")[0]
        while holder not in parts and holder:
            holder = holder.rpartition(".")[0]
        whole = type(model).__name__
        parts[path] = Part(path[len(holder) :].lstrip("."), holder or whole) if path else Part(whole)
        part_of.update((parameter, parts[path]) for _, parameter in module.named_parameters())  # the innermost wins
    for node in graph:
        if node in part_of:
            part_of[node].parameters.append(node)
    _claim(graph, part_of)
    for node in graph:
        if node in part_of and node.role != "parameter":
            part_of[node].operations.append(node)
        for parent in dict.fromkeys(node.parents):
            part = part_of.get(parent)
            if part and parent.parents and part is not part_of.get(node) and parent not in part.outputs:
                part.outputs.append(parent)
    if graph[-1] in part_of:
        part_of[graph[-1]].outputs.append(graph[-1])
    return [part for part in parts.values() if part.parameters]


def _claim(graph: list[Value], part_of: dict[Value, Part]) -> None:
    """Extend ``part_of`` from the parameters to the nodes that belong to their units, and find the units' signals.

    For two units with one weight each, e = (tanh(v · tanh(w·x)) - 1)², with p = w·x, h = tanh p, q = v·h, z = tanh q:

    1. p and q are operations on a unit's own parameters: they belong to the unit of w and the unit of v.
    2. h follows from p alone and leads on to q, so it belongs to the unit of w, as its output. z follows from q alone,
       but no unit comes after it: it may be θ or the beginning of the loss, and stays outside, with all that follows.
    3. A constant that one unit alone uses goes with it; the 1 is used outside.

    All of a unit's parameters have come together in its signal: p, and q.
    """
    direct, leads_on = _direct(graph, part_of)
    _follow(graph, part_of, direct, leads_on)
    _constants(graph, part_of)


def _direct(graph: list[Value], part_of: dict[Value, Part]) -> tuple[dict[Value, Part], set[Value]]:
    """The operations on the parameters of one unit and on something else, and what leads on to any of them."""
    direct: dict[Value, Part] = {}
    leads_on: set[Value] = set()
    for node in reversed(graph):
        owners = {part_of[parent] for parent in node.parents if parent in part_of}
        if len(owners) == 1 and not all(parent in part_of for parent in node.parents):  # all, in a penalty on weights
            direct[node] = owners.pop()
        if node in direct or node in leads_on:
            leads_on.update(node.parents)
    return direct, leads_on


def _follow(graph: list[Value], part_of: dict[Value, Part], direct: dict[Value, Part], leads_on: set[Value]) -> None:
    """Claim the direct operations, and what follows from a unit's nodes alone to its signal or on to another unit."""
    met: dict[Value, set[Value]] = {}  # for each operation of a unit, the parameters met since its last signal
    for node in graph:
        operands = [parent for parent in node.parents if parent.role != "constant"]
        part = direct.get(node)
        if part is None and operands and all(p in met for p in operands):
            owners = {part_of[p] for p in operands}
            if len(owners) == 1 and (node in leads_on or any(met[p] for p in operands)):
                part = owners.pop()
        if part is not None:
            part_of[node] = part
            before = [met[p] for p in operands if p in met and part_of[p] is part]
            met[node] = {p for p in operands if not p.parents and part_of.get(p) is part}.union(*before)
            if len(met[node]) == len(part.parameters):
                part.signals.append(node)
                met[node] = set()


def _constants(graph: list[Value], part_of: dict[Value, Part]) -> None:
    """Claim the constants that one unit alone uses."""
    users: dict[Value, set[Part | None]] = {}
    for node in graph:
        for parent in node.parents:
            if parent.role == "constant":
                users.setdefault(parent, set()).add(part_of.get(node))
    part_of.update((leaf, part) for leaf, parts in users.items() for part in parts if part and len(parts) == 1)


def layers(parts: list[Part], widest: float) -> list[Part]:
    """The parts, with those of each layer that has more than ``widest`` of them put together."""
    width = Counter(part.layer for part in parts)
    whole: dict[str, Part] = {}
    for part in parts:
        if part.layer and width[part.layer] > widest:
            whole.setdefault(part.layer, Part(part.layer, units=0)).add(part)
    alone = [part for part in parts if part.layer not in whole]
    return [*alone, *whole.values()]
