"""The list of cases: each is complete, and what it says is right is so by central differences too."""

import ast

import pytest

from micrograd import Value, gradcheck
from micrograd.conformance.adapter import Adapter
from micrograd.conformance.cases import AN_ERROR, CASES, FUNCTIONS, HELPERS, LEVELS, MEANING, find
from micrograd.conformance.run import example_of, value_of

NEEDS = {*FUNCTIONS, *HELPERS, *MEANING, "value ** value", "number ** value"}


def test_numbers_are_those_of_a_list():
    for level in LEVELS:
        mine = [case.number for case in CASES if case.level is level]
        assert mine == [f"{level.number}.{k + 1}" for k in range(len(mine))]
        assert len(mine) >= 6


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_a_case_is_complete(case):
    assert case.title[0].isalpha() or case.title[0] in "(-0123456789"
    assert case.why.endswith(".")
    assert case.known
    assert case.right
    assert set(case.needs) <= NEEDS
    for right in case.right.values():
        if not right.startswith(("<", AN_ERROR)):
            value_of(right)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_a_case_is_a_few_lines_that_read_the_same_in_other_words(case):
    """Blank lines within a block would end it at a prompt."""
    assert len(case.code.splitlines()) <= 25
    example = example_of(case, Adapter("from x import Value"))
    for block, following in zip(example.splitlines(), example.splitlines()[1:]):
        assert block or not following.startswith(" ")
    ast.parse(example)


SMOOTH = [
    case
    for case in CASES
    if case.level.number in (1, 2, 4, 5)
    and case.code.count(".backward()") == 1
    and "for" not in case.code
    and "def" not in case.code
]


@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.number)
def test_gradients_are_the_slopes_that_central_differences_show(case):
    """Of the numbers written in the case; ``gradcheck`` knows nothing of its arithmetic."""
    lines = case.code.splitlines()
    leaves = {line.split(" = ")[0]: line.split("Value(")[1][:-1] for line in lines if " = Value(" in line}
    body = [line for line in lines if " = Value(" not in line and ".backward()" not in line]
    root = next(line for line in lines if ".backward()" in line).removesuffix(".backward()")

    def function(*values):
        names = dict(zip(leaves, values))
        exec("\n".join(body), names)
        return names[root]

    points = [float(number) for number in leaves.values()]
    assert gradcheck(function, points)
    values = [Value(point) for point in points]
    function(*values).backward()
    for name, value in zip(leaves, values):
        if f"{name}.grad" in case.right:
            assert value.grad == pytest.approx(value_of(case.right[f"{name}.grad"]), rel=1e-12)


def test_find_says_which_is_not_there():
    assert find("2.1").level.number == 2
    with pytest.raises(KeyError, match=r"9\.99"):
        find("9.99")
