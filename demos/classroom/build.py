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
PYODIDE = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"]
TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # of files in the archive, so that the same files make the same archive


class BuildError(Exception):
    """The site was not built; the message says what to do."""


def build(out: Path) -> int:
    """Write the site into the folder ``out``, in place of one that is there. Returns its size in bytes."""
    if out.exists() and any(out.iterdir()) and not (out / "service-worker.js").is_file():
        raise BuildError(f"{out} holds something else than a built classroom; give a new folder with --out")
    node = find_npm()
    with tempfile.TemporaryDirectory() as folder:
        site, files = Path(folder, "site"), Path(folder, "python")
        site.mkdir()
        install(files, Path(folder))
        archive(files, site / "python.zip")
        bundle(node, site)
        for name in ("index.html", "style.css", "icon.svg"):
            shutil.copy(HERE / "web" / name, site)
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
    shutil.copytree(ROOT / "micrograd", source / "micrograd", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "install", "--no-deps", "--no-compile", "--target", str(target), str(source), *PACKAGES])
    shutil.copytree(HERE / "python" / "classroom", target / "classroom", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "demos" / "datasets.py", target)
    shutil.copy(HERE / "python" / "classroom" / "plots.py", target)  # the lesson imports it under this name
    if (HERE / "engine").is_dir():
        shutil.copytree(HERE / "engine", target / "classroom" / "engine")


def archive(folder: Path, path: Path) -> None:
    """All files of a folder in one archive, but for compiled parts, which are for this machine."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(folder.rglob("*")):
            relative = name.relative_to(folder)
            if name.is_file() and name.suffix not in {".so", ".pyd", ".pyi", ".c"} and relative.parts[0] != "bin":
                file.writestr(zipfile.ZipInfo(relative.as_posix(), TIMESTAMP), name.read_bytes(), zipfile.ZIP_DEFLATED)


# ---- JavaScript's side -----------------------------------------------------------------------------------------------


def find_npm() -> str:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise BuildError(
            "building the classroom needs Node.js with npm: install it from https://nodejs.org,"
            " or with your system's packages (apt-get install nodejs npm)"
        )
    return npm


def bundle(npm: str, site: Path) -> None:
    """The page's scripts with their packages, the lesson's text, and Pyodide."""
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".installed"
    if not installed.is_file() or installed.read_bytes() != lock.read_bytes():
        run([npm, "ci", "--no-audit", "--no-fund", "--silent"], HERE)
        shutil.copy(lock, installed)
    run([npm, "run", "--silent", "bundle", "--", str(site)], HERE)
    (site / "pyodide").mkdir()
    for name in PYODIDE:
        shutil.copy(HERE / "node_modules" / "pyodide" / name, site / "pyodide")


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


def run(command: list[str], folder: Path | None = None) -> None:
    process = subprocess.run(command, cwd=folder, check=False, stdin=subprocess.DEVNULL)
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
