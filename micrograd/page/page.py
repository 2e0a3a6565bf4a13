"""A page that steps through a mini-batch: forward, backward and the optimizer's step, number by number.

>>> from micrograd import Value
>>> w = Value(0.5, label="w")
>>> page = step_through(lambda x, y: (w * x - y) ** 2, [(1.0, 2.0), (3.0, 0.0)])
>>> "".join(page.html.split("<title>")[1:])[:21]
'A batch of 2 samples<'

``page.save("batch.html")`` writes one file that needs nothing else, no network either. In a notebook it shows itself.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from reprlib import Repr
from typing import Any

from micrograd.data import DataLoader
from micrograd.engine import Value, is_recording
from micrograd.graph import nodes
from micrograd.nn import Module
from micrograd.optim import Optimizer
from micrograd.page.recorder import ASKED, Recorder, Step
from micrograd.pictures.formula import VISIBLE, described, require_count
from micrograd.pictures.palette import DATA, GRADIENT, ROLES
from micrograd.samples import loss_of, require_batch

__all__ = ["Page", "step_through"]

REDUCTIONS = ("mean", "sum")
# Of a page in a notebook, in pixels: its usual width; and the heights of the controls, of a graph at most, of a line of
# the sentences, of a row of the table, and of the whole at most.
WIDTH, CONTROLS, GRAPH, LINE, ROW, HEIGHT = 1008, 160, 600, 16.8, 24, 2400
# The theme of Jupyter, as the page's own. A browser's or a system's theme is taken up without this.
THEME = (
    "<style>[data-jp-theme-light=true] .micrograd{color-scheme:light}"
    " [data-jp-theme-light=false] .micrograd{color-scheme:dark}</style>"
)
HTML = {".html", ".htm"}  # suffixes of its file
BRIEF = Repr()  # of a sample: as much as a line has room for
BRIEF.maxstring = BRIEF.maxother = 60


class Page:
    """A whole page in ``html``. ``save`` writes it to a file; a notebook shows it in a frame.

    ``summary`` is what it says in short, sentences for those to whom no frame is shown; ``height`` is that of the frame
    in pixels.

    >>> w = Value(0.5, label="w")
    >>> page = step_through((3.0 * w - 1.0) ** 2)
    >>> page.html[:15]
    '<!DOCTYPE html>'
    """

    def __init__(self, html: str, summary: Sequence[str] = (), height: int = HEIGHT) -> None:
        self.html = html
        self.summary = summary
        self.height = height

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page and return its path; folders that are missing are made.

        Raises ValueError for a name that promises another format than HTML.
        """
        path = Path(path)
        if path.suffix.lower() not in HTML:
            raise ValueError(f"expected a name for a page of HTML, got {str(path)!r}; write save('batch.html')")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.html, encoding="utf-8", newline="\n")
        return path

    def _repr_html_(self) -> str:
        # The frame keeps the page's styles and keys to itself, and sandbox its script away from the notebook. It covers
        # the summary, which remains where a notebook that somebody else ran is shown without frames.
        frame = "grid-area:1/1; box-sizing:border-box; border:1px solid gray"
        sentences = "".join([f"<li>{html.escape(line)}</li>" for line in self.summary])
        return (
            f'{THEME}<div style="display:grid; max-height:{self.height}px; overflow:hidden"><div style="grid-area:1/1">'
            "<p>Run this cell to see a page that steps through the graph, number by number. Stored notebooks are shown"
            f" without it, on GitHub for example. In short:</p><ul>{sentences}</ul></div>"
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" title="Step through the graph"'
            f' class="micrograd" width="100%" height="{self.height}" style="{frame}"></iframe></div>'
        )

    def __repr__(self) -> str:
        return f"<page of {len(self.html) / 1000:.0f} kB; save() writes it to a file>"


