r"""Runs the learner's file as the module ``my_engine``, and says what is wrong with it if it does not run.

>>> load("class Value:\n    pass").Value.__module__
'my_engine'
>>> load("class Value")
Traceback (most recent call last):
    ...
classroom.learner.FileError: SyntaxError: expected ':'
"""

import contextlib
import io
import linecache
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from classroom.cell import Session
from micrograd.conformance.run import describe

NAME = "my_engine"
FILE = f"{NAME}.py"
MOST_PRINTED = 2000  # characters


class FileError(Exception):
    """The learner's file does not run, or has no class Value. ``line`` is where, 0 if that is nowhere in the file."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


def load(code: str) -> ModuleType:
    """The file as a fresh module with a class ``Value``. Raises FileError, and whatever stops a program: Ctrl-C."""
    module = ModuleType(NAME)
    module.__file__ = FILE
    linecache.cache[FILE] = (len(code), None, code.splitlines(keepends=True), FILE)  # for the line in an error
    sys.modules[NAME] = module  # where pickle looks for its classes
    try:
        exec(compile(code, FILE, "exec", dont_inherit=True), vars(module))
    except SyntaxError as error:
        raise FileError(f"{type(error).__name__}: {error.msg}", error.lineno or 0) from error
    except (Exception, SystemExit) as error:  # a learner's file may raise anything
        raise FileError(said(error), line_of(error)) from error
    if not isinstance(getattr(module, "Value", None), type):
        raise FileError("There is no class Value in the file yet. Begin with: class Value:")
    return module


def run(code: str, cell: str) -> dict[str, Any]:
    """Run a cell on the names of the learner's file, each time from the start.

    Returns ``outputs``, as those of any cell, and ``error``: its text, None if there is none.
    """
    outputs: list[dict[str, Any]] = []
    session = Session()
    try:
        session.variables |= {name: thing for name, thing in vars(load(code)).items() if not name.startswith("__")}
    except FileError as error:
        return {"outputs": [], "error": str(error)}
    return {"outputs": outputs, "error": session.run(cell, "try", outputs.append)}


def problem(error: FileError | KeyboardInterrupt) -> dict[str, Any]:
    """For the page, ``{"text": …, "line": …}``: what keeps a file from being used, or where the learner stopped it."""
    if isinstance(error, FileError):
        return {"text": str(error), "line": error.line}
    line = line_of(error)
    source = linecache.getline(FILE, line).strip() if line else ""
    return {"text": f"Stopped while it ran: {source}" if source else "Stopped.", "line": line}


def said(error: BaseException) -> str:
    """An error in one line, with the learner's line."""
    return plainly(describe(error))


def plainly(text: str) -> str:
    """An error's line, and what an endless recursion is."""
    return text + "; a function calls itself, again and again" * text.startswith("RecursionError")


def line_of(error: BaseException) -> int:
    """The last line of the learner's file that an error went through; 0 if there is none."""
    line, frame = 0, error.__traceback__
    while frame:
        if frame.tb_frame.f_code.co_filename == FILE:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


class _Printed(io.StringIO):
    """Keeps the beginning of what is printed, so that an endless flood fills nothing."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, MOST_PRINTED - self.tell())])
        return len(text)


@contextlib.contextmanager
def printed() -> Iterator[io.StringIO]:
    """What the learner's code prints meanwhile, to standard output and error."""
    text = _Printed()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        yield text
