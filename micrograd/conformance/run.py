"""One case on one engine: run the code, look at what it left, and say what differs.

>>> from micrograd import Value
>>> from micrograd.conformance.discover import adapt
>>> from micrograd.conformance.cases import find
>>> adapter = adapt(Value, "from micrograd import Value", "Value")
>>> run_case(find("2.1"), adapter).outcome
'holds'
"""

import math
import re
import sys
import traceback
import tracemalloc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from micrograd.conformance.adapter import Adapter, AdapterError, close, plain
from micrograd.conformance.cases import AN_ERROR, AN_ERROR_OR_INF, AN_ERROR_OR_NAN, CASES, LEVELS, Case

__all__ = ["Finding", "Report", "Result", "Standing"]

HOLDS, WRONG, NOT_OFFERED = "holds", "wrong", "not offered"
NOT_RUN = "not run"  # since the engine had to be stopped too often: as good as wrong
SKIPPED = "skipped"  # since Hypothesis is not installed: no matter of the engine

# Errors that tell of a mistake in the engine, not of something that is undefined.
_SLIPS = (NameError, AttributeError, RecursionError, MemoryError, ImportError, SyntaxError)


@dataclass
class Finding:
    """One number that was looked at: the expression, what is right and how, and what was got.

    >>> finding = Finding("a.grad", right="4", got="2")
    >>> f"{finding.what}: expected {finding.right}, got {finding.got}"
    'a.grad: expected 4, got 2'
    """

    what: str
    right: str
    got: str


@dataclass
class Result:
    """What came of one case.

    >>> from micrograd import Value
    >>> from micrograd.conformance import check
    >>> result = check(Value, only=["2.1"]).results[0]
    >>> result.number, result.outcome
    ('2.1', 'holds')

    Attributes:
        number, title, why, known: the case's.
        outcome: HOLDS, WRONG, NOT_OFFERED, NOT_RUN or SKIPPED.
        code: that was run, in the words of the cases.
        example: the same in the engine's words, to paste into Python: it shows the failure.
        findings: the numbers that are wrong.
        problem: what happened instead of a number: an error, a crash, a time limit.
        printed: the beginning of what the engine printed meanwhile.
    """

    number: str
    title: str = ""
    outcome: str = HOLDS
    code: str = ""
    example: str = ""
    findings: list[Finding] = field(default_factory=list)
    problem: str = ""
    why: str = ""
    known: str = ""
    printed: str = ""

    @property
    def level(self) -> int:
        return int(self.number.partition(".")[0])

    def as_record(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_record(record: dict[str, Any]) -> "Result":
        return Result(**{**record, "findings": [Finding(**finding) for finding in record["findings"]]})


def chosen(level: int = len(LEVELS), only: Sequence[str] = ()) -> list[Case]:
    """The fixed cases up to that level, or those whose numbers, or levels, are given."""
    if only:
        return [case for case in CASES if case.number in only or str(case.level.number) in only]
    return [case for case in CASES if case.level.number <= level]


def run_case(case: Case, adapter: Adapter) -> Result:
    """What comes of a case on an engine. Whatever the engine raises becomes part of the result."""
    result = Result(case.number, case.title, code=case.code, why=case.why, known=case.known)
    missing = [need for need in case.needs if not adapter.offered(need)]
    if missing:
        result.outcome = NOT_OFFERED
        result.problem = ", ".join(missing)
        return result
    code = adapter.translate(case.code)
    undefined = any(right.startswith(AN_ERROR) for right in case.right.values())
    lines = [example_of(case, adapter)]
    with _tidied(), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            names = adapter.environment(adapter.imports(code))
            exec(compile(code, f"<case {case.number}>", "exec"), names)
            result.findings, prints = _compare(case, adapter, names)
            lines += prints
        except (Exception, SystemExit) as error:  # an engine may raise anything
            if undefined and not isinstance(error, _SLIPS):
                return result
            result.outcome = WRONG
            result.problem = describe(error)
            lines.append(f"# {result.problem}")
    if result.findings and not (undefined and any(issubclass(w.category, RuntimeWarning) for w in told)):
        result.outcome = WRONG
    if result.outcome == WRONG:
        result.example = "\n".join(lines)
    else:
        result.findings = []
    return result


@contextmanager
def _tidied() -> Iterator[None]:
    """What a case that fails in the middle would leave on is switched off again: a profiler, the tracing of memory."""
    profiler, tracing = sys.getprofile(), tracemalloc.is_tracing()
    try:
        yield
    finally:
        sys.setprofile(profiler)
        if tracemalloc.is_tracing() and not tracing:
            tracemalloc.stop()


def example_of(case: Case, adapter: Adapter) -> str:
    """The case's code in the engine's words, with its imports."""
    code = adapter.translate(case.code)
    return "\n".join(filter(None, (adapter.imports(code), code)))


def _compare(case: Case, adapter: Adapter, names: dict[str, Any]) -> tuple[list[Finding], list[str]]:
    """What is wrong, and the lines of the example that show it."""
    findings, lines = [], []
    for expression, right in case.right.items():
        what = adapter.translate(expression)
        got = eval(what, names)
        if is_right(got, right, adapter):
            continue
        finding = Finding(what, explained(right), _shown(got, adapter))
        findings.append(finding)
        lines.append(f"print({what})  # expected {finding.right}, got {finding.got}")
    return findings, lines


def is_right(got: Any, right: str, adapter: Adapter) -> bool:
    """Whether a result is what it should be: a number, or below a bound, or no number at all."""
    number = plain(got, adapter.data.removeprefix("{v}."))
    if right == AN_ERROR:
        return False
    if right == AN_ERROR_OR_INF:
        return number is not None and math.isinf(number)
    if right == AN_ERROR_OR_NAN:
        return number is not None and math.isnan(number)
    if right.startswith("<"):
        return number is not None and number < float(right[1:])
    if got is None:  # no gradient is as good as the gradient 0
        number = 0.0
    return number is not None and close(number, value_of(right), adapter.double)


def value_of(right: str) -> float:
    """The number that a case's arithmetic stands for."""
    return float(eval(right, {**vars(math), "sum": sum, "range": range}))


def explained(right: str) -> str:
    """The right number, and the arithmetic behind it if there is any."""
    if right.startswith(("<", AN_ERROR)):
        return right
    number = value_of(right)
    try:
        float(right)
    except ValueError:
        return f"{number:.10g} = {right}"
    return f"{number:.10g}"


def _shown(got: Any, adapter: Adapter) -> str:
    number = plain(got, adapter.data.removeprefix("{v}."))
    if number is not None:
        return f"{number:.10g}"
    return _brief(got)


def _brief(thing: Any) -> str:
    try:
        text = repr(thing)
    except Exception as error:  # a student's __repr__
        text = f"an object whose repr raises {type(error).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}…"


def describe(error: BaseException) -> str:
    """An error in one line, with the place in the engine where it was raised."""
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
    if isinstance(error, AdapterError):
        return text
    if isinstance(error, TypeError):
        said += _method_for(text)
    if isinstance(error, SyntaxError):
        return said
    places = [f for f in traceback.extract_tb(error.__traceback__, limit=-20) if not _is_ours(f.filename)]
    if not places:
        return said
    place = f"{Path(places[-1].filename).name}, line {places[-1].lineno}"
    return f"{said}  (in {place}: {places[-1].line})" if places[-1].line else f"{said}  (in {place})"


def _method_for(text: str) -> str:
    """For "unsupported operand type(s) for +: 'int' and 'Value'", which method Python looks for."""
    found = re.search(r"operand type(?:\(s\))? for (unary -|\S+)(?: or pow\(\))?: '(\w+)'(?: and '(\w+)')?", text)
    names = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "**": "pow"}
    if not found or found[1] not in (*names, "unary -"):
        return ""
    if found[1] == "unary -":
        return f"; Python looks for a method __neg__ of {found[2]}"
    if found[2] in ("int", "float"):
        return f"; Python looks for a method __r{names[found[1]]}__ of {found[3]}"
    return f"; Python looks for a method __{names[found[1]]}__ of {found[2]}"


