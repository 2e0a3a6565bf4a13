"""``check(Value)`` in a notebook: a table by level, and for each failure its example with the right gradients drawn.

>>> from micrograd import Value
>>> print(check(Value, level=1))
micrograd.conformance 1.0
engine: micrograd.engine:Value
<BLANKLINE>
level                                              holds  wrong  not offered
1  arithmetic and one backward pass                    9      0            0   passed
<BLANKLINE>
All that is offered holds, in 1 level.
"""

import ast
import sys
from collections.abc import Sequence
from html import escape
from typing import Any

from micrograd.conformance.cases import LEVELS, find
from micrograd.conformance.discover import adapt
from micrograd.conformance.expressions import TITLES, available, numbers, run_random
from micrograd.conformance.report import SHOWN, SUITE, as_text, failures, verdict
from micrograd.conformance.run import Report, Result, offers_of, run_case


class Checked(Report):
    """What came of the cases. It shows itself as a table; ``str()`` of it is the text that a terminal gets."""

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{s.level}</td><td style='text-align:left'>{escape(LEVELS[s.level - 1].title)}</td>"
            f"<td>{s.holds}</td><td>{s.wrong}</td><td>{s.not_offered}</td>"
            f"<td>{'passed' if s.passed else '<b>failed</b>'}</td></tr>"
            for s in self.levels
        )
        head = "".join(f"<th>{name}</th>" for name in ("level", "", "holds", "wrong", "not offered", ""))
        parts = [f"<p>{SUITE} · {escape(self.engine)}</p><table><tr>{head}</tr>{rows}</table>"]
        failed = failures(self)
        parts += [_cell(result) for result in failed[:SHOWN]]
        if len(failed) > SHOWN:
            rest = ", ".join(f"{result.number} {escape(result.title)}" for result in failed[SHOWN:])
            parts.append(f"<p>Also wrong: {rest}.</p>")
        parts.append(f"<p><b>{escape(verdict(self))}</b></p>")
        return "".join(parts)


def check(engine: Any, level: int = len(LEVELS), only: Sequence[str] = (), seed: int = 0) -> Checked:
    """Try an engine here, in this process: a class such as ``Value``, or what else ``discover.adapt`` takes.

    Fixed cases need nothing but the standard library; random expressions come with Hypothesis. An endless loop is not
    stopped here; ``python -m micrograd.conformance`` does that.

    >>> from micrograd import Value
    >>> check(Value, only=["2.1"]).results[0].outcome
    'holds'

    Args:
        engine: the class.
        level: levels 1 to this.
        only: numbers of cases or of levels, in place of all.
        seed: of the random expressions.
    """
    name = getattr(engine, "__name__", "Value")
    module = getattr(engine, "__module__", "__main__")
    importable = getattr(sys.modules.get(module), name, None) is engine and module not in ("__main__", "builtins")
    adapter = adapt(engine, f"from {module} import {name}" if importable else "", name)
    report = Checked(f"{module}:{name}" if importable else name, offers=offers_of(adapter), names=adapter.known_names())
    for number in numbers(level, only):
        if number not in TITLES:
            report.results.append(run_case(find(number), adapter))
        elif available():
            report.results.append(run_random(number, adapter, seed))
    return report


def _cell(result: Result) -> str:
    found = result.example or f"# {result.problem}"
    drawn = picture(result.code)
    return (
        f"<h4>{result.number} {escape(result.title)}</h4><pre>{escape(found)}</pre>"
        f"<p>{escape(result.why)}</p>{f'<p>The same with the right gradients:</p>{drawn}' if drawn else ''}"
    )


def picture(code: str) -> str:
    """The graph of a case with the right gradients, as SVG; empty where it is large or cannot be drawn."""
    from micrograd.engine import Value  # noqa: PLC0415  # where an engine is tried alone, ours is not there
    from micrograd.pictures.draw import draw  # noqa: PLC0415

    roots = [
        node.func.value.id
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "backward"
        and isinstance(node.func.value, ast.Name)
    ]
    try:
        names: dict[str, Any] = {"Value": Value}
        exec(code, names)
        for name, thing in names.items():
            if isinstance(thing, Value) and not thing.label:
                thing.label = name
        return draw(names[roots[-1]], max_nodes=24).svg()
    except Exception:  # a picture is an extra: no Graphviz, a large graph, an example that uses more
        return ""
