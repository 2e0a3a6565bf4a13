"""A training that one takes sample by sample or as fast as it goes, and all there is to see of it: the playground.

``start`` makes one of its settings, ``change`` turns a control while it runs, ``advance`` takes updates,
``advance_sample`` the smallest part of one, ``one_sample`` draws the graph of a sample. They take and return what JSON
can hold, for they are called from a page.

>>> begun = start({"data": "moons", "batch": 10})
>>> state = advance(updates=6)
>>> state["update"], state["epoch"], len(state["batch"]["shares"])
(6, 1.0, 10)
"""

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from datasets import circles, clouds, moons, quadrants

from classroom.plots import bounds, grid
from micrograd import data, draw, losses, nn, no_grad, ops, optim
from micrograd.engine import set_data, set_grad
from micrograd.pictures.formula import part_name, symbol
from micrograd.samples import uncollected

# What the page's controls begin with, and how far they go: web/controls.js reads the same file.
_SHARED = json.loads(Path(__file__).with_name("playground.json").read_text(encoding="utf-8"))
SAMPLES: int = _SHARED["samples"]
GRID = 30  # the scores of GRID × GRID points make the picture of the decision boundary
POINTS = 600  # the most that a loss curve is made of
FAST = 0.05  # seconds that ``advance`` takes if nobody says how many

DATA_SETS = {"moons": moons, "circles": circles, "clouds": clouds, "quadrants": quadrants}
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "SGD": optim.SGD,
    "momentum": partial(optim.SGD, momentum=0.9),
    "RMSprop": optim.RMSprop,
    "Adam": optim.Adam,
}
# θ of the hidden layers, with the weights that suit it.
ACTIVATIONS = {"tanh": "xavier", "relu": "he", "sigmoid": "xavier", "linear": "xavier"}

# Changing one of these goes on with the training; changing one of the others starts a new one.
LIVE: dict[str, Any] = _SHARED["live"]
DEFAULTS: dict[str, Any] = {**LIVE, **_SHARED["fresh"]}

_CHOICES = {
    "reduction": ["mean", "sum"],
    "optimizer": OPTIMIZERS,
    "activation": ACTIVATIONS,
    "data": DATA_SETS,
}
_RANGES = {"batch": (1, SAMPLES), "rate": (0, 1000), "noise": (0, 1), "seed": (0, 10**6)}
_WHOLE = ("batch", "seed")
_WIDEST, _DEEPEST = _SHARED["widest"], _SHARED["deepest"]


