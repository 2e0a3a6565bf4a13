"""Why a node has its gradient: every path from it to the loss, and the local derivatives along each.

>>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
>>> loss = a * b + a**2
>>> loss.backward()
>>> print(explain(a, loss))
a.grad = ∂e/∂a = 1, the sum over 2 paths:
  a → z₁ → e    ∂e/∂z₁ · ∂z₁/∂a = 1 · (−3) = −3
  a → z₂ → e    ∂e/∂z₂ · ∂z₂/∂a = 1 · 4 = 4
  sum           −3 + 4 = 1
where z₁ = a·b, e = z₁ + z₂, z₂ = a²
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, prod

from micrograd.engine import Value
from micrograd.graph import nodes
from micrograd.higher import gradients
from micrograd.pictures.formula import SUBSCRIPTS, described, digits, latex, names, require_count, write

__all__ = ["Explanation", "Term", "explain"]

MAX_LENGTH = 12  # edges of a path that is written out


@dataclass(frozen=True)
class Term:
    """One term of the sum: the product of the local derivatives along a path from the node to the root.

    >>> a = Value(3.0, label="a")
    >>> [term.factors for term in explain(a, 2 * a + a * a).terms]   # 2 + a + a
    [(1.0, 2.0), (1.0, 3.0), (1.0, 3.0)]

    Attributes:
        path: the node, then the results that follow; with a gap before the root if ``whole`` is False.
        factors: as in the chain rule, from the root to the node. Where there is a gap, the first factor is the gradient
            of the first result, over all paths from it.
        whole: whether the path is complete.
        twin: where the node is several operands of the first result, which of them, from 1; else 0.
    """

    path: tuple[Value, ...]
    factors: tuple[float, ...]
    whole: bool
    twin: int

    @property
    def product(self) -> float:
        return prod(self.factors)


@dataclass(frozen=True)
class Explanation:
    """The gradient of a node as the sum of its ``terms``: ``str()`` is the text, ``latex()`` the formula.

    A notebook shows the formula. Terms after the ``most`` largest are added up in one line; ``total`` has them all.

    >>> a = Value(3.0, label="a")
    >>> explanation = explain(a, a * a)
    >>> explanation.paths, explanation.total
    (2, 6.0)
    """

    node: Value
    roots: tuple[Value, ...]
    terms: tuple[Term, ...]
    paths: int
    names: dict[Value, str]
    most: int

    @property
    def total(self) -> float:
        return fsum([term.product for term in self.terms])

    def __str__(self) -> str:
        node = self.names[self.node]
        head = f"{node}.grad = ∂{self._root()}/∂{node} = {digits(self.total)}"
        if not self.terms:
            return f"{head}: {self._root()} does not depend on {node}"
        whole = all(term.whole for term in self.terms)
        what = (
            _count(self.paths, "path")
            if whole
            else _count(len(self.terms), "use") + f" on {_count(self.paths, 'path')}"
        )
        shown, rest = self._split()
        rows = [(self._path(term), f"{self._symbols(term)} = {self._numbers(term)}") for term in shown]
        if rest:
            rows.append(("…", f"{_count(len(rest), 'smaller term')}, together {digits(_sum(rest))}"))
        if len(self.terms) > 1:
            parts = [digits(term.product) for term in shown] + [digits(_sum(rest))] * bool(rest)
            rows.append(("sum", f"{_write_sum(parts)} = {digits(self.total)}"))
        width = max([len(left) for left, _ in rows])
        lines = [
            f"{head}, {'the sum over' if len(self.terms) > 1 else 'along'} {what}:",
            *[f"  {left:{width}}    {right}" for left, right in rows],
        ]
        return "\n".join([*lines, *self._where(shown), *self._doubt()])

    __repr__ = __str__  # at the prompt

    def latex(self) -> str:
        """The same in LaTeX's mathematics, a line for each term."""
        node = latex(self.names[self.node])
        shown, rest = self._split()
        lines = []
        for i, term in enumerate(shown):
            symbols = r" \cdot ".join(
                [rf"\frac{{\partial {latex(u)}}}{{\partial {latex(v)}}}" for u, v in self._steps(term)]
            )
            numbers = r" \cdot ".join(_parenthesised([latex(digits(x)) for x in term.factors], "-"))
            product = "" if len(term.factors) == 1 else f" = {latex(digits(term.product))}"
            lines.append(f"&{'+' if i else '='} {symbols} && = {numbers}{product}")
        if rest:
            lines.append(rf"&+ \cdots && = {latex(digits(_sum(rest)))}")
        if len(lines) != 1:
            lines.append(f"&= {latex(digits(self.total))}")
        body = " \\\\\n".join(lines)
        root = (
            latex(self._root())
            if len(self.roots) == 1
            else rf"({' + '.join([latex(self.names[r]) for r in self.roots])})"
        )
        return f"\\begin{{aligned}}\n\\frac{{\\partial {root}}}{{\\partial {node}}} {body}\n\\end{{aligned}}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def _split(self) -> tuple[list[Term], list[Term]]:
        """The largest terms, in the order of the graph, and the rest."""
        order = sorted(range(len(self.terms)), key=lambda i: -abs(self.terms[i].product))
        largest = set(order[: self.most])
        return [self.terms[i] for i in sorted(largest)], [self.terms[i] for i in order[self.most :]]

    def _root(self) -> str:
        called = [self.names[root] for root in self.roots]
        if len(called) == 1:
            return called[0]
        return f"({' + '.join(called if len(called) <= 4 else [*called[:2], '…', called[-1]])})"

    def _path(self, term: Term) -> str:
        called = [self.names[node] for node in term.path]
        if not term.whole:
            called.insert(-1, "…")
        return " → ".join(called) + f" (operand {term.twin})" * (term.twin > 0)

    def _steps(self, term: Term) -> list[tuple[str, str]]:
        """Of what by what each factor is the derivative."""
        called = [self.names[node] for node in reversed(term.path)]
        if len(called) == 1:
            return [(called[0], called[0])]
        return list(pairwise(called))

    def _symbols(self, term: Term) -> str:
        return " · ".join([f"∂{u}/∂{v}" for u, v in self._steps(term)])

    def _numbers(self, term: Term) -> str:
        factors = [digits(x) for x in term.factors]
        if len(factors) == 1:
            return factors[0]
        return f"{' · '.join(_parenthesised(factors, '−'))} = {digits(term.product)}"

    def _where(self, shown: list[Term]) -> Iterator[str]:
        results = dict.fromkeys([node for term in shown for node in term.path if node.parents])
        short = [node for node in results if len(node.parents) <= 9]
        formulas = dict.fromkeys(
            [f"{self.names[n]} = {write(n.op, [self.names[p] for p in n.parents])}" for n in short]
        )
        if formulas:
            yield "where " + ", ".join([*formulas][:MAX_LENGTH]) + ", …" * (len(formulas) > MAX_LENGTH)

    def _doubt(self) -> Iterator[str]:
        """A line for a ``grad`` that is not the total: no pass was run, or it holds those of other passes too."""
        grad, size = self.node.grad, len(self.roots)
        close = 1e-9 * fsum([abs(term.product) for term in self.terms])
        if abs(grad - self.total) <= close:
            return
        why = ": other passes are in it" if grad else ": backward() was not called, or its gradient was set to 0"
        if size > 1 and abs(grad * size - self.total) <= close:
            why = f", the mean over the {size}"
        yield f"but {self.names[self.node]}.grad is {digits(grad)}{why}"


