import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reading import RENDERERS, chain, edges, fields, python, texts

from micrograd import Value, dot, draw, nn, no_grad, primitive
from micrograd.ops import TABLE
from micrograd.pictures import palette, render
from micrograd.pictures.source import digits


@pytest.fixture
def neuron():
    weights = [Value(w, label=f"w{i}") for i, w in enumerate([0.5, -0.25, 2.0])]
    inputs = [Value(x, label=f"x{i}", role="input") for i, x in enumerate([1.0, 2.0, -3.0])]
    s = dot(weights, inputs, Value(0.125, label="b"))
    s.label = "s"
    x = s.tanh()
    x.backward()
    return x


# ---- what is drawn ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("renderer")
def test_a_box_shows_label_data_and_grad_and_an_ellipse_the_symbol():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = a * b / 7
    loss.backward()
    seen = texts(draw(loss))
    assert seen["v0"] == [["a", "data 2", "grad -0.4286"]]
    assert seen["v1"] == [["b", "data -3", "grad 0.2857"]]
    assert seen["v2"] == [["data -6", "grad 0.1429"]]
    assert (seen["o2"], seen["o4"]) == ([["*"]], [["/"]])


@pytest.mark.usefixtures("renderer")
def test_both_edges_of_a_square_are_drawn():
    a = Value(3.0, label="a")
    picture = draw(a * a, derivatives=True)
    assert edges(picture.source) == {"v0 -> o1": 2, "o1 -> v1": 1}
    assert [line.strip() for [line] in texts(picture)["v0->o1"]] == ["3", "3"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(1.23456, "1.235"), (-0.5, "-0.5"), (-0.0, "0"), (1e-7, "1e-07"), (123456.0, "1.235e+05"), (math.inf, "inf")],
)
def test_numbers_have_four_significant_digits(number, shown):
    assert f"data {shown}<" in draw(Value(number)).source


@pytest.mark.usefixtures("renderer")
def test_stacked_boxes_show_the_same_in_less_width():
    a = Value(3.0, label="a")
    beside, below = draw(a * a), draw(a * a, stacked=True)
    assert texts(below) == texts(beside)
    beside, below = (ElementTree.fromstring(picture.pipe("svg")).get("viewBox").split() for picture in (beside, below))
    assert float(below[2]) < 0.7 * float(beside[2])


def test_edges_carry_the_local_derivatives_of_the_time_of_recording():
    a, b = Value(2.0), Value(-3.0)
    loss = a * b + a**2
    a.data = 100.0
    label = dict(re.findall(r'(v\d+ -> o\d+) \[label="([^"]*)"\]', draw(loss, derivatives=True).source))
    assert {edge: float(text) for edge, text in label.items()} == {
        "v0 -> o2": -3,  # ∂(a·b)/∂a = b
        "v1 -> o2": 2,
        "v0 -> o3": 4,  # ∂a²/∂a = 2a
        "v2 -> o4": 1,
        "v3 -> o4": 1,
    }
    assert "on edges: local derivative" in draw(loss, derivatives=True).source
    assert "label" not in "".join([line for line in draw(loss).source.splitlines() if "->" in line])


def test_roles_have_the_colours_of_the_palette_and_the_legend_those_present():
    x, w = Value(1.0, role="input"), Value(2.0, role="parameter")
    h = w * x
    source = draw(h + 1).source
    fills = re.findall(r'^\t(v\d) .*BGCOLOR="(#\w+)"', source, re.MULTILINE)
    roles = ["parameter", "input", "hidden", "constant", "loss"]
    assert fills == [(f"v{i}", palette.ROLES[role]) for i, role in enumerate(roles)]
    for role, fill in palette.ROLES.items():
        assert f'<TD BGCOLOR="{fill}">{role}</TD>' in source
        assert (f">{role}</TD>" in draw(h).source) == (role in {"input", "parameter", "loss"})
    assert palette.ROLES["loss"] not in draw(w).source  # a leaf keeps its role


