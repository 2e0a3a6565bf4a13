"""A folder of submissions, each graded in separate processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from micrograd.conformance.isolate import Limits, examine
from micrograd.conformance.locate import locate, submissions
from micrograd.conformance.run import Report


def grade(
    folder: str,
    wanted: Sequence[str],
    python: str,
    seed: int = 0,
    limits: Limits | None = None,
    jobs: int = 1,
    progress: Callable[[], Any] = lambda: None,
) -> dict[str, Report]:
    """A report for each Python file and each folder in ``folder``, by name; see ``isolate.examine``.

    Args:
        folder: of submissions.
        wanted, python, seed, limits: as for ``examine``.
        jobs: how many submissions run at a time.
        progress: called after each submission.

    Raises ValueError where there are no submissions.
    """

    def one(path: Path) -> Report:
        try:
            root, spec = locate(str(path))
            report = examine(spec, wanted, root, python, seed, limits)
        except (ValueError, OSError) as error:
            report = Report(path.name, str(error))
        progress()
        return report

    found = submissions(Path(folder))
    if not found:
        raise ValueError(f"expected Python files or folders in {folder}, got none")
    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip([path.name for path in found], pool.map(one, found)))
