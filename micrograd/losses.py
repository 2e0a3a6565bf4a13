"""The error of one sample's prediction, as a graph. Each is stable for scores of ±1000.

>>> float(hinge(Value(0.25), 1)), float(squared_error([Value(1.0), 2.0], [0.0, 4.0]))
(0.75, 5.0)
"""

import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from micrograd.engine import Value, as_value, dot, logsumexp


def squared_error(prediction: Any, target: Any) -> Value:
    """Σ (pᵢ - tᵢ)², of a number and a number or of a list and a list of the same length."""
    if not hasattr(prediction, "__len__") and not hasattr(target, "__len__"):
        difference: Value = as_value(prediction) - target
        return difference**2
    try:
        lengths = len(prediction), len(target)
    except TypeError:
        raise TypeError(f"a prediction and a target of one shape are wanted; got {prediction!r}, {target!r}") from None
    if lengths[0] != lengths[1]:
        raise ValueError(f"as many predictions as targets are wanted; got {lengths[0]} and {lengths[1]}")
    differences = [as_value(p) - t for p, t in zip(prediction, target)]
    return dot(differences, differences)


def hinge(score: Value, label: float) -> Value:
    """max(0, 1 - label · score), for a label of -1 or +1; another label raises ValueError."""
    if label not in (-1, 1):
        raise ValueError(f"hinge wants a label of -1 or +1; got {label!r} (for labels 0 and 1, pass 2 * label - 1)")
    return (1 - as_value(score) * label).relu()


def binary_cross_entropy(logit: Value, label: float) -> Value:
    """-label · log p - (1 - label) · log(1 - p), where p = sigmoid(logit), for a label from 0 to 1.

    Written with log p = -softplus(-logit), which neither overflows nor loses digits.
    """
    if not (isinstance(label, Real) and 0 <= label <= 1):
        raise ValueError(f"binary cross-entropy wants a label from 0 to 1; got {label!r}")
    logit = as_value(logit)
    if label in (0, 1):
        return (-logit if label else logit).softplus()
    return label * (-logit).softplus() + (1 - label) * logit.softplus()


def cross_entropy(scores: Sequence[Value], label: int) -> Value:
    """-log softmax(scores)[label], for one score per class and a whole label from 0 to len(scores) - 1."""
    try:
        index = operator.index(label)
    except TypeError:
        raise TypeError(f"cross-entropy wants a whole number as label; got {label!r}") from None
    if not 0 <= index < len(scores):
        raise ValueError(f"the label of {len(scores)} classes is from 0 to {len(scores) - 1}; got {index}")
    return logsumexp(scores) - scores[index]


def l2(parameters: Iterable[Value]) -> Value:
    """Σ w², to be scaled and backpropagated once a batch beside the samples' losses."""
    parameters = list(parameters)
    return dot(parameters, parameters)
