"""Call a rule of plain arithmetic on symbols: what comes back says which operations the rule is made of.

>>> trace(lambda x: x if x > 0 else 0.1 * x, 1)
[select(ogt(x0, 0.0), x0, fmul(0.1, x0))]

A rule is a function of numbers: the forward rule or the partials of a primitive, or what an optimizer does to a
parameter. In it, functions of ``math`` stand for the same function of C, and helper functions are followed. Where the
rule asks (``if``, ``and``, ``max``), it is called once for each answer, and the answers meet in a select. Where it
raises ArithmeticError or ValueError, the result is nan. A rule that does anything else raises ``Untraceable``.

Where functions of ``math`` and divisions raise an error, machine code goes on with inf or nan, and 1 / (1 + inf) is 0
again. So to the results of users' rules 0 times what these gave on the way is added:

>>> trace(lambda x: 1 / math.exp(x), 1, checked=True)
[fadd(fdiv(1.0, exp(x0)), fmul(-0.0, fabs(exp(x0))))]
"""

import contextlib
import functools
import math
import operator
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from numbers import Real
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

from micrograd import ops
from micrograd.ops import Primitive
from micrograd.tape.outside import names_in

QUESTIONS, PATHS, SYMBOLS = 12, 256, 5000  # at most: questions one after the other, ways through a rule, operations

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "fadd": operator.add,
    "fsub": operator.sub,
    "fmul": operator.mul,
    "fdiv": operator.truediv,
    "fneg": operator.neg,
    "fabs": abs,
    "select": lambda condition, one, other: one if condition else other,
}
# As LLVM names them: with nan, only ``une`` (not equal) and ``uno`` (one of the two is nan) are true.
COMPARISONS: dict[str, Callable[..., bool]] = {
    "olt": operator.lt,
    "ole": operator.le,
    "ogt": operator.gt,
    "oge": operator.ge,
    "oeq": operator.eq,
    "une": operator.ne,
    "uno": lambda a, b: math.isnan(a) or math.isnan(b),
}
# Functions of C with as many numbers as they take; in ``math`` they have the same name, but for gamma.
_OF_ONE = (
    *("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "erf", "erfc", "gamma", "lgamma"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("floor", "ceil", "trunc"),
)
_OF_TWO = ("pow", "atan2", "hypot", "copysign", "fmod", "remainder")
_C_NAMES = {"gamma": "tgamma"}
CALLS: dict[str, Callable[..., Any]] = {
    _C_NAMES.get(name, name): getattr(math, name)
    for name in (*_OF_ONE, *_OF_TWO)
    if hasattr(math, name)  # exp2 and cbrt are new in Python 3.11
}
OPERATIONS = ARITHMETIC | COMPARISONS | CALLS
KNOWN = ops.BUILT_IN | {"power"}  # primitives whose rules are finite on the way if the result is


class Untraceable(TypeError):  # noqa: N818 - it says what the rule is
    """A rule does what symbols cannot follow. The message names the rule and what it did."""


class Symbol:
    """An operation on symbols. Equal ones of one trace are one object, so they are told apart by ``is``.

    Attributes:
        op: "argument", "number", or a key of ``OPERATIONS``.
        args: symbols; of an argument its position, of a number the float.
        known: the value if it is known while tracing, since it is made of numbers and settings alone; else None.
    """

    __slots__ = ("args", "known", "op")
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # so that a NumPy number leaves arithmetic to the symbol

    def __init__(self, op: str, args: tuple[Any, ...], known: float | None = None) -> None:
        self.op = op
        self.args = args
        self.known = known

    @property
    def truth(self) -> bool:
        """Whether it is a comparison, not a number."""
        return self.op in COMPARISONS

    def __repr__(self) -> str:
        if self.op == "argument":
            return f"x{self.args[0]}"
        return repr(self.args[0]) if self.op == "number" else f"{self.op}({', '.join(map(repr, self.args))})"

    def __bool__(self) -> bool:
        return _trace().answer(self if self.truth else _symbol("une", self, 0.0))

    def __float__(self) -> float:
        raise TypeError("it takes float(…) of a number that is not known yet, or hands it to a function of C")

    __int__ = __index__ = __float__

    def _record(self, primitive: Primitive, operands: Sequence[Any]) -> "Symbol":
        """What a primitive asks of its operands."""
        return _number(_trace().substitute(primitive.forward)(*primitive.group(operands)))

    def __neg__(self) -> "Symbol":
        return _symbol("fneg", self)

    def __pos__(self) -> "Symbol":
        return _number(self)

    def __abs__(self) -> "Symbol":
        return _symbol("fabs", self)

    def __pow__(self, exponent: Any) -> "Symbol":
        return _power(self, exponent)

    def __rpow__(self, base: Any) -> "Symbol":
        return _symbol("pow", base, self)

    def __add__(self, other: Any) -> "Symbol":
        return _symbol("fadd", self, other)

    def __radd__(self, other: Any) -> "Symbol":
        return _symbol("fadd", other, self)

    def __sub__(self, other: Any) -> "Symbol":
        return _symbol("fsub", self, other)

    def __rsub__(self, other: Any) -> "Symbol":
        return _symbol("fsub", other, self)

    def __mul__(self, other: Any) -> "Symbol":
        return _symbol("fmul", self, other)

    def __rmul__(self, other: Any) -> "Symbol":
        return _symbol("fmul", other, self)

    def __truediv__(self, other: Any) -> "Symbol":
        return _symbol("fdiv", self, other)

    def __rtruediv__(self, other: Any) -> "Symbol":
        return _symbol("fdiv", other, self)

    def __lt__(self, other: Any) -> "Symbol":
        return _symbol("olt", self, other)

    def __le__(self, other: Any) -> "Symbol":
        return _symbol("ole", self, other)

    def __gt__(self, other: Any) -> "Symbol":
        return _symbol("ogt", self, other)

    def __ge__(self, other: Any) -> "Symbol":
        return _symbol("oge", self, other)

    def __eq__(self, other: Any) -> "Symbol":  # type: ignore[override]
        return _symbol("oeq", self, other)

    def __ne__(self, other: Any) -> "Symbol":  # type: ignore[override]
        return _symbol("une", self, other)


def trace(
    rule: Callable[..., Any],
    count: int,
    settings: Sequence[float | None] = (),
    name: str | None = None,
    checked: bool = False,
) -> list[Symbol]:
    """The expressions that ``rule`` returns for ``count`` arguments: one, or as many as its tuple or list has.

    Args:
        rule: a function of numbers.
        settings: numbers that the first arguments have while tracing, or None: what the rule asks about these alone
            is answered at once. The expressions have the arguments in them all the same.
        name: how to call the rule in a message.
        checked: whether the results are nan where a function or a division on the way has no finite answer.

    Raises Untraceable.
    """
    state = _Trace(checked)
    token = _TRACE.set(state)
    try:
        arguments = [
            state.symbol("argument", k, known=None if k >= len(settings) else settings[k]) for k in range(count)
        ]
        call = state.substitute(rule)
        results = state.paths(lambda: call(*arguments), ())
        if results is None:
            raise Untraceable("it raises an error, whatever the numbers are")
        return results
    except Exception as cause:
        name = name or getattr(rule, "__qualname__", repr(rule))
        way = "write it in arithmetic, comparisons, functions of math, and primitives"
        raise Untraceable(f"{name} cannot be compiled: {cause}; {way}") from cause
    finally:
        _TRACE.reset(token)


def forward(op: Primitive, operands: int, constants: int = 0) -> Symbol:
    """What ``op`` computes from operands and constants; a constant of ``power`` is its exponent."""
    rule = _family(op, operands, constants, "forward")
    results = trace(rule, operands + constants, name=f"the rule of {op.name}", checked=op.name not in KNOWN)
    if len(results) != 1:
        raise Untraceable(f"the rule of {op.name}: expected one number, got {len(results)}")
    return results[0]


def partials(op: Primitive, operands: int, constants: int = 0) -> list[Symbol]:
    """The local derivatives of ``op`` by its operands; argument 0 is the output, then come operands and constants."""
    rule = _family(op, operands + 1, constants, "partials")
    name = f"the partials of {op.name}"
    results = trace(rule, 1 + operands + constants, name=name, checked=op.name not in KNOWN)
    expected = operands + constants * (op.constant is None)
    if len(results) != expected:
        raise Untraceable(f"the partials of {op.name}: expected {expected} for its operands, got {len(results)}")
    return results[:operands]


def _family(op: Primitive, numbers: int, constants: int, part: str) -> Callable[..., Any]:
    """The rule of ``op``; of a family such as ``power`` that of the member with the constants, which are symbols."""
    if not constants or op.constant is None:
        rule: Callable[..., Any] = getattr(op, part)
        return rule

    def rule_of_a_member(*arguments: Any) -> Any:
        member = ops.power.__wrapped__(*arguments[numbers:])
        return _trace().substitute(getattr(member, part))(*arguments[:numbers])

    return rule_of_a_member


def ordered(results: Sequence[Symbol]) -> list[Symbol]:
    """The symbols that the results are made of, each once, operands first."""
    found: dict[int, Symbol] = {}
    waiting = [*reversed(results)]
    while waiting:
        symbol = waiting[-1]
        missing = [a for a in symbol.args if isinstance(a, Symbol) and id(a) not in found]
        if missing and id(symbol) not in found:
            waiting += reversed(missing)
        else:
            found.setdefault(id(waiting.pop()), symbol)
    return [*found.values()]


class _Trace:
    """What is known while a rule is called on symbols."""

    def __init__(self, checked: bool) -> None:
        self.checked = checked
        self.on_the_way: list[Symbol] = []  # what may raise an error in Python, on the path that is being taken
        self.symbols: dict[tuple[Any, ...], Symbol] = {}
        self.substitutes: dict[int, tuple[Any, Any]] = {}  # by id; the original is kept, so that no other gets its id
        self.plan: tuple[bool, ...] = ()
        self.asked: list[tuple[Symbol, bool]] = []
        self.runs = 0

    def symbol(self, op: str, *args: Any, known: float | None = None) -> Symbol:
        key = (op, *[id(a) if isinstance(a, Symbol) else repr(a) for a in args])
        if key not in self.symbols:
            if len(self.symbols) >= SYMBOLS:
                raise Untraceable(f"it has more than {SYMBOLS} operations")
            if op in OPERATIONS and all([a.known is not None for a in args]):
                known = OPERATIONS[op](*[a.known for a in args])
            self.symbols[key] = Symbol(op, args, known)
        found = self.symbols[key]
        if (op in CALLS or op == "fdiv") and found.known is None:
            self.on_the_way.append(found)
        return found

    def answer(self, condition: Symbol) -> bool:
        """The answer to a question: known, given before, planned, or at first True."""
        if condition.known is not None:
            return bool(condition.known)
        for known, answer in self.asked:
            if known is condition:
                return answer
        k = len(self.asked)
        if k == QUESTIONS:
            raise Untraceable(f"it asks more than {QUESTIONS} questions one after the other")
        self.asked.append((condition, self.plan[k] if k < len(self.plan) else True))
        return self.asked[-1][1]

    def paths(self, call: Callable[[], Any], plan: tuple[bool, ...]) -> list[Symbol] | None:
        """The results if the first questions are answered as planned; None if an error is raised on each path."""
        self.runs += 1
        if self.runs > PATHS:
            raise Untraceable(f"there are more than {PATHS} ways through it")
        self.plan, self.asked, self.on_the_way = plan, [], []
        asked = self.asked
        try:
            answer = call()
            numbers = [_number(x) for x in (answer if isinstance(answer, tuple | list) else [answer])]
            found = self.check(numbers) if self.checked else numbers
        except (ArithmeticError, ValueError):
            found = None
        for k in reversed(range(len(plan), len(asked))):
            other = self.paths(call, (*[given for _, given in asked[:k]], False))
            found = self.join(asked[k][0], found, other)
        return found

    def check(self, results: list[Symbol]) -> list[Symbol]:
        """The same numbers, but nan if a call or a division on the way gave none: -0.0 times a finite one is added."""
        passed = {id(symbol): abs(symbol) for symbol in self.on_the_way if not any([symbol is x for x in results])}
        if not passed:
            return results
        nothing = -0.0 * functools.reduce(operator.add, passed.values())
        return [x + nothing for x in results]

    def join(self, condition: Symbol, one: list[Symbol] | None, other: list[Symbol] | None) -> list[Symbol] | None:
        if one is None and other is None:
            return None
        nan = _number(math.nan)
        one = one if one is not None else [nan] * len(other or ())
        other = other if other is not None else [nan] * len(one)
        if len(one) != len(other):
            raise Untraceable(f"it returns now {len(one)} numbers, now {len(other)}")
        return [a if a is b else self.symbol("select", condition, a, b) for a, b in zip(one, other)]

    def substitute(self, thing: Any) -> Any:
        """What stands for a function, or for ``math``, where a rule is called on symbols; other things stay."""
        if id(thing) not in self.substitutes:
            self.substitutes[id(thing)] = thing, thing
            self.substitutes[id(thing)] = thing, self._substitute(thing)
        return self.substitutes[id(thing)][1]

    def _substitute(self, thing: Any) -> Any:
        if thing is math:
            module = ModuleType("math")
            vars(module).update({name: self.substitute(x) for name, x in vars(math).items()})
            return module
        if isinstance(thing, BuiltinFunctionType) and thing.__module__ == "math":
            return functools.partial(_math, thing)
        if isinstance(thing, FunctionType):
            return self._function(thing)
        if isinstance(thing, MethodType):
            return MethodType(self.substitute(thing.__func__), thing.__self__)
        if isinstance(thing, functools.partial):
            return functools.partial(self.substitute(thing.func), *thing.args, **thing.keywords)
        if isinstance(thing, functools._lru_cache_wrapper):
            return self.substitute(thing.__wrapped__)
        return thing

    def _function(self, function: FunctionType) -> FunctionType:
        scope = dict(function.__globals__)
        cells = tuple([CellType() for _ in function.__closure__ or ()])
        copy = FunctionType(function.__code__, scope, function.__name__, None, cells or None)
        self.substitutes[id(function)] = function, copy  # before what it uses, which may use it
        for name in {*names_in(function.__code__)} & scope.keys():
            scope[name] = self.substitute(scope[name])
        for cell, original in zip(cells, function.__closure__ or ()):
            with contextlib.suppress(ValueError):  # nothing is in it yet
                cell.cell_contents = self.substitute(original.cell_contents)
        copy.__defaults__ = function.__defaults__ and tuple(map(self.substitute, function.__defaults__))
        copy.__kwdefaults__ = {name: self.substitute(x) for name, x in (function.__kwdefaults__ or {}).items()}
        return copy


_TRACE: ContextVar[_Trace] = ContextVar("trace")


def _trace() -> _Trace:
    try:
        return _TRACE.get()
    except LookupError:
        raise Untraceable("a number of a rule that was traced is used after its end") from None


def _number(x: Any) -> Symbol:
    """``x`` as a symbol that is a number: a comparison is 1 or 0."""
    if isinstance(x, Symbol):
        return _trace().symbol("select", x, _number(1.0), _number(0.0)) if x.truth else x
    if not isinstance(x, Real):
        raise Untraceable(f"expected a real number, got {x!r} ({type(x).__name__})")
    return _trace().symbol("number", float(x), known=float(x))


def _symbol(op: str, *operands: Any) -> Symbol:
    return _trace().symbol(op, *[_number(x) for x in operands])


def _power(base: Any, exponent: Any) -> Symbol:
    """Where products, a quotient or a root do it, they are quicker and round as a person expects."""
    x = _number(base)
    if isinstance(exponent, Symbol) or exponent not in (-1, 0, 0.5, 1, 2, 3):
        return _symbol("pow", x, exponent)
    if exponent == 0.5:
        return _symbol("sqrt", x)
    if exponent == -1:
        return 1.0 / x
    result = _number(1.0) if exponent == 0 else x
    for _ in range(int(exponent) - 1):
        result = result * x
    return result


def _math(function: Callable[..., Any], *operands: Any) -> Any:
    """A function of ``math`` on symbols."""
    if not any([isinstance(x, Symbol) for x in operands]):
        return function(*operands)
    name = function.__name__
    x = operands[0]
    if name == "pow":
        return _power(*operands)
    if name == "isnan":
        return _symbol("uno", x, x)
    if name == "isinf":
        return _symbol("oeq", abs(x), math.inf)
    if name == "isfinite":
        return _symbol("olt", abs(x), math.inf)
    if name == "fabs":
        return abs(x)
    if name == "log" and len(operands) == 2:
        return _symbol("log", x) / _symbol("log", operands[1])
    if name not in (*_OF_ONE, *_OF_TWO) or len(operands) != 1 + (name in _OF_TWO):
        raise Untraceable(f"it calls math.{name} with {len(operands)} numbers")
    return _symbol(_C_NAMES.get(name, name), *operands)
