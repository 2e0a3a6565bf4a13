"""The cases: a few lines of code each, what is right after them, and why that matters.

The code is written for an engine whose class is ``Value``, with ``data``, ``grad`` and ``backward()``; ``adapter``
rewrites it for engines that use other names. What is right stands as arithmetic, so that a reader sees how it is known:

>>> case = find("2.1")
>>> print(case.code)
a = Value(3.0)
y = a * a
y.backward()
>>> case.right
{'y.data': '3 * 3', 'a.grad': '3 + 3'}
"""

import ast
from dataclasses import dataclass
from textwrap import dedent

VERSION = "1.0"

# Functions of one number, written as methods in the cases. Engines may offer them or not.
FUNCTIONS = ("exp", "log", "tanh", "relu", "sigmoid", "sqrt", "sin", "cos")

# Other things that an engine may offer: classes and functions beside its numbers.
HELPERS = ("MLP", "SGD", "accumulate", "gradients")

# Names among ``Case.needs`` that do not explain themselves.
MEANING = {
    "state": "values that keep their .data and .grad",
    "functional": "a function that makes gradients",
    "MLP": "MLP(inputs, sizes)",
    "SGD": "SGD(parameters, lr)",
    "accumulate": "accumulate(loss, batch, reduction)",
    "gradients": "gradients(y, x, create_graph)",
    "abs": "abs(value)",
    "double": "numbers of 16 digits",
}

# What a checked expression may be instead of a number: the engine has to tell that something is undefined.
AN_ERROR = "an error"
AN_ERROR_OR_INF = "an error or inf"
AN_ERROR_OR_NAN = "an error or nan"


@dataclass(frozen=True)
class Level:
    """A step of a course.

    Attributes:
        number, title: as they are shown.
        requires: names of ``Case.needs``; of each group, an engine has to offer one, else the level is not passed.
        lesson: where this is explained, in the documentation of micrograd.
    """

    number: int
    title: str
    requires: tuple[tuple[str, ...], ...] = ()
    lesson: str = ""


@dataclass(frozen=True)
class Case:
    """One promise.

    Attributes:
        number: "2.1" is the first case of level 2.
        title: the promise in one line.
        code: lines on an engine's ``Value``.
        right: for expressions that are looked at after the code, the right number as arithmetic, a bound such as
            "< 10", or one of the texts AN_ERROR….
        why: what goes wrong without it.
        needs: what an engine has to offer, beyond ``Value``, so that the case can be run.
        known: how one knows what is right.
    """

    number: str
    title: str
    code: str
    right: dict[str, str]
    why: str
    needs: tuple[str, ...] = ()
    known: str = "the derivative by hand; the arithmetic is shown"

    @property
    def level(self) -> Level:
        return LEVELS[int(self.number.partition(".")[0]) - 1]


_PROMISES = "micrograd, README.md, section “What it promises”"
_EXPRESSION = "micrograd, demos/expression.py: why does a value have this gradient?"

LEVELS = [
    Level(1, "arithmetic and one backward pass", (), _EXPRESSION),
    Level(2, "shared nodes and topological order", (), _EXPRESSION),
    Level(
        3,
        "leaves accumulate, interior nodes start anew",
        (("state",),),
        "micrograd, demos/wrong_ways.py: what goes wrong with = for +=, or without zero_grad?",
    ),
    Level(
        4,
        "functions, powers, division, plain numbers",
        (FUNCTIONS,),
        "micrograd, demos/lesson.ipynb: from an expression to a training",
    ),
    Level(
        5,
        "a neuron, a layer: the lecture's δ",
        (("tanh", "relu", "sigmoid"),),
        "micrograd, demos/lecture.py: the δ recursion of the lecture, number by number",
    ),
    Level(
        6,
        "a batch is a sum",
        (("state", "functional"),),
        "micrograd, demos/batch_sizes.py: when are sum and mean the same?",
    ),
    Level(7, "edges: kinks, large numbers, the undefined", (FUNCTIONS,), _PROMISES),
    Level(8, "depth, cost, memory, the same bits", (), _PROMISES),
    Level(9, "beyond: second derivatives, copies, edits", (("state", "gradients"),), _PROMISES),
]

CASES: list[Case] = []


def find(number: str) -> Case:
    """The fixed case of that number. Raises KeyError where there is none."""
    for case in CASES:
        if case.number == number:
            return case
    raise KeyError(number)


def _case(
    number: str, title: str, code: str, right: dict[str, str], why: str, *needs: str, known: str = Case.known
) -> None:
    code = dedent(code).strip("\n")
    CASES.append(Case(number, title, code, right, why, needs + _used(code), known))


def _used(code: str) -> tuple[str, ...]:
    """The functions and helpers that the code names."""
    names = [getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(ast.parse(code))]
    return tuple(dict.fromkeys(name for name in names if name in FUNCTIONS + HELPERS))


# ---- 1: arithmetic and one backward pass -----------------------------------------------------------------------------

