"""The page in a real browser: what it shows is what the engine computed, whatever way one steps through it."""

import functools
import json
import random
import re
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from micrograd import Value, accumulate, losses, nn, optim, step_through
from micrograd.graph import nodes
from micrograd.pictures.formula import digits

BATCH = [([1.2, -0.7], 1), ([0.4, 0.9], -1), ([-1.1, 0.3], 1), ([0.5, -1.6], -1)]
LAST = 122  # the number of the last step


def network():
    random.seed(1)
    return nn.MLP(2, [3, 1], activation="tanh")


def squared_error(model, x, y):
    return losses.squared_error(model(x), y)


@functools.cache
def batch_page():
    model = network()
    return step_through(functools.partial(squared_error, model), BATCH, optim.SGD(model.parameters(), lr=0.1))


@pytest.fixture
def at_batch(browser, tmp_path):
    browser.get(batch_page().save(tmp_path / "batch.html").as_uri())
    return browser


POSITION = '[document.getElementById("position").textContent, document.getElementById("slider").value]'
PLACES = """[...document.querySelectorAll("svg:not([hidden]) [data-place], table [data-place]")]
    .map((e) => [e.dataset.place, e.textContent])"""
LINES = '[...document.querySelectorAll("#lines p")].map((p) => p.textContent)'
WHOLE = 'document.body.outerHTML + document.getElementById("slider").value'


def look(browser, *scripts):
    """What these expressions are on the page, by one call of the browser."""
    return browser.execute_script(f"return [{', '.join(scripts)}]")


def places(browser):
    """The text of each place of the graph on show and of the table."""
    return places_in(*look(browser, PLACES))


def places_in(pairs):
    return {name: text.removeprefix("data ").removeprefix("grad ") for name, text in pairs}


def lines(browser):
    return look(browser, LINES)[0]


def position(browser):
    return position_in(*look(browser, POSITION))


def position_in(shown):
    text, slider = shown
    number, count = re.fullmatch(r"step (\d+) of (\d+)", text.strip()).groups()
    assert slider == str(int(number) - 1)
    return int(number) - 1, int(count) - 1


def whole(browser):
    return whole_in(*look(browser, WHOLE))


def whole_in(content):
    return content.replace(' class=""', "")


def press(browser, *keys):
    browser.find_element(By.TAG_NAME, "body").send_keys(*keys)


def slide(browser, index):
    browser.execute_script(
        "const s = document.getElementById('slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
        index,
    )


# ---- the walk --------------------------------------------------------------------------------------------------------


def expected():
    """What the engine computes for the batch: the texts of the places, after each forward and backward pass."""
    model, alone = network(), network()
    shown, texts, i = {}, {}, 0
    for k, (x, y) in enumerate(BATCH):
        error = squared_error(model, x, y)
        graph = nodes(error)
        results = [node for node in graph if node.parents]
        i += 1 + 2 * len(results)  # after the start or the last sample: the sample's first step, its forward pass
        texts = (
            texts | {f"v{j}.data": digits(node.data) for j, node in enumerate(graph)} | {f"te.{k}": digits(error.data)}
        )
        shown[i] = dict(texts)
        error.backward()
        alone.zero_grad()
        squared_error(alone, x, y).backward()
        i += 1 + len(results)
        texts |= {f"v{j}.grad": digits(node.grad) for j, node in enumerate(graph)}
        texts |= {f"o{j}.{n}": digits(s) for j, node in enumerate(graph) for n, s in enumerate(node.partials)}
        for r, (p, q) in enumerate(zip(model.parameters(), alone.parameters())):
            texts |= {f"t{r}.{k}": digits(q.grad), f"t{r}.sum": digits(p.grad)}
        shown[i] = dict(texts)
        i += 1  # the step that says what the parameters hold
        shown[i] = dict(texts)
        texts = {name: text for name, text in texts.items() if name[0] == "t"}
    return shown


def test_walking_every_step_there_and_back(at_batch):
    """Each number on the page is the engine's, the last of a place is right, and the way back is the same pages."""
    shown = expected()
    steps = json.loads(at_batch.find_element(By.ID, "data").get_attribute("textContent"))["steps"]
    assert position(at_batch) == (0, LAST) == (0, len(steps) - 1)
    seen = []
    for i, step in enumerate(steps):
        if i:
            press(at_batch, Keys.ARROW_RIGHT)
        where, pairs, said, content = look(at_batch, POSITION, PLACES, LINES, WHOLE)
        assert position_in(where) == (i, LAST)
        texts = places_in(pairs)
        assert said == step.get("mean", step)["lines"]
        assert {name: texts[name] for name in shown.get(i, {})} == shown.get(i, {})
        end = next((texts for j, texts in shown.items() if j >= i), {})  # of this pass: forward, or backward
        for name in [name for name in texts if name.endswith(".data") and name in end]:
            assert texts[name] in {end[name], "·", "?"}
        for name in [name for name in texts if name.startswith("o") and name in end]:
            assert texts[name] in {end[name], ""}
        seen.append(whole_in(content))
    assert max(shown) == LAST - 2  # then come the batch and the optimizer's step
    assert len(set(seen)) == len(steps)
    press(at_batch, Keys.ARROW_RIGHT)
    assert position(at_batch) == (LAST, LAST)
    for page_then in reversed(seen):
        assert whole(at_batch) == page_then
        press(at_batch, Keys.ARROW_LEFT)
    assert position(at_batch) == (0, LAST)


