"""The ten steps: right solutions pass, each step is needed, wrong ones are caught where they should be."""

import re

import pytest
from classroom import finished, learner
from classroom.steps import FOLDER, STEPS, changed, check

from micrograd import Value
from micrograd.conformance.cases import CASES

NUMBERS = range(1, 11)


def solution(step):
    return STEPS[step - 1].solution


def wrong(step, *pairs):
    """A step's solution with lines changed."""
    code = solution(step)
    for old, new in pairs:
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    return code


def first(answer):
    """The first case that does not hold."""
    return next(case for case in answer["cases"] if case["outcome"] in ("wrong", "to write"))


def text(step):
    return (FOLDER / f"step_{step:02}.md").read_text(encoding="utf-8")


# ---- right solutions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", NUMBERS)
def test_a_steps_solution_passes_it_and_all_before(step):
    answer = check(solution(step), step)
    assert answer["problem"] is None
    assert answer["passed"], first(answer)
    assert {case["step"] for case in answer["cases"]} == set(range(1, step + 1))
    assert answer["printed"] == ""


# What the step before is still without: a case that is wrong, or something to write.
NEEDED = {3: "2.1", 4: "3.2", 5: "4.1", 6: "5.10", 7: "6.8", 8: "7.5", 9: "8.1", 10: "9.6"}


@pytest.mark.parametrize("step", NEEDED)
def test_each_step_is_needed(step):
    answer = check(solution(step - 1), step)
    assert not answer["passed"]
    case = first(answer)
    assert (case["step"], case["number"]) == (step, NEEDED[step])


def test_the_second_step_is_needed():
    answer = check(solution(1), 2)
    assert answer["problem"]["text"].startswith("expected Value to have a method backward()")
    assert [case["outcome"] for case in answer["cases"]] == ["holds"] * 7


def test_the_steps_have_all_cases():
    assert {case.number for step in STEPS for case in step.cases} == {case.number for case in CASES}


def test_what_a_step_asks_for_it_checks():
    """No name in ``requires`` is misspelt, and nothing that a solution offers is left untried."""
    for step in STEPS:
        assert step.requires <= {need for case in step.cases for need in case.needs}
    extras = {case["number"] for case in check(solution(10), 10)["cases"] if case["outcome"] == "extra"}
    assert extras == {case.number for case in CASES if set(case.needs) & {"sigmoid", "sqrt", "sin", "cos", "abs"}} | {
        "4.29",
        "4.30",
    }


def test_extras_are_checked_where_they_are_there():
    method = "\n    def sin(self):\n        return Value(math.sin(self.data), (self,), (math.{}(self.data),))\n"
    for slope, outcome in (("cos", "holds"), ("sin", "wrong")):
        code = solution(5).replace("\n    def backward", method.format(slope) + "\n    def backward")
        answer = check(code, 5)
        assert {case["number"]: case["outcome"] for case in answer["cases"]}["4.23"] == outcome
        assert answer["passed"] == (outcome == "holds")


@pytest.mark.parametrize("step", NUMBERS)
def test_each_text_says_what_to_write_and_gives_a_hint(step):
    assert re.findall("^## (.*)", text(step), re.MULTILINE) == ["Write", "Hint"]
    assert re.match(r"---\ntitle: .+\ncases: ", text(step))


@pytest.mark.parametrize("step", [1, 10])
def test_numbers_in_a_text_are_those_of_its_solution(step):
    code = re.search("```python\n(.*?)```", text(step), re.DOTALL)[1]
    names = vars(learner.load(solution(step)))
    exec(code, names)
    shown = re.findall(r"^(.+?) +# (-?[\d.]+)$", code, re.MULTILINE)
    assert shown
    for expression, number in shown:
        assert eval(expression, names) == float(number)


def test_changed_lines():
    lines = solution(9).splitlines()
    assert {lines[k - 1].strip() for k in changed(8)} == {
        "self.data = float(data)",
        "return Value(self.data**n, (self,), (n * self.data ** (n - 1) if n else 0.0,))",
        "return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))",
    }
    assert changed(1) == list(range(1, len(solution(1).splitlines()) + 1))


