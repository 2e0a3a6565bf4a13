"""Each demo runs from start to end, in a quick setting, and leaves whole pictures."""

import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from micrograd.pictures.source import digits
from micrograd.train import History

DEMOS = Path(__file__).parent.parent / "demos"
PNG = b"\x89PNG\r\n\x1a\n"


def svg_texts(path):
    return {text.replace("\xa0", " ") for text in ElementTree.parse(path).getroot().itertext()}


def is_whole(path):
    """A PNG that ends where it should, whose image data unpacks to something else than one colour."""
    content = path.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    data, at = b"", 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        kind, at = content[at + 4 : at + 8], at + 12 + size
        data += content[at - 4 - size : at - 4] * (kind == b"IDAT")
    return content.startswith(PNG) and kind == b"IEND" and len(set(zlib.decompress(data))) > 9 and width > height / 2


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
    assert {"e", "s₁⁽²⁾", "x₁⁽²⁾", "w₂₁⁽¹⁾", "b₂⁽¹⁾", "dot", "tanh"} <= texts
    layers = {"layer 1", "16 units, 48 parameters", "layer 2", "16 units, 272 parameters", "x₁", "x₂"}
    assert layers <= svg_texts(out / "network.svg")


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


def test_expression(tmp_path):
    printed = run("expression.py", "-a", "0.75", "-b", "-1.25", "--out", str(tmp_path)).stdout
    assert "the sum over 3 paths" in printed
    pairs = re.findall(r"[ab].grad = (\S+) +by hand (\S+)", printed)
    assert len(pairs) == 2
    assert all(graph == by_hand for graph, by_hand in pairs)
    assert "central differences agree: True" in printed
    assert {"a", "b", "e", "tanh", "**2"} <= svg_texts(tmp_path / "expression.svg")
    assert "An expression" in (tmp_path / "expression.html").read_text(encoding="utf-8")


def test_lecture_equals_the_graph(tmp_path):
    printed = run("lecture.py", "--seed", "5", "--out", str(tmp_path)).stdout
    count, difference = re.search(r"(\d+) numbers compared; the largest difference is (\S+)", printed).groups()
    assert int(count) == 3 * (2 + 2 + 1) * 2 + (4 + 4 + 2)
    assert float(difference) <= 1e-15
    rows = re.findall(r"^ +([123]) +([12]) +\S+ +(\S+) +(\S+) +(\S+)$", printed, re.MULTILINE)
    assert len(rows) == 3 * 5
    assert all(lecture == graph for *_, lecture, graph in rows)
    assert len({graph for *_, graph in rows}) == len(rows)
    network, whole = (svg_texts(tmp_path / f"lecture_{name}.svg") for name in ("network", "graph"))
    for layer, unit, x, delta, _ in rows[:5]:  # the first sample, which is drawn, with δ and x as in the table
        x, delta = ([digits(float(text) + error) for error in (-5e-7, 0, 5e-7)] for text in (x, delta))
        assert any(f"δ {text}" in network and f"grad {text}" in whole for text in delta)
        # θ of the last layer follows the model: it has a box of its own.
        assert any(f"x {text}" in network or (layer == "3" and f"data {text}" in network) for text in x)
        indices = " ₁₂"[int(unit)] + f"⁽{' ¹²³'[int(layer)]}⁾"
        assert {f"s{indices}", f"x{indices}"} <= whole
    assert "x₁⁽³⁾" in network


def test_batch_sizes(tmp_path):
    printed = run("batch_sizes.py", "--epochs", "12", "--out", str(tmp_path)).stdout
    updates = {size: int(n) for size, n in re.findall(r"^B = (1|16|N = 96) +(\d+) updates", printed, re.MULTILINE)}
    assert updates == {"1": 96 * 12, "16": 6 * 12, "N = 96": 12}
    angles = [float(angle) for angle in re.findall(r"point within +(\S+)°", printed)]
    assert len(angles) == 8
    assert angles == sorted(angles, reverse=True)
    assert angles[-1] < 1e-4
    apart = dict(re.findall(r"^sum against mean, (.*): weights up to (\S+) apart$", printed, re.MULTILINE))
    assert float(apart.pop("SGD")) < 1e-12
    assert len(apart) == 3
    assert all(float(distance) > 1e-2 for distance in apart.values())
    assert is_whole(tmp_path / "batch_sizes.png")
    assert is_whole(tmp_path / "sum_and_mean.png")


