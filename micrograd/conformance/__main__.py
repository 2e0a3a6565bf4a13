"""``python -m micrograd.conformance my_engine:Value``: what an engine gets right, level by level."""

import argparse
import io
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from micrograd.conformance.cases import CASES, LEVELS, VERSION
from micrograd.conformance.expressions import TITLES, numbers
from micrograd.conformance.grade import grade
from micrograd.conformance.isolate import Limits, examine
from micrograd.conformance.locate import locate, submissions
from micrograd.conformance.report import as_json, as_text, points, read_weights, summary, write_csv
from micrograd.conformance.run import Report

EPILOG = """\
engines:
  my_engine:Value         class Value in my_engine.py, or in an installed package
  path/to/engine.py       a file; the class is found
  autograd:grad           a function that makes a function's gradient
  my_names:names          a dictionary that says what the engine calls things
  submissions/            a folder: each Python file and each folder in it is graded

Each engine runs in a separate process, with limits of time and memory. So an endless loop or a crash does no harm.
This is not a sandbox against malice: run strangers' code in a container.

The exit status is 0 if all that is offered holds, 1 if not, 2 if the command is wrong.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # where δ and − cannot be written
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        print(listing())
        return 0
    if not options.engine:
        parser.error("expected an engine, such as my_engine:Value, got none")
    try:
        wanted = numbers(options.level, options.only)
        weights = _weights(options.points)
        if Path(options.engine).is_dir() and not _is_one_engine(Path(options.engine)):
            return _grade(options, wanted, weights)
        return _examine(options, wanted, weights)
    except BrokenPipeError:  # as by `| head`
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # Python flushes it at the end
        return 1
    except (OSError, ValueError) as error:
        parser.error(str(error))


def listing() -> str:
    """All cases, by level."""
    lines = [f"micrograd.conformance {VERSION}"]
    for level in LEVELS:
        lines += ["", f"{level.number}  {level.title}"]
        lines += [f"   {case.number:<9} {case.title}" for case in CASES if case.level is level]
        lines += [f"   {number:<9} {title}" for number, title in TITLES.items() if number[0] == str(level.number)]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m micrograd.conformance",
        description="What a scalar autodiff engine gets right, by level, and the smallest example of what is wrong.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("engine", nargs="?", help="module:class, a file, or a folder of submissions")
    add("--version", action="version", version=f"micrograd.conformance {VERSION}")
    add("--list", action="store_true", help="list all cases")
    add("--level", type=int, default=len(LEVELS), choices=range(1, len(LEVELS) + 1), help="levels 1 to this")
    add(
        "--only",
        action="append",
        default=[],
        metavar="CASE",
        help="a case (2.1) or a level (2); may come several times",
    )
    add("--all", action="store_true", help="show all failures in full, not the first ten")
    add("--seed", type=int, default=0, help="of the random expressions")
    add("--python", default=sys.executable, help="the interpreter for the engine, such as its VENV/bin/python")
    add("--points", metavar="FILE", help='JSON with points for levels or cases: {"1": 10, "2.1": 5}')
    add("--json", action="store_true", help="print all as JSON instead")
    add("--csv", metavar="FILE", help="write a row for each submission")
    add("--seconds", type=_positive, default=Limits.seconds, help="of computing, for each case (30)")
    add("--memory", type=_count, default=Limits.memory // 2**20, help="in MiB, where the system can limit it (2048)")
    add("--jobs", type=_count, default=os.cpu_count() or 1, help="of a folder: submissions at a time (as many as CPUs)")
    return parser


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number >= 1, got {text}")
    return int(text)


def _weights(file: str | None) -> dict[str, float] | None:
    return None if file is None else read_weights(Path(file).read_text(encoding="utf-8"), numbers())


def _is_one_engine(folder: Path) -> bool:
    """Whether a folder is a package, not a folder of submissions."""
    return (folder / "__init__.py").exists()


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(options.seconds, memory=options.memory * 2**20)


def _examine(options: argparse.Namespace, wanted: list[str], weights: dict[str, float] | None) -> int:
    root, spec = locate(options.engine)
    with _Bar(len(wanted), "case") as tick:
        report = examine(spec, wanted, root, options.python, options.seed, _limits(options), tick)
    _write_csv(options.csv, {options.engine: report}, weights)
    if options.json:
        print(json.dumps(as_json(report, weights), indent=1))
    else:
        line = "" if weights is None else "Points: {:g} of {:g}".format(*points(report, weights))
        print(as_text(report, options.all, line))
    return 0 if report.holds else 1


def _grade(options: argparse.Namespace, wanted: list[str], weights: dict[str, float] | None) -> int:
    with _Bar(len(submissions(Path(options.engine))), "submission") as tick:
        reports = grade(options.engine, wanted, options.python, options.seed, _limits(options), options.jobs, tick)
    _write_csv(options.csv, reports, weights)
    if options.json:
        print(json.dumps({name: as_json(report, weights) for name, report in reports.items()}, indent=1))
    else:
        print(summary(reports, weights))
    return 0 if all(report.holds for report in reports.values()) else 1


def _write_csv(path: str | None, reports: dict[str, Report], weights: dict[str, float] | None) -> None:
    if path is not None:
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            write_csv(file, reports, weights)


class _Bar:
    """A progress bar where tqdm is installed and somebody looks; else nothing."""

    def __init__(self, total: int, unit: str) -> None:
        self.bar: Any = None
        if not sys.stderr.isatty():
            return
        try:
            from tqdm import tqdm  # noqa: PLC0415  # it comes with an extra
        except ImportError:
            return
        self.bar = tqdm(total=total, unit=unit, leave=False)

    def __enter__(self) -> Callable[[], Any]:
        return self.bar.update if self.bar else lambda: None

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.close()


if __name__ == "__main__":
    sys.exit(main())
