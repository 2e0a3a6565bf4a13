"""Lay out a picture with the Graphviz that is there: the system's ``dot``, or else the wheel ``graphviz-pure``."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import graphviz

TIME_LIMIT = 20.0  # seconds for one layout
INSTALL = "pip install graphviz-pure"


class RenderError(RuntimeError):
    """A picture was not laid out: there is no Graphviz, or it failed, or it took longer than ``TIME_LIMIT``."""


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


class Picture(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no type information
    """A ``graphviz.Digraph`` that finds a Graphviz by itself, gives up in time, and is SVG unless told otherwise.

    ``pipe``, ``render``, ``save``, ``view`` and ``source`` are used as those of ``graphviz.Digraph``. What fails raises
    ``RenderError``; ``source`` and ``save`` need no Graphviz, and a notebook then shows the source.
    """

    def pipe(
        self,
        format: str | None = None,  # noqa: A002  # graphviz's name
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: int | None = None,
        quiet: bool = True,  # noqa: ARG002  # what Graphviz says goes into the error, if there is one
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        """The picture in a format such as "svg" or "png", as bytes, or as a str if ``encoding`` is given."""
        program = find_dot()
        if program is None:
            raise RenderError(f"no Graphviz found to lay out the picture; install one with: {INSTALL}")
        output = ":".join(filter(None, (format or self.format, renderer, formatter)))
        command = [program, f"-K{engine or self.engine}", f"-T{output}"]
        if neato_no_op:
            command.append(f"-n{neato_no_op:d}")
        try:
            process = subprocess.run(
                command,
                input=self.source.encode(self.encoding),
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
            raise RenderError(f"{' '.join(command)} failed: {process.stderr.decode(errors='replace').strip()}")
        return process.stdout.decode(encoding) if encoding else process.stdout

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
        **options: Any,
    ) -> str:
        """Save the source, write the picture beside it or to ``outfile``, and return the picture's path."""
        if outfile is not None:
            format = format or Path(outfile).suffix[1:].lower()  # noqa: A001
            filename = filename or Path(outfile).with_suffix(".gv")
        source = self.save(filename, directory=directory)
        picture = Path(outfile or f"{source}.{format or self.format}")
        picture.write_bytes(self.pipe(format, **options))
        if cleanup:
            Path(source).unlink()
        if view or quiet_view:
            graphviz.view(str(picture), quiet=quiet_view)
        return str(picture)

    def svg(self) -> str:
        """The picture as an SVG element for a page, which shows it no wider than there is room."""
        svg: str = self.pipe("svg", encoding="utf-8")
        return svg[svg.index("<svg") :].replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)

    def _repr_image_svg_xml(self) -> str:  # what graphviz calls for a notebook
        return self.svg()

    def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            bundle: dict[str, Any] = super()._repr_mimebundle_(*args, **kwargs)
        except Exception as error:  # whatever it is, a picture that fails must not break the cell
            bundle = {"text/plain": f"{error}\n\n{self.source}"}
        return bundle
