"""Which part of a network the nodes of a graph belong to, so that a picture can show a neuron or a layer as one box.

A *unit* is a module that holds parameters itself: a neuron. To it belong the operations on its parameters, and what
follows from its own nodes alone and leads on to another unit: s and θ(s), but not the loss. The *layer* of a unit is
the module that holds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from micrograd import ops
from micrograd.engine import Value, recording
from micrograd.graph import nodes
from micrograd.nn import ACTIVATIONS, Module, Neuron

# What becomes one box, as the most units that a layer shows one by one.
LEVELS = {"nothing": inf, "neurons": inf, "layers": 0}
DEFAULT = 8


# On the way to a unit's signal its parameters are added up; whatever else takes them is no neuron's.
LINEAR = {ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.dot}


@dataclass(eq=False)
class Part:
    """Nodes of a graph that belong together.

    Attributes:
        name: of the module within its layer, or of the layer.
        layer: the name of the module that holds it; None for what stands alone.
        units: how many units it is made of.
        parameters, operations: its nodes.
        signals: where all of a unit's parameters have come together first, one for each time that the unit is used:
            the lecture's s, whose ``grad`` is δ. None if they come together nowhere, as in a module of several units.
        inputs: what its operations take from other parts, and from what it was used for before.
        outputs: what the rest of the graph, or a later use, takes of it: the lecture's x.
    """

    name: str
    layer: str | None = None
    units: int = 1
    parameters: list[Value] = field(default_factory=list)
    operations: list[Value] = field(default_factory=list)
    signals: list[Value] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    @property
    def nodes(self) -> list[Value]:
        return self.parameters + self.operations

    def add(self, other: Part) -> None:
        self.units += other.units
        self.parameters += other.parameters
        self.operations += other.operations
        self.signals += other.signals
        self.inputs += other.inputs
        self.outputs += other.outputs


def find_parts(graph: list[Value], model: Module, level: str | None = None) -> list[Part]:
    """The parts of ``model`` that are drawn as one box each: units, or layers where these have more than 8 units.

    For "nothing" these are the units, whose layers the frames are named by. Raises ValueError if ``graph`` has no
    parameter of the model, or uses none of them as a unit does.
    """
    parts = units(graph, model)
    if not parts:
        raise ValueError(
            "draw: expected a graph that the model was used in, got one with none of its parameters; "
            "pass the loss that was computed with this model"
        )
    if not any(part.outputs for part in parts):
        raise ValueError(
            "draw: no unit of the model is at work in this graph, which is a penalty on weights or a tape; "
            "draw it without model=, or draw the graph that loss.function returns"
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
    activations: dict[Part, Callable[[Value], Value]] = {}
    for path, module in model.named_modules():
        holder = path.rpartition(".")[0]
        while holder not in parts and holder:
            holder = holder.rpartition(".")[0]
        whole = type(model).__name__
        parts[path] = Part(path[len(holder) :].lstrip("."), holder or whole) if path else Part(whole)
        part_of.update((parameter, parts[path]) for _, parameter in module.named_parameters())  # the innermost wins
        if isinstance(module, Neuron) and module.nonlin:
            activations[parts[path]] = ACTIVATIONS.get(module.activation, module.activation)  # type: ignore[arg-type]
    for node in graph:
        if node in part_of:
            part_of[node].parameters.append(node)
    uses = _claim(graph, part_of, activations)
    for node in graph:
        part = part_of.get(node)
        if part and node.role != "parameter":
            part.operations.append(node)
        for parent in dict.fromkeys(node.parents):
            giver = part_of.get(parent)
            if part is giver and uses.get(node) is uses.get(parent, uses.get(node)):
                continue  # within one use of a unit
            if part and parent not in part.inputs:
                part.inputs.append(parent)
            if giver and parent.parents and parent not in giver.outputs:
                giver.outputs.append(parent)
    if graph[-1] in part_of:
        part_of[graph[-1]].outputs.append(graph[-1])
    return [part for part in parts.values() if part.parameters]


def _claim(
    graph: list[Value], part_of: dict[Value, Part], activations: Mapping[Part, Callable[[Value], Value]]
) -> dict[Value, Value]:
    """Extend ``part_of`` from the parameters to the nodes that belong to their units, and find the units' signals.

    For two units with one weight each, e = (tanh(v · tanh(w·x)) - 1)², with p = w·x, h = tanh p, q = v·h, z = tanh q:

    1. p and q are operations on a unit's own parameters: they belong to the unit of w and the unit of v.
    2. h follows from p alone and leads on to q, so it belongs to the unit of w, as its output. z follows from q alone,
       but no unit comes after it: it may be θ or the beginning of the loss. It belongs to the unit of v if this is an
       ``nn.Neuron`` with tanh for its activation, or if tanh led on after another use of the same unit, at an earlier
       step of a recurrent network. Else it stays outside, with all that follows.
    3. A constant that one unit alone uses goes with it; the 1 is used outside.

    All of a unit's parameters have come together in its signal: p, and q. Returned is, for a signal and each node that
    follows from it in the same unit, the signal: it stands for one use of the unit.
    """
    direct, leads_on = _direct(graph, part_of)
    uses = _follow(graph, part_of, direct, leads_on)
    _activations(graph, part_of, uses, activations)
    _constants(graph, part_of)
    return uses


def _direct(graph: list[Value], part_of: dict[Value, Part]) -> tuple[dict[Value, Part], set[Value]]:
    """The operations on the parameters of one unit and on something else, and what leads on to any of them."""
    direct: dict[Value, Part] = {}
    leads_on: set[Value] = set()
    for node in reversed(graph):
        owner = _owner(node, part_of)
        if owner:
            direct[node] = owner
        if owner or node in leads_on:
            leads_on.update(node.parents)
    return direct, leads_on


def _owner(node: Value, part_of: dict[Value, Part]) -> Part | None:
    """The unit whose parameters the operation takes, if it takes something else too: if not, it is a penalty."""
    holders = [part_of.get(parent) for parent in node.parents]
    if node.op is ops.dot and node.parents:  # its inputs may be another unit's parameters, those of an embedding
        n = len(holders) // 2
        weights = {*holders[:n], *holders[2 * n :]}
        if len(weights) == 1 and {*holders[n : 2 * n]} != weights:
            holders = [*weights, None]
    owners = {holder for holder in holders if holder}
    return owners.pop() if len(owners) == 1 and None in holders else None


def _follow(
    graph: list[Value], part_of: dict[Value, Part], direct: dict[Value, Part], leads_on: set[Value]
) -> dict[Value, Value]:
    """Claim the direct operations, and what follows from a unit's nodes alone to its signal or on to another unit."""
    met: dict[Value, set[Value]] = {}  # for each operation of a unit, the parameters met since its last signal
    uses: dict[Value, Value] = {}
    for node in graph:
        operands = [parent for parent in node.parents if parent.role != "constant"]
        part = direct.get(node)
        if part is None and operands and all(p in met for p in operands):
            owners = {part_of[p] for p in operands}
            adds_up = node.op in LINEAR and any(met[p] for p in operands)
            of_one_use = len({uses.get(p) for p in operands}) == 1
            if len(owners) == 1 and (adds_up or (node in leads_on and of_one_use)):
                part = owners.pop()
        if part is None:
            continue
        part_of[node] = part
        before = [met[p] for p in operands if p in met and part_of[p] is part]
        met[node] = {p for p in operands if not p.parents and part_of.get(p) is part}.union(*before)
        if node.op not in LINEAR:
            met[node] = set()
        if len(met[node]) == len(part.parameters):
            part.signals.append(node)
            met[node] = set()
            uses[node] = node
        elif not met[node] and operands[0] in uses:
            uses[node] = uses[operands[0]]
    kept = {*direct, *uses, *leads_on}
    for node in reversed(graph):  # a sum that came to nothing, no signal and no other unit, may be part of the loss
        if node in kept:
            kept.update(node.parents)
        elif node in met:
            del part_of[node]
    return uses


