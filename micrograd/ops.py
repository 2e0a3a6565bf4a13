"""The table of primitives: what each operation computes, and its local derivatives.

A row holds a name, the forward rule on floats, the rule for the local derivatives (partials) and the symbol
that pictures show. The partials are functions of the output ``z`` and the operands, written in operations that
floats and ``Value`` nodes share: on floats they give slopes, on Values a graph to be differentiated again.
Whatever needs to know an operation reads its row, so a new one is added in one place:

>>> bell = primitive("bell", lambda x: math.exp(-x * x), lambda z, x: (-2 * x * z,))
>>> bell(0.5), bell.partials(bell(0.5), 0.5)
(0.7788007830714049, (-0.7788007830714049,))
>>> del TABLE["bell"]
"""

import math
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

__all__ = ["TABLE", "Primitive", "find", "power", "primitive"]

#: The rows by name.
TABLE: dict[str, "Primitive"] = {}
BUILT_IN: frozenset[str] = frozenset()  # the names of this file's rows, once all of them are there


class Primitive:
    """One row of the table. Called on numbers it computes; called on a ``Value`` it records a node.

    >>> tanh.symbol, tanh(0.0), tanh.partials(0.0, 0.0)    # the slope is 1 - z²
    ('tanh', 0.0, (1.0,))

    Attributes:
        name: the row's key in ``TABLE``.
        forward: maps the operands (floats) to the output (a float).
        partials: maps the output and the operands to one local derivative per operand.
        symbol: what a picture shows, also a node's ``_op``.
        group: maps the flat list of operands to the arguments of the two rules; ``dot`` has vectors there.
        constant: the number that a row of a family such as ``power(3)`` holds, else None.
    """

    __slots__ = ("constant", "forward", "group", "name", "partials", "symbol")

    def __init__(
        self,
        name: str,
        forward: Callable[..., float],
        partials: Callable[..., Sequence[Any]],
        symbol: str | None = None,
        group: Callable[[Sequence[Any]], Sequence[Any]] = tuple,
        constant: float | None = None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.partials = partials
        self.symbol = name if symbol is None else symbol
        self.group = group
        self.constant = constant

    def __call__(self, *operands: Any) -> Any:
        for operand in operands:
            if hasattr(operand, "_record"):
                return operand._record(self, operands)
        try:
            return self.forward(*self.group(operands))
        except (ArithmeticError, ValueError) as cause:
            raise self.error(operands, cause) from cause

    def error(self, operands: Sequence[float], cause: object) -> ValueError:
        """The error that says which operation failed, on which numbers, and why."""
        numbers = [*operands] if self.constant is None else [*operands, self.constant]
        shown = [repr(x) for x in numbers[:4]] + ["…"] * (len(numbers) > 4)
        return ValueError(f"{self.name}({', '.join(shown)}): {cause}")

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return find, (self.name, self.constant)


def primitive(
    name: str,
    forward: Callable[..., float],
    partials: Callable[..., Sequence[Any]],
    symbol: str | None = None,
    group: Callable[[Sequence[Any]], Sequence[Any]] = tuple,
) -> Primitive:
    """Add a row to the table and return it, ready to be called on numbers and Values.

    Defining a name again replaces the row, so that a notebook's cell can be run again. The rows of this file are
    protected.

    >>> cube = primitive("cube", lambda x: x**3, lambda z, x: (3 * x**2,))
    >>> cube(2.0), cube.partials(8.0, 2.0)
    (8.0, (12.0,))
    >>> del TABLE["cube"]

    Args:
        name: a name that no row of this file has; else ValueError.
        forward: the function on floats, e.g. ``math.erf``. It raises ArithmeticError or ValueError outside its domain.
        partials: ``partials(z, *operands)`` returns a tuple of local derivatives, one per operand, written in
            arithmetic and in functions of this table, so that it works on floats and on Values.
        symbol: what pictures show; the name if not given.
        group: for operands that are vectors: maps the flat list of operands to the arguments of the two rules.
    """
    if not isinstance(name, str):
        raise TypeError(f"primitive: expected a name first, got {name!r}; write primitive(name, forward, partials)")
    if name in BUILT_IN:
        raise ValueError(f"a primitive named {name!r} exists already; choose another name")
    for rule, what in ((forward, "forward"), (partials, "partials")):
        if not callable(rule):
            raise TypeError(f"primitive {name!r}: expected a function as {what}, got {rule!r}")
    taken, operands = _arguments(partials), _arguments(forward)
    if taken is not None and operands is not None and taken != operands + 1:
        raise TypeError(
            f"primitive {name!r}: partials must take the output and the operands, {operands + 1} arguments, "
            f"got a function of {taken}; write lambda z, x: (…,)"
        )
    TABLE[name] = Primitive(name, forward, partials, symbol, group)
    return TABLE[name]


def _arguments(rule: Callable[..., Any]) -> int | None:
    """How many arguments by position a rule takes; None if that is not known, or not fixed."""
    try:
        parameters = signature(rule).parameters.values()
    except (TypeError, ValueError):  # some functions of math have none
        return None
    kinds = [parameter.kind for parameter in parameters]
    if Parameter.VAR_POSITIONAL in kinds:
        return None
    return sum([kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds])


def find(name: str, constant: float | None = None) -> Primitive:
    """The row of that name; with a constant, the member of that family (``find("power", 3)``).

    >>> find("tanh")(0.0), find("power", 3)(2.0)
    (0.0, 8.0)
    """
    if constant is not None:
        return power(constant)
    if name not in TABLE:
        raise ValueError(f"no primitive named {name!r}; define it with primitive(...) first")
    return TABLE[name]


# ---- arithmetic ------------------------------------------------------------------------------------------------------

neg = primitive("neg", operator.neg, lambda z, x: (-1.0,), "−")
add = primitive("add", operator.add, lambda z, x, y: (1.0, 1.0), "+")
sub = primitive("sub", operator.sub, lambda z, x, y: (1.0, -1.0), "−")
mul = primitive("mul", operator.mul, lambda z, x, y: (y, x), "*")
div = primitive("div", operator.truediv, lambda z, x, y: (1 / y, -z / y), "/")
# math.pow, not **, which answers a negative base and a fractional exponent with a complex number.
# The slope by the exponent is z·log x, whose limit at x = 0 is 0 for y > 0; elsewhere log refuses x ≤ 0.
pow = primitive("pow", math.pow, lambda z, x, y: (y * x ** (y - 1), 0.0 if 0 <= x <= 0 and y > 0 else z * log(x)), "**")


@lru_cache(maxsize=1024, typed=True)
def power(n: float) -> Primitive:
    """The primitive x ↦ xⁿ for a number n. Apart from ``pow``, since it admits a negative x if n is whole.

    >>> power(3)(-2.0), power(3).partials(-8.0, -2.0)      # x³ and 3x²
    (-8.0, (12.0,))
    """
    # n == 0 apart, since 0·x⁻¹ is undefined at x = 0 where the true slope is 0.
    return Primitive(
        "power", lambda x: math.pow(x, n), lambda z, x: (n * x ** (n - 1) if n else 0.0,), f"**{n}", constant=n
    )


# ---- functions of one number -----------------------------------------------------------------------------------------


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    return math.exp(x) / (1 + math.exp(x))  # e^-x would overflow here


def _cbrt(x: float) -> float:
    if x == 0:
        return x
    root = math.copysign(abs(x) ** (1 / 3), x)
    return root - (root * root * root - x) / (3 * root * root)  # one step by Newton, since 1 / 3 is rounded


exp = primitive("exp", math.exp, lambda z, x: (z,))
expm1 = primitive("expm1", math.expm1, lambda z, x: (exp(x),))  # z + 1 would lose its digits
log: Primitive = primitive("log", math.log, lambda z, x: (1 / x,))
log1p = primitive("log1p", math.log1p, lambda z, x: (1 / (1 + x),))
log2 = primitive("log2", math.log2, lambda z, x: (1 / (math.log(2) * x),))
log10 = primitive("log10", math.log10, lambda z, x: (1 / (math.log(10) * x),))
sqrt = primitive("sqrt", math.sqrt, lambda z, x: (0.5 / z,), "√")
cbrt = primitive("cbrt", _cbrt, lambda z, x: (1 / (3 * z * z),), "∛")
sin = primitive("sin", math.sin, lambda z, x: (cos(x),))
cos: Primitive = primitive("cos", math.cos, lambda z, x: (-sin(x),))
tan = primitive("tan", math.tan, lambda z, x: (1 + z * z,))
arcsin = primitive("arcsin", math.asin, lambda z, x: (1 / sqrt(1 - x * x),))
arccos = primitive("arccos", math.acos, lambda z, x: (-1 / sqrt(1 - x * x),))
arctan = primitive("arctan", math.atan, lambda z, x: (1 / (1 + x * x),))
sinh = primitive("sinh", math.sinh, lambda z, x: (cosh(x),))
cosh: Primitive = primitive("cosh", math.cosh, lambda z, x: (sinh(x),))
tanh = primitive("tanh", math.tanh, lambda z, x: (1 - z * z,))
sigmoid = primitive("sigmoid", _sigmoid, lambda z, x: (z * (1 - z),), "σ")
softplus = primitive("softplus", lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), lambda z, x: (sigmoid(x),))
erf = primitive("erf", math.erf, lambda z, x: (2 / math.sqrt(math.pi) * exp(-x * x),))
# Kinks are pinned: relu'(0) = 0 and abs'(0) = 0. Written so that relu(nan) is nan.
relu = primitive("relu", lambda x: 0.0 if x <= 0 else x, lambda z, x: (1.0 if x > 0 else 0.0,), "ReLU")
absolute = primitive("abs", abs, lambda z, x: (1.0 * (x > 0) - 1.0 * (x < 0),), "| |")

