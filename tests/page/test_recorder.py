"""The recorded steps hold what the engine computes, to the last bit, and leave everything as it was."""

import copy
import random

import pytest

from micrograd import Value, accumulate, dot, losses, nn, optim
from micrograd.graph import nodes
from micrograd.page import recorder as steps
from micrograd.page.recorder import Recorder
from micrograd.pictures.formula import digits, names, write

A, B = Value(2.0, label="a"), Value(-3.0, label="b")
BATCH = [([1.2, -0.7], 1), ([0.4, 0.9], -1), ([-1.1, 0.3], 1), ([0.5, -1.6], -1)]


def network(activation="tanh"):
    random.seed(1)
    return nn.MLP(2, [3, 1], activation=activation)


def last_writes(recorder, upto=None, reduction="sum"):
    """The text that every place shows after the steps."""
    texts = {}
    for step in recorder.steps[:upto]:
        texts |= (step.mean or step).writes if reduction == "mean" else step.writes
    return texts


@pytest.fixture
def every_digit(monkeypatch):
    monkeypatch.setattr(steps, "digits", repr)


@pytest.mark.usefixtures("every_digit")
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "linear"])
@pytest.mark.parametrize("loss", [losses.hinge, losses.squared_error])
def test_every_number_is_the_engines(activation, loss):
    model = network(activation)
    graphs = [nodes(loss(model(x), y)) for x, y in BATCH]
    recorder = Recorder(graphs, model.parameters(), None, ["…"] * 4)
    ends = [i for i, step in enumerate(recorder.steps) if step.phase in {"sample", "batch"}][1:]
    for k, (graph, end) in enumerate(zip(graphs, ends)):
        graph[-1].backward()
        shown = last_writes(recorder, end)
        for i, node in enumerate(graph):
            assert shown[f"v{i}.data"] == repr(node.data)
            if node.role != "constant":
                assert float(shown[f"v{i}.grad"]) == node.grad
            for j, slope in enumerate(node.partials):
                assert shown[f"o{i}.{j}"] == repr(slope)
        sums = [float(shown[f"t{r}.sum"]) for r in range(13)]
        assert sums == [p.grad for p in model.parameters()]
        alone = copy.deepcopy(model)
        alone.zero_grad()
        loss(alone(BATCH[k][0]), BATCH[k][1]).backward()
        assert [float(shown[f"t{r}.{k}"]) for r in range(13)] == [p.grad for p in alone.parameters()]


@pytest.mark.usefixtures("every_digit")
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1),
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: optim.Adam(p, lr=0.1),
    ],
)
def test_the_last_steps_are_accumulate_and_the_optimizer(make, reduction):
    model = network()
    optimizer = make(model.parameters())

    def loss(x, y):
        return losses.squared_error(model(x), y)

    recorder = Recorder([nodes(loss(*sample)) for sample in BATCH], optimizer.parameters, optimizer, ["…"] * 4)
    shown = last_writes(recorder, reduction=reduction)
    old = [p.data for p in model.parameters()]
    error = accumulate(loss, BATCH, reduction)
    gradient = [p.grad for p in model.parameters()]
    optimizer.step()
    assert float(shown[f"te.{reduction}"]) == error
    assert [float(shown[f"t{r}.{reduction}"]) for r in range(13)] == gradient
    assert [float(shown[f"t{r}.old"]) for r in range(13)] == old
    assert [float(shown[f"t{r}.new"]) for r in range(13)] == [p.data for p in model.parameters()]


def test_everything_is_left_as_it_was():
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    loss = losses.squared_error(model(BATCH[0][0]), 1)
    loss.backward(3.0)
    optimizer.step()
    graph = nodes(loss)

    def everything():
        return [(node.data, node.grad) for node in graph], optimizer.state_dict()

    before = copy.deepcopy(everything())
    Recorder([graph], optimizer.parameters, optimizer, ["…"])
    assert everything() == before
    optimizer.parameters[0].data = 1e308
    optimizer.lr = 1e308
    before = copy.deepcopy(everything())
    with pytest.raises(ValueError, match="new value"):
        Recorder([graph], optimizer.parameters, optimizer, ["…"])
    assert everything() == before