# ---- wrong solutions -------------------------------------------------------------------------------------------------

ORDER = solution(3)[solution(3).index("    order, seen") : solution(3).index("    return order")]
BY_LEVELS = """    order = [root]
    for node in order:
        order += [parent for parent in dict.fromkeys(node.parents) if parent not in order]
    order.reverse()
"""
LATE = [
    ("        self.slopes = rule(self.data, *[parent.data for parent in parents]) if parents else ()\n", ""),
    (
        "            for parent, slope in zip(node.parents, node.slopes):\n                parent.grad",
        "            slopes = node.rule(node.data, *[p.data for p in node.parents]) if node.parents else ()\n"
        "            for parent, slope in zip(node.parents, slopes):\n                parent.grad",
    ),
]
SHARED_LIST = [
    ("parents=(), slopes=()", "parents=[], slopes=[]"),
    (
        "        return Value(self.data + other.data, (self, other), (1.0, 1.0))",
        "        out = Value(self.data + other.data)\n        out.parents.extend([self, other])\n"
        "        out.slopes.extend([1.0, 1.0])\n        return out",
    ),
]

WRONG = {
    "minus the wrong way round": (
        1,
        wrong(1, ("self + -other", "other + -self")),
        "1.4",
        "print(y.data)  # expected 5 = 2 - -3, got -5",
    ),
    "a sum writes into its operand": (
        1,
        wrong(1, ("return Value(self.data + other.data)", "self.data += other.data\n        return self")),
        "1.8",
        "print(y.data)  # expected -5 = (2 + -3) * (2 - -3), got 4",
    ),
    "each factor's own number": (
        2,
        wrong(2, ("(other.data, self.data)", "(self.data, other.data)")),
        "1.3",
        "print(a.grad)  # expected -3, got 2",
    ),
    "a list as default, shared by all": (2, wrong(2, *SHARED_LIST), "1.2", "RecursionError"),
    "= for +=": (
        3,
        wrong(3, ("parent.grad += node", "parent.grad = node")),
        "2.1",
        "print(a.grad)  # expected 6 = 3 + 3, got 3",
    ),
    "level by level, not in topological order": (3, wrong(3, (ORDER, BY_LEVELS)), "2.5", "print(a.grad)"),
    "every path by itself": (3, wrong(2, ("self.grad = grad", "self.grad += grad")), "8.3", "print(growth)"),
    "operands in a set": (
        3,
        wrong(3, ("(self, other), (1.0, 1.0)", "{self, other}, (1.0, 1.0)")),
        "2.2",
        "print(a.grad)  # expected 2 = 1 + 1, got 1",
    ),
    "what lies between is not reset": (
        4,
        wrong(4, ("                node.grad = 0.0", "                pass"), ("self.grad += 1.0", "self.grad = 1.0")),
        "3.2",
        "print(x.grad)  # expected 54 = 27 + 27, got 72",
    ),
    "leaves are reset, too": (4, wrong(4, ("if node.parents:", "if True:")), "3.1", "print(a.grad)"),
    "the power keeps its exponent": (
        5,
        wrong(5, ("n * self.data ** (n - 1)", "n * self.data ** n")),
        "4.8",
        "print(a.grad)",
    ),
    "a quotient the wrong way round": (
        5,
        wrong(5, ("self * as_value(other) ** -1", "as_value(other) * self**-1")),
        "4.7",
        "print(y.data)  # expected 0.5 = 4 / 8, got 2",
    ),
    "tanh's slope from its input": (
        5,
        wrong(5, ("(1 - y * y,)", "(1 - self.data**2,)")),
        "4.18",
        "print(a.grad)  # expected 0.786447733 = 1 - tanh(0.5)**2, got 0.75",
    ),
    "no __radd__": (
        5,
        wrong(5, ("    __radd__, __rmul__ = __add__, __mul__", "    __rmul__ = __mul__")),
        "4.2",
        "Python looks for a method __radd__ of Value",
    ),
    "the mean is taken twice": (7, wrong(7, ("loss(x, y) * share", "loss(x, y) * share * share")), "6.9", ""),
    "always the mean": (7, wrong(7, (' if reduction == "mean" else 1.0', "")), "6.8", "print(w.grad)"),
    "uphill": (7, wrong(7, ("p.data -= ", "p.data += ")), "6.11", "print(w.data)"),
    "relu's slope at 0": (8, wrong(8, ("float(self.data > 0)", "float(self.data >= 0)")), "7.1", "print(a.grad)"),
    "relu hides nan": (8, wrong(8, ("max(self.data, 0.0)", "max(0.0, self.data)")), "7.20", "expected an error or nan"),
    "slopes of numbers that came later": (
        10,
        wrong(10, *LATE),
        "9.1",
        "print(b.grad)  # expected 2, got 100",
    ),
    "second derivatives from numbers": (
        10,
        wrong(10, ("node.rule(node, *node.parents) if create_graph else node.slopes", "node.slopes")),
        "9.6",
        "print(second.data)  # expected 18 = 6 * 3, got 0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_solution_is_caught_with_an_example(name):
    step, code, number, shown = WRONG[name]
    answer = check(code, step)
    assert not answer["passed"]
    assert answer["problem"] is None
    case = first(answer)
    assert (case["step"], case["number"], case["outcome"]) == (step, number, "wrong")
    assert shown in case["example"]
    assert case["why"]


def test_what_broke_in_an_earlier_step_is_told():
    case = first(check(wrong(7, ("parent.grad += node", "parent.grad = node")), 7))
    assert (case["step"], case["number"]) == (3, "2.1")


def test_cases_that_could_take_long_wait_for_those_before():
    """An order that is quadratic would go through 50,000 nodes for minutes: it is tried on 8,000 first, in 8.4."""
    outcomes = {case["number"]: case["outcome"] for case in check(solution(8), 9)["cases"] if case["step"] == 9}
    assert outcomes == {"8.4": "holds", "8.1": "wrong", **dict.fromkeys(("8.2", "8.3", "8.5", "8.6"), "not run")}


def test_only_the_first_example_is_drawn():
    cases = check(WRONG["= for +="][1], 3)["cases"]
    pictures = [case["picture"] for case in cases if case["picture"]]
    assert pictures == [first({"cases": cases})["picture"]]
    assert all(text in pictures[0] for text in ("<svg", ">grad 6<", ">a<", ">y<"))


# ---- files that are no engine ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "step", "message", "line"),
    [
        ("class Value:\n    def __init__(self, data)\n", 1, "SyntaxError: expected ':'", 2),
        ("class Value:\npass", 1, "IndentationError: expected an indented block after class definition on line 1", 2),
        ("x = 0\ny = 1 / x\n", 1, "ZeroDivisionError: division by zero  (in my_engine.py, line 2: y = 1 / x)", 2),
        ("import json\njson.loads('{')", 1, "JSONDecodeError", 2),
        ("import nump", 1, "ModuleNotFoundError: No module named 'nump'  (in my_engine.py, line 1: import nump)", 1),
        ("import sys\nsys.exit()", 1, "SystemExit  (in my_engine.py, line 2: sys.exit())", 2),
        ("", 1, "There is no class Value in the file yet. Begin with: class Value:", 0),
        ("Value = 3", 1, "There is no class Value in the file yet. Begin with: class Value:", 0),
        (
            "class Value: pass",
            2,
            "expected Value(3.0) to keep its number in an attribute such as .data; "
            "Value(3.0) raises TypeError: Value() takes no arguments",
            0,
        ),
        (
            solution(1) + "\n    def backward(self):\n        pass\n",
            2,
            "expected Value to keep its gradient in an attribute such as .grad, got none",
            0,
        ),
        (
            "class Value:\n    def __init__(self, data):\n        self.data = Value(data)\n",
            2,
            "expected Value(3.0) to keep its number in an attribute such as .data; "
            "Value(3.0) raises RecursionError: maximum recursion depth exceeded",
            0,
        ),
        ("def f():\n    f()\nf()", 1, "a function calls itself, again and again", 2),
    ],
)
def test_a_file_that_is_no_engine(code, step, message, line):
    answer = check(code, step)
    assert not answer["passed"]
    assert message in answer["problem"]["text"]
    assert answer["problem"]["line"] == line


def test_an_engine_without_an_end():
    case = first(check(wrong(1, ("Value(self.data + other.data)", "other + self")), 1))
    assert case["number"] == "1.2"
    assert case["said"].startswith("RecursionError: maximum recursion depth exceeded")
    assert case["said"].endswith(
        "(in my_engine.py, line 8: return other + self); a function calls itself, again and again"
    )


def test_a_plain_function_of_that_name_is_no_method():
    code = "from math import tanh\n" + solution(4)
    assert "Still to write: tanh()" in {case["said"] for case in check(code, 5)["cases"]}


def test_what_is_still_to_write_is_told():
    answer = check(solution(5).replace("def tanh", "def tangent"), 5)
    assert {case["said"] for case in answer["cases"] if case["outcome"] == "to write"} == {"Still to write: tanh()"}
    answer = check(solution(6), 7)
    assert {case["said"] for case in answer["cases"] if case["outcome"] == "to write"} == {
        "Still to write: accumulate(loss, batch, reduction)",
        "Still to write: SGD(parameters, lr)",
    }


@pytest.mark.parametrize(
    ("step", "pairs", "said"),
    [
        (6, [("neuron(x) for", "neuron.out(x) for")], "AttributeError: 'Neuron' object has no attribute 'out'  (in my"),
        (
            6,
            [("for p in neuron.parameters()]", "for p in [neuron]]")],
            "MLP(inputs, sizes): parameters() must return a list",
        ),
        (7, [("def step(self)", "def go(self)")], "AttributeError: 'SGD' object has no attribute 'step'"),
        (7, [('batch, reduction="mean"', "batch"), ('reduction == "mean"', "True")], "TypeError: accumulate() got an"),
        (10, [("x, create_graph=False", "x"), ("create_graph else", "True else")], "TypeError: gradients() got an"),
    ],
)
def test_a_helper_that_cannot_be_used_shows_why(step, pairs, said):
    case = first(check(wrong(step, *pairs), step))
    assert (case["step"], case["outcome"]) == (step, "wrong")
    assert case["said"].startswith(said)
    assert case["example"]


def test_what_the_file_prints_is_shown_and_a_flood_is_cut(capsys):
    assert check("print('hello')\n" + solution(1), 1)["printed"] == "hello\n"
    code = solution(1).replace("        self.data = data", "        self.data = data\n        print('x' * 10_000)")
    answer = check(code, 1)
    assert answer["passed"]
    assert answer["printed"] == "x" * learner.MOST_PRINTED
    assert capsys.readouterr().out == ""


def test_a_stop_says_where_the_engine_was():
    """The page's Stop arrives as a KeyboardInterrupt, in the line that runs."""
    code = wrong(2, ("        self.grad = grad", "        raise KeyboardInterrupt"))
    answer = check(code, 2)
    assert not answer["passed"]
    assert answer["problem"] == {"text": "Stopped while it ran: raise KeyboardInterrupt", "line": 23}
    assert learner.problem(KeyboardInterrupt()) == {"text": "Stopped.", "line": 0}


def test_a_cell_tries_the_file_and_leaves_nothing_behind():
    code = solution(2)
    assert learner.run(code, "a = Value(2.0)\n(a * a).data") == {
        "outputs": [{"kind": "text", "text": "4.0\n"}],
        "error": None,
    }
    assert learner.run(code, "a")["error"].endswith("NameError: name 'a' is not defined")
    assert learner.run("class Value", "1")["error"] == "SyntaxError: expected ':'"


def test_each_check_begins_anew():
    """Nothing is left of the file before: neither its names nor its class."""
    check("stale = 1\n" + solution(1), 1)
    answer = check(solution(1) + "\nstale", 1)
    assert "NameError: name 'stale' is not defined" in answer["problem"]["text"]


# ---- the finished engine ---------------------------------------------------------------------------------------------


def train(code, epochs):
    begun = finished.start(code)
    assert begun["problem"] is None
    for _ in range(epochs):
        answer = finished.go_on(boundary=False)
    return begun, answer


def test_the_finished_engine_learns_the_moons():
    begun, answer = train(solution(10), finished.EPOCHS)
    assert begun == {"problem": None, "epochs": 40, "borrowed": []}
    assert answer["done"]
    assert answer["epoch"] == 40
    assert answer["right"] >= 0.97
    (curve,) = answer["charts"][0]["curves"]
    assert curve["x"] == list(range(1, 41))
    assert curve["y"][-1] == answer["loss"] < curve["y"][0] / 3


def test_an_engine_of_values_alone_borrows_the_rest_and_learns_the_same():
    """micrograd's own Value stands for the learner's: an independent reference."""
    begun, ours = train("from micrograd import Value", 2)
    assert begun["borrowed"] == ["MLP", "accumulate", "SGD"]
    assert {type(p) for p in finished._training.net.parameters()} == {Value}
    _, theirs = train(solution(10), 2)
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-9)
    assert not ours["done"]


