"""Peers, each a function of a perceptron as in ``ours``: arrays, C by hand, and micrograd 0.1.0."""

import ctypes
import gc
import importlib.util
import itertools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from task import LR, UnableError, flat

# ---- by hand ---------------------------------------------------------------------------------------------------------


def c_by_hand(task):
    """``by_hand.c``, compiled for this task; all steps in one call."""
    if shutil.which("gcc") is None:
        raise UnableError("gcc is not installed")
    xs, ys = (np.concatenate(arrays).astype(float) for arrays in zip(*task.batches()))
    block = max([size for size in range(4, 129, 4) if task.size % size == 0])
    columns = np.ascontiguousarray(xs.reshape(-1, block, xs.shape[1]).transpose(0, 2, 1))  # blocks of inputs × samples
    weights = flat(task.layers())
    slopes = np.zeros(len(weights))
    macros = {f"N{k}": width for k, width in enumerate(task.widths)}
    macros |= {"BATCH": task.size, "BLOCK": block, "RATE": LR, "STRENGTH": task.strength}
    macros |= {"TANH": int(task.activation == "tanh"), "HINGE": int(task.loss == "hinge")}
    with tempfile.TemporaryDirectory() as folder:
        library, source = f"{folder}/by_hand.so", Path(__file__).with_name("by_hand.c")
        command = ["gcc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", source, "-o", library, "-lm"]
        if subprocess.run(command + [f"-D{name}={value}" for name, value in macros.items()], check=False).returncode:
            raise UnableError("gcc did not compile it")
        functions = ctypes.CDLL(library)
    functions.gradient.restype = functions.train.restype = ctypes.c_double
    p, x, y, g = (ctypes.c_void_p(array.ctypes.data) for array in (weights, columns, ys, slopes))

    def steps(n, alive=(weights, columns, ys)):  # whose memory the pointers are of
        functions.train(p, x, y, ctypes.c_long(len(ys) // task.size), ctypes.c_long(n))

    functions.gradient(p, x, y, g)
    return slopes, steps


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
            errors = np.maximum(1 - y * scores[:, 0], 0)
            delta = np.where(errors > 0, -y / len(y), 0.0)[:, None]
        else:
            scores -= scores.max(axis=1, keepdims=True)
            delta = np.exp(scores)
            totals = delta.sum(axis=1)
            errors = np.log(totals) - scores[np.arange(len(y)), y]
            delta /= totals[:, None]
            delta[np.arange(len(y)), y] -= 1
            delta /= len(y)
        error = errors.sum() / len(y)
        if task.strength:
            error += task.strength * sum([np.vdot(a, a) for layer in layers for a in layer])
        found = []
        for (w, b), x in zip(reversed(layers), reversed(outputs)):
            dw, db = delta.T @ x, delta.sum(axis=0)
            found.append((dw + 2 * task.strength * w, db + 2 * task.strength * b) if task.strength else (dw, db))
            if x is not outputs[0]:
                delta = (delta @ w) * (x > 0 if task.activation == "relu" else 1 - x * x)
        return error, found[::-1]

    def steps(n):
        for _ in range(n):
            for (w, b), (dw, db) in zip(layers, gradients()[1]):
                w -= LR * dw
                b -= LR * db

    return flat(gradients()[1]), steps


# ---- libraries of arrays ---------------------------------------------------------------------------------------------


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
    slopes = autograd.value_and_grad(lambda layers, x, y: array_loss(task, anp, layers, x, y))

    def steps(n):
        for _ in range(n):
            for (w, b), (dw, db) in zip(layers, slopes(layers, *next(batches))[1]):
                w -= LR * dw
                b -= LR * db

    return flat(slopes(layers, *task.batches()[0])[1]), steps


def jax_functions(task):
    """JAX, its state of this task, and a step: (state, x, y) → (state, error)."""
    import jax

    jax.config.update("jax_enable_x64", True)
    slopes = jax.value_and_grad(lambda layers, x, y: array_loss(task, jax.numpy, layers, x, y))

    def step(layers, x, y):
        error, found = slopes(layers, x, y)
        return jax.tree.map(lambda a, g: a - LR * g, layers, found), error

    state = jax.tree.map(jax.numpy.asarray, task.layers())
    return jax, state, step, flat(jax.jit(slopes)(state, *task.batches()[0])[1])


def jax_jit(task, wait=True):
    """A loop that looks at a step's result waits for it; else the next steps are queued while one computes."""
    jax, state, step, first = jax_functions(task)
    step = jax.jit(step)
    batches = itertools.cycle([tuple(map(jax.numpy.asarray, batch)) for batch in task.batches()])

    def steps(n):
        nonlocal state
        for _ in range(n):
            state, error = step(state, *next(batches))
            if wait:
                jax.block_until_ready((state, error))
        jax.block_until_ready(state)

    return first, steps


def jax_queued(task):
    return jax_jit(task, wait=False)


def jax_scan(task):
    """All steps in one compiled loop, as ``fit`` takes those that nobody looks at."""
    jax, state, step, first = jax_functions(task)
    xs, ys = (jax.numpy.asarray(np.stack(arrays)) for arrays in zip(*task.batches()))
    loop = jax.jit(lambda layers, order: jax.lax.scan(lambda now, k: step(now, xs[k], ys[k]), layers, order))

    def steps(n):
        nonlocal state
        state, _ = jax.block_until_ready(loop(state, np.arange(n) % len(xs)))

    return first, steps


# ---- micrograd 0.1.0 -------------------------------------------------------------------------------------------------


def scalar(task, kind):
    """With a class of the interface of micrograd's Value, the network written as in micrograd 0.1.0."""
    if task.loss != "hinge":
        raise UnableError("too slow, and it has no logarithm")
    for operation in (task.activation, "relu"):
        if not hasattr(kind, operation):
            raise UnableError(f"it has no {operation}")
    layers = [
        [[kind(float(v)) for v in (*row, bias)] for row, bias in zip(weights, biases)]
        for weights, biases in task.layers()
    ]
    parameters = [v for layer in layers for unit in layer for v in unit]
    batches = itertools.cycle(task.sample_batches())
    share = 1 / task.size

    def score(x):
        for layer in layers:
            s = [sum([w * v for w, v in zip(weights, x)], bias) for *weights, bias in layer]
            x = s if layer is layers[-1] else [getattr(v, task.activation)() for v in s]
        return x[0]

    def gradient():
        for p in parameters:
            p.grad = 0.0
        for x, y in next(batches):
            e = (score(x) * -y + 1.0).relu() * share
            e.backward()
        penalty = sum([p * p for p in parameters[1:]], parameters[0] * parameters[0]) * task.strength
        penalty.backward()
        return [p.grad for p in parameters]

    def steps(n):
        for _ in range(n):
            gradient()
            for p in parameters:
                p.data -= LR * p.grad

    return gradient(), steps


def micrograd_old(task, collector=True):
    """The closure design of 0.1.0 leaves cycles behind; without the collector, they are freed between the turns."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, "micrograd==0.1.0"]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            raise ImportError("pip could not install it")
        spec = importlib.util.spec_from_file_location("old_engine", Path(folder) / "micrograd" / "engine.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    if not collector:
        gc.disable()
    return scalar(task, module.Value)


def micrograd_old_uncollected(task):
    return micrograd_old(task, collector=False)
