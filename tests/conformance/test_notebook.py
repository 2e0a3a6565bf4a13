"""``check(Value)`` in a notebook: a table, failures with graphs, in the process itself."""

import re
import subprocess
import sys
from pathlib import Path

import autograd
import pytest
from wrong import RIGHT, source

from micrograd import Value
from micrograd.conformance import check

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def in_a_notebook(monkeypatch):
    """A class as a cell defines it: its module is __main__."""

    def define(text):
        names = {"__name__": "__main__"}
        exec(text, names)
        for name in ("Value", "MLP", "SGD", "accumulate"):
            monkeypatch.setattr(sys.modules["__main__"], name, names[name], raising=False)
        return names["Value"]

    return define


def test_a_right_class_from_a_cell_passes(in_a_notebook):
    checked = check(in_a_notebook(RIGHT), level=6)
    assert checked.holds
    assert checked.offers == ["MLP", "SGD", "accumulate", "exp", "log", "relu", "sigmoid", "state", "tanh"]
    assert "All that is offered holds, in 6 levels." in str(checked)
    assert "failed" not in checked._repr_html_()


def test_a_wrong_class_shows_its_failure_and_the_graph_with_the_right_gradients(in_a_notebook):
    checked = check(in_a_notebook(source("= in place of +=")), only=["2.1"])
    assert not checked.holds
    html = checked._repr_html_()
    assert "<b>failed</b>" in html
    assert "a = Value(3.0)\ny = a * a\ny.backward()\nprint(a.grad)  # expected 6 = 3 + 3, got 3" in html
    picture = html.partition("The same with the right gradients")[2]
    assert "<svg" in picture
    assert all(text in picture for text in (">grad 6<", ">data 9<", ">a<", ">y<"))


def test_a_function_that_makes_gradients():
    checked = check(autograd.grad, only=["1", "2.random", "5.2"])
    assert checked.holds
    assert len(checked.results) == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"only": "2.1"}, r"only must be a list of cases or levels, got '2.1'; write only=\['2.1'\]"),
        ({"only": 2.1}, r"only must be a list of cases or levels, got 2.1; write only=\['2.1'\]"),
        ({"only": ["1", "9.9"]}, "expected a case or a level, such as '2.1' or '2', got '9.9'"),
        ({"only": [2.1]}, "expected a case or a level, such as '2.1' or '2', got 2.1"),
        ({"level": 0}, "level must be a whole number from 1 to 9, got 0"),
        ({"level": "1"}, "level must be a whole number from 1 to 9, got '1'"),
    ],
)
def test_what_is_no_level_and_no_case(arguments, message):
    """A text would be taken for a list of its letters, and "2.1" for levels 2 and 1."""
    with pytest.raises((TypeError, ValueError), match=message):
        check(Value, **arguments)


@pytest.mark.parametrize("engine", ["Value", None, Value(1.0)])
def test_what_is_no_engine(engine):
    with pytest.raises(ValueError, match=rf"^expected a class, such as Value, got {re.escape(repr(engine))} \("):
        check(engine)


def test_only_levels_and_seeds_are_passed_on(in_a_notebook):
    engine = in_a_notebook(source("= in place of +="))
    assert {result.number for result in check(engine, only=["1"]).results} == {f"1.{k}" for k in range(1, 10)}
    assert check(engine, only=["2.random"], seed=4).results == check(engine, only=["2.random"], seed=4).results


def test_text_of_students_is_escaped(in_a_notebook):
    engine = in_a_notebook(RIGHT.replace("math.log(a)", "[][a]"))
    assert "<class" not in check(engine, only=["4.17"])._repr_html_().partition("<h4>4.17")[2].partition("<svg")[0]


def test_fixed_cases_need_the_standard_library_alone_and_start_nothing():
    """As in a browser: no thread, no process, no file, and nothing installed but graphviz."""
    code = """
import sys
for name in ("hypothesis", "numpy", "tqdm", "pytest", "resource", "_posixsubprocess"):
    sys.modules[name] = None
import threading, os
def refuse(*arguments, **settings):
    raise OSError("this is a browser")
threading.Thread.start = os.fork = refuse
from micrograd import Value
from micrograd import Value
from micrograd.conformance import check
checked = check(Value)
print(checked.holds, len(checked.results))
checked._repr_html_()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == ["True", "110"]
