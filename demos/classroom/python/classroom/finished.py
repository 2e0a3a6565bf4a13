"""What a finished engine is for: it trains the moons, and stands beside micrograd's.

A training is taken piece by piece, so that it can be watched and stopped: ``start(code)``, then ``go_on()`` until it
says that it is done. Samples, network, loss and rate are fixed; Value, MLP, accumulate and SGD are the learner's.
"""

import random
from collections.abc import Callable
from time import perf_counter
from types import ModuleType
from typing import Any

from datasets import moons

import micrograd
from classroom.learner import FileError, line_of, load, printed, problem, said
from classroom.plots import boundary_spec, curves_spec
from classroom.steps import STEPS, adapter_of
from micrograd.conformance.cases import CASES, LEVELS
from micrograd.conformance.run import offers_of, run_case, standings

SIZES, RATE, BATCH, EPOCHS = [8, 1], 0.2, 10, 40
CELLS = 30  # of the boundary's grid, in each direction
HELPERS = ("MLP", "accumulate", "SGD")

# One sample through a net of 2-2-1: small enough that its gradients fit on a page.
GRAPH = """
x1, x2 = Value(0.8), Value(-0.4)
w1, w2, w3, w4 = Value(0.5), Value(-1.0), Value(1.5), Value(0.25)
u1, u2, b = Value(2.0), Value(-0.5), Value(0.1)
s1 = w1 * x1 + w2 * x2
s2 = w3 * x1 + w4 * x2
s = u1 * s1.tanh() + u2 * s2.tanh() + b
e = (s - 1.0) ** 2
e.backward()
"""
TIMES = 200  # how often the graph is built and gone back through, to compare times


class Training:
    """Forty epochs of the moons on a learner's engine; each call of ``epoch`` is one."""

    def __init__(self, module: ModuleType) -> None:
        self.train, self.test = moons(100, seed=0), moons(200, seed=1)
        random.seed(0)
        self.net = module.MLP(2, SIZES)
        self.optimizer = module.SGD(self.net.parameters(), RATE)
        self.accumulate = module.accumulate
        self.losses: list[float] = []

    def epoch(self) -> None:
        """Every sample once, in batches; each batch changes the weights once."""
        random.Random(len(self.losses)).shuffle(self.train)
        for start in range(0, len(self.train), BATCH):
            self.net.zero_grad()
            self.accumulate(self.loss, self.train[start : start + BATCH], reduction="mean")
            self.optimizer.step()
        self.losses.append(sum(float(self.loss(x, y).data) for x, y in self.train) / len(self.train))

    def loss(self, x: list[float], y: int) -> Any:
        """The squared error of one sample."""
        return (self.net(x) - y) ** 2

    def score(self, x: list[float]) -> float:
        """What the network puts out for a point: above 0 it says +1, below −1."""
        return float(self.net(x).data)

    def right(self) -> float:
        """The share of the held-out samples that the network is right about."""
        return sum((self.score(x) > 0) == (y > 0) for x, y in self.test) / len(self.test)


_training: Training | None = None  # calls from the page pass JSON, so the training stays here between them


def start(code: str) -> dict[str, Any]:
    """Begin anew with the learner's file.

    Returns:
        problem: what keeps it from training, as in ``steps.check``; None if nothing does.
        epochs: how many there will be.
        borrowed: what the file does not have, and is taken from our solution: of MLP, accumulate, SGD.
    """
    global _training  # noqa: PLW0603
    borrowed: list[str] = []

    def begin() -> None:
        global _training  # noqa: PLW0603
        module = load(code)
        borrowed.extend(_lend(module))
        _training = Training(module)

    _training = None
    return {"problem": _problem_of(begin), "epochs": EPOCHS, "borrowed": borrowed}


def _lend(module: ModuleType) -> list[str]:
    """Give a module the classes and functions that it lacks, working on the Values that it has."""
    missing = [name for name in HELPERS if not hasattr(module, name)]
    ours = ModuleType("solution")
    exec(STEPS[6].solution, vars(ours))
    ours.Value = module.Value  # type: ignore[attr-defined]
    for name in missing:
        setattr(module, name, getattr(ours, name))
    return missing


def go_on(boundary: bool = True) -> dict[str, Any]:
    """One epoch more.

    Returns:
        problem: the error that ends the training, None if there is none.
        done: whether that was the last one.
        epoch, loss, right: how many there were, the mean loss now, the share of held-out samples that it has right.
        charts: the loss curve, and with ``boundary`` the decision boundary, as ``charts.js`` draws them.
    """
    training = _training
    if training is None:
        raise RuntimeError("expected a training that was started, got none; call start first")
    charts: list[dict[str, Any]] = []
    failure = _problem_of(training.epoch) or _problem_of(lambda: charts.extend(_charts(training, boundary)))
    if failure:
        return {"problem": failure, "done": True}
    epoch = len(training.losses)
    return {
        "problem": None,
        "done": epoch >= EPOCHS,
        "epoch": epoch,
        "loss": training.losses[-1],
        "right": training.right(),
        "charts": charts,
    }


def _problem_of(work: Callable[[], None]) -> dict[str, Any] | None:
    """Do some work with the learner's code, and say what went wrong with it."""
    with printed():
        try:
            work()
        except (FileError, KeyboardInterrupt) as error:
            return problem(error)
        except (Exception, SystemExit) as error:  # a learner's engine may raise anything
            return {"text": said(error), "line": line_of(error)}
    return None


def _charts(training: Training, boundary: bool) -> list[dict[str, Any]]:
    charts = [curves_spec({"train": list(training.losses)}, "Mean loss", "squared error")]
    if boundary:
        title = "Held-out samples, and what the network says"
        charts.append(boundary_spec(training.score, training.test, title, CELLS))
    return charts


def compare(code: str) -> dict[str, Any]:
    """The learner's engine beside micrograd's.

    Returns:
        problem: as in ``steps.check``.
        graph: the code whose gradients are compared.
        gradients: for each value in it, [name, the learner's, ours].
        milliseconds: [the learner's, ours], for building that graph and going back through it.
        levels: of ``micrograd.conformance``, each with level, title, holds, wrong, passed.
    """
    answer: dict[str, Any] = {"graph": GRAPH.strip(), "gradients": [], "milliseconds": [], "levels": []}

    def work() -> None:
        module = load(code)
        theirs, ours = _run(module.Value), _run(micrograd.Value)
        values = [name for name, thing in ours.items() if isinstance(thing, micrograd.Value)]
        answer["gradients"] = [[name, float(theirs[name].grad), float(ours[name].grad)] for name in values]
        answer["milliseconds"] = [_milliseconds(kind) for kind in (module.Value, micrograd.Value)]
        answer["levels"] = _levels(module)

    return {"problem": _problem_of(work), **answer}


def _run(kind: type) -> dict[str, Any]:
    names: dict[str, Any] = {"Value": kind}
    exec(GRAPH, names)
    return names


def _milliseconds(kind: type) -> float:
    program = compile(GRAPH, "<graph>", "exec")
    begin = perf_counter()
    for _ in range(TIMES):
        exec(program, {"Value": kind})
    return (perf_counter() - begin) * 1000 / TIMES


def _levels(module: ModuleType) -> list[dict[str, Any]]:
    adapter = adapter_of(module)
    results = [run_case(case, adapter) for case in CASES]
    return [
        {
            "level": standing.level,
            "title": LEVELS[standing.level - 1].title,
            "holds": standing.holds,
            "wrong": standing.wrong,
            "passed": standing.passed,
        }
        for standing in standings(results, offers_of(adapter))
    ]