_case(
    "1.1",
    "A value keeps its number",
    "a = Value(2.5)",
    {"a.data": "2.5"},
    "Everything else is computed from this number.",
    known="by definition",
)
_case(
    "1.2",
    "A sum hands its gradient to both terms",
    """
    a = Value(2.0)
    b = Value(-3.0)
    y = a + b
    y.backward()
    """,
    {"y.data": "2 + -3", "a.grad": "1", "b.grad": "1"},
    "The slope of a + b by each term is 1.",
)
_case(
    "1.3",
    "In a product, each factor's gradient is the other factor",
    """
    a = Value(2.0)
    b = Value(-3.0)
    y = a * b
    y.backward()
    """,
    {"y.data": "2 * -3", "a.grad": "-3", "b.grad": "2"},
    "The slope of a·b by a is b. With the factors exchanged, weights learn from themselves, not from their inputs.",
)
_case(
    "1.4",
    "What is subtracted gets a negative gradient",
    """
    a = Value(2.0)
    b = Value(-3.0)
    y = a - b
    y.backward()
    """,
    {"y.data": "2 - -3", "a.grad": "1", "b.grad": "-1"},
    "The slope of a − b by b is −1. With the wrong sign, training walks uphill.",
)
_case(
    "1.5",
    "The gradient of −a is −1",
    """
    a = Value(2.0)
    y = -a
    y.backward()
    """,
    {"y.data": "-2", "a.grad": "-1"},
    "A loss is often the negative of something, of a log-likelihood for example.",
)
_case(
    "1.6",
    "The chain rule: slopes multiply along a path",
    """
    a = Value(2.0)
    b = Value(-3.0)
    c = Value(10.0)
    d = Value(-2.0)
    y = (a * b + c) * d
    y.backward()
    """,
    {"y.data": "(2 * -3 + 10) * -2", "a.grad": "-2 * -3", "b.grad": "-2 * 2", "c.grad": "-2", "d.grad": "2 * -3 + 10"},
    "Backpropagation is this rule alone: what arrives at a node, times the node's slope, goes on to its operands.",
)
_case(
    "1.7",
    "The gradient of the result by itself is 1, and interior nodes have gradients too",
    """
    a = Value(2.0)
    b = Value(-3.0)
    h = a * b
    y = h * b
    y.backward()
    """,
    {"y.grad": "1", "h.grad": "-3"},
    "Backpropagation starts from dy/dy = 1. The gradient of a neuron's signal is the δ of the lecture.",
)
_case(
    "1.8",
    "Computing changes no operand",
    """
    a = Value(2.0)
    b = Value(-3.0)
    y = (a + b) * (a - b)
    y.backward()
    """,
    {"a.data": "2", "b.data": "-3", "y.data": "(2 + -3) * (2 - -3)"},
    "A forward or backward pass that writes into .data changes the weights without an optimizer.",
)
_case(
    "1.9",
    "What a result does not depend on gets no gradient",
    """
    a = Value(2.0)
    b = Value(2.0)
    c = Value(5.0)
    y = a * c
    y.backward()
    """,
    {"a.grad": "5", "b.grad": "0"},
    "Two values with the same number are two values: a parameter is a node, not a number.",
)

# ---- 2: shared nodes and topological order ---------------------------------------------------------------------------

_case(
    "2.1",
    "A value used twice gets both shares",
    """
    a = Value(3.0)
    y = a * a
    y.backward()
    """,
    {"y.data": "3 * 3", "a.grad": "3 + 3"},
    "Gradients of several uses add up (+=, not =). A weight is used once for each sample and each unit it feeds.",
)
_case(
    "2.2",
    "a + a has the gradient 2",
    """
    a = Value(3.0)
    y = a + a
    y.backward()
    """,
    {"y.data": "3 + 3", "a.grad": "1 + 1"},
    "The two edges from a are two, though they lead to the same node: a set of operands loses one of them.",
)
_case(
    "2.3",
    "An interior node used twice",
    """
    a = Value(2.0)
    b = Value(3.0)
    h = a + b
    y = h * h
    y.backward()
    """,
    {"y.data": "(2 + 3) * (2 + 3)", "h.grad": "2 * (2 + 3)", "a.grad": "2 * (2 + 3)", "b.grad": "2 * (2 + 3)"},
    "A node passes its gradient on once, when all of it has arrived, not once for each use.",
)
_case(
    "2.4",
    "Three uses of one value",
    """
    x = Value(2.0)
    y = x * x * x + x * x + x
    y.backward()
    """,
    {"y.data": "8 + 4 + 2", "x.grad": "3 * 2 * 2 + 2 * 2 + 1"},
    "A polynomial uses its x many times, as a network uses its weights.",
)
_case(
    "2.5",
    "A node that is used near the result and deep below it",
    """
    a = Value(2.0)
    b = Value(3.0)
    h = a * b
    u = h * a
    v = u * b
    y = h * v
    y.backward()
    """,
    {"y.data": "6 * 36", "a.grad": "3 * 2 * 2 * 3 * 3 * 3", "b.grad": "3 * 2 * 2 * 2 * 3 * 3"},
    "h may pass its gradient on only after v and u have: nodes go in reverse topological order, not level by level.",
)
_case(
    "2.6",
    "A shared node met first through its later use",
    """
    a = Value(2.0)
    b = Value(3.0)
    h = a * b
    u = h + a
    v = h * u
    y = v + h
    y.backward()
    """,
    {"y.data": "6 * 8 + 6", "h.grad": "(8 + 6) + 1", "a.grad": "15 * 3 + 6", "b.grad": "15 * 2"},
    "The same, with the order of the operands turned round: an order that fits one of the two by luck fails the other.",
)
_case(
    "2.7",
    "Doubled six times",
    """
    x = Value(1.5)
    y = x
    for _ in range(6):
        y = y + y
    y.backward()
    """,
    {"y.data": "2**6 * 1.5", "x.grad": "2**6"},
    "There are 64 paths from x to y, and the gradient is the sum over all of them.",
)
_case(
    "2.8",
    "Many nodes in one graph",
    """
    a = Value(1.0)
    b = Value(2.0)
    y = a
    for _ in range(10):
        y = y * b - y + a
    y.backward()
    """,
    {"y.data": "11", "a.grad": "11", "b.grad": "sum(range(1, 11))"},
    "With b = 2 each turn adds a. The more nodes, the less likely a wrong order is right by luck.",
    known="by induction: after k turns y = k + 1, dy/da = k + 1, dy/db = 1 + 2 + … + k",
)

