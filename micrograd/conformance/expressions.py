"""Random expressions with shared nodes, and the smallest one that an engine gets wrong.

Hypothesis draws programs of at most five operations and shrinks the first that fails. What is right comes from dual
numbers: each carries its slopes by all leaves along, forwards, so nothing is shared with the way an engine works.

>>> leaf = Dual(3.0, (1.0,))
>>> (leaf * leaf).slopes
(6.0,)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from micrograd.conformance.adapter import Adapter
from micrograd.conformance.cases import CASES, FUNCTIONS, LEVELS, Case
from micrograd.conformance.run import NOT_OFFERED, SKIPPED, WRONG, Result, chosen, run_case

TITLES = {
    "2.random": "Random sums and products with shared nodes",
    "3.random": "Two losses over random shared nodes",
    "4.random": "Random expressions with all functions that are offered",
}
WHY = "Found by trying many, and made as small as possible."
KNOWN = "dual numbers: every slope is carried along forwards"
OPERATIONS = 5
EXAMPLES = 200
ARITHMETIC = ("{} + {}", "{} - {}", "{} * {}", "-{}")
MORE = ("{} / {}", "{} ** 2", "{} ** 3", "2 - {}", "3 * {}", "{} / 4", "1 / {}")

# Kinks and poles are level 7's; here every expression is smooth at its point, and of a size that rounding leaves alone.
_LARGEST = 1e3
_NEAREST = 1e-2
_FLAT = 5.0  # beyond it, 1 - z² has lost the digits that 1/cosh² has


class UnsuitableError(ValueError):
    """An expression at, or too near, a point where it is undefined, kinked or huge."""


@dataclass(frozen=True)
class Dual:
    """A number with its slopes by the leaves."""

    data: float
    slopes: tuple[float, ...]

    def _with(self, data: float, own: float, other: "Dual | None" = None, others: float = 0.0) -> "Dual":
        slopes = [own * s for s in self.slopes]
        if other is not None:
            slopes = [s + others * t for s, t in zip(slopes, other.slopes)]
        if abs(data) > _LARGEST or any(abs(s) > _LARGEST for s in slopes):
            raise UnsuitableError
        return Dual(data, tuple(slopes))

    def _constant(self, number: float) -> "Dual":
        return Dual(float(number), (0.0,) * len(self.slopes))

    def __neg__(self) -> "Dual":
        return self._with(-self.data, -1.0)

    def __add__(self, other: "Dual") -> "Dual":
        return self._with(self.data + other.data, 1.0, other, 1.0)

    def __sub__(self, other: "Dual") -> "Dual":
        return self._with(self.data - other.data, 1.0, other, -1.0)

    def __rsub__(self, number: float) -> "Dual":
        return self._constant(number) - self

    def __mul__(self, other: "Dual") -> "Dual":
        return self._with(self.data * other.data, other.data, other, self.data)

    def __rmul__(self, number: float) -> "Dual":
        return self._constant(number) * self

    def __truediv__(self, other: "Dual | float") -> "Dual":
        if not isinstance(other, Dual):
            other = self._constant(other)
        if abs(other.data) < _NEAREST:
            raise UnsuitableError
        quotient = self.data / other.data
        return self._with(quotient, 1 / other.data, other, -quotient / other.data)

    def __rtruediv__(self, number: float) -> "Dual":
        return self._constant(number) / self

    def __pow__(self, exponent: int) -> "Dual":
        return self._with(self.data**exponent, exponent * self.data ** (exponent - 1))

    def exp(self) -> "Dual":
        if self.data > math.log(_LARGEST):
            raise UnsuitableError
        return self._with(math.exp(self.data), math.exp(self.data))

    def log(self) -> "Dual":
        self._require_positive()
        return self._with(math.log(self.data), 1 / self.data)

    def sqrt(self) -> "Dual":
        self._require_positive()
        return self._with(math.sqrt(self.data), 0.5 / math.sqrt(self.data))

    def tanh(self) -> "Dual":
        self._require_unsaturated()
        return self._with(math.tanh(self.data), 1 / math.cosh(self.data) ** 2)

    def sigmoid(self) -> "Dual":
        self._require_unsaturated()
        half = math.tanh(self.data / 2)
        return self._with((1 + half) / 2, (1 - half * half) / 4)

    def relu(self) -> "Dual":
        if abs(self.data) < _NEAREST:
            raise UnsuitableError
        return self._with(max(self.data, 0.0), float(self.data > 0))

    def sin(self) -> "Dual":
        return self._with(math.sin(self.data), math.cos(self.data))

    def cos(self) -> "Dual":
        return self._with(math.cos(self.data), -math.sin(self.data))

    def _require_unsaturated(self) -> None:
        if abs(self.data) > _FLAT:
            raise UnsuitableError

    def _require_positive(self) -> None:
        if self.data < _NEAREST:
            raise UnsuitableError


def available() -> bool:
    """Whether Hypothesis is installed."""
    try:
        import hypothesis  # noqa: F401, PLC0415  # the fixed cases do without
    except ImportError:
        return False
    return True


def run_random(number: str, adapter: Adapter, seed: int = 0, examples: int = EXAMPLES) -> Result:
    """The smallest of so many random expressions that the engine gets wrong, if it does; SKIPPED without Hypothesis."""
    if not available():
        return Result(number, TITLES[number], SKIPPED, problem="install hypothesis for random expressions")
    if number == "3.random" and not adapter.offered("state"):
        return Result(number, TITLES[number], NOT_OFFERED, problem="state")
    templates = list(ARITHMETIC)
    if number == "4.random":
        templates += MORE + tuple(f"{{}}.{name}()" for name in FUNCTIONS if adapter.offered(name))
    failed = _smallest(number, templates, adapter, seed, examples)
    return failed or Result(number, TITLES[number], why=WHY, known=KNOWN)


def _smallest(number: str, templates: Sequence[str], adapter: Adapter, seed: int, examples: int) -> Result | None:
    import hypothesis  # noqa: PLC0415  # the fixed cases do without
    from hypothesis import strategies  # noqa: PLC0415

    failed: list[Result] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(strategies.data())
    def try_one(data: Any) -> None:
        case = draw(number, templates, lambda choices: data.draw(strategies.sampled_from(choices)))
        if case is None:
            hypothesis.reject()
        result = run_case(case, adapter)
        if result.outcome == WRONG:
            failed.append(result)
            raise _FailedError

    try:
        try_one()
    except Exception:  # _FailedError, or that the engine does not fail each time
        if not failed:
            raise
    return failed[-1] if failed else None


def numbers(level: int = len(LEVELS), only: Sequence[str] = ()) -> list[str]:
    """The numbers of the cases to run, random ones among them, level by level.

    Raises TypeError or ValueError for what is no level, or no number of a case.
    """
    if level not in range(1, len(LEVELS) + 1):
        raise ValueError(f"level must be a whole number from 1 to {len(LEVELS)}, got {level!r}")
    if isinstance(only, str) or not isinstance(only, Sequence):
        raise TypeError(f"only must be a list of cases or levels, got {only!r}; write only=['{only}']")
    known = {*TITLES, *(case.number for case in CASES), *(str(level.number) for level in LEVELS)}
    for number in only:
        if number not in known:
            raise ValueError(f"expected a case or a level, such as '2.1' or '2', got {number!r}; --list shows all")
    fixed = [case.number for case in chosen(level, only)]
    drawn = [n for n in TITLES if (n in only or n[0] in only if only else int(n[0]) <= level)]
    return sorted(fixed + drawn, key=lambda number: int(number.partition(".")[0]))


def allowed(number: str, seconds: float) -> float:
    """The seconds for a case, where a fixed one has so many: random ones try hundreds of expressions."""
    return 3 * seconds if number in TITLES else seconds


class _FailedError(AssertionError):
    """An expression that the engine gets wrong."""


def draw(number: str, templates: Sequence[str], choose: Callable[[Sequence[Any]], Any]) -> Case | None:
    """A program of leaves and operations, as a case; None if it is unsuitable.

    Args:
        number: the case's; "3.random" has two losses.
        templates: operations, with ``{}`` for each operand.
        choose: picks one of several, the simplest first.
    """
    names = ["a", "b", "c"][: choose([1, 2, 3])]
    lines, duals, scope = [], {}, list(names)
    for k, name in enumerate(names):
        data = choose([2.0, 3.0, 0.5, -1.0, -2.0, 1.5])
        duals[name] = Dual(data, tuple(float(j == k) for j in range(len(names))))
        lines.append(f"{name} = Value({data})")
    for k in range(choose(range(1, OPERATIONS + 1))):
        template = choose(templates)
        operands = [scope[-1], choose(scope[::-1])]  # nothing is computed in vain: each uses the one before it
        if template.count("{}") == 2 and choose([False, True]):
            operands.reverse()
        expression = template.format(*operands)
        name = f"v{k + 1}"
        try:
            duals[name] = eval(expression, {}, duals)
        except UnsuitableError:
            return None
        lines.append(f"{name} = {expression}")
        scope.append(name)
    losses = [scope[-1]]
    if number == "3.random":
        losses.append(choose(scope[: len(names) - 1 : -1]))  # not a leaf
    lines += [f"{loss}.backward()" for loss in losses]
    right = {f"{losses[0]}.data": repr(duals[losses[0]].data)}
    for k, name in enumerate(names):
        right[f"{name}.grad"] = repr(sum(duals[loss].slopes[k] for loss in losses))
    return Case(number, TITLES[number], "\n".join(lines), right, WHY, known=KNOWN)
