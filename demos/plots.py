"""The plots that demos share, so that they look alike: loss curves and decision boundaries.

``show_loss`` and ``show_boundary`` are for a notebook, which shows what they return.
"""

import base64
import html
import io
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # demos write files; no window is needed

import matplotlib.pyplot as plt
import numpy as np
from curves import in_words, named_curves
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.ticker import LogLocator, NullFormatter

from micrograd import evaluate, no_grad
from micrograd.pictures.palette import DATA, GRADIENT

INK = "#222222"

mpl.rcParams.update(
    {
        "font.size": 13,
        "axes.titlesize": 14,
        "axes.edgecolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 2.2,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        "savefig.dpi": 120,
    }
)


DIVERGING = LinearSegmentedColormap.from_list("gradient", [DATA, "#FFFFFF", GRADIENT])  # negative, 0, positive
# For several curves: blue, orange, green, black; apart in lightness too, and each with its own line.
STYLES = [(DATA, "-"), (GRADIENT, "--"), ("#3C8F5A", "-."), (INK, ":")]


class Chart:
    """A picture that a notebook shows, with a text for those who do not see it."""

    def __init__(self, fig, text: str) -> None:
        self._png, self._text = image(fig), text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        png = base64.b64encode(self._png).decode()
        style = "width:36rem;max-width:100%"
        return f'<img alt="{html.escape(self._text)}" style="{style}" src="data:image/png;base64,{png}">'


def show_loss(losses, title: str = "Loss", log: bool = False) -> Chart:
    """Losses against epochs.

    Args:
        losses: what ``fit`` returned, for its training and held-out loss; or curves by name, each a History or a list
            of numbers, one an epoch.
        title: stands above the picture.
        log: whether the axis of the loss is logarithmic.
    """
    named = named_curves(losses)
    fig, [[ax]] = figure(1, width=7, height=3.8)
    settings = {"yscale": "log"} if log else {"ylim": (0, None)}
    points = {name: (range(1, len(numbers) + 1), numbers) for name, numbers in named.items()}
    curves(ax, points, title, "epoch", "mean loss", **settings)
    ax.xaxis.get_major_locator().set_params(integer=True)
    return Chart(fig, in_words(title, named))


def show_boundary(score, samples, title: str = "Decision boundary") -> Chart:
    """Where the score of a point ([x₁, x₂]) is positive and where it is negative, and the samples, y = ±1, on it.

    ``score`` is a model with two inputs and one output, or a function of a point.
    """
    fig, [[ax]] = figure(1)
    decision_boundary(ax, score, samples, title)
    right = sum((y > 0) == (evaluate(score, [x]) > 0) for x, y in samples)
    return Chart(fig, f"{title}: {right} of {len(samples)} samples are on the side of their class")


def figure(columns: int, rows: int = 1, width: float = 6.0, height: float = 4.8):
    """A figure with rows of axes, sizes in inches each."""
    return plt.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False)


def stories(count: int, columns: int, width: float = 5.0, height: float = 3.9):
    """A figure of rows that each have a text of their own, and for each row its part of the figure and its axes."""
    fig = plt.figure(figsize=(width * columns, height * count))
    parts = fig.subfigures(count, 1)
    return fig, [(part, part.subplots(1, columns)) for part in parts]


def tell(part, title: str, *lines: str) -> None:
    """A row's title above it, and its text below."""
    part.suptitle(title, x=0.01, ha="left", fontsize=16, fontweight="bold")
    part.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=13)