def test_the_sentence_of_the_step_is_the_optimizers_own_rule():
    w = Value(2.0, label="w")
    graph = nodes(w * 3)
    first, second, _ = Recorder([graph], [w], optim.SGD([w], lr=0.1), ["…"]).steps[-1].lines
    assert (first.split(",")[0], second) == ("w ← w − η · sum", "w ← 2 − 0.1 · 3 = 1.7")
    first, second, _ = Recorder([graph], [w], optim.SGD([w], lr=0.1, momentum=0.9), ["…"]).steps[-1].lines
    assert (first.split()[0], second) == ("SGD.step()", "w: 2 → 1.7")


def test_gradients_of_passes_before_do_not_count():
    """Neither in the expression itself, nor in a node that two samples share."""
    a = Value(3.0, label="a")
    shared = a * 2
    e, f = shared * shared, shared * 5
    e.backward()
    assert last_writes(Recorder([nodes(e)], [a]))["t0.0"] == "24"
    shown = last_writes(Recorder([nodes(e), nodes(f)], [a], None, ["…", "…"]))
    assert [shown[f"t0.{k}"] for k in (0, 1, "sum", "mean")] == ["24", "10", "34", "17"]


def test_a_sentence_comes_before_its_number():
    w = [Value(0.31, label="w₁"), Value(-0.5, label="w₂")]
    x = [Value(1.2, label="x₁", role="input"), Value(-2.0, label="x₂", role="input")]
    s = dot(w, x, Value(0.25, label="b"))
    s.label = "s"
    recorder = Recorder([nodes(s)], w)
    ask, answer = [step for step in recorder.steps if step.phase == "forward"]
    assert ask.lines == ["s = w₁·x₁ + w₂·x₂ + b = 0.31 · 1.2 + (−0.5) · (−2) + 0.25 = ?"]
    assert ask.writes == {"v5.data": "?"}
    assert answer.lines == ["s = w₁·x₁ + w₂·x₂ + b = 0.31 · 1.2 + (−0.5) · (−2) + 0.25 = 1.622"]
    assert recorder.steps[-1].lines == [
        "δ = s.grad = 1",
        "w₁.grad += δ·x₁ = 1 · 1.2 = 1.2, so 0 + 1.2 = 1.2",
        "w₂.grad += δ·x₂ = 1 · (−2) = −2, so 0 + (−2) = −2",
        "x₁.grad += δ·w₁ = 1 · 0.31 = 0.31",
        "x₂.grad += δ·w₂ = 1 · (−0.5) = −0.5",
        "b.grad += δ · 1 = 1 · 1 = 1",
    ]


def test_the_sum_is_written_out_where_it_happens():
    """Old, this sample's share, new; at the end of a sample, what the parameters hold."""
    w = Value(0.5, label="w")
    batch = [(2.0, 3.0), (-1.0, 4.0), (0.5, 1.0)]
    graphs = [nodes((w * Value(x, role="input") - y) ** 2) for x, y in batch]
    shares = [2 * (0.5 * x - y) * x for x, y in batch]
    assert shares == [-8.0, 9.0, -0.75]
    recorder = Recorder(graphs, [w], None, ["…"] * 3)
    sums = [line.split(", so ")[1] for step in recorder.steps for line in step.lines if line.startswith("w.grad += ")]
    assert sums == ["0 + (−8) = −8", "−8 + 9 = 1", "1 + (−0.75) = 0.25"]
    assert [step.lines for step in recorder.steps if step.phase == "sum"] == [
        ["After sample 1 of 3 the parameters hold ∇e₁, the gradient of sample 1 alone."],
        [
            "After sample 2 of 3 the parameters hold ∇e₁ + ∇e₂, the sum of the samples so far.",
            "w.grad = −8 + 9 = 1, and so on for each row of the table.",
        ],
        [
            "After sample 3 of 3 the parameters hold ∇e₁ + ∇e₂ + ∇e₃, the sum of the samples so far.",
            "w.grad = 1 + (−0.75) = 0.25, and so on for each row of the table.",
        ],
    ]


def test_steps_come_in_the_order_of_the_passes():
    model = network()
    graph = nodes(losses.squared_error(model(BATCH[0][0]), 1))
    recorder = Recorder([graph, graph], model.parameters(), optim.SGD(model.parameters()), ["…", "…"])
    results = [i for i, node in enumerate(graph) if node.parents]
    one = [("sample", -1), *[("forward", i) for i in results for _ in range(2)], ("seed", len(graph) - 1)]
    one += [*[("backward", i) for i in reversed(results)], ("sum", -1)]
    order = [(step.phase, step.node) for step in recorder.steps]
    assert order == [("start", -1), *one, *one, ("batch", -1), ("optimizer step", -1)]