def explain(node: Value, *roots: Value, max_terms: int = 16) -> Explanation:
    """Say why ``node`` has its gradient: each path to the root, its local derivatives, their product, and the sum.

    Where paths are more than ``max_terms`` or long, there is a term for each use of the node instead: the gradient of
    the result, over all paths that go on from it, times the local derivative.

    >>> w, x = Value(2.0, label="w"), Value(3.0, label="x")
    >>> error = (w * x) ** 2
    >>> error.backward()
    >>> print(explain(w, error))
    w.grad = ∂e/∂w = 36, along 1 path:
      w → z₁ → e    ∂e/∂z₁ · ∂z₁/∂w = 12 · 3 = 36
    where z₁ = w·x, e = z₁²

    Args:
        node: any node of the graph.
        roots: what ``backward()`` was called on: a loss, or for the sum over a batch, the loss of each sample. A node
            does not know what was computed from it, so its losses must be named.
        max_terms: the most terms to write; the text says what the rest of them sum to.

    Raises TypeError or ValueError for arguments that do not fit, and for nodes made by hand.
    """
    for value in (node, *roots):
        if not isinstance(value, Value):
            write = "; for several losses, write explain(node, *losses)" * isinstance(value, (list, tuple))
            raise TypeError(f"explain: expected Values, got {described(value)}{write}")
    if not roots:
        raise TypeError("explain: expected a node and its loss, got the node alone; write explain(node, loss)")
    require_count("explain", "max_terms", max_terms)
    graphs = [nodes(root) for root in roots]
    called = names(graphs)
    if node not in called and node.parents and {*roots} & {*nodes(node)}:
        raise ValueError("explain: the first argument was computed from the second; write explain(node, loss)")
    if node not in called:
        called |= names([[node]])
    if len(roots) > 1:
        for k, root in enumerate(roots, start=1):
            if not root.label:
                called[root] = f"e{k}".translate(SUBSCRIPTS)
    terms: list[Term] = []
    paths = 0
    for root, graph in zip(roots, graphs):
        found, count = _terms(node, root, graph, max_terms)
        terms += found
        paths += count
    return Explanation(node, roots, tuple(terms), paths, called, max_terms)


