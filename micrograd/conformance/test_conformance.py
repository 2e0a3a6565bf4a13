"""The cases as tests: ``pytest --pyargs micrograd.conformance --engine my_engine:Value``."""

import pytest

from micrograd.conformance.report import failure
from micrograd.conformance.run import HOLDS, Report, Result


def test_case(result: Result) -> None:
    if result.outcome != HOLDS:
        pytest.fail(failure(result), pytrace=False)


def test_level_has_what_it_requires(level: int, report: Report) -> None:
    standing = next(standing for standing in report.levels if standing.level == level)
    if standing.missing:
        pytest.fail(f"level {level} requires {standing.missing}; the engine offers none", pytrace=False)