def _activations(
    graph: list[Value],
    part_of: dict[Value, Part],
    uses: dict[Value, Value],
    activations: Mapping[Part, Callable[[Value], Value]],
) -> None:
    """Claim what a unit computes from its signal by its activation, or as in another use, where no unit follows."""
    numbers: dict[Any, int] = {}  # a number for each formula of a signal
    form: dict[Value, int] = {}  # that of a node
    known: set[tuple[Part, int]] = set()

    def number(node: Value) -> int:
        key = (node.op, *[form.get(p, (p.data,)) for p in node.parents])
        return numbers.setdefault(key, len(numbers))

    for node, signal in uses.items():
        form[node] = number(node) if node is not signal else -1
        known.add((part_of[node], form[node]))
        activation = activations.get(part_of[node])
        if node is signal and activation:
            twin = Value(signal.data)
            form[twin] = -1
            with recording(Value):
                result = activation(twin)
            for other in nodes(result):
                if other.parents:
                    form[other] = number(other)
                    known.add((part_of[node], form[other]))
    for node in graph:
        signals = {uses.get(parent) for parent in node.parents if parent.role != "constant"}
        of = signals.pop() if len(signals) == 1 else None
        if of is not None and node not in part_of:
            form[node] = number(node)
            if (part_of[of], form[node]) in known:
                part_of[node] = part_of[of]
                uses[node] = of


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
