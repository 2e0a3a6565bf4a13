"""What a reader sees in a picture, and what tests of pictures share."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from micrograd import Value
from micrograd.pictures import render

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
RENDERERS = sorted({path for path in (render.find_dot(), render._installed()) if path})


def texts(picture):
    """What a reader sees: lines of text, by the id of the box (v…), ellipse (o…) or edge; twin edges share one."""
    seen = {}
    for element in ElementTree.fromstring(picture.pipe("svg")).iter(f"{SVG}g"):
        if element.get("class") in {"node", "edge"}:
            lines = [text.text.replace("\xa0", " ") for text in element.iter(f"{SVG}text")]
            seen.setdefault(element.findtext(f"{SVG}title"), []).append(lines)
    return seen


def fields(picture):
    """The texts of the boxes, in the order of the graph."""
    boxes = {name: lines for name, [lines, *_] in texts(picture).items() if re.fullmatch(r"v\d+", name)}
    return [boxes[name] for name in sorted(boxes, key=lambda name: int(name[1:]))]


def edges(source):
    return Counter(re.findall(r"^\t([vo]\d+ -> [vo]\d+)", source, re.MULTILINE))


def python(code, **environment):
    """What code prints, run in a new interpreter with no environment but the one given."""
    environment = {"PYTHONPATH": str(ROOT), "SYSTEMROOT": os.environ.get("SYSTEMROOT", ""), **environment}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return run.stdout


def cells(source):
    """The texts of the boxes, by their names."""
    return {
        name: [text for text in re.findall(r">([^<>]+)<", table) if text != ">"]
        for name, table in re.findall(r"^\t+(v\d+) \[label=<(.*)>\]", source, re.MULTILINE)
    }


def chain(length):
    node = Value(1.0)
    with_one = Value(1.0)
    for _ in range(length - 2):
        node = node + with_one
    return node
