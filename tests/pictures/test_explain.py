"""A gradient explained: the terms are paths of the graph, their products sum to the gradient."""

import math
import random
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from micrograd import Value, accumulate, dot, explain, losses, nn
from micrograd.graph import nodes
from micrograd.pictures.formula import latex, names

UNARY = [Value.tanh, Value.sin, Value.sigmoid, Value.softplus, lambda a: -a, lambda a: a**2]
BINARY = [Value.__add__, Value.__sub__, Value.__mul__, Value.maximum, lambda a, b: dot([a, b], [b, a], a)]


@st.composite
def graphs(draw):
    """Some leaves, and the last of many results of operations on any two nodes before."""
    numbers = st.floats(-2, 2, allow_subnormal=False)
    values = [Value(draw(numbers)) for _ in range(draw(st.integers(1, 4)))]
    leaves = list(values)
    for _ in range(draw(st.integers(1, 15))):
        a, b = (values[draw(st.integers(0, len(values) - 1))] for _ in range(2))
        if draw(st.booleans()):
            values.append(draw(st.sampled_from(UNARY))(a).tanh())
        else:
            values.append(draw(st.sampled_from(BINARY))(a, b).tanh())
    return leaves, values[-1]


def square(times):
    x = Value(1.1)
    y = x
    for _ in range(times):
        y = y * y.tanh() + y
    return [x], y


@given(graphs(), st.sampled_from([1, 3, 16, 1000]))
@example(square(3), 1000)
@example(square(30), 16)
def test_terms_sum_to_the_gradient(graph, most):
    leaves, root = graph
    root.backward()
    for node in [*leaves, *nodes(root)]:
        why = explain(node, root, max_terms=most)
        scale = math.fsum([abs(term.product) for term in why.terms])
        assert abs(why.total - node.grad) <= 1e-12 * max(scale, 1e-300)
        assert "but" not in str(why)
        assert len(str(why).splitlines()) <= most + 4
        assert (why.paths == 0) == (node not in nodes(root))


@given(graphs())
def test_a_path_is_one_of_the_graph_with_its_local_derivatives(graph):
    leaves, root = graph
    for node in leaves:
        why = explain(node, root, max_terms=1000)
        for term in why.terms:
            if term.whole:
                assert (term.path[0], term.path[-1]) == (node, root)
                for operand, result, slope in zip(term.path, term.path[1:], reversed(term.factors)):
                    assert (operand, slope) in zip(result.parents, result.partials)
        if all(term.whole for term in why.terms):
            assert len(why.terms) == why.paths


def test_every_use_is_told():
    a = Value(3.0, label="a")
    e = a * a + a.tanh() * 0.0
    e.backward()
    assert str(explain(a, e)).splitlines() == [
        "a.grad = ∂e/∂a = 6, the sum over 3 paths:",
        "  a → z₁ → e (operand 1)    ∂e/∂z₁ · ∂z₁/∂a = 1 · 3 = 3",
        "  a → z₁ → e (operand 2)    ∂e/∂z₁ · ∂z₁/∂a = 1 · 3 = 3",
        "  a → z₂ → z₃ → e           ∂e/∂z₃ · ∂z₃/∂z₂ · ∂z₂/∂a = 1 · 0 · 0.009866 = 0",
        "  sum                       3 + 3 + 0 = 6",
        "where z₁ = a·a, e = z₁ + z₃, z₂ = tanh(a), z₃ = z₂ · 0",
    ]


def test_too_many_paths_are_told_by_use_and_too_many_uses_by_size():
    [x], y = square(30)
    x.label = "x"
    y.backward()
    lines = str(explain(x, y)).splitlines()
    assert lines[0].endswith("the sum over 3 uses on 205,891,132,094,649 paths:")
    assert lines[1].startswith("  x → z₁ → … → e    ∂e/∂z₁ · ∂z₁/∂x = ")

    w = Value(1.0, label="w")
    total = sum([w * float(i) for i in range(1, 41)], Value(0.0))
    total.backward()
    lines = str(explain(w, total, max_terms=2)).splitlines()
    assert lines[0] == "w.grad = ∂e/∂w = 820, the sum over 40 uses on 40 paths:"
    assert [line.split()[-1] for line in lines[1:3]] == ["39", "40"]
    assert lines[3].split(maxsplit=1) == ["…", "38 smaller terms, together 741"]
    assert lines[4].split(maxsplit=1) == ["sum", "39 + 40 + 741 = 820"]


def test_a_deep_graph():
    x = Value(1.0, label="x")
    y = x
    for _ in range(100_000):
        y = -y
    y.backward()
    assert str(explain(x, y)).splitlines()[0] == "x.grad = ∂e/∂x = 1, along 1 use on 1 path:"


