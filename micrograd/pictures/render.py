"""Lay out a picture, write it to a file, and show it in a notebook.

Graphviz makes the layout: the system's ``dot``, or else that of the wheel ``graphviz-pure``. Where no process can be
started, in a browser say, assign a function to ``layout`` that does it another way:

>>> from micrograd.pictures import render
>>> render.layout = lambda source, form: b"<svg ...>"  # source: in DOT, form: "svg" or "png", say
>>> render.layout = render.graphviz_program            # as it is from the start
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import graphviz

__all__ = ["Picture", "RenderError"]

TIME_LIMIT = 20.0  # seconds for one layout
INSTALL = "pip install graphviz-pure"
SOURCE = {"", ".gv", ".dot"}  # suffixes of a file that is to hold the source of a picture
SMALLEST = 0.625  # as a part of its size, how small a page may show a picture: letters of 12 points are then 10 pixels
ROOM = 700  # pixels: a page says that a picture scrolls which may be wider than this


class RenderError(RuntimeError):
    """A picture was not laid out: there is no Graphviz, or it failed, or it took longer than ``TIME_LIMIT``.

    >>> from micrograd import Value, draw
    >>> try:
    ...     svg = draw(Value(1.0) + 2.0).svg()
    ... except RenderError as error:            # which says how to install Graphviz
    ...     print(error)
    """


def find_dot() -> str | None:
    """The path of a system ``dot``, else of ``graphviz-pure``, else None."""
    return shutil.which("dot") or _installed() or shutil.which("graphviz-pure")


def _installed() -> str | None:
    # A wheel records where its files went, so this holds for virtual, user and system installs, on PATH or not.
    try:
        wheel = metadata.distribution("graphviz-pure")
    except metadata.PackageNotFoundError:
        return None
    programs = [file for file in wheel.files or () if file.stem == "graphviz-pure"]
    # After `pip install --target` the record is wrong: the program is in the target's bin.
    paths = [str(wheel.locate_file(path)) for file in programs for path in (file, f"bin/{file.name}")]
    return next(filter(shutil.which, paths), None)


def graphviz_program(source: str, form: str) -> bytes:
    """The picture of a DOT source in a format such as "svg" or "png", by a Graphviz program.

    Raises ``RenderError`` if there is none, or it fails, or it takes longer than ``TIME_LIMIT`` seconds.
    """
    program = find_dot()
    if program is None:
        raise RenderError(f"found no Graphviz to lay out the picture; install one with: {INSTALL}")
    try:
        process = subprocess.run(
            [program, f"-T{form}"],
            input=source.encode(),
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # else Windows opens a console
        )
    except subprocess.TimeoutExpired as cause:
        advice = "draw a smaller graph, or raise micrograd.pictures.render.TIME_LIMIT"
        raise RenderError(f"the layout took more than {TIME_LIMIT:g} s and was stopped; {advice}") from cause
    except OSError as cause:
        raise RenderError(f"{program} does not run: {cause}; install a Graphviz with: {INSTALL}") from cause
    if process.returncode or not process.stdout:
        raise RenderError(f"{program} -T{form} failed: {process.stderr.decode(errors='replace').strip()}")
    return process.stdout


layout: Callable[[str, str], bytes] = graphviz_program


class Picture(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no type information
    """A ``graphviz.Digraph`` that finds a Graphviz by itself, gives up in time, and fits the page that shows it.

    ``save("loss.svg")`` writes the picture, ``pipe("png")`` returns its bytes, ``source`` is its text for Graphviz. A
    layout that fails raises ``RenderError``; a notebook then shows the source.

    >>> from micrograd import Value, draw
    >>> picture = draw(Value(1.0, label="a") + 2.0)
    >>> picture.pipe("svg")[:5], picture.source[:9]
    (b'<?xml', 'digraph {')
    """

    def pipe(self, format: str | None = None, *, encoding: str | None = None) -> Any:  # noqa: A002  # graphviz's name
        """The picture in a format such as "svg" or "png", as bytes, or as a str if ``encoding`` is given."""
        form = format or self.format
        picture = layout(self.source, form)
        if form == "svg":
            picture = _fitting(picture.decode()).encode()
        return picture.decode(encoding) if encoding else picture

    def save(
        self, filename: str | os.PathLike[str] | None = None, directory: str | os.PathLike[str] | None = None
    ) -> str:
        """Write the picture in the format of the name's suffix, "loss.svg" or "loss.png", and return its path.

        A name that ends in .gv or .dot, or has no suffix, gets the source, for which no Graphviz is needed. Folders
        that are missing are made. Nothing is written if the layout fails.
        """
        path = Path(directory or "", filename or self.filename)
        suffix = path.suffix.lower()
        content = self.source.encode() if suffix in SOURCE else self.pipe(suffix[1:])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,  # noqa: A002
        *,
        outfile: str | os.PathLike[str] | None = None,
        quiet_view: bool = False,
        quiet: bool = True,  # noqa: ARG002  # what Graphviz says goes into the error, if there is one
    ) -> str:
        """As in ``graphviz``: save the source, write the picture beside it or to ``outfile``, and return its path.

        ``save("loss.svg")`` writes the picture alone.
        """
        if outfile is not None:
            format = format or Path(outfile).suffix[1:].lower()  # noqa: A001
            filename = filename or Path(outfile).with_suffix(".gv")
        source = Path(directory or "", filename or self.filename)
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(self.source, encoding="utf-8", newline="\n")
        picture = Path(outfile or f"{source}.{format or self.format}")
        picture.write_bytes(self.pipe(format))
        if cleanup:
            source.unlink()
        if view or quiet_view:
            graphviz.view(str(picture), quiet=quiet_view)
        return str(picture)

    def svg(self) -> str:
        """The picture as an element for a page: no wider than its place, or, where its letters would be too small to
        read, in a box that scrolls.
        """
        svg: str = self.pipe("svg", encoding="utf-8")
        return f'<div style="overflow-x:auto">{svg[svg.index("<svg") :]}</div>'

    def __repr__(self) -> str:
        return '<picture of a graph; save("graph.svg") writes it to a file>'

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        try:
            return {"text/html": self._html()}
        except Exception as error:  # whatever it is, a picture that fails must not break the cell
            return {"text/plain": f"{error}\n\n{self.source}"}

    def _html(self) -> str:
        # As an image: of a notebook that somebody else ran, JupyterLab shows no SVG.
        svg = self.pipe("svg")
        style, least = _style(svg.decode())
        scrolls = "<p>Where the picture is wider than the page, scroll it sideways.</p>" * (least > ROOM)
        return (
            f'{scrolls}<div style="overflow-x:auto"><img alt="A graph of Values" style="{style}"'
            f' src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"></div>'
        )


def _style(svg: str) -> tuple[str, float]:
    """What keeps a picture as wide as its place, but readable; and the least width that this allows, in pixels."""
    width = re.search(r'<svg[^>]* width="([\d.]+)pt"', svg)
    if width is None:
        raise RenderError("the layout is not as expected: its SVG has no width in points")
    least = float(width[1]) * 4 / 3 * SMALLEST
    return f"max-width:100%;min-width:{least:.0f}px;height:auto", least


def _fitting(svg: str) -> str:
    return svg.replace("<svg ", f'<svg style="{_style(svg)[0]}" ', 1)
