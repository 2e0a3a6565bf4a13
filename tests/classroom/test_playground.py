"""The playground's training: the package's own, sample by sample, and what a page is told of it."""

import json
import math
import random
import re
from xml.etree import ElementTree

import datasets
import pytest
from classroom import playground

from micrograd import accumulate, data, evaluate, fit, losses, nn, ops, optim
from micrograd.graph import nodes
from micrograd.pictures.source import digits


def by_hand(settings):
    """Samples, model and loss as a reader of the page would write them."""
    random.seed(settings["seed"])
    samples = getattr(datasets, settings["data"])(60, settings["noise"], settings["seed"])
    init = "he" if settings["activation"] == "relu" else "xavier"
    model = nn.MLP(2, [*settings["hidden"], 1], activation=settings["activation"], init=init)
    return samples, model, lambda x, y: losses.binary_cross_entropy(model(x), (y + 1) / 2)


def optimizer_of(name, model, lr):
    kinds = {"SGD": optim.SGD, "RMSprop": optim.RMSprop, "Adam": optim.Adam}
    parameters = model.parameters()
    return optim.SGD(parameters, lr=lr, momentum=0.9) if name == "momentum" else kinds[name](parameters, lr=lr)


def numbers(model):
    return list(model.state_dict().values())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "RMSprop", "Adam"])
def test_an_update_is_accumulate_and_a_step_of_the_optimizer(optimizer, reduction):
    settings = {"optimizer": optimizer, "reduction": reduction, "batch": 7, "rate": 0.05, "hidden": [3, 2]}
    begun = playground.start({**settings, "activation": "relu", "data": "circles"})
    samples, model, loss = by_hand(begun["settings"])
    own = optimizer_of(optimizer, model, 0.05)
    assert [[*x, y] for x, y in samples] == begun["samples"]
    loader = data.DataLoader(samples, 7, shuffle=True, seed=2)
    epochs = [batch for _ in range(2) for batch in loader]
    assert [len(batch) for batch in epochs].count(4) == 2  # the last batch of an epoch has what remains
    for batch in epochs:
        own.zero_grad()
        error = accumulate(loss, batch, reduction)
        own.step()
        state = playground.advance()
        assert [samples[k] for k in state["batch"]["samples"]] == batch
        assert state["batch"]["gradient"] == [p.grad for p in own.parameters]
        assert state["weights"] == numbers(model)
        assert state["curve"]["batch"][-1] == pytest.approx(error / (1 if reduction == "mean" else len(batch)))
    assert state["update"] == len(epochs) == 18
    assert state["epoch"] == 2


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_epochs_are_those_of_fit(reduction):
    begun = playground.start({"batch": 8, "reduction": reduction, "rate": 0.1})
    samples, model, loss = by_hand(begun["settings"])
    loader = data.DataLoader(samples, 8, shuffle=True, seed=2)
    fit(loss, loader, optim.SGD(model.parameters(), lr=0.1), epochs=3, reduction=reduction, progress=False)
    state = playground.advance(updates=24, seconds=math.inf)
    assert state["epoch"] == 3
    assert state["weights"] == numbers(model)
    assert state["loss"] == pytest.approx(evaluate(loss, samples), rel=1e-12)
    right = evaluate(lambda x, y: (model(x).data > 0) == (y > 0), samples)
    assert state["accuracy"] == pytest.approx(right)


def test_one_batch_and_one_sample_are_the_two_ends():
    everything = playground.start({"batch": 60})
    assert len(everything["samples"]) == 60
    state = playground.advance()
    assert (sorted(state["batch"]["samples"]), state["epoch"]) == (list(range(60)), 1)
    playground.start({"batch": 1})
    state = playground.advance()
    assert (len(state["batch"]["samples"]), state["epoch"]) == (1, 1 / 60)


