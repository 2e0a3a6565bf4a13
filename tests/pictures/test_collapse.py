"""Pictures of networks: the numbers of units and layers, and where they stand."""

import math
import random
import re
from xml.etree import ElementTree

import pytest
from reading import SVG, cells, chain, edges

from micrograd import Value, dot, draw, jit, losses, nn
from micrograd.graph import nodes
from micrograd.pictures.collapse import units
from micrograd.pictures.source import digits


def network(*sizes, **options):
    """An MLP, and a sample's loss graph after its backward pass."""
    random.seed(1)
    model = nn.MLP(sizes[0], list(sizes[1:]), **options)
    out = model([random.uniform(-1, 1) for _ in range(sizes[0])])
    loss = losses.cross_entropy(out, 1) if isinstance(out, list) else losses.squared_error(out, 1)
    loss.backward()
    return model, loss


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
        pytest.importorskip("llvmlite")
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
    if collapse == "neurons" and size > 1:  # they take each other's outputs, and stand in no frame that has the name
        assert [box[0] for box in boxes] == [f"gates.{gate} unit {j + 1}" for gate in range(4) for j in range(size)]
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
