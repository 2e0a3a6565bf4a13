"""A tape as one more engine: the cases' expressions, recorded by ``jit`` and replayed, are right."""

import ast

import pytest

from micrograd import Value, accumulate, jit
from micrograd.conformance.cases import CASES
from micrograd.conformance.run import value_of

# What a tape records is one expression of leaves; its gradients are those of one backward pass.
EXPRESSIONS = [
    case
    for case in CASES
    if case.level.number in (1, 2, 4, 5, 7, 8)
    and case.code.count(".backward()") == 1
    and case.code.splitlines()[-1].endswith(".backward()")
    and not any(word in case.code for word in ("def ", "MLP", "lambda"))
    and not any("error" in right for right in case.right.values())
]
BATCHES = [
    case
    for case in CASES
    if case.level.number == 6
    and "for x, y in" in case.code
    and not any(word in case.code for word in ("data -=", "SGD", "accumulate"))
]


def recorded(case):
    """The case's leaves, and its expression as a function that computes with them."""
    lines = case.code.splitlines()
    leaves = {name: Value(float(number)) for name, number in _leaves(lines)}
    root = lines[-1].removesuffix(".backward()")
    body = "\n".join(line for line in lines[:-1] if " = Value(" not in line)

    def function(_):
        names = dict(leaves)
        exec(body, names)
        return names[root]

    return leaves, function, root


def _leaves(lines):
    for line in lines:
        if " = Value(" in line:
            name, _, number = line.partition(" = Value(")
            yield name, number.removesuffix(")")


def test_most_expressions_are_taken():
    assert len(EXPRESSIONS) > 50


@pytest.mark.parametrize("case", EXPRESSIONS, ids=lambda case: case.number)
def test_the_tape_of_an_expression(case):
    leaves, function, root = recorded(case)
    tape = jit(function)
    error = accumulate(tape, [0.0], reduction="sum")
    again = accumulate(tape, [0.0], reduction="sum")
    if f"{root}.data" in case.right:
        assert (error, again) == (pytest.approx(value_of(case.right[f"{root}.data"]), rel=1e-12),) * 2
    for name, leaf in leaves.items():
        if f"{name}.grad" in case.right:
            right = value_of(case.right[f"{name}.grad"])
            assert leaf.grad == pytest.approx(2 * right, rel=1e-12, abs=1e-15), name


@pytest.mark.parametrize("case", BATCHES, ids=lambda case: case.number)
def test_the_tape_of_a_batch(case):
    """The samples and the loss as they stand in the case."""
    w = Value(0.5)
    names = {}
    for node in ast.walk(ast.parse(case.code)):
        if isinstance(node, ast.List):
            names["samples"] = ast.literal_eval(node)
    samples = names["samples"]
    assert len(samples) in (2, 3)
    reduction = "mean" if "mean" in case.code else "sum"
    accumulate(jit(lambda x, y: (w * x - y) ** 2), samples, reduction=reduction)
    assert w.grad == pytest.approx(value_of(case.right["w.grad"]), rel=1e-12)
