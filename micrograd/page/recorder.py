"""Record what the engine computes for a batch, one step at a time: what ``page.step_through`` shows.

The sums and products are the engine's own, in its order and to its last bit; nothing is worked out again elsewhere.
A step says in words what happens and lists the numbers that it writes, as text by the name of the place they go to:
``v3.data`` and ``v3.grad`` of node 3 of the sample's graph, ``o5.1`` the local derivative of node 5 by its operand 1,
``t2.0`` what sample 0 contributes to the gradient of parameter 2, ``t2.sum``, ``t2.mean``, ``t2.old``, ``t2.new``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from micrograd import ops
from micrograd.engine import Value
from micrograd.optim import SGD, Optimizer
from micrograd.pictures.formula import SUBSCRIPTS, digits, names, write

NONE = "·"  # a number that is not there yet
ASKED = "?"  # the number that the next step brings


@dataclass
class Step:
    """One step: its phase, its sentences, and the numbers that it writes."""

    phase: str
    lines: list[str]
    writes: dict[str, str] = field(default_factory=dict)
    sample: int = -1  # none
    node: int = -1  # the node whose operation is at work
    mean: Step | None = None  # this step when the reduction is the mean; the step itself is then that of the sum


@contextmanager
def as_it_was(
    graphs: Sequence[Sequence[Value]], parameters: Sequence[Value], optimizer: Optimizer | None
) -> Iterator[None]:
    """Put back, at the end, what passes and steps change: data and gradients of all nodes, the optimizer's state."""
    before = {node: (node.data, node.grad) for graph in [*graphs, parameters] for node in graph}
    state = optimizer.state_dict() if optimizer is not None else {}
    try:
        yield
    finally:
        for node, (data, grad) in before.items():
            node.data, node.grad = data, grad
        if optimizer is not None:
            optimizer.load_state_dict(state)


