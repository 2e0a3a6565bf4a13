"""Where an engine is: the folder to import from and the module and class, for what people write at a prompt.

>>> locate("my_engine:Value")
('', 'my_engine:Value')
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from micrograd.conformance.discover import BACKWARD, CLASSES

_SKIPPED = {"tests", "test", "venv", "env", "build", "dist", "node_modules", "site-packages", "__pycache__"}
_MOST_FILES = 300


def locate(text: str) -> tuple[str, str]:
    """The folder and the "module:name" for a module, a file, or a folder that holds an engine.

    "" as the folder is the current one. Raises FileNotFoundError for a path where nothing is, and ValueError for a
    file of another kind, and for a folder in which no class looks like an engine.
    """
    path, name = Path(text), ""
    if not path.exists() and ":" in text:
        before, _, after = text.rpartition(":")
        path, name = Path(before), after
    if not path.exists() and path.suffix != ".py":
        return "", text
    if not path.exists():
        raise FileNotFoundError(f"expected a file, got {path}, which does not exist")
    if path.is_file() and path.suffix != ".py":
        raise ValueError(f"expected a Python file, such as my_engine.py, got {path}")
    if path.is_dir() and not name:
        path, name = _engine_in(path)
    elif path.is_dir():
        return str(path.resolve().parent), f"{path.name}:{name}"
    root, module = _module_of(path.resolve())
    return str(root), f"{module}:{name}" if name else module


def submissions(folder: Path) -> list[Path]:
    """The Python files and the folders in it, by name."""
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "_"))]
    return [path for path in entries if path.suffix == ".py" or (path.is_dir() and path.name not in _SKIPPED)]


def _module_of(file: Path) -> tuple[Path, str]:
    """The folder to import from, and the dotted name: packages are those folders that have an __init__.py."""
    root, parts = file.parent, [file.stem]
    while (root / "__init__.py").exists() and root.name.isidentifier():
        parts.insert(0, root.name)
        root = root.parent
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return root, ".".join(parts)


def _engine_in(folder: Path) -> tuple[Path, str]:
    """The file and the class that look most like an engine; nothing is imported."""
    best: tuple[int, Path, str] | None = None
    broken = None
    for file in _python_files(folder):
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            broken = broken or file
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                score = _likeness(node)
                if score and (best is None or score > best[0]):
                    best = score, file, node.name
    if best:
        return best[1], best[2]
    if broken:
        return broken, ""  # its import says what is wrong
    raise ValueError(f"expected a class with a backward() in a Python file of {folder.name}, got none")


def _python_files(folder: Path) -> Iterator[Path]:
    count = 0
    for path in sorted(folder.rglob("*.py"), key=lambda p: (len(p.parts), p)):
        inside = path.relative_to(folder).parts[:-1]
        if any(part in _SKIPPED or part.startswith(".") for part in inside) or path.name.startswith("test_"):
            continue
        count += 1
        if count > _MOST_FILES:
            return
        yield path


def _likeness(node: ast.ClassDef) -> int:
    methods = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    arithmetic = bool(methods & {"__add__", "__mul__"})
    return (
        4 * bool(methods & set(BACKWARD)) * arithmetic
        + 2 * arithmetic * (node.name in CLASSES)
        + (node.name in CLASSES)
    )