def test_the_shares_come_one_by_one_and_sum_to_the_gradient_and_then_the_weights_change():
    begun = playground.start({"batch": 4, "hidden": [3]})
    samples, model, loss = by_hand(begun["settings"])
    for count in range(1, 5):
        state = playground.advance_sample()
        batch = state["batch"]
        assert (len(batch["samples"]), len(batch["shares"]), batch["finished"]) == (4, count, False)
        x, y = samples[batch["samples"][count - 1]]
        model.zero_grad()
        loss(x, y).backward(1 / 4)
        assert batch["shares"][-1] == pytest.approx([p.grad for p in model.parameters()], rel=1e-12, abs=1e-16)
        assert batch["gradient"] == pytest.approx(
            [sum(column) for column in zip(*batch["shares"])], rel=1e-12, abs=1e-16
        )
        assert state["weights"] == begun["weights"] == batch["before"] == numbers(model)
        assert state["update"] == 0
    state = playground.advance_sample()
    assert (state["update"], state["batch"]["finished"], state["batch"]["before"]) == (1, True, begun["weights"])
    moved = [w - 1.0 * g for w, g in zip(begun["weights"], batch["gradient"])]
    assert state["weights"] == moved != begun["weights"]
    following = playground.advance_sample()["batch"]
    assert (len(following["shares"]), following["before"]) == (1, moved)


def test_an_update_finishes_the_batch_that_has_begun():
    playground.start({"batch": 4})
    whole = playground.advance(updates=2, seconds=math.inf)
    playground.start({"batch": 4})
    playground.advance_sample()
    playground.advance_sample()
    assert playground.advance(updates=2, seconds=math.inf) == whole


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "linear"])
@pytest.mark.parametrize("hidden", [[], [4], [3, 8, 2]])
def test_the_picture_is_what_the_model_says(activation, hidden):
    begun = playground.start({"activation": activation, "hidden": hidden, "data": "quadrants", "rate": 0.1})
    _, model, _ = by_hand(begun["settings"])
    state = playground.advance(updates=5, seconds=math.inf)
    model.load_state_dict(dict(zip(model.state_dict(), state["weights"])))
    rows = state["scores"]
    assert len(rows) == len(rows[0]) == 30
    (low1, low2), (high1, high2) = begun["low"], begun["high"]
    for i, j in [(0, 0), (0, 29), (29, 0), (11, 17), (29, 29)]:
        at = [low1 + (high1 - low1) * j / 29, low2 + (high2 - low2) * i / 29]
        assert rows[i][j] == pytest.approx(model(at).data, abs=6e-4)  # three digits are told
    points = [x for x, _ in playground._run.samples]
    exact = playground._run.outputs([list(column) for column in zip(*points)])
    assert exact == pytest.approx([model(x).data for x in points], rel=1e-12, abs=1e-14)
    assert all(low1 < x1 < high1 and low2 < x2 < high2 for x1, x2 in points)


def test_names_and_units_fit_the_numbers():
    begun = playground.start({"hidden": [3, 2]})
    assert len(begun["parameters"]) == len(begun["weights"]) == 9 + 8 + 3
    assert begun["parameters"][0] == "w₁₁⁽¹⁾"
    assert [unit["parameters"] for unit in begun["units"]] == [3, 3, 3, 4, 4, 3]
    assert begun["units"][4]["name"] == "layer 2 unit 2"


LIVE = {"batch": 3, "rate": 0.01, "reduction": "sum", "optimizer": "Adam"}
FRESH = {"hidden": [3], "activation": "relu", "data": "clouds", "noise": 0.3, "seed": 3}


@pytest.mark.parametrize("name", LIVE)
def test_a_live_control_goes_on_with_the_training(name):
    playground.start({})
    before = playground.advance(updates=3, seconds=math.inf)
    changed = playground.change({name: LIVE[name]})
    assert not changed["anew"]
    assert changed["settings"][name] == LIVE[name]
    assert (changed["update"], changed["weights"]) == (3, before["weights"])
    after = playground.advance()
    assert after["update"] == 4
    playground.start({})
    assert playground.advance(updates=4, seconds=math.inf)["weights"] != after["weights"]


@pytest.mark.parametrize("name", FRESH)
def test_any_other_control_starts_anew(name):
    first = playground.start({})
    playground.advance(updates=3, seconds=math.inf)
    changed = playground.change({name: FRESH[name]})
    assert changed["anew"]
    assert (changed["update"], changed["settings"][name]) == (0, FRESH[name])
    part = "samples" if name in ("data", "noise") else "weights"
    assert changed[part] != first[part]
    assert playground.change({name: FRESH[name]})["anew"] is False  # it is what it was


def test_what_is_turned_in_the_middle_of_a_batch_applies_from_the_next_one():
    playground.start({"batch": 4})
    first = playground.advance_sample()["batch"]["samples"]
    playground.change({"batch": 2, "reduction": "sum"})
    state = playground.advance()
    assert (state["batch"]["samples"], state["batch"]["reduction"]) == (first, "mean")
    playground.start({"batch": 4})
    assert playground.advance()["batch"] == state["batch"]
    playground.change({"batch": 2, "reduction": "sum"})
    batch = playground.advance()["batch"]
    assert (len(batch["samples"]), batch["reduction"]) == (2, "sum")


