import base64
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import graphviz
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from micrograd import Value, dot, draw, jit, losses, nn, no_grad, primitive
from micrograd.graph import nodes
from micrograd.ops import TABLE
from micrograd.pictures import palette, render
from micrograd.pictures.collapse import units
from micrograd.pictures.render import RenderError
from micrograd.pictures.source import digits

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
RENDERERS = sorted({path for path in (render.find_dot(), render._installed()) if path})


def texts(picture):
    """What a reader sees: lines of text, by the id of the box (v…), ellipse (o…) or edge; twin edges share one."""
    seen = {}
    for element in ElementTree.fromstring(picture.pipe("svg")).iter(f"{SVG}g"):
        if element.get("class") in {"node", "edge"}:
            lines = [text.text.replace("\xa0", " ") for text in element.iter(f"{SVG}text")]
            seen.setdefault(element.findtext(f"{SVG}title"), []).append(lines)
    return seen


def fields(picture):
    """The texts of the boxes, in the order of the graph."""
    boxes = {name: lines for name, [lines, *_] in texts(picture).items() if re.fullmatch(r"v\d+", name)}
    return [boxes[name] for name in sorted(boxes, key=lambda name: int(name[1:]))]


def edges(source):
    return Counter(re.findall(r"^\t([vo]\d+ -> [vo]\d+)", source, re.MULTILINE))


def python(code, **environment):
    """What code prints, run in a new interpreter with no environment but the one given."""
    environment = {"PYTHONPATH": str(ROOT), "SYSTEMROOT": os.environ.get("SYSTEMROOT", ""), **environment}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return run.stdout


@pytest.fixture(params=RENDERERS, ids=lambda path: Path(path).stem)
def renderer(request, monkeypatch):
    monkeypatch.setattr(render, "find_dot", lambda: request.param)


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


# ---- networks --------------------------------------------------------------------------------------------------------


def network(*sizes, **options):
    """An MLP, and a sample's loss graph after its backward pass."""
    random.seed(1)
    model = nn.MLP(sizes[0], list(sizes[1:]), **options)
    out = model([random.uniform(-1, 1) for _ in range(sizes[0])])
    loss = losses.cross_entropy(out, 1) if isinstance(out, list) else losses.squared_error(out, 1)
    loss.backward()
    return model, loss


def cells(source):
    """The texts of the boxes, by their names."""
    return {
        name: [text for text in re.findall(r">([^<>]+)<", table) if text != ">"]
        for name, table in re.findall(r"^\t+(v\d+) \[label=<(.*)>\]", source, re.MULTILINE)
    }


def shown(name, s, x):
    """A unit's texts; one without an activation shows no x."""
    return [name, f"s {digits(s.data)}", f"δ {digits(s.grad)}"] + [f"x {digits(x.data)}"] * (x is not s)


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_a_neuron_is_one_box_with_its_signal_delta_and_output(activation):
    model, loss = network(2, 3, 1, activation=activation)
    [out] = {node for node in nodes(loss) if model.layers[1].neurons[0].bias in node.parents}
    hidden = out.parents[3:6]
    signals = [next(n for n in nodes(loss) if neuron.bias in n.parents) for neuron in model.layers[0].neurons]
    inputs = signals[0].parents[2:4]
    source = draw(loss, model=model).source
    boxes = list(cells(source).values())
    assert boxes[:4] == [
        *[shown(f"unit {i + 1}", s, x) for i, (s, x) in enumerate(zip(signals, hidden))],
        shown("unit 1", out, out),
    ]
    assert boxes[4:6] == [
        [name, f"data {digits(x.data)}", f"grad {digits(x.grad)}"] for name, x in zip(["x₁", "x₂"], inputs)
    ]
    assert len(boxes) == 6 + 3  # the target, the difference, its square
    assert re.findall(r'label="(layer .*)" style', source) == [
        r"layer 1\n3 units, 9 parameters",
        r"layer 2\n1 unit, 4 parameters",
    ]
    joined = re.findall(r"(v\d):e -> (v\d):w", source)
    assert sorted(joined) == sorted(
        [*[(x, unit) for x in ("v4", "v5") for unit in ("v0", "v1", "v2")], *[(f"v{i}", "v3") for i in range(3)]]
    )


