"""A tape as machine code: ``Program`` computes losses, gradients and results of batches."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from micrograd.tape import driver, objects
from micrograd.tape.kernels import LANES, Library, Step
from micrograd.tape.steps import steps_of
from micrograd.tape.tape import Tape

Numbers: TypeAlias = npt.NDArray[np.float64]
Whole: TypeAlias = npt.NDArray[np.int64]

_POINTER, _COUNT, _NUMBER = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
_BATCH = (_POINTER, _POINTER, _POINTER, _POINTER, _COUNT, _POINTER, _COUNT, _POINTER)
_WORK = 400_000  # operands, of all lanes, that take about a millisecond forward and back


@cache
def driver_functions() -> dict[str, Any]:
    """The loops around kernels, as functions for ctypes, which lets go of the interpreter's lock in a call."""
    code = objects.code(driver.text(), driver.EXPORTS)
    kinds: dict[str, tuple[Any, ...]] = {
        "gradient": (_NUMBER, *_BATCH),
        "results": (None, *_BATCH),
        "apply": (_COUNT, *_TABLE),
        "train": (_COUNT, *_TABLE, *_JOB),
    }
    functions: dict[str, Any] = {name: ctypes.CFUNCTYPE(*kind)(code.address(name)) for name, kind in kinds.items()}
    functions["code"] = code  # for as long as they are called
    return functions


_TABLE = (_POINTER, _POINTER, _POINTER, _COUNT, _COUNT, _POINTER, _NUMBER)
_JOB = (*(_POINTER,) * 5, _COUNT, *(_POINTER,) * 4, _COUNT, _COUNT, _POINTER)


def pointer(array: npt.NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


class Program:
    """A tape as machine code. Several threads may use it at once; pickled, it is its tape, and is built anew.

    Attributes:
        tape: what it was made of.
        chunk: how many samples are one piece of work, about a millisecond. It depends on the tape alone, so those who
            divide a batch by it get the same bits, however many workers there are.
        texts: LLVM's text of each kernel, by name. Each is compiled for itself, since other tapes may need it too.

    Raises ``Untraceable`` where a primitive's rule cannot be compiled.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.chunk = LANES * max(1, _WORK // max(1, tape.size))
        library = Library()
        steps = steps_of(tape, library)
        self.texts = library.texts
        self._kernels = {name: objects.code(text, [name]) for name, text in library.texts.items()}
        self._driver = driver_functions()
        parts = [self._words(part) for part in (steps.prelude, steps.body, steps.body_back, steps.prelude_back)]
        rows = np.array(tape.results, dtype=np.int64)
        sizes = [whole_lines(n) for n in (steps.n_shared, steps.n_shared, tape.n_rows * LANES, tape.n_rows * LANES)]
        d, v, g, self._size = np.cumsum(sizes).tolist()
        n, known = len(tape.parameters), len(tape.parameters) + len(tape.constants)
        counts = [tape.n_inputs, n, steps.n_shared, known, tape.n_rows, len(tape.results)]
        bounds = [at for part in parts for at in (pointer(part), pointer(part) + part.nbytes)]
        header = np.array([*counts, d, v, g, pointer(rows), *bounds], dtype=np.int64)
        self._kept = header, rows, parts  # they have each other's addresses
        self.address = pointer(header)  # where the driver finds what it has to know of the program
        self._free: list[Memory] = []
        self._constants = slice(n, known)

    def _words(self, steps: list[Step]) -> Whole:
        addresses = {name: code.address(name) for name, code in self._kernels.items()}
        words: list[int] = []
        for step in steps:
            words += (addresses[step.kernel], 2 + len(step.words), *step.words)
        return np.array(words, dtype=np.int64)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Tape]]:
        return type(self), (self.tape,)

    def gradient(self, parameters: Numbers, columns: Numbers, chosen: Whole) -> tuple[float, Numbers]:
        """The sum of the first result over samples, and its gradient.

        The sum is nan if a number on the way is not finite: a result of an instruction, a slope, the gradient.

        Args:
            parameters: their numbers.
            columns: a row for each input, with the numbers of all samples.
            chosen: the positions of the samples.
        """
        gradient = np.empty(len(self.tape.parameters))
        total = self._call("gradient", parameters, columns, chosen, gradient)
        return float(total), gradient

    def results(self, parameters: Numbers, columns: Numbers, chosen: Whole) -> Numbers:
        """The results of the chosen samples, a row each. Numbers that are not finite are left as they come."""
        results = np.empty((len(chosen), len(self.tape.results)))
        self._call("results", parameters, columns, chosen, results)
        return results

    def _call(self, name: str, parameters: Numbers, columns: Numbers, chosen: Whole, to: Numbers) -> Any:
        parameters = np.ascontiguousarray(parameters, dtype=np.float64)
        columns = np.ascontiguousarray(columns, dtype=np.float64)
        chosen = np.ascontiguousarray(chosen, dtype=np.int64)
        n, k = len(self.tape.parameters), self.tape.n_inputs
        if parameters.shape != (n,) or columns.ndim != 2 or len(columns) != k:
            shapes = f"{parameters.shape} and {columns.shape}"
            raise ValueError(f"expected {n} parameters and columns of {k} inputs, got shapes {shapes}")
        memory = self.take()
        try:
            return self._driver[name](
                *(self.address, memory.address, pointer(parameters), pointer(columns)),
                *(columns.shape[1], pointer(chosen), len(chosen), pointer(to)),
            )
        finally:
            self.give(memory)

    def take(self) -> "Memory":
        """Memory for one call; to be given back."""
        try:
            return self._free.pop()
        except IndexError:
            memory = Memory(self._size)
            memory.numbers[self._constants] = self.tape.constants
            return memory

    def give(self, memory: "Memory") -> None:
        self._free.append(memory)


class Memory:
    """Numbers to work in, at an address where a vector may be read in one go; all 0 at first.

    Attributes:
        numbers, whole: the same memory as floats, and as whole numbers.
    """

    def __init__(self, size: int) -> None:
        numbers = np.zeros(size + 8)
        first = -pointer(numbers) // 8 % 8
        self.numbers = numbers[first : first + size]
        self.whole = self.numbers.view(np.int64)
        self.address = pointer(self.numbers)  # looking it up takes longer than a small call


def whole_lines(size: int) -> int:
    """So many numbers, up to whole vectors, so that what comes after them begins with one."""
    return (size + 7) // 8 * 8
