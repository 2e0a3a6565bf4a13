"""The reference: which names are public, a page for each module that has some, and the table of operations.

A name is public if its module's ``__all__`` lists it. So a new module is in the reference as soon as it has one.
"""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import micrograd
from micrograd import ops

PACKAGE = Path(micrograd.__file__).parent


def modules() -> list[ModuleType]:
    """The modules that have public names; but not ``micrograd`` itself, which collects its names from them."""
    paths = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if "\n__all__ = " in path.read_text("utf-8")]
    names = [".".join(["micrograd", *path.with_suffix("").parts]).removesuffix(".__init__") for path in sorted(paths)]
    return [import_module(name) for name in names if name != "micrograd"]


def index() -> str:
    """The first page of the reference: each module and its names, and the menu."""
    source = [
        _title("Reference"),
        "Every public name, each with an example that runs; by alphabet in the",
        ":ref:`index <genindex>`.\n",
    ]
    source += [":doc:`operations`", "   What each operation computes, and its local derivatives.\n"]
    for module in modules():
        names = ", ".join([f":obj:`~{module.__name__}.{name}`" for name in _in_order(module)])
        summary = (module.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        source += [f":doc:`{_short(module)} <{module.__name__}>`", f"   {summary}\n", f"   {names}\n"]
    tree = ["operations", *[f"{_short(module)} <{module.__name__}>" for module in modules()]]
    return "\n".join([*source, ".. toctree::", "   :hidden:\n", *[f"   {name}" for name in tree], ""])


def _short(module: ModuleType) -> str:
    return module.__name__.removeprefix("micrograd.")


def page(module: ModuleType) -> str:
    """The page of a module: what it is for, how its names are imported, and each of them."""
    source = [_title(module.__name__), ".. code-block:: python\n", *[f"   {line}" for line in _imports(module)], ""]
    source += [f".. automodule:: {module.__name__}\n"]
    for name in _in_order(module):
        thing = getattr(module, name)
        kind = "class" if inspect.isclass(thing) else "function" if inspect.isroutine(thing) else "data"
        kind = "exception" if kind == "class" and issubclass(thing, Exception) else kind
        source += [f".. auto{kind}:: {module.__name__}.{name}", *_options(thing, kind), ""]
    return "\n".join(source)


def _options(thing: object, kind: str) -> list[str]:
    """What Sphinx shows of it beside signature and docstring."""
    if kind == "function":
        return []
    if kind == "data":
        return ["   :no-value:"]
    bases = [(base.__name__, import_module(base.__module__)) for base in thing.__bases__]
    is_public = any([name in getattr(module, "__all__", ()) for name, module in bases])
    return ["   :members:", "   :show-inheritance:" * is_public]


def _in_order(module: ModuleType) -> list[str]:
    """The public names as a reader of the file meets them."""
    return sorted(module.__all__, key=list(vars(module)).index)


def _imports(module: ModuleType) -> Iterator[str]:
    """How the names of a module are imported: from ``micrograd`` where that has them."""
    last = module.__name__.rpartition(".")[2]
    if last in micrograd.__all__ and getattr(micrograd, last) is module:
        yield f"from micrograd import {last}"
        return
    short = [name for name in module.__all__ if name in micrograd.__all__]
    if short:
        yield f"from micrograd import {', '.join(short)}"
    rest = [name for name in module.__all__ if name not in short]
    if rest:
        yield f"from {module.__name__} import {', '.join(rest)}"


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"


# ---- the table of operations -----------------------------------------------------------------------------------------

OPERANDS = {"where": (1.0, 2.0, 3.0), "dot": (1.0, 2.0, 3.0, 4.0), "logsumexp": (1.0, 2.0), "pick": (2.0, 3.0, 1)}


def operations() -> str:
    """The page with the table of operations: each row's symbol, local derivatives, and an example that is computed."""
    source = [
        _title("The table of operations"),
        "Each row of ``micrograd.ops.TABLE``: the symbol in pictures, the local derivative by each operand, where",
        "``z`` is the result, and an example with its slopes. ``from micrograd.ops import tanh`` brings a function of",
        "numbers and Values. :func:`~micrograd.ops.power` makes the row for a number as exponent, and",
        ":func:`~micrograd.ops.primitive` adds a row.\n",
        ".. list-table::",
        "   :class: operations",
        "   :header-rows: 1\n",
    ]
    derivatives = _derivatives()
    rows = [("operation", "symbol", "local derivatives", "example", "its slopes")]
    rows += [_row(op, *derivatives[name]) for name, op in ops.TABLE.items()]
    for row in rows:
        source += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(row)]
    return "\n".join([*source, ""])


def _derivatives() -> dict[str, tuple[str, str]]:
    """The operands of each row and its local derivatives, as they are written in ``ops``."""
    found = {}
    for call in ast.walk(ast.parse(inspect.getsource(ops))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "primitive":
            name, _, rule = call.args[:3]
            slopes = rule.body.elts if isinstance(rule.body, ast.Tuple) else [rule.body]
            operands = ", ".join([operand.arg for operand in rule.args.args[1:]])
            shown = ", ".join(map(ast.unparse, slopes)).replace("_softmax", "softmax")  # the public one is the same
            found[ast.literal_eval(name)] = operands, shown
    return found


def _row(op: ops.Primitive, operands: str, derivatives: str) -> tuple[str, ...]:
    numbers = OPERANDS.get(op.name) or (0.5, 2.0)[: len(operands.split(", "))]
    result = op(*numbers)
    slopes = op.partials(result, *op.group(numbers))
    example = f"{op.name}({', '.join([f'{x:g}' for x in numbers])}) = {result:.4g}"
    shown = ", ".join([f"{slope:.4g}" for slope in slopes])
    return f"``{op.name}({operands})``", f"``{op.symbol}``", f"``{derivatives}``", f"``{example}``", f"``{shown}``"