def test_a_module_of_ones_own_is_drawn_by_the_place_where_its_parameters_meet():
    class Unit(nn.Module):
        def __init__(self):
            self.w = [Value(0.5), Value(-2.0)]
            self.b = Value(0.25)

        def __call__(self, x):
            self.s = sum((w * x for w, x in zip(self.w, x)), self.b)
            return 2 * self.s.sin() + 1

    class Net(nn.Module):
        def __init__(self):
            self.parts = {"first": Unit(), "second": Unit()}

        def __call__(self, x):
            first = self.parts["first"](x)
            return self.parts["second"]([first, first])

    net = Net()
    inputs = [Value(1.0, role="input"), Value(2.0, role="input")]
    out = net(inputs)
    loss = out**2 + 0.5 * losses.l2(net.parameters()) + net.parts["first"].w[0] ** 4  # penalties are no part of a unit
    loss.backward()
    first, second = (net.parts[name] for name in ("first", "second"))
    boxes = cells(draw(loss, model=net).source)
    assert boxes["v0"] == shown("parts.first", first.s, 2 * first.s.sin() + 1)
    assert boxes["v1"] == shown("parts.second", second.s, second.s)
    assert [boxes[name] for name in ("v2", "v3")] == [
        [name, f"data {k}", f"grad {digits(x.grad)}"] for k, (name, x) in enumerate(zip(["x₁", "x₂"], inputs), start=1)
    ]
    assert ["data 0.0625", "grad 1"] in boxes.values()
    assert [
        f"data {digits(out.data)}",
        f"grad {digits(out.grad)}",
    ] in boxes.values()  # after the last unit all is shown


def test_an_activation_after_the_model_is_no_part_of_its_last_unit():
    random.seed(1)
    model = nn.MLP(2, [1])
    s = model([0.8, -0.4])
    x = s.tanh()
    loss = losses.squared_error(x, 1.0)
    loss.backward()
    boxes = list(cells(draw(loss, model=model).source).values())
    assert boxes[0] == shown("unit 1", s, s)
    assert ["x₁⁽¹⁾", f"data {digits(x.data)}", f"grad {digits(x.grad)}"] in boxes


def test_the_units_of_the_worked_example():
    """That of ``collapse._claim``."""
    first, second = nn.Module(), nn.Module()
    first.w, second.v = Value(0.5), Value(-2.0)
    net = nn.Module()
    net.first, net.second = first, second
    p = first.w * Value(1.5, role="input")
    h = p.tanh()
    q = second.v * h
    z = q.tanh()
    e = (z - 1) ** 2
    one, other = units(nodes(e), net)
    assert (one.operations, one.signals, one.outputs) == ([p, h], [p], [h])
    assert (other.operations, other.signals, other.outputs) == ([q], [q], [q])


def test_a_neuron_that_only_a_penalty_uses_shows_its_name():
    model = nn.MLP(2, [2, 1])
    unused = model.layers[0].neurons[1]
    score = model.layers[1].neurons[0]([model.layers[0].neurons[0]([1.0, 2.0]), 0.5])
    loss = losses.hinge(score, -1) + losses.l2(model.parameters())
    boxes = list(cells(draw(loss, model=model).source).values())
    assert unused.bias in nodes(loss)
    assert boxes[1] == ["unit 2"]
    assert len(boxes[0]) == 4


@pytest.mark.parametrize("of", ["penalty", "tape"])
def test_a_graph_in_which_no_unit_is_at_work_is_refused(of):
    model = nn.MLP(2, [16, 16, 1])
    if of == "penalty":
        graph = losses.l2(model.parameters())
    else:
        pytest.importorskip("numba")
        graph = jit(lambda x, y: losses.hinge(model(x), y))([1.0, 2.0], 1)
    with pytest.raises(ValueError, match=r"no unit .* is at work .* without model=, .* loss\.function"):
        draw(graph, model=model)
    assert draw(graph, max_nodes=1000).source


def test_a_neuron_used_twice_shows_the_range():
    neuron = nn.Neuron(1, activation="tanh")
    (neuron([1.0]) + neuron([2.0])).backward()
    total = neuron([neuron([0.5])])
    [box, *_] = cells(draw(total, model=neuron).source).values()
    weight = neuron.w[0].data
    low, high = sorted([0.5 * weight, math.tanh(0.5 * weight) * weight])
    assert box[:3] == ["Neuron", "1 unit, 2 parameters, used 2 times", f"s {digits(low)} … {digits(high)}"]