# ---- 3: leaves accumulate, interior nodes start anew -----------------------------------------------------------------

_case(
    "3.1",
    "A leaf adds up the gradients of two losses",
    """
    a = Value(2.0)
    b = Value(3.0)
    first = a * b
    first.backward()
    second = a + b
    second.backward()
    """,
    {"a.grad": "3 + 1", "b.grad": "2 + 1"},
    "A batch is made of this: one backward pass for each sample, all adding into the same weights.",
    "state",
)
_case(
    "3.2",
    "A second backward pass adds the same again",
    """
    x = Value(3.0)
    y = x * x * x
    y.backward()
    y.backward()
    """,
    {"x.grad": "27 + 27"},
    "The interior node x·x must start every pass at 0; if it keeps what it had, the second pass adds 45, not 27.",
    "state",
)
_case(
    "3.3",
    "Two losses that share an interior node",
    """
    w = Value(2.0)
    c = Value(3.0)
    h = w * c
    first = h + c
    second = h - c
    first.backward()
    second.backward()
    """,
    {"w.grad": "3 + 3"},
    "h still holds the first loss's gradient when the second pass comes. If it is not reset, w gets 9 in place of 6.",
    "state",
)
_case(
    "3.4",
    "An interior node has the gradient of the last pass, not a sum",
    """
    a = Value(2.0)
    b = Value(3.0)
    h = a * b
    y = h * b
    y.backward()
    y.backward()
    """,
    {"y.grad": "1", "h.grad": "3"},
    "Only leaves accumulate: the δ of a unit belongs to one sample.",
    "state",
)
_case(
    "3.5",
    "After a gradient is set to 0, only the new one counts",
    """
    w = Value(2.0)
    c = Value(3.0)
    y = w * c
    y.backward()
    w.grad = 0.0
    z = w * w
    z.backward()
    """,
    {"w.grad": "2 + 2"},
    "Between two steps of training, gradients are set to 0; the next step must see its own batch alone.",
    "state",
)
_case(
    "3.6",
    "Two graphs know nothing of each other",
    """
    a = Value(2.0)
    b = Value(3.0)
    first = (a * b) * b
    c = Value(5.0)
    d = Value(7.0)
    second = (c * d) * d
    first.backward()
    second.backward()
    """,
    {"a.grad": "3 * 3", "b.grad": "2 * 2 * 3", "c.grad": "7 * 7", "d.grad": "2 * 5 * 7"},
    "If all graphs share one list of nodes, a pass through the second goes through the first once more.",
    "state",
)
_case(
    "3.7",
    "A pass from the middle, then one from the end",
    """
    x = Value(3.0)
    h = x * x
    y = h + h
    h.backward()
    y.backward()
    """,
    {"x.grad": "2 * 3 + 2 * (2 * 3)", "h.grad": "2"},
    "Any node can be a result. What the first pass left in h does not belong to the second.",
    "state",
)
_case(
    "3.8",
    "zero_grad() of a network reaches every parameter",
    """
    net = MLP(2, [2, 1])
    for p in net.parameters():
        p.grad = 1.0
    net.zero_grad()
    left = sum(abs(p.grad) for p in net.parameters())
    """,
    {"left": "0"},
    "A bias that zero_grad() forgets adds up the gradients of the whole training.",
    "state",
    known="by definition",
)

# ---- 4: functions, powers, division, plain numbers -------------------------------------------------------------------

for _number, _title, _expression, _data, _slope, _why in (
    ("4.1", "value + number", "a + 2", "4 + 2", "1", "Plain numbers are constants: biases, targets, rates."),
    ("4.2", "number + value", "2 + a", "2 + 4", "1", "Python asks a.__radd__ here; sum([a, b]) begins with 0 + a."),
    ("4.3", "value - number", "a - 2", "4 - 2", "1", "The error of a prediction is prediction - target."),
    ("4.4", "number - value", "2 - a", "2 - 4", "-1", "Python asks a.__rsub__ here; the order matters."),
    ("4.5", "value * number", "a * 2.5", "4 * 2.5", "2.5", "Inputs are plain numbers, and weights multiply them."),
    ("4.6", "number * value", "2.5 * a", "2.5 * 4", "2.5", "Python asks a.__rmul__ here."),
    ("4.7", "value / number", "a / 8", "4 / 8", "1 / 8", "A mean divides by a count."),
    ("4.8", "number / value", "8 / a", "8 / 4", "-8 / 4**2", "Python asks a.__rtruediv__ here; the slope is −8/a²."),
):
    _case(
        _number,
        f"A plain number beside a value: {_title}",
        f"""
        a = Value(4.0)
        y = {_expression}
        y.backward()
        """,
        {"y.data": _data, "a.grad": _slope},
        _why,
    )