class Run:
    """A small network that learns to tell two kinds of points apart.

    An update is three things: a batch is drawn; each of its samples adds its gradient (``add_sample``); the optimizer
    changes the weights once (``finish_batch``).

    Attributes:
        settings: as ``DEFAULTS``, whole.
        samples: SAMPLES pairs ([x₁, x₂], y), y = ±1.
        order: the numbers of the samples in the last batch, or in the one that is being added up.
        shares: what each of these has added to each gradient so far, a list of as many numbers as parameters.
        before: the weights that these shares were computed with.
        reduction: whether they are shares of a "mean" or a "sum".
        finished: whether the weights have changed since.
        trouble: why the training cannot go on, or "".
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.samples = DATA_SETS[settings["data"]](SAMPLES, settings["noise"], settings["seed"])
        self.model = _model([2, *settings["hidden"], 1], settings["activation"], settings["seed"])
        self.parameters = self.model.parameters()
        self.low, self.high = bounds(self.samples)
        self.updates = self.seen = 0
        self.order: Sequence[int]
        self.shares: list[list[float]]
        self.trouble = ""
        self.reduction = settings["reduction"]
        self._curve: list[tuple[int, float, float, float | None]] = []
        self._stride = 1
        self._forget_batch()
        self._set_optimizer()
        self._set_batch()
        self._look()
        self._mark()

    def change(self, settings: dict[str, Any]) -> None:
        """Turn the controls of ``LIVE``. A batch that has begun keeps its size and factor to its end."""
        before, self.settings = self.settings, settings
        self.trouble = ""
        if before["optimizer"] != settings["optimizer"]:
            self._set_optimizer()
        if before["batch"] != settings["batch"]:
            self._set_batch()
        self.optimizer.lr = settings["rate"]

    def _set_optimizer(self) -> None:
        names = [(symbol(path), p) for path, p in self.model.named_parameters()]
        self.optimizer = OPTIMIZERS[self.settings["optimizer"]](names, lr=self.settings["rate"])

    def _set_batch(self) -> None:
        size, seed = self.settings["batch"], self.settings["seed"]
        self._loader = data.DataLoader(self.samples, size, shuffle=True, seed=seed)
        self._orders: Iterator[Sequence[int]] = iter(())

    def error(self, x: list[float], y: int) -> Any:
        """The loss graph of one sample: cross-entropy of the network's score."""
        return losses.binary_cross_entropy(self.model(x), (y + 1) // 2)

    # ---- an update, in its parts -------------------------------------------------------------------------------------

    def begin_batch(self) -> None:
        """Draw the next batch; the next epoch begins where one has ended."""
        order = next(self._orders, None)
        if order is None:
            self._orders = self._loader.orders()
            order = next(self._orders)
        self.order, self.shares, self.finished = order, [], False
        self.before = [p.data for p in self.parameters]
        self.reduction = self.settings["reduction"]
        self._share = 1 / len(order) if self.reduction == "mean" else 1.0
        self._batch_loss = 0.0
        self.optimizer.zero_grad()

    def add_sample(self) -> None:
        """Forward and backward pass of the batch's next sample, as ``accumulate`` does it; keep what it has added."""
        before = [p.grad for p in self.parameters]
        error = self.error(*self.samples[self.order[len(self.shares)]])
        error.backward(self._share)
        self.shares.append([p.grad - g for p, g in zip(self.parameters, before)])
        self.gradient = [p.grad for p in self.parameters]
        self._batch_loss += error.data / len(self.order)

    def finish_batch(self) -> None:
        """Change the weights by the sum of the shares.

        Raises ValueError if a number is not finite; the weights are then as before.
        """
        before = optim.Snapshot(self.optimizer)
        self.optimizer.step()
        try:
            self._look()
        except BaseException:
            before.restore()
            raise
        self.finished = True
        self.updates += 1
        self.seen += len(self.order)
        self._mark()

    def take_part(self) -> None:
        """The next part of an update: a sample, or the change of the weights. Says so in ``trouble`` if it fails."""
        if self.trouble:
            return
        try:
            if self.finished:
                self.begin_batch()
            if len(self.shares) < len(self.order):
                uncollected(self.add_sample)
            else:
                self.finish_batch()
        except (ValueError, ArithmeticError) as cause:
            what = f"in update {self.updates + 1} a number has become too large ({cause})"
            self.trouble = f"The training has diverged: {what}. {self._advice()}"
            self._forget_batch()
        except BaseException:  # somebody pressed Stop, in the middle of a sample maybe
            self._forget_batch()
            raise

    def take_update(self) -> None:
        """The parts of an update up to the change of the weights."""
        self.take_part()
        while not (self.finished or self.trouble):
            self.take_part()

    def _forget_batch(self) -> None:
        self.order, self.shares, self.finished = [], [], True
        self.before = [p.data for p in self.parameters]
        self.gradient = [0.0] * len(self.parameters)

    def _advice(self) -> str:
        rate, size = self.settings["rate"], self.settings["batch"]
        text = f"The steps are too long: make the learning rate η smaller than {rate:g}"
        if self.settings["reduction"] == "sum" and size > 1:
            text += f", or take the mean, for the sum makes steps {size} times as long"
        return text + ", then reset."

    # ---- what there is to see ----------------------------------------------------------------------------------------

    def outputs(self, columns: list[list[float]]) -> list[float]:
        """The network's scores for many points at once, as plain numbers: no graph, so it is fast.

        ``columns`` are all x₁ and all x₂. The same numbers as the model's, but for rounding.
        """
        name = self.settings["activation"]
        for i, layer in enumerate(self.model.layers):
            if i and name != "linear":
                columns = [list(map(ops.TABLE[name].forward, column)) for column in columns]
            columns = [_signals([w.data for w in n.weights], n.bias.data, columns) for n in layer.neurons]
        return columns[0]

    def _look(self) -> None:
        """Compute loss and accuracy over all samples. Raises ValueError if the loss is not finite."""
        scores = self.outputs([list(column) for column in zip(*[x for x, _ in self.samples])])
        signed = [score * y for score, (_, y) in zip(scores, self.samples)]
        loss = sum([ops.softplus(-s) for s in signed]) / SAMPLES
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss}")
        self.loss, self.accuracy = loss, sum([s > 0 for s in signed]) / SAMPLES

    def _mark(self) -> None:
        """Put a point on the curves; when they have too many, every second one goes, and fewer are put there."""
        if self.updates % self._stride == 0:
            self._curve.append(self._point())
        if len(self._curve) > POINTS:
            self._stride *= 2
            self._curve = self._curve[::2]

    def _point(self) -> tuple[int, float, float, float | None]:
        return self.updates, self.seen / SAMPLES, self.loss, self._batch_loss if self.updates else None

    def curve(self) -> dict[str, list[Any]]:
        """The losses so far, of all samples and of each batch (a mean over it in any case), thinned out if many."""
        points = self._curve + [self._point()] * (self._curve[-1][0] < self.updates)
        return dict(zip(("updates", "epochs", "all", "batch"), map(list, zip(*points))))

    def scores(self) -> list[list[float]]:
        """The network's scores on a grid: a row for each x₂ from low to high, in it a number for each x₁."""
        x1, x2 = grid(self.low, self.high, GRID)
        outputs = self.outputs([x1 * GRID, [x for x in x2 for _ in range(GRID)]])
        flat = [round(min(1e6, max(-1e6, score)), 3) for score in outputs]  # what a colour tells; JSON has no inf
        return [flat[i : i + GRID] for i in range(0, GRID * GRID, GRID)]

    def warning(self) -> str:
        """What a learner should know of the training as it is, or ""."""
        first = self._curve[0][2]
        if self.trouble or not self.loss > 2 * first:
            return self.trouble
        return f"The loss is larger than it was at the start: {self.loss:.3g}, from {first:.3g}. {self._advice()}"

    def state(self) -> dict[str, Any]:
        """All that the page shows, as JSON can hold it."""
        return {
            "update": self.updates,
            "epoch": self.seen / SAMPLES,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "curve": self.curve(),
            "scores": self.scores(),
            "weights": [p.data for p in self.parameters],
            "batch": {
                "samples": list(self.order),
                "shares": self.shares,
                "gradient": self.gradient,
                "reduction": self.reduction,
                "before": self.before,
                "finished": self.finished,
            },
            "warning": self.warning(),
            "diverged": bool(self.trouble),
        }

    def description(self) -> dict[str, Any]:
        """What stays as it is for the whole training."""
        return {
            "settings": self.settings,
            "samples": [[*x, y] for x, y in self.samples],
            "low": self.low,
            "high": self.high,
            "parameters": self.optimizer.names,
            "units": [
                {"name": part_name(path), "parameters": len(module.parameters())}
                for path, module in self.model.named_modules()
                if isinstance(module, nn.Neuron)
            ],
        }

    def picture(self, k: int, before: bool) -> dict[str, Any]:
        """The network with the numbers of sample k in it, with the weights of now or those of ``self.before``."""
        weights, gradient = [p.data for p in self.parameters], [p.grad for p in self.parameters]
        x, y = self.samples[k]
        try:
            set_data(self.parameters, self.before if before else weights)
            error = self.error(x, y)
            error.label = "e"
            error.backward()
            svg = draw(error, model=self.model).pipe("svg", encoding="utf-8")
            with no_grad():
                score = float(self.model(x))
        finally:
            set_data(self.parameters, weights)
            set_grad(self.parameters, gradient)
        return {"sample": k, "x": x, "y": y, "score": score, "loss": error.data, "before": before, "svg": svg}


