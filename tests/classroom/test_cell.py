"""A learner's cell, in CPython: what it shows, what is cut, and what is said of its errors."""

import doctest
import json

import pytest
from classroom import bridge, cell, plots
from classroom.cell import MOST_TEXT, Session

from micrograd.pictures import render


@pytest.fixture
def run():
    """Run a cell and return its outputs and error."""
    session = Session()

    def run(code, name="cell 1"):
        outputs = []
        error = session.run(code, name, outputs.append)
        return outputs, error

    return run


def text(outputs):
    assert all(output["kind"] == "text" for output in outputs), outputs
    return "".join([output["text"] for output in outputs])


@pytest.mark.parametrize("module", [cell, plots], ids=lambda module: module.__name__)
def test_examples(module):
    assert doctest.testmod(module).failed == 0


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_variables_stay_from_cell_to_cell(run):
    assert run("a = 2") == ([], None)
    assert run("a = a + 1\na") == ([{"kind": "text", "text": "3\n"}], None)
    assert run("_ * 10") == ([{"kind": "text", "text": "30\n"}], None)


def test_what_is_printed_stands_before_the_last_value_and_before_an_error(run):
    assert text(run("import sys\nprint('one')\nprint('two', file=sys.stderr)\n3")[0]) == "one\ntwo\n3\n"
    outputs, error = run("print('one')\n1 / 0")
    assert text(outputs) == "one\n"
    assert error == "line 2: 1 / 0\nZeroDivisionError: division by zero"


@pytest.mark.parametrize("code", ["", "# nothing", "a = 1", "None", "def f():\n    return 1"])
def test_what_has_no_value_shows_nothing(run, code):
    assert run(code) == ([], None)


def test_output_comes_while_the_cell_runs(run, monkeypatch):
    monkeypatch.setattr(cell._Text, "EVERY", 0)
    outputs, _ = run("for k in range(3): print(k)")
    assert len(outputs) > 1
    assert text(outputs) == "0\n1\n2\n"


def test_pictures_pages_formulas_and_charts(run, monkeypatch):
    monkeypatch.setattr(render, "layout", lambda source, form: b'<svg width="10pt" viewBox="0 0 9 9"></svg>')
    prelude = (
        "from micrograd import Value, draw, explain, step_through\nimport plots\na = Value(2.0, label='a')\ne = a * a\n"
    )
    assert run(prelude) == ([], None)
    [picture], _ = run("draw(e)")
    assert picture["kind"] == "svg"
    assert picture["svg"].startswith("<svg ")
    [formula], _ = run("e.backward()\nexplain(a, e)")
    assert formula["kind"] == "math"
    assert formula["latex"].startswith(r"\begin{aligned}")
    assert formula["text"].startswith("a.grad")
    monkeypatch.undo()
    [page], _ = run("step_through(e)")
    assert page["kind"] == "html"
    assert page["html"].startswith("<!DOCTYPE html>")


def test_charts(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "plots", plots)  # as the site has it
    assert run("from plots import show_boundary, show_loss\nfrom datasets import moons") == ([], None)
    [chart], _ = run("show_loss({'train': [0.5, 0.25]}, 'Loss', log=True)")
    assert chart["text"] == "Loss: train from 0.50 to 0.25"
    assert chart["spec"]["log"]
    [chart], _ = run("show_boundary(lambda x: x[0] - 0.5, moons(20))")
    spec = chart["spec"]
    assert len(spec["scores"]) == len(spec["scores"][0]) == plots.RESOLUTION
    assert spec["scores"][0][0] == pytest.approx(spec["low"][0] - 0.5)
    assert spec["scores"][0][-1] == pytest.approx(spec["high"][0] - 0.5)
    assert len(spec["samples"]) == 20
    assert "of 20 samples" in chart["text"]
    json.dumps(spec)
    assert "expected a History or curves by name, got list" in run("show_loss([1.0])")[1]


def test_display_shows_several_values(run):
    outputs, _ = run("display(1)\ndisplay('two')\nprint(3)")
    assert text(outputs) == "1\n'two'\n3\n"


def test_html_of_any_object_and_a_repr_that_fails(run):
    run("class Table:\n    def _repr_html_(self): return '<b>bold</b>'")
    assert run("Table()")[0] == [{"kind": "html", "html": "<b>bold</b>"}]
    assert run("Table")[1] is None  # the class itself is text
    outputs, error = run("class Bad:\n    def _repr_html_(self): raise ValueError('no')\nBad()")
    assert error is None
    assert text(outputs).startswith("ValueError: no\n")
    assert "Broken" in run("class Broken:\n    def __repr__(self): raise ValueError('Broken')\nBroken()")[1]