_case(
    "4.9",
    "A quotient of two values, and its second slope",
    """
    a = Value(3.0)
    b = Value(4.0)
    y = a / b
    y.backward()
    """,
    {"y.data": "3 / 4", "a.grad": "1 / 4", "b.grad": "-3 / 4**2"},
    "By the denominator the slope is −a/b²: the sign and the square are easily forgotten.",
)
for _number, _power, _data, _slope in (
    ("4.10", "2", "3**2", "2 * 3"),
    ("4.11", "3", "3**3", "3 * 3**2"),
    ("4.12", "-1", "1 / 3", "-1 / 3**2"),
    ("4.13", "0.5", "sqrt(3)", "0.5 / sqrt(3)"),
):
    _case(
        _number,
        f"The power a**{_power}",
        f"""
        a = Value(3.0)
        y = a ** {_power}
        y.backward()
        """,
        {"y.data": _data, "a.grad": _slope},
        "The slope of aⁿ is n·aⁿ⁻¹, for negative and broken n too. Squared errors are powers.",
    )
_case(
    "4.14",
    "Whole numbers are as good as broken ones",
    """
    a = Value(1)
    b = Value(2)
    y = a / b + 3
    y.backward()
    """,
    {"y.data": "1 / 2 + 3", "a.grad": "1 / 2", "b.grad": "-1 / 2**2"},
    "People write Value(1). One half is 0.5, not 0.",
)
_case(
    "4.15",
    "Python's sum() adds values up",
    """
    a = Value(2.0)
    b = Value(3.0)
    y = sum([a * b, b, a])
    y.backward()
    """,
    {"y.data": "6 + 3 + 2", "a.grad": "3 + 1", "b.grad": "2 + 1"},
    "The signal of a neuron is a sum over its inputs.",
)
for _number, _function, _x, _data, _slope, _why in (
    ("4.16", "exp", "0.5", "exp(0.5)", "exp(0.5)", "The slope of exp is exp itself."),
    ("4.17", "log", "2.0", "log(2)", "1 / 2", "The slope of the natural logarithm is 1/a."),
    ("4.18", "tanh", "0.5", "tanh(0.5)", "1 - tanh(0.5)**2", "With t = tanh(a) the slope is 1 − t², not 1 − a²."),
    ("4.19", "relu", "2.0", "2", "1", "Above 0, relu lets everything through."),
    ("4.20", "relu", "-2.0", "0", "0", "Below 0, relu lets nothing through, no gradient either."),
    (
        "4.21",
        "sigmoid",
        "0.5",
        "1 / (1 + exp(-0.5))",
        "1 / (1 + exp(-0.5)) * (1 - 1 / (1 + exp(-0.5)))",
        "With s = sigmoid(a) the slope is s·(1 − s).",
    ),
    ("4.22", "sqrt", "3.0", "sqrt(3)", "0.5 / sqrt(3)", "The slope of √a is 1/(2√a)."),
    ("4.23", "sin", "0.5", "sin(0.5)", "cos(0.5)", "The slope of the sine is the cosine."),
    ("4.24", "cos", "0.5", "cos(0.5)", "-sin(0.5)", "The slope of the cosine is minus the sine."),
):
    _case(
        _number,
        f"The function {_function} at {_x.removesuffix('.0')}",
        f"""
        a = Value({_x})
        y = a.{_function}()
        y.backward()
        """,
        {"y.data": _data, "a.grad": _slope},
        _why,
    )
for _number, _function, _slope in (
    ("4.25", "exp", "exp(0.75)"),
    ("4.26", "tanh", "(1 - tanh(0.75)**2)"),
    ("4.27", "relu", "1"),
    ("4.28", "sigmoid", "exp(-0.75) / (1 + exp(-0.75))**2"),
):
    _case(
        _number,
        f"{_function} in the middle of an expression",
        f"""
        a = Value(0.5)
        b = Value(1.5)
        h = a * b
        y = h.{_function}() * b
        y.backward()
        """,
        {
            "a.grad": f"{_slope} * 1.5 * 1.5",
            "b.grad": f"{_slope} * 0.5 * 1.5 + "
            + {"relu": "0.75", "sigmoid": "1 / (1 + exp(-0.75))"}.get(_function, f"{_function}(0.75)"),
        },
        "A function multiplies what arrives from behind by its slope, and adds it to what its operand already has.",
    )
_case(
    "4.29",
    "A value to the power of a value",
    """
    a = Value(2.0)
    b = Value(3.0)
    y = a ** b
    y.backward()
    """,
    {"y.data": "2**3", "a.grad": "3 * 2**2", "b.grad": "2**3 * log(2)"},
    "By the exponent the slope is aᵇ·log a. An engine that takes only numbers as exponents should refuse, not drop it.",
    "value ** value",
)
_case(
    "4.30",
    "A number to the power of a value",
    """
    b = Value(3.0)
    y = 2 ** b
    y.backward()
    """,
    {"y.data": "2**3", "b.grad": "2**3 * log(2)"},
    "Python asks b.__rpow__ here; the slope is 2ᵇ·log 2.",
    "number ** value",
)
_case(
    "4.31",
    "The absolute value",
    """
    a = Value(-3.0)
    y = abs(a) * 2
    y.backward()
    """,
    {"y.data": "3 * 2", "a.grad": "-1 * 2"},
    "The slope of |a| is the sign of a.",
    "abs",
)

# ---- 5: a neuron, a layer: the lecture's δ ---------------------------------------------------------------------------

