"""Options of ``pytest --pyargs micrograd.conformance``: which engine, which cases.

Pytest finds this file by the package's entry point, before any test. In a run of other tests it does nothing.
"""

import sys
from typing import Any

import pytest


def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> None:
    if any(str(argument).partition("::")[0] == "micrograd.conformance" for argument in args):
        _add_options(parser.getgroup("conformance of a scalar autodiff engine"))


def _add_options(group: Any) -> None:
    group.addoption("--engine", default="micrograd:Value", help="module:class, or a file; ours if not given")
    group.addoption("--engine-python", default=sys.executable, help="the interpreter for the engine")
    group.addoption("--engine-level", type=int, default=9, help="levels 1 to this")
    group.addoption("--engine-seed", type=int, default=0, help="of the random expressions")
