"""Check gradients against central differences.

>>> gradcheck(lambda x, y: x * y.tanh(), [2.0, 0.5])
True
"""

import math
import sys
from collections.abc import Callable, Sequence

from micrograd.engine import Value, gradients, no_grad


class GradientError(ValueError):
    """A gradient differs from the slope that central differences show."""


class KinkError(GradientError):
    """The function has a kink at this input: its slopes to the left and to the right differ."""


def gradcheck(
    fn: Callable[..., Value], inputs: Sequence[float | Value], rtol: float = 1e-6, atol: float = 1e-8
) -> bool:
    """Compare ∂fn/∂input for every input with central differences; True if all agree.

    Args:
        fn: builds a Value from as many Values as there are inputs.
        inputs: numbers, or leaf Values whose labels the error then shows; they are not changed.
        rtol, atol: they agree if |gradient - slope| ≤ atol + rtol · max(|gradient|, |slope|).

    Raises:
        GradientError: names the input, both numbers and the relative difference.
        KinkError: the slopes to the two sides differ, so that there is no derivative to compare with.
    """
    points = [float(v) for v in inputs]
    names = [getattr(v, "label", "") or f"input {i}" for i, v in enumerate(inputs)]
    leaves = [Value(x, label=name) for x, name in zip(points, names)]
    output = fn(*leaves)
    if not isinstance(output, Value):
        raise TypeError(f"gradcheck wants a function that returns a Value; got {output!r}")
    for i, gradient in enumerate(gradients(output, leaves)):

        def along(x: float, i: int = i) -> float:
            with no_grad():
                return float(fn(*[Value(x if k == i else point) for k, point in enumerate(points)]))

        slope, bound = _slope(along, points[i], f"{names[i]} = {points[i]}")
        if bound > max(1e-3, 1e-3 * abs(slope)):
            raise GradientError(
                f"{names[i]} = {points[i]}: central differences do not settle (slope {slope} ± {bound})"
            )
        difference = abs(gradient.data - slope)
        size = max(abs(gradient.data), abs(slope))
        if not difference <= atol + bound + rtol * size:
            raise GradientError(
                f"{names[i]} = {points[i]}: the gradient is {gradient.data:.10g}, central differences say {slope:.10g} "
                f"(relative difference {difference / size if size else math.inf:.2g})"
            )
    return True


def _slope(f: Callable[[float], float], x: float, where: str) -> tuple[float, float]:
    """The derivative of f at x and a bound of its error, by Ridders' method (Adv. Eng. Software 4, 1982).

    Central differences over steps halved again and again are extrapolated to a step of 0, whose error is a power series
    in h². The entry of the table that differs least from its neighbours wins: it balances the error of the series
    with rounding, which grows as h shrinks, so that no step has to be guessed.
    """
    _require_no_kink(f, x, where)
    h = 0.1 * max(1.0, abs(x))
    best, bound = math.nan, math.inf
    above: list[float] = []
    for _ in range(16):
        h /= 2
        try:
            row = [(f(x + h) - f(x - h)) / (2 * h)]
        except ValueError:  # x ± h is outside of the function's domain: come closer
            above = []
            continue
        for j, previous in enumerate(above, start=1):
            row.append(row[-1] + (row[-1] - previous) / (4**j - 1))
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - previous))
            if error < bound:
                best, bound = row[-1], error
        above = row
    if math.isnan(best):
        raise GradientError(f"{where}: the function is not defined on both sides, so there is no slope to compare with")
    return best, bound


def _require_no_kink(f: Callable[[float], float], x: float, where: str) -> None:
    """Slopes to the right and to the left differ by h · f″ where f is smooth, by a fixed amount at a kink."""
    middle, gaps = f(x), []
    for h in (1e-4 * max(1.0, abs(x)), 1e-6 * max(1.0, abs(x))):
        try:
            right, left = (f(x + h) - middle) / h, (middle - f(x - h)) / h
        except ValueError:
            return
        rounding = 8 * sys.float_info.epsilon * abs(middle) / h
        gaps.append(max(0.0, abs(right - left) - rounding))
    if gaps[1] > 0.5 * gaps[0] and gaps[1] > 1e-5 * (abs(left) + abs(right)):
        raise KinkError(f"{where} is at a kink: the slope is {left:.6g} to the left, {right:.6g} to the right")
