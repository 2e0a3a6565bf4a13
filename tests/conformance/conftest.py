"""Engines from text, imported in this process and forgotten afterwards."""

import importlib
import sys

import pytest

from micrograd.conformance.discover import load


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Writes an engine's file, imports it, and returns its adapter."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text, spec="written_engine:Value"):
        sys.modules.pop("written_engine", None)
        (tmp_path / "written_engine.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return load(spec, str(tmp_path))

    yield write
    sys.modules.pop("written_engine", None)