def step_through(
    loss: Callable[..., Value] | Value,
    batch: Iterable[Any] | None = None,
    optimizer: Optimizer | None = None,
    *,
    reduction: str = "mean",
    max_samples: int = 12,
    max_nodes: int = 120,
) -> Page:
    """A page that shows a batch at work, from the first operation on the first sample to the optimizer's step.

    It begins with gradients at 0, and shows what the engine computed: the passes are run here, on the parameters as
    they are. Afterwards parameters, gradients and optimizer are as they were before.

    >>> w = Value(0.5, label="w")
    >>> page = step_through(lambda x, y: (w * x - y) ** 2, [(1.0, 2.0), (3.0, 0.0)])
    >>> type(page).__name__, w.grad             # the gradient is as it was
    ('Page', 0.0)

    Args:
        loss: builds the loss graph of one sample, as for ``accumulate``; or a Value, for a page of that expression.
        batch: the samples.
        optimizer: takes the last step, and names the parameters; without one they are the graphs' leaves of that role.
        reduction: "mean" or "sum", which the page shows first; a switch on it changes to the other.
        max_samples: the most samples to show; ValueError if there are more.
        max_nodes: the most Values in a sample's graph, and the most parameters; ValueError if there are more.

    Raises ``micrograd.pictures.render.RenderError`` where there is no Graphviz to lay out the graph, and ImportError
    without Jinja2; both come with the extra ``page``.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"step_through: reduction must be 'mean' or 'sum', got {reduction!r}")
    require_count("step_through", "max_samples", max_samples)
    require_count("step_through", "max_nodes", max_nodes)
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        write = "; write optim.SGD(model.parameters(), lr=0.1)" * isinstance(optimizer, type)
        raise TypeError(f"step_through: optimizer must be an optimizer, got {described(optimizer)}{write}")
    if not is_recording():
        raise ValueError("step_through: no graph is recorded under no_grad(); call it outside")
    if isinstance(loss, Value):
        if batch is not None or optimizer is not None:
            raise TypeError("step_through: expected a function that builds a sample's loss, got a Value, one graph")
        samples, graphs = None, [nodes(loss)]
    else:
        if isinstance(loss, Module) or not callable(loss):
            write = "lambda x, y: losses.squared_error(model(x), y)"
            raise TypeError(f"step_through: expected a Value or a function as {write}, got {described(loss)}")
        samples = _samples(batch, max_samples)
        graphs = [nodes(loss_of(k, loss, sample)) for k, sample in enumerate(samples)]
    largest = max(map(len, graphs))
    if largest > max_nodes:
        raise ValueError(
            f"step_through: a page shows at most {max_nodes} Values in one graph, got {largest};"
            " take a smaller network, or raise max_nodes"
        )
    if optimizer is None:
        leaves = dict.fromkeys([node for graph in graphs for node in graph if node.role == "parameter"])
        parameters = list(leaves)
    else:
        parameters = list(optimizer.parameters)
    if len(parameters) > max_nodes:
        raise ValueError(
            f"step_through: a page shows at most {max_nodes} parameters, got {len(parameters)}; take a smaller network,"
            ' or give leaves that are no parameters another role, Value(x, role="input"), or raise max_nodes'
        )
    texts = None if samples is None else [BRIEF.repr(sample).translate(VISIBLE) for sample in samples]
    run = Recorder(graphs, parameters, optimizer, texts)
    return _page(run, reduction)


def _samples(batch: Iterable[Any] | None, most: int) -> list[Any]:
    if batch is None:
        raise TypeError("step_through: expected a batch of samples after the loss, got none")
    if isinstance(batch, DataLoader):
        raise TypeError("step_through: expected one batch, got a DataLoader; write next(iter(loader))")
    if isinstance(batch, str) or not isinstance(batch, Iterable):
        raise TypeError(f"step_through: expected a batch, a list of samples, got {described(batch)}")
    samples = require_batch(batch)
    if len(samples) > most:
        few = min(most, 4)
        raise ValueError(
            f"step_through: a page shows at most {most} samples, got {len(samples)}; take fewer, such as batch[:{few}],"
            " or raise max_samples"
        )
    return samples


def _summary(run: Recorder, reduction: str) -> list[str]:
    """The sums of a batch and the optimizer's step, or the passes of an expression, as far as a page has room."""
    phases = {"forward", "seed", "backward"} if run.samples is None else {"sum", "batch", "optimizer step"}
    steps = [(step.mean if reduction == "mean" else None) or step for step in run.steps if step.phase in phases]
    lines = [line for step in steps for line in step.lines]
    return [line for line in lines if not (line.endswith(ASKED) or line.startswith("The table"))][:30]