class Recurrent(nn.Module):
    """Units that take a number and their own outputs of the step before; ``head``, if any, takes the last outputs."""

    def __init__(self, size, activation, head=None):
        self.cell = nn.Layer(1 + size, size, activation=activation)
        self.head = head

    def __call__(self, xs):
        h = [0.0] * len(self.cell.neurons)
        for x in xs:
            out = self.cell([x, *h])
            h = out if isinstance(out, list) else [out]
        return self.head(h) if self.head else h


THETA = {
    "linear": lambda s: s,
    "relu": lambda s: max(s, 0.0),
    "leaky_relu": lambda s: max(s, 0.01 * s),
    "tanh": math.tanh,
    "sigmoid": lambda s: 1 / (1 + math.exp(-s)),
    "gelu": lambda s: s * (1 + math.erf(s / math.sqrt(2))) / 2,
}
STEPS = [0.9, -0.4, 0.7, -1.3]


def by_hand(size, cell, theta, inputs):
    """s and x of every unit at every step, in plain numbers; and e = Σ (x - 1)² of the last step."""
    signals, outputs = [], [[0.0] * size]
    for x in inputs:
        operands = [x, *outputs[-1]]
        signals.append([bias + sum(w * v for w, v in zip(weights, operands)) for weights, bias in cell])
        outputs.append([theta(s) for s in signals[-1]])
    return signals, outputs[1:]


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("activation", THETA)
def test_a_layer_used_several_times_shows_the_range_of_its_own_numbers(activation, size):
    """Where nothing follows the last step as well, so that no unit says where θ ends and the loss begins."""
    random.seed(3)
    model = Recurrent(size, activation)
    cell = [([w.data for w in neuron.weights], neuron.bias.data) for neuron in model.cell.neurons]
    loss = sum([(h - 1) ** 2 for h in model(STEPS)], Value(0.0))
    loss.backward()
    signals, outputs = by_hand(size, cell, THETA[activation], STEPS)
    boxes = cells(draw(loss, model=model).source)
    for j in range(size):
        s, x = ([numbers[j] for numbers in steps] for steps in (signals, outputs))
        assert boxes[f"v{j}"][1] == f"s {digits(min(s))} … {digits(max(s))}"
        assert boxes[f"v{j}"][3:] == [f"x {digits(min(x))} … {digits(max(x))}"] * (activation != "linear")
    title = rf"cell\n{size} unit{'s' * (size > 1)}, {size * (size + 2)} parameters, used 4 times"
    assert title in draw(loss, model=model).source


def test_delta_of_a_recurrent_unit_is_the_change_of_the_loss_by_its_signal_at_each_step():
    """Against central differences: at one step, a little is added to s."""
    model = Recurrent(1, "tanh")
    weights, bias = [0.5, -1.5], 0.25
    for p, number in zip(model.parameters(), [*weights, bias]):
        p.data = number

    def error(at=None, little=0.0):
        h = 0.0
        for k, x in enumerate(STEPS):
            h = math.tanh(bias + weights[0] * x + weights[1] * h + little * (k == at))
        return (h - 1) ** 2

    deltas = [(error(k, 1e-5) - error(k, -1e-5)) / 2e-5 for k in range(len(STEPS))]
    loss = (model(STEPS)[0] - 1) ** 2
    loss.backward()
    [box, *_] = cells(draw(loss, model=model).source).values()
    low, high = (float(text) for text in box[2].removeprefix("δ ").split(" … "))
    assert low == pytest.approx(min(deltas), rel=1e-3)
    assert high == pytest.approx(max(deltas), rel=1e-3)


@pytest.mark.parametrize("activation", THETA)
def test_the_activation_of_the_last_layer_is_part_of_its_units(activation):
    random.seed(1)
    layer = nn.Layer(2, 2, activation=activation)
    inputs = [0.8, -0.4]
    signals = [n.bias.data + sum(w.data * x for w, x in zip(n.weights, inputs)) for n in layer.neurons]
    outputs = layer(inputs)
    loss = sum([losses.squared_error(x, 1.0) for x in outputs], Value(0.0))
    loss.backward()
    boxes = cells(draw(loss, model=layer).source)
    for j, (s, x) in enumerate(zip(signals, outputs)):
        assert x.data == pytest.approx(THETA[activation](s))
        assert boxes[f"v{j}"][1] == f"s {digits(s)}"
        assert boxes[f"v{j}"][3:] == [f"x {digits(THETA[activation](s))}"] * (activation != "linear")


