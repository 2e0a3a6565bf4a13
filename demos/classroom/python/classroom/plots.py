"""Loss curves and decision boundaries of the lesson in the browser: two functions of demos/plots.py, as charts.

>>> show_loss({"train": [0.9, 0.5]})
Loss: train from 0.90 to 0.50
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from curves import in_words, named_curves

from micrograd import evaluate, no_grad
from micrograd.train import History

RESOLUTION = 40  # scores along each side of the picture
MARGIN = 0.4  # how far a picture reaches beyond the samples


class Chart:
    """What a page draws from ``chart_spec``; its text is for those who do not see it."""

    def __init__(self, chart_spec: dict[str, Any], text: str) -> None:
        self.chart_spec = chart_spec
        self._text = text

    def __repr__(self) -> str:
        return self._text


def show_loss(losses: History | dict[str, Any], title: str = "Loss", log: bool = False) -> Chart:
    """Losses against epochs.

    Args:
        losses: what ``fit`` returned, for its training and held-out loss; or curves by name, each a History or a list
            of numbers, one an epoch.
        title: stands above the picture.
        log: whether the axis of the loss is logarithmic.
    """
    named = named_curves(losses)
    return Chart(curves_spec(named, title, "mean loss", log), in_words(title, named))


def curves_spec(named: dict[str, list[float]], title: str, ylabel: str, log: bool = False) -> dict[str, Any]:
    """What ``charts.js`` draws of curves by name, one number an epoch."""
    curves = [{"name": name, "x": list(range(1, len(ys) + 1)), "y": ys} for name, ys in named.items()]
    return {"kind": "curves", "title": title, "xlabel": "epoch", "ylabel": ylabel, "log": log, "curves": curves}


def show_boundary(score: Callable[[Any], Any], samples: Sequence[Any], title: str = "Decision boundary") -> Chart:
    """Where the score of a point ([x₁, x₂]) is positive and where it is negative, and the samples, y = ±1, on it.

    ``score`` is a model with two inputs and one output, or a function of a point.
    """
    with no_grad():
        spec = boundary_spec(score, samples, title)
    right = sum([(y > 0) == (evaluate(score, [x]) > 0) for x, y in samples])
    return Chart(spec, f"{title}: {right} of {len(samples)} samples are on the side of their class")


def boundary_spec(
    score: Callable[[Any], Any], samples: Sequence[Any], title: str, resolution: int = RESOLUTION
) -> dict[str, Any]:
    """What ``charts.js`` draws of a score in the plane, at ``resolution`` points along each side."""
    low, high = bounds(samples)
    xs, ys = grid(low, high, resolution)
    return {
        "kind": "boundary",
        "title": title,
        "low": low,
        "high": high,
        "scores": [[float(score([x, y])) for x in xs] for y in ys],
        "samples": [[float(x[0]), float(x[1]), int(y)] for x, y in samples],
    }


def bounds(samples: Sequence[Any]) -> tuple[list[float], list[float]]:
    """The corners [x₁, x₂] of a picture that holds the points of all samples, with a margin."""
    points = [x for x, _ in samples]
    return [min([x[i] for x in points]) - MARGIN for i in (0, 1)], [
        max([x[i] for x in points]) + MARGIN for i in (0, 1)
    ]


def grid(low: Sequence[float], high: Sequence[float], resolution: int) -> tuple[list[float], list[float]]:
    """Numbers from low to high, ``resolution`` for x₁ and as many for x₂."""
    xs, ys = ([a + (b - a) * k / (resolution - 1) for k in range(resolution)] for a, b in zip(low, high))
    return xs, ys
