"""Random expressions: what is right in them comes from dual numbers, which agree with our engine."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd.conformance import expressions
from micrograd.conformance.cases import FUNCTIONS
from micrograd.conformance.discover import load
from micrograd.conformance.expressions import ARITHMETIC, MORE, OPERATIONS, TITLES, Dual, draw, numbers, run_random
from micrograd.conformance.run import HOLDS, SKIPPED, run_case

ALL = [*ARITHMETIC, *MORE, *(f"{{}}.{name}()" for name in FUNCTIONS)]
OURS = load("micrograd:Value")


@given(st.sampled_from(sorted(TITLES)), st.data())
def test_a_drawn_case_is_small_and_holds_for_ours(number, data):
    case = draw(number, ALL, lambda choices: data.draw(st.sampled_from(choices)))
    if case is None:
        return
    lines = case.code.splitlines()
    assert 1 <= sum(line.startswith("v") and " = " in line for line in lines) <= OPERATIONS
    assert lines[-1].startswith("v")
    assert lines[-1].endswith(".backward()")
    result = run_case(case, OURS)
    assert (result.outcome, result.findings, result.problem) == (HOLDS, [], "")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_of_dual_numbers_has_the_slope_of_ours(name):
    value, dual = OURS.environment("from micrograd import Value")["Value"](0.7), Dual(0.7, (1.0,))
    out = getattr(value, name)()
    out.backward()
    assert getattr(dual, name)() == Dual(pytest.approx(out.data, rel=1e-14), (pytest.approx(value.grad, rel=1e-14),))


@pytest.mark.parametrize("compute", [lambda d: d / Dual(0.0, (0.0,)), Dual.log, Dual.sqrt, Dual.relu])
def test_poles_and_kinks_are_unsuitable(compute):
    with pytest.raises(expressions.UnsuitableError):
        compute(Dual(0.0, (1.0,)))


def test_without_hypothesis_random_ones_are_not_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    result = run_random("2.random", OURS)
    assert (result.outcome, result.problem) == (SKIPPED, "install hypothesis for random expressions")


def test_numbers_by_level_and_by_choice():
    assert numbers(1) == [f"1.{k}" for k in range(1, 10)]
    assert numbers(only=["2.random", "1.3"]) == ["1.3", "2.random"]
    assert [number for number in numbers(only=["3"]) if "random" in number] == ["3.random"]
    with pytest.raises(ValueError, match=r"expected a case or a level, .* got '77'"):
        numbers(only=["77"])
