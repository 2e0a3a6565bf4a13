"""The command line that demos share."""

import argparse
from pathlib import Path


def parser(description: str, seed: bool = True) -> argparse.ArgumentParser:
    """A parser with --out and, unless nothing is drawn by lot, --seed, to which a demo adds its own options."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if seed:
        result.add_argument("--seed", type=int, default=0, help="of whatever is drawn by lot (default: %(default)s)")
    result.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="for pictures (default: out)")
    return result


def write(picture, path: Path) -> None:
    """Write a graph picture or a page to ``path``, in the format that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if hasattr(picture, "pipe"):
        path.write_bytes(picture.pipe(path.suffix[1:]))
    else:
        picture.save(path)
    print("wrote", path)
