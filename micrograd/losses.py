"""The error of one sample's prediction, as a graph. Each is stable for scores of ±1000.

>>> float(hinge(Value(0.25), 1)), float(squared_error([Value(1.0), 2.0], [0.0, 4.0]))
(0.75, 5.0)
"""

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from micrograd.engine import Value, as_value, dot, logsumexp, pick

__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "l2", "squared_error"]


def squared_error(prediction: Any, target: Any) -> Value:
    """Σ (pᵢ - tᵢ)², of a number and a number or of a list and a list of the same length.

    >>> squared_error([Value(3.0), Value(0.0)], [1.0, 1.0]).data     # 2² + (-1)²
    5.0
    """
    if not hasattr(prediction, "__len__") and not hasattr(target, "__len__"):
        difference: Value = as_value(prediction) - target
        return difference**2
    try:
        lengths = len(prediction), len(target)
    except TypeError:
        raise TypeError(
            f"squared_error: expected two numbers, or two lists, got {prediction!r:.60} and {target!r:.60}"
        ) from None
    if lengths[0] != lengths[1]:
        raise ValueError(f"squared_error: got {lengths[0]} predictions but {lengths[1]} targets")
    differences = [as_value(p) - t for p, t in zip(prediction, target)]
    return dot(differences, differences)


def hinge(score: Value, label: Any) -> Value:
    """max(0, 1 - label · score), for a label of -1 or +1; another label raises ValueError.

    >>> score = Value(0.25)
    >>> hinge(score, 1).data, hinge(score, -1).data
    (0.75, 1.25)
    """
    _require_one("hinge", score)
    if not (isinstance(number := _number(label), Real) and number in (-1, 1)):
        raise ValueError(f"hinge: the label must be -1 or +1, got {number!r}; for labels 0 and 1, pass 2 * label - 1")
    if isinstance(label, Value):
        label = _label_in([-1.0, 1.0], (label + 1) / 2)
    margin: Value = as_value(score) * label
    return (1 - margin).relu()


def binary_cross_entropy(logit: Value, label: Any) -> Value:
    """-label · log p - (1 - label) · log(1 - p), where p = sigmoid(logit), for a label from 0 to 1.

    Written with log p = -softplus(-logit), which neither overflows nor loses digits.

    >>> round(binary_cross_entropy(Value(0.0), 1).data, 4)  # p = ½: log 2
    0.6931
    """
    _require_one("binary_cross_entropy", logit)
    if not (isinstance(number := _number(label), Real) and 0 <= float(number) <= 1):
        raise ValueError(f"binary_cross_entropy: the label must be from 0 to 1, got {number!r}")
    logit = as_value(logit)
    if not isinstance(label, Value) and label in (0, 1):
        return (-logit if label else logit).softplus()
    if isinstance(label, Value):
        label = _label_in([label], (-label).relu() + (label - 1).relu())  # at place 0 if it is from 0 to 1
    error: Value = label * (-logit).softplus() + (1 - label) * logit.softplus()
    return error


def cross_entropy(scores: Sequence[Value], label: Any) -> Value:
    """-log softmax(scores)[label], for one score per class and a whole label from 0 to len(scores) - 1.

    >>> round(cross_entropy([Value(1.0), Value(1.0)], 0).data, 4)    # two equal scores: log 2
    0.6931
    """
    if not hasattr(scores, "__len__"):
        raise TypeError(
            f"cross_entropy: expected a list of scores, one for each class, got {scores!r}; "
            "for a single score, use binary_cross_entropy"
        )
    if not len(scores):
        raise ValueError("cross_entropy: expected one score at least, got none")
    total = logsumexp(scores)
    if isinstance(label, Real) and float(label).is_integer():
        label = int(float(label))
    try:
        return total - as_value(pick(scores, label))
    except (TypeError, ValueError) as cause:
        raise type(cause)(
            f"cross_entropy: the label must be the whole number of a class, from 0 to {len(scores) - 1}, "
            f"got {_number(label)!r}"
        ) from cause


def _require_one(loss: str, score: Any) -> None:
    if isinstance(score, (list, tuple)):
        raise TypeError(f"{loss}: expected one score, got a list of {len(score)}; for one per class, use cross_entropy")


def _number(label: Any) -> Any:
    """The number of a label, which may be a Value."""
    return label.data if isinstance(label, Value) else label


def _label_in(values: Sequence[Any], place: Value) -> Any:
    """The label, as the one of ``values`` at ``place``, so that the check of the label is part of the graph."""
    return pick(values, place)


def l2(parameters: Iterable[Value]) -> Value:
    """Σ w², to be scaled and backpropagated once a batch beside the samples' losses.

    >>> l2([Value(3.0), Value(4.0)]).data
    25.0
    """
    if not isinstance(parameters, Iterable):
        raise TypeError(f"l2: expected a list of Values, got {parameters!r:.60}; write l2(model.parameters())")
    parameters = list(parameters)
    return dot(parameters, parameters)
