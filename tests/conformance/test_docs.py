"""The teachers' page says what is so: what it shows is what is printed."""

import re
from pathlib import Path

import pytest
from wrong import RIGHT, source

from micrograd.conformance.__main__ import main
from micrograd.conformance.cases import CASES, LEVELS

DOCS = Path(__file__).parent.parent.parent / "docs"
TEACHERS = (DOCS / "teachers.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_teachers_page_has_the_levels():
    for level in LEVELS:
        assert f"| {level.number} | {level.title} |" in TEACHERS
    assert f"Besides {len(CASES)} fixed cases" in TEACHERS


def test_what_the_teachers_page_shows_of_one_student(tmp_path, capsys):
    (tmp_path / "my_engine.py").write_text(source("= in place of +="), encoding="utf-8")
    main([str(tmp_path / "my_engine.py"), "--only", "2.1"])
    assert blocks(TEACHERS, "text")[0] in capsys.readouterr().out


def test_what_the_teachers_page_shows_of_a_class(tmp_path, capsys):
    """Dora's loop takes its time, so hers is not run again."""
    folder, weights = tmp_path / "submissions", tmp_path / "weights.json"
    (folder / "carla").mkdir(parents=True)
    (folder / "anna.py").write_text(RIGHT, encoding="utf-8")
    (folder / "ben.py").write_text(source("= in place of +="), encoding="utf-8")
    (folder / "carla" / "engine.py").write_text(source("recursion"), encoding="utf-8")
    (folder / "emil.py").write_text("class Value:\n    def backward(self)\n", encoding="utf-8")
    weights.write_text(blocks(TEACHERS, "json")[0], encoding="utf-8")
    main([str(folder), "--level", "6", "--points", str(weights), "--jobs", "1"])
    printed = capsys.readouterr().out
    for line in blocks(TEACHERS, "text")[1].splitlines():
        assert line.startswith(("dora", "emil")) or line in printed
    assert "SyntaxError" in printed


@pytest.mark.parametrize("option", ["level", "points", "csv", "json", "python", "seconds", "memory", "seed", "list"])
def test_options_that_the_teachers_page_names_are_there(option, capsys):
    assert f"--{option}" in TEACHERS
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"--{option}" in capsys.readouterr().out
