"""Gradients as Values, which can be differentiated again: first, second and higher derivatives.

>>> x = Value(2.0)
>>> first = gradients(x**3, x, create_graph=True)
>>> float(first), float(gradients(first, x))    # 3x², 6x
(12.0, 12.0)
"""

from collections.abc import Callable, Iterable, Sequence
from math import isclose
from typing import Any, NoReturn, overload

from micrograd.engine import LEAVES, Leaving, Value, as_value, current_leaving, leaving
from micrograd.graph import nodes, topological_order
from micrograd.ops import Primitive

__all__ = ["gradients"]


@overload
def gradients(output: Value, wrt: Value, create_graph: bool = False) -> Value: ...
@overload
def gradients(output: Value, wrt: Iterable[Value], create_graph: bool = False) -> list[Value]: ...
def gradients(output: Value, wrt: Value | Iterable[Value], create_graph: bool = False) -> Value | list[Value]:
    """∂output/∂v for each v of ``wrt``, as Values; no node's ``grad`` is touched.

    >>> w, x = Value(3.0), Value(2.0)
    >>> [v.data for v in gradients(w * x**2, [w, x])]      # x² and 2wx
    [4.0, 12.0]

    Args:
        output: the result of a computation.
        wrt: a Value, or several: then the answer is a list. One that ``output`` does not depend on has 0.
        create_graph: build the answers by the same rules applied to Values, so that they can be differentiated again.
            Without it they hold numbers, and a derivative that would pass through them raises ValueError.

    Raises:
        ValueError: ``output`` has no graph, or comes before ``wrt``: the arguments are swapped. Or, with
            ``create_graph``, data that a rule needs was changed after the graph was recorded, so that the second
            derivative would not belong to the first.
        TypeError: an argument is no Value, or a rule turns a Value into a plain number.
    """
    wanted = [wrt] if isinstance(wrt, Value) else _several(wrt)
    sums: dict[int, Any] = {id(output): as_value(1.0) if create_graph else 1.0}
    for node in reversed(_order(output, wanted)):
        if id(node) not in sums or (
            not create_graph and sums[id(node)] == 0.0
        ):  # from 0 nothing flows back, as in backward()
            continue
        slopes = _slopes(node) if create_graph else node.partials
        for parent, slope in zip(node.parents, slopes, strict=True):
            if not isinstance(slope, Value) and slope == 0.0:  # a kink's other side: the slope is 0 all around
                continue
            term = sums[id(node)] * slope
            sums[id(parent)] = sums[id(parent)] + term if id(parent) in sums else term
    for v in wanted:
        if id(v) not in sums and v.parents and any(node is output for node in nodes(v)):
            raise ValueError(f"gradients(output, wrt): {v!r} of wrt is computed from the output; swap the arguments")
    answers = [sums.get(id(v), 0.0) for v in wanted]
    results = [as_value(x) for x in answers] if create_graph else [_number(x) for x in answers]
    return results[0] if isinstance(wrt, Value) else results


def _several(wrt: Any) -> list[Value]:
    if hasattr(wrt, "named_parameters"):
        raise TypeError("gradients: expected Values as wrt, got a model; pass model.parameters()")
    wanted = list(wrt) if isinstance(wrt, Iterable) else [wrt]
    for v in wanted:
        if not isinstance(v, Value):
            raise TypeError(f"gradients: expected a Value, or a list of them, as wrt; got {v!r} ({type(v).__name__})")
    return wanted


def _order(output: Value, wanted: list[Value]) -> list[Value]:
    """The topological order of the output's graph, if there are derivatives all along it."""
    if not isinstance(output, Value):
        raise TypeError(f"gradients: expected a Value as output, got {output!r} ({type(output).__name__})")
    if not output.parents and not any(v is output for v in wanted):
        if output.op.name not in LEAVES:  # the row of an operation
            raise ValueError(f"gradients: {output!r} has no graph; it was computed under no_grad()")
        if output.role != "constant":  # the derivative of a constant is known
            raise ValueError(f"gradients(output, wrt): the output is the leaf {output!r}; are the arguments swapped?")
    order = topological_order(output)
    for node in order:
        if not node.partials:
            if node._backward is _unknown:
                _unknown()
            raise ValueError(
                f"{node!r} was made by hand: it has a _backward, but no partials to compute gradients with"
            )
    return order


_WITHOUT_GRAPH = Value(0.0, label="gradients(…)", role="constant")
_GRADIENT = Value(0.0, (_WITHOUT_GRAPH,), "∂").op


def _number(x: float) -> Value:
    """A gradient whose own derivatives are not known: whoever goes back through it gets an error, not 0."""
    result = as_value(x)
    result.parents, result.op = (_WITHOUT_GRAPH,), _GRADIENT
    result._backward = _unknown
    return result


def _unknown() -> NoReturn:
    raise ValueError(
        "the result of gradients() has derivatives only with create_graph=True: write gradients(output, wrt, "
        "create_graph=True), or compute with its number, .data, if it is a constant here"
    )


class _InRule(Leaving):
    """While the partials of a row are computed as Values, none becomes a plain number: that would cut the graph."""

    def __init__(self, op: Primitive, outside: Leaving) -> None:
        self.op, self.outside = op, outside

    def number(self, value: Value) -> float:  # noqa: ARG002  # whatever it holds
        raise TypeError(
            f"the partials of {self.op.name!r} turn a Value into a plain number, so their derivative is not known; "
            f"write them in arithmetic and functions of the table: cos(x) from micrograd.ops, not math.cos(x)"
        )

    def compare(self, relation: Callable[[Any, Any], bool], value: Value, other: Any) -> Any:
        return self.outside.compare(relation, value, other)


def _slopes(node: Value) -> Sequence[Any]:
    with leaving(_InRule(node.op, current_leaving())):
        slopes: Sequence[Any] = node.op.partials(node, *node.op.group(node.parents))
    again = node.op.forward(*node.op.group([p.data for p in node.parents]))
    # From Python 3.12 on, sum() of floats keeps more digits than a sum of Values.
    same = [
        isclose(as_value(x).data, y, rel_tol=1e-12, abs_tol=1e-300) for x, y in zip(slopes, node.partials, strict=True)
    ]
    if again != node.data or not all(same):
        raise ValueError(f"the data of {node.op.name} or of its operands was changed after the graph was recorded")
    return slopes