def _model(sizes: list[int], activation: str, seed: int) -> nn.MLP:
    """A network with weights drawn by ``seed``; whoever uses the global ``random`` beside it notices nothing."""
    state = random.getstate()
    try:
        random.seed(seed)
        return nn.MLP(sizes[0], sizes[1:], activation=activation, init=ACTIVATIONS[activation])
    finally:
        random.setstate(state)


def _signals(weights: list[float], bias: float, columns: list[list[float]]) -> list[float]:
    """A unit's input signal for many points at once."""
    signals = [bias] * len(columns[0])
    for w, column in zip(weights, columns):
        signals = [s + w * x for s, x in zip(signals, column)]
    return signals


# ---- what the page calls ---------------------------------------------------------------------------------------------

_run: Run | None = None


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Begin a training anew; settings that are missing are those of ``DEFAULTS``.

    Returns its description and its state. Raises ValueError for a setting that is unknown, or out of its range.
    """
    global _run  # noqa: PLW0603  # the page has one
    _run = Run(_checked({**DEFAULTS, **settings}))
    return {**_run.description(), **_run.state()}


def change(settings: dict[str, Any]) -> dict[str, Any]:
    """Turn controls. Those of ``LIVE`` apply to the running training, any other begins a new one; returns as ``start``
    does, with ``anew`` to tell which.
    """
    run = _running()
    checked = _checked({**run.settings, **settings})
    anew = any(checked[name] != run.settings[name] for name in DEFAULTS.keys() - LIVE.keys())
    if anew:
        return {**start(checked), "anew": True}
    run.change(checked)
    return {**run.description(), **run.state(), "anew": False}


def advance(updates: int = 1, seconds: float = FAST) -> dict[str, Any]:
    """Take that many updates, or as many as begin within ``seconds``, one at least; returns the state.

    A batch of which some samples have been added is finished first, and counts.
    """
    run, end = _running(), time.perf_counter() + seconds
    for _ in range(updates):
        run.take_update()
        if run.trouble or time.perf_counter() >= end:
            break
    return run.state()


def advance_sample() -> dict[str, Any]:
    """Add the next sample of the batch; after the last one, change the weights. Returns the state."""
    _running().take_part()
    return _running().state()


def one_sample(k: int, before: bool = False) -> dict[str, Any]:
    """The graph of sample k as SVG, with its loss and δ's: with the weights of now, or with those of before the last
    update, which the shares of the batch were computed with.
    """
    run = _running()
    if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < SAMPLES:
        raise ValueError(f"the sample must be a whole number from 0 to {SAMPLES - 1}, got {k!r}")
    return run.picture(k, before)


def _running() -> Run:
    if _run is None:
        raise ValueError("there is no training yet; call start(settings) first")
    return _run


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings. Raises ValueError, with what is possible, for one that is not: they may come from an address."""
    unknown = settings.keys() - DEFAULTS.keys()
    if unknown:
        raise ValueError(f"the settings are {', '.join(DEFAULTS)}; got {', '.join(sorted(unknown))}")
    for name, choices in _CHOICES.items():
        if settings[name] not in list(choices):
            raise ValueError(f"{name} must be one of {', '.join(choices)}, got {settings[name]!r}")
    for name, (low, high) in _RANGES.items():
        if not _is_number(settings[name], whole=name in _WHOLE) or not low <= settings[name] <= high:
            kind = "a whole number" if name in _WHOLE else "a number"
            raise ValueError(f"{name} must be {kind} from {low} to {high}, got {settings[name]!r}")
    hidden = settings["hidden"]
    if not (
        isinstance(hidden, list)
        and len(hidden) <= _DEEPEST
        and all(_is_number(width, whole=True) and 1 <= width <= _WIDEST for width in hidden)
    ):
        raise ValueError(f"hidden must be up to {_DEEPEST} layers of 1 to {_WIDEST} units each, got {hidden!r}")
    return settings


def _is_number(x: Any, whole: bool) -> bool:
    return isinstance(x, int if whole else (int, float)) and not isinstance(x, bool) and math.isfinite(x)