# ---- functions of several numbers ------------------------------------------------------------------------------------

# At a tie each operand gets half of the gradient, as in PyTorch. With one operand nan the result is nan.
maximum = primitive(
    "maximum",
    lambda x, y: x if x >= y or math.isnan(x) else y,
    lambda z, x, y: (0.5 * ((x > y) + (x >= y)), 0.5 * ((y > x) + (y >= x))),
    "max",
)
minimum = primitive(
    "minimum",
    lambda x, y: x if x <= y or math.isnan(x) else y,
    lambda z, x, y: (0.5 * ((x < y) + (x <= y)), 0.5 * ((y < x) + (y <= x))),
    "min",
)

# At (0, 0), the tip of a cone, the slopes are pinned to 0, as that of abs is.
hypot: Primitive = primitive(
    "hypot", math.hypot, lambda z, x, y: (x / z if z > 0 else 0.0, y / z if z > 0 else 0.0), "√(x² + y²)"
)
# Divided twice, since the square of a large number overflows.
arctan2 = primitive(
    "arctan2", math.atan2, lambda z, y, x: (x / hypot(x, y) / hypot(x, y), -y / hypot(x, y) / hypot(x, y))
)
# One of two, by a condition that is 0 or 1. Both are computed; nothing flows back to the one that was not chosen.
where = primitive(
    "where",
    lambda condition, a, b: a if condition > 0 else b,
    lambda z, condition, a, b: (0.0, 1.0 if condition > 0 else 0.0, 0.0 if condition > 0 else 1.0),
)


