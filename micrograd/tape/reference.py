"""What each instruction of a tape means, in NumPy, for all samples at once: the specification, and a replay.

Machine code is compared with it in the tests, and where there is no compiler, in a browser say, it replays tapes.

``V`` holds the numbers of the rows, (rows, samples), and ``S`` the shared ones; ``G`` and ``D`` hold the derivatives of
the loss by each of them. ``forward`` fills the rows that an instruction computes; ``backward`` adds, to the derivatives
by its operands, those by its results times its slopes. In the prelude, S and D are taken for V and G, with one sample.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from micrograd.tape import symbols
from micrograd.tape.columns import Array
from micrograd.tape.symbols import CALLS, OPERATIONS, Symbol
from micrograd.tape.tape import Dot, Instruction, Layer, LogSumExp, Map, Pick, Tape, outputs

CHUNK_OPERANDS = 1 << 23  # of the samples that are one piece of work, so that memory has a bound


class Program:
    """A tape, replayed by NumPy. It has the methods of ``machine.Program``, and the same numbers to rounding.

    Raises ``Untraceable`` for a primitive whose rules are more than arithmetic.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        for i in (*tape.prelude, *tape.body):
            if isinstance(i, Map):  # raise now what cannot be traced
                _rule(i.op, len(i.operands), len(i.constants)), _slopes(i.op, len(i.operands), len(i.constants))
        self.chunk = max(CHUNK_OPERANDS // max(tape.size, 1), 1)

    def gradient(self, parameters: Array, columns: Array, chosen: Array) -> tuple[float, Array]:
        """The sum of the first result over the columns ``chosen``, and its gradient by the parameters.

        The sum is nan if a number on the way, a slope or the gradient is not finite.
        """
        tape, n = self.tape, len(chosen)
        with np.errstate(all="ignore"):
            V, S = self._forward(parameters, columns[:, chosen])
            G, D = np.zeros((tape.n_rows, n)), np.zeros(tape.n_shared)
            G[tape.results[0]] = 1.0
            finite = bool(np.isfinite(V).all() and np.isfinite(S).all())
            for i in reversed(tape.body):
                finite &= backward(i, V, S, G, D, tape.active_rows)
            for i in reversed(tape.prelude):
                finite &= backward(i, S[:, None], S, D[:, None], D, tape.active_shared)
            gradient = D[: len(tape.parameters)]
            finite &= bool(np.isfinite(gradient).all())
            return float(V[tape.results[0]].sum()) if finite else math.nan, gradient

    def results(self, parameters: Array, columns: Array, chosen: Array) -> Array:
        """All results, (samples, results)."""
        with np.errstate(all="ignore"):
            V, _ = self._forward(parameters, columns[:, chosen])
            return V[self.tape.results].T

    def _forward(self, parameters: Array, inputs: Array) -> tuple[Array, Array]:
        tape = self.tape
        V, S = np.zeros((tape.n_rows, inputs.shape[1])), np.zeros(tape.n_shared)
        V[0], V[1 : 1 + tape.n_inputs] = 1.0, inputs
        numbers = [*parameters, *tape.constants]
        S[: len(numbers)] = numbers
        for i in tape.prelude:
            forward(i, S[:, None], S)
        for i in tape.body:
            forward(i, V, S)
        return V, S


def _elementwise(name: str, function: Callable[..., float]) -> Callable[..., Any]:
    """A function of ``math`` on arrays: NumPy's where it has one, and nan where ``math`` raises an error."""
    numpy_name = {"tgamma": "", "lgamma": "", "pow": "power", "atan2": "arctan2"}.get(name, name)
    if name.startswith("a") and name != "atan2":
        numpy_name = name.replace("a", "arc", 1)
    if hasattr(np, numpy_name):
        return getattr(np, numpy_name)  # type: ignore[no-any-return]

    def defined(*operands: float) -> float:
        try:
            return function(*operands)
        except (ArithmeticError, ValueError):
            return math.nan

    return lambda *operands: np.frompyfunc(defined, len(operands), 1)(*operands).astype(np.float64)


MEANING: dict[str, Callable[..., Any]] = (
    OPERATIONS
    | {name: _elementwise(name, function) for name, function in CALLS.items()}
    | {"select": np.where, "uno": lambda a, b: np.isnan(a) | np.isnan(b)}
)
_rule, _slopes = lru_cache(symbols.forward), lru_cache(symbols.partials)


def evaluate(results: Sequence[Symbol], arguments: Sequence[Any]) -> list[Any]:
    """The values of traced expressions, their arguments being arrays or numbers."""
    found: dict[int, Any] = {}
    for symbol in symbols.ordered(results):
        if symbol.op == "argument":
            found[id(symbol)] = arguments[symbol.args[0]]
        elif symbol.op == "number":
            found[id(symbol)] = symbol.args[0]
        else:
            found[id(symbol)] = MEANING[symbol.op](*[found[id(a)] for a in symbol.args])
    return [found[id(result)] for result in results]


def forward(i: Instruction, V: Array, S: Array) -> None:
    match i:
        case Layer(inputs, units):
            total = np.repeat(S[[u.start for u in units], None], V.shape[1], axis=1)
            weights = np.array([u.weights for u in units], dtype=np.intp)
            for k, x in enumerate(inputs):  # a product is rounded before it is added, in this order
                total += S[weights[:, k], None] * V[x]
            V[[u.y for u in units]] = total
        case Dot(y, a, b, start, zero):
            sums = np.full(V.shape[1], zero) if start is None else V[start].copy()
            for p, q in zip(a, b):
                sums += V[p] * V[q]
            V[y] = sums
        case Map(op, z, operands, count, constants):
            arguments = [*[V[rows] for rows in _operand_rows(i)], *[S[s] for s in constants]]
            V[z : z + count] = evaluate([_rule(op, len(operands), len(constants))], arguments)[0]
        case LogSumExp(y, operands):
            rows = V[list(operands)]
            V[y + 1], V[y + 2] = rows.max(axis=0), 0.0
            for row in np.exp(rows - V[y + 1]):
                V[y + 2] += row
            V[y] = V[y + 1] + np.log(V[y + 2])
        case Pick(y, index, values, shared):
            place = _places(V[index], len(values))
            chosen = np.array(values)[np.maximum(place, 0)]
            picked = S[chosen] if shared else V[chosen, np.arange(V.shape[1])]
            V[y] = np.where(place < 0, math.nan, picked)


def backward(i: Instruction, V: Array, S: Array, G: Array, D: Array, active: set[int]) -> bool:
    """Whether all slopes are finite. Rows that are not active, since they depend on no parameter, are left out."""
    if active.isdisjoint(outputs(i)):
        return True
    match i:
        case Layer(inputs, units):
            g, x = G[[u.y for u in units]], list(inputs)
            weights = np.array([u.weights for u in units], dtype=np.intp).reshape(len(units), len(x))
            _add(D, np.array([u.start for u in units]), g.sum(axis=1))
            _add(D, weights, g @ V[x].T)
            _add(G, np.array(x, dtype=np.intp), S[weights].T @ g)
        case Dot(y, a, b, start):
            if start is not None:
                G[start] += G[y]
            for p, q in zip(a, b):
                G[p] += G[y] * V[q]
                G[q] += G[y] * V[p]
        case Map(op, z, operands, count, constants):
            g, rules = G[z : z + count].copy(), _slopes(op, len(operands), len(constants))
            places = _operand_rows(i)
            arguments = [V[z : z + count], *[V[rows] for rows in places], *[S[s] for s in constants]]
            wanted = [k for k, rows in enumerate(places) if not active.isdisjoint(range(rows.start, rows.stop))]
            slopes = evaluate([rules[k] for k in wanted], arguments)
            for k, slope in zip(wanted, slopes):
                terms = g * slope
                G[places[k]] += terms.sum(axis=0, keepdims=True) if k in i.fixed else terms
            return all([bool(np.isfinite(slope).all()) for slope in slopes])
        case LogSumExp(y, operands):
            shares = np.exp(V[list(operands)] - V[y + 1]) / V[y + 2]
            _add(G, np.array(operands), G[y] * shares)
        case Pick(y, index, values, shared):
            chosen = np.array(values)[np.maximum(_places(V[index], len(values)), 0)]
            if shared:
                np.add.at(D, chosen, G[y])
            else:
                G[chosen, np.arange(V.shape[1])] += G[y]
    return True


def _add(to: Array, places: Array, terms: Array) -> None:
    """Add to these places, of which some may be the same one."""
    if (np.diff(places.ravel()) > 0).all():  # each is another, which goes faster
        to[places] += terms
    else:
        np.add.at(to, places, terms)


def _operand_rows(i: Map) -> list[slice]:
    """The rows of each operand: as many as results, or one for all."""
    return [slice(x, x + (1 if j in i.fixed else i.count)) for j, x in enumerate(i.operands)]


def _places(index: Array, count: int) -> Array:
    """The index as whole numbers; -1 where it is not one from 0 to count - 1."""
    good = (index >= 0) & (index < count) & (index == np.floor(index))
    return np.where(good, index, -1).astype(np.intp)
