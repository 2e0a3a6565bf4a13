"""Finding out what an engine calls things, by trying names that engines use.

>>> adapter = load("micrograd:Value")
>>> adapter.data, adapter.functions["tanh"]
('{v}.data', '{x}.tanh()')
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from micrograd.conformance import functional
from micrograd.conformance.adapter import Adapter, AdapterError, plain
from micrograd.conformance.cases import FUNCTIONS, HELPERS

CLASSES = ("Value", "Scalar", "Tensor", "Var", "Variable", "Number", "Node", "Num", "Dual", "Parameter", "value")
DATA = ("data", "val", "value", "_data", "_value", "v", "x", "num", "number", "scalar", "item")
GRADIENTS = ("grad", "gradient", "derivative", "deriv", "grads", "_grad", "g", "dv", "adjoint", "bar", "der")
BACKWARD = ("backward", "backprop", "backpropagate", "back_propagate", "back", "backward_pass", "compute_gradients")
ALIASES = {"relu": ("relu", "ReLU", "Relu"), "log": ("log", "ln"), "sigmoid": ("sigmoid", "logistic", "sig")}
SIBLINGS = ("nn", "optim", "optimizers", "functional", "functions", "ops", "activations")


def load(spec: str, root: str = "") -> Adapter:
    """The adapter for "module:name", or for "module" alone, where the class is searched for.

    The name is that of a class of numbers, of a function such as ``grad`` that makes a gradient out of a function, or
    of a dictionary with the arguments of ``Adapter``. Raises AdapterError, and whatever the module raises.

    Args:
        spec: what to load.
        root: the folder that comes first where modules are searched for.
    """
    module_name, _, name = spec.partition(":")
    module = _imported(module_name)
    _require_from(root, module)
    if not name:
        name = _class_in(module)
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise AdapterError(f"expected {name} in {module_name}, got a module with {_public(module)}")
        found = getattr(found, part)
    first = name.partition(".")[0]
    setup = f"from {module_name} import {first}"
    if not all(part.isidentifier() for part in module_name.split(".")):
        setup = f"import importlib\n{first} = importlib.import_module({module_name!r}).{first}"
    adapter = adapt(found, setup, name, module)
    adapter.name = adapter.name or _versioned(f"{module_name}:{name}", module_name)
    return adapter


def adapt(engine: Any, setup: str, name: str, module: ModuleType | None = None) -> Adapter:
    """The adapter for a class, a function that differentiates, or a dictionary; ``setup`` is the line that imports it.

    With no ``setup``, ``name`` is defined where the code runs, as in a notebook.
    """
    if isinstance(engine, Mapping):
        return _given(engine)
    if not isinstance(engine, type):
        if callable(engine):
            return _function_style(engine, setup, name)
        raise AdapterError(f"expected a class, such as Value, got {engine!r:.60} ({type(engine).__name__})")
    return _Trial(engine, setup, name, module or inspect.getmodule(engine)).adapter()


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a module that the engine imports
        raise AdapterError(
            f"expected a file or an installed package, got {name}, which is neither; write my_engine.py, or "
            "my_package.module:Value"
        ) from error


def _require_from(root: str, module: ModuleType) -> None:
    """Raise AdapterError if a file in ``root`` was not imported, since its name belongs to another module."""
    top = module.__name__.partition(".")[0]
    mine = [path for path in (Path(root, f"{top}.py"), Path(root, top, "__init__.py")) if path.exists()]
    file = getattr(sys.modules[top], "__file__", None)
    if root and mine and not (file and Path(file).resolve().is_relative_to(Path(root).resolve())):
        raise AdapterError(f"expected an engine in {mine[0].name}, got another module named {top}; rename it")


def _given(names: Mapping[str, Any]) -> Adapter:
    """The adapter of a dictionary; ``setup`` may be a list of lines, ``offers`` any collection."""
    known = [field.name for field in fields(Adapter)]
    for key in names:
        if key not in known:
            raise AdapterError(f"expected the keys {', '.join(known)}, got {key!r}")
    if "setup" not in names:
        raise AdapterError("expected the key setup, the lines that import the engine, got none")
    given = dict(names)
    if isinstance(given["setup"], list):
        given["setup"] = "\n".join(given["setup"])
    if "offers" in given:
        given["offers"] = set(given["offers"])
    return Adapter(**given)


def _public(module: ModuleType) -> str:
    return ", ".join(name for name in vars(module) if not name.startswith("_"))[:200] or "nothing in it"


def _class_in(module: ModuleType) -> str:
    for name in CLASSES:
        if isinstance(getattr(module, name, None), type):
            return name
    for name, thing in vars(module).items():
        if isinstance(thing, type) and any(hasattr(thing, backward) for backward in BACKWARD):
            return name
    raise AdapterError(f"expected a class with a backward() in {module.__name__}, got {_public(module)}")


def _versioned(spec: str, module_name: str) -> str:
    """The name and version of the installed package that a module is from, else what was given."""
    from importlib import metadata  # noqa: PLC0415  # takes long to import, and so does the look at what is installed

    top = module_name.partition(".")[0]
    file = Path(getattr(sys.modules[top], "__file__", None) or "")
    try:
        for distribution in metadata.distributions(path=[str(file.parent), str(file.parent.parent)]):
            files = [path.parts[0] for path in distribution.files or () if path.suffix == ".py"]
            if top in files or f"{top}.py" in files:
                return f"{distribution.metadata['Name']} {distribution.version} ({spec})"
    except Exception:  # broken metadata of something installed
        return spec
    return spec


class _Trial:
    """One class, tried out until it is clear what it calls things."""

    def __init__(self, engine: type, setup: str, name: str, module: ModuleType | None) -> None:
        self.engine = engine
        self.setup = setup
        self.name = name
        self.module = module
        self.namespace: dict[str, Any] = {} if setup else {name: engine}
        exec(setup, self.namespace)

    def make(self, template: str, number: float) -> Any:
        return eval(template.format(x=number), self.namespace)

    def adapter(self) -> Adapter:
        value, data = self._value_and_data()
        backward = self._backward()
        grad = self._gradient(value, backward)
        found = Adapter(self.setup, value, data, grad, backward)
        found.double = self._double(found)
        for function in FUNCTIONS:
            template = self._function(function, value, found.helpers)
            if template:
                found.functions[function] = template
        for helper in HELPERS:
            line = self._helper(helper, value)
            if line is not None:
                found.helpers[helper] = line
        found.offers |= {need for need, holds in self._operators(value) if holds}
        if not self.setup:
            found.namespace = self.namespace
        return found

    def _value_and_data(self) -> tuple[str, str]:
        """How a value is made of a number, and where it keeps the number."""
        problem = ""
        fallback = None
        for arguments in ("{x}", "[{x}]", "{x}, requires_grad=True", "[{x}], requires_grad=True"):
            template = f"{self.name}({arguments})"
            try:
                value = self.make(template, 3.0)
            except Exception as error:  # a student's class may raise anything
                problem = problem or f"; {self.name}(3.0) raises {type(error).__name__}: {error}"
                continue
            there = [name for name in DATA if _has(value, name) and not callable(getattr(value, name))]
            for name in there:
                if plain(getattr(value, name)) == 3.0:
                    return template, f"{{v}}.{name}"
            for name, kept in getattr(value, "__dict__", {}).items():
                if plain(kept) == 3.0:
                    return template, f"{{v}}.{name}"
            if there and fallback is None:
                fallback = template, f"{{v}}.{there[0]}"
        if fallback is None:
            raise AdapterError(f"expected {self.name}(3.0) to keep its number in an attribute such as .data{problem}")
        return fallback

    def _backward(self) -> str:
        for name in BACKWARD:
            method = getattr(self.engine, name, None)
            if callable(method):
                return f"{{v}}.{name}(1.0)" if _requires_more(method) else f"{{v}}.{name}()"
        for name in BACKWARD:
            if callable(getattr(self.module, name, None)):
                return f"{inspect.getmodulename(getattr(self.module, '__file__', '') or '')}.{name}({{v}})"
        raise AdapterError(f"expected {self.name} to have a method backward(), got {', '.join(_methods(self.engine))}")

    def _gradient(self, value: str, backward: str) -> str:
        made = self.make(value, 3.0)
        there = [name for name in GRADIENTS if _has(made, name) and not callable(getattr(made, name))]
        if there:
            return f"{{v}}.{there[0]}"
        try:
            self.namespace["_a"] = made
            exec("_y = _a * _a\n" + backward.format(v="_y"), self.namespace)
            there = [name for name in GRADIENTS if _has(made, name)]
        except Exception:  # then nothing was found
            pass
        if not there:
            raise AdapterError(f"expected {self.name} to keep its gradient in an attribute such as .grad, got none")
        return f"{{v}}.{there[0]}"

    def _double(self, found: Adapter) -> bool:
        kept = plain(eval(found.data.format(v=f"({found.value.format(x=0.1)})"), dict(self.namespace)))
        return kept is None or kept == 0.1 or abs(kept - 0.1) > 1e-7

    def _function(self, function: str, value: str, helpers: dict[str, str]) -> str:
        for alias in ALIASES.get(function, (function,)):
            if callable(getattr(self.engine, alias, None)):
                return f"{{x}}.{alias}()"
        for module, alias, thing in self._exported(ALIASES.get(function, (function,))):
            if callable(thing) and self._computes(thing, value):
                helpers[f"function {function}"] = self._line(module, alias, thing)
                return f"{alias}({{x}})"
        return ""

    def _computes(self, function: Callable[..., Any], value: str) -> bool:
        try:
            return isinstance(function(self.make(value, 0.5)), self.engine)
        except Exception:  # a function of other things, as math.exp
            return False

    def _helper(self, helper: str, value: str) -> str | None:
        for module, name, thing in self._exported((helper,)):
            try:
                if self._usable(helper, thing, value):
                    return self._line(module, name, thing)
            except Exception:  # another thing of that name
                continue
        return None

    def _line(self, module: str, name: str, thing: Any) -> str:
        """The line that imports a thing; in a notebook it is there already."""
        if self.setup:
            return f"from {module} import {name}"
        self.namespace[name] = thing
        return ""

    def _usable(self, helper: str, thing: Any, value: str) -> bool:
        if helper == "MLP":
            net = thing(2, [2, 1])
            net([1.0, -2.0])
            return all(isinstance(p, self.engine) for p in net.parameters()) and callable(net.zero_grad)
        if helper == "SGD":
            return callable(thing([self.make(value, 1.0)], 0.1).step)
        needed = {"accumulate": "reduction", "gradients": "create_graph"}[helper]
        return needed in inspect.signature(thing).parameters

    def _exported(self, names: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
        """Things of those names in the engine's module, its packages, and modules beside it."""
        for module in self._modules():
            for name in names:
                if hasattr(module, name):
                    yield module.__name__, name, getattr(module, name)

    def _modules(self) -> Iterator[ModuleType]:
        if self.module is None:
            return
        yield self.module
        if not self.setup:
            return
        parent = self.module.__name__.rpartition(".")[0]
        here = Path(getattr(self.module, "__file__", None) or "").parent
        while parent:
            yield importlib.import_module(parent)
            parent = parent.rpartition(".")[0]
        package = self.module.__name__ if hasattr(self.module, "__path__") else self.module.__name__.rpartition(".")[0]
        for sibling in SIBLINGS:
            name = f"{package}.{sibling}" if package else sibling
            try:
                spec = importlib.util.find_spec(name)
                if spec and spec.origin and (package or Path(spec.origin).parent == here):
                    yield importlib.import_module(name)
            except Exception:  # it is not needed
                continue

    def _operators(self, value: str) -> Iterator[tuple[str, bool]]:
        def works(compute: Callable[[], Any]) -> bool:
            try:
                return isinstance(compute(), self.engine)
            except Exception:  # it is not offered
                return False

        yield "value ** value", works(lambda: self.make(value, 2.0) ** self.make(value, 3.0))
        yield "number ** value", works(lambda: 2 ** self.make(value, 3.0))
        yield "abs", hasattr(self.engine, "__abs__")


