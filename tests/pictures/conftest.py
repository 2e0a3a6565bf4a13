"""Each Graphviz that there is."""

from pathlib import Path

import pytest
from reading import RENDERERS

from micrograd.pictures import render


@pytest.fixture(params=RENDERERS, ids=lambda path: Path(path).stem)
def renderer(request, monkeypatch):
    monkeypatch.setattr(render, "find_dot", lambda: request.param)