_case(
    "5.1",
    "A linear neuron and a squared error",
    """
    w1 = Value(0.5)
    w2 = Value(-1.5)
    b = Value(0.25)
    s = w1 * 2.0 + w2 * 3.0 + b
    e = (s - 1.0) ** 2
    e.backward()
    """,
    {
        "s.data": "0.5 * 2 - 1.5 * 3 + 0.25",
        "s.grad": "2 * (-3.25 - 1)",
        "w1.grad": "2 * (-3.25 - 1) * 2",
        "w2.grad": "2 * (-3.25 - 1) * 3",
        "b.grad": "2 * (-3.25 - 1)",
    },
    "δ = ∂e/∂s is 2(s − y); each weight's gradient is δ times its input, and the bias's is δ.",
    known="the lecture: ∂e/∂w = δ · x",
)
for _number, _function, _output, _slope in (
    ("5.2", "tanh", "tanh(0.5)", "(1 - tanh(0.5)**2)"),
    ("5.3", "relu", "0.5", "1"),
    ("5.4", "sigmoid", "1 / (1 + exp(-0.5))", "exp(-0.5) / (1 + exp(-0.5))**2"),
):
    _case(
        _number,
        f"A neuron with {_function}",
        f"""
        w1 = Value(0.5)
        w2 = Value(-1.0)
        b = Value(2.0)
        s = w1 * 3.0 + w2 * 3.0 + b
        x = s.{_function}()
        e = (x - 1.0) ** 2
        e.backward()
        """,
        {
            "x.data": _output,
            "s.grad": f"2 * ({_output} - 1) * {_slope}",
            "w1.grad": f"2 * ({_output} - 1) * {_slope} * 3",
            "w2.grad": f"2 * ({_output} - 1) * {_slope} * 3",
            "b.grad": f"2 * ({_output} - 1) * {_slope}",
        },
        "δ is the error's slope by the output times the activation's slope at the signal.",
        known="the lecture: δ = ∂e/∂x · θ'(s), ∂e/∂w = δ · x",
    )
_case(
    "5.5",
    "A neuron with relu that is off learns nothing",
    """
    w = Value(-1.0)
    b = Value(0.5)
    s = w * 2.0 + b
    x = s.relu()
    e = (x - 1.0) ** 2
    e.backward()
    """,
    {"x.data": "0", "s.grad": "0", "w.grad": "0", "b.grad": "0"},
    "Where the signal is negative, relu's slope is 0, and so is δ.",
    known="the lecture: δ = ∂e/∂x · θ'(s)",
)
for _number, _function, _slope in (
    ("5.6", "tanh", "(1 - tanh(0.5)**2)"),
    ("5.7", "relu", "1"),
    ("5.8", "sigmoid", "exp(-0.5) / (1 + exp(-0.5))**2"),
):
    _case(
        _number,
        f"Two layers with {_function}: δ comes back through all units it feeds",
        f"""
        w = Value(0.25)
        u1 = Value(3.0)
        u2 = Value(-1.0)
        s = w * 2.0
        x = s.{_function}()
        s1 = u1 * x
        s2 = u2 * x
        e = s1 * 2.0 + s2 * 5.0
        e.backward()
        """,
        {
            "s1.grad": "2",
            "s2.grad": "5",
            "s.grad": f"{_slope} * (2 * 3 + 5 * -1)",
            "w.grad": f"{_slope} * (2 * 3 + 5 * -1) * 2",
        },
        "A hidden unit's δ is θ'(s) times the sum, over the units that it feeds, of their δ times the weight between.",
        known="the lecture: δ = θ'(s) · Σ δⱼ wⱼ",
    )
_case(
    "5.9",
    "Class scores: softmax and cross-entropy",
    """
    s1 = Value(1.0)
    s2 = Value(2.0)
    s3 = Value(-1.0)
    e = (s1.exp() + s2.exp() + s3.exp()).log() - s2
    e.backward()
    """,
    {
        "e.data": "log(exp(1) + exp(2) + exp(-1)) - 2",
        "s1.grad": "exp(1) / (exp(1) + exp(2) + exp(-1))",
        "s2.grad": "exp(2) / (exp(1) + exp(2) + exp(-1)) - 1",
        "s3.grad": "exp(-1) / (exp(1) + exp(2) + exp(-1))",
    },
    "The δ of a class score is its probability, minus 1 for the right class.",
)
_case(
    "5.10",
    "The gradients of a network are its slopes",
    """
    net = MLP(2, [3, 1])
    for k, p in enumerate(net.parameters()):
        p.data = ((k * 7) % 5 - 1.75) / 4

    def output():
        out = net([0.5, -1.0])
        return out[0] if isinstance(out, (list, tuple)) else out

    output().backward()
    worst = 0.0
    for p in net.parameters():
        p.data = p.data + 1e-5
        above = output().data
        p.data = p.data - 2e-5
        slope = (above - output().data) / 2e-5
        p.data = p.data + 1e-5
        worst = max(worst, abs(p.grad - slope))
    """,
    {"worst": "< 1e-4"},
    "A network that is put together wrongly can train, badly. Moving each parameter a little shows its true slope.",
    "state",
    known="central differences",
)

# ---- 6: a batch is a sum ---------------------------------------------------------------------------------------------

_SAMPLES = "samples = [(1.0, 3.0), (-2.0, 1.0), (4.0, 0.0)]"
_SUM = "2 * ((0.5 * 1 - 3) * 1 + (0.5 * -2 - 1) * -2 + (0.5 * 4 - 0) * 4)"

