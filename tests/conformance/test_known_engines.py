"""Ours, HIPS autograd, and a right engine that is not understood by itself."""

import pytest

from micrograd.conformance import isolate
from micrograd.conformance.adapter import AdapterError
from micrograd.conformance.cases import CASES, find
from micrograd.conformance.discover import load
from micrograd.conformance.expressions import numbers, run_random
from micrograd.conformance.run import HOLDS, NOT_OFFERED, run_case


def test_ours_offers_everything():
    """That all of it holds is tested beside the suite: ``micrograd/conformance/test_conformance.py``."""
    adapter = load("micrograd:Value")
    assert [need for case in CASES for need in case.needs if not adapter.offered(need)] == []


def test_autograd_holds_in_what_it_offers_but_for_whole_numbers():
    """It keeps no gradients, and refuses an int with an error; all else holds."""
    report = isolate.examine("autograd:grad", [number for number in numbers() if number != "8.2"])
    assert report.engine.startswith("autograd ")
    assert [r.number for r in report.results if r.outcome not in (HOLDS, NOT_OFFERED)] == ["4.14"]
    assert (
        "Can't differentiate w.r.t. type <class 'int'>" in next(r for r in report.results if r.number == "4.14").problem
    )
    assert [s.level for s in report.levels if s.passed] == [1, 2, 5, 6, 7, 8, 9]
    assert report.levels[2].missing == "state"


STRANGE = """
class Knot:
    def __init__(self, content):
        self.content, self.pull, self.ropes = content, 0.0, ()

    def __add__(self, other):
        knot = Knot(self.content + other.content)
        knot.ropes = (self, 1.0), (other, 1.0)
        return knot

    def __mul__(self, other):
        knot = Knot(self.content * other.content)
        knot.ropes = (self, other.content), (other, self.content)
        return knot

    def __sub__(self, other):
        return self + -other

    def __neg__(self):
        return self * Knot(-1.0)


def tie(number):
    return Knot(number)


def tug(knot, force=1.0):
    knot.pull += force
    for other, slope in knot.ropes:
        tug(other, force * slope)


names = dict(
    setup=["from written_engine import tie, tug"],
    value="tie({x})",
    data="{v}.content",
    grad="{v}.pull",
    backward="tug({v})",
)
"""


def test_an_engine_of_other_words_comes_with_a_dictionary_in_ten_lines(engine):
    with pytest.raises(AdapterError, match=r"expected Knot to have a method backward\(\), got no methods"):
        engine(STRANGE, "written_engine:Knot")
    adapter = engine(STRANGE, "written_engine:names")
    results = [run_case(case, adapter) for case in CASES if case.level.number <= 2]
    assert [result.outcome for result in results] == [HOLDS] * len(results)
    assert adapter.translate("y.backward()") == "tug(y)"


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [
        ("x = 1\n", "written_engine", "expected a class with a backward"),
        ("x = 1\n", "written_engine:Value", "expected Value in written_engine, got a module with x"),
        ("Value = 3\n", "written_engine:Value", r"expected a class, such as Value, got 3 \(int\)"),
        ("import no_such\n", "written_engine:Value", "No module named 'no_such'"),
        ("", "no_such:Value", "an installed package, got no_such, which is neither; write my_engine.py, or my_pac"),
        ("", "written_engine.Value", "an installed package, got written_engine.Value, which is neither; write"),
        (
            "class Value:\n    def __init__(self): pass\n    def backward(self): pass\n",
            "written_engine:Value",
            r"keep its number in an attribute such as .data; Value\(3.0\) raises TypeError",
        ),
        (
            "class Value:\n    def __init__(self, x): self.data = x\n    def backward(self): pass\n",
            "written_engine:Value",
            "expected Value to keep its gradient in an attribute such as .grad, got none",
        ),
    ],
)
def test_what_is_no_engine_is_told_what_is_expected(text, spec, message, engine):
    with pytest.raises((AdapterError, ImportError), match=message):
        engine(text, spec)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("dict(setup='', colour='red')", "expected the keys setup, value, data, .*, got 'colour'"),
        ("dict(value='Knot({x})')", "expected the key setup"),
    ],
)
def test_a_dictionary_that_is_none_of_these_says_so(names, message, engine):
    with pytest.raises(AdapterError, match=message):
        engine(f"names = {names}\n", "written_engine:names")


def test_a_dictionary_says_what_is_offered(engine):
    adapter = engine(STRANGE + "names['offers'] = ['abs']\n", "written_engine:names")
    assert adapter.offered("abs")
    assert not adapter.offered("state")
    assert run_case(find("3.2"), adapter).outcome == NOT_OFFERED
    assert run_random("3.random", adapter).outcome == NOT_OFFERED


def test_words_are_found_by_trying(engine):
    text = """
import math

class Number:
    def __init__(self, val):
        self.val, self.derivative, self.parents = float(val), 0.0, ()
    def __add__(self, other):
        return made(self.val + other.val, (self, 1.0), (other, 1.0))
    def __mul__(self, other):
        return made(self.val * other.val, (self, other.val), (other, self.val))
    def backprop(self, gradient):
        self.derivative += gradient
        for parent, slope in self.parents:
            parent.backprop(gradient * slope)

def made(val, *parents):
    number = Number(val)
    number.parents = parents
    return number

def ReLU(x):
    return made(max(x.val, 0), (x, float(x.val > 0)))

def tanh(x):
    return math.tanh(x)
"""
    adapter = engine(text, "written_engine")
    assert adapter.value == "Number({x})"
    assert (adapter.data, adapter.grad, adapter.backward) == ("{v}.val", "{v}.derivative", "{v}.backprop(1.0)")
    assert adapter.functions == {"relu": "ReLU({x})"}
    assert adapter.imports("y = ReLU(a)") == "from written_engine import Number\nfrom written_engine import ReLU"
    assert adapter.imports("y = a") == "from written_engine import Number"


def test_a_class_that_needs_a_list_or_keeps_seven_digits(engine):
    text = """
import numpy as np

class Tensor:
    def __init__(self, data, requires_grad=False):
        if not isinstance(data, (list, np.ndarray)):
            raise TypeError("a list please")
        self.data = np.array(data, dtype=np.float32)
        self.grad, self.parents = None, ()
    def __mul__(self, other):
        product = Tensor(self.data * other.data)
        product.parents = (self, other.data), (other, self.data)
        return product
    def backward(self, gradient=None):
        gradient = np.ones(1, np.float32) if gradient is None else gradient
        self.grad = gradient if self.grad is None else self.grad + gradient
        for parent, slope in self.parents:
            parent.backward(gradient * slope)
"""
    adapter = engine(text, "written_engine:Tensor")
    assert adapter.value == "Tensor([{x}])"
    assert not adapter.double
    outcomes = {
        number: run_case(case, adapter).outcome for case in CASES if (number := case.number) in ("1.3", "2.1", "7.12")
    }
    assert outcomes == {"1.3": HOLDS, "2.1": HOLDS, "7.12": NOT_OFFERED}