def test_units_of_ones_own_show_the_output_of_every_step():
    """What θ is, they do not say; it is what led on at the steps before."""

    class Unit(nn.Module):
        def __init__(self):
            self.w, self.u, self.b = Value(0.5), Value(-1.5), Value(0.25)

        def __call__(self, xs):
            h = Value(0.0, role="input")
            for x in xs:
                h = 2 * (self.w * Value(x, role="input") + self.u * h + self.b).sin()
            return h

    s, x = by_hand(1, [([0.5, -1.5], 0.25)], lambda s: 2 * math.sin(s), STEPS)
    unit = Unit()
    [box, *_] = cells(draw((unit(STEPS) - 1) ** 2, model=unit).source).values()
    assert box[2] == f"s {digits(min(s)[0])} … {digits(max(s)[0])}"
    assert box[4] == f"x {digits(min(x)[0])} … {digits(max(x)[0])}"


def test_a_module_of_several_units_shows_no_signal():
    """Its parameters come together in no single sum: a number called s would be none."""
    net = nn.Module()
    net.w, net.v = Value(0.5), Value(-2.0)
    x = Value(1.5, role="input")
    [box, *_] = cells(draw((net.v * (net.w * x).tanh() - 1) ** 2, model=net).source).values()
    assert box == ["Module", "1 unit, 2 parameters", f"x {digits(-2 * math.tanh(0.75))}"]


def test_a_unit_on_an_embedding_shows_its_signal():
    random.seed(1)
    net = nn.Module()
    net.embedding, net.unit = nn.Embedding(3, 2), nn.Neuron(2, activation="tanh")
    vector = net.embedding(1)
    loss = net.unit(vector) ** 2
    s = sum(w.data * v.data for w, v in zip(net.unit.weights, vector))
    assert [f"s {digits(s)}", f"x {digits(math.tanh(s))}"] == [
        text for text in cells(draw(loss, model=net).source)["v1"] if text[0] in "sx"
    ]


def test_wide_layers_and_many_inputs_are_one_box_each():
    model, loss = network(20, 9, 3)
    boxes = cells(draw(loss, model=model).source)
    signals = [n for n in nodes(loss) if n.op.name == "dot"][:9]
    low, high = min(s.data for s in signals), max(s.data for s in signals)
    assert boxes["v0"][:1] == ["20 inputs"]
    assert boxes["v4"][:3] == ["layer 1", "9 units, 189 parameters", f"s {digits(low)} … {digits(high)}"]
    assert [boxes[f"v{i}"][0] for i in (1, 2, 3)] == ["unit 1", "unit 2", "unit 3"]
    assert len(boxes) == 7
    assert len(cells(draw(loss, model=model, collapse="layers").source)) == 5
    assert len(cells(draw(loss, model=model, collapse="neurons").source)) == 20 + 9 + 3 + 2


def test_nothing_collapsed_is_the_whole_graph_with_framed_layers_and_named_parameters():
    model, loss = network(2, 2, 1)
    source = draw(loss, model=model, collapse="nothing", expand=True).source
    assert len(cells(source)) == len(cells(draw(loss, expand=True).source))
    assert edges(source) == edges(draw(loss, expand=True).source)
    texts = [text for box in cells(source).values() for text in box]
    assert {"w₁₁⁽¹⁾", "w₂₁⁽¹⁾", "b₂⁽¹⁾", "s₁⁽¹⁾", "x₂⁽¹⁾", "w₂₁⁽²⁾", "b₁⁽²⁾", "s₁⁽²⁾"} <= set(texts)
    inside = re.findall(r"^\t\t([vo]\d+) ", source, re.MULTILINE)
    values = [name for name in inside if name.startswith("v")]
    assert len(values) == (6 + 2 * (3 + 1 + 1)) + (3 + 3 + 1)  # parameters, products and sums, the relus


@pytest.mark.usefixtures("renderer")
@pytest.mark.parametrize(("rankdir", "axis"), [("LR", "y"), ("RL", "y"), ("TB", "x"), ("BT", "x")])
def test_neurons_and_inputs_stand_in_the_order_of_the_model(rankdir, axis):
    model, loss = network(4, 16, 16, 1)
    svg = ElementTree.fromstring(draw(loss, model=model, rankdir=rankdir, collapse="neurons").pipe("svg"))
    at, inputs = {}, []
    for element in svg.iter(f"{SVG}g"):
        text = element.find(f".//{SVG}text")
        if element.get("class") == "node" and text.text.startswith("unit "):
            at[int(element.findtext(f"{SVG}title")[1:])] = float(text.get(axis))
        elif element.get("class") == "node" and text.text.startswith("x"):
            inputs.append((text.text, float(text.get(axis))))
    for layer in (range(16), range(16, 32)):
        places = [at[i] for i in layer]
        assert places == sorted(places)
    assert [name for name, _ in sorted(inputs, key=lambda pair: pair[1])] == ["x₁", "x₂", "x₃", "x₄"]


