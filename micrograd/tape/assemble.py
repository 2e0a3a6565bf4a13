"""Write the instructions of a lowered graph into the flat lists of a tape, as kernels take them.

Rows are numbered anew, in the order of their computation, so that like operations, which stand side by side, work on
rows that do; then one instruction does them all. Weights of layers are packed, four units by four inputs.
"""

from collections.abc import Collection, Sequence

from micrograd.tape.instructions import LAYER, LOGSUMEXP, MAP, PICK_SHARED, WEIGHTS, Tape

Instruction = tuple[int, int, list[int], int]  # op, n, args, flags; a layer's args are its inputs
Unit = tuple[int, list[int], int]  # of a layer: y, weights, bias
Layers = dict[tuple[int, ...], list[Unit]]  # by their inputs


def assemble(
    tape: Tape, prelude: Sequence[Instruction], body: Sequence[Instruction], layers: Layers, active: Collection[int]
) -> None:
    """Fill the lists of ``tape``; ``active`` are the shared scalars whose derivatives are wanted."""
    body, layers = _renumbered(tape, body, layers)
    packed: dict[tuple[int, ...], int] = {}
    for instructions in prelude, body:
        tape.prelude = len(tape.code)
        for op, n, args, flags in instructions:
            if op == LAYER:
                units = layers[tuple(args)]
                wanted = any([s in active for _, weights, bias in units for s in [*weights, bias]])
                tape.emit(op, len(units), *_packed(tape, packed, args, units), flags | WEIGHTS * wanted)
            elif op == MAP and len(tape.code) > tape.prelude and _continues(tape, n, args, flags):
                _, at, m, _, _ = tape.code[-1]
                tape.code[-1] = op, at, m + 1, n, flags
            else:
                tape.emit(op, 1, n, args, flags)


def _renumbered(tape: Tape, body: Sequence[Instruction], layers: Layers) -> tuple[list[Instruction], Layers]:
    order = [*range(1 + tape.n_inputs)]
    for op, _, args, _ in body:
        order += [y for y, _, _ in layers[tuple(args)]] if op == LAYER else args[: 1 + (op == LOGSUMEXP)]
    new = {row: k for k, row in enumerate(dict.fromkeys(order))}
    tape.results = [new[row] for row in tape.results]
    moved = []
    for op, n, args, flags in body:
        rows = 2 if op == PICK_SHARED else len(args)
        moved.append((op, n, [*[new[a] for a in args[:rows]], *args[rows:]], flags))
    return moved, {
        tuple([new[x] for x in inputs]): [(new[y], weights, bias) for y, weights, bias in units]
        for inputs, units in layers.items()
    }


def _packed(
    tape: Tape, places: dict[tuple[int, ...], int], inputs: list[int], units: list[Unit]
) -> tuple[int, list[int]]:
    """The number of a layer's inputs and its arguments, both filled up to fours.

    ``places`` are of the weights in the tape so far: layers may have the same ones, as positions in a text do.
    """
    zero = len(tape.parameters) + tape.constants.index(0.0)
    rows = [*inputs, *[0] * (-len(inputs) % 4)]
    filling = [zero] * (len(rows) - len(inputs))
    units = [*units, *[(0, [zero] * len(inputs), zero)] * (-len(units) % 4)]
    weights: list[int] = []
    for k in range(0, len(units), 4):
        weights += [s for four in zip(*[[bias, *w, *filling] for _, w, bias in units[k : k + 4]]) for s in four]
    place = places.setdefault(tuple(weights), len(tape.weights))
    if place == len(tape.weights):
        tape.weights += weights
    return len(rows), [*rows, *[y for y, _, _ in units], place]


def _continues(tape: Tape, n: int, args: list[int], flags: int) -> bool:
    """Whether a MAP does to the next rows what the instruction before does."""
    op, at, m, *before = tape.code[-1]
    return op == MAP and before == [n, flags] and args == [a + m for a in tape.args[at : at + 3]]
