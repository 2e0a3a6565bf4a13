"""What is written for readers holds: code runs and prints what is shown, links lead somewhere, names are all there."""

import configparser
import contextlib
import io
import re
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

import micrograd
from micrograd import losses, nn, optim, train
from micrograd.ops import BUILT_IN, TABLE

ROOT = Path(__file__).parent.parent
README, DOCS = ROOT / "README.md", ROOT / "docs"
TAPE = ROOT / "micrograd" / "tape"
PAGES = [README, *sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("C*.md")), TAPE / "README.md"]
OTHERS = [*sorted((ROOT / "benchmarks").glob("*.md"))]
RUN_ELSEWHERE = [DOCS / "teachers.md"]  # tests/conformance/test_docs.py
COMMANDS = {  # the last part of each command that sets up an environment, by page and section
    (README, "Set up"): ["demos/moons.py", "-m pytest"],
    (DOCS / "lessons.md", "Lessons"): ["lab demos/lesson.ipynb"],
}


def text_of(page):
    return page.read_text(encoding="utf-8")


def name_of(page):
    return str(page.relative_to(ROOT))


def section(page, title):
    return re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", text_of(page), re.DOTALL | re.MULTILINE).group(1)


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


# ---- code ------------------------------------------------------------------------------------------------------------


def run(example):
    unread = example.namespace.get("printed", "")
    assert not unread, f"nothing on the page shows that this was printed: {unread}"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(example.parsed, f"{example.path}:{example.line}", "exec"), example.namespace)
    example.namespace["printed"] = out.getvalue()


def compare(example):
    assert example.parsed == example.namespace.pop("printed")


def parse(page):
    sybil = Sybil(parsers=[CodeBlockParser("python", run), CodeBlockParser("text", compare)], path=str(page.parent))
    return sybil.parse(page)


DOCUMENTS = {page: parse(page) for page in PAGES if page not in RUN_ELSEWHERE}
EXAMPLES = [(page, example) for page, document in DOCUMENTS.items() for example in document.examples()]


@pytest.fixture(scope="module", autouse=True)
def table_as_it_was():
    before = dict(TABLE)
    yield
    TABLE.clear()
    TABLE.update(before)


@pytest.mark.parametrize(
    "example", [example for _, example in EXAMPLES], ids=[f"{name_of(page)}:{e.line}" for page, e in EXAMPLES]
)
def test_code_block(example):
    example.evaluate()


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_every_block_is_run_and_every_output_compared(page):
    examples = [example for of, example in EXAMPLES if of == page]
    assert len(examples) == len(blocks(text_of(page), "python")) + len(blocks(text_of(page), "text"))
    assert not DOCUMENTS[page].namespace.get("printed")
    assert {*re.findall(r"^```(.*)$", text_of(page), re.MULTILINE)} <= {"python", "text", "sh", ""}


# ---- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "title"), COMMANDS, ids=lambda part: part if isinstance(part, str) else part.name)
def test_commands_that_set_up_an_environment(page, title):
    found = [line for block in blocks(section(page, title), "sh") for line in block.splitlines()]
    commands = [command for command in found if command.startswith("python3 -m venv .venv && ")]
    assert [re.sub(r"^\.venv/bin/\w+ ", "", c.split(" && ")[-1]) for c in commands] == COMMANDS[page, title]


def test_commands_install_extras_that_there_are():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    named = re.findall(r"(?:'|`|micrograd|install )\.?\[([\w,]+)\]", "".join(map(text_of, PAGES)))
    extras = {extra for names in named for extra in names.split(",")}
    assert {"demos", "test", "notebook", "fast", "page"} <= extras
    assert extras <= set(setup["options.extras_require"])


def test_the_wheel_is_the_one_that_is_built():
    assert f"/micrograd-{micrograd.__version__}-py3-none-any.whl" in section(README, "For a class")


# ---- links -----------------------------------------------------------------------------------------------------------


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES + OTHERS, ids=name_of)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert link.startswith("https://") or target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\(([^)#]+)\)", text_of(README)))
    assert {name_of(page) for page in PAGES if page != README} <= linked


# ---- nothing is left out ---------------------------------------------------------------------------------------------


def test_every_demo_is_linked_with_its_question():
    linked = re.findall(r"^\| \[(\S+)\]\(../demos/(\S+)\) \| .*\?.* \|$", text_of(DOCS / "lessons.md"), re.MULTILINE)
    demos = {path.name for path in (ROOT / "demos").iterdir() if path.suffix in {".py", ".ipynb"}}
    assert {name for name, _ in linked} == demos - {"curves.py", "datasets.py", "options.py", "plots.py"}
    assert all(name == path for name, path in linked)


def test_every_operation_is_named():
    operations = re.search(r"^Operations: (.*?)\n\n", text_of(DOCS / "engine.md"), re.DOTALL | re.MULTILINE)
    named = {word for code in re.findall(r"`([\w\s]+)`", operations.group(1)) for word in code.split()}
    assert named == BUILT_IN | {"power"}


@pytest.mark.parametrize("name", micrograd.__all__)
def test_every_public_name_is_somewhere(name):
    assert re.search(rf"`(\w+\.)?{name}\b|^(from|import) .*\b{name}\b", "\n".join(map(text_of, PAGES)), re.MULTILINE)


@pytest.mark.parametrize("module", [nn, losses, optim, train], ids=lambda module: module.__name__)
def test_what_networks_and_training_are_made_of_is_named(module):
    made_here = {name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__}
    internal = {"Inputs", "inputs", "Optimizer", "Schedule", "Snapshot", "Step", "Trainer", "NodeByNode", "History"}
    internal |= {"within", "require_optimizer"}
    training = text_of(DOCS / "training.md")
    for name in made_here - internal:
        assert name.startswith("_") or re.search(rf"\b{name}\b", training), name


def test_every_file_of_the_tape_has_its_line():
    rows = re.findall(r"^\| `(\w+\.py)` \|", text_of(TAPE / "README.md"), re.MULTILINE)
    assert sorted(rows) == sorted(path.name for path in TAPE.glob("*.py") if path.name != "__init__.py")


def test_every_promise_is_there():
    rows = re.findall(r"^\| (\d+)\*? \|", text_of(DOCS / "promises.md"), re.MULTILINE)
    assert rows == [f"{k}" for k in range(1, 23)]
    assert f"[{len(rows)} promises](docs/promises.md)" in text_of(README)
