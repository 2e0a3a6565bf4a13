"""The reference holds every public name, and each has an example, which pytest runs with the module's other ones."""

import doctest
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import micrograd
from micrograd import ops

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

NAMES = [(module, name) for module in reference.modules() for name in module.__all__]


def name_of(part):
    return part.__name__ if isinstance(part, ModuleType) else part


@pytest.mark.parametrize(("module", "name"), NAMES, ids=name_of)
def test_every_public_name_has_an_example(module, name):
    thing = getattr(module, name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        found = doctest.DocTestFinder(recurse=False).find(thing, name, module=inspect.getmodule(thing))
        assert any(test.examples for test in found)
    else:
        assert re.search(rf"^#: .*\n{name}\b", inspect.getsource(module), re.MULTILINE), "say in a #: what it is"


@pytest.mark.parametrize("name", micrograd.__all__)
def test_what_the_package_offers_is_in_the_reference(name):
    thing = getattr(micrograd, name)
    if isinstance(thing, ModuleType):
        assert thing in reference.modules(), "it needs an __all__"
    else:
        assert any(getattr(module, name, None) is thing for module, listed in NAMES if listed == name)


@pytest.mark.parametrize("module", [micrograd.data, micrograd.losses, micrograd.nn, micrograd.optim], ids=name_of)
def test_what_pages_and_demos_use_is_public(module):
    texts = [path.read_text("utf-8") for pages in ("*.md", "docs/*.md", "demos/*.*") for path in ROOT.glob(pages)]
    short = module.__name__.removeprefix("micrograd.")
    used = {name for text in texts for name in re.findall(rf"(?<![\w./]){short}\.(\w+)", text)}
    assert len(used) > 3
    assert {name for name in used if hasattr(module, name)} <= set(module.__all__)


def test_a_page_shows_each_name_and_how_it_is_imported():
    page = reference.page(micrograd.engine)
    assert "   from micrograd import Value, dot, logsumexp, no_grad, pick, softmax, where\n" in page
    assert re.findall(r"^\.\. auto(?:class|function):: micrograd\.engine\.(\w+)$", page, re.MULTILINE) == [
        "no_grad", "Value", "dot", "pick", "logsumexp", "softmax", "where",
    ]  # fmt: skip
    assert "   from micrograd import optim\n" in reference.page(micrograd.optim)
    assert "   from micrograd.train import History\n" in reference.page(micrograd.train)


def test_the_table_of_operations_has_each_row_and_right_numbers():
    page = reference.operations()
    rows = re.findall(r"^   \* - ``(\w+)\(.*\)``$", page, re.MULTILINE)
    assert set(rows) == ops.BUILT_IN
    cells = [re.findall(r"- ``(.*)``$", row, re.MULTILINE) for row in page.split("   * ")]
    assert ["tanh(x)", "tanh", "1 - z * z", "tanh(0.5) = 0.4621", "0.7864"] in cells
    assert ["div(x, y)", "/", "1 / y, -z / y", "div(0.5, 2) = 0.25", "0.5, -0.125"] in cells
    assert ["pick(values, index)", "pick"] in [row[:2] for row in cells]
