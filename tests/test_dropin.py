"""Scripts written for micrograd 0.1.0 run unchanged. The expected numbers were printed by that release."""

import copy
import pickle
import random

import pytest

from micrograd import gradients
from micrograd.engine import Value
from micrograd.nn import MLP, Layer, Module, Neuron

SAMPLES = [([0.5, -1.25], 1.0), ([-2.0, 0.75], -1.0), ([1.5, 1.0], 1.0), ([-0.25, -0.5], -1.0)]


def exactly(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_training_as_one_graph():
    """Its style: the batch as one graph, hinge written out, a penalty over the parameters, updates by hand."""
    random.seed(1337)
    model = MLP(2, [4, 3, 1])
    totals, right = [], []
    for step in range(6):
        scores = [model(list(map(Value, x))) for x, _ in SAMPLES]
        losses = [(1 + -y * score).relu() for (_, y), score in zip(SAMPLES, scores)]
        total = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= (0.5 - 0.05 * step) * p.grad
        totals.append(total.data)
        right.append(sum((score.data > 0) == (y > 0) for score, (_, y) in zip(scores, SAMPLES)))
    assert totals == exactly(
        [
            0.9203374065961727,
            0.806970723907481,
            0.6802647664271748,
            0.5033391632844341,
            0.49463923398734533,
            0.49471112475119255,
        ]
    )
    assert right == [4, 3, 3, 3, 3, 3]
    assert [p.data for p in model.parameters()][:3] == exactly(
        [0.2928282842697629, 0.0578216334705423, 0.05806053427258638]
    )
    assert sum(p.data for p in model.parameters()) == exactly(3.3591820675088444)


def test_every_operation_in_one_expression():
    a, b = Value(-4.5), Value(2.25)
    c, d = a + b, a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    g = e**2 / 2.0
    g = g + 10.0 / e**2
    g.backward()
    assert (g.data, a.grad, b.grad) == exactly((274.67640756944445, 539.0267707437038, 2935.3523058977776))


def test_weights_come_from_the_global_random_in_the_same_order():
    """Uniform from -1 to 1, a neuron's weights one after the other; a bias is 0 and draws nothing."""
    random.seed(7)
    assert [p.data for p in Layer(2, 2).parameters()] == [
        -0.35233447033367526,
        -0.6983016521509962,
        0.0,
        0.3018689460797075,
        -0.8551274266649145,
        0.0,
    ]
    assert random.random() == 0.5358820043066892


def test_parameters_are_weights_then_bias_of_each_neuron():
    neuron = Neuron(3)
    assert neuron.parameters() == [*neuron.w, neuron.b]
    layer = Layer(3, 2)
    assert layer.parameters() == layer.neurons[0].parameters() + layer.neurons[1].parameters()
    model = MLP(3, [2, 1])
    assert model.parameters() == model.layers[0].parameters() + model.layers[1].parameters()


def test_zero_grad():
    model = MLP(2, [2, 1])
    (model([1.0, 2.0]) ** 2 + sum(model.parameters())).backward()
    assert all(p.grad for p in model.parameters()[-1:])
    model.zero_grad()
    assert not any(p.grad for p in model.parameters())


def test_a_module_of_ones_own_with_its_own_parameters():
    class Line(Module):
        def __init__(self):
            self.slope, self.offset = Value(2.0), Value(1.0)

        def __call__(self, x):
            return self.slope * x + self.offset

        def parameters(self):
            return [self.slope, self.offset]

    line = Line()
    line(3.0).backward()
    assert [p.grad for p in line.parameters()] == [3.0, 1.0]
    line.zero_grad()
    assert [p.grad for p in line.parameters()] == [0, 0]


def test_one_output_comes_alone_and_several_in_a_list():
    assert isinstance(MLP(2, [3, 1])([1.0, 2.0]), Value)
    assert [type(out) for out in MLP(2, [3, 2])([1.0, 2.0])] == [Value, Value]
    assert isinstance(Neuron(2, False)([1.0, -2.0]), Value)


def test_constructor_arguments_by_position_and_by_keyword():
    a, b = Value(2.0), Value(data=3.0)
    for node in (Value(6.0, (a, b), "times"), Value(data=6.0, _children={a, b}, _op="times")):
        assert (node.data, node.grad, node._prev, node._op) == (6.0, 0, {a, b}, "times")
    assert (a._prev, a._op) == (set(), "")


@pytest.mark.parametrize(
    ("build", "symbol"),
    [
        (lambda a, b: a + b, "+"),
        (lambda a, b: a * b, "*"),
        (lambda a, _: a**2, "**2"),
        (lambda a, _: a**-1, "**-1"),
        (lambda a, _: a**0.5, "**0.5"),
        (lambda a, _: a.relu(), "ReLU"),
    ],
)
def test_op_and_prev(build, symbol):
    a, b = Value(2.0), Value(3.0)
    node = build(a, b)
    assert node._op == symbol
    assert node._prev == ({a, b} if symbol in "+*" else {a})


def test_a_function_added_from_outside():
    """The way to add an operation there: a node with children, and a closure assigned to ``_backward``."""

    def cube(x):
        out = Value(x.data**3, (x,), "cube")

        def _backward():
            x.grad += 3 * x.data**2 * out.grad

        out._backward = _backward
        return out

    x = Value(2.0)
    (cube(x * 1.5) * 2 + x).backward()
    assert x.grad == exactly(82.0)


def test_backward_by_hand_node_after_node():
    """The lesson before ``backward()``: set the last gradient, then call each node's ``_backward``."""
    a, b = Value(2.0), Value(-3.0)
    h = a * b
    loss = h + a**2
    loss.grad = 1.0
    for node in (loss, *loss.parents, a, b):
        node._backward()
    assert (a.grad, b.grad) == (-3.0 + 4.0, 2.0)


def test_a_rule_put_in_place_of_another():
    a = Value(2.0)
    node = a * 3
    node._backward = lambda: setattr(a, "grad", a.grad + 100 * node.grad)
    (node * 2).backward()
    assert a.grad == 200.0


def test_own_state_on_a_value_stays_with_its_copies():
    a = Value(2.0)
    a.velocity, a._vis_color = 0.5, "lightgreen"
    node = a * 3
    node.tag = [1]
    for twin in (copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert (twin.tag, twin.parents[0].velocity, twin.parents[0]._vis_color) == ([1], 0.5, "lightgreen")
        assert twin.tag is not node.tag
    assert not vars(Value(1.0))


def test_a_node_built_from_a_leaf():
    """Its ``_prev``, ``_op`` and ``_backward`` set one by one, in whichever order."""
    a, b = Value(2.0), Value(-3.0)

    def push():
        a.grad += b.data * out.grad
        b.grad += a.data * out.grad

    for names in (("_prev", "_op", "_backward"), ("_backward", "_op", "_prev"), ("_op", "_backward", "_prev")):
        a.grad = b.grad = 0
        out = Value(-6.0)
        for name in names:
            setattr(out, name, {"_prev": {a, b}, "_op": "times", "_backward": push}[name])
        assert (out._prev, out._op, out.role) == ({a, b}, "times", "hidden")
        (out * 2).backward()
        assert (a.grad, b.grad) == (-6.0, 4.0)


def test_what_is_set_on_a_leaf_leaves_it_a_leaf():
    a = Value(2.0)
    a._backward, a._op, a._prev = (lambda: None), "w", ()
    (a * a).backward()
    assert (a.grad, a._op, a._prev, a.role) == (4.0, "w", set(), "parameter")


def test_a_symbol_changed_keeps_the_rule():
    a = Value(2.0)
    node = a**3
    node._op = "cube"
    assert node._op == "cube"
    assert gradients(gradients(node, a, create_graph=True), a).data == 12.0


def test_a_network_with_adam_whose_state_is_on_its_parameters():
    """After EurekaLabsAI/micrograd: cross-entropy written out, sums that start at the bias, 0 as an int."""
    random.seed(3)
    w, b = [[Value(random.uniform(-1, 1)) for _ in range(2)] for _ in range(3)], [Value(0) for _ in range(3)]
    parameters = [p for row in w for p in row] + b
    for p in parameters:
        p.m = p.v = 0
    totals = []
    for t in range(1, 21):
        total = Value(0.0)
        for (x, y), target in (((0.5, 1.0), 0), ((-1.0, 0.25), 1), ((0.75, -1.5), 2)):
            logits = [sum((wi * xi for wi, xi in zip(row, (x, y))), bias).tanh() for row, bias in zip(w, b)]
            exponentials = [logit.exp() for logit in logits]
            total = total + -(exponentials[target] / sum(exponentials)).log()
        (total * (1.0 / 3)).backward()
        for p in parameters:
            p.m = 0.9 * p.m + 0.1 * p.grad
            p.v = 0.95 * p.v + 0.05 * p.grad**2
            p.data -= 0.1 * (p.m / (1 - 0.9**t) / ((p.v / (1 - 0.95**t)) ** 0.5 + 1e-8) + 1e-4 * p.data)
            p.grad = 0
        totals.append(total.data)
    assert totals[-1] < 0.6 * totals[0]


def test_how_things_print():
    a, b = Value(-4.5), Value(2.25)
    assert repr(a) == "Value(data=-4.5, grad=0)"
    (a * b).backward()
    assert f"{a} {b}" == "Value(data=-4.5, grad=2.25) Value(data=2.25, grad=-4.5)"
    assert repr(Neuron(3)) == "ReLUNeuron(3)"
    assert repr(Neuron(3, nonlin=False)) == "LinearNeuron(3)"
    assert repr(Layer(2, 2, nonlin=False)) == "Layer of [LinearNeuron(2), LinearNeuron(2)]"
    assert repr(MLP(2, [2, 1])) == "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
