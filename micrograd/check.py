"""Check gradients against central differences.

>>> gradcheck(lambda x, y: x * y.tanh(), [2.0, 0.5])
True
"""

import math
import sys
from collections.abc import Callable, Iterable, Sequence

from micrograd.engine import Value, number
from micrograd.higher import gradients

__all__ = ["GradientError", "KinkError", "gradcheck"]


class GradientError(ValueError):
    """A gradient differs from the slope that central differences show.

    >>> gradcheck(lambda x: x * x.data, [3.0])  # .data is a plain number: no gradient
    Traceback (most recent call last):
    micrograd.check.GradientError: input 0 = 3.0: the gradient is 3, central differences say 6 (relative difference 0.5)
    """


class KinkError(GradientError):
    """The function has a kink at this input: its slopes to the left and to the right differ.

    >>> gradcheck(lambda x: x.relu(), [0.0])
    Traceback (most recent call last):
    micrograd.check.KinkError: input 0 = 0.0 is at a kink: the slope is 0 to the left, 1 to the right
    """


def gradcheck(
    fn: Callable[..., Value], inputs: Sequence[float | Value], rtol: float = 1e-6, atol: float = 1e-8
) -> bool:
    """Compare ∂fn/∂input for every input with central differences; True if all agree.

    >>> gradcheck(lambda a, b: a * b.exp(), [2.0, 0.5])
    True

    Args:
        fn: builds a Value from as many Values as there are inputs.
        inputs: numbers, or leaf Values whose labels the error then shows; they are not changed.
        rtol, atol: they agree if ``|gradient - slope| <= atol + rtol * max(|gradient|, |slope|)``.

    Raises:
        TypeError: an argument, or what ``fn`` returns, is of another kind.
        GradientError: names the input, both numbers and the relative difference.
        KinkError: the slopes to the two sides differ, so that there is no derivative to compare with.
    """
    if not callable(fn):
        raise TypeError(f"gradcheck: expected a function first, got {fn!r}; write gradcheck(function, inputs)")
    if not isinstance(inputs, Iterable):
        raise TypeError(f"gradcheck: expected a list of inputs, got {inputs!r}; write [{inputs!r}]")
    inputs = list(inputs)
    rtol, atol = number(rtol), number(atol)
    points = [number(v.data if isinstance(v, Value) else v) for v in inputs]
    names = [getattr(v, "label", "") or f"input {i}" for i, v in enumerate(inputs)]
    leaves = [Value(x, label=name) for x, name in zip(points, names)]
    output = fn(*leaves)
    if not isinstance(output, Value):
        raise TypeError(f"gradcheck: the function must return a Value, got {output!r} ({type(output).__name__})")
    if not output.parents and output.role == "parameter" and not any(output is leaf for leaf in leaves):
        raise ValueError(
            "gradcheck: the function returned a new Value, which depends on no input; compute with the inputs, not "
            "with their data"
        )
    for i, gradient in enumerate(gradients(output, leaves)):

        def along(x: float, i: int = i) -> float:
            return float(fn(*[Value(x if k == i else point) for k, point in enumerate(points)]))

        slope, bound = _slope(along, points[i], f"{names[i]} = {points[i]}")
        difference = abs(gradient.data - slope)
        size = max(abs(gradient.data), abs(slope))
        if not difference <= atol + bound + rtol * size:
            raise GradientError(
                f"{names[i]} = {points[i]}: the gradient is {gradient.data:.10g}, central differences say {slope:.10g} "
                f"(relative difference {difference / size if size else math.inf:.2g})"
            )
    return True


def _slope(f: Callable[[float], float], x: float, where: str) -> tuple[float, float]:
    """The derivative of f at x, and a bound of the rounding error in it.

    Central differences, extrapolated to a step of 0 (Richardson), over steps that double from tiny ones. Rounding makes
    each an interval, as wide as the step is small. The widest step wins whose interval still meets those of all smaller
    ones (Lepski's rule): beyond it, what f does elsewhere begins to show. So no step has to be guessed.
    """
    _require_no_kink(f, x, where)
    h = 2.0**-40 * (abs(x) or 1.0)
    low, high = -math.inf, math.inf
    best, bound, previous = math.nan, math.inf, math.nan
    while h < 0.1 * max(1.0, abs(x)):
        above, below = x + h, x - h
        try:
            right, left = f(above), f(below)
        except ValueError:  # beyond the function's domain
            break
        central = (right - left) / (above - below)
        slope = (4 * previous - central) / 3  # nan for the first step, which has no half
        rounding = 64 * sys.float_info.epsilon * (max(abs(right), abs(left)) + abs(x * central)) / h
        previous, h = central, 2 * h
        if math.isnan(slope):
            continue
        if slope + rounding < low or slope - rounding > high:
            break
        low, high = max(low, slope - rounding), min(high, slope + rounding)
        best, bound = slope, rounding
    if math.isnan(best):
        raise GradientError(f"{where}: the function is not defined on both sides, so there is no slope to compare with")
    if bound > 1e-2 * max(1.0, abs(best)):
        raise GradientError(f"{where}: rounding hides the slope, {best:.3g} ± {bound:.3g}; nothing can be compared")
    return best, bound


def _require_no_kink(f: Callable[[float], float], x: float, where: str) -> None:
    """Slopes to the right and to the left differ by h · f″ where f is smooth, by a fixed amount at a kink."""
    middle, gaps = f(x), []
    for h in [step * max(1.0, abs(x)) for step in (1e-4, 1e-6, 1e-8)]:
        try:
            right, left = (f(x + h) - middle) / h, (middle - f(x - h)) / h
        except ValueError:
            return
        rounding = 8 * sys.float_info.epsilon * abs(middle) / h
        gaps.append(max(0.0, abs(right - left) - rounding))
    if gaps[2] > 0.5 * gaps[1] > 0.25 * gaps[0] and gaps[2] > 1e-5 * (abs(left) + abs(right)):
        raise KinkError(f"{where} is at a kink: the slope is {left:.6g} to the left, {right:.6g} to the right")