class Echo(nn.Module):
    """Two layers, the second of which is fed back to the first."""

    def __init__(self):
        self.first, self.second = nn.Layer(3, 2, activation="tanh"), nn.Layer(2, 2, activation="tanh")
        self.head = nn.Layer(2, 1, nonlin=False)

    def __call__(self, xs):
        h = [0.0, 0.0]
        for x in xs:
            h = self.second(self.first([x, *h]))
        return self.head(h)


class LSTM(nn.Module):
    """Hochreiter & Schmidhuber 1997: what is fed back has gone through operations outside of the units."""

    def __init__(self, size):
        self.gates = [nn.Layer(1 + size, size, activation=name) for name in ("sigmoid", "sigmoid", "sigmoid", "tanh")]
        self.size = size

    def __call__(self, xs):
        h = c = [Value(0.0, role="input")] * self.size
        for x in xs:
            forget, enter, leave, new = ([*_listed(gate([x, *h]))] for gate in self.gates)
            c = [f * old + i * g for f, old, i, g in zip(forget, c, enter, new)]
            h = [o * value.tanh() for o, value in zip(leave, c)]
        return h


def _listed(out):
    return out if isinstance(out, list) else [out]


@pytest.mark.parametrize("collapse", ["neurons", "layers"])
@pytest.mark.parametrize("size", [1, 2])
def test_an_lstm_shows_the_numbers_of_its_gates(size, collapse):
    random.seed(4)
    model = LSTM(size)
    loss = sum([h**2 for h in model(STEPS[:3])], Value(0.0))
    loss.backward()
    h, c, signals, outputs = [0.0] * size, [0.0] * size, [[], [], [], []], [[], [], [], []]
    for x in STEPS[:3]:  # in plain numbers
        for gate, s, y in zip(model.gates, signals, outputs):
            s.append([n.bias.data + sum(w.data * v for w, v in zip(n.weights, [x, *h])) for n in gate.neurons])
            y.append([THETA[gate.neurons[0].activation](number) for number in s[-1]])
        f, i, o, g = (y[-1] for y in outputs)
        c = [f[j] * c[j] + i[j] * g[j] for j in range(size)]
        h = [o[j] * math.tanh(c[j]) for j in range(size)]
    picture = draw(loss, model=model, collapse=collapse)
    boxes = [texts for texts in cells(picture.source).values() if re.match(r"unit|gates\.\d", texts[0])]
    assert len(boxes) == 4 * (1 if collapse == "layers" else size)
    for k, box in enumerate(boxes):
        gate, units = (k, range(size)) if collapse == "layers" else (k // size, [k % size])
        for letter, numbers in (("s", signals[gate]), ("x", outputs[gate])):
            several = [step[j] for step in numbers for j in units]
            assert f"{letter} {digits(min(several))} … {digits(max(several))}" in box
    assert "x fed back" in picture.source


def test_a_module_that_holds_all_parameters_itself_is_drawn():
    """Its outputs, and parameters too, go through operations outside of it, and come back."""
    net = nn.Module()
    net.w, net.v = [Value(0.5), Value(-2.0)], [Value(1.5), Value(0.75)]
    x = Value(1.0, role="input")
    h = [(w * x).tanh() for w in net.w]
    scale = dot(h, h) ** -0.5 * (net.w[0] * net.w[0] + 1).log()
    picture = draw(dot(net.v, [value * scale for value in h]) ** 2, model=net)
    assert "x fed back" in picture.source
    assert ElementTree.fromstring(picture.pipe("svg")).get("width")


def test_what_a_layer_takes_at_another_step_is_not_fed_back_if_it_does_not_depend_on_it():
    """Two steps side by side, joined at the end: nothing goes back."""
    random.seed(1)
    model = nn.Module()
    model.first, model.second = nn.Neuron(1, activation="tanh"), nn.Neuron(1, activation="tanh")
    out = [model.second([2 * model.first([x])]) for x in STEPS[:2]]
    picture = draw(out[0] * out[1], model=model)
    assert "x fed back" not in picture.source
    assert [texts[0] for texts in cells(picture.source).values()][:2] == ["first", "second"]


@pytest.mark.usefixtures("renderer")
def test_units_of_one_frame_stand_one_after_the_other_where_one_takes_the_others_output():
    model = nn.Module()
    model.first, model.hidden, model.last = nn.Neuron(1), nn.Layer(1, 2), nn.Neuron(2)
    picture = draw(model.last(model.hidden([model.first([0.5])])), model=model, rankdir="LR")
    assert "x fed back" not in picture.source
    at = {}
    for element in ElementTree.fromstring(picture.pipe("svg")).iter(f"{SVG}g"):
        text = element.find(f".//{SVG}text")
        if element.get("class") == "node" and text.text in {"first", "unit 1", "last"}:
            at[text.text] = float(text.get("x"))
    assert at["first"] < at["unit 1"] < at["last"]


def along(points):
    """Points on the cubic curves of a path, whose ends touch their boxes."""
    for start in range(0, len(points) - 1, 3):
        curve = points[start : start + 4]
        for k in range(1, 200):
            s = k / 200
            weights = (1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s * s * (1 - s), s**3
            yield tuple([sum(w * point[axis] for w, point in zip(weights, curve)) for axis in (0, 1)])


def crossings(picture):
    """The boxes and frame titles that a line between parts passes through, as pairs of names."""
    svg = ElementTree.fromstring(picture.pipe("svg"))
    lines, areas = {}, {}
    for element in svg.iter(f"{SVG}g"):
        title = (element.findtext(f"{SVG}title") or "").replace(":e", "").replace(":w", "")
        if element.get("class") == "edge":
            path = element.find(f"{SVG}path").get("d")
            points = [tuple(map(float, pair.split(","))) for pair in re.findall(r"-?[\d.]+,-?[\d.]+", path)]
            lines.setdefault(title, []).extend(along(points))
        elif element.get("class") == "node" and element.find(f"{SVG}polygon") is not None:
            corners = [p.get("points").split() for p in element.iter(f"{SVG}polygon")]
            areas[title] = [tuple(map(float, pair.split(","))) for polygon in corners for pair in polygon]
        elif element.get("class") == "cluster":
            for text in element.iter(f"{SVG}text"):
                x, y, half = float(text.get("x")), float(text.get("y")), 3.6 * len(text.text)
                areas[text.text] = [(x - half, y - 8), (x + half, y + 2)]
    assert lines
    assert areas
    found = set()
    for edge, points in lines.items():
        for area, corners in areas.items():
            (left, right), (top, bottom) = [(min(side), max(side)) for side in zip(*corners)]
            if any(left + 1.5 < x < right - 1.5 and top + 1.5 < y < bottom - 1.5 for x, y in points):
                found.add((edge, area))
    return found


class Skip(nn.Module):
    """The last unit takes the inputs too, past the hidden layer."""

    def __init__(self):
        self.hidden, self.head = nn.Layer(2, 3), nn.Layer(5, 1, nonlin=False)

    def __call__(self, xs):
        x = [Value(number, role="input") for number in xs]
        return self.head([*self.hidden(x), *x])


NETWORKS = {
    "2-3-1": lambda: nn.MLP(2, [3, 1]),
    "2-8-8-1": lambda: nn.MLP(2, [8, 8, 1]),
    "skip": Skip,
    "recurrent": lambda: Recurrent(3, "tanh", nn.Layer(3, 1, nonlin=False)),
    "recurrent unit": lambda: Recurrent(1, "relu", nn.Layer(1, 1, nonlin=False)),
    "echo": Echo,
}


@pytest.mark.usefixtures("renderer")
@pytest.mark.parametrize("collapse", ["neurons", "layers"])
@pytest.mark.parametrize("rankdir", ["LR", "TB"])
@pytest.mark.parametrize("name", NETWORKS)
def test_edges_go_around_boxes_and_titles(name, rankdir, collapse):
    random.seed(0)
    model = NETWORKS[name]()
    loss = losses.squared_error(model(STEPS[:2]), 1)
    picture = draw(loss, model=model, rankdir=rankdir, collapse=collapse)
    assert crossings(picture) == set()
    assert ("x fed back" in picture.source) == (name in {"recurrent", "recurrent unit", "echo"})


def test_a_picture_turns_where_it_is_too_wide_for_a_page():
    a = Value(1.0, label="a")
    short, long = a * a + a, chain(30)
    assert ("rankdir=LR" in draw(short).source, "<HR/>" in draw(short).source) == (True, False)
    assert "rankdir=TB" in draw(long).source
    assert "rankdir=LR" in draw(long, rankdir="LR").source
    assert "<HR/>" not in draw(long, stacked=False).source
    model, loss = network(2, 3, 1)
    assert ("rankdir=LR" in draw(loss, model=model).source, "<HR/>" in draw(loss, model=model).source) == (True, True)


@pytest.mark.usefixtures("renderer")
@pytest.mark.parametrize("sizes", [(2, 3, 1), (2, 16, 16, 1), (64, 64, 32, 10), (3, 8, 8, 2)])
def test_a_network_fits_a_page(sizes):
    model, loss = network(*sizes)
    width = ElementTree.fromstring(draw(loss, model=model).pipe("svg")).get("width")
    assert float(width.removesuffix("pt")) <= 1300  # with letters of 12 points, which are 10 pixels on a page of 1,080


def test_what_cannot_be_collapsed_is_told():
    model, loss = network(2, 2, 1)
    with pytest.raises(ValueError, match="none of its parameters; pass the loss that was computed with this model"):
        draw(loss, model=nn.MLP(2, [2, 1]))
    with pytest.raises(ValueError, match=r'no dot to expand; add collapse="nothing"'):
        draw(loss, model=model, expand=True)
    with pytest.raises(ValueError, match=r"at most 7 Values, got 8; .* raise max_nodes"):
        draw(loss, model=model, max_nodes=7)
    with pytest.raises(ValueError, match="as one box with model="):
        draw(loss, max_nodes=8)


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


def chain(length):
    node = Value(1.0)
    with_one = Value(1.0)
    for _ in range(length - 2):
        node = node + with_one
    return node


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


# ---- rendering -------------------------------------------------------------------------------------------------------


def test_importing_micrograd_does_not_import_graphviz():
    assert python("import sys, micrograd; print('graphviz' in sys.modules)") == "False\n"


def test_renders_outside_an_activated_environment(tmp_path):
    code = (
        "from micrograd import Value, draw\n"
        "picture = draw(Value(2.0, label='a') * 3)\n"
        "print(picture.pipe(encoding='utf-8'))"
    )
    assert ">data 6</text>" in python(code, PATH=str(tmp_path))


def test_a_system_dot_comes_first_and_graphviz_pure_is_found_on_path(monkeypatch):
    found = {"dot": "/system/dot", "graphviz-pure": "/tools/graphviz-pure"}
    monkeypatch.setattr(render.shutil, "which", found.get)
    monkeypatch.setattr(render, "_installed", lambda: "/wheel/graphviz-pure")
    assert render.find_dot() == "/system/dot"
    del found["dot"]
    assert render.find_dot() == "/wheel/graphviz-pure"
    monkeypatch.setattr(render, "_installed", lambda: None)
    assert render.find_dot() == "/tools/graphviz-pure"
    found.clear()
    assert render.find_dot() is None


def test_without_graphviz_the_error_says_how_to_install_and_the_source_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "find_dot", lambda: None)
    picture = draw(Value(2.0) * 3)
    for show in (picture.pipe, lambda: picture.render(tmp_path / "graph")):
        with pytest.raises(RenderError, match="pip install graphviz-pure"):
            show()
    assert "v0 -> o2" in picture.source
    assert (tmp_path / "graph").read_text(encoding="utf-8") == picture.source


def test_a_notebook_shows_an_image_that_fits_or_else_the_source(monkeypatch):
    picture = draw(Value(2.0) * 3)
    monkeypatch.setattr(render, "layout", lambda *_: b'<?xml version="1.0"?>\n<svg width="240pt" height="60pt"/>')
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/html"]
    [style] = re.findall(r'<img alt="[^"]+" style="([^"]+)"', bundle["text/html"])
    assert style == "max-width:100%;min-width:200px;height:auto"  # 240 pt are 320 px, of which 62.5 %
    [content] = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', bundle["text/html"])
    assert base64.b64decode(content) == picture.pipe("svg")
    assert "sideways" not in bundle["text/html"]
    assert picture.svg() == f'<div style="overflow-x:auto"><svg style="{style}" width="240pt" height="60pt"/></div>'
    monkeypatch.setattr(render, "layout", lambda *_: b'<svg width="900pt" height="60pt"/>')
    assert "sideways" in picture._repr_mimebundle_(include=None, exclude=None)["text/html"]
    monkeypatch.setattr(render, "layout", render.graphviz_program)
    monkeypatch.setattr(render, "find_dot", lambda: None)
    bundle = picture._repr_mimebundle_(include=None, exclude=None)
    assert list(bundle) == ["text/plain"]
    assert "pip install graphviz-pure" in bundle["text/plain"]
    assert picture.source in bundle["text/plain"]


def test_an_unexpected_layout_is_told(monkeypatch):
    monkeypatch.setattr(render, "layout", lambda *_: b"<svg>")
    with pytest.raises(RenderError, match="no width in points"):
        draw(Value(2.0)).pipe("svg")


def test_a_page_can_lay_out_by_a_function_of_its_own_and_starts_no_process(monkeypatch, tmp_path):
    asked = []

    def layout(source, form):
        asked.append((source, form))
        return b'<svg width="90pt"/>' if form == "svg" else b"bytes"

    monkeypatch.setattr(render, "layout", layout)
    monkeypatch.setattr(render.subprocess, "run", None)
    picture = draw(Value(2.0) * 3)
    assert picture.pipe("png") == b"bytes"
    assert 'width="90pt"' in picture.svg()
    picture.save(tmp_path / "graph.jpg")
    assert asked == [(picture.source, form) for form in ("png", "svg", "jpg")]


@pytest.mark.usefixtures("renderer")
def test_save_writes_the_picture_that_the_suffix_names_and_nothing_else(tmp_path):
    picture = draw(Value(2.0) * 3)
    assert picture.save(tmp_path / "new" / "loss.svg") == str(tmp_path / "new" / "loss.svg")
    assert picture.save("loss.PNG", tmp_path) == str(tmp_path / "loss.PNG")
    assert picture.save(tmp_path / "loss.gv") == str(tmp_path / "loss.gv")
    with pytest.raises(RenderError, match="not recognized"):
        picture.save(tmp_path / "loss.nonsense")
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["loss.PNG", "loss.gv", "loss.svg"]
    assert (tmp_path / "new" / "loss.svg").read_bytes() == picture.pipe("svg")
    assert (tmp_path / "loss.PNG").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "loss.gv").read_text(encoding="utf-8") == picture.source