class Recorder:
    """Runs the passes of a batch, given as one loss graph a sample, and keeps the ``steps``.

    Args:
        graphs: the nodes of each sample's graph, as of ``graph.nodes``.
        parameters: the rows of the table.
        optimizer: takes the last step, if there is one.
        samples: what each sample is, in words; None if there is one graph, of an expression and not of a batch.
    """

    def __init__(
        self,
        graphs: list[list[Value]],
        parameters: list[Value],
        optimizer: Optimizer | None = None,
        samples: list[str] | None = None,
    ) -> None:
        self.graphs = graphs
        self.parameters = parameters
        self.optimizer = optimizer
        self.samples = samples
        self.names = names([*graphs, parameters])
        self.row = {parameter: r for r, parameter in enumerate(parameters)}
        self.steps: list[Step] = []
        self.shares: list[dict[Value, float]] = [{} for _ in graphs]  # each sample's part of the sums
        with as_it_was(graphs, parameters, optimizer):
            self._run()

    def _run(self) -> None:
        leaves = [node for graph in [*self.graphs, self.parameters] for node in graph if not node.parents]
        self._zero(leaves)
        zeros = {f"t{r}.sum": "0" for r in self.row.values()}
        if self.samples is not None:
            count = len(self.graphs)
            line = "A new batch: zero_grad() sets the gradient of every parameter to 0."
            first = self.graphs[0]
            self._add("start", [line], {**zeros, **self._shown("data", first), **self._shown("grad", first)})
        for k, graph in enumerate(self.graphs):
            if self.samples is not None:
                lines = [f"Sample {k + 1} of {count}: {self.samples[k]}"]
                if k:
                    lines.append("A new graph, on the same parameters. Their gradients stay: the sum goes on.")
                self._add("sample", lines, self._blank(k, graph), k)
            else:
                lines = [
                    f"An expression of {len(graph)} Values. Its leaves have their data.",
                    "The gradients of its parameters start from 0.",
                ]
                self._add("start", lines, {**self._blank(k, graph), **zeros}, k)
            self._forward(k, graph)
            self._backward(k, graph)
            if self.samples is not None:
                self._so_far(k)
        if self.samples is not None:
            self._reduce(leaves)

    @staticmethod
    def _zero(leaves: list[Value]) -> None:
        for leaf in leaves:
            leaf.grad = 0.0

    def _add(self, phase: str, lines: list[str], writes: dict[str, str], sample: int = -1, node: int = -1) -> None:
        self.steps.append(Step(phase, lines, writes, sample, node))

    def _blank(self, k: int, graph: list[Value]) -> dict[str, str]:
        """What is known at the start of a sample: the data of leaves, and gradients that other samples left."""
        writes = {f"t{r}.{k}": "0" for r in self.row.values()}
        for i, node in enumerate(graph):
            writes[f"v{i}.data"] = NONE if node.parents else digits(node.data)
            writes[f"v{i}.grad"] = digits(node.grad) if node in self.row else NONE
            writes.update({f"o{i}.{j}": "" for j in range(len(node.parents))})
        return writes

    def _forward(self, k: int, graph: list[Value]) -> None:
        for i, node in enumerate(graph):
            if not node.parents:
                continue
            name = self.names[node]
            formula = write(node.op, [self.names[p] for p in node.parents])
            numbers = write(node.op, [digits(p.data) for p in node.parents])
            sentence = " = ".join(dict.fromkeys([name, formula, numbers]))  # of constants alone, they are the same
            self._add("forward", [f"{sentence} = {ASKED}"], {f"v{i}.data": ASKED}, k, i)
            result = digits(node.data)
            writes = {f"v{i}.data": result}
            if node is graph[-1]:
                writes[f"te.{k}"] = result
            self._add("forward", [f"{sentence} = {result}"], writes, k, i)

    def _backward(self, k: int, graph: list[Value]) -> None:
        """One pass of ``Value.backward``, stopped after each node; a test holds the two to the same bits."""
        root, place = graph[-1], {node: i for i, node in enumerate(graph)}
        own = self.shares[k]
        results = [node for node in graph if node.parents]

        def grads(changed: Iterable[Value]) -> dict[str, str]:
            writes = {f"v{place[p]}.grad": digits(p.grad) for p in changed}
            for p in changed:
                if p in self.row:
                    writes[f"t{self.row[p]}.{k}"], writes[f"t{self.row[p]}.sum"] = digits(own[p]), digits(p.grad)
            return writes

        for node in results:
            node.grad = 0.0
        root.grad += 1.0
        own[root] = 1.0
        writes = {f"v{i}.grad": digits(node.grad) for i, node in enumerate(graph)}
        e = self.names[root]
        line = f"∂{e}/∂{e} = 1. The backward pass begins at {e}; the gradients of all results before it start from 0."
        self._add("seed", [line], {**writes, **grads([root])}, k, place[root])
        for node in reversed(results):
            i, delta = place[node], node.grad
            lines = [f"δ = {self.names[node]}.grad = {digits(delta)}"] if node.op is ops.dot else []
            slopes = {f"o{i}.{j}": digits(slope) for j, slope in enumerate(node.partials)}
            changed = dict.fromkeys(node.parents)
            if not node.partials:
                before = {p: p.grad for p in changed}
                node._backward()
                for p, old in before.items():
                    own[p] = own.get(p, 0.0) + p.grad - old
                    lines.append(f"{self.names[p]}.grad: {digits(old)} → {digits(p.grad)}, by a rule made by hand")
            elif not delta:
                lines = [f"{self.names[node]}.grad = 0: from here nothing flows back."]
                changed = {}
            else:
                for j, (p, slope) in enumerate(zip(node.parents, node.partials)):
                    old = p.grad
                    p.grad += delta * slope
                    own[p] = own.get(p, 0.0) + delta * slope
                    if p.role != "constant":
                        lines.append(self._sentence(node, j, delta, slope, old))
            self._add("backward", lines, {**slopes, **grads(changed)}, k, i)

    def _sentence(self, node: Value, j: int, delta: float, slope: float, old: float) -> str:
        """What an operand's gradient grows by; and, where something is there or will be, old + share = new."""
        p, name = node.parents[j], self.names[node]
        n = len(node.parents) // 2
        if node.op is not ops.dot:
            product = f"{name}.grad · ∂{name}/∂{self.names[p]}"
        elif j == 2 * n:
            product = "δ · 1"
        else:
            product = f"δ·{self.names[node.parents[j + n if j < n else j - n]]}"
        numbers = write(ops.mul, [digits(delta), digits(slope)])
        share = digits(delta * slope)
        grows = f"{self.names[p]}.grad += {product} = {numbers} = {share}"
        if p not in self.row and not old:
            return grows
        return f"{grows}, so {write(ops.add, [digits(old), share])} = {digits(p.grad)}"

    def _so_far(self, k: int) -> None:
        """What the parameters hold when a sample is done."""
        held = " + ".join([f"∇e{i + 1}".translate(SUBSCRIPTS) for i in range(k + 1)])
        if k > 3:
            held = f"∇e₁ + … + {held.rpartition(' ')[2]}"
        many = ", the sum of the samples so far" if k else ", the gradient of sample 1 alone"
        lines = [f"After sample {k + 1} of {len(self.graphs)} the parameters hold {held}{many}."]
        writes = {f"t{r}.sum": digits(p.grad) for p, r in self.row.items()}
        first = next((p for p in self.parameters if p in self.shares[k]), None)
        if k and first is not None:
            before = digits(sum([share.get(first, 0.0) for share in self.shares[:k]]))
            total = write(ops.add, [before, digits(self.shares[k][first])])
            lines.append(
                f"{self.names[first]}.grad = {total} = {digits(first.grad)}, and so on for each row of the table."
            )
        self._add("sum", lines, writes, k)

    # ---- the batch as a whole: once with the sum, once with the mean -------------------------------------------------

    def _reduce(self, leaves: list[Value]) -> None:
        size = len(self.graphs)
        total = sum([graph[-1].data for graph in self.graphs])
        errors = {"te.sum": digits(total), "te.mean": digits(total * (1 / size))}
        result = "∇e = " + " + ".join([f"∇e{k}" for k in "₁₂₃₄"[:size]]) + " + …" * (size > 4)
        steps: list[list[Step]] = []
        for reduction, share in (("sum", 1.0), ("mean", 1 / size)):
            self._zero(leaves)
            for graph in self.graphs:
                graph[-1].backward(share)
            means = {f"t{r}.mean": digits(p.grad) for p, r in self.row.items()} if reduction == "mean" else {}
            writes = {**errors, **means, **self._shown("grad", self.graphs[-1])}
            if reduction == "sum":
                line = f"{result}: the sum over the {size} samples is the gradient of the batch."
            else:
                line = f"The mean is the sum divided by B = {size}: the same direction, shorter by a factor of {size}."
            steps.append([Step("batch", [line], writes)])
            if self.optimizer is not None:
                steps[-1].append(self._step(self.optimizer, reduction))
        for one, other in zip(*steps):
            if one.phase == "batch":  # the column of means is filled whichever reduction is chosen
                one.writes = {**other.writes, **one.writes}
            one.mean = other
            self.steps.append(one)

    def _shown(self, attribute: str, graph: list[Value]) -> dict[str, str]:
        """The parameters' data or gradients, as a graph shows them."""
        return {f"v{i}.{attribute}": digits(getattr(p, attribute)) for i, p in enumerate(graph) if p in self.row}

    def _step(self, optimizer: Optimizer, reduction: str) -> Step:
        old = [p.data for p in self.parameters]
        with as_it_was([], self.parameters, optimizer):
            optimizer.step()
            writes = self._shown("data", self.graphs[-1])
            for r, (p, before) in enumerate(zip(self.parameters, old)):
                writes[f"t{r}.old"], writes[f"t{r}.new"] = digits(before), digits(p.data)
            first = self.parameters[0]
            name, new = self.names[first], digits(first.data)
        if type(optimizer) is SGD and not optimizer.momentum and not optimizer.weight_decay:
            numbers = write(ops.mul, [digits(optimizer.lr), digits(first.grad)])
            lines = [
                f"w ← w − η · {reduction}, with η = {digits(optimizer.lr)}, for every parameter, once a batch.",
                f"{name} ← {digits(old[0])} − {numbers} = {new}",
            ]
        else:
            kind = type(optimizer).__name__
            lines = [
                f"{kind}.step() changes every parameter by the {reduction}, once a batch.",
                f"{name}: {digits(old[0])} → {new}",
            ]
        lines.append("The table has them all, old and new side by side.")
        return Step("optimizer step", lines, writes)