# ---- too much --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["print('x' * 10_000_000)", "for k in range(100_000): print(k)", "'x' * 10_000_000"])
def test_long_output_is_cut_with_a_sentence(run, code):
    outputs, error = run(code)
    assert error is None
    assert MOST_TEXT < len(text(outputs)) < MOST_TEXT + 100
    assert text(outputs).endswith("The output is cut here: a cell shows 100,000 letters.\n")
    assert len(outputs) < 1000


def test_a_page_that_is_too_large_is_not_shown(run):
    outputs, _ = run("class Huge:\n    def _repr_html_(self): return 'x' * 9_000_000\nHuge()")
    assert text(outputs) == "What this would show is 9 MB large, too much for a page.\n"


def test_many_pictures_end_in_words(run):
    run("class Page:\n    def _repr_html_(self): return '<p>'\n    def __repr__(self): return 'a page'")
    outputs, _ = run("for k in range(100): display(Page())")
    assert [output["kind"] for output in outputs[:51]] == ["html"] * 50 + ["text"]
    told = text(outputs[50:])
    assert told == "… A cell shows 50 pictures. What follows is told in words.\n" + "a page\n" * 50


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_a_traceback_has_the_learners_lines_alone(run):
    run("from micrograd import losses, nn\n\ndef loss(x):\n    return losses.squared_error(model(x), 1.0)", "cell 1")
    assert run("model = nn.MLP(2, [1])\nloss([1.0])", "cell 2")[1] == (
        "line 2: loss([1.0])\ncell 1, line 4, in loss: return losses.squared_error(model(x), 1.0)\n"
        "ValueError: dot: got 1 inputs but 2 weights"
    )


def test_a_syntax_error_marks_its_place(run):
    assert run("a = 1\nb = = 2")[1] == "line 2:\n    b = = 2\n        ^\nSyntaxError: invalid syntax"
    assert run("def f():\nreturn 1")[1].endswith(
        "IndentationError: expected an indented block after function definition on line 1"
    )


def test_recursion_is_told_in_few_lines(run):
    error = run("def f(n):\n    return f(n + 1)\nf(0)")[1]
    assert error.startswith("line 3: f(0)\nline 2, in f: return f(n + 1)   (and ")
    assert error.split("\n")[-1].startswith("RecursionError: maximum recursion depth exceeded")
    assert len(error.split("\n")) == 3
    both = run("def f(n):\n    return g(n)\ndef g(n):\n    return f(n)\nf(0)")[1]
    assert len(both.split("\n")) < 12
    assert "lines more" in both


def test_an_interrupt_says_where(run):
    assert run("x = 1\nraise KeyboardInterrupt")[1] == "line 2: raise KeyboardInterrupt\nStopped."


def test_exit_ends_the_cell_quietly(run):
    assert run("raise SystemExit") == ([], None)


def test_input_says_what_to_write_instead(run):
    assert run("x = input('x?')")[1].endswith(
        "RuntimeError: input() cannot ask in a browser; write the value into the code"
    )


def test_an_error_with_a_huge_message_is_cut(run):
    assert len(run("raise ValueError('x' * 10_000_000)")[1]) < MOST_TEXT + 100


# ---- the bridge ------------------------------------------------------------------------------------------------------


def test_run_sends_outputs_as_json():
    sent = []
    assert bridge.run("print('é')", "cell 1", sent.append) is None
    assert json.loads(sent[0]) == {"kind": "text", "text": "é\n"}


def test_call_returns_json_or_the_error():
    assert bridge.call("math.hypot", "[3, 4]") == ("5.0", None)
    assert bridge.call("math.sqrt", "[-1]")[1].startswith("ValueError: ")
    assert bridge.call("math.nothing", "[]")[1].startswith("AttributeError: ")


def test_a_layout_of_the_page_is_used_and_its_failure_told(monkeypatch):
    monkeypatch.setattr(render, "layout", render.layout)
    bridge.offer_layout(lambda source: f"<svg>{len(source)}</svg>")
    assert render.layout("abc", "svg") == b"<svg>3</svg>"
    with pytest.raises(render.RenderError, match=r'laid out as "svg", got "png"; save it as \.svg'):
        render.layout("abc", "png")
    bridge.offer_layout(lambda source: 1 / 0)
    with pytest.raises(render.RenderError, match="the layout failed: division by zero"):
        render.layout("abc", "svg")