def _vectors(v: Sequence[Any]) -> Sequence[Any]:
    """Split w₁ … wₙ, x₁ … xₙ, and a bias if their number is odd, into the two vectors and the bias."""
    n = len(v) // 2
    return v[:n], v[n : 2 * n], *v[2 * n :]


def _logsumexp(v: Sequence[float]) -> float:
    if not v:
        raise ValueError("expected one value at least, got none")
    largest = max(v)  # taken out, so that no exponential overflows
    if math.isinf(largest):
        return math.nan if any(map(math.isnan, v)) else largest
    return largest + math.log(sum([math.exp(x - largest) for x in v]))


def _softmax(v: Sequence[Any]) -> Sequence[Any]:
    """The shares exp(vᵢ) / Σ exp(vⱼ): of equal ones the same, how large they may be; exp(vᵢ - z) rounds there."""
    largest = max(v)
    shares = [exp(x - largest) for x in v] if -math.inf < largest < math.inf else [1.0 * (x >= largest) for x in v]
    total = sum(shares)
    return tuple([share / total for share in shares])


# A unit's input signal, bias + Σ wᵢxᵢ, as one node: the lecture's s, and what makes plain Python fast enough.
dot = primitive(
    "dot",
    lambda w, x, bias=0.0: sum(map(operator.mul, w, x), bias),
    lambda z, w, x, bias=None: (*x, *w) if bias is None else (*x, *w, 1.0),
    group=_vectors,
)
logsumexp = primitive(
    "logsumexp",
    _logsumexp,
    lambda z, v: _softmax(v),
    "log Σ exp",
    group=lambda v: (v,),
)


def _pick(values: Sequence[float], index: float) -> float:
    if not (index == int(index) and 0 <= index < len(values)):
        raise ValueError(f"the index into {len(values)} values is a whole number from 0 to {len(values) - 1}")
    return values[int(index)]


# One of several, by an index that is data: its derivative is 1 by the value picked, 0 by the others and the index.
pick = primitive(
    "pick",
    _pick,
    lambda z, values, index: (*[1.0 * (i <= index <= i) for i in range(len(values))], 0.0),
    group=lambda v: (v[:-1], v[-1]),
)

BUILT_IN = frozenset(TABLE)
