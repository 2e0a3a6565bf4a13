"""Choose what replays a tape: machine code where there is a compiler, else NumPy."""

from importlib.util import find_spec

from micrograd.tape.lanes import Program
from micrograd.tape.tape import Tape


def program_of(tape: Tape) -> Program:
    """The tape as a program. Raises Untraceable for a primitive whose rules are more than arithmetic."""
    if find_spec("llvmlite") is None:
        from micrograd.tape import reference

        return reference.Program(tape)
    from micrograd.tape import machine

    return machine.Program(tape)
