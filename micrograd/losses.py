"""The error of one sample's prediction, as a graph. Each is stable for scores of ±1000.

>>> float(hinge(Value(0.25), 1)), float(squared_error([Value(1.0), 2.0], [0.0, 4.0]))
(0.75, 5.0)
"""

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from micrograd.engine import Value, as_value, dot, logsumexp, pick


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


def hinge(score: Value, label: Any) -> Value:
    """max(0, 1 - label · score), for a label of -1 or +1; another label raises ValueError."""
    if not (isinstance(number := _number(label), Real) and number in (-1, 1)):
        raise ValueError(f"hinge wants a label of -1 or +1; got {number!r} (for labels 0 and 1, pass 2 * label - 1)")
    if isinstance(label, Value):
        label = _label_in([-1.0, 1.0], (label + 1) / 2)
    margin: Value = as_value(score) * label
    return (1 - margin).relu()


def binary_cross_entropy(logit: Value, label: Any) -> Value:
    """-label · log p - (1 - label) · log(1 - p), where p = sigmoid(logit), for a label from 0 to 1.

    Written with log p = -softplus(-logit), which neither overflows nor loses digits.
    """
    if not (isinstance(number := _number(label), Real) and 0 <= float(number) <= 1):
        raise ValueError(f"binary cross-entropy wants a label from 0 to 1; got {number!r}")
    logit = as_value(logit)
    if not isinstance(label, Value) and label in (0, 1):
        return (-logit if label else logit).softplus()
    if isinstance(label, Value):
        label = _label_in([label], (-label).relu() + (label - 1).relu())  # at place 0 if it is from 0 to 1
    error: Value = label * (-logit).softplus() + (1 - label) * logit.softplus()
    return error


def cross_entropy(scores: Sequence[Value], label: Any) -> Value:
    """-log softmax(scores)[label], for one score per class and a whole label from 0 to len(scores) - 1."""
    if not hasattr(scores, "__len__"):
        raise TypeError(
            f"cross-entropy wants a list of scores, one for each class; got {scores!r} "
            "(of a single score, take binary_cross_entropy)"
        )
    if not len(scores):
        raise ValueError("cross-entropy wants one score at least; got 0 classes")
    total = logsumexp(scores)
    if isinstance(label, Real) and float(label).is_integer():
        label = int(float(label))
    try:
        return total - as_value(pick(scores, label))
    except (TypeError, ValueError) as cause:
        raise type(cause)(
            f"cross-entropy wants as label the whole number of a class, from 0 to {len(scores) - 1}; "
            f"got {_number(label)!r}"
        ) from cause


def _number(label: Any) -> Any:
    """A label's number, of one on a tape too."""
    return label.data if isinstance(label, Value) else label


def _label_in(values: Sequence[Any], place: Value) -> Any:
    """The label, as the one of ``values`` at ``place``: so a tape holds the check, and stops at a label without one."""
    return pick(values, place)


def l2(parameters: Iterable[Value]) -> Value:
    """Σ w², to be scaled and backpropagated once a batch beside the samples' losses."""
    parameters = list(parameters)
    return dot(parameters, parameters)