def test_what_is_not_there_yet_is_not_shown(at_batch):
    slide(at_batch, 2)
    texts = places(at_batch)
    assert [texts[f"v5.{what}"] for what in ("data", "grad")] == ["?", "·"]
    assert lines(at_batch)[0].endswith("= ?")
    assert texts["v6.data"] == "·"
    assert texts["o5.0"] == texts["t0.1"] == texts["t0.mean"] == ""
    slide(at_batch, 3)
    assert lines(at_batch)[0].endswith(f"= {places(at_batch)['v5.data']}")


def test_the_step_of_the_optimizer_with_sum_and_with_mean(at_batch):
    for reduction in ("mean", "sum", "mean"):
        at_batch.find_element(By.CSS_SELECTOR, f"[value={reduction}]").click()
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        old = [p.data for p in optimizer.parameters]
        error = accumulate(functools.partial(squared_error, model), BATCH, reduction)
        optimizer.step()
        slide(at_batch, LAST)
        texts = places(at_batch)
        assert texts[f"te.{reduction}"] == digits(error)
        for r, p in enumerate(optimizer.parameters):
            row = [texts[f"t{r}.{column}"] for column in (reduction, "old", "new")]
            assert row == [digits(p.grad), digits(old[r]), digits(p.data)]
        assert lines(at_batch)[0].startswith(f"w ← w − η · {reduction}, with η = 0.1")
        column = at_batch.find_elements(By.CSS_SELECTOR, "thead th")
        assert [th.text for th in column if "sum" in th.text or "mean" in th.text].count(reduction) == 1
        visible = [td for td in at_batch.find_elements(By.CSS_SELECTOR, "tbody tr:first-child td") if td.is_displayed()]
        assert [td.get_attribute("data-place") for td in visible] == ["t0.sum", "t0.mean", "t0.old", "t0.new"]


# ---- the controls ----------------------------------------------------------------------------------------------------


def test_buttons_slider_keys_and_jumps(at_batch):
    def click(name):
        at_batch.find_element(By.ID, name).click()
        return position(at_batch)[0]

    def jump(name):
        at_batch.find_element(By.CSS_SELECTOR, f"[data-jump='{name}']").click()
        current = at_batch.find_elements(By.CSS_SELECTOR, "[aria-current=true]")
        assert [button.get_attribute("data-jump") for button in current] == [name]
        return position(at_batch)[0]

    def key(name):
        press(at_batch, name)
        return position(at_batch)[0]

    assert [click(b) for b in ("next", "next", "back", "last", "next", "first", "back")] == [1, 2, 1, LAST, LAST, 0, 0]
    assert [jump(name) for name in ("2", "0", "batch", "3", "start")] == [61, 1, 121, 91, 0]
    assert [key(k) for k in (Keys.END, Keys.HOME, Keys.PAGE_DOWN, Keys.PAGE_DOWN)] == [LAST, 0, 1, 31]
    assert [key(k) for k in (Keys.ARROW_RIGHT, Keys.PAGE_UP, Keys.END, Keys.PAGE_UP)] == [32, 31, LAST, 121]
    slide(at_batch, 60)
    assert position(at_batch) == (60, LAST)
    at_batch.find_element(By.ID, "slider").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert position(at_batch) == (62, LAST)


def test_jumps_to_a_pass_of_the_sample_on_show(at_batch):
    def part(name):
        at_batch.find_element(By.CSS_SELECTOR, f"[data-part='{name}']").click()
        current = at_batch.find_elements(By.CSS_SELECTOR, "[data-part][aria-current=true]")
        assert [button.get_attribute("data-part") for button in current] == [name]
        return position(at_batch)[0]

    assert [part(name) for name in ("backward", "sum", "forward")] == [20, 30, 2]  # of the first sample, at the start
    slide(at_batch, 40)
    assert [part(name) for name in ("backward", "forward", "sum")] == [50, 32, 60]
    slide(at_batch, LAST)
    assert part("forward") == 92  # the last sample's graph stays on show
    moves = [Keys.ARROW_DOWN] * 4 + [Keys.ARROW_UP] * 2
    slide(at_batch, 0)
    seen = []
    for key in moves:
        press(at_batch, key)
        seen.append(position(at_batch)[0])
    assert seen == [1, 2, 20, 30, 20, 2]


