"""Each demo runs from start to end, in a quick setting, and leaves whole pictures."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

DEMOS = Path(__file__).parent.parent / "demos"
PNG = b"\x89PNG\r\n\x1a\n"


def run(demo, *options, check=True):
    command = [sys.executable, "-W", "error", str(DEMOS / demo), *options]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=check)


@pytest.fixture(scope="module")
def moons(tmp_path_factory):
    """The main job as the README runs it: what it printed, and where its pictures are."""
    out = tmp_path_factory.mktemp("moons") / "new" / "folder"
    return run("moons.py", "--out", str(out)), out


def test_moons_learns(moons):
    printed = moons[0].stdout
    training, held_out = (float(word[:-1]) for word in printed.split() if word.endswith("%"))
    assert training >= 99
    assert held_out >= 96


def test_moons_is_silent_on_stderr_where_that_is_no_terminal(moons):
    assert moons[0].stderr == ""


def test_moons_draws(moons):
    _, out = moons
    assert (out / "moons.png").read_bytes().startswith(PNG)
    texts = set(ElementTree.parse(out / "one_sample.svg").getroot().itertext())
    assert {"e", "s1 layer 2", "w21 layer 1", "dot", "tanh"} <= texts


@pytest.mark.parametrize("options", [["--batch-size", "all"], ["--batch-size", "1"], ["--reduction", "sum"]])
def test_moons_options(options, tmp_path):
    printed = run("moons.py", *options, "--epochs", "2", "--seed", "3", "--out", str(tmp_path)).stdout
    assert "accuracy" in printed


def test_sum_and_mean_are_the_same_training(tmp_path):
    """The learning rate absorbs the factor: the default rates give the same accuracies, batch by full batch."""
    lines = [
        run("moons.py", "--batch-size", "20", "--epochs", "5", "--reduction", r, "--out", str(tmp_path)).stdout.split(
            "\n"
        )[1]
        for r in ("sum", "mean")
    ]
    assert lines[0] == lines[1]


def test_moons_says_what_a_wrong_option_is():
    answer = run("moons.py", "--batch-size", "0", check=False)
    assert answer.returncode == 2
    assert "whole number from 1, or all" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_digits_reads(tmp_path):
    printed = run("digits.py", "--out", str(tmp_path)).stdout
    (accuracy,) = (float(word[:-1]) for word in printed.split() if word.endswith("%"))
    assert accuracy >= 96
    assert (tmp_path / "digits.png").read_bytes().startswith(PNG)


def test_names_learns():
    printed = run("names.py", "--steps", "60", "--batch-size", "4").stdout
    first, *_, last = (float(line.split("loss ")[1].split(":")[0]) for line in printed.split("\n") if "loss" in line)
    assert last < first - 0.5


def test_names_eager_and_replayed_are_the_same():
    command = ["names.py", "--steps", "1", "--batch-size", "1"]
    eager, replayed = (run(*command, *extra).stdout.split("loss")[1] for extra in ([], ["--eager"]))
    assert eager == replayed
