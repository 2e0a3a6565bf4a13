"""Engines whose nodes are arrays, each a function of a task as in ``scalars``."""

import itertools

import numpy as np
from task import LR, flat


def numpy_by_hand(task):
    layers, batches = task.layers(), itertools.cycle(task.batches())

    def gradients():
        x, y = next(batches)
        outputs = [x]
        for w, b in layers[:-1]:
            s = outputs[-1] @ w.T + b
            outputs.append(np.maximum(s, 0) if task.activation == "relu" else np.tanh(s))
        w, b = layers[-1]
        scores = outputs[-1] @ w.T + b
        if task.loss == "hinge":
            delta = np.where(y * scores[:, 0] < 1, -y / len(y), 0.0)[:, None]
        else:
            delta = np.exp(scores - scores.max(axis=1, keepdims=True))
            delta /= delta.sum(axis=1, keepdims=True)
            delta[np.arange(len(y)), y] -= 1
            delta /= len(y)
        found = []
        for (w, b), x in zip(reversed(layers), reversed(outputs)):
            dw, db = delta.T @ x, delta.sum(axis=0)
            found.append((dw + 2 * task.strength * w, db + 2 * task.strength * b) if task.strength else (dw, db))
            if x is not outputs[0]:
                delta = (delta @ w) * (x > 0 if task.activation == "relu" else 1 - x * x)
        return found[::-1]

    def steps(n):
        for _ in range(n):
            for (w, b), (dw, db) in zip(layers, gradients()):
                w -= LR * dw
                b -= LR * db

    return flat(gradients()), steps


def torch_eager(task):
    import torch

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    batches = itertools.cycle([(torch.tensor(x), torch.tensor(y)) for x, y in task.batches()])
    layers = [[torch.tensor(a, requires_grad=True) for a in layer] for layer in task.layers()]
    optimizer = torch.optim.SGD([a for layer in layers for a in layer], LR)
    activation = torch.relu if task.activation == "relu" else torch.tanh
    linear = torch.nn.functional.linear

    def backward():
        x, y = next(batches)
        optimizer.zero_grad()
        for w, b in layers[:-1]:
            x = activation(linear(x, w, b))
        scores = linear(x, *layers[-1])
        if task.loss == "hinge":
            loss = (1 - y * scores[:, 0]).relu().mean()
        else:
            loss = torch.nn.functional.cross_entropy(scores, y)
        if task.strength:
            loss = loss + task.strength * sum([(a * a).sum() for layer in layers for a in layer])
        loss.backward()

    def steps(n):
        for _ in range(n):
            backward()
            optimizer.step()

    backward()
    return flat([[a.grad.numpy().copy() for a in layer] for layer in layers]), steps


def array_loss(task, numpy, layers, x, y):
    """In the functions of NumPy, or of a library with its interface."""
    for w, b in layers[:-1]:
        s = x @ w.T + b
        x = numpy.maximum(s, 0) if task.activation == "relu" else numpy.tanh(s)
    scores = x @ layers[-1][0].T + layers[-1][1]
    if task.loss == "hinge":
        loss = numpy.mean(numpy.maximum(1 - y * scores[:, 0], 0))
    else:
        scores = scores - numpy.max(scores, axis=1, keepdims=True)
        loss = numpy.mean(numpy.log(numpy.sum(numpy.exp(scores), axis=1)) - scores[np.arange(len(y)), y])
    if task.strength:
        loss = loss + task.strength * sum([numpy.sum(a * a) for layer in layers for a in layer])
    return loss


def hips_autograd(task):
    import autograd
    import autograd.numpy as anp

    layers, batches = task.layers(), itertools.cycle(task.batches())
    slopes = autograd.grad(lambda layers, x, y: array_loss(task, anp, layers, x, y))

    def steps(n):
        for _ in range(n):
            for (w, b), (dw, db) in zip(layers, slopes(layers, *next(batches))):
                w -= LR * dw
                b -= LR * db

    return flat(slopes(layers, *task.batches()[0])), steps


def jax_jit(task, wait=True):
    """A loop that looks at a step's result waits for it; else the next steps are queued while one computes."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    batches = [(jnp.asarray(x), jnp.asarray(y)) for x, y in task.batches()]
    turn = itertools.cycle(batches)
    slopes = jax.grad(lambda layers, x, y: array_loss(task, jnp, layers, x, y))
    step = jax.jit(lambda layers, x, y: jax.tree.map(lambda a, g: a - LR * g, layers, slopes(layers, x, y)))
    state = jax.tree.map(jnp.asarray, task.layers())
    first = flat(jax.jit(slopes)(state, *batches[0]))

    def steps(n):
        nonlocal state
        for _ in range(n):
            state = step(state, *next(turn))
            if wait:
                jax.block_until_ready(state)
        jax.block_until_ready(state)

    return first, steps


def jax_queued(task):
    return jax_jit(task, wait=False)


def jax_loop(task):
    """All steps in one compiled loop, as ``fit`` takes those that nobody looks at."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    xs, ys = (jnp.asarray(np.stack(arrays)) for arrays in zip(*task.batches()))
    slopes = jax.grad(lambda layers, x, y: array_loss(task, jnp, layers, x, y))

    def step(k, layers):
        return jax.tree.map(lambda a, g: a - LR * g, layers, slopes(layers, xs[k % len(xs)], ys[k % len(xs)]))

    loop = jax.jit(lambda layers, n: jax.lax.fori_loop(0, n, step, layers))
    state = jax.tree.map(jnp.asarray, task.layers())
    first = flat(jax.jit(slopes)(state, xs[0], ys[0]))

    def steps(n):
        nonlocal state
        state = jax.block_until_ready(loop(state, n))

    return first, steps
