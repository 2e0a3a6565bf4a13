"""Walk and copy a graph of nodes, without recursion, so that its depth is no limit.

A node is anything with ``parents``; edges run from a result to its operands and never back, so there are no cycles.
"""

from __future__ import annotations

from typing import Any, TypeVar

Node = TypeVar("Node", bound=Any)


def topological_order(root: Node) -> list[Node]:
    """The results of operations in ``root``'s graph, each after its parents, ``root`` last; leaves are left out."""
    if not root.parents:
        return []
    order: list[Node] = []
    seen, path = {root}, [(root, iter(root.parents))]
    while path:
        node, rest = path[-1]
        for parent in rest:  # the iterator goes on where it stopped when this node was last on top
            if parent.parents and parent not in seen:
                seen.add(parent)
                path.append((parent, iter(parent.parents)))
                break
        else:
            order.append(node)
            path.pop()
    return order


def nodes(root: Node) -> list[Node]:
    """All of ``root``'s graph, leaves included, each after its parents, ``root`` last."""
    found: dict[Node, None] = {}
    for node in topological_order(root):
        found.update(dict.fromkeys(p for p in node.parents if not p.parents))
        found[node] = None
    return list(found) or [root]


class Copyable:
    """Copying and pickling for a node class whose ``_restore(state, parents)`` undoes its ``_state()``.

    ``copy.deepcopy`` keeps what is shared shared, by its memo. A pickle holds leaves as objects of their own, so that
    graphs and models pickled together share them, and the graph above the leaves as one flat list.
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
                memo[id(node)] = self._restore(node._state(), tuple([memo[id(p)] for p in node.parents]))
        return memo[id(self)]

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.parents:
            return self._restore, (self._state(),)
        graph = nodes(self)
        place = {node: i for i, node in enumerate(graph)}
        rows = [(node._state(), [place[p] for p in node.parents]) if node.parents else node for node in graph]
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
