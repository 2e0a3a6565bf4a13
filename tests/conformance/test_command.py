"""``python -m micrograd.conformance``: what it prints, its exit status, points, JSON, and the same as pytest tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from wrong import RIGHT, source

from micrograd.conformance import VERSION
from micrograd.conformance.__main__ import main
from micrograd.conformance.locate import locate
from micrograd.conformance.report import points, read_weights
from micrograd.conformance.run import HOLDS, NOT_OFFERED, WRONG, Report, Result

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def right(tmp_path):
    path = tmp_path / "right_engine.py"
    path.write_text(RIGHT, encoding="utf-8")
    return str(path)


@pytest.fixture
def wrong(tmp_path):
    path = tmp_path / "wrong_engine.py"
    path.write_text(source("= in place of +="), encoding="utf-8")
    return str(path)


def test_a_right_engine_exits_with_0_and_says_so(right, capsys):
    assert main([right, "--level", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"micrograd.conformance {VERSION}\nengine: right_engine:Value\n")
    assert printed.endswith("\n\nAll that is offered holds, in 1 level.\n")


def test_a_wrong_engine_exits_with_1_and_shows_the_failure(wrong, capsys):
    assert main([wrong, "--only", "2.1", "--only", "1.2"]) == 1
    printed = capsys.readouterr().out
    assert (
        "from wrong_engine import Value\na = Value(3.0)\ny = a * a\ny.backward()\n"
        "print(a.grad)  # expected 6 = 3 + 3, got 3\n" in printed
    )
    assert "Why it matters: Gradients of several uses add up" in printed
    assert "To read:        micrograd, demos/expression.py" in printed
    assert printed.endswith(
        "Passed up to level 1; 1 of 2 cases failed. Begin with 2.1: A value used twice gets both shares.\n"
    )


def test_after_ten_failures_the_rest_is_a_list(wrong, capsys):
    main([wrong, "--level", "5"])
    few = capsys.readouterr().out
    main([wrong, "--level", "5", "--all"])
    every = capsys.readouterr().out
    assert few.count("Why it matters") == 10
    assert "Also wrong (--all shows these in full)" in few
    assert every.count("Why it matters") > 10
    assert "Also wrong" not in every


def test_json_has_all_and_nothing_else_is_printed(wrong, capsys):
    assert main([wrong, "--only", "2.1", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert (record["suite"], record["engine"], record["holds"], record["reached"]) == (
        VERSION,
        "wrong_engine:Value",
        False,
        0,
    )
    [result] = record["results"]
    assert result["outcome"] == "wrong"
    assert result["findings"] == [{"what": "a.grad", "right": "6 = 3 + 3", "got": "3"}]


def test_points(right, tmp_path, capsys):
    weights = tmp_path / "weights.json"
    weights.write_text('{"1": 4, "2.1": 1.5}', encoding="utf-8")
    command = [right, "--only", "1", "--only", "2.1", "--points", str(weights)]
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("\n\nPoints: 5.5 of 5.5\n")
    assert main([*command, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["points"], record["most_points"]) == (5.5, 5.5)


def test_where_greek_cannot_be_written_it_is_escaped():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "micrograd.conformance", "--list"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"the lecture's \u03b4" in done.stdout


def test_a_row_for_one_engine(right, tmp_path, capsys):
    table = tmp_path / "one.csv"
    assert main([right, "--only", "1", "--csv", str(table)]) == 0
    head, row = table.read_text(encoding="utf-8").splitlines()
    assert head.startswith("submission,suite,passed_up_to_level,level_1")
    assert row.startswith(f"{right},{VERSION},1,9/9,")
    assert "All that is offered holds" in capsys.readouterr().out


def test_the_list_has_every_case_once(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"micrograd.conformance {VERSION}"
    numbers = [line.split()[0] for line in lines if line.startswith("   ")]
    assert len(numbers) == len(set(numbers)) == 113


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected an engine, such as my_engine:Value, got none"),
        (["x:Value", "--only", "77"], "expected a case or a level, such as '2.1' or '2', got '77'; --list shows all"),
        (["x:Value", "--only", "1", "--only", "9.9"], "expected a case or a level, such as '2.1' or '2', got '9.9'"),
        (["x:Value", "--seconds", "0"], "expected a number above 0, got 0"),
        (["x:Value", "--seconds", "long"], "expected a number above 0, got long"),
        (["x:Value", "--memory", "-1"], "expected a whole number >= 1, got -1"),
        (["x:Value", "--jobs", "1.5"], "expected a whole number >= 1, got 1.5"),
        (["{tmp}/engine.ipynb"], "expected a Python file, such as my_engine.py, got "),
        (["no_such_file.py"], "expected a file, got no_such_file.py, which does not exist"),
        (["x:Value", "--points", "{tmp}/no.json"], "no.json"),
        (["x:Value", "--level", "10"], "invalid choice"),
        (["{tmp}"], "expected Python files or folders in"),
    ],
)
def test_a_wrong_command_exits_with_2(arguments, message, tmp_path, capsys):
    (tmp_path / "engine.ipynb").touch()
    with pytest.raises(SystemExit) as exit_:
        main([argument.format(tmp=tmp_path) for argument in arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("points", "got text that is not JSON"),
        ("[1]", "got list"),
        ('{"10": 1}', "expected a level or a case, got '10'"),
        ('{"1": -1}', "points of 1 must be a number >= 0, got -1"),
        ('{"1": "two"}', "got 'two'"),
        ('{"1": true}', "got True"),
    ],
)
def test_wrong_weights(text, message):
    with pytest.raises(ValueError, match=message):
        read_weights(text, ["1.1"])


def test_points_of_a_level_are_shared_among_the_cases_that_are_offered():
    results = [
        Result("1.1", outcome=HOLDS),
        Result("1.2", outcome=WRONG),
        Result("3.1", outcome=NOT_OFFERED),
        Result("4.1", outcome=HOLDS),
    ]
    report = Report("x", offers=[], results=results)
    assert points(report, {"1": 10, "1.1": 1, "1.2": 1, "3": 5, "3.1": 2, "4": 8}) == (6.0, 27.0)
    assert points(Report("x", offers=["exp"], results=results), {"4": 8}) == (8.0, 8.0)


def test_where_an_engine_is(tmp_path):
    assert locate("my_engine:Value") == ("", "my_engine:Value")
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "helpers.py").write_text("class Other:\n    pass\n", encoding="utf-8")
    (package / "core.py").write_text(RIGHT, encoding="utf-8")
    assert locate(str(package)) == (str(tmp_path), "package.core:Value")
    assert locate(str(package / "core.py")) == (str(tmp_path), "package.core")
    assert locate(f"{package / 'core.py'}:Value") == (str(tmp_path), "package.core:Value")


def test_the_engine_of_another_interpreter(right):
    """It needs neither our package nor anything else installed: -I -S would be such an interpreter."""
    command = [sys.executable, "-m", "micrograd.conformance", right, "--python", sys.executable, "--only", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def pytest_run(*arguments):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--pyargs",
        "micrograd.conformance",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments],
        cwd=Path(arguments[1]).parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_the_same_cases_as_tests(wrong):
    printed = pytest_run("--engine", wrong, "-q", "-k", "2.1 or 1.2 or 9.6")
    assert "1 failed, 1 passed, 1 skipped" in printed
    assert "print(a.grad)  # expected 6 = 3 + 3, got 3" in printed


def test_levels_as_tests(right):
    assert "2 passed" in pytest_run("--engine", right, "--engine-level", "2", "-q", "-k", "level_has")
