"""The lesson: what is stored is what its cells show, its chapters stand alone, and a browser's Python can run it."""

import ast
import base64
import contextlib
import importlib.util
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from micrograd.train import History

DEMOS = Path(__file__).parent.parent / "demos"
LESSON = nbformat.read(DEMOS / "lesson.ipynb", as_version=4)
IN_BROWSER = DEMOS / "classroom" / "python" / "classroom" / "plots.py"
CHAPTERS = [
    "An expression and its gradient",
    "Why topological order",
    "A neuron, s and δ",
    "A layer",
    "One sample",
    "A batch is a sum",
    "Training",
    "What goes wrong",
]


def chapters():
    """The cells of each chapter, by its heading."""
    found = {}
    for cell in LESSON.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            found[cell.source.splitlines()[0][3:]] = []
        if found:
            list(found.values())[-1].append(cell)
    return found


def code_of(cells):
    return [cell.source for cell in cells if cell.cell_type == "code"]


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


class Texts(HTMLParser):
    """What there is to read in HTML: text, alternatives of images, the texts of SVGs, pages in frames."""

    def __init__(self, html):
        super().__init__()
        self.found, self.kinds, self.silent = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.silent = tag == "style" or (tag == "script" and named.get("type") != "application/json")
        if tag == "img":
            kind, _, data = named["src"].partition(";base64,")
            self.kinds.append(kind)
            self.found.append(named["alt"])
            if kind == "data:image/svg+xml":
                root = ElementTree.fromstring(base64.b64decode(data))
                self.found += sorted(text.strip() for text in root.itertext())
        if tag == "iframe":
            self.kinds.append("page")
            self.found += Texts(named["srcdoc"]).found

    def handle_endtag(self, tag):  # noqa: ARG002
        self.silent = False

    def handle_data(self, data):
        if data.strip() and not self.silent:
            self.found.append(data)


def texts(output):
    """What a reader sees of an output, apart from where it stands in a picture."""
    if output.output_type == "stream":
        return [output.name, output.text]
    return [output.data["text/plain"], *Texts(output.data.get("text/html", "")).found]


# ---- what is stored --------------------------------------------------------------------------------------------------


def test_what_is_stored_is_what_the_cells_show():
    again = module(DEMOS / "pictures" / "make.py").run_lesson()
    assert again.metadata == LESSON.metadata
    for cell, anew in zip(LESSON.cells, again.cells, strict=True):
        assert cell.keys() == anew.keys()
        assert cell.metadata == anew.metadata == {}
        if cell.cell_type == "code":
            expected = [texts(output) for output in anew.outputs]
            assert [texts(output) for output in cell.outputs] == expected, "run demos/pictures/make.py lesson"


def test_pictures_pages_and_charts_are_stored():
    outputs = [output for cell in LESSON.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output.data["text/html"] for output in outputs if output.output_type != "stream"]
    kinds = [kind for html in shown for kind in Texts(html).kinds]
    assert {kind: kinds.count(kind) for kind in kinds} == {"data:image/svg+xml": 5, "page": 2, "data:image/png": 5}
    assert len(kinds) == len(shown)  # one in each
    assert sum("train from 0.28 to 0.04" in html for html in shown) == 1  # which the answer is compared with
    assert all(output.name == "stdout" for output in outputs if output.output_type == "stream")


def test_it_is_small_enough_to_be_shown():
    assert (DEMOS / "lesson.ipynb").stat().st_size < 1_000_000


def test_the_rule_by_hand_is_the_gradient_in_the_graph():
    outputs = [output for cell in LESSON.cells for output in cell.get("outputs", [])]
    printed = "".join([output.text for output in outputs if output.output_type == "stream"])
    for row, expected in ((r"· w_\d = (\S+)   s_\d.grad = (\S+)$", 3), (r"^δ·x. = (\S+)   w.\.grad = (\S+)$", 2)):
        pairs = re.findall(row, printed, re.MULTILINE)
        assert len(pairs) == expected
        assert all(by_hand == graph for by_hand, graph in pairs)
    right, wrong, measured = re.findall(r"(?:turns: .* a.grad =|shift of a:) +(\S+)", printed)
    assert right == measured == "39"
    assert wrong == "3"


# ---- chapters --------------------------------------------------------------------------------------------------------