def test_a_batch_is_the_sum_over_its_samples():
    random.seed(1)
    model = nn.MLP(2, [3, 1], activation="tanh")
    weight = model.parameters()[0]
    batch = [([1.2, -0.7], 1), ([0.4, 0.9], -1)]

    def loss(x, y):
        return losses.squared_error(model(x), y)

    accumulate(loss, batch, reduction="sum")
    why = explain(weight, *[loss(*sample) for sample in batch])
    assert why.total == pytest.approx(weight.grad, rel=1e-12)
    lines = str(why).splitlines()
    assert lines[0].startswith("w₁₁⁽¹⁾.grad = ∂(e₁ + e₂)/∂w₁₁⁽¹⁾ = ")
    assert [line.split("    ")[0].strip() for line in lines[1:3]] == [
        f"w₁₁⁽¹⁾ → s₁⁽¹⁾ → x₁⁽¹⁾ → s₁⁽²⁾ → z₁ → e{k}" for k in "₁₂"
    ]
    assert "but" not in str(why)
    model.zero_grad()
    accumulate(loss, batch, reduction="mean")
    assert str(why).splitlines()[-1].endswith(", the mean over the 2")


@pytest.mark.parametrize(
    ("passes", "said"),
    [
        (0, "but a.grad is 0: backward() was not called, or its gradient was set to 0"),
        (1, ""),
        (2, "but a.grad is 6: other"),
    ],
)
def test_another_gradient_is_explained_too(passes, said):
    a = Value(3.0, label="a")
    e = a * 3
    for _ in range(passes):
        e.backward()
    assert (str(explain(a, e)).splitlines()[-1].startswith(said)) if said else ("but" not in str(explain(a, e)))


def test_the_root_and_what_it_does_not_depend_on():
    e = Value(3.0, label="a") * 2
    e.backward()
    assert str(explain(e, e)).splitlines()[0] == "e.grad = ∂e/∂e = 1, along 1 path:"
    assert str(explain(Value(1.0, label="q"), e)) == "q.grad = ∂e/∂q = 0: e does not depend on q"


def test_latex():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b_1")
    e = a * b + a**2
    e.backward()
    assert explain(a, e).latex() == "\n".join(
        [
            r"\begin{aligned}",
            r"\frac{\partial e}{\partial a} &= \frac{\partial e}{\partial z_{1}}"
            r" \cdot \frac{\partial z_{1}}{\partial a} && = 1 \cdot (-3) = -3 \\",
            r"&+ \frac{\partial e}{\partial z_{2}} \cdot \frac{\partial z_{2}}{\partial a} && = 1 \cdot 4 = 4 \\",
            r"&= 1",
            r"\end{aligned}",
        ]
    )
    assert explain(b, e)._repr_latex_() == f"$$\n{explain(b, e).latex()}\n$$"
    assert r"\partial b_{1}" in explain(b, e).latex()


@pytest.mark.parametrize(
    ("name", "mathematics"),
    [
        ("δ", r"\delta"),
        ("x12", "x_{12}"),
        ("w₂₁⁽¹⁾", "w_{21}^{(1)}"),
        ("−1.5e−07", r"-1.5 \cdot 10^{-7}"),
        ("−inf", r"-\infty"),
        ("a\\b^{c}_d~$", r"\text{a\textbackslash{}b\textasciicircum{}\{c\}\_d\textasciitilde{}\$}"),
        ("learning rate", r"\text{learning rate}"),
    ],
)
def test_names_in_latex(name, mathematics):
    assert latex(name) == mathematics


def test_what_cannot_be_explained():
    a = Value(2.0)
    for kind, arguments, options, message in [
        (TypeError, (a,), {}, "explain: expected a node and its loss, got the node alone; write explain(node, loss)"),
        (TypeError, (a, 3), {}, "explain: expected Values, got 3 (int)"),
        (TypeError, (a, [a * a]), {}, "(list); for several losses, write explain(node, *losses)"),
        (TypeError, ("a", a), {}, "explain: expected Values, got 'a' (str)"),
        (ValueError, (a * a, a), {}, "the first argument was computed from the second; write explain(node, loss)"),
        (ValueError, (a, a * a), {"max_terms": 0}, "explain: max_terms must be at least 1, got 0"),
        (TypeError, (a, a * a), {"max_terms": 2.5}, "explain: max_terms must be a whole number, got 2.5 (float)"),
        (ValueError, (a, Value(4.0, (a,), "double") * 2), {}, "was made by hand and has no local derivatives"),
    ]:
        with pytest.raises(kind, match=re.escape(message)) as error:
            explain(*arguments, **options)
        assert "\n" not in str(error.value)


def test_at_the_prompt_it_is_the_text():
    a = Value(2.0, label="a")
    explanation = explain(a, a * a)
    assert repr(explanation) == str(explanation)
    assert repr(explanation).startswith("a.grad = ")


def test_a_minus_on_a_signal_is_no_output_of_its_unit():
    model = nn.MLP(2, [2, 1], activation="tanh")
    error = (-model([0.5, -1.0])).softplus()
    assert sorted(name for name in names([nodes(error)]).values() if name.startswith("x")) == [
        "x₁",
        "x₁⁽¹⁾",
        "x₂",
        "x₂⁽¹⁾",
    ]
