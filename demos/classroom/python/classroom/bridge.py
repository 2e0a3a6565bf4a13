"""What the page's worker calls: run a cell, call a function of this folder, offer a layout of graphs.

All that passes is text or JSON, so nothing of one side lives on in the other.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from classroom.cell import Session, report
from micrograd.pictures import render

session = Session()


def run(code: str, name: str, emit: Callable[[str], Any]) -> str | None:
    """Run a cell in the learner's namespace. ``emit`` gets each output as JSON. Returns the error's text, or None."""
    return session.run(code, name, lambda output: emit(json.dumps(output, ensure_ascii=False)))


def call(path: str, arguments: str) -> tuple[str, str | None]:
    """Call a function by its dotted path with a JSON list of arguments: its result as JSON, and the error's text."""
    try:
        module, _, name = path.rpartition(".")
        function = getattr(importlib.import_module(module), name)
        return json.dumps(function(*json.loads(arguments))), None
    except BaseException as error:  # an interrupt too ends the call, not the worker
        return "null", report(error)


def offer_layout(layout: Callable[[str], str]) -> None:
    """Let ``draw`` and ``step_through`` lay out graphs by ``layout``, which turns a DOT source into SVG."""

    def svg(source: str, form: str) -> bytes:
        if form != "svg":
            raise render.RenderError(f'in a browser a picture is laid out as "svg", got "{form}"; save it as .svg')
        try:
            return layout(source).encode()
        except Exception as cause:
            raise render.RenderError(f"the layout failed: {cause}") from cause

    render.layout = svg