def test_the_boundary_is_what_the_network_says():
    finished.start(solution(10))
    curves, boundary = finished.go_on()["charts"]
    training = finished._training
    assert (curves["kind"], boundary["kind"]) == ("curves", "boundary")
    (x1, x2), (y1, y2) = zip(boundary["low"], boundary["high"])
    scores = boundary["scores"]
    assert scores[0][0] == training.score([x1, y1])
    assert scores[0][-1] == training.score([x2, y1])
    assert scores[-1][0] == training.score([x1, y2])
    assert len(scores) == len(scores[0]) == finished.CELLS
    assert len(boundary["samples"]) == 200
    assert all(x1 < a < x2 and y1 < b < y2 and y in (-1, 1) for a, b, y in boundary["samples"])


def test_a_training_that_fails_says_where():
    code = wrong(10, ("            p.data -= ", "            p.data -= self.rate\n            p.data -= "))
    assert finished.start(code)["problem"] is None
    answer = finished.go_on()
    assert answer["done"]
    assert answer["problem"]["text"].startswith("AttributeError: 'SGD' object has no attribute 'rate'")
    assert code.splitlines()[answer["problem"]["line"] - 1].strip() == "p.data -= self.rate"


def test_a_training_needs_a_start():
    assert finished.start("class Value")["problem"]["text"] == "SyntaxError: expected ':'"
    with pytest.raises(RuntimeError, match="expected a training that was started, got none; call start first"):
        finished.go_on()


def test_the_finished_engine_beside_ours():
    answer = finished.compare(solution(10))
    assert answer["problem"] is None
    assert " ".join(name for name, _, _ in answer["gradients"]) == "x1 x2 w1 w2 w3 w4 u1 u2 b s1 s2 s e"
    for _, theirs, ours in answer["gradients"]:
        assert theirs == pytest.approx(ours, rel=1e-12)
    assert [level["passed"] for level in answer["levels"]] == [True] * 9
    assert all(time > 0 for time in answer["milliseconds"])


def test_a_wrong_engine_beside_ours():
    answer = finished.compare(wrong(10, ("parent.grad += node", "parent.grad = node")))
    assert [name for name, theirs, ours in answer["gradients"] if theirs != ours] == ["x1", "x2"]
    assert next(level["level"] for level in answer["levels"] if not level["passed"]) == 2
    assert finished.compare("class Value: pass")["problem"]
