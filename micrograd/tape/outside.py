"""Plain numbers that a function takes from outside, looked at again before its tape is used again.

>>> scale = [1.0]
>>> outside = Outside(lambda x: scale[0] * x)
>>> outside.changed()
>>> scale[0] = 2.0
>>> outside.changed()
'scale[0]'

Looked at, by identity, are the globals that are named in the function's code, the cells of its closure, its defaults,
and one level of what is in these: the attributes that the code names, those of their classes too, and the items of
short lists, tuples and dicts.
Deeper places, and those that other functions take numbers from, are left to the checks.
"""

import functools
from collections.abc import Collection, Iterator, Mapping
from operator import is_
from types import CellType, CodeType, FunctionType, MemberDescriptorType, MethodType
from typing import Any

from micrograd.engine import Value

MOST = 64  # items of a list, tuple or dict
MOST_OF_ARRAYS = 1024  # which are compared much faster
_MISSING = object()


class Outside:
    """The places that a function takes numbers from, and what was there."""

    def __init__(self, function: Any) -> None:
        self._entries: list[tuple[str, Mapping[str, Any], str, Any]] = []  # of dicts: name, dict, key, what was there
        self._cells: list[tuple[str, CellType, Any]] = []
        self._slots: list[tuple[str, Any, str, Any]] = []  # of objects without a dict
        self._items: list[tuple[str, Any, tuple[Any, ...]]] = []  # of lists and dicts
        self._bytes: list[tuple[str, Any, bytes]] = []  # of arrays
        while isinstance(function, functools.partial):
            for k, argument in enumerate([*function.args, *function.keywords.values()]):
                self._inside(f"argument {k}", argument, set())
            function = function.func
        instance: Any = None
        if isinstance(function, MethodType):
            instance, function = function.__self__, function.__func__
        elif not isinstance(function, FunctionType):
            instance, function = function, getattr(type(function), "__call__", None)  # noqa: B004  # its function
        if isinstance(function, FunctionType):
            self._look(function, instance)

    def _look(self, function: FunctionType, instance: Any) -> None:
        names, scope = set(names_in(function.__code__)), function.__globals__
        self._inside("self", instance, names)
        for name in sorted(names & scope.keys()):
            self._entries.append((name, scope, name, scope[name]))
            self._inside(name, scope[name], names)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self._cells.append((name, cell, _content(cell)))
            self._inside(name, _content(cell), names)
        for k, default in enumerate([*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]):
            self._inside(f"default {k}", default, names)

    def _inside(self, name: str, thing: Any, names: set[str]) -> None:
        """Note what is one level below ``thing``."""
        if isinstance(thing, (list, tuple, dict)):
            if len(thing) <= MOST:
                self._items.append((name, thing, _items(thing)))
        elif str(getattr(getattr(thing, "dtype", None), "kind", "O")) in "biuf" and thing.size <= MOST_OF_ARRAYS:
            self._bytes.append((name, thing, thing.tobytes()))  # an array
        elif not isinstance(thing, (FunctionType, MethodType, Value)):  # what is in a Value changes at each step
            attributes = getattr(thing, "__dict__", {})
            for key in sorted(names):
                shown = f"{name}.{key}"
                if key in attributes:
                    self._entries.append((shown, attributes, key, attributes[key]))
                    continue
                classes = thing.__mro__ if isinstance(thing, type) else type(thing).__mro__
                holder: Mapping[str, Any] = next((vars(kind) for kind in classes if key in vars(kind)), {})
                if isinstance(holder.get(key), MemberDescriptorType):
                    self._slots.append((shown, thing, key, getattr(thing, key, _MISSING)))
                elif holder and not hasattr(holder[key], "__get__"):  # no method, nor a property
                    self._entries += [(shown, attributes, key, _MISSING), (shown, holder, key, holder[key])]

    def takes(self, thing: object, names: Collection[str]) -> bool:
        """Whether the function takes one of these attributes of that object."""
        return any([holder is vars(thing) and key in names for _, holder, key, _ in self._entries])

    def changed(self) -> str | None:
        """The name of a place where something else is now; None if there is none."""
        for name, holder, key, before in self._entries:
            if holder.get(key, _MISSING) is not before:
                return name
        for name, thing, key, before in self._slots:
            if getattr(thing, key, _MISSING) is not before:
                return name
        for name, cell, before in self._cells:
            if _content(cell) is not before:
                return name
        for name, thing, items in self._items:
            now = _items(thing)
            if len(now) != len(items) or not all(map(is_, now, items)):
                at = [k for k, (a, b) in enumerate(zip(now, items)) if a is not b]
                return f"{name}[{at[0] if at else len(items)}]"
        for name, array, content in self._bytes:
            if array.tobytes() != content:
                return name
        return None


def names_in(code: CodeType) -> Iterator[str]:
    """The names in a function's code and in that of the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return _MISSING


def _items(thing: Any) -> tuple[Any, ...]:
    return (*thing, *thing.values()) if isinstance(thing, dict) else tuple(thing)
