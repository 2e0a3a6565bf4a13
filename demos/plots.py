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


def figure(columns: int, width: float = 6.0, height: float = 4.8):
    """A figure with a row of axes, sizes in inches each."""
    return plt.subplots(1, columns, figsize=(width * columns, height), squeeze=False)


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
