"""Loss curves by name, as the lesson's plots take them, in a notebook and in a browser."""

from typing import Any

from micrograd.train import History

MOST = 4  # in one picture: so many can be told apart


def named_curves(losses: History | dict[str, Any]) -> dict[str, list[float]]:
    """The curves of a History, training and held-out loss, or those of a dict, each a History or a list of numbers.

    Raises TypeError for anything else, ValueError for no curve, more than ``MOST``, and a curve without numbers.

    >>> named_curves({"train": [0.9, 0.5]})
    {'train': [0.9, 0.5]}
    """
    if isinstance(losses, History):
        named = {"train": losses.loss} | ({"held out": losses.held_out_loss} if losses.held_out_loss else {})
    elif isinstance(losses, dict):
        named = {name: curve.loss if isinstance(curve, History) else curve for name, curve in losses.items()}
    else:
        got = type(losses).__name__
        raise TypeError(f'show_loss: expected a History or curves by name, got {got}; write {{"train": losses}}')
    if not 1 <= len(named) <= MOST:
        raise ValueError(f"show_loss: expected 1 to {MOST} curves, got {len(named)}")
    for name, numbers in named.items():
        if not len(numbers):
            raise ValueError(f"show_loss: expected one loss at least, got none in {name!r}")
    return {name: [float(number) for number in numbers] for name, numbers in named.items()}


def in_words(title: str, named: dict[str, list[float]]) -> str:
    """Where each curve begins and ends, for those who do not see the picture.

    >>> in_words("Loss", {"train": [0.9, 0.5]})
    'Loss: train from 0.90 to 0.50'
    """
    return f"{title}: " + ", ".join(f"{name} from {ys[0]:.2f} to {ys[-1]:.2f}" for name, ys in named.items())