_case(
    "6.1",
    "One backward pass a sample: the batch's gradient is the sum",
    f"""
    w = Value(0.5)
    {_SAMPLES}
    for x, y in samples:
        e = (w * x - y) ** 2
        e.backward()
    """,
    {"w.grad": _SUM},
    "∇e of a batch is Σ ∇eₖ, and each sample's graph adds its part into the same weight.",
    known="the lecture: ∇e = Σ ∇eₖ",
)
_case(
    "6.2",
    "The same batch as one graph",
    f"""
    w = Value(0.5)
    {_SAMPLES}
    total = sum((w * x - y) ** 2 for x, y in samples)
    total.backward()
    """,
    {"w.grad": _SUM},
    "One graph for the whole batch, or one for each sample: the gradient is the same.",
    known="the lecture: ∇e = Σ ∇eₖ",
)
_case(
    "6.3",
    "The mean divides by the number of samples, once",
    f"""
    w = Value(0.5)
    {_SAMPLES}
    mean = sum((w * x - y) ** 2 for x, y in samples) / len(samples)
    mean.backward()
    """,
    {"w.grad": f"{_SUM} / 3"},
    "Sum and mean differ by the factor 1/B, which the learning rate absorbs; divided twice, training is slow.",
    known="the lecture: ∇e = Σ ∇eₖ, divided by B",
)
_case(
    "6.4",
    "Inputs are not averaged",
    """
    w = Value(0.5)
    for x, y in [(1.0, 1.0), (-1.0, -1.0)]:
        e = (w * x - y) ** 2
        e.backward()
    """,
    {"w.grad": "2 * (0.5 * 1 - 1) * 1 + 2 * (0.5 * -1 + 1) * -1"},
    "The average of these inputs is 0, the gradient is not: each term δ·x holds its own sample's x.",
    known="the lecture: ∇e = Σ δₖ xₖ",
)
_case(
    "6.5",
    "The weights change once a batch",
    """
    w = Value(0.5)
    for batch in [[(1.0, 3.0), (2.0, 1.0)], [(-1.0, 2.0), (1.0, 1.0)]]:
        w.grad = 0.0
        for x, y in batch:
            e = (w * x - y) ** 2
            e.backward()
        w.data -= 0.1 * w.grad
    """,
    {
        "w.grad": "2 * ((1 * -1 - 2) * -1 + (1 * 1 - 1) * 1)",
        "w.data": "0.5 - 0.1 * 2 * ((0.5 - 3) * 1 + (0.5 * 2 - 1) * 2) - 0.1 * 6",
    },
    "Within a batch all samples see the same weights; the second batch sees the new ones, and only its own gradient.",
    "state",
    known="gradient descent by hand: w is 0.5, then 1",
)
_case(
    "6.6",
    "The mean over a shorter last batch divides by its own length",
    """
    w = Value(0.0)
    samples = [(1.0, 1.0), (1.0, 3.0), (2.0, 2.0)]
    for start in (0, 2):
        batch = samples[start:start + 2]
        w.grad = 0.0
        for x, y in batch:
            e = (w * x - y) ** 2 / len(batch)
            e.backward()
        w.data -= 0.25 * w.grad
    """,
    {"w.grad": "2 * (1 * 2 - 2) * 2", "w.data": "0 - 0.25 * (2 * (0 - 1) + 2 * (0 - 3)) / 2"},
    "Three samples in batches of two leave one over: its mean divides by 1.",
    "state",
    known="gradient descent by hand: w is 0, then 1, where the last sample is met exactly",
)
_case(
    "6.7",
    "A weight and a bias shared by all samples",
    """
    w = Value(2.0)
    b = Value(1.0)
    for x in [1.0, 2.0, 3.0]:
        s = w * x + b
        e = s * s
        e.backward()
    """,
    {"w.grad": "2 * 3 * 1 + 2 * 5 * 2 + 2 * 7 * 3", "b.grad": "2 * 3 + 2 * 5 + 2 * 7", "s.grad": "2 * 7"},
    "Parameters hold the batch's gradient, Σ δ·x and Σ δ; the signal s holds the δ of the last sample.",
    "state",
    known="the lecture: ∂e/∂w = Σ δ x, ∂e/∂b = Σ δ",
)
_case(
    "6.8",
    "accumulate(loss, batch): the sum over the samples",
    f"""
    w = Value(0.5)
    {_SAMPLES}
    error = accumulate(lambda x, y: (w * x - y) ** 2, samples, reduction="sum")
    """,
    {"w.grad": _SUM},
    "A function that does a batch must give the gradient that sample after sample gives.",
    "state",
    known="the lecture: ∇e = Σ ∇eₖ",
)
_case(
    "6.9",
    "accumulate(loss, batch): the mean divides once",
    f"""
    w = Value(0.5)
    {_SAMPLES}
    error = accumulate(lambda x, y: (w * x - y) ** 2, samples, reduction="mean")
    """,
    {"w.grad": f"{_SUM} / 3"},
    "A mean of losses that are already divided by B divides by B² in all.",
    "state",
    known="the lecture: ∇e = Σ ∇eₖ, divided by B",
)
_case(
    "6.10",
    "accumulate(loss, batch) does not average inputs",
    """
    w = Value(0.5)
    error = accumulate(lambda x, y: (w * x - y) ** 2, [(1.0, 1.0), (-1.0, -1.0)], reduction="sum")
    """,
    {"w.grad": "2 * (0.5 * 1 - 1) * 1 + 2 * (0.5 * -1 + 1) * -1"},
    "Averaging the inputs, or δ and x apart, and multiplying then gives 0 here.",
    "state",
    known="the lecture: ∇e = Σ δₖ xₖ",
)
_case(
    "6.11",
    "SGD changes each weight by minus the rate times its gradient",
    """
    w = Value(0.5)
    b = Value(1.0)
    optimizer = SGD([w, b], 0.1)
    for x, y in [(1.0, 3.0), (2.0, 1.0)]:
        e = (w * x + b - y) ** 2
        e.backward()
    optimizer.step()
    """,
    {
        "w.data": "0.5 - 0.1 * 2 * ((1.5 - 3) * 1 + (2 - 1) * 2)",
        "b.data": "1 - 0.1 * 2 * ((1.5 - 3) + (2 - 1))",
    },
    "One step for a batch, against the gradient, for every parameter.",
    "state",
    known="gradient descent by hand",
)