def test_the_chapters_are_these():
    assert list(chapters()) == CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_short_and_ends_in_a_question(chapter):
    cells = chapters()[chapter]
    assert 1 <= len(code_of(cells)) <= 3
    assert [cell for cell in cells if "<details>" in cell.source] == cells[-1:]
    question = r"<details><summary>Question: [^\n]+\?</summary>\n\n.+\n\n</details>"
    assert re.fullmatch(question, cells[-1].source, re.DOTALL)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_can_be_opened_alone(chapter):
    """No name in it comes from another chapter."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "-"]
    code = "\n".join(code_of(chapters()[chapter]))
    answer = subprocess.run(command, input=code, capture_output=True, text=True, encoding="utf-8", check=False)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_browser_has_what_a_chapter_imports(chapter):
    allowed = {"micrograd", "plots", "datasets", *sys.stdlib_module_names}
    for code in code_of(chapters()[chapter]):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                assert {name.name.split(".")[0] for name in node.names} <= allowed
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] in allowed


# ---- the answers to the questions ------------------------------------------------------------------------------------


NO_BOUNDARY = {"show_boundary(model, held_out, ": "print("}  # which takes longest


def shown_by(chapter, changes):
    """What the cells of a chapter print and show, as text, when they are changed: each old text stands there once."""
    cells = code_of(chapters()[chapter])
    for old, new in changes.items():
        assert "\n".join(cells).count(old) == 1
        cells = [cell.replace(old, new) for cell in cells]
    names, out = {}, io.StringIO()
    with contextlib.redirect_stdout(out):
        for cell in cells:
            tree = ast.parse(cell)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else ast.parse("None").body[0]
            exec(compile(tree, chapter, "exec"), names)
            print(repr(eval(compile(ast.Expression(last.value), chapter, "eval"), names)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("chapter", "changes", "shown", "said"),
    [
        (
            0,
            {"Value(-3.0": "Value(-4.0"},
            "−4 + 4 = 0\nwhere z₁ = a·b, e = z₁ + z₂, z₂ = a²\nmeasured: 0.0000",
            "`b = -4`",
        ),
        (1, {"e = h + u": "e = u + h"}, "turns: e u h a b   a.grad = 39", "now it is 39 too"),
        (
            2,
            {"Value(0.25, label": "Value(5.0, label", ', label="b"), 1.0': ', label="b"), -1.0'},
            "δ = s.grad = +0.0004",
            "δ = +0.0004",
        ),
        (3, {"[3, 1]": "[4, 3, 1]"}, "31 parameters", "It has 31."),
        (
            4,
            {"x, y =": "model.layers[1].neurons[0].weights[0].data = 0.0\nx, y ="},
            "s_1.grad = +0.0000",
            "so its δ is",
        ),
        (5, {'lr=0.1), reduction="sum"': 'lr=0.3), reduction="mean"'}, "", "0.3, which is"),
        (6, {"batch_size=10": "batch_size=1"} | NO_BOUNDARY, "to 0.00", "A batch of 1 ends lowest, near 0.00"),
        (
            6,
            {"batch_size=10": "batch_size=100"} | NO_BOUNDARY,
            "to 0.16",
            "a batch of 100, which is all samples, highest, at 0.16",
        ),
        (
            7,
            {'show_loss({"relu": high': 'print(f"{train(model, lr=0.2)[-1]:.2f}")\nshow_loss({"relu": high'},
            "\n1.00\n",
            "The loss comes to 1",
        ),
    ],
)
def test_an_answer_is_what_the_changed_code_shows(monkeypatch, chapter, changes, shown, said):
    monkeypatch.syspath_prepend(DEMOS)
    name = CHAPTERS[chapter]
    assert said in " ".join(chapters()[name][-1].source.split())
    assert shown in shown_by(name, changes)


# ---- what the cells show charts with ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plots():
    return module(DEMOS / "plots.py")


def test_a_history_has_its_curves(plots):
    history = History([0.5, 0.25], held_out_loss=[0.75, 0.625])
    assert repr(plots.show_loss(history)) == "Loss: train from 0.50 to 0.25, held out from 0.75 to 0.62"
    assert repr(plots.show_loss(History([0.5]), "T", log=True)) == "T: train from 0.50 to 0.50"
    assert repr(plots.show_loss({"a": history, "b": [3, 1]})) == "Loss: a from 0.50 to 0.25, b from 3.00 to 1.00"


def test_a_chart_is_an_image_with_a_text(plots):
    html = plots.show_loss({"η < 1": [1.0, 0.5]})._repr_html_()
    assert Texts(html).found == ["Loss: η < 1 from 1.00 to 0.50"]
    assert Texts(html).kinds == ["data:image/png"]
    assert plots.show_loss({"η < 1": [1.0, 0.5]})._repr_html_() == html


def test_a_boundary_says_how_many_are_on_their_side(plots):
    samples = [([1.0, 0.0], 1), ([-1.0, 0.5], -1), ([-2.0, 0.0], 1)]
    answer = repr(plots.show_boundary(lambda x: x[0], samples))
    assert answer == "Decision boundary: 2 of 3 samples are on the side of their class"


@pytest.mark.parametrize(
    ("losses", "kind", "message"),
    [
        ([0.5, 0.25], TypeError, r'expected a History or curves by name, got list; write {"train": losses}'),
        ({}, ValueError, "expected 1 to 4 curves, got 0"),
        ({name: [1.0] for name in "abcde"}, ValueError, "expected 1 to 4 curves, got 5"),
        ({"a": []}, ValueError, "expected one loss at least, got none in 'a'"),
    ],
)
def test_what_is_no_loss_is_told(plots, losses, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plots.show_loss(losses)


@pytest.mark.parametrize("name", ["show_loss", "show_boundary"])
def test_a_browser_takes_the_same_arguments(name):
    """The classroom's file of the same names draws charts of another kind."""
    require_classroom()
    here, there = (arguments(path, name) for path in (DEMOS / "plots.py", IN_BROWSER))
    assert here == there


def test_a_browser_says_the_same_of_a_chart(plots):
    require_classroom()
    here, there = plots, module(IN_BROWSER)
    history, samples = History([0.5, 0.25], held_out_loss=[0.75, 0.625]), [([1.0, 0.0], 1), ([-1.0, 0.5], 1)]
    for losses in (history, {"a": history, "b": [3, 1]}):
        assert repr(here.show_loss(losses)) == repr(there.show_loss(losses))
    answers = [repr(plots.show_boundary(lambda x: x[0], samples, "Title")) for plots in (here, there)]
    assert answers == ["Title: 1 of 2 samples are on the side of their class"] * 2


def require_classroom():
    if not IN_BROWSER.exists():
        pytest.skip("there is no classroom here")


def arguments(path, name):
    """Names and defaults of a function's arguments, read without running the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(function.args)