@pytest.mark.usefixtures("renderer")
def test_a_layout_stops_at_the_time_limit(monkeypatch):
    node = chain(60)
    monkeypatch.setattr(render, "TIME_LIMIT", 1e-3)  # it takes 100 times as long
    with pytest.raises(RenderError, match=r"more than 0\.001 s and was stopped; draw a smaller graph"):
        draw(node).pipe()


@pytest.mark.usefixtures("renderer")
def test_what_graphviz_refuses_is_told():
    with pytest.raises(RenderError, match=r"-Tnonsense failed: .*nonsense.* not recognized"):
        draw(Value(1.0)).pipe("nonsense")


def test_a_program_that_does_not_run_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "find_dot", lambda: str(tmp_path / "gone"))
    with pytest.raises(RenderError, match="gone does not run"):
        draw(Value(1.0)).pipe()


@pytest.mark.usefixtures("renderer")
def test_render_pipe_save_and_view_work_as_in_graphviz(monkeypatch, tmp_path):
    picture = draw(Value(2.0) * 3)
    assert picture.pipe("png").startswith(b"\x89PNG")
    assert picture.pipe() == picture.pipe("svg", encoding="utf-8").encode()
    assert picture.save(tmp_path / "saved.gv") == str(tmp_path / "saved.gv")

    assert picture.render("graph", tmp_path) == str(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_bytes() == picture.pipe()
    assert (tmp_path / "graph").read_text(encoding="utf-8") == picture.source
    assert picture.render(tmp_path / "other", format="png", cleanup=True) == str(tmp_path / "other.png")
    assert not (tmp_path / "other").exists()
    assert picture.render(outfile=tmp_path / "out.png") == str(tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out.gv").exists()

    viewed = []
    monkeypatch.setattr(graphviz, "view", lambda path, **_: viewed.append(path))
    picture.view(tmp_path / "graph")
    assert viewed == [str(tmp_path / "graph.svg")]