# ---- 7: edges --------------------------------------------------------------------------------------------------------

_case(
    "7.1",
    "relu has the slope 0 at 0",
    """
    a = Value(0.0)
    y = a.relu()
    y.backward()
    """,
    {"y.data": "0", "a.grad": "0"},
    "At the kink any slope from 0 to 1 could be defended; all large frameworks take 0, and a dead unit stays dead.",
    known="the convention of PyTorch, JAX and TensorFlow",
)
_case(
    "7.2",
    "The absolute value has the slope 0 at 0",
    """
    a = Value(0.0)
    y = abs(a)
    y.backward()
    """,
    {"y.data": "0", "a.grad": "0"},
    "From the left the slope is −1, from the right 1; by symmetry it is 0 between.",
    "abs",
    known="the convention of PyTorch and TensorFlow",
)
for _number, _power, _data, _slope in (("7.3", "2", "0", "0"), ("7.4", "1", "0", "1"), ("7.5", "0", "1", "0")):
    _case(
        _number,
        f"0**{_power} has a gradient",
        f"""
        a = Value(0.0)
        y = a ** {_power}
        y.backward()
        """,
        {"y.data": _data, "a.grad": _slope},
        "A squared error of exactly 0 is a good thing, and n·aⁿ⁻¹ must not divide by 0 for n = 0.",
    )
_case(
    "7.6",
    "Negative numbers have whole powers",
    """
    a = Value(-2.0)
    y = a ** 3
    y.backward()
    """,
    {"y.data": "-8", "a.grad": "3 * 4"},
    "A power that goes by the logarithm fails for half of all numbers.",
)
for _number, _function, _x, _data in (
    ("7.7", "tanh", "1000.0", "1"),
    ("7.8", "tanh", "-1000.0", "-1"),
    ("7.9", "sigmoid", "1000.0", "1"),
    ("7.10", "sigmoid", "-1000.0", "0"),
    ("7.11", "exp", "-1000.0", "0"),
):
    _case(
        _number,
        f"{_function} far out, at {_x.removesuffix('.0')}",
        f"""
        a = Value({_x})
        y = a.{_function}()
        y.backward()
        """,
        {"y.data": _data, "a.grad": "0"},
        "The function is flat there. A formula with exp(1000) in it overflows, or makes nan of inf/inf.",
    )
_case(
    "7.12",
    "Small numbers keep their gradients",
    """
    a = Value(1e-200)
    b = Value(1e-200)
    y = a * b
    y.backward()
    """,
    {"y.data": "0", "a.grad": "1e-200", "b.grad": "1e-200"},
    "The product is 0 for a float; the slopes are not.",
    "double",
)
for _number, _what, _code, _right, _why, _needs in (
    ("7.13", "log(0)", "Value(0.0).log()", AN_ERROR_OR_INF, "The logarithm of 0 is −∞.", ()),
    ("7.14", "log(-1)", "Value(-1.0).log()", AN_ERROR, "No real number is the logarithm of a negative one.", ()),
    (
        "7.15",
        "(-8)**(1/3)",
        "Value(-8.0) ** (1 / 3)",
        AN_ERROR,
        "Python makes a complex number here, without a word.",
        (),
    ),
    ("7.16", "1 / 0", "1.0 / Value(0.0)", AN_ERROR_OR_INF, "There is no such number.", ()),
    ("7.17", "0 ** -1", "Value(0.0) ** -1", AN_ERROR_OR_INF, "There is no such number.", ()),
    ("7.18", "exp(1000)", "Value(1000.0).exp()", AN_ERROR_OR_INF, "The result is too large for a float.", ()),
    ("7.19", "sqrt(-1)", "Value(-1.0).sqrt()", AN_ERROR, "No real number is the root of a negative one.", ()),
):
    _case(
        _number,
        f"{_what} is not passed over in silence",
        f"y = {_code}",
        {"y.data": _right},
        f"{_why} Training that goes on with nan or a complex number is lost, and says so late or never.",
        known="by definition; a warning is as good as an error",
    )
_case(
    "7.20",
    "relu does not hide nan",
    """
    a = Value(1.0)
    a.data = float("nan")
    y = a.relu()
    """,
    {"y.data": AN_ERROR_OR_NAN},
    "max(0, nan) is 0 in Python: a training that is already lost then looks alive.",
    "state",
    known="by definition",
)

# ---- 8: depth, cost, memory, the same bits ---------------------------------------------------------------------------

for _number, _depth in (("8.1", 5_000), ("8.2", 50_000)):
    _case(
        _number,
        f"A chain of {_depth:,} operations",
        f"""
        x = Value(1.0)
        y = x
        for _ in range({_depth}):
            y = y + x
        y.backward()
        """,
        {"y.data": f"{_depth} + 1", "x.grad": f"{_depth} + 1"},
        "A sum over a batch is a deep graph. Recursion ends at Python's limit; a list used as a stack does not.",
        known="by counting",
    )
