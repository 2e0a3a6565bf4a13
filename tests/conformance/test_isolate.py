"""Hostile submissions: each gets a grade in bounded time, and the others are unharmed."""

import csv
import sys
import time

import pytest
from wrong import ENGINES, RIGHT

from micrograd.conformance import run
from micrograd.conformance.__main__ import main
from micrograd.conformance.isolate import Limits, examine
from micrograd.conformance.run import HOLDS, NOT_RUN

CASES = ["1.1", "1.2", "2.1"]
STOPPED = "and was stopped"  # by the count of its computing, or on a busy machine by the clock
LIMITS = Limits(seconds=1.0, import_seconds=5.0, memory=2**30)


def backward(lines):
    """The right engine with other lines in place of its backward()."""
    head, tail = RIGHT.split("        order = sort(self)\n")
    return head + lines + tail[tail.index("\n\ndef as_value") :]


HOSTILE = {
    "endless_loop": (backward("        while True:\n            pass\n"), STOPPED),
    "endless_import": ("while True:\n    pass\n", "at import"),
    "ten_gigabytes": (backward("        self.kept = [0] * 1_250_000_000\n"), "MemoryError"),
    "exit": (backward("        import os\n        os._exit(0)\n"), "the interpreter ended, with exit status 0"),
    "polite_exit": (backward("        raise SystemExit\n"), "SystemExit"),
    "exit_at_import": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "deep_recursion": (backward("        self.backward()\n"), "RecursionError"),
    "segmentation_fault": (
        backward("        import ctypes\n        ctypes.string_at(0)\n"),
        "the interpreter crashed: segmentation fault",
    ),
    "flood": (backward("        while True:\n            print('flood' * 1000)\n"), STOPPED),
    "flood_below_python": (
        backward("        import os\n        while True:\n            os.write(1, b'flood' * 1000)\n"),
        STOPPED,
    ),
    "import_error": (
        "import no_such_module_here\n\n\nclass Value:\n    def backward(self):\n        pass\n",
        "ModuleNotFoundError",
    ),
    "syntax_error": ("class Value:\n    def backward(self)\n", "SyntaxError"),
    "returns_itself": (
        "class Value:\n    def __new__(cls, *_):\n        return cls\n\n    def __add__(self, _):\n        return self\n\n"
        "    def backward(self):\n        pass\n",
        "expected Value(3.0) to keep its number",
    ),
    "equals_everything": (
        RIGHT.replace(
            "class Value:\n",
            "class Value:\n    def __eq__(self, other):\n        return True\n\n"
            "    def __hash__(self):\n        return 1\n\n",
        ).replace("self.grad = 0.0", "self.grad = Value"),
        "",
    ),
    "takes_every_name": (
        "class Value:\n    def __init__(self, *_):\n        pass\n\n    def __getattr__(self, name):\n        return self\n\n"
        "    def backward(self):\n        pass\n",
        "",
    ),
    "children": (
        backward(
            "        import subprocess, sys\n        subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n"
            "        while True:\n            pass\n"
        ),
        STOPPED,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_gets_a_grade_in_bounded_time(name, tmp_path):
    text, problem = HOSTILE[name]
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    report = examine(name if name == "syntax_error" else f"{name}:Value", CASES, str(tmp_path), limits=LIMITS)
    assert len(report.results) == len(CASES)
    assert not report.holds
    wrong = [result for result in report.results if result.outcome == run.WRONG]
    assert wrong
    assert problem in report.problem or any(problem in result.problem for result in wrong)


def test_a_case_that_is_stopped_does_not_stop_the_next(tmp_path):
    """1.1 never goes backward; 1.2 and 2.1 are stopped, each in its turn, and show their code."""
    (tmp_path / "slow.py").write_text(HOSTILE["endless_loop"][0], encoding="utf-8")
    report = examine("slow:Value", CASES, str(tmp_path), limits=LIMITS)
    assert [result.outcome for result in report.results] == [HOLDS, run.WRONG, run.WRONG]
    assert report.results[1].example.startswith("from slow import Value\na = Value(2.0)")
    assert report.results[1].example.rpartition("\n# it ")[2].endswith(STOPPED)


def test_an_engine_that_is_stopped_three_times_is_not_tried_further(tmp_path):
    (tmp_path / "crash.py").write_text(HOSTILE["exit"][0], encoding="utf-8")
    report = examine("crash:Value", ["1.2", "1.3", "1.4", "1.5", "1.6"], str(tmp_path), limits=LIMITS)
    assert [result.outcome for result in report.results] == [run.WRONG] * 3 + [NOT_RUN] * 2
    assert not report.levels[0].passed


def test_a_folder_is_graded_and_the_hostile_harm_nobody(tmp_path, capsys):
    folder = tmp_path / "submissions"
    folder.mkdir()
    for name in ("exit", "segmentation_fault", "syntax_error", "flood"):
        (folder / f"{name}.py").write_text(HOSTILE[name][0], encoding="utf-8")
    (folder / "anna-right").mkdir()
    (folder / "anna-right" / "closures.py").write_text(RIGHT, encoding="utf-8")
    (folder / "berta").mkdir()
    (folder / "berta" / "micrograd").mkdir()
    (folder / "berta" / "micrograd" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "berta" / "micrograd" / "engine.py").write_text(RIGHT, encoding="utf-8")
    (folder / "random.py").write_text(RIGHT, encoding="utf-8")
    (folder / "empty").mkdir()
    (folder / "points.txt").write_text("not a submission", encoding="utf-8")
    weights = tmp_path / "weights.json"
    weights.write_text('{"1": 8, "2.1": 2}', encoding="utf-8")
    table = tmp_path / "grades.csv"
    arguments = ["--only", "1", "--only", "2.1", "--csv", str(table), "--points", str(weights), "--seconds", "1"]
    assert main([str(folder), *arguments, "--jobs", "2"]) == 1
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    assert list(rows) == sorted(rows)
    assert rows.keys() == {
        "anna-right",
        "berta",
        "empty",
        "exit.py",
        "flood.py",
        "random.py",
        "segmentation_fault.py",
        "syntax_error.py",
    }
    assert [rows[name]["points"] for name in ("anna-right", "berta", "syntax_error.py", "empty")] == [
        "10.0",
        "10.0",
        "0.0",
        "0.0",
    ]
    assert rows["exit.py"]["failed"].startswith("1.2 1.3 1.4")
    assert "SyntaxError" in rows["syntax_error.py"]["note"]
    assert "another module named random" in rows["random.py"]["note"]
    assert "expected a class with a backward()" in rows["empty"]["note"]
    assert "Cases that fail most often" in capsys.readouterr().out


def test_an_engine_whose_package_is_called_micrograd_is_tried_as_such(tmp_path):
    (tmp_path / "micrograd").mkdir()
    (tmp_path / "micrograd" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "micrograd" / "engine.py").write_text(RIGHT.replace("(g, -g)", "(g, g)"), encoding="utf-8")
    report = examine("micrograd.engine:Value", ["1.2", "1.4", "2.random"], str(tmp_path))
    assert [result.outcome for result in report.results] == [HOLDS, run.WRONG, run.WRONG]
    assert report.results[1].example.startswith("from micrograd.engine import Value\n")


def test_an_interpreter_that_is_none_says_so(tmp_path):
    with pytest.raises(OSError, match="no_python_here"):
        examine("x:Value", CASES, str(tmp_path), python=str(tmp_path / "no_python_here"))
    report = examine("x:Value", CASES, str(tmp_path), python="/bin/false")
    assert "the suite did not start" in report.problem


@pytest.mark.skipif(sys.platform == "win32", reason="a link to an interpreter takes rights there")
def test_another_interpreter_does_not_search_our_path(tmp_path, monkeypatch):
    """Else an engine that is installed there as micrograd would be hidden by ours."""
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    (ours / "on_our_path.py").write_text(RIGHT, encoding="utf-8")
    (other / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(ours))
    assert not examine("on_our_path:Value", ["1.2"], str(other)).problem
    report = examine("on_our_path:Value", ["1.2"], str(other), python=str(other / "python"))
    assert report.problem.startswith("expected a file or an installed package, got on_our_path, which is neither")


def test_what_an_engine_prints_is_kept_in_part(tmp_path):
    (tmp_path / "chatty.py").write_text(backward("        print('hello' * 10_000)\n"), encoding="utf-8")
    [result] = examine("chatty:Value", ["1.2"], str(tmp_path)).results
    assert result.printed == ("hello" * 10_000)[:300]


@pytest.mark.skipif(sys.platform == "win32", reason="processes have no groups there")
def test_what_a_submission_started_ends_with_it(tmp_path):
    """The child would write its file after a second."""
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(1); pathlib.Path({str(mark)!r}).touch()"
    text = backward(f"        import subprocess, sys\n        subprocess.Popen([sys.executable, '-c', {child!r}])\n")
    (tmp_path / "parent.py").write_text(text, encoding="utf-8")
    examine("parent:Value", ["1.2"], str(tmp_path))
    time.sleep(1.5)
    assert not mark.exists()


def test_right_engines_are_found_in_their_files():
    for path in sorted(ENGINES.glob("*.py")):
        assert main([str(path), "--only", "1.2"]) == 0
