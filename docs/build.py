"""Build the site: the README's pages, the lesson and the reference, as static files that need no network.

    .venv/bin/pip install -e '.[docs]' && .venv/bin/python docs/build.py --out site

A warning is an error. If the folder has the classroom in ``classroom/``, the home page leads there.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import reference
from sphinx.cmd.build import main as sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
MENU = {
    "Learn and teach": ["demos/lesson.ipynb", "docs/lessons.md", "docs/classroom.md", "docs/teachers.md"],
    "Use": ["docs/engine.md", "docs/training.md", "docs/tape.md", "docs/pictures.md"],
    "Trust": ["docs/promises.md", "benchmarks/conformance.md", "docs/speed.md", "benchmarks/README.md"],
    "Reference": ["reference/index.rst"],
    "The project": ["micrograd/tape/README.md", "CONTRIBUTING.md", "CHANGELOG.md"],
}
WAYS = """\
{{.ways}}
- [**The lesson**: from an expression to a trained network, in one hour](demos/lesson.ipynb)
{classroom}- [**For teachers**: grading a class, an engine of your own](docs/teachers.md)
- [**Demos**: each answers one question with a picture](docs/lessons.md)
- [**Reference**: every name, with an example](reference/index.rst)
"""
TREE = """\
```{{toctree}}
:hidden:
:caption: {caption}

{pages}
```
"""
CLASSROOM = '- <a href="classroom/index.html">**The classroom**: the lesson in this browser, nothing to install</a>\n'


def linked(page: Path) -> list[Path]:
    """The files that a page links to by a relative path."""
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    return [path for link in links if (path := (page.parent / link).resolve()).is_file()]


def sources() -> list[Path]:
    """The README, the pages beside this file, and all that they lead to."""
    found = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    for page in found:  # which grows meanwhile
        if page.suffix in {".md", ".ipynb"}:
            found += [path for path in dict.fromkeys(linked(page)) if path not in found]
    return found


def assemble(folder: Path, classroom: bool) -> None:
    """Put all that Sphinx reads into a folder, at the paths that it has in the repository."""
    for path in sources():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":  # the README becomes the home page
            text = path.read_text(encoding="utf-8")
            copy.write_text(re.sub(r"\]\(((?:\.\./)*)README\.md", r"](\1index.md", text), encoding="utf-8")
        else:
            shutil.copyfile(path, copy)
    (folder / "README.md").unlink()
    (folder / "index.md").write_text(home(classroom), encoding="utf-8")
    (folder / "reference").mkdir()
    pages = {module.__name__: reference.page(module) for module in reference.modules()}
    pages |= {"operations": reference.operations(), "index": reference.index()}
    for name, text in pages.items():
        (folder / "reference" / f"{name}.rst").write_text(text, encoding="utf-8")


def home(classroom: bool) -> str:
    """The README, with the ways that lead on after its first picture, and the menu."""
    head, title, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Set up\n")
    menu = {caption: list(pages) for caption, pages in MENU.items()}
    known = {page for pages in menu.values() for page in pages}
    menu["Use"] += sorted({f"docs/{path.name}" for path in DOCS.glob("*.md")} - known)
    trees = [TREE.format(caption=caption, pages="\n".join(pages)) for caption, pages in menu.items()]
    return "\n".join([head, WAYS.format(classroom=CLASSROOM * classroom), title + rest, *trees])


def main() -> int:
    """The command; its answer is 0 if there was nothing to complain of."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write the site to")
    out = parser.parse_args().out
    with TemporaryDirectory() as folder:
        source = Path(folder, "source")
        assemble(source, (out / "classroom" / "index.html").is_file())
        options = ["-W", "-q", "-b", "html", "-c", f"{DOCS}", "-d", f"{folder}/doctrees"]
        return sphinx([*options, f"{source}", f"{out}"])


if __name__ == "__main__":
    sys.exit(main())
