"""A playground in the browser: move a slider, and watch a small network learn from mini-batches.

    marimo run demos/playground.py

A marimo notebook: each function below is a cell, and runs again when something that it takes as an argument changes.
The pictures are the demos' own, and the numbers those of ``micrograd``, sample by sample.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="micrograd playground")

with app.setup:
    import base64
    import math
    import random

    import marimo as mo
    import plots
    from datasets import circles, clouds, moons

    from micrograd import data, draw, evaluate, losses, nn, optim

    DATA_SETS = {"two moons": moons, "circles": circles, "two clouds": clouds}
    OPTIMIZERS = {"SGD": optim.SGD, "RMSprop": optim.RMSprop, "Adam": optim.Adam, "AdamW": optim.AdamW}
    SAMPLES = 64


@app.class_definition
class Run:
    """A training that is taken step by step, and what there is to see of it."""

    def __init__(self, data_set, noise, hidden, activation, optimizer, seed=0):
        random.seed(seed)
        self.samples = DATA_SETS[data_set](SAMPLES, noise, seed)
        self.model = nn.MLP(2, [*hidden, 1], activation=activation, init="he")
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters(), 0.1)
        self.errors = [self.error()]
        self.shares = []  # for each sample of the last batch, what it added to each gradient
        self.batches = iter(())
        self.seen = None  # the state of the controls that the last step answered to

    def loss(self, x, y):
        return losses.binary_cross_entropy(self.model(x), (y + 1) / 2)

    def error(self):
        return evaluate(self.loss, self.samples)

    def groups(self):
        """The parameters by neuron, or by layer if there are many: names, and how many each."""
        layers = list(enumerate(self.model.layers, start=1))
        neurons = [(f"layer {i} unit {j}", n) for i, layer in layers for j, n in enumerate(layer.neurons, start=1)]
        named = neurons if len(neurons) <= 20 else [(f"layer {i}", layer) for i, layer in layers]
        return [(name, len(module.parameters())) for name, module in named]

    def step(self, size, lr, reduction):
        """One batch: a forward and a backward pass per sample, then one step of the optimizer."""
        batch = next(self.batches, None)
        if batch is None or self.size != size:
            self.size = size
            self.batches = iter(data.DataLoader(self.samples, size, shuffle=True, seed=self.optimizer.steps))
            batch = next(self.batches)
        parameters = self.optimizer.parameters
        self.optimizer.zero_grad()
        self.shares = []
        for x, y in batch:
            before = [p.grad for p in parameters]
            self.loss(x, y).backward(1.0 if reduction == "sum" else 1 / len(batch))
            self.shares.append([p.grad - g for p, g in zip(parameters, before)])
        self.optimizer.lr = lr
        self.optimizer.step()
        self.errors.append(self.error())


@app.cell
def _():
    data_set = mo.ui.dropdown(list(DATA_SETS), value="two moons", label="data")
    noise = mo.ui.slider(0.0, 0.5, 0.05, value=0.1, label="noise", show_value=True)
    width = mo.ui.slider(1, 16, value=8, label="units a hidden layer", show_value=True)
    depth = mo.ui.slider(0, 3, value=1, label="hidden layers", show_value=True)
    activation = mo.ui.dropdown([name for name in nn.ACTIVATIONS if name != "linear"], value="tanh", label="θ")
    optimizer = mo.ui.dropdown(list(OPTIMIZERS), value="SGD", label="optimizer")
    reset = mo.ui.button(value=0, on_click=lambda n: n + 1, label="reset")
    return activation, data_set, depth, noise, optimizer, reset, width


@app.cell
def _():
    size = mo.ui.slider(steps=[1, 2, 4, 8, 16, 32, SAMPLES], value=8, label="batch size", show_value=True)
    lr = mo.ui.slider(steps=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0], value=0.1, label="η", show_value=True)
    reduction = mo.ui.radio(["mean", "sum"], value="mean", inline=True, label="over the batch:")
    step = mo.ui.button(value=0, on_click=lambda n: n + 1, label="step")
    play = mo.ui.switch(label="play")
    return lr, play, reduction, size, step


@app.cell
def _(play):
    clock = mo.ui.refresh(default_interval="1s") if play.value else None
    return (clock,)


@app.cell
def _(activation, data_set, depth, noise, optimizer, reset, width):
    reset.value  # noqa: B018  # the cell runs again when it changes
    run = Run(data_set.value, noise.value, [width.value] * depth.value, activation.value, optimizer.value)
    return (run,)


@app.cell
def _(clock, lr, play, reduction, run, size, step):
    def advance():
        """Take the steps that the button or the clock asks for; moving a slider asks for none."""
        before, run.seen = run.seen, (step.value, clock.value if clock else None)
        if before is None or before == run.seen:
            return ""
        try:
            for _ in range(4 if play.value else 1):
                run.step(size.value, lr.value, reduction.value)
        except ValueError as error:  # the engine says what overflowed, and the weights are as before
            return mo.callout(f"The training has diverged: {error}", kind="danger")
        return ""

    trouble = advance()
    return (trouble,)


@app.cell
def _(run):
    _fig, _axes = plots.figure(1, width=4.4, height=2.8)
    plots.scatter(_axes[0, 0], run.samples)
    _axes[0, 0].set(title="Choose a sample: drag over it")
    chooser = mo.ui.matplotlib(_axes[0, 0], debounce=True)
    return (chooser,)


@app.function
def nearest(samples, marked):
    """Which sample is nearest to the middle of those that are marked; the first of all if there are none."""
    points = [x for x, _ in samples]
    places = [k for k, inside in enumerate(marked) if inside]
    middle = [sum(column) / len(places) for column in zip(*[points[k] for k in places])]
    return min(places, key=lambda k: math.dist(points[k], middle), default=0)


@app.cell
def _(chooser, run):
    chosen = nearest(run.samples, chooser.value.get_mask(*zip(*[x for x, _ in run.samples])) if chooser.value else [])
    return (chosen,)


@app.cell
def _(chosen, run, trouble):
    def pictures():
        fig, axes = plots.figure(3, width=5.2, height=4.4)
        plots.decision_boundary(axes[0, 0], run.model, run.samples, f"After {run.optimizer.steps} updates", 30, chosen)
        named = {"all samples": (range(len(run.errors)), run.errors)}
        plots.curves(axes[0, 1], named, f"Mean loss {run.errors[-1]:.3f}", "updates", "cross-entropy", ylim=(0, None))
        shares = run.shares or [[0.0] * len(run.optimizer.parameters)]
        plots.gradients(axes[0, 2], shares, run.groups(), "Each sample adds its gradient")
        return base64.b64encode(plots.image(fig)).decode()

    trouble  # noqa: B018  # after the steps were taken
    # Within the page, since a file of marimo's is gone as soon as its cell runs again.
    overview = mo.image(f"data:image/png;base64,{pictures()}", alt="decision boundary, loss and gradients")
    return (overview,)


@app.cell
def _(chosen, overview, run):
    def graph():
        overview  # noqa: B018  # after the steps were taken
        run.optimizer.zero_grad()
        x, y = run.samples[chosen]
        error = run.loss(x, y)
        error.label = "e"
        error.backward()
        svg = draw(error, model=run.model).svg()
        run.optimizer.zero_grad()
        return mo.Html(svg)

    sample_graph = graph()
    return (sample_graph,)


@app.cell
def _(
    activation, chooser, chosen, clock, data_set, depth, lr, noise, optimizer, overview, play, reduction, reset,
    run, sample_graph, size, step, trouble, width,
):  # fmt: skip
    _controls = mo.hstack(
        [
            mo.vstack([mo.hstack([play, step, reset], justify="start"), size, lr, reduction, optimizer, clock or ""]),
            mo.vstack([data_set, noise, depth, width, activation]),
            chooser,
        ],
        justify="start",
        align="start",
        gap=3,
    )
    _x, _y = run.samples[chosen]
    _title = mo.md(f"**The loss graph of sample {chosen}**, x = ({_x[0]:.2f}, {_x[1]:.2f}), y = {_y:+d}")
    # What is being computed anew would turn pale, once a second while it plays.
    _steady = mo.Html("<style>.marimo-output-stale { filter: none !important; opacity: 1 !important; }</style>")
    mo.vstack([_controls, trouble, overview, _title, sample_graph, _steady])


if __name__ == "__main__":
    app.run()
