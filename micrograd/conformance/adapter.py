r"""What an engine calls things, and the cases in its words.

An ``Adapter`` rewrites a case's code into an engine's own words, so that what is run is what is shown:

>>> adapter = Adapter("from my_engine import Scalar", "Scalar({x})", data="{v}.val", functions={"tanh": "tanh({x})"})
>>> print(adapter.translate("a = Value(0.5)\ny = a.tanh()\nprint(y.data)"))
a = Scalar(0.5)
y = tanh(a)
print(y.val)

``discover`` finds these texts by trying. An engine that it does not understand comes with a dictionary of them, for
example ``names`` in a file ``my_names.py``, run as ``python -m micrograd.conformance my_names:names``.
"""

import ast
import math
from dataclasses import dataclass, field
from typing import Any


class AdapterError(ValueError):
    """Nothing that looks like an engine was found, or not all of what every engine has."""


@dataclass
class Adapter:
    """Texts that stand for what the cases write.

    Attributes:
        setup: lines that import the engine.
        value: stands for ``Value(x)``, with ``{x}`` for the number.
        data, grad: stand for ``v.data`` and ``v.grad``, with ``{v}`` for the value.
        backward: stands for ``v.backward()``.
        functions: for "tanh", "exp" and so on, a text with ``{x}`` for the operand; others are not offered.
        helpers: for "MLP", "SGD", "accumulate" and "gradients", the line that imports it; others are not offered.
        offers: what else there is, of ``Case.needs``.
        double: whether numbers are kept to 16 digits; arrays of float32 keep 7.
        namespace: the names that the code runs with; if there are none, ``setup`` is run to get them.
        name: of the engine, with its version if that is known.
    """

    setup: str
    value: str = "Value({x})"
    data: str = "{v}.data"
    grad: str = "{v}.grad"
    backward: str = "{v}.backward()"
    functions: dict[str, str] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    offers: set[str] = field(default_factory=lambda: {"state"})
    double: bool = True
    namespace: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def offered(self, need: str) -> bool:
        if need == "double":
            return self.double
        return need in self.functions or need in self.helpers or need in self.offers

    def translate(self, code: str) -> str:
        """``code`` in the engine's words, so that it can be pasted at a prompt: a block ends with an empty line."""
        lines = []
        for statement in _Words(self).visit(ast.parse(code)).body:
            block = hasattr(statement, "body")
            lines.append(ast.unparse(statement).strip().replace("\n\n", "\n") + "\n" * block)
        return "\n".join(lines)

    def imports(self, code: str) -> str:
        """The lines that the translated ``code`` needs before it."""
        used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        lines = self.setup.splitlines() + [line for line in self.helpers.values() if line and line.split()[-1] in used]
        return "\n".join(dict.fromkeys(lines))

    def environment(self, imports: str) -> dict[str, Any]:
        """The names that translated code runs with."""
        names = dict(self.namespace)
        if not names:
            exec(imports, names)
        return names

    def known_names(self) -> dict[str, str]:
        """What a report says of how the engine was understood."""
        return {"value": self.value, "data": self.data, "grad": self.grad, "backward": self.backward, **self.functions}


class _Words(ast.NodeTransformer):
    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func
        if isinstance(called, ast.Name) and called.id == "Value":
            return _fill(self.adapter.value, x=node.args[0])
        if isinstance(called, ast.Attribute) and not node.args:
            if called.attr == "backward":
                return _fill(self.adapter.backward, v=called.value)
            if called.attr in self.adapter.functions:
                return _fill(self.adapter.functions[called.attr], x=called.value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr not in ("data", "grad"):
            return node
        filled = _fill(self.adapter.data if node.attr == "data" else self.adapter.grad, v=node.value)
        if isinstance(filled, (ast.Attribute, ast.Subscript)):
            filled.ctx = node.ctx
        return filled


def _fill(template: str, **parts: ast.expr) -> ast.expr:
    """The expression that a text stands for, with parts in the places of ``{x}`` or ``{v}``."""
    marks = {f"_{name}_": part for name, part in parts.items()}

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return marks.get(node.id, node)

    body = ast.parse(template.format(**{name: f"_{name}_" for name in parts}), mode="eval").body
    filled: ast.expr = Fill().visit(body)
    return filled


def plain(thing: Any, inner: str = "data") -> float | None:
    """A real number out of what an engine keeps: also out of an array of one, or of a value within a value.

    None where there is no real number in it.
    """
    for _ in range(4):
        if isinstance(thing, (bool, int, float)):
            return float(thing)
        if isinstance(thing, complex):
            return None
        if isinstance(thing, (list, tuple)) and len(thing) == 1:
            thing = thing[0]
        elif hasattr(type(thing), "item"):
            try:
                thing = thing.item()
            except Exception:  # an array of several
                return None
        elif hasattr(thing, inner):
            thing = getattr(thing, inner)
        else:
            try:
                return float(thing) if not isinstance(thing, str) else None
            except Exception:  # no number
                return None
    return None


def close(got: float, right: float, double: bool) -> bool:
    """Whether two numbers agree: to 9 digits, or 4 for an engine that keeps 7."""
    if math.isnan(got) or math.isinf(got):
        return got == right
    digits = 1e-9 if double else 1e-4
    tiny = 0 < abs(right) < 1e-100  # such a number is what the case is about
    return abs(got - right) <= digits * (abs(right) if tiny else max(abs(right), 1.0))
