"""Gradients as Values, which can be differentiated again: first, second and higher derivatives.

>>> x = Value(2.0)
>>> first = gradients(x**3, x, create_graph=True)
>>> float(first), float(gradients(first, x))    # 3x², 6x
(12.0, 12.0)
"""

from collections.abc import Iterable, Sequence
from typing import Any, overload

from micrograd.engine import Value, as_value
from micrograd.graph import topological_order


@overload
def gradients(output: Value, wrt: Value, create_graph: bool = False) -> Value: ...
@overload
def gradients(output: Value, wrt: Iterable[Value], create_graph: bool = False) -> list[Value]: ...
def gradients(output: Value, wrt: Value | Iterable[Value], create_graph: bool = False) -> Value | list[Value]:
    """∂output/∂v for each v of ``wrt`` (a Value, or several: then a list), as Values; no node's ``grad`` is touched.

    With ``create_graph`` the results are nodes, built by the same rules applied to Values, and can be differentiated
    again. A v that ``output`` does not depend on has 0. Raises ValueError if data that a rule needs was changed since
    the graph was recorded: the second derivative would then not belong to the first.
    """
    sums: dict[int, Any] = {id(output): as_value(1.0) if create_graph else 1.0}
    for node in reversed(topological_order(output)):
        if id(node) not in sums:
            continue
        if not node.partials:
            raise ValueError(
                f"{node!r} was made by hand: it has a _backward, but no partials to compute gradients with"
            )
        slopes = _slopes(node) if create_graph else node.partials
        for parent, slope in zip(node.parents, slopes, strict=True):
            term = sums[id(node)] * slope
            sums[id(parent)] = sums[id(parent)] + term if id(parent) in sums else term
    if isinstance(wrt, Value):
        return as_value(sums.get(id(wrt), 0.0))
    return [as_value(sums.get(id(v), 0.0)) for v in wrt]


def _slopes(node: Value) -> Sequence[Any]:
    slopes = node.op.partials(node, *node.op.group(node.parents))
    again = node.op.forward(*node.op.group([p.data for p in node.parents]))
    if again != node.data or any(as_value(new).data != old for new, old in zip(slopes, node.partials, strict=True)):
        raise ValueError(f"the data of {node.op.name} or of its operands was changed after the graph was recorded")
    return slopes
