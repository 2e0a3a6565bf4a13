"""Scalars that remember how they were computed, and the chain rule run backwards over that memory.

A ``Value`` holds a number. Arithmetic on Values records a graph: each node keeps its parents (the operands) and, as
numbers, the derivatives of its output by each of them. ``backward()`` walks from the loss back to the leaves and adds
to each node's ``grad`` the derivative of the loss by that node:

>>> a, b = Value(2.0), Value(-3.0)
>>> loss = a * b + a**2
>>> loss.backward()
>>> a.grad, b.grad                          # b + 2a, a
(1.0, 2.0)

Leaves **accumulate** over calls, which is how the gradients of a batch add up, one sample's graph after another;
interior nodes start every pass from zero. Nodes know their parents, not their children, so a graph dies with its loss.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from math import isfinite, isnan, prod
from numbers import Real
from typing import Any

from micrograd import ops
from micrograd.graph import Copyable, topological_order
from micrograd.ops import Primitive

__all__ = ["Value", "dot", "logsumexp", "no_grad", "pick", "softmax", "where"]

# The ``grad`` of a leaf that no backward pass has reached: the sum of it and anything else is another object.
NOT_REACHED = float(0)

# The class of the nodes that are being recorded: Value, a subclass, or None while nothing is recorded.
_recording: "ContextVar[type[Value] | None]"


class Leaving:
    """What happens where a Value leaves the graph, as a plain number or as the answer to a comparison.

    Usually its data is taken. A subclass, put in place by ``leaving``, does something else: it raises, say.
    """

    def number(self, value: "Value") -> float:
        """For ``float(value)``, ``int(value)``, ``bool(value)`` and ``round(value)``."""
        return float(value.data)  # which somebody may have set to an int, or to a NumPy number

    def compare(self, relation: Callable[[Any, Any], bool], value: "Value", other: Any) -> Any:
        """For ``value < other`` and the like; ``other`` is a Value or a number."""
        return relation(float(value.data), float(other.data) if isinstance(other, Value) else other)


_leaving: ContextVar[Leaving] = ContextVar("leaving", default=Leaving())  # noqa: B039  # it holds nothing


@contextmanager
def leaving(how: Leaving) -> Iterator[None]:
    """Inside the ``with`` block, ``how`` says what happens where a Value leaves the graph, in this thread or task."""
    before = _leaving.get()
    try:
        _leaving.set(how)  # in here: Ctrl-C may come right after it
        yield
    finally:
        _leaving.set(before)


def current_leaving() -> Leaving:
    """What happens now where a Value leaves the graph."""
    return _leaving.get()


def number(data: Any) -> float:
    """``data`` as a float: of a real number, or of an array or tensor that holds a single one.

    Raises TypeError for anything else, ValueError for nan.
    """
    if type(data) is float and data - data == 0.0:
        return data
    if type(data) is not int and _holds_one(data):
        data = data.item()
    if type(data) is not int and not isinstance(data, Real):  # the latter takes long
        raise TypeError(f"expected a real number, got {data!r:.80} ({type(data).__name__})")
    try:
        result = float(data)
    except OverflowError as cause:
        raise ValueError("expected a number in the range of a float, got one beyond it") from cause
    if isnan(result):
        raise ValueError("expected a number, got nan")
    return result


def _holds_one(data: Any) -> bool:
    return hasattr(data, "item") and not isinstance(data, Value) and prod(getattr(data, "shape", (0,))) == 1


def _leaf(role: str, symbol: str = "") -> Primitive:
    return Primitive(role, number, lambda *_: (), symbol)


# What a leaf is to the reader of a picture; to a gradient it makes no difference.
LEAVES = {role: _leaf(role) for role in ("parameter", "input", "constant")}


@contextmanager
def recording(kind: "type[Value] | None") -> Iterator[None]:
    """Record operations as nodes of that class, or not at all, in this thread or task."""
    before = _recording.get()
    try:
        _recording.set(kind)  # in here: Ctrl-C may come right after it
        yield
    finally:
        _recording.set(before)


def no_grad() -> AbstractContextManager[None]:
    """Compute without recording, in this thread or task: results are leaves, and cost less time and memory.

    >>> w = Value(2.0)
    >>> with no_grad():
    ...     print((w * w).data, (w * w).parents)
    4.0 ()
    """
    return recording(None)


def is_recording() -> bool:
    """Whether operations are being recorded, that is, whether this is outside of every ``no_grad()``."""
    return _recording.get() is not None


def as_value(data: Any, role: str = "constant") -> "Value":
    """``data`` itself if it is a Value, else a new leaf that holds it."""
    return data if isinstance(data, Value) else _new_leaf(data, role)


def _new_leaf(data: Any, role: str = "constant") -> "Value":
    """As ``Value(data, role=role)``, of the class that is being recorded, in half of the time."""
    node = _new(_recording.get() or Value)
    node.data = data if type(data) is float and data - data == 0.0 else number(data)
    node.grad = NOT_REACHED
    node.op = LEAVES[role]
    node.label = ""
    node.parents = ()
    node.partials = ()
    return node


def _is_number(other: Any) -> bool:
    """Whether ``other`` is a number to compute with. A NumPy array is not: it handles its elements one by one."""
    if type(other) is float or type(other) is int or isinstance(other, Real):  # the latter takes long
        return True
    return not hasattr(other, "__array_ufunc__") and _holds_one(other)


# The two that follow are ``record`` for one and two operands, written out since most nodes are made here.
def _unary(op: Primitive) -> Callable[["Value"], "Value"]:
    forward, slopes = op.forward, op.partials

    def method(self: "Value") -> "Value":
        x = self.data
        try:
            data = forward(x)
            kind = _recording.get()
            partials = slopes(data, x) if kind else ()
        except (ArithmeticError, ValueError) as cause:
            raise _undefined(op, (self,), (x,), cause) from cause
        return _node(op, data, (self,), partials, kind)

    return method


def _binary(op: Primitive) -> Callable[["Value", Any], "Value"]:
    forward, slopes = op.forward, op.partials

    def method(self: "Value", other: Any) -> "Value":
        if type(other) is not Value and not isinstance(other, Value):
            if type(other) is not float and not _is_number(other):
                return NotImplemented  # type: ignore[no-any-return]  # Python then asks the other operand, an array say
            other = _new_leaf(other)
        x, y = self.data, other.data
        try:
            data = forward(x, y)
            kind = _recording.get()
            partials = slopes(data, x, y) if kind else ()
        except (ArithmeticError, ValueError) as cause:
            raise _undefined(op, (self, other), (x, y), cause) from cause
        return _node(op, data, (self, other), partials, kind)

    return method


def _reflected(op: Primitive) -> Callable[["Value", Any], "Value"]:
    direct = _binary(op)

    def method(self: "Value", other: Any) -> "Value":
        return direct(_new_leaf(other), self) if _is_number(other) else NotImplemented

    return method


def _ordering(relation: Callable[[Any, Any], bool]) -> Callable[["Value", Any], bool]:
    def ordering(self: "Value", other: Any) -> bool:
        return _leaving.get().compare(relation, self, other)  # type: ignore[no-any-return]

    return ordering


class Value(Copyable):
    """A number in a graph.

    Arithmetic with ints, floats and NumPy scalars on either side records nodes, and so do the methods below, which
    NumPy's functions call on arrays of Values (``np.tanh(array)``). Order is by data, ``==`` and ``hash`` by identity.
    ``math.tanh(v)`` takes ``float(v)``, a plain number, which cuts the graph: write ``v.tanh()``.

    >>> w, x = Value(2.0), Value(3.0, role="input")
    >>> loss = (w * x - 1) ** 2
    >>> loss.backward()
    >>> loss.data, w.grad                       # 2 · (w·x - 1) · x
    (25.0, 30.0)

    Args:
        data: a real number, kept as a float; anything else raises TypeError, and nan ValueError.
        _children, _op: operands and symbol of a node made by hand, which needs a ``_backward``.
        label: a name for pictures and messages.
        role: what a leaf is in pictures: "parameter", "input" or "constant".

    Attributes:
        data: the number. Changing it changes later computations, never a graph that was recorded before.
        grad: derivative by this node of what ``backward()`` was called on; in leaves it adds up over calls.
        parents: the operands in order, repeated where one is used twice.
        partials: the local derivatives, one per parent.
        op: the row of the table of primitives that made this node.

    Further attributes may be set, as scripts do that keep the state of an optimizer on its parameters.

    For those who walk a graph by ``_prev`` and ``_op``, as for micrograd 0.1.0: ``a - b``, ``-a`` and ``a / b`` are
    operations here ("−", "/"), where 0.1.0 adds a product by -1 or multiplies by a power, and a neuron's s is one node
    ("dot"). ``sum(w * x for w, x in zip(ws, xs)) + b`` in its place records products and sums.
    """

    __slots__ = ("__dict__", "_rule", "data", "grad", "label", "op", "parents", "partials")

    def __init__(
        self, data: Any, _children: Iterable["Value"] = (), _op: str = "", *, label: str = "", role: str = "parameter"
    ) -> None:
        if role not in LEAVES:
            raise ValueError(f"role must be one of {', '.join(LEAVES)}, got {role!r}")
        self.data = number(data)
        self.grad = NOT_REACHED
        self.label = label
        try:
            self.parents: tuple[Value, ...] = tuple(_children)
        except TypeError:
            raise _no_children(_children) from None
        if self.parents and not all(isinstance(child, Value) for child in self.parents):
            raise _no_children(_children)
        self.partials: Sequence[float] = ()
        self.op = _by_hand(_op) if self.parents else _leaf(role, _op) if _op else LEAVES[role]

    __add__, __radd__ = _binary(ops.add), _reflected(ops.add)
    __sub__, __rsub__ = _binary(ops.sub), _reflected(ops.sub)
    __mul__, __rmul__ = _binary(ops.mul), _reflected(ops.mul)
    __truediv__, __rtruediv__ = _binary(ops.div), _reflected(ops.div)
    _pow, __rpow__ = _binary(ops.pow), _reflected(ops.pow)

    __neg__, __abs__, abs = _unary(ops.neg), _unary(ops.absolute), _unary(ops.absolute)
    exp, expm1, log, log1p = _unary(ops.exp), _unary(ops.expm1), _unary(ops.log), _unary(ops.log1p)
    log2, log10 = _unary(ops.log2), _unary(ops.log10)
    sqrt, cbrt, erf = _unary(ops.sqrt), _unary(ops.cbrt), _unary(ops.erf)
    sin, cos, tan = _unary(ops.sin), _unary(ops.cos), _unary(ops.tan)
    arcsin, arccos, arctan = _unary(ops.arcsin), _unary(ops.arccos), _unary(ops.arctan)
    sinh, cosh, tanh = _unary(ops.sinh), _unary(ops.cosh), _unary(ops.tanh)
    sigmoid, softplus, relu = _unary(ops.sigmoid), _unary(ops.softplus), _unary(ops.relu)

    __lt__, __le__ = _ordering(operator.lt), _ordering(operator.le)
    __gt__, __ge__ = _ordering(operator.gt), _ordering(operator.ge)

    def __pow__(self, exponent: Any) -> "Value":
        if not isinstance(exponent, int):
            if type(exponent) is not float and not isinstance(exponent, Real):
                return self._pow(exponent)
            exponent = number(exponent)
        return record(ops.power(exponent), (self,), (self.data,))

    def maximum(self, other: Any) -> "Value":
        """The larger of the two; at a tie each gets half of the gradient."""
        return apply(ops.maximum, (self, other))

    def minimum(self, other: Any) -> "Value":
        """The smaller of the two; at a tie each gets half of the gradient."""
        return apply(ops.minimum, (self, other))

    def clip(self, low: Any, high: Any) -> "Value":
        """The nearest number from ``low`` to ``high``: ``maximum(low).minimum(high)``, also in its slopes."""
        if isinstance(low, Real) and isinstance(high, Real) and low > high:
            raise ValueError(f"clip: low must not be above high, got {low!r} and {high!r}")
        return self.maximum(low).minimum(high)

    def hypot(self, other: Any) -> "Value":
        """√(self² + other²), without overflow; the slopes at (0, 0) are 0."""
        return apply(ops.hypot, (self, other))

    def arctan2(self, x: Any) -> "Value":
        """The angle of the point (x, self), from -π to π."""
        return apply(ops.arctan2, (self, x))

    def __pos__(self) -> "Value":
        return self

    def __float__(self) -> float:
        return _leaving.get().number(self)

    def __int__(self) -> int:
        return int(_leaving.get().number(self))

    def __round__(self, digits: int | None = None) -> float:
        return round(_leaving.get().number(self), digits)

    def __bool__(self) -> bool:
        return _leaving.get().number(self) != 0.0

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad or 0})"  # a gradient not computed yet shows as 0

    def backward(self, gradient: float = 1.0) -> None:
        """Add to ``grad`` of every leaf of this graph: ``gradient`` · ∂self/∂leaf. Interior nodes are set to theirs.

        A second call adds the same again, but for rounding, since interior nodes start from zero. ``gradient`` is the
        derivative of some final result by this node: 1 for the loss itself, 1/B for one sample's share in a mean over
        a batch of B.
        """
        gradient = number(gradient)
        order = topological_order(self)
        if not order and self.role == "constant":
            raise ValueError(f"{self!r} has no graph to go back through; was it computed under no_grad()?")
        for node in order:
            node.grad = 0.0
        self.grad += gradient
        for node in reversed(order):
            delta = node.grad
            if node.partials:
                if delta:  # from 0 nothing flows back; half of the units of a relu network are at 0
                    for parent, slope in zip(node.parents, node.partials):
                        parent.grad += delta * slope
            else:
                node._backward()
        for leaf in order[0].parents if order else ():  # the deepest, so that an optimizer sees that it was reached
            leaf.grad += 0.0

    @property
    def role(self) -> str:
        """What pictures show: "hidden" for the result of an operation, else "parameter", "input" or "constant"."""
        if self.parents:
            return "hidden"
        return self.op.name if self.op.name in LEAVES else "constant"

    # ---- what scripts for micrograd 0.1.0 use ------------------------------------------------------------------------

    @property
    def _prev(self) -> set["Value"]:
        """The operands, as a set; assigning makes a node by hand of them."""
        return set(self.parents)

    @_prev.setter
    def _prev(self, children: Iterable["Value"]) -> None:
        self.parents = tuple(children)
        self.partials = ()
        self.op = _by_hand(self._op) if self.parents else _leaf("parameter", self._op)

    @property
    def _op(self) -> str:
        """The symbol that pictures show, "+" say; assigning changes it for this node."""
        return self.op.symbol

    @_op.setter
    def _op(self, symbol: str) -> None:
        op = self.op
        self.op = Primitive(op.name, op.forward, op.partials, symbol, op.group, op.constant)

    @property
    def _backward(self) -> Callable[[], None]:
        """What adds this node's share to the operands' ``grad``; a function assigned here takes its place.

        ``backward()`` calls that of results of operations only, since a leaf has no operands.
        """
        return self._rule if hasattr(self, "_rule") else self._push

    @_backward.setter
    def _backward(self, rule: Callable[[], None]) -> None:
        self._rule = rule
        self.partials = ()

    def _push(self) -> None:
        if self.parents and not self.partials:
            raise ValueError(f"{self!r} was made by hand, so it has no derivatives; assign its _backward")
        for parent, slope in zip(self.parents, self.partials):
            parent.grad += self.grad * slope

    # ---- copies and pickles: see graph.Copyable ----------------------------------------------------------------------

    def _state(self) -> tuple[Any, ...]:
        if self.parents and not self.partials:
            raise TypeError("a node made by hand cannot be copied, since its _backward belongs to the old graph")
        return self.data, self.grad, self.label, self.partials, self.op if self.parents else self.role, dict(vars(self))

    @classmethod
    def _restore(cls, state: tuple[Any, ...], parents: tuple["Value", ...] = ()) -> "Value":
        node = _new(cls)
        node.data, node.grad, node.label, node.partials, op, own = state
        vars(node).update(own)
        node.op = op if parents else LEAVES[op]
        node.parents = parents
        return node

    @staticmethod
    def _record(op: Primitive, operands: Iterable[Any]) -> "Value":
        return apply(op, operands)


for _name, _method in vars(Value).items():  # what help() shows of those made from rows of the table
    if getattr(_method, "__name__", "") == "method":
        _method.__name__, _method.__qualname__ = _name, f"Value.{_name}"
        _method.__doc__ = f"A node for {_name.strip('_')}, by its row in the table of primitives."
_new = Value.__new__
_recording = ContextVar("recording", default=Value)


def _no_children(got: Any) -> TypeError:
    return TypeError(f"children must be Values, got {got!r:.60}; write Value(data, (a, b)), and a name as label=")


def _by_hand(symbol: str) -> Primitive:
    def missing(*_: Any) -> Any:
        raise ValueError(f"a node made by hand ({symbol!r}) has no rule; define a primitive instead")

    return Primitive(symbol, missing, missing)


def record(op: Primitive, parents: tuple[Value, ...], operands: Sequence[Any]) -> Value:
    """The node for ``op`` on ``parents``. ``operands`` are their data, grouped as the rules of ``op`` take them.

    Raises ValueError, naming the operation and its operands, where it is undefined or overflows, or has no derivative.
    """
    try:
        data = op.forward(*operands)
        kind = _recording.get()
        partials = op.partials(data, *operands) if kind else ()
    except (ArithmeticError, ValueError) as cause:
        raise _undefined(op, parents, operands, cause) from cause
    return _node(op, data, parents, partials, kind)


def _node(
    op: Primitive, data: float, parents: tuple[Value, ...], partials: Sequence[float], kind: type[Value] | None
) -> Value:
    if type(data) is not float or data - data != 0.0:  # an int, or not finite
        data = _checked(data, op, parents)
    node = _new(kind or Value)
    node.data = data
    node.grad = 0.0
    node.op = op
    node.label = ""
    node.parents = parents if partials else ()
    node.partials = partials
    return node


def _undefined(op: Primitive, parents: tuple[Value, ...], operands: Sequence[Any], cause: Exception) -> ValueError:
    try:
        why: object = f"the value is {op.forward(*operands)}, but it has no derivative there ({cause})"
    except (ArithmeticError, ValueError):
        why = cause
    return op.error([p.data for p in parents], why)


def _checked(data: Any, op: Primitive, parents: tuple[Value, ...]) -> float:
    if isinstance(data, Value):  # of floats no rule makes one
        name = next((p.label for p in parents if isinstance(p.data, Value)), "") or "w"
        raise TypeError(f"{name}.data is a Value; write {name}.data -= lr * {name}.grad")
    if not isinstance(data, Real):
        raise TypeError(f"{op.name}: forward must return a number, got {data!r} ({type(data).__name__})")
    result = float(data)
    if isnan(result) or (not isfinite(result) and all(isfinite(p.data) for p in parents)):
        raise op.error([p.data for p in parents], f"the result is {result}")
    return result


def apply(op: Primitive, operands: Iterable[Any]) -> Value:
    """Record ``op`` on Values and numbers, listed flat."""
    parents = tuple([as_value(operand) for operand in operands])
    node = record(op, parents, op.group([p.data for p in parents]))
    if _recording.get():
        _require_slopes(op, node.partials, len(parents))
    return node


def _require_slopes(op: Primitive, slopes: Any, count: int) -> None:
    listed = isinstance(slopes, (tuple, list)) and len(slopes) == count
    if listed and all([type(slope) is float or isinstance(slope, Real) for slope in slopes]):
        return
    raise ValueError(
        f"{op.name}: partials must return a tuple of {count} number{'s' * (count > 1)}, one for each operand, "
        f"got {slopes!r}; write (x,) for a single one"
    )


def set_data(values: Sequence[Value], numbers: Iterable[float]) -> None:
    """Set ``data`` of all these Values, or of none of them if Ctrl-C or an error interrupts it.

    A second interrupt, while the first one is handled, can leave some of them changed.
    """
    before = [value.data for value in values]
    try:
        for value, x in zip(values, numbers):
            value.data = x
    except BaseException:
        for value, x in zip(values, before):
            value.data = x
        raise


def set_grad(values: Sequence[Value], numbers: Iterable[float]) -> None:
    """As ``set_data``, for ``grad``."""
    before = [value.grad for value in values]
    try:
        for value, x in zip(values, numbers):
            value.grad = x
    except BaseException:
        for value, x in zip(values, before):
            value.grad = x
        raise


def dot(weights: Sequence[Any], inputs: Sequence[Any], bias: Any = None) -> Value:
    """One node for bias + Σ wᵢxᵢ, the input signal s of a unit with those weights; its ``grad`` is the lecture's δ.

    Raises ValueError where the two lengths differ.

    >>> weights, bias = [Value(2.0), Value(-1.0)], Value(0.5)
    >>> s = dot(weights, [3.0, 4.0], bias)      # 2·3 - 1·4 + 0.5
    >>> s.backward()
    >>> s.data, [w.grad for w in weights], bias.grad
    (2.5, [3.0, 4.0], 1.0)
    """
    try:
        fit = len(weights) == len(inputs)
    except TypeError:
        raise TypeError(f"dot: expected two lists, got {weights!r:.60} and {inputs!r:.60}") from None
    if not fit:
        raise ValueError(f"dot: got {len(inputs)} inputs but {len(weights)} weights")
    try:
        vectors = [w.data for w in weights], [x.data for x in inputs]
        if bias is None:
            return record(ops.dot, (*weights, *inputs), vectors)
        return record(ops.dot, (*weights, *inputs, bias), (*vectors, bias.data))
    except (AttributeError, TypeError):  # plain numbers among them: asking each for its type beforehand costs more
        return apply(ops.dot, (*weights, *inputs) if bias is None else (*weights, *inputs, bias))


def pick(values: Sequence[Any], index: Any) -> Any:
    """``values[index]``, for a whole number from 0 to len(values) - 1; the gradient goes to the one picked.

    Write it in the place of ``values[index]`` where the index comes from the sample and may be a Value. Raises
    TypeError or ValueError for an index that is not such a number; a negative one is an error too.

    >>> scores = [Value(2.0), Value(5.0)]
    >>> pick(scores, Value(1, role="input")).backward()
    >>> [score.grad for score in scores]
    [0.0, 1.0]
    """
    if not hasattr(values, "__len__") or not hasattr(values, "__getitem__"):
        raise TypeError(f"pick: expected a list of values, got {values!r:.60} ({type(values).__name__})")
    if not len(values):
        raise ValueError("pick: expected one value at least, got none")
    if isinstance(index, Value):
        return apply(ops.pick, (*values, index))
    try:
        place = operator.index(index)
    except TypeError:
        raise TypeError(f"pick: expected a whole number as index, got {index!r} ({type(index).__name__})") from None
    if not 0 <= place < len(values):
        raise ValueError(f"pick: the index must be from 0 to {len(values) - 1}, got {index}")
    return values[place]


def logsumexp(values: Iterable[Any]) -> Value:
    """One node for log Σ exp(vᵢ), without overflow; its partials are the softmax. Of -inf alone it is -inf.

    >>> logsumexp([Value(1000.0), Value(1000.0)]).data     # 1000 + log 2
    1000.6931471805599
    """
    return apply(ops.logsumexp, _several("logsumexp", values))


def _several(function: str, values: Any) -> list[Any]:
    if not isinstance(values, Iterable):
        raise TypeError(f"{function}: expected a list of Values, got {values!r:.60} ({type(values).__name__})")
    return list(values)


def softmax(values: Iterable[Any]) -> list[Value]:
    """The shares exp(vᵢ) / Σ exp(vⱼ), which sum to 1; without overflow, and of equal values equal shares.

    >>> [round(share.data, 3) for share in softmax([1.0, 2.0, 3.0])]
    [0.09, 0.245, 0.665]
    """
    values = _several("softmax", values)
    total = logsumexp(values)
    shares = [(v - total).exp() for v in map(as_value, values)]
    rest = sum(shares)  # 1 but for rounding; of large equal values, which swallow log n in their total, n
    return [share / rest for share in shares]


def where(condition: Any, a: Any, b: Any) -> Value:
    """``a`` where the condition holds, else ``b``; the gradient goes to the one chosen.

    Both are computed, so both must be defined: guard the operand, not the result. For √x where x > 0, else 0:

    >>> x = Value(-4.0)
    >>> safe = where(x > 0, x, 1.0)
    >>> where(x > 0, safe.sqrt(), 0.0).data
    0.0

    Args:
        condition: True or False, a comparison say; or a number or a Value that is 0 or 1.
        a, b: Values or numbers.
    """
    chosen = as_value(condition._condition() if hasattr(condition, "_condition") else condition)
    if chosen.data not in (0, 1):
        raise ValueError(
            f"where: the condition must be True, False, 0 or 1, got {chosen.data}; write where(x > 0, a, b)"
        )
    return apply(ops.where, (chosen, a, b))