def save(fig, path: Path) -> Path:
    """Write the figure and let go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path)
    plt.close(fig)
    return path


def image(fig) -> bytes:
    """The figure as PNG, for a page; it is let go of."""
    file = io.BytesIO()
    fig.savefig(file, metadata={"Software": None})  # the same bytes, whatever the version of matplotlib is called
    plt.close(fig)
    return file.getvalue()


def loss_curve(ax, history, title: str) -> None:
    """Training and, if there is one, held-out loss against epochs."""
    epochs = range(1, len(history.loss) + 1)
    ax.plot(epochs, history.loss, color=DATA, label="train")
    if history.held_out_loss:
        ax.plot(epochs, history.held_out_loss, color=GRADIENT, linestyle="--", label="held out")
    ax.set(title=title, xlabel="epoch", ylabel="mean loss", ylim=(0, None))
    ax.legend()


def curves(ax, named: dict, title: str, xlabel: str, ylabel: str, **settings) -> None:
    """Curves by name, each as (xs, ys); ``settings`` of the axes, e.g. ``yscale="log"``."""
    for (name, (xs, ys)), (color, line) in zip(named.items(), STYLES):
        ax.plot(xs, ys, color=color, linestyle=line, label=name)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, **settings)
    ax.legend()


def second_scale(ax, factor: float, label: str) -> None:
    """A scale on top of the axes: that below, times ``factor``. The title gives way to it."""
    top = ax.secondary_xaxis("top", functions=(lambda x: x * factor, lambda x: x / factor))
    top.set_xlabel(label)
    ax.set_title(ax.get_title(), pad=42)


def band(ax, xs, low, middle, high, title: str, xlabel: str, ylabel: str, label: str, **settings) -> None:
    """A curve of medians in the band where most of the numbers are."""
    ax.fill_between(xs, low, high, color=GRADIENT, alpha=0.22, label=label)
    ax.plot(xs, middle, color=GRADIENT, marker="o", label="median")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, **settings)
    ax.legend()


def surface(ax, xs, ys, heights, paths: dict) -> None:
    """Heights over a plane as filled contours, and on them paths by name, points (x, y) one after another."""
    levels = np.geomspace(heights.min(), heights.max(), 15)
    filled = ax.contourf(xs, ys, heights, levels=levels, cmap="Greys", norm=LogNorm(), alpha=0.75)
    ax.contour(xs, ys, heights, levels=levels, colors="white", linewidths=0.6)
    for (name, path), (color, _), width in zip(paths.items(), STYLES, (1.2, 1.8, 3.2)):
        ax.plot(*path.T, color=color, linewidth=width, label=name)
        ax.plot(*path[-1], color=color, marker="o", markersize=11, markeredgecolor="white", linestyle="none")
    start = next(iter(paths.values()))[0]
    ax.plot(*start, color=INK, marker="s", markersize=9, linestyle="none", label="start")
    ax.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    bar = ax.figure.colorbar(filled, ax=ax, label="mean loss of all samples", ticks=levels[::2])
    bar.ax.yaxis.set_major_formatter(lambda y, _: f"{y:.2g}")
    bar.ax.minorticks_off()


def ticks(ax, xs, names=None) -> None:
    """Ticks at ``xs`` and nowhere else, with their numbers or names."""
    ax.set_xticks(xs, names or [f"{x:g}" for x in xs])
    ax.minorticks_off()


def same_scale(axes) -> None:
    """Let these axes have one scale of y, with room for the curves of each."""
    low, high = zip(*[ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(min(low), max(high))


def legend_above(ax) -> None:
    """Make room above the curves, and put the legend there in one row."""
    low, high = ax.transData.inverted().transform(ax.transAxes.transform([(0, 0), (0, 1.22)]))[:, 1]
    ax.set_ylim(low, high)
    ax.legend(loc="upper right", ncols=len(ax.lines), columnspacing=1.2)


def decimals(ax) -> None:
    """0.5 at a logarithmic scale of y, where it would be 5 × 10⁻¹."""
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def blank(ax) -> None:
    """Leave these axes out."""
    ax.set_axis_off()


def decision_boundary(ax, score, samples, title: str, resolution: int = 80) -> None:
    """Regions where ``score(x)`` is positive and negative in the plane, and the samples (x, y), y = ±1, on them."""
    points = np.array([x for x, _ in samples])
    low, high = points.min(axis=0) - 0.4, points.max(axis=0) + 0.4
    xs, ys = (np.linspace(low[i], high[i], resolution) for i in (0, 1))
    with no_grad():
        scores = np.array([[float(score([x, y])) for x in xs.tolist()] for y in ys.tolist()])
    ax.contourf(xs, ys, scores, levels=[-np.inf, 0, np.inf], colors=[GRADIENT, DATA], alpha=0.22)
    ax.contour(xs, ys, scores, levels=[0], colors=INK, linewidths=1.8)
    for label, color, marker in ((-1, GRADIENT, "s"), (1, DATA, "o")):
        of_class = np.array([x for x, y in samples if y == label]).reshape(-1, 2)
        ax.scatter(
            *of_class.T, c=color, marker=marker, s=34, edgecolors="white", linewidths=0.7, label=f"y = {label:+d}"
        )
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)  # below, where it covers no boundary
    ax.set(title=title, xlabel="x₁", ylabel="x₂")