def test_nothing_flows_from_a_zero_and_a_hand_made_node_has_its_own_rule():
    a = Value(-2.0, label="a")
    dead = Recorder([nodes((a * 3).relu())], [a]).steps
    assert dead[-1].lines == ["z₁.grad = 0: from here nothing flows back."]
    assert not [place for place in dead[-1].writes if place.endswith("grad")]

    double = Value(2 * a.data, (a,), "double")
    double._backward = lambda: setattr(a, "grad", a.grad + 2 * double.grad)
    assert last_writes(Recorder([nodes(double * double)], [a]))["t0.0"] == "−16"


def test_an_expression_of_one_leaf():
    a = Value(2.0, label="a")
    recorder = Recorder([nodes(a)], [a])
    assert [step.phase for step in recorder.steps] == ["start", "seed"]
    assert "start from 0" in recorder.steps[0].lines[1]  # as the table beside it says
    assert recorder.steps[0].writes["v0.grad"] == "0"
    assert last_writes(recorder)["t0.0"] == "1"


@pytest.mark.parametrize(
    ("node", "symbols", "numbers"),
    [
        (A + B, "a + b", "2 + (−3)"),
        (B - A, "b − a", "−3 − 2"),
        (A / B, "a / b", "2 / (−3)"),
        (-B, "−b", "−(−3)"),
        (B**2, "b²", "(−3)²"),
        (A**-0.5, "a^−0.5", "2^−0.5"),
        (A**B, "a^b", "2^(−3)"),
        (abs(B), "|b|", "|−3|"),
        (A.maximum(B), "max(a, b)", "max(2, −3)"),
        (B.sigmoid(), "σ(b)", "σ(−3)"),
        (dot([A, B], [B, A]), "a·b + b·a", "2 · (−3) + (−3) · 2"),
    ],
)
def test_formulas(node, symbols, numbers):
    called = names([nodes(node)])
    assert write(node.op, [called[p] for p in node.parents]) == symbols
    assert write(node.op, [digits(p.data) for p in node.parents]) == numbers


def test_names_are_the_lectures():
    model = nn.MLP(2, [12, 1], activation="tanh")
    model.parameters()
    graph = nodes(losses.squared_error(model([0.5, 1.5]), 1.0))
    called = names([graph])
    assert called[model.layers[0].neurons[2].weights[1]] == "w₂₃⁽¹⁾"
    assert called[model.layers[1].neurons[0].weights[10]] == "w₁₁,₁⁽²⁾"
    assert called[model.layers[1].neurons[0].bias] == "b₁⁽²⁾"
    assert {"x₁", "x₂", "s₃⁽¹⁾", "x₃⁽¹⁾", "s₁⁽²⁾", "z₁", "1", "e"} <= set(called.values())


def test_names_without_labels_count_and_stay_clear_of_labels():
    w, b, taken = Value(1.0), Value(2.0), Value(3.0, label="w₁")
    graphs = [
        nodes(dot([w, taken], [x, x + 1], b).tanh()) for x in (Value(1.0, role="input"), Value(2.0, role="input"))
    ]
    called = names(graphs)
    assert (called[w], called[b], called[taken]) == ("w₂", "b₁", "w₁")
    for graph in graphs:
        assert [called[node] for node in graph if node.role != "parameter"] == ["x₁", "1", "z₁", "s₁", "e"]


def test_labels_are_shown_as_written_but_for_what_nobody_can_see():
    labels = ["<script>", "{é|", "a\nb", "\x00", "\ud800", "x" * 100]
    called = names([[Value(1.0, label=label) for label in labels]])
    assert [*called.values()][:2] == ["<script>", "{é|"]
    assert [*called.values()][2:5] == ["a␊b", "␀", "\ufffd"]
    assert len([*called.values()][5]) == 60


def test_numbers_have_four_significant_digits_and_a_minus():
    numbers = [0.0, -0.0, 1.23456, -1e-7, float("inf")]
    assert [digits(x) for x in numbers] == ["0", "0", "1.235", "−1e−07", "inf"]