# ---- from the recorded steps to HTML ---------------------------------------------------------------------------------


def _page(run: Recorder, reduction: str) -> Page:
    try:
        import jinja2  # noqa: PLC0415  # an extra: import micrograd stays light
    except ImportError as cause:
        raise ImportError("a page needs Jinja2: pip install jinja2") from cause
    from micrograd.page.scene import pictures  # noqa: PLC0415  # and so do Graphviz and an XML parser
    from micrograd.pictures.draw import role_in  # noqa: PLC0415

    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("micrograd.page", "template"),
        autoescape=lambda name: name == "page.html",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    drawn, picture_of, ratio = pictures(run)
    size = len(run.graphs)
    # Widths of the table's first column, of the others and of all, in its letters. A digit is 0.64 letters wide.
    first = 1 + 0.64 * max([len(run.names[p]) for p in run.parameters], default=0)
    variants = [variant for step in run.steps for variant in (step, step.mean or step)]
    shares = [
        text for step in variants for place, text in step.writes.items() if re.match(r"t\w+\.(\d|sum|mean)", place)
    ]
    head = 1 if run.samples else len("grad") + 1  # in bold letters
    each = 1.5 + 0.64 * max([head, *map(len, shares)])
    wide = first + each * (max(size + 2, 4) if run.samples else 1)
    say = 6.6 if max([len(step.lines) for step in variants]) <= 3 else 11.5
    rows = len(run.parameters) + (3 if run.samples else 1)
    style = templates.get_template("page.css").render(
        data=DATA,
        gradient=GRADIENT,
        roles=ROLES,
        first=first,
        wide=wide,
        rows=rows,
        say=say,
        ratio=ratio,
        graph=GRAPH,
    )
    script = templates.get_template("page.js").render()
    present = {role_in(node, graph) for graph in run.graphs for node in graph}
    content = templates.get_template("page.html").render(
        title=f"A batch of {size} sample{'s' * (size > 1)}" if run.samples else "An expression",
        policy="; ".join(
            [
                "default-src 'none'",
                f"style-src '{_hash(style)}'",
                f"script-src '{_hash(script)}'",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
        batch=run.samples is not None,
        reduction=reduction,
        size=size,
        pictures=drawn,
        parameters=[run.names[p] for p in run.parameters],
        roles=[name for name in ROLES if name in present],
        optimizer=run.optimizer is not None,
        style=style,
        script=script,
        data=_json({"steps": [_compact(step) for step in run.steps], "pictures": picture_of}),
    )
    height = CONTROLS + say * LINE + min(GRAPH, WIDTH * ratio) + ROW * rows
    return Page(content, _summary(run, reduction), min(HEIGHT, int(height)))


def _compact(step: Step) -> dict[str, Any]:
    content: dict[str, Any] = {"phase": step.phase, "lines": step.lines, "writes": step.writes, "sample": step.sample}
    if step.node >= 0:
        content["node"] = step.node
    if step.mean is not None:
        content["mean"] = {"lines": step.mean.lines, "writes": step.mean.writes}
    return content


def _json(content: Any) -> str:
    """JSON that can stand in a script element, which any "</script" or "<!--" in it would end or change."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")


def _hash(text: str) -> str:
    """How a content-security policy names an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
