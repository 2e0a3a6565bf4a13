"""What people and programs read: a table by level, the failures, points, JSON, CSV."""

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from micrograd.conformance.cases import LEVELS, MEANING, VERSION, Case
from micrograd.conformance.run import HOLDS, NOT_OFFERED, NOT_RUN, SKIPPED, WRONG, Report, Result

SUITE = f"micrograd.conformance {VERSION}"
SHOWN = 10


def table(report: Report) -> str:
    """A line for each level: how many cases hold, how many do not, and whether it is passed."""
    lines = [f"{'level':<50} holds  wrong  not offered"]
    for standing in report.levels:
        title = LEVELS[standing.level - 1].title
        verdict = "passed" if standing.passed else "failed"
        if standing.missing:
            verdict += f": requires {requirement(standing.missing)}"
        counts = f"{standing.holds:>5}  {standing.wrong:>5}  {standing.not_offered:>11}"
        lines.append(f"{standing.level}  {title:<47} {counts}   {verdict}")
    return "\n".join(lines)


def requirement(missing: str) -> str:
    """What a level requires, in words."""
    names = [MEANING.get(name, name) for name in missing.split(" or ")]
    return " or ".join(names) if len(names) <= 3 else f"one of {', '.join(names)}"


def failures(report: Report) -> list[Result]:
    return [result for result in report.results if result.outcome in (WRONG, NOT_RUN)]


def as_text(report: Report, everything: bool = False, points: str = "") -> str:
    """The whole report for a terminal."""
    parts = [f"{SUITE}\nengine: {report.engine}"]
    if report.problem:
        parts.append(f"The engine could not be run: {report.problem}")
        parts.append("No level is passed.")
        return "\n\n".join(parts + [points] * bool(points))
    parts.append(table(report))
    failed = failures(report)
    shown = failed if everything else failed[:SHOWN]
    firsts = {result.level: result for result in reversed(shown)}
    parts += [failure(result, lesson=firsts[result.level] is result) for result in shown]
    if len(failed) > len(shown):
        rest = [f"{result.number:<9} {result.title}" for result in failed[len(shown) :]]
        parts.append("Also wrong (--all shows these in full):\n" + "\n".join(rest))
    absent = sorted(
        {MEANING.get(n, n) for r in report.results if r.outcome == NOT_OFFERED for n in r.problem.split(", ")}
    )
    if absent:
        parts.append(f"Not found in this engine, so not tried: {', '.join(absent)}.")
    if any(result.outcome == SKIPPED for result in report.results):
        parts.append("Random expressions were not tried: pip install hypothesis")
    parts.append(verdict(report))
    return "\n\n".join(parts + [points] * bool(points))


def failure(result: Result, lesson: bool = True) -> str:
    """One failure: its title, the example to paste, why it matters, and the lesson that explains it."""
    lines = [f"---- {result.number}  {result.title} ".ljust(100, "-")]
    if result.example:
        lines.append(result.example)
    elif result.problem:
        lines.append(f"# {result.problem}")
    lines.append("")
    if result.printed.strip():
        lines.append(f"The engine printed: {' '.join(result.printed.split())[:100]}")
    if result.why:
        lines.append(f"Why it matters: {result.why}")
    if result.known != Case.known:
        lines.append(f"How we know:    {result.known}.")
    if lesson:
        lines.append(f"To read:        {LEVELS[result.level - 1].lesson}")
    return "\n".join(lines)


def verdict(report: Report) -> str:
    """The last line: how far the engine comes, and where to begin."""
    failed = failures(report)
    levels = report.levels
    if report.holds:
        return f"All that is offered holds, in {len(levels)} level{'s' * (len(levels) != 1)}."
    stuck = next(standing for standing in levels if not standing.passed)
    reached = f"Passed up to level {report.reached}" if report.reached else "No level is passed"
    count = f"{len(failed)} of {_tried(report)} cases failed"
    first = next((result for result in failed if result.level == stuck.level), None)
    if first:
        return f"{reached}; {count}. Begin with {first.number}: {first.title}."
    return f"{reached}; {count}. Level {stuck.level} requires {requirement(stuck.missing)}."