def test_text_reads_on_every_fill():
    def luminance(colour):
        shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for fill in palette.ROLES.values():
        for text in ("#000000", palette.DATA, palette.GRADIENT):
            assert (luminance(fill) + 0.05) / (luminance(text) + 0.05) >= 4.5  # WCAG AA


@pytest.mark.usefixtures("renderer")
def test_expand_draws_products_and_sums(neuron):
    [s] = neuron.parents
    seen = fields(draw(neuron, expand=True))
    grad = f"grad {digits(s.grad)}"
    hidden = [lines for lines in seen if len(lines) == 2]
    assert hidden == [
        *[[f"data {data}", grad] for data in ("0.5", "-0.5", "0", "-6", "-6")],  # w₀x₀, w₁x₁, sum, w₂x₂, sum
        [f"data {digits(neuron.data)}", "grad 1"],
    ]
    assert ["s", f"data {digits(s.data)}", grad] in seen
    assert draw(neuron).source.count('BORDER="1" CELLBORDER="0"') == 9
    assert len(seen) == 9 + 5


@pytest.mark.parametrize("bias", [(), (Value(0.5),)])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_expanded_local_derivatives_multiply_to_those_of_the_dot(n, bias):
    node = dot([Value(i + 2.0) for i in range(n)], [Value(0.5 - i) for i in range(n)], *bias)
    source = draw(node, expand=True, derivatives=True).source
    slopes, root = {}, f"v{2 * n + len(bias) + 2 * n - 2 + len(bias)}"
    for tail, head, slope in re.findall(r'(v\d+) -> o(\d+) \[label="([^"]*)"\]', source):
        slopes[tail] = float(slope), f"v{head}"
    for i, want in enumerate(node.partials):
        product, at = 1.0, f"v{i}"
        while at != root:
            slope, at = slopes[at]
            product *= slope
        assert product == want
    assert source.count('label="*"') == n
    assert source.count('label="+"') == n - 1 + len(bias)


def test_expanded_products_are_those_of_the_time_of_recording():
    w, x = Value(2.0), Value(5.0)
    s = dot([w, w], [x, x])
    w.data = 100.0
    assert draw(s, expand=True).source.count("data 10<") == 2


def test_a_picture_of_what_is_not_a_graph_of_operations():
    assert "->" not in draw(Value(1.0)).source
    with no_grad():
        assert "->" not in draw(Value(1.0) * 2).source
    by_hand = Value(3.0, (Value(1.0), Value(2.0)), "mine")
    assert edges(draw(by_hand, derivatives=True).source) == {"v0 -> o2": 1, "v1 -> o2": 1, "o2 -> v2": 1}


# ---- labels ----------------------------------------------------------------------------------------------------------

# All of Unicode but control characters, surrogates, and the two other code points that XML cannot hold.
VISIBLE = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(st.text(VISIBLE | st.sampled_from('{}|<>\\"\n &;#')), min_size=1, max_size=12))
@example([r"{a|b} <i>x</i> \N \G \\ \" '", "&lt; &amp;lt; &#65; &eacute;", "<>", "\\", "\n", " ", "a\nb", "漢字 😀 é"])
@pytest.mark.parametrize("path", RENDERERS, ids=lambda path: Path(path).stem)
def test_labels_are_drawn_as_written(path, labels):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "find_dot", lambda: path)
        drawn = fields(draw(dot([Value(1.0, label=label) for label in labels], [1.0] * len(labels))))
    for label, lines in zip(labels, drawn):
        written = [line.replace("\xa0", " ") for line in label.split("\n") if line]
        assert lines[:-2] == written


def test_a_label_need_not_be_a_string():
    assert "<TD>7</TD>" in draw(Value(1.0, label=7)).source


@pytest.mark.usefixtures("renderer")
def test_control_characters_are_shown_as_symbols():
    label = "".join(map(chr, [*range(10), *range(11, 32), *range(127, 160), 0xD800, 0xFFFF]))
    [[shown, *_]] = fields(draw(Value(1.0, label=f"a{label}z")))
    assert shown == "a␀␁␂␃␄␅␆␇␈␉␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡" + "\ufffd" * 34 + "z"


