"""Compute the gradient of a batch with the workers of an executor.

A batch is cut into chunks of a fixed size, and their sums are added in order, so that the bits of the result do not
depend on the number of workers. Processes, on this computer or others, work on a copy of the loss function: it is
pickled with parameters replaced by numbers, and gradients come back by these numbers.
"""

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from typing import Any

from micrograd.engine import Value
from micrograd.graph import nodes
from micrograd.higher import gradients
from micrograd.samples import loss_of

CHUNK = 16  # samples
PATIENCE = 5.0  # seconds until a look at the workers, and again until an executor that does not notice is given up

Sums = tuple[float, dict[Any, float]]  # of the losses, and of the gradients by parameter


def add_gradients(loss: Callable[..., Value], samples: Sequence[Any], share: float, executor: Executor) -> float:
    """Add ``share`` times the gradient of each sample to the parameters; the sum of the samples' losses."""
    chunks = [(start, samples[start : start + CHUNK]) for start in range(0, len(samples), CHUNK)]
    answers: list[Sums] = []
    try:
        if isinstance(executor, ThreadPoolExecutor):
            answers += executor.map(lambda chunk: chunk_sums(loss, *chunk), chunks)
        else:
            copy, parameters = _packed(loss)
            for future in [executor.submit(_work, copy, *chunk) for chunk in chunks]:
                total, slopes = _result(future, executor)
                answers.append((total, {parameters[i]: slope for i, slope in slopes.items()}))
    except BrokenExecutor:  # a worker died; what was left undone is done here
        _let_go(executor)
        answers += [chunk_sums(loss, *chunk) for chunk in chunks[len(answers) :]]
    for _, sums in answers:
        for parameter, slope in sums.items():
            parameter.grad += slope * share
    return sum([total for total, _ in answers])


# Two things make a ProcessPoolExecutor wait for ever for a worker that was killed. Both are of losses or gradients that
# a pipe does not take in one piece, those of some thousand parameters:
# - Python 3.10 to 3.13 keep the writing end of the pipe of answers, so reading half an answer never ends.
# - Python before 3.11.5 keeps the reading end of the pipe of calls too, so shutdown() waits for a call to be sent.


def _result(future: "Future[Any]", executor: Executor) -> Any:
    """``future.result()``. Raises BrokenExecutor too if a worker has died and the executor waits for the rest of its
    answer.
    """
    while not future.done():
        if wait([future], PATIENCE).done:
            break
        workers = getattr(executor, "_processes", None) or {}
        died = any([process.exitcode for process in list(workers.values())])  # not one that has come to its end
        if died and not wait([future], PATIENCE).done:  # in that time an executor that can notice has noticed
            for process in list(workers.values()):
                process.kill()
            executor._result_queue._writer.close()  # type: ignore[attr-defined]  # now its reading ends
            raise BrokenExecutor("a worker was killed while it sent its answer")
    return future.result()


def _let_go(executor: Any) -> None:
    """Let ``shutdown()`` of a broken executor return."""
    calls = getattr(executor, "_call_queue", None)
    if calls is not None and sys.version_info < (3, 11, 5):
        calls._reader.close()


def chunk_sums(loss: Callable[..., Value], start: int, samples: Sequence[Any]) -> Sums:
    """Sums over samples, the first of which is number ``start`` of the batch; no Value changes."""
    total = 0.0
    sums: dict[Value, float] = {}
    for k, sample in enumerate(samples, start):
        error = loss_of(k, loss, sample)
        leaves = [node for node in nodes(error) if not node.parents]
        for leaf, slope in zip(leaves, gradients(error, leaves)):
            sums[leaf] = sums.get(leaf, 0.0) + slope.data
        total += error.data
    return total, sums


def _packed(loss: Callable[..., Value]) -> tuple[bytes, list[Value]]:
    """The function pickled, and its parameters in the order of their numbers."""
    parameters: list[Value] = []
    places: dict[Value, int] = {}
    try:
        from cloudpickle import Pickler  # takes lambdas and functions of a script too; Dask brings it along
    except ImportError:
        from pickle import Pickler

    class Packer(Pickler):  # type: ignore[misc]
        def persistent_id(self, thing: Any) -> Any:
            if not isinstance(thing, Value) or thing.parents:
                return None
            if thing not in places:
                places[thing] = len(parameters)
                parameters.append(thing)
            return places[thing], type(thing), thing._state()

    buffer = io.BytesIO()
    try:
        Packer(buffer).dump(loss)
    except (pickle.PicklingError, AttributeError, TypeError) as cause:
        raise TypeError(
            f"processes get a pickle of the loss, and {loss!r} has none; use a function of a module, with the model as "
            f"an argument (functools.partial(loss, model)), or pip install cloudpickle: {cause}"
        ) from cause
    return buffer.getvalue(), parameters


def _work(copy: bytes, start: int, samples: Sequence[Any]) -> tuple[float, dict[int, float]]:
    """What a worker does: ``chunk_sums``, with parameters by number."""
    places: dict[Value, int] = {}
    values: dict[int, Value] = {}

    class Unpacker(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Value:
            place, kind, state = pid
            if place not in values:
                values[place] = kind._restore(state)
                places[values[place]] = place
            return values[place]

    loss = Unpacker(io.BytesIO(copy)).load()
    total, sums = chunk_sums(loss, start, samples)
    unknown = sums.keys() - places.keys()
    if unknown and unknown & chunk_sums(loss, start, samples)[1].keys():  # not made anew in each call
        raise ValueError(
            f"{loss!r} uses parameters that were not sent with it, global ones perhaps; pass the model as an argument: "
            "functools.partial(loss, model)"
        )
    return total, {places[leaf]: slope for leaf, slope in sums.items() if leaf in places}
