"""Ways to train with this package, each a function of a task: (gradient, steps).

The gradient is that of the first batch, before training, in the order of the parameters. ``steps(n)`` does n steps:
loss, gradient and SGD update.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from task import LR

from micrograd import Training, accumulate, data, fit, jit, optim


def recorded(task):
    """Parameters, and the loss with its penalty, recorded; a penalty on parameters alone is computed once a batch."""
    parameters, error, penalty = task.problem()
    return parameters, jit(error if penalty is None else lambda *sample: error(*sample) + penalty())


def by_fit(task, threads=0):
    parameters, loss = recorded(task)
    optimizer, batches, gradient = optim.SGD(parameters, LR), task.sample_batches(), []
    fit(
        loss,
        batches[:1],
        optimizer,
        callbacks=[lambda _: gradient.extend([p.grad for p in parameters])],
        progress=False,
    )
    loader = data.DataLoader(list(itertools.chain(*batches)), task.size)
    executor = ThreadPoolExecutor(threads) if threads else None

    def steps(n):
        fit(loss, loader, optimizer, n // len(batches), progress=False, executor=executor)

    return gradient, steps


def by_training(task, write_back, known):
    """Steps of a loop of one's own; ``known`` tells whether ``samples`` is given."""
    parameters, loss = recorded(task)
    optimizer, batches = optim.SGD(parameters, LR), task.sample_batches()
    samples = list(itertools.chain(*batches)) if known else ()

    def steps(n):
        with Training(loss, optimizer, write_back=write_back, samples=samples) as training:
            for batch in itertools.islice(itertools.cycle(batches), n):
                training.step(batch)
            return training.gradients()

    return steps(1), steps


def training(task):
    return by_training(task, write_back=True, known=False)


def training_known(task):
    return by_training(task, write_back=True, known=True)


def training_arrays(task):
    return by_training(task, write_back=False, known=False)


def training_arrays_known(task):
    return by_training(task, write_back=False, known=True)


def on_values(task):
    parameters, loss = recorded(task)
    optimizer, batches = optim.SGD(parameters, LR), itertools.cycle(task.sample_batches())

    def gradient():
        optimizer.zero_grad()
        accumulate(loss, next(batches))
        return [p.grad for p in parameters]

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            accumulate(loss, next(batches))
            optimizer.step()

    return gradient(), steps


def by_numpy(task):
    """The tape as ``reference.py`` replays it where there is no compiler, with its parameters in an array."""
    from micrograd.tape import reference

    parameters, loss = recorded(task)
    loss.expect(parameters)
    lanes, weights = loss.lanes(list(itertools.chain(*task.sample_batches())))
    [(track, columns, _)] = lanes.groups
    program = reference.Program(track.tape)
    orders = itertools.cycle(np.arange(columns.shape[1]).reshape(-1, task.size))

    def gradient():
        return program.gradient(weights, columns, next(orders))[1] / task.size

    def steps(n):
        for _ in range(n):
            weights[:] -= LR * gradient()

    return gradient(), steps


def eager(task):
    parameters, error, penalty = task.problem()
    optimizer, batches = optim.SGD(parameters, LR), itertools.cycle(task.sample_batches())

    def gradient():
        optimizer.zero_grad()
        accumulate(error, next(batches))
        if penalty is not None:
            penalty().backward()
        return [p.grad for p in parameters]

    def steps(n):
        for _ in range(n):
            gradient()
            optimizer.step()

    return gradient(), steps
