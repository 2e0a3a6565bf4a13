r"""Run a learner's cell: its output as it comes, the value of its last expression, errors with the learner's lines.

>>> outputs = []
>>> session = Session()
>>> session.run("a = 2", "cell 1", outputs.append)
>>> session.run("a + 1", "cell 2", outputs.append)
>>> outputs
[{'kind': 'text', 'text': '3\n'}]
>>> print(session.run("a / 0", "cell 3", outputs.append))
line 1: a / 0
ZeroDivisionError: division by zero
"""

from __future__ import annotations

import ast
import builtins
import linecache
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import TextIOBase
from itertools import groupby
from typing import Any

from micrograd.page.page import Page
from micrograd.pictures.explain import Explanation
from micrograd.pictures.render import Picture

Output = dict[str, Any]

MOST_TEXT = 100_000  # letters that a cell may print
MOST_SHOWN = 50  # pictures, pages, formulas and charts of a cell
MOST_MARKUP = 8_000_000  # letters of a picture or page
CELL = "<cell> "  # what the names of cells' code begin with
LINES = 8  # of a traceback, from its start and its end together


class Session:
    """The learner's variables, and what runs cells on them."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {
            "__name__": "__main__",
            "__builtins__": {**vars(builtins), "input": _no_input},
        }

    def run(self, code: str, name: str, emit: Callable[[Output], Any]) -> str | None:
        """Run a cell and return the text of its error, or None. ``emit`` gets each output as it comes.

        An output is {"kind": "text", "text": …}, {"kind": "svg", "svg": …}, {"kind": "html", "html": …},
        {"kind": "math", "latex": …, "text": …} or {"kind": "chart", "spec": …, "text": …}.
        """
        text = _Text(emit)
        shown = 0

        def show(value: Any) -> None:
            nonlocal shown
            output = output_of(value) if shown < MOST_SHOWN else {"kind": "text", "text": repr(value)}
            if output["kind"] == "text":
                text.write(output["text"] + "\n")
                return
            text.flush()
            emit(output)
            shown += 1
            if shown == MOST_SHOWN:
                text.write(f"… A cell shows {MOST_SHOWN} pictures. What follows is told in words.\n")

        self.variables["display"] = show
        file = CELL + name
        linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
        try:
            with redirect_stdout(text), redirect_stderr(text):
                try:
                    value = _execute(code, file, self.variables)
                    if value is not None:
                        self.variables["_"] = value
                        show(value)
                finally:
                    text.flush()
        except SystemExit:
            return None
        except BaseException as error:  # whatever it is, it is the learner's to read
            return report(error, name)
        return None


def _execute(code: str, file: str, variables: dict[str, Any]) -> Any:
    """Run the code; the value of its last statement, if that is an expression."""
    tree = ast.parse(code, file)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, file, "exec"), variables)
    return eval(compile(ast.Expression(last.value), file, "eval"), variables) if last else None


def _no_input(prompt: object = "") -> str:  # noqa: ARG001  # as the one that it stands for
    raise RuntimeError("input() cannot ask in a browser; write the value into the code")


# ---- what is shown ---------------------------------------------------------------------------------------------------


def output_of(value: Any) -> Output:
    """How a value is shown: a graph as its picture, a page in a frame, a gradient's formula, anything else as text."""
    try:
        if isinstance(value, Picture):
            return _limited("svg", value.pipe("svg", encoding="utf-8"))
        if isinstance(value, Page):
            return _limited("html", value.html)
        if isinstance(value, Explanation):
            return {"kind": "math", "latex": value.latex(), "text": str(value)}
        if hasattr(value, "chart_spec"):
            return {"kind": "chart", "spec": value.chart_spec, "text": str(value)}
        if not isinstance(value, type) and hasattr(value, "_repr_html_"):
            markup = value._repr_html_()
            if markup is not None:
                return _limited("html", markup)
    except Exception as error:  # a picture that fails must not break the cell
        return {"kind": "text", "text": f"{type(error).__name__}: {error}\n{value!r}"}
    return {"kind": "text", "text": repr(value)}


def _limited(kind: str, markup: str) -> Output:
    if len(markup) > MOST_MARKUP:
        size = f"{len(markup) / 1e6:.0f} MB"
        return {"kind": "text", "text": f"What this would show is {size} large, too much for a page."}
    return {"kind": kind, kind: markup}


class _Text(TextIOBase):
    """A stream that passes text on, not each word by itself, and no more than a page can hold."""

    EVERY = 0.05  # seconds

    def __init__(self, emit: Callable[[Output], Any]) -> None:
        self.emit = emit
        self.left = MOST_TEXT
        self.parts: list[str] = []
        self.last = time.monotonic()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write: expected a str, got {type(text).__name__}")
        if self.left >= 0:
            self.parts.append(text[: self.left])
            self.left -= len(text)
            if self.left < 0:
                self.parts.append(f"\n… The output is cut here: a cell shows {MOST_TEXT:,} letters.\n")
            if time.monotonic() - self.last > self.EVERY:
                self.flush()
        return len(text)

    def flush(self) -> None:
        if self.parts:
            self.emit({"kind": "text", "text": "".join(self.parts)})
            self.parts.clear()
        self.last = time.monotonic()


# ---- errors ----------------------------------------------------------------------------------------------------------


def report(error: BaseException, cell: str | None = None) -> str:
    """The text of an error: the learner's lines that led to it, and its message. Lines of libraries are left out.

    ``cell`` is the name of the cell that ran; lines of other cells are named with theirs.
    """
    if isinstance(error, KeyboardInterrupt):
        where = _lines(error, cell)[-1:]
        return "\n".join([*where, "Stopped."])
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(CELL):
        return _syntax(error, cell)
    message = "".join(traceback.TracebackException.from_exception(error).format_exception_only()).rstrip()
    return "\n".join([*_lines(error, cell), message[:MOST_TEXT]])


def _lines(error: BaseException, cell: str | None) -> list[str]:
    found = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(CELL):
            inside = "" if frame.name == "<module>" else f", in {frame.name}"
            found.append(f"{_place(frame.filename, frame.lineno, cell)}{inside}: {frame.line}")
    found = [f"{line}   (and {count - 1} times more)" if count > 1 else line for line, count in _counted(found)]
    if len(found) > LINES:
        found[LINES // 2 : -LINES // 2] = [f"… {len(found) - LINES} lines more"]
    return found


def _counted(lines: list[str]) -> list[tuple[str, int]]:
    return [(line, len(list(group))) for line, group in groupby(lines)]


def _place(file: str, line: int | None, cell: str | None) -> str:
    name = file.removeprefix(CELL)
    return f"line {line}" if name == cell or cell is None else f"{name}, line {line}"


def _syntax(error: SyntaxError, cell: str | None) -> str:
    """Where the parser stopped, with a mark under the place."""
    head, *rest = traceback.TracebackException.from_exception(error).format_exception_only()
    place = _place(error.filename or "", error.lineno, cell)
    return "".join([f"{place}:\n", *rest]).rstrip() if head.lstrip().startswith("File") else "".join([head, *rest])