_case(
    "8.3",
    "A node is visited once, not once for each path to it",
    """
    import sys

    def calls(doublings):
        x = Value(1.0)
        y = x
        for _ in range(doublings):
            y = y + y
        count = 1

        def watch(frame, event, arg):
            nonlocal count
            count += event == "call"

        sys.setprofile(watch)
        y.backward()
        sys.setprofile(None)
        return count

    growth = calls(16) / calls(8)
    """,
    {"growth": "< 4"},
    "With 60 doublings there are 2⁶⁰ paths; a pass over all of them never ends.",
    known="by counting calls: twice the nodes, about twice the calls, whatever the machine",
)
_case(
    "8.4",
    "The cost grows in proportion to the graph",
    """
    from time import process_time

    def cost(terms):
        x = Value(1.0)
        nodes = [x * x for _ in range(terms)]
        while len(nodes) > 1:
            nodes = [a + b for a, b in zip(nodes[::2], nodes[1::2])]
        start = process_time()
        nodes[0].backward()
        return process_time() - start

    cost(512)
    times = [(cost(1024), cost(4096)) for _ in range(5)]
    small, large = map(min, zip(*times))
    growth = (large + 0.001) / (small + 0.001)
    """,
    {"growth": "< 9"},
    "4 times the nodes, 4 times the work. `if node not in list` reads the whole list each time: 16 times the work.",
    known="by the best of five measurements of each; 4 is linear, 16 quadratic",
)
_case(
    "8.5",
    "Nothing is left behind of a sample's graph",
    """
    import gc
    import tracemalloc

    w = Value(0.5)

    def train(samples):
        for k in range(samples):
            e = (w * 0.1 - 1.0) * (w * 0.2 + 1.0)
            e.backward()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before = train(50)
    bytes_a_sample = (train(550) - before) / 500
    tracemalloc.stop()
    """,
    {"bytes_a_sample": "< 40"},
    "A list of all nodes ever made, or a parameter that keeps its results, fills the memory in a long training.",
    "state",
    known="by counting bytes; the smallest graph that stays takes several hundred a sample",
)
_case(
    "8.6",
    "The same computation gives the same bits",
    """
    import random

    kept = []

    def gradient():
        kept.append([Value(0.0) for _ in range(random.Random(len(kept)).randrange(40))])
        x = Value(0.1)
        layer = [x * (1 / (k + 3)) for k in range(6)]
        for _ in range(3):
            layer = [a * b + a for a, b in zip(layer, layer[1:] + layer[:1])]
        y = sum(layer[1:], layer[0])
        y.backward()
        return x.grad

    gradients_of_x = [gradient() for _ in range(40)]
    different = sum(bool(g != gradients_of_x[0]) for g in gradients_of_x)
    """,
    {"different": "0"},
    "Nodes in a set come in the order of their addresses, and sums in another order round differently: no run can be "
    "repeated to the last bit.",
    known="by definition",
)

# ---- 9: beyond -------------------------------------------------------------------------------------------------------

_case(
    "9.1",
    "An edit after the forward pass does not change what was recorded",
    """
    a = Value(2.0)
    b = Value(3.0)
    y = a * b
    a.data = 100.0
    y.backward()
    """,
    {"y.data": "2 * 3", "b.grad": "2"},
    "The slope belongs to the numbers that the forward pass used. An optimizer step in between must not mix the two.",
    "state",
)
_case(
    "9.2",
    "The same for a power",
    """
    a = Value(2.0)
    y = a ** 2
    a.data = 100.0
    y.backward()
    """,
    {"a.grad": "2 * 2"},
    "y is still 2²; its slope there is 4.",
    "state",
)
_case(
    "9.3",
    "A deep copy of a graph has its own gradients",
    """
    import copy

    x = Value(3.0)
    y = x * x
    other_x, other_y = copy.deepcopy((x, y))
    other_y.backward()
    """,
    {"other_x.grad": "3 + 3", "x.grad": "0"},
    "Functions that hold the old nodes send the copy's gradient to the original.",
    "state",
)
_case(
    "9.4",
    "A copied parameter goes its own way",
    """
    import copy

    w = Value(2.0)
    best = copy.deepcopy(w)
    y = w * w
    y.backward()
    w.data -= 0.25 * w.grad
    """,
    {"best.data": "2", "w.data": "2 - 0.25 * 4"},
    "The best weights so far are kept as a copy.",
    "state",
)
_case(
    "9.5",
    "A parameter can be pickled",
    """
    import pickle

    w = Value(2.0)
    loaded = pickle.loads(pickle.dumps(w))
    y = loaded * loaded
    y.backward()
    """,
    {"loaded.data": "2", "loaded.grad": "2 + 2"},
    "Models are saved, and sent to other processes, as pickles; a lambda inside a parameter cannot be.",
    "state",
)
_case(
    "9.6",
    "Second derivatives",
    """
    x = Value(3.0)
    y = x * x * x
    first = gradients(y, x, create_graph=True)
    second = gradients(first, x)
    """,
    {"first.data": "3 * 3**2", "second.data": "6 * 3"},
    "Newton's method, and penalties on a gradient, differentiate a gradient.",
)
_case(
    "9.7",
    "Second derivatives through a quotient",
    """
    x = Value(2.0)
    y = 1 / x + x / (1 + x)
    first = gradients(y, x, create_graph=True)
    second = gradients(first, x)
    """,
    {"first.data": "-1 / 2**2 + 1 / 3**2", "second.data": "2 / 2**3 - 2 / 3**3"},
    "Each rule has to be differentiable itself.",
)