def points(report: Report, weights: Mapping[str, float]) -> tuple[float, float]:
    """The points of an engine, and the most there are.

    Args:
        report: what came of the cases.
        weights: points for a level ("2") or a case ("2.1"). A level's are shared out among its cases that are offered;
            a level without what it requires gives none. A case that is not offered gives none.
    """
    got = 0.0
    by_number = {result.number: result for result in report.results}
    by_level = {str(standing.level): standing for standing in report.levels}
    for key, weight in weights.items():
        standing = by_level.get(key)
        if standing and not standing.missing and standing.holds:
            got += weight * standing.holds / (standing.holds + standing.wrong)
        elif key in by_number and by_number[key].outcome == HOLDS:
            got += weight
    return got, float(sum(weights.values()))


def read_weights(text: str, numbers: Sequence[str]) -> dict[str, float]:
    """Weights from JSON such as {"1": 10, "2.1": 5}. Raises ValueError for anything else."""
    try:
        weights = json.loads(text)
    except ValueError as error:
        raise ValueError(f'expected JSON such as {{"1": 10, "2.1": 5}}, got text that is not JSON ({error})') from None
    known = {*numbers, *(str(level.number) for level in LEVELS)}
    if not isinstance(weights, dict):
        raise ValueError(f'expected points such as {{"1": 10, "2.1": 5}}, got {type(weights).__name__}')
    for key, weight in weights.items():
        if key not in known:
            raise ValueError(f"expected a level or a case, got {key!r}; --list shows all")
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not weight >= 0:
            raise ValueError(f"points of {key} must be a number >= 0, got {weight!r}")
    return weights


def as_json(report: Report, weights: Mapping[str, float] | None = None) -> dict[str, Any]:
    """The whole report for programs."""
    record: dict[str, Any] = {
        "suite": VERSION,
        "engine": report.engine,
        "problem": report.problem,
        "holds": report.holds,
        "reached": report.reached,
        "levels": [{**vars(standing), "passed": standing.passed} for standing in report.levels],
        "names": report.names,
        "offers": report.offers,
        "results": [result.as_record() for result in report.results],
    }
    if weights is not None:
        record["points"], record["most_points"] = points(report, weights)
    return record


def write_csv(file: TextIO, reports: Mapping[str, Report], weights: Mapping[str, float] | None = None) -> None:
    """A row for each submission: how far it comes, cases that hold by level, what fails first, and points."""
    levels = [str(level.number) for level in LEVELS]
    head = ["submission", "suite", "passed_up_to_level", *(f"level_{level}" for level in levels)]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, *(["points", "most_points"] * (weights is not None)), "failed", "note"])
    for name, report in reports.items():
        held = {str(s.level): f"{s.holds}/{s.holds + s.wrong}" for s in report.levels}
        row = [_cell(name), VERSION, report.reached, *(held.get(level, "") for level in levels)]
        if weights is not None:
            row += [round(number, 2) for number in points(report, weights)]
        failed = "" if report.problem else " ".join(r.number for r in failures(report) if r.outcome != NOT_RUN)
        writer.writerow([*row, failed, _cell(note(report))])


def _cell(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def note(report: Report) -> str:
    """An engine in one line of a table."""
    failed = [result for result in failures(report) if result.outcome != NOT_RUN]
    if report.problem:
        return report.problem
    if any(result.outcome == NOT_RUN for result in failures(report)):
        return f"stopped: {failed[-1].problem}" if failed else "not run"
    if failed:
        return f"{len(failed)} of {_tried(report)} cases failed; begin with {failed[0].number}"
    return "all that is offered holds" if report.holds else verdict(report)


def _tried(report: Report) -> int:
    return sum(result.outcome not in (NOT_OFFERED, SKIPPED) for result in report.results)


def summary(reports: Mapping[str, Report], weights: Mapping[str, float] | None = None) -> str:
    """A line for each submission, and the cases that fail most often."""
    width = max([len(name) for name in reports] + [10])
    lines = [SUITE, "", f"{'submission':<{width}}  passed up to level{'  points' * (weights is not None)}"]
    for name, report in reports.items():
        mark = f"{points(report, weights)[0]:>8.1f}" if weights is not None else ""
        lines.append(f"{name:<{width}}  {report.reached:>18}{mark}  {note(report)}")
    runnable = [report for report in reports.values() if not report.problem]
    counts = Counter((r.number, r.title) for report in runnable for r in failures(report) if r.outcome != NOT_RUN)
    if counts:
        lines += ["", "Cases that fail most often:"]
        lines += [f"{n:>5} of {len(runnable)}  {number:<9} {title}" for (number, title), n in counts.most_common(8)]
    return "\n".join(lines)
