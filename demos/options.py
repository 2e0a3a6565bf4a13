"""The command line that demos share: a wrong option is told before anything is computed."""

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path


def whole(least: int = 1, most: float = math.inf) -> Callable[[str], int]:
    """For ``type=``: a whole number from ``least``, to ``most``."""
    bounds = f"from {least}" + f" to {most}" * (most < math.inf)

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number {bounds}, got {text!r}")
        return int(text)

    return parse


def number(text: str) -> float:
    """For ``type=``: any number but infinity and nan."""
    try:
        result = float(text)
    except ValueError:
        result = math.nan
    if not math.isfinite(result):
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
    return result


def positive(text: str) -> float:
    """For ``type=``: a number above 0."""
    result = number(text)
    if result <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return result


def folder(text: str) -> Path:
    """For ``type=``: a folder that can be written to; it is made if there is none."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"no folder can be made there: {error}") from error
    if not os.access(path, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} cannot be written to")
    return path


def parser(description: str, seed: bool = True, out: bool = True, epochs: int | None = None) -> argparse.ArgumentParser:
    """A parser with --seed, unless nothing is drawn by lot, --out, unless nothing is written, and --epochs, if given.

    A demo adds its own options.
    """
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if seed:
        seeds = whole(0, 2**32 - 1)  # those that scikit-learn takes
        result.add_argument(
            "--seed", type=seeds, default=0, metavar="N", help="of whatever is drawn by lot (default: %(default)s)"
        )
    if epochs is not None:
        times = "times through the samples (default: %(default)s)"
        result.add_argument("--epochs", type=whole(), default=epochs, metavar="N", help=times)
    if out:
        result.add_argument("--out", type=folder, default="out", metavar="DIR", help="for pictures (default: out)")
    return result


def say_if_interrupted(history) -> None:
    """After Ctrl-C, what follows is that of a training that was not finished."""
    if history.interrupted:
        print(f"interrupted after {len(history.loss)} epochs; what follows is of the weights as they are")


def write(picture, path: Path) -> None:
    """Write a graph picture or a page to ``path``, in the format that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if hasattr(picture, "pipe"):
        path.write_bytes(picture.pipe(path.suffix[1:]))
    else:
        picture.save(path)
    print("wrote", path)
