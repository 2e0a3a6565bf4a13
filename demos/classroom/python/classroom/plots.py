"""Loss curves and decision boundaries of the lesson in the browser: two functions of demos/plots.py, as charts.

>>> show_loss({"train": [0.9, 0.5]})
Loss: train from 0.90 to 0.50
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from micrograd import evaluate, no_grad
from micrograd.train import History

MOST_CURVES = 4
RESOLUTION = 40  # scores along each side of the picture
MARGIN = 0.4


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
    if isinstance(losses, History):
        named = {"train": losses.loss} | ({"held out": losses.held_out_loss} if losses.held_out_loss else {})
    elif isinstance(losses, dict):
        named = {name: curve.loss if isinstance(curve, History) else curve for name, curve in losses.items()}
    else:
        got = type(losses).__name__
        raise TypeError(f'show_loss: expected a History or curves by name, got {got}; write {{"train": losses}}')
    if not 1 <= len(named) <= MOST_CURVES:
        raise ValueError(f"show_loss: expected 1 to {MOST_CURVES} curves, got {len(named)}")
    for name, numbers in named.items():
        if not len(numbers):
            raise ValueError(f"show_loss: expected one loss at least, got none in {name!r}")
    curves = [
        {"name": name, "x": list(range(1, len(numbers) + 1)), "y": [float(number) for number in numbers]}
        for name, numbers in named.items()
    ]
    texts = [f"{name} from {numbers[0]:.2f} to {numbers[-1]:.2f}" for name, numbers in named.items()]
    labels = {"title": title, "xlabel": "epoch", "ylabel": "mean loss"}
    return Chart({"kind": "curves", **labels, "log": log, "curves": curves}, f"{title}: {', '.join(texts)}")


def show_boundary(score: Callable[[Any], Any], samples: Sequence[Any], title: str = "Decision boundary") -> Chart:
    """Where the score of a point ([x₁, x₂]) is positive and where it is negative, and the samples, y = ±1, on it.

    ``score`` is a model with two inputs and one output, or a function of a point.
    """
    low = [min([x[i] for x, _ in samples]) - MARGIN for i in (0, 1)]
    high = [max([x[i] for x, _ in samples]) + MARGIN for i in (0, 1)]
    xs, ys = ([low[i] + (high[i] - low[i]) * k / (RESOLUTION - 1) for k in range(RESOLUTION)] for i in (0, 1))
    with no_grad():
        scores = [[float(score([x, y])) for x in xs] for y in ys]
    right = sum([(y > 0) == (evaluate(score, [x]) > 0) for x, y in samples])
    spec = {"kind": "boundary", "title": title, "low": low, "high": high, "scores": scores}
    spec["samples"] = [[float(x[0]), float(x[1]), int(y)] for x, y in samples]
    return Chart(spec, f"{title}: {right} of {len(samples)} samples are on the side of their class")
