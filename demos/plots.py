"""The plots that demos share, so that they look alike: loss curves and decision boundaries."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # demos write files; no window is needed

import matplotlib.pyplot as plt
import numpy as np

from micrograd import no_grad
from micrograd.palette import DATA, GRADIENT

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


# For several curves: blue, orange, green, black; apart in lightness too, and each with a line of its own.
STYLES = [(DATA, "-"), (GRADIENT, "--"), ("#3C8F5A", "-."), (INK, ":")]


def figure(columns: int, rows: int = 1, width: float = 6.0, height: float = 4.8):
    """A figure with rows of axes, sizes in inches each."""
    return plt.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False)


def save(fig, path: Path) -> Path:
    """Write the figure and let go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path)
    plt.close(fig)
    return path


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
    """A scale on top of the axes: that below, times ``factor``."""
    top = ax.secondary_xaxis("top", functions=(lambda x: x * factor, lambda x: x / factor))
    top.set_xlabel(label)


def band(ax, xs, low, middle, high, title: str, xlabel: str, ylabel: str, label: str, **settings) -> None:
    """A curve of medians in the band where most of the numbers are."""
    ax.fill_between(xs, low, high, color=GRADIENT, alpha=0.22, label=label)
    ax.plot(xs, middle, color=GRADIENT, marker="o", label="median")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, **settings)
    ax.legend()


def ticks(ax, xs, names=None) -> None:
    """Ticks at ``xs`` and nowhere else, with their numbers or names."""
    ax.set_xticks(xs, names or [f"{x:g}" for x in xs])
    ax.minorticks_off()


def blank(ax) -> None:
    """Leave these axes out."""
    ax.set_axis_off()


def decision_boundary(ax, score, samples, title: str, resolution: int = 80) -> None:
    """Regions where ``score(x)`` is positive and negative in the plane, and the samples (x, y), y = ±1, on them."""
    points = np.array([x for x, _ in samples])
    labels = np.array([y for _, y in samples])
    low, high = points.min(axis=0) - 0.4, points.max(axis=0) + 0.4
    xs, ys = (np.linspace(low[i], high[i], resolution) for i in (0, 1))
    with no_grad():
        scores = np.array([[float(score([x, y])) for x in xs.tolist()] for y in ys.tolist()])
    ax.contourf(xs, ys, scores, levels=[-np.inf, 0, np.inf], colors=[GRADIENT, DATA], alpha=0.22)
    ax.contour(xs, ys, scores, levels=[0], colors=INK, linewidths=1.8)
    for label, color, marker in ((-1, GRADIENT, "s"), (1, DATA, "o")):
        of_class = points[labels == label]
        ax.scatter(
            *of_class.T, c=color, marker=marker, s=34, edgecolors="white", linewidths=0.7, label=f"y = {label:+d}"
        )
    ax.set(title=title, xlabel="x₁", ylabel="x₂")
    ax.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")