@pytest.mark.usefixtures("renderer")
@pytest.mark.parametrize("symbol", [r'{f|g} \N \" < & &lt; "', "<b>", "\\", "", "σ", "two\nlines"])
def test_symbols_are_drawn_as_written(symbol):
    op = primitive("test_draw", lambda x: x, lambda *_: (1.0,), symbol)
    try:
        assert texts(draw(op(Value(1.0))))["o1"] == [symbol.split("\n") if symbol else []]
    finally:
        del TABLE["test_draw"]


# ---- sameness, limits and errors -------------------------------------------------------------------------------------


def test_the_same_graph_gives_the_same_source():
    code = (
        "from micrograd import Value, draw\n"
        "a, b = Value(2.0, label='a'), Value(3.0)\n"
        "print(draw((a * b + a / b + b * a * 2).tanh() + a, derivatives=True).source)"
    )
    first, second = [python(code, PYTHONHASHSEED=seed) for seed in "12"]
    assert first == second
    assert "v0 -> o2" in first


def test_a_graph_past_the_cap_is_refused_and_never_laid_out():
    node = chain(100_000)
    with pytest.raises(ValueError, match=r"at most 500 Values, got 100000; draw one neuron.* max_nodes"):
        draw(node)
    assert draw(chain(30), max_nodes=30).source
    with pytest.raises(ValueError, match=r"at most 30 Values, got 31"):
        draw(chain(31), max_nodes=30)


def test_the_cap_counts_expanded_values(neuron):
    assert draw(neuron, expand=True, max_nodes=14)
    with pytest.raises(ValueError, match=r"at most 13 Values, got 14; .* leave out expand"):
        draw(neuron, expand=True, max_nodes=13)


ONE, NET = Value(1.0), nn.MLP(2, [2, 1])


@pytest.mark.parametrize(
    ("kind", "arguments", "options", "message"),
    [
        (TypeError, (3.5,), {}, "draw: expected a Value, the root of a graph, got 3.5 (float)"),
        (TypeError, ("loss",), {}, "draw: expected a Value, the root of a graph, got 'loss' (str)"),
        (TypeError, ([1.0] * 99,), {}, "got [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, ...] (list); draw one of its Values"),
        (TypeError, (NET, ONE), {}, "(MLP); write draw(loss, model=model)"),
        (TypeError, (ONE, NET), {}, "(MLP); write draw(loss, model=model)"),
        (TypeError, (ONE,), {"expand": "yes"}, "draw: expand must be True or False, got 'yes' (str)"),
        (TypeError, (ONE,), {"stacked": 1}, "draw: stacked must be True or False, got 1 (int)"),
        (TypeError, (ONE,), {"derivatives": None}, "draw: derivatives must be True or False, got None (NoneType)"),
        (ValueError, (ONE,), {"rankdir": "lr"}, "draw: rankdir must be one of LR, RL, TB, BT, got 'lr'"),
        (TypeError, (ONE,), {"max_nodes": "9"}, "draw: max_nodes must be a whole number, got '9' (str)"),
        (ValueError, (ONE,), {"max_nodes": 0}, "draw: max_nodes must be at least 1, got 0"),
        (TypeError, (ONE,), {"model": [ONE]}, "draw: model must be an nn.Module, got [Value(data=1.0, grad=0)] (list)"),
        (ValueError, (ONE,), {"collapse": "layers"}, "write draw(loss, model=model, collapse='layers')"),
        (ValueError, (ONE,), {"model": NET, "collapse": "all"}, "one of nothing, neurons, layers, got 'all'"),
    ],
)
def test_wrong_arguments_get_one_line_that_says_what_to_write(kind, arguments, options, message):
    with pytest.raises(kind, match=re.escape(message)) as error:
        draw(*arguments, **options)
    assert "\n" not in str(error.value)
