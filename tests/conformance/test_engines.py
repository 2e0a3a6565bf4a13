"""Engines with one mistake each fail the case that is meant for it, and pass the levels below; right engines pass.

Examples can be pasted at a prompt, and show the failure there.
"""

import code
import contextlib
import io
import sys
import tracemalloc

import pytest
from wrong import ENGINES, RIGHT, WRONG, source

from micrograd.conformance import run
from micrograd.conformance.adapter import Adapter
from micrograd.conformance.cases import CASES, find
from micrograd.conformance.expressions import TITLES, numbers, run_random
from micrograd.conformance.run import HOLDS, NOT_OFFERED, is_right, run_case

STYLES = sorted(path.stem for path in ENGINES.glob("*.py"))


def outcome(number, adapter):
    return run_random(number, adapter, examples=15) if number in TITLES else run_case(find(number), adapter)


def at_the_prompt(example):
    """What Python prints when the lines are pasted, one after another, at its prompt."""
    out = io.StringIO()
    prompt = code.InteractiveConsole()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        for line in example.splitlines():
            prompt.push(line)
    return out.getvalue()


def shows(printed, result):
    """Whether what was printed is what the result says: its wrong numbers, or its error."""
    if result.problem:
        return result.problem.partition(":")[0] in printed
    lines = printed.splitlines()
    if result.level == 8:  # measured, so not the same again
        return not is_right(float(lines[-1]), next(iter(find(result.number).right.values())), Adapter(""))
    return len(lines) == len(result.findings) > 0 and all(
        line == finding.got or float(line) == pytest.approx(float(finding.got), rel=1e-8)
        for line, finding in zip(lines, result.findings)
    )


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_fails_the_case_meant_for_it_and_no_level_below(mistake, engine):
    adapter = engine(source(mistake))
    meant = WRONG[mistake][0]
    result = run_case(find(meant), adapter)
    assert result.outcome == run.WRONG, f"{meant} does not see: {mistake}"
    levels = [str(level) for level in range(1, int(meant[0]))]
    below = {number: outcome(number, adapter).outcome for number in (numbers(only=levels) if levels else [])}
    assert [number for number, came in below.items() if came not in (HOLDS, NOT_OFFERED)] == []
    assert shows(at_the_prompt(result.example), result)


@pytest.mark.parametrize(
    ("number", "line", "method"),
    [
        ("4.2", "    def __radd__(self, other):\n        return self + other\n\n", "__radd__ of Value"),
        (
            "4.8",
            "    def __rtruediv__(self, other):\n        return as_value(other) / self\n\n",
            "__rtruediv__ of Value",
        ),
        (
            "1.5",
            "    def __neg__(self):\n        return Value(-self.data, (self,), lambda g: (-g,))\n\n",
            "__neg__ of Value",
        ),
    ],
)
def test_the_method_that_is_not_there_is_named(number, line, method, engine):
    assert line in RIGHT
    result = run_case(find(number), engine(RIGHT.replace(line, "")))
    assert result.problem.startswith("TypeError: ")
    assert result.problem.endswith(f"; Python looks for a method {method}")


@pytest.mark.parametrize("number", ["8.3", "8.5"])
def test_a_case_that_fails_in_the_middle_leaves_nothing_switched_on(number, engine):
    before = sys.getprofile(), tracemalloc.is_tracing()
    text = RIGHT.replace("        self.grad += 1.0\n", "        raise ArithmeticError\n")
    assert run_case(find(number), engine(text)).problem.startswith("ArithmeticError")
    assert (sys.getprofile(), tracemalloc.is_tracing()) == before


def test_there_are_thirty_mistakes_and_some_on_every_level():
    assert len(WRONG) >= 30
    assert {meant[0] for meant, _ in WRONG.values()} == set("123456789")


@pytest.mark.parametrize("style", STYLES)
def test_a_right_engine_passes_whatever_its_style(style, engine):
    name = {"closures": "Value", "tape_list": "Var", "duals": "Dual", "operator_objects": "Scalar"}.get(style, "Tensor")
    adapter = engine((ENGINES / f"{style}.py").read_text(encoding="utf-8"), f"written_engine:{name}")
    results = [outcome(number, adapter) for number in numbers()]
    assert [(r.number, r.problem, r.findings) for r in results if r.outcome not in (HOLDS, NOT_OFFERED)] == []
    assert all(standing.passed for standing in run.standings(results, run.offers_of(adapter)))


def test_there_are_five_styles():
    assert len(STYLES) == 5


@pytest.mark.parametrize(
    ("mistake", "number"),
    [
        ("= in place of +=", "2.random"),
        ("level by level, not in topological order", "2.random"),
        ("interior nodes keep what they had", "3.random"),
        ("a quotient's second slope", "4.random"),
        ("tanh's slope from its input", "4.random"),
    ],
)
def test_a_random_failure_has_at_most_five_operations_and_shows_when_pasted(mistake, number, engine):
    result = run_random(number, engine(source(mistake)), seed=3)
    assert result.outcome == run.WRONG
    operations = [line for line in result.code.splitlines() if line.startswith("v") and " = " in line]
    assert 1 <= len(operations) <= 5
    assert shows(at_the_prompt(result.example), result)


def test_the_same_seed_finds_the_same(engine):
    adapter = engine(source("= in place of +="))
    first, again = (run_random("2.random", adapter, seed=5) for _ in range(2))
    assert first == again


def test_an_empty_engine_passes_no_level_that_requires_something(engine):
    """Sums, products and powers alone: level 4 requires a function, and says so."""
    text = (ENGINES / "closures.py").read_text(encoding="utf-8")
    start, end = text.index("    def exp(self)"), text.index("    def backward(self)")
    adapter = engine(text[:start] + text[end:])
    results = [run_case(case, adapter) for case in CASES if case.level.number in (1, 4, 5)]
    one, four, five = run.standings(results, run.offers_of(adapter))
    assert one.passed
    assert not four.passed
    assert "tanh" in four.missing
    assert not five.passed
    assert five.missing == "tanh or relu or sigmoid"
