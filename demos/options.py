"""The command line that demos share."""

import argparse
from pathlib import Path


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with --seed and --out, to which a demo adds its own options."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
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
