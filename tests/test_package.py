"""What holds of the package as a whole: what it loads, what it shows, and which file may use which."""

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import micrograd

PACKAGE = Path(micrograd.__file__).parent
ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
        path.read_text(encoding="utf-8")
    )
    for path in PACKAGE.rglob("*.py")
}

# What each file uses of the package; with it comes what that file uses. A new file gets a row.
USES = {
    "graph": [],
    "ops": [],
    "engine": ["graph", "ops"],
    "higher": ["engine"],
    "nn": ["engine"],
    "losses": ["engine"],
    "optim": ["engine"],
    "data": [],
    "samples": ["data", "engine"],
    "workers": ["samples", "higher"],
    "train": ["optim", "workers"],
    "tape": [],
    "tape.tape": ["engine"],
    "tape.symbols": ["ops", "tape.outside"],
    "tape.columns": ["samples"],
    "tape.trace": ["tape.columns"],
    "tape.outside": ["engine"],
    "tape.lower": ["tape.tape", "tape.trace"],
    "tape.reference": ["tape.columns", "tape.symbols", "tape.tape"],
    "tape.checks": ["tape.columns", "tape.tape"],
    "tape.lanes": ["tape.checks"],
    "tape.vectormath": [],
    "tape.llvm": ["tape.symbols", "tape.vectormath"],
    "tape.kernels": ["tape.llvm"],
    "tape.steps": ["tape.kernels", "tape.tape"],
    "tape.driver": ["tape.kernels"],
    "tape.objects": [],
    "tape.machine": ["tape.driver", "tape.objects", "tape.steps"],
    "tape.rules": ["optim", "tape.machine", "tape.outside"],
    "tape.replay": ["tape.lanes", "tape.machine", "tape.reference"],
    "tape.training": ["tape.lanes", "tape.rules", "train", "data"],
    "tape.recorded": ["tape.lower", "tape.outside", "tape.replay", "tape.trace", "tape.training"],
    "check": ["higher"],
    "pictures.formula": ["engine"],
    "pictures.palette": [],
    "pictures.render": [],
    "pictures.collapse": ["nn"],
    "pictures.source": ["pictures.formula", "pictures.palette", "pictures.render"],
    "pictures.draw": ["pictures.collapse", "pictures.source"],
    "pictures.explain": ["pictures.formula", "higher"],
    "page.recorder": ["pictures.formula", "optim"],
    "page.scene": ["pictures.draw", "page.recorder"],
    "page.page": ["page.scene", "samples", "data"],
    "health.look": ["optim", "pictures.formula", "samples", "nn"],
    "health.diagnosis": ["health.look"],
    "health.watch": ["data", "health.diagnosis"],
    "health": ["health.watch"],
    "conformance.cases": [],
    "conformance.functional": [],
    "conformance.adapter": [],
    "conformance.discover": ["conformance.adapter", "conformance.cases", "conformance.functional"],
    "conformance.run": ["conformance.adapter", "conformance.cases"],
    "conformance.expressions": ["conformance.run"],
    "conformance.report": ["conformance.run"],
    "conformance.serve": ["conformance.discover", "conformance.expressions"],
    "conformance.worker": ["conformance.serve"],
    "conformance.locate": ["conformance.discover"],
    "conformance.isolate": ["conformance.expressions"],
    "conformance.grade": ["conformance.isolate", "conformance.locate"],
    "conformance.__main__": ["conformance.grade", "conformance.report"],
    "conformance.notebook": ["conformance.discover", "conformance.expressions", "conformance.report", "pictures.draw"],
    "conformance": ["conformance.notebook"],
    "conformance.plugin": [],
    "conformance.conftest": ["conformance.isolate", "conformance.locate"],
    "conformance.test_conformance": ["conformance.report"],
    "pictures": [],
    "page": [],
}


def reach(name):
    """The files that ``name`` uses, directly or not."""
    return set(USES[name]).union(*map(reach, USES[name]))


def imported(tree):
    """The dotted names that a file imports, within functions too; ``from micrograd import ops`` is micrograd.ops."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            assert node.names[0].name != "*", "names are imported by name"
            yield node.module
            if node.module == "micrograd":
                yield from (f"micrograd.{alias.name}" for alias in node.names)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout


def test_importing_it_loads_nothing_heavy():
    code = "import sys; before = set(sys.modules); import micrograd; print(*set(sys.modules) - before)"
    roots = {name.partition(".")[0] for name in run(code).split()}
    assert "micrograd" in roots
    assert roots <= sys.stdlib_module_names | {"micrograd", "graphviz"}


def test_importing_it_prints_nothing_and_draws_no_random_number():
    assert run("import random; s = random.getstate(); import micrograd; print(s == random.getstate())") == "True\n"


def test_the_version_is_written_once():
    assert re.fullmatch(r"\d+\.\d+\.\d+", micrograd.__version__)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert setup["metadata"]["version"] == "attr: micrograd.__version__"


def test_the_package_and_the_readme_begin_with_the_same_files():
    reading = (ROOT / "README.md").read_text(encoding="utf-8").split("## Read the code")[1].split(":\n")[0]
    assert re.findall(r"`(\w+)\.py`", reading) == re.findall(r"``(\w+)`` ?[(,]", micrograd.__doc__.split("To read:")[1])


@pytest.mark.parametrize("name", micrograd.__all__)
def test_public_names_exist_and_are_documented(name):
    assert getattr(micrograd, name).__doc__


def undocumented(scope, path=""):
    for node in scope.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            if not ast.get_docstring(node) and not decorators & {"overload"}:
                yield path + node.name
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node, f"{path}{node.name}.")


@pytest.mark.parametrize("name", [name for name in MODULES if "." not in name])
def test_what_is_public_is_documented(name):
    assert list(undocumented(MODULES[name])) == []


@pytest.mark.parametrize("name", MODULES)
def test_every_file_says_what_it_is_for(name):
    assert ast.get_docstring(MODULES[name])


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {"__init__"}))
def test_imports_run_downward_only(name):
    ours = {module.removeprefix("micrograd.") for module in imported(MODULES[name])}
    assert ours & MODULES.keys() <= reach(name) | {name.split(".")[0]}


def test_the_core_knows_no_third_party():
    for name in ("graph", "ops", "engine", "higher", "nn", "losses", "optim", "data", "check"):
        roots = {module.partition(".")[0] for module in imported(MODULES[name])}
        assert roots <= sys.stdlib_module_names | {"micrograd"}, name


def test_type_information_and_templates_are_packaged():
    assert (PACKAGE / "py.typed").is_file()
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert setup["options"]["package_dir"].strip() == "= ."  # an import hook, the other way, is none for type checkers
    assert dict(setup["options.package_data"]) == {"micrograd": "py.typed", "micrograd.page": "template/*"}


@pytest.mark.parametrize(
    ("missing", "code", "packages"),
    [
        ("numpy", "jit(lambda x: w * x).map([1.0, 2.0])", "numpy"),
        ("jinja2", "step_through(w * w).html", "jinja2"),
    ],
)
def test_what_wants_more_packages_says_which(missing, code, packages):
    code = f"import sys; sys.modules[{missing!r}] = None; from micrograd import *; w = Value(2.0); {code}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert answer.stderr.rstrip().endswith(f"pip install {packages}")
