"""The README's code runs, prints what it says, and names every operation."""

import configparser
import contextlib
import io
import re
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

from micrograd.ops import TABLE

README = Path(__file__).parent.parent / "README.md"


def run(example):
    unread = example.namespace.get("printed", "")
    assert not unread, f"nothing in the README shows that this was printed: {unread}"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(example.parsed, f"{README.name}:{example.line}", "exec"), example.namespace)
    example.namespace["printed"] = out.getvalue()


def compare(example):
    assert example.parsed == example.namespace.pop("printed")


def blocks(language, section=""):
    text = README.read_text(encoding="utf-8")
    if section:
        text = re.search(rf"^## {section}\n(.*?)^## ", text, re.DOTALL | re.MULTILINE).group(1)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


DOCUMENT = Sybil(
    parsers=[CodeBlockParser("python", run), CodeBlockParser("text", compare)],
    path=str(README.parent),
    patterns=[README.name],
).parse(README)
EXAMPLES = list(DOCUMENT.examples())


@pytest.fixture(scope="module", autouse=True)
def table_as_it_was():
    before = dict(TABLE)
    yield
    TABLE.clear()
    TABLE.update(before)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line {example.line}")
def test_code_block(example):
    example.evaluate()


def test_every_block_is_run_and_every_output_compared():
    assert len(EXAMPLES) == len(blocks("python")) + len(blocks("text"))
    assert not DOCUMENT.namespace.get("printed")
    assert set(re.findall(r"^```(\w+)$", README.read_text(encoding="utf-8"), re.MULTILINE)) == {"python", "text", "sh"}


def test_two_commands_set_up_a_fresh_machine():
    assert last_parts("Set up") == [".venv/bin/python demos/moons.py", ".venv/bin/python -m pytest"]


def test_one_command_starts_the_lesson_and_one_the_playground():
    assert last_parts("Lessons") == [".venv/bin/jupyter lab demos/lesson.ipynb"]
    assert last_parts("Playground") == [".venv/bin/marimo run demos/playground.py"]
    assert len(blocks("sh")) == 4


def test_commands_install_extras_that_there_are():
    setup = configparser.ConfigParser()
    setup.read(README.parent / "setup.cfg", encoding="utf-8")
    extras = re.findall(r"'\.\[(\w+)\]'", "".join(blocks("sh")))
    assert set(extras) == {"demos", "test", "notebook", "playground"}
    assert set(extras) <= set(setup["options.extras_require"])


def last_parts(section):
    commands = [block.strip() for block in blocks("sh", section)]
    assert all("\n" not in command for command in commands)
    return [command.split("&&")[-1].strip() for command in commands]


def test_every_demo_is_linked_with_its_question():
    lessons = README.read_text(encoding="utf-8").split("\n## Lessons\n")[1].split("\n## ")[0]
    linked = re.findall(r"^\| \[(\S+)\]\(demos/(\S+)\) \| .*\?.* \|$", lessons, re.MULTILINE)
    demos = {path.name for path in (README.parent / "demos").iterdir() if path.suffix in {".py", ".ipynb"}}
    assert {name for name, _ in linked} == demos - {"datasets.py", "options.py", "plots.py"}
    assert all(name == path for name, path in linked)


def test_every_operation_is_named():
    operations = re.search(r"^Operations: (.*?)\n\n", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    named = {word for code in re.findall(r"`([\w ]+)`", operations.group(1)) for word in code.split()}
    assert named == (set(TABLE) - {"bell"}) | {"power"}  # bell is the README's own


def test_images_exist():
    images = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert images
    assert all((README.parent / image).is_file() for image in images)