def _terms(node: Value, root: Value, graph: list[Value], most: int) -> tuple[list[Term], int]:
    """The terms that one root brings, and the number of paths to it."""
    if node is root:
        return [Term((node,), (1.0,), whole=True, twin=0)], 1
    uses: dict[Value, list[tuple[Value, int]]] = {}
    above = {node}  # what depends on the node
    for result in graph:
        for j, operand in enumerate(result.parents):
            if operand in above:
                above.add(result)
                uses.setdefault(operand, []).append((result, j))
    for result in above:
        if result.parents and not result.partials and result is not node:
            raise ValueError(f"explain: {result!r} was made by hand and has no local derivatives; define a primitive")
    ways, length = {root: 1}, {root: 0}
    for step in reversed([step for step in graph if step in uses]):
        ways[step] = sum([ways[result] for result, _ in uses[step]])
        length[step] = 1 + max([length[result] for result, _ in uses[step]])
    if node not in uses:
        return [], 0
    if ways[node] <= most and length[node] <= MAX_LENGTH:
        return list(_all_paths(node, root, uses)), ways[node]
    results = list(dict.fromkeys([result for result, _ in uses[node]]))
    onward = dict(zip(results, [slope.data for slope in gradients(root, results)]))
    terms = []
    for result, j in uses[node]:
        twin = j + 1 if result.parents.count(node) > 1 else 0
        if result is root:
            terms.append(Term((node, root), (result.partials[j],), whole=True, twin=twin))
        else:
            terms.append(Term((node, result, root), (onward[result], result.partials[j]), whole=False, twin=twin))
    return terms, ways[node]


def _all_paths(node: Value, root: Value, uses: dict[Value, list[tuple[Value, int]]]) -> Iterator[Term]:
    stack: list[tuple[tuple[Value, ...], tuple[float, ...], int]] = [((node,), (), 0)]
    while stack:
        path, factors, twin = stack.pop()
        if path[-1] is root:
            yield Term(path, factors, whole=True, twin=twin)
            continue
        for result, j in reversed(uses[path[-1]]):
            first = j + 1 if len(path) == 1 and result.parents.count(node) > 1 else twin
            stack.append(((*path, result), (result.partials[j], *factors), first))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _sum(terms: list[Term]) -> float:
    return fsum([term.product for term in terms])


def _parenthesised(factors: list[str], minus: str) -> list[str]:
    return [f"({text})" if i and text.startswith(minus) else text for i, text in enumerate(factors)]


def _write_sum(parts: list[str]) -> str:
    return " ".join(
        [text if not i else f"− {text[1:]}" if text[0] == "−" else f"+ {text}" for i, text in enumerate(parts)]
    )