def _is_ours(filename: str) -> bool:
    """Whether a file has no part in what went wrong: the suite's, or those that import."""
    folder = Path(filename).parent
    return filename.startswith("<") or folder == Path(__file__).parent or folder.name == "importlib"


@dataclass
class Standing:
    """How an engine stands at one level.

    >>> Standing(level=1, holds=8, wrong=1).passed
    False

    Attributes:
        level: its number.
        holds, wrong, not_offered: how many cases.
        missing: what the level requires, and the engine has not.
    """

    level: int
    holds: int = 0
    wrong: int = 0
    not_offered: int = 0
    missing: str = ""

    @property
    def passed(self) -> bool:
        return self.wrong == 0 and self.holds > 0 and not self.missing


def standings(results: Sequence[Result], offers: Sequence[str]) -> list[Standing]:
    """By level, in order: what holds, and whether what the level requires is there.

    Args:
        offers: the needs that the engine meets; empty if no engine was found.
    """
    return list(_standings(results, set(offers)))


def _standings(results: Sequence[Result], offers: set[str]) -> Iterator[Standing]:
    for level in LEVELS:
        mine = [result for result in results if result.level == level.number and result.outcome != SKIPPED]
        if not mine:
            continue
        standing = Standing(level.number)
        for result in mine:
            if result.outcome == HOLDS:
                standing.holds += 1
            elif result.outcome == NOT_OFFERED:
                standing.not_offered += 1
            else:
                standing.wrong += 1
        lacking = [group for group in level.requires if not offers.intersection(group)]
        standing.missing = "; ".join(" or ".join(group) for group in lacking)
        yield standing


def offers_of(adapter: Adapter) -> list[str]:
    """All that an engine offers beyond what every one has."""
    return sorted({*adapter.functions, *(name for name in adapter.helpers if " " not in name), *adapter.offers})


@dataclass
class Report:
    """All that is known of one engine.

    >>> from micrograd import Value
    >>> from micrograd.conformance import check
    >>> report = check(Value, level=2)
    >>> report.reached, report.holds
    (2, True)

    Attributes:
        engine: its name and version, or what was given to find it.
        problem: why nothing could be run; empty if something could.
        offers, names: what it offers beyond the required, and what it calls things.
        results: of each case, in their order.
    """

    engine: str
    problem: str = ""
    offers: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    @property
    def levels(self) -> list[Standing]:
        return standings(self.results, self.offers)

    @property
    def holds(self) -> bool:
        """Whether all that is offered holds, and each level has what it requires."""
        return bool(self.results) and all(standing.passed for standing in self.levels)

    @property
    def reached(self) -> int:
        """The level up to which all are passed; 0 if not even the first is."""
        reached = 0
        for standing in self.levels:
            if not standing.passed:
                break
            reached = standing.level
        return reached