def test_sum_is_mean_with_the_rate_times_the_size():
    playground.start({"batch": 10, "rate": 0.5})
    mean = playground.advance(updates=12, seconds=math.inf)
    playground.start({"batch": 10, "rate": 0.05, "reduction": "sum"})
    summed = playground.advance(updates=12, seconds=math.inf)
    assert summed["weights"] == pytest.approx(mean["weights"], rel=1e-9)
    assert summed["loss"] == pytest.approx(mean["loss"])
    assert summed["curve"]["batch"][1:] == pytest.approx(mean["curve"]["batch"][1:])


def test_updates_stop_when_the_time_is_over(monkeypatch):
    playground.start({"batch": 1})
    clock = iter(range(100))
    monkeypatch.setattr(playground.time, "perf_counter", lambda: float(next(clock)))
    assert playground.advance(updates=1000, seconds=5)["update"] == 5
    assert playground.advance(updates=3, seconds=50)["update"] == 8
    assert playground.advance(updates=3, seconds=0)["update"] == 9


def test_a_long_curve_is_thinned_out_and_keeps_its_ends(monkeypatch):
    monkeypatch.setattr(playground, "POINTS", 8)
    first = playground.start({"batch": 30, "hidden": []})
    state = playground.advance(updates=51, seconds=math.inf)
    curve = state["curve"]
    assert curve["updates"] == [0, 8, 16, 24, 32, 40, 48, 51]
    assert curve["epochs"] == [n / 2 for n in curve["updates"]]
    assert (curve["all"][0], curve["all"][-1]) == (first["loss"], state["loss"])
    assert curve["batch"][0] is None
    assert all(loss > 0 for loss in curve["batch"][1:])


DIVERGING = {"activation": "linear", "hidden": [8, 8], "rate": 10.0, "batch": 60}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_training_that_diverges_says_what_happened_and_what_to_change(reduction):
    playground.start({**DIVERGING, "reduction": reduction})
    states = [playground.advance() for _ in range(12)]
    state = states[-1]
    assert state["diverged"]
    n = state["update"]
    assert f"has diverged: in update {n + 1} a number has become too large (the loss is " in state["warning"]
    assert "learning rate η smaller than 10" in state["warning"]
    assert ("take the mean" in state["warning"]) == (reduction == "sum")
    assert state["weights"] == states[n - 1]["weights"]  # as before that update
    assert state["batch"]["shares"] == []
    for one in states:
        json.dumps(one, allow_nan=False)
    assert playground.advance_sample() == state  # nothing goes on by itself
    assert not playground.change({"rate": 1e-300})["diverged"]
    assert playground.advance()["update"] == n + 1


def test_a_gradient_that_is_not_finite_is_named():
    playground.start({"hidden": [2, 2], "activation": "linear"})
    run = playground._run
    for parameter, name in zip(run.parameters, run.optimizer.names):
        parameter.data = 0.0 if "⁽¹⁾" in name or name.startswith("b") else 1e200
    state = playground.advance()
    assert state["diverged"]
    assert re.search(r"a number has become too large \(the gradient of [wb].*⁽¹⁾ is", state["warning"])
    json.dumps(state, allow_nan=False)


def test_a_score_beyond_all_bounds_is_told_as_json_can_hold_it():
    playground.start({"hidden": [2, 2], "activation": "linear"})
    for parameter in playground._run.parameters:
        parameter.data = 1e200
    state = playground.advance()
    assert "dot(" in state["warning"]
    json.dumps(state, allow_nan=False)
    assert max(map(max, state["scores"])) == 1e6


def test_steps_that_are_too_long_are_told_before_a_number_overflows():
    assert playground.start({})["warning"] == ""
    assert playground.advance(updates=30, seconds=math.inf)["warning"] == ""
    playground.change({"rate": 300.0})
    warning = playground.advance(updates=3, seconds=math.inf)["warning"]
    assert "larger than it was at the start" in warning
    assert "smaller than 300" in warning


