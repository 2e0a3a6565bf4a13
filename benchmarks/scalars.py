"""Engines whose nodes are single numbers, each a function of a task: (gradient, steps).

The gradient is that of the first batch, before training, in the order of ``Module.parameters``. ``steps(n)`` does n
steps: loss, gradient and SGD update.
"""

import gc
import importlib.util
import itertools
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from task import LR, UnableError, flat

from micrograd import accumulate, data, fit, jit, losses, optim

CHECKED = 300  # replays; in the first 2, 8, 32 and 128, a sample each is computed by the plain function as well

# ---- ours ------------------------------------------------------------------------------------------------------------


def sample_loss(task, model):
    if task.loss == "hinge":
        return lambda x, y: losses.hinge(model(x), y)
    return lambda x, y: losses.cross_entropy(model(x), y)


def recorded(task, model):
    """The loss with its penalty on a tape, which computes what depends on parameters alone once a batch."""
    parameters, plain = model.parameters(), sample_loss(task, model)
    if not task.strength:
        return jit(plain)
    return jit(lambda x, y: plain(x, y) + task.strength * losses.l2(parameters))


def eager(task):
    model = task.network()
    parameters, loss = model.parameters(), sample_loss(task, model)
    optimizer = optim.SGD(parameters, LR)
    batches = itertools.cycle(task.sample_batches())

    def gradient():
        optimizer.zero_grad()
        accumulate(loss, next(batches))
        if task.strength:
            (task.strength * losses.l2(parameters)).backward()
        return [p.grad for p in parameters]

    def steps(n):
        for _ in range(n):
            gradient()
            optimizer.step()

    return gradient(), steps


def tape_accumulate(task):
    model = task.network()
    loss, optimizer = recorded(task, model), optim.SGD(model.parameters(), LR)
    batches = itertools.cycle(task.sample_batches())

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            accumulate(loss, next(batches))
            optimizer.step()

    accumulate(loss, next(batches))
    gradient = [p.grad for p in optimizer.parameters]
    steps(CHECKED)
    return gradient, steps


def tape_fit(task, threads=0):
    model = task.network()
    loss, optimizer = recorded(task, model), optim.SGD(model.parameters(), LR)
    batches = task.sample_batches()
    accumulate(loss, batches[0])
    loader = data.DataLoader(list(itertools.chain(*batches)), task.size)
    executor = ThreadPoolExecutor(threads) if threads else None

    def steps(n):
        fit(loss, loader, optimizer, n // len(batches), progress=False, executor=executor)

    gradient = [p.grad for p in optimizer.parameters]
    steps(CHECKED * len(batches))
    return gradient, steps


# ---- others ----------------------------------------------------------------------------------------------------------


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


def oxigrad(task):
    import oxigrad

    return scalar(task, oxigrad.Value)


def micrograd_rust(task):
    import micrograd_rust

    return scalar(task, micrograd_rust.Value)


def casadi(task, compiled=True):
    """The graph of one sample, mapped over the batch; compiled by gcc, or run by CasADi's virtual machine."""
    import casadi as ca

    layers = task.layers()
    weights = flat(layers)
    p, x, y = ca.SX.sym("p", len(weights)), ca.SX.sym("x", task.widths[0]), ca.SX.sym("y", task.widths[-1])
    out, at = x, 0
    for k, (w, b) in enumerate(layers):
        rows = ca.reshape(p[at : at + w.size + b.size], w.shape[1] + 1, w.shape[0]).T  # units × (inputs, bias)
        at += w.size + b.size
        out = ca.mtimes(rows[:, :-1], out) + rows[:, -1]
        if k < len(layers) - 1:
            out = ca.fmax(out, 0) if task.activation == "relu" else ca.tanh(out)
    loss = ca.fmax(1 - y * out, 0) if task.loss == "hinge" else ca.logsumexp(out) - ca.dot(y, out)
    function = ca.Function("one", [p, x, y], [ca.gradient(loss, p)]).map("mapped", "serial", task.size, [0], [0])
    if compiled and len(weights) > 2000:
        raise UnableError("gcc takes too long over its C")
    if compiled:
        function = by_gcc(ca, function)
    slopes = np.zeros(len(weights))
    numbers = [np.zeros(task.widths[0] * task.size), np.zeros(task.widths[-1] * task.size)]
    one_hot = np.eye(task.widths[-1])
    batches = itertools.cycle(
        [(xs.flatten(), ys if task.loss == "hinge" else one_hot[ys].flatten()) for xs, ys in task.batches()]
    )
    buffer, run = function.buffer()
    for i, array in enumerate([weights, *numbers]):
        buffer.set_arg(i, memoryview(array))
    buffer.set_res(0, memoryview(slopes))

    def gradient(alive=(function, buffer)):  # which run does not keep
        numbers[0][:], numbers[1][:] = next(batches)
        run()
        return slopes / task.size + 2 * task.strength * weights

    def steps(n):
        for _ in range(n):
            weights[:] -= LR * gradient()

    return gradient(), steps


def by_gcc(ca, function):
    with tempfile.TemporaryDirectory() as folder:
        code = ca.CodeGenerator("mapped.c")
        code.add(function)
        code.generate(folder + "/")
        library = f"{folder}/mapped.so"
        command = ["gcc", "-O3", "-march=native", "-shared", "-fPIC", f"{folder}/mapped.c", "-o", library, "-lm"]
        if subprocess.run(command, check=False).returncode:
            raise UnableError("gcc did not compile it")
        return ca.external(function.name(), library)


def casadi_machine(task):
    return casadi(task, compiled=False)