def test_wrong_ways_do_harm(tmp_path):
    printed = run("wrong_ways.py", "--epochs", "25", "--out", str(tmp_path)).stdout
    rows = re.findall(r"^(\S.*?)  +(\S+)° +(\S+) +(\S+)$", printed, re.MULTILINE)
    numbers = {name: (float(angle), float(length), float(loss)) for name, angle, length, loss in rows}
    right = numbers.pop("the right way")
    assert right[:2] == (0, 1)
    assert all(loss > 1.05 * right[2] for _, _, loss in numbers.values())
    assert len(numbers) == 5
    off = {name for name, (angle, _, _) in numbers.items() if angle > 5}
    assert off == {"= for +=", "not in topological order", "mean δ times mean x"}
    assert numbers["no zero_grad"][1] == 3  # what was there from two batches, and the third
    assert numbers["p -= lr * p.grad"][:2] == (0, 1)
    assert is_whole(tmp_path / "wrong_ways.png")


def test_moons_says_what_a_wrong_option_is():
    answer = run("moons.py", "--batch-size", "0", check=False)
    assert answer.returncode == 2
    assert "whole number from 1, or all" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("demo", "options", "message"),
    [
        ("moons.py", ["--lr", "-1"], "a number above 0"),
        ("moons.py", ["--epochs", "0"], "a whole number from 1"),
        ("moons.py", ["--seed", "-1"], "a whole number from 0"),
        ("digits.py", ["--batch-size", "0"], "a whole number from 1"),
        ("names.py", ["--steps", "0"], "a whole number from 1"),
        ("batch_sizes.py", ["--epochs", "0"], "a whole number from 1"),
        ("wrong_ways.py", ["--epochs", "x"], "a whole number from 1"),
        ("expression.py", ["-a", "nan"], "expected a number, got 'nan'"),
        ("lecture.py", ["--out", f"{__file__}/out"], "no folder can be made there"),
    ],
)
def test_a_wrong_option_is_told_at_once(demo, options, message):
    answer = run(demo, *options, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_interrupted_training_says_so(monkeypatch, capsys):
    monkeypatch.syspath_prepend(DEMOS)
    from options import say_if_interrupted

    say_if_interrupted(History([0.5, 0.25]))
    assert capsys.readouterr().out == ""
    say_if_interrupted(History([0.5, 0.25], interrupted=True))
    assert capsys.readouterr().out.startswith("interrupted after 2 epochs")


def test_digits_reads(tmp_path):
    printed = run("digits.py", "--out", str(tmp_path)).stdout
    (accuracy,) = (float(word[:-1]) for word in printed.split() if word.endswith("%"))
    assert accuracy >= 96
    assert (tmp_path / "digits.png").read_bytes().startswith(PNG)


def test_names_learns(tmp_path):
    printed = run("names.py", "--steps", "60", "--batch-size", "4", "--out", str(tmp_path)).stdout
    assert printed.split("\n")[1] == "the first steps record tapes, one for each length of name"
    first, *_, last = (float(line.split("loss ")[1].split(":")[0]) for line in printed.split("\n") if "loss" in line)
    assert last < first - 0.5
    assert is_whole(tmp_path / "names.png")


def test_names_eager_and_replayed_are_the_same(tmp_path):
    command = ["names.py", "--steps", "1", "--batch-size", "1", "--out", str(tmp_path)]
    eager, replayed = (run(*command, *extra).stdout.split("loss")[1] for extra in ([], ["--eager"]))
    assert eager == replayed


def test_the_figures_on_the_pages_are_drawn_again(monkeypatch, tmp_path):
    for folder in (DEMOS, DEMOS.parent / "benchmarks"):
        monkeypatch.syspath_prepend(folder)
    import report

    texts = ("**14.9 µs**", "1.1 ms", "547 ms (35,016×)", "2.3 s", "3,304 kB")
    assert [report.number_in(text) for text in texts] == pytest.approx([14.9e-6, 1.1e-3, 0.547, 2.3, 3_304_000])
    results, samples, widths, memory = report.stored()
    assert len(results) >= 3
    assert all("ours, fit" in times for times in results.values())
    assert [x for x, _ in samples["ours, fit"]] == sorted(x for x, _ in samples["ours, fit"])
    assert len(samples["ours, node by node"]) < len(samples["ours, fit"])
    assert samples.keys() == widths.keys()
    assert memory.keys() == {"sample by sample", "one graph"}
    report.picture(tmp_path / "benchmarks.png", results, samples, widths, memory)
    assert is_whole(tmp_path / "benchmarks.png")