def test_one_sample_shows_its_graph_and_changes_nothing():
    begun = playground.start({"batch": 4, "hidden": [3]})
    samples, model, loss = by_hand(begun["settings"])
    state = playground.advance_sample()
    error = loss(*samples[5])
    shown = playground.one_sample(5)
    assert (shown["loss"], shown["x"], shown["y"]) == (error.data, *samples[5])
    assert shown["score"] == model(samples[5][0]).data
    error.backward()
    texts = {text.replace("\xa0", " ") for text in ElementTree.fromstring(shown["svg"]).itertext()}
    signals = [node for node in nodes(error) if node.op is ops.dot]
    assert len(signals) == 4
    for s in signals:
        assert {f"s {digits(s.data)}", f"δ {digits(s.grad)}"} <= texts
    again = playground.advance(updates=1)
    playground.start({"batch": 4, "hidden": [3]})
    assert playground.advance()["weights"] == again["weights"] != state["weights"]


def test_a_sample_of_the_last_batch_can_be_seen_with_the_weights_of_its_shares():
    playground.start({"batch": 4, "hidden": [3]})
    first = playground.one_sample(7)
    state = playground.advance()
    now, then = playground.one_sample(7), playground.one_sample(7, before=True)
    assert then["svg"] == first["svg"] != now["svg"]
    assert playground.advance_sample()["weights"] == state["weights"]


def test_stop_in_the_middle_of_a_sample_leaves_no_half_of_it(monkeypatch):
    begun = playground.start({"batch": 4})
    playground.advance_sample()
    run = playground._run
    error = run.error

    def stopped(x, y):
        error(x, y).backward()  # what has been added by then
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "error", stopped)
        with pytest.raises(KeyboardInterrupt):
            playground.advance()
    assert (run.finished, run.updates) == (True, 0)
    assert [p.data for p in run.parameters] == begun["weights"]
    batch = playground.advance()["batch"]
    assert batch["gradient"] == pytest.approx([sum(column) for column in zip(*batch["shares"])], rel=1e-12, abs=1e-16)


def test_nobody_else_s_random_numbers_change():
    random.seed(5)
    expected = random.random()
    random.seed(5)
    playground.start({})
    playground.advance(updates=2)
    assert random.random() == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 0}, "batch must be a whole number from 1 to 60, got 0"),
        ({"batch": 2.5}, "batch must be a whole number from 1 to 60, got 2.5"),
        ({"rate": "much"}, "rate must be a number from 0 to 1000, got 'much'"),
        ({"rate": math.nan}, "rate must be a number from 0 to 1000, got nan"),
        ({"noise": -1}, "noise must be a number from 0 to 1, got -1"),
        ({"seed": True}, "seed must be a whole number"),
        ({"reduction": "median"}, "reduction must be one of mean, sum, got 'median'"),
        ({"data": "spirals"}, "data must be one of moons, circles, clouds, quadrants, got 'spirals'"),
        ({"activation": "gelu"}, "activation must be one of tanh, relu, sigmoid, linear, got 'gelu'"),
        ({"optimizer": "adam"}, "optimizer must be one of SGD, momentum, RMSprop, Adam, got 'adam'"),
        ({"hidden": [8, 8, 8, 8]}, "hidden must be up to 3 layers of 1 to 8 units each, got [8, 8, 8, 8]"),
        ({"hidden": [0]}, "hidden must be up to 3 layers of 1 to 8 units each, got [0]"),
        ({"hidden": 8}, "hidden must be up to 3 layers of 1 to 8 units each, got 8"),
        ({"momentum": 0.9}, "the settings are batch, rate"),
    ],
)
def test_a_setting_that_is_not_possible_is_told(settings, message):
    playground.start({})
    with pytest.raises(ValueError, match=re.escape(message)):
        playground.start(settings)
    with pytest.raises(ValueError, match=r"must be|the settings are"):
        playground.change(settings)
    assert playground.advance()["update"] == 1  # the one that runs is as it was


def test_a_sample_that_there_is_not_is_told():
    playground.start({})
    with pytest.raises(ValueError, match="from 0 to 59, got 60"):
        playground.one_sample(60)


def test_before_the_first_start_it_says_so(monkeypatch):
    monkeypatch.setattr(playground, "_run", None)
    with pytest.raises(ValueError, match="call start"):
        playground.advance()


def test_all_that_is_told_is_json():
    begun = playground.start({})
    for told in (begun, playground.advance(), playground.advance_sample(), playground.change({"rate": 0.1})):
        assert json.loads(json.dumps(told, allow_nan=False)) == told