def test_a_row_of_the_table_reads_as_a_sum(at_batch):
    signs = """return [...document.querySelectorAll("tbody tr:first-child td")].filter((td) => td.checkVisibility())
        .map((td) => getComputedStyle(td, "::before").content.replace(/none|"/g, "") + td.textContent)"""
    slide(at_batch, 60)
    cells = at_batch.execute_script(signs)
    texts = places(at_batch)
    assert cells == [texts["t0.0"], f"+{texts['t0.1']}", "", "", f"={texts['t0.sum']}", ""]
    assert lines(at_batch) == [
        "After sample 2 of 4 the parameters hold ∇e₁ + ∇e₂, the sum of the samples so far.",
        f"w₁₁⁽¹⁾.grad = {texts['t0.0']} + {texts['t0.1']} = {texts['t0.sum']}, and so on for each row of the table.",
    ]
    slide(at_batch, LAST)
    assert not any(cell.startswith(("+", "=")) for cell in at_batch.execute_script(signs))


def test_play_takes_from_20_to_200_seconds(at_batch):
    values = [int(option.get_attribute("value")) for option in at_batch.find_elements(By.CSS_SELECTOR, "#speed option")]
    assert 19_000 <= min(values) * LAST <= 21_000
    assert 190_000 <= max(values) * LAST <= 210_000


def test_keys_belong_to_the_control_that_uses_them(at_batch):
    slide(at_batch, 5)
    at_batch.find_element(By.ID, "next").send_keys(" ")
    assert position(at_batch)[0] == 6
    assert at_batch.find_element(By.ID, "play").text == "Play"
    at_batch.find_element(By.CSS_SELECTOR, "[value=mean]").send_keys(Keys.ARROW_LEFT)
    assert at_batch.find_element(By.CSS_SELECTOR, "[value=sum]").is_selected()
    assert position(at_batch)[0] == 6


def test_play_and_pause(at_batch):
    at_batch.find_element(By.CSS_SELECTOR, "#speed [value='160']").click()
    slide(at_batch, LAST - 2)
    press(at_batch, " ")
    assert at_batch.find_element(By.ID, "play").text == "Pause"
    deadline = time.monotonic() + 30
    while at_batch.find_element(By.ID, "play").text == "Pause" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert position(at_batch)[0] == LAST
    assert at_batch.find_element(By.ID, "play").text == "Play"
    press(at_batch, " ", " ")  # from the end it begins again; the second press stops it
    assert position(at_batch)[0] < LAST
    assert at_batch.find_element(By.ID, "play").text == "Play"


def test_zoom_shows_what_is_at_work(at_batch):
    svg = at_batch.find_element(By.CSS_SELECTOR, "svg:not([hidden])")
    slide(at_batch, 22)
    zoom = at_batch.find_element(By.ID, "zoom")
    views = {}
    for press_z in (True, True, zoom.get_attribute("aria-pressed") == "false"):
        views[zoom.get_attribute("aria-pressed")] = svg.get_dom_attribute("viewBox").split()
        if press_z:
            press(at_batch, "z")
    assert zoom.get_attribute("aria-pressed") == "true"
    assert float(views["true"][2]) <= 0.75 * float(views["false"][2])
    inside = """const pane = document.getElementById("graph").getBoundingClientRect();
        return [...document.querySelectorAll("#graph .node.at")].map((e) => e.getBoundingClientRect()).map((r) =>
            Math.min(r.left - pane.left, pane.right - r.right, r.top - pane.top, pane.bottom - r.bottom) > -1)"""
    for size in ((1280, 720), (900, 480), (400, 800)):
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        at_batch.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for step in range(2, 30):
            slide(at_batch, step)
            boxes = at_batch.execute_script(inside)
            assert boxes
            assert all(boxes), (size, step)


def test_zoom_shows_the_parameters_that_the_optimizer_changes(at_batch):
    if at_batch.find_element(By.ID, "zoom").get_attribute("aria-pressed") == "false":
        press(at_batch, "z")
    slide(at_batch, LAST)
    svg = at_batch.find_element(By.CSS_SELECTOR, "#graph svg:not([hidden])")
    left, top, width, height = map(float, svg.get_dom_attribute("viewBox").split())
    boxes = at_batch.execute_script(
        """return [...document.querySelectorAll("#graph svg:not([hidden]) .node")].map((node) => {
            const { x, y, width, height } = node.getBBox();
            return [node.classList.contains("parameter"), x, y, x + width, y + height];
        })"""
    )
    inside = [p for p, x, y, r, b in boxes if left <= x and r <= left + width and top <= y and b <= top + height]
    assert inside.count(True) == 13
    assert len(inside) < len(boxes)


def test_the_head_of_a_narrow_table_has_room(browser, tmp_path):
    a = Value(2.0, label="a")
    browser.get(step_through(a * a).save(tmp_path / "expression.html").as_uri())
    assert browser.execute_script("const { scrollWidth, clientWidth } = table; return scrollWidth - clientWidth") == 0