def _function_style(grad: Callable[..., Any], setup: str, name: str) -> Adapter:
    """An engine such as autograd: ``grad(f)`` is the derivative of f, and functions are beside NumPy's in a module."""
    package = (grad.__module__ or "").partition(".")[0]
    for candidate in (f"{package}.numpy", package, "math"):
        try:
            module = importlib.import_module(candidate)
        except ImportError:
            continue
        if callable(getattr(module, "tanh", None)):
            break
    lines = [setup, f"import {candidate} as functions", "from micrograd.conformance.functional import value_class"]
    lines += [f"Value, gradients = value_class({name}, functions)"]
    value, gradients = functional.value_class(grad, module)
    adapter = Adapter("\n".join(filter(None, lines)))
    adapter.offers = {"functional", "gradients", "abs", "value ** value", "number ** value"}
    adapter.functions = {f: f"{{x}}.{f}()" for f in FUNCTIONS if callable(getattr(module, f, None))}
    adapter.namespace = {"Value": value, "gradients": gradients}
    return adapter


def _has(thing: Any, name: str) -> bool:
    try:
        return hasattr(thing, name)
    except Exception:  # a property that raises
        return False


def _methods(engine: type) -> list[str]:
    return [name for name in dir(engine) if not name.startswith("_")] or ["no methods"]


def _requires_more(method: Callable[..., Any]) -> bool:
    """Whether a method takes an argument, beyond self, that has no default."""
    try:
        parameters = list(inspect.signature(method).parameters.values())[1:]
    except (TypeError, ValueError):
        return False
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
