"""Record a loss function once, on one sample, and replay it for whole batches at the speed of compiled code.

>>> w = Value(2.0)
>>> loss = jit(lambda x, y: (w * x - y) ** 2)
>>> loss.map([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)])
array([ 1.,  9., 25.])
>>> print(loss.tape(1.0, 1.0))
tape of 2 instructions: 2 inputs, 1 parameters, 3 constants, 5 rows, 15 operands
r3 = p0·x1 + -1·x2
r4 = power(r3, 2)
return r4

A tape serves every sample of the shape that it was recorded on, and there is one for each shape. It has one path: what
the function decides by a value of the sample cannot be recorded and raises an error that says what to write instead.
Of what the function does behind the graph's back, such as reading ``.data``, a check by other samples tells.
"""

import functools
import linecache
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from micrograd.engine import Value, apply, gradients, is_recording, recording, untracked
from micrograd.graph import nodes
from micrograd.lower import Tape, lower
from micrograd.ops import Primitive

if TYPE_CHECKING:
    from numpy import ndarray

    from micrograd.kernels import Program

HERE = str(Path(__file__).parent)
WORTHWHILE = 200  # operands: below, one call of the plain function costs less than a replay


def jit(function: Callable[..., Any]) -> "Recorded":
    """``function`` recorded: the same call and the same numbers, replayed as a tape. Serves as a decorator too.

    Args:
        function: of one sample, numbers in nested tuples, lists and arrays; returns a Value, or a list of them. Leaf
            Values that existed before are parameters, shared by all samples.
    """
    return Recorded(function)


class Recorded:
    """A function with its tapes, made by ``jit``.

    Called like the plain function, it answers like it. ``accumulate`` and ``fit`` take it in the place of a loss.

    Attributes:
        function: the plain function.
        parameters: the parameters of all tapes.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.parameters: list[Value] = []
        self._tapes: dict[Any, _Track] = {}

    def __call__(self, *sample: Any) -> Any:
        if any([isinstance(part, Value) for part in sample]):
            return self.function(*sample)
        ...
