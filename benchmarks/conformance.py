"""Which public engines hold what: writes ``conformance.md``, with every engine installed from PyPI on its own.

python benchmarks/conformance.py             # about ten minutes; needs the network
python benchmarks/conformance.py propgrad    # one of them, printed
"""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from micrograd.conformance import VERSION
from micrograd.conformance.cases import CASES, LEVELS, find
from micrograd.conformance.isolate import examine
from micrograd.conformance.report import as_text, failures, requirement
from micrograd.conformance.run import NOT_OFFERED, Report

# What is installed, and where the engine is in it.
ENGINES = {
    "micrograd==0.1.0": "micrograd.engine:Value",
    "autograd==1.9.1": "autograd:grad",
    "backprop-lib==0.1.0": "backprop.engine:Value",
    "bitgrad==0.1.2": "bitgrad.engine:Value",
    "coregrad==0.1.0": "coregrad.engine:Scalar",
    "deep-autograd==0.0.2": "deep_autograd.engine:Value",
    "delgrada==0.1.2": "delgrada.scalar:Scalar",
    "femtograd==0.0.5": "femtograd.femtograd:value",
    "grad-mlp==0.1.1": "micrograd.engine:Value",
    "gradflow-kit==0.1.3": "micrograd.node:Node",
    "kaitorch==0.1.0": "kaitorch.core:Scalar",
    "learngrad==0.2.1": "learngrad.engine:Value",
    "lilgrad==0.6.0": "micrograd.engine:Value",
    "micrograd-andrews==0.1.8": "micrograd_andrews.engine:Value",
    "micrograd-ds==0.1.1": "micrograd.engine:Value",
    "micrograd-viz==0.2.0": "micrograd.engine:Value",
    "omnigrad==0.2.3": "omnigrad.diffengine:Value",
    "propgrad==0.1.1": "propgrad.engine:Value",
    "scalargrad==1.0.5": "scalargrad.core:Scalar",
    "tinymlp==0.1.0": "tinymlp.core.value:Value",
    "tonygrad==2.0.0": "tonygrad.engine:Value",
}
UNLISTED = {  # imported, but not required by them
    "bitgrad": ["numpy"],
    "coregrad": ["numpy"],
    "learngrad": ["numpy"],
    "micrograd-andrews": ["graphviz"],
}
FIXED = [case.number for case in CASES]
OURS = "this package"
PAGE = Path(__file__).with_suffix(".md")


def main(names: list[str]) -> None:
    reports = {}
    with tempfile.TemporaryDirectory() as folder:
        for package, spec in ENGINES.items():
            name = package.partition("==")[0]
            if names and name not in names:
                continue
            python = install(package, Path(folder) / "environments" / name)
            reports[package.replace("==", " ")] = examine(spec, FIXED, folder, python)
            print(package, flush=True)
    for report in reports.values() if names else ():
        print(as_text(report))
    if not names:
        reports = {OURS: examine("micrograd:Value", FIXED, str(Path(__file__).parent.parent)), **reports}
        PAGE.write_text(page(reports), encoding="utf-8")


def install(package: str, folder: Path) -> str:
    """A fresh environment with one package in it; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    more = UNLISTED.get(package.partition("==")[0], [])
    subprocess.run([python, "-m", "pip", "install", "--quiet", package, *more], check=True)
    return python


def page(reports: dict[str, Report]) -> str:
    return "\n".join([*_head(), *_board(reports), *_levels(), *_most(reports), *_each(reports)]) + "\n"


def _head() -> list[str]:
    return [
        "# Which engines hold what",
        "",
        f"The {len(FIXED)} fixed cases of `micrograd.conformance` {VERSION}, CPython {sys.version.split()[0]}, by",
        "`python benchmarks/conformance.py`. Engines are from PyPI, each in a fresh environment. A cell has the cases",
        "that hold, of those that are offered; **bold** is a level passed, – one whose requirement is not offered.",
    ]


def _board(reports: dict[str, Report]) -> list[str]:
    lines = ["", "| engine |" + "".join(f" {level.number} |" for level in LEVELS), "|---|" + "---|" * len(LEVELS)]
    for name, report in reports.items():
        cells = ["could not be run"] if report.problem else [cell(standing) for standing in report.levels]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _levels() -> list[str]:
    lines = ["", "| level | what it is about | cases |", "|---|---|---|"]
    return lines + [f"| {v.number} | {v.title} | {sum(case.level is v for case in CASES)} |" for v in LEVELS]


def _most(reports: dict[str, Report]) -> list[str]:
    """The cases that most engines fail, of those that could be run."""
    others = [report for name, report in reports.items() if name != OURS and not report.problem]
    tried = Counter(result.number for report in others for result in report.results if result.outcome != NOT_OFFERED)
    failed = Counter(result.number for report in others for result in failures(report))
    lines = ["", f"What most of the {len(others)} engines from PyPI fail:", ""]
    lines += ["| case | fails in | of | |", "|---|---|---|---|"]
    return lines + [f"| {n} | {count} | {tried[n]} | {find(n).title} |" for n, count in failed.most_common(16)]


def _each(reports: dict[str, Report]) -> list[str]:
    lines = ["", "What each fails:", ""]
    for name, report in reports.items():
        numbers = "" if report.problem else " ".join(result.number for result in failures(report))
        missing = [f"level {s.level} requires {requirement(s.missing)}" for s in report.levels if s.missing]
        told = [report.problem] if report.problem else [numbers, *missing]
        lines.append(f"- {name}: {'; '.join(filter(None, told)) or 'nothing'}")
    return lines


def cell(standing) -> str:
    if standing.missing and not standing.wrong:
        return "–"
    text = f"{standing.holds}/{standing.holds + standing.wrong}"
    return f"**{text}**" if standing.passed else text


if __name__ == "__main__":
    main(sys.argv[1:])
