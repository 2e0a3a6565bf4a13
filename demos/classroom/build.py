"""Build the classroom: a static site on which this package runs in a browser, with nothing to install.

    python demos/classroom/build.py --out site
    python -m http.server --directory site

It needs Node.js with npm, and PyPI and the npm registry once. All versions are pinned: here, and in package-lock.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What micrograd uses in the browser: DOT sources, and the page that steps through a batch.
PACKAGES = ["graphviz==0.21", "jinja2==3.1.6", "markupsafe==3.0.3"]
PAGE = ["index.html", "style.css", "icon.svg"]
FORMULAS = Path("katex", "dist")  # the style of formulas, and their fonts
PYODIDE = ["pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "pyodide-lock.json"]
LIBRARY = "python_stdlib.zip"
MODULES = HERE / "node_modules"
NO_CACHE = shutil.ignore_patterns("__pycache__")


class BuildError(Exception):
    """The site was not built; the message says what to do."""


def build(out: Path) -> int:
    """Write the site into the folder ``out``, in place of one that is there. Returns its size in bytes."""
    site_or_new = not out.exists() or (out / "service-worker.js").is_file() or (out.is_dir() and not any(out.iterdir()))
    if not site_or_new:
        raise BuildError(f"{out} is something else than a built classroom; give a new folder with --out")
    find("npm")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site, files = folder / "site", folder / "python"
        (site / "pyodide").mkdir(parents=True)
        install(files, folder)
        archive(files, folder / "python.zip")
        install_packages()
        precompile(folder / "python.zip", site / "python.zip", "packages")
        run([find("node"), "bundle.mjs", str(site)])
        for name in PAGE:
            shutil.copy(HERE / "web" / name, site)
        for name in PYODIDE:
            shutil.copy(MODULES / "pyodide" / name, site / "pyodide")
        shutil.copy(MODULES / LIBRARY, site / "pyodide")
        copy_formulas(site / "katex")
        write_service_worker(site)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(site, out)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


# ---- Python's side ---------------------------------------------------------------------------------------------------


def install(target: Path, folder: Path) -> None:
    """What Python imports in the browser: the package and what it uses, the data sets, the classroom's own files."""
    source = folder / "source"  # a copy: a build in the checkout would take in what an earlier build left there
    source.mkdir()
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "micrograd", source / "micrograd", ignore=NO_CACHE)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "install", "--no-deps", "--no-compile", "--target", str(target), str(source), *PACKAGES])
    shutil.copytree(HERE / "python" / "classroom", target / "classroom", ignore=NO_CACHE)
    for name in ("datasets.py", "curves.py"):  # which the notebook imports, too
        shutil.copy(ROOT / "demos" / name, target)
    shutil.copy(HERE / "python" / "classroom" / "plots.py", target)  # the lesson imports it under this name
    shutil.copytree(HERE / "engine", target / "classroom" / "engine", ignore=NO_CACHE)


def archive(folder: Path, path: Path) -> None:
    """All files of a folder in one archive, but for compiled parts and records of this machine."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(folder.rglob("*")):
            relative = name.relative_to(folder)
            local = name.suffix in {".so", ".pyd", ".pyi", ".c"} or name.name in {"direct_url.json", "RECORD"}
            if name.is_file() and not local and relative.parts[0] != "bin":
                file.write(name, relative)


# ---- JavaScript's side -----------------------------------------------------------------------------------------------


def find(program: str) -> str:
    """The path of node or npm."""
    path = shutil.which(program)
    if path is None:
        raise BuildError(
            f"building the classroom needs Node.js with npm: found no {program}; install it from https://nodejs.org,"
            " or with your system's packages (apt-get install nodejs npm)"
        )
    return path


def install_packages() -> None:
    """The npm packages, and Python's standard library compiled, unless this very script has put them there already."""
    sources = [HERE / "package-lock.json", HERE / "precompile.mjs", Path(__file__)]
    installed, stamp = (
        MODULES / ".installed",
        hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest(),
    )
    if installed.is_file() and installed.read_text(encoding="utf-8") == stamp:
        return
    run([find("npm"), "ci", "--no-audit", "--no-fund", "--silent"])
    precompile(MODULES / "pyodide" / LIBRARY, MODULES / LIBRARY, "library")
    installed.write_text(stamp, encoding="utf-8")


def precompile(source: Path, target: Path, kind: str) -> None:
    run([find("node"), "precompile.mjs", str(source), str(target), kind])


def copy_formulas(folder: Path) -> None:
    """What formulas are drawn with: browsers differ in the fonts that they have for them, and many have none."""
    (folder / "fonts").mkdir(parents=True)
    shutil.copy(MODULES / FORMULAS / "katex.min.css", folder)
    for font in (MODULES / FORMULAS / "fonts").glob(
        "*.woff2"
    ):  # the style names older formats too; no one asks for them
        shutil.copy(font, folder / "fonts")


def write_service_worker(site: Path) -> None:
    """The service worker gets the list of files, and a version that changes with any of them."""
    code = (HERE / "web" / "service-worker.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(code.encode())
    for name in files_of(site):
        digest.update(name.encode())
        digest.update((site / name).read_bytes())
    listed = ["./" if name == "index.html" else name for name in files_of(site)]
    head = f"const VERSION = {json.dumps(digest.hexdigest()[:16])};\nconst FILES = {json.dumps(listed)};\n"
    (site / "service-worker.js").write_text(head + code, encoding="utf-8", newline="\n")


def files_of(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())


def run(command: list[str]) -> None:
    process = subprocess.run(command, cwd=HERE, check=False, stdin=subprocess.DEVNULL)
    if process.returncode:
        raise BuildError(f"this command failed, for the reason above: {' '.join(command)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the classroom, a static site.")
    parser.add_argument("--out", type=Path, default=Path("site"), help="the folder to write (default: site)")
    out = parser.parse_args().out
    try:
        size = build(out)
    except BuildError as error:
        raise SystemExit(f"{error}") from None
    print(f"{out}: {size / 1e6:.1f} MB; to serve it: {Path(sys.executable).name} -m http.server --directory {out}")


if __name__ == "__main__":
    main()
