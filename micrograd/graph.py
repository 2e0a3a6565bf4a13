"""Walk and copy a graph of nodes, without recursion, so that its depth is no limit.

A node is anything with ``parents``; edges run from a result to its operands and never back, so there are no cycles.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, TypeVar

__all__ = ["nodes", "topological_order"]

Node = TypeVar("Node", bound=Any)


class Identities(set[int]):
    """A set of things by identity, for those whose class refuses ``hash`` and ``==``."""

    def __contains__(self, thing: object) -> bool:
        return super().__contains__(id(thing))

    def add(self, thing: object) -> None:
        """Add a thing."""
        super().add(id(thing))


def topological_order(root: Node) -> list[Node]:
    """The results of operations in ``root``'s graph, each after its parents, ``root`` last; leaves are left out.

    >>> from micrograd import Value
    >>> a = Value(3.0)
    >>> [node.op.name for node in topological_order((a * a).tanh())]
    ['mul', 'tanh']
    """
    if not root.parents:
        return []
    order: list[Node] = []
    kind: Any = type(root)
    # A call of id() for every edge would make a training step 8 % slower.
    seen: set[Any] = set() if kind.__hash__ is object.__hash__ else Identities()
    path: list[tuple[Node, Iterator[Node]]] = []
    node, rest = root, iter(root.parents)
    while True:
        for parent in rest:  # the iterator goes on where it stopped when this node was last looked at
            if parent.parents and parent not in seen:
                seen.add(parent)
                path.append((node, rest))
                node, rest = parent, iter(parent.parents)
                break
        else:
            order.append(node)
            if not path:
                return order
            node, rest = path.pop()


def nodes(root: Node) -> list[Node]:
    """All of ``root``'s graph, leaves included, each after its parents, ``root`` last.

    >>> from micrograd import Value
    >>> a = Value(3.0)
    >>> [node.data for node in nodes(a * a + 1.0)]
    [3.0, 9.0, 1.0, 10.0]
    """
    found: dict[int, Node] = {}
    for node in topological_order(root):
        found.update((id(p), p) for p in node.parents if not p.parents)
        found[id(node)] = node
    return list(found.values()) or [root]


class Copyable:
    """Copying and pickling for a class of nodes: ``_state()`` takes one apart, ``_restore(state, parents)`` builds it.

    In a deep copy, nodes that were shared are shared. A pickle holds each leaf as an object, so that graphs and models
    that are pickled together share it, and the graph above the leaves as one flat list.
    """

    __slots__ = ()
    parents: tuple[Any, ...]

    def _state(self) -> tuple[Any, ...]:
        raise NotImplementedError

    @classmethod
    def _restore(cls, state: tuple[Any, ...], parents: tuple[Any, ...] = ()) -> Any:
        raise NotImplementedError

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        for node in nodes(self):
            if id(node) not in memo:
                twin = self._restore(node._state(), tuple([memo[id(p)] for p in node.parents]))
                vars(twin).update(copy.deepcopy(vars(node), memo))
                memo[id(node)] = twin
        return memo[id(self)]

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.parents:
            return self._restore, (self._state(),)
        graph = nodes(self)
        place = {id(node): i for i, node in enumerate(graph)}
        rows = [(node._state(), [place[id(p)] for p in node.parents]) if node.parents else node for node in graph]
        return _rebuild, (type(self), rows)


def _rebuild(cls: type[Copyable], rows: list[Any]) -> Any:
    graph: list[Any] = []
    for row in rows:
        if isinstance(row, cls):
            graph.append(row)
        else:
            state, places = row
            graph.append(cls._restore(state, tuple([graph[i] for i in places])))
    return graph[-1]
