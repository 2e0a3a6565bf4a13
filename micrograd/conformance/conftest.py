"""Fixtures of ``pytest --pyargs micrograd.conformance``: an engine is tried once, and each case is a test of it."""

import sys

import pytest

from micrograd.conformance.expressions import numbers
from micrograd.conformance.isolate import examine
from micrograd.conformance.locate import locate
from micrograd.conformance.run import NOT_OFFERED, SKIPPED, Report, Result


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        level = metafunc.config.getoption("--engine-level", default=9)
        metafunc.parametrize("number", numbers(level))
    if "level" in metafunc.fixturenames:
        metafunc.parametrize("level", range(1, metafunc.config.getoption("--engine-level", default=9) + 1))


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    """What came of the selected cases, all run in one go."""
    option = request.config.getoption
    root, spec = locate(option("--engine", default="micrograd:Value"))
    asked = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = [params["number"] for params in asked if "number" in params]
    if any("level" in params for params in asked):
        wanted = numbers(option("--engine-level", default=9))
    python = option("--engine-python", default=sys.executable)
    return examine(spec, wanted, root, python, option("--engine-seed", default=0))


@pytest.fixture
def result(number: str, report: Report) -> Result:
    """What came of one case; skips what is not offered."""
    found = next(result for result in report.results if result.number == number)
    if found.outcome in (NOT_OFFERED, SKIPPED):
        pytest.skip(f"{found.outcome}: {found.problem}")
    return found
