"""Compile the rule of an optimizer to a loop over parameters, for ``kernels.train`` to call.

The rule is called once on Values; the graph that they record is written as Python, a line for each operation:

>>> from micrograd.optim import SGD
>>> optimizer = SGD([Value(1.0)], lr=0.1, momentum=0.9)
>>> print(_written(*_recorded(SGD, 3, optimizer.settings))[0])
def rule(columns, new, settings, n):
    C, N = numba.carray(columns, (3, n)), numba.carray(new, (2, n))
    s0, s1, s2, s3, s4 = numba.carray(settings, 5)
    for i in range(n):
        c0, c1, c2 = C[0, i], C[1, i], C[2, i]
        t0 = mul(s2, c2)
        t1 = add(t0, c1)
        t2 = mul(s0, t1)
        t3 = sub(c0, t2)
        N[0, i], N[1, i] = t3, t1
    return 0.0
"""

import hashlib
import math
from collections.abc import Sequence
from functools import lru_cache, partial
from numbers import Real
from typing import Any

import numba

from micrograd import ops
from micrograd.engine import Value, recording
from micrograd.graph import topological_order
from micrograd.ops import Primitive
from micrograd.tape import vector
from micrograd.tape.compiled import kept_on_disk
from micrograd.tape.loops import FORWARD, numeric

Settings = tuple[tuple[str, Any], ...]  # names and what they stand for
_loops: dict[str, Any] = {}  # by their source


@lru_cache
def compiled_rule(kind: Any, columns: int, settings: Settings) -> tuple[int, Sequence[float]]:
    """The address of the loop for an optimizer of this class with such settings, and the numbers to give to it.

    The loop takes addresses: of columns, of parameters, their gradients, and the state; of as many but one, for what is
    new; and of numbers, the learning rate, the number of the step, and those of the settings. At last it takes how many
    parameters there are.
    """
    numbers, leaves, results = _recorded(kind, columns, settings)
    source, scope = _written(numbers, leaves, results)
    if source not in _loops:
        exec(compile(source, __file__, "exec"), scope)  # numba keeps code on disk only if it has a file
        rule = scope["rule"]
        rule.__name__ += "_" + hashlib.sha1(source.encode()).hexdigest()[:12]
        compiler = partial(numba.cfunc, FORWARD)
        _loops[source] = kept_on_disk(compiler, rule, ops, vector, error_model="numpy")
    return _loops[source].address, tuple([number.data for number in numbers])


def _recorded(kind: Any, columns: int, settings: Settings) -> tuple[list[Value], list[Value], Sequence[Value]]:
    """The numbers among the settings, after learning rate and step; a number of each column; and what the rule makes of
    them.
    """
    numbers = [Value(0.1), Value(1.0)]

    def symbols(setting: Any) -> Any:
        if isinstance(setting, tuple):
            return tuple(map(symbols, setting))
        if not isinstance(setting, Real):
            return setting
        numbers.append(Value(setting))
        return numbers[-1]

    optimizer = object.__new__(kind)
    vars(optimizer).update({name: symbols(setting) for name, setting in settings}, lr=numbers[0], steps=numbers[1])
    leaves = [Value(1.0) for _ in range(columns)]
    with recording(Value):
        return numbers, leaves, optimizer.rule(*leaves)


def _written(
    settings: Sequence[Value], columns: Sequence[Value], results: Sequence[Value]
) -> tuple[str, dict[str, Any]]:
    """The source of the loop, and what it uses."""
    names = {v: f"s{k}" for k, v in enumerate(settings)} | {v: f"c{k}" for k, v in enumerate(columns)}
    varying = set(columns)
    before, within = list[str](), list[str]()  # the loop
    functions: dict[Primitive, str] = {}
    nodes = dict.fromkeys([node for result in results for node in topological_order(result)])
    for k, node in enumerate(nodes):
        row = node.op
        function = functions.setdefault(row, row.name if row.constant is None else f"{row.name}{len(functions)}")
        operands = [names.get(v) or repr(v.data) for v in node.parents]
        names[node] = f"t{k}"
        line = f"{names[node]} = {function}({', '.join(operands)})"
        if varying.isdisjoint(node.parents):
            before.append(line)
        else:
            varying.add(node)
            within.append(line)
    lines = [
        "def rule(columns, new, settings, n):",
        f"    C, N = numba.carray(columns, ({len(columns)}, n)), numba.carray(new, ({len(results)}, n))",
        f"    {', '.join(names[v] for v in settings)} = numba.carray(settings, {len(settings)})",
        *[f"    {line}" for line in before],
        "    for i in range(n):",
        f"        {', '.join(names[v] for v in columns)} = {', '.join(f'C[{k}, i]' for k in range(len(columns)))}",
        *[f"        {line}" for line in within],
        f"        {', '.join(f'N[{k}, i]' for k in range(len(results)))} = {', '.join(names[v] for v in results)}",
        "    return 0.0",
    ]
    scope = {name: numeric(row) for row, name in functions.items()}
    return "\n".join(lines), scope | {"numba": numba, "inf": math.inf, "nan": math.nan, "__name__": __name__}
