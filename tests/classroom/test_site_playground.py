"""The playground of the built site in Chromium: its controls, and its numbers beside those of CPython."""

import math
import time
from pathlib import Path

import pytest
from classroom import playground as python
from driving import finish, start, visit, wait
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

AXE = Path(__file__).parent.parent.parent / "demos/classroom/node_modules/axe-core/axe.min.js"


class Page:
    """The playground as a learner uses it. Nothing is asserted before the page has had the time for it."""

    def __init__(self, browser, site):
        self.browser = browser
        self.site = site

    def open(self, settings=""):
        visit(self.browser, self.site, f"playground/{settings}")
        self.graph("(")
        return self

    def one(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, f"main {selector}")

    def press(self, text):
        """Click on a button with this text, wherever it is."""
        buttons = "[...document.querySelectorAll('main button')]"
        self.browser.execute_script(f"{buttons}.find((one) => one.textContent === arguments[0]).click()", text)

    def turn(self, selector, value):
        """Move a control, as the keyboard or a mouse would, to a value."""
        script = """const [control, value] = arguments;
            if (control.type === "radio") control.click();
            else control.value = value;
            control.dispatchEvent(new Event("input", {bubbles: true}));
            control.dispatchEvent(new Event("change", {bubbles: true}));"""
        self.browser.execute_script(script, self.one(selector), value)

    def text(self, selector):
        return self.browser.execute_script("return arguments[0].textContent", self.one(selector))

    def number(self, name):
        return float(self.text(f"dd.{name}").split()[0])

    def until(self, name, value):
        wait(self.browser, f"document.querySelector('main dd.{name}').textContent === '{value}'")

    def graph(self, words):
        """Wait until the text above a sample's graph has these words, and the graph is there."""
        wait(self.browser, f"document.querySelector('.one .says').textContent.includes('{words}')")
        wait(self.browser, "document.querySelector('main .graph svg')")

    def tells(self, row, column):
        """What the table says of a cell, which the arrow keys go to."""
        canvas = self.one("canvas")
        canvas.send_keys(Keys.HOME)
        canvas.send_keys(Keys.HOME, Keys.ARROW_UP * 40, Keys.ARROW_DOWN * row, Keys.ARROW_RIGHT * column)
        return self.text(".batch .said")

    def address(self):
        return self.browser.execute_script("return location.hash")


@pytest.fixture
def page(browser, site):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    return Page(browser, site)


def shown(x):
    """A number with four digits that count, as page and pictures write it, read again."""
    return float(f"{x:.4g}")


def last_number(sentence):
    words = [word.strip(".,").replace("−", "-") for word in sentence.split()]
    return next(float(word) for word in words if word.lstrip("-")[:1].isdigit() and ("." in word or word == "0"))


def test_numbers_on_screen_are_those_of_cpython(page):
    page.open("batch=4&hidden=3&rate=0.3")
    told = python.start({"batch": 4, "hidden": [3], "rate": 0.3})
    assert page.number("loss") == shown(told["loss"])
    for _ in range(3):
        told = python.advance_sample()
        page.press("One sample")
    page.until("update", "0")
    wait(page.browser, "document.querySelector('.batch canvas').getAttribute('aria-label').includes('4 samples')")
    samples = told["batch"]["samples"]
    for row, column in [(0, 0), (5, 1), (12, 2)]:
        share, name = told["batch"]["shares"][column][row], told["parameters"][row] if "parameters" in told else ""
        sentence = page.tells(row, column)
        assert sentence.startswith(f"Sample {samples[column]} adds ")
        assert name in sentence
        assert last_number(sentence) == shown(share)
    assert page.tells(0, 3) == f"Sample {samples[3]} is not added yet."

    told = python.advance()
    page.press("One batch")
    page.until("update", "1")
    assert last_number(page.tells(7, 4)) == shown(told["batch"]["gradient"][7])
    assert last_number(page.tells(7, 5)) == shown(told["weights"][7] - told["batch"]["before"][7])
    assert last_number(page.tells(7, 6)) == shown(told["weights"][7])
    for count in range(2, 21):
        page.press("One batch")
        page.until("update", count)
    told = python.advance(updates=19, seconds=math.inf)
    assert page.number("loss") == shown(told["loss"])
    assert page.number("epoch") == round(told["epoch"], 2)
    assert page.number("right") == round(told["accuracy"] * 60)

    sample = next(k for k in range(60) if k not in told["batch"]["samples"])
    page.turn(".one input", sample)
    picture = python.one_sample(sample)
    page.graph(f"x = ({picture['x'][0]:.2f}, {picture['x'][1]:.2f})")
    assert last_number(page.text(".one .says").split("loss e = ")[1]) == shown(picture["loss"])
    delta = next(line for line in picture["svg"].split("<text") if "δ" in line).split(">")[1].split("<")[0]
    assert delta.replace("&#160;", " ") in page.text(".graph svg").replace("\xa0", " ")


def test_play_pause_step_and_reset(page):
    page.open("hidden=8")
    first = page.number("loss")
    page.press("Play")
    wait(page.browser, "Number(document.querySelector('main dd.update').textContent) > 20")
    begun = time.monotonic(), page.number("update")
    place = 'document.querySelector(".plane .chart > div")'
    page.browser.execute_script(
        f"window.pictures = 0; new MutationObserver(() => window.pictures++).observe({place}, {{childList: true}})"
    )
    time.sleep(1)
    pictures = page.browser.execute_script("return window.pictures")
    updates, seconds = page.number("update") - begun[1], time.monotonic() - begun[0]
    print(f"2-8-1, batch 10: {updates / seconds:.0f} updates, {pictures / seconds:.0f} pictures a second")
    page.press("Pause")
    time.sleep(0.5)  # what was asked for before
    there = page.number("update")
    time.sleep(0.5)
    assert page.number("update") == there > begun[1]
    assert page.number("loss") < first
    page.press("One batch")
    page.until("update", f"{there + 1:.0f}")
    assert page.text(".bench .curves .chart-legend").split() == ["all", "samples", "each", "batch"]
    page.press("Reset")
    page.until("update", "0")
    assert page.number("loss") == first
    assert page.text(".bench .curves .chart-legend").endswith("before")  # the curve of then, to compare with

    # Whoever leaves takes no step more.
    page.press("Play")
    wait(page.browser, "Number(document.querySelector('main dd.update').textContent) > 5")
    page.browser.execute_script("location.hash = '#lesson/1'")
    wait(page.browser, "document.querySelector('.prose')")
    wait(page.browser, "document.body.dataset.python === 'idle'")
    time.sleep(0.5)
    assert page.browser.execute_script("return document.body.dataset.python") == "idle"


def test_who_leaves_before_it_has_begun_is_left_alone(page):
    """The address stays that of the other part, and nothing plays on."""
    leave = "addEventListener('hashchange', () => (location.hash = '#lesson/2'), {once: true})"
    visit(page.browser, page.site, "lesson/1")
    page.browser.execute_script(f"{leave}; location.hash = '#playground/batch=4'")
    wait(page.browser, "document.querySelector('h2').textContent.startsWith('2. ')")
    start(page.browser)
    finish(page.browser)
    assert page.address() == "#lesson/2"

    page.open()
    page.press("A batch is a sum")
    page.until("update", "0")
    page.press("Play: one sample a second")
    page.browser.execute_script("location.hash = '#lesson/1'")
    wait(page.browser, "document.querySelector('.prose')")
    start(page.browser)
    finish(page.browser)
    page.browser.execute_script(
        "window.states = 0; new MutationObserver(() => window.states++)"
        ".observe(document.body, {attributeFilter: ['data-python']})"
    )
    time.sleep(1.2)  # in which a sample would have come
    assert page.browser.execute_script("return window.states") == 0


LIVE = {
    "batch=5": ("input[name=batch]", 5),
    "rate=0.01": ("input[name=rate]", 2),
    "reduction=sum": ("input[name=reduction][value=sum]", "sum"),
    "optimizer=Adam": ("select[name=optimizer]", "Adam"),
}
FRESH = {
    "hidden=4-4": ("select[name=hidden]", 2),
    "activation=relu": ("select[name=activation]", "relu"),
    "data=circles": ("select[name=data]", "circles"),
    "noise=0.3": ("input[name=noise]", 0.3),
    "hidden=7": (".controls label:not([hidden]) > input[type=number]", 7),
    "seed=3": (".controls label:last-child > input[type=number]", 3),
}


def test_each_control_changes_what_it_should(page):
    page.open()
    for settings, (selector, value) in {**LIVE, **FRESH}.items():
        page.press("One batch")
        page.press("One batch")
        page.until("update", "2")
        page.turn(selector, value)
        wait(page.browser, f"location.hash === '#playground/{settings}'")
        if settings in LIVE:
            assert page.number("update") == 2
            page.press("One batch")
            page.until("update", "3")
        else:
            page.until("update", "0")
            assert "before: " in page.text(".curves .chart-legend")  # the curve of then, to compare with
        name, text = settings.split("=")
        given = [int(n) for n in text.split("-")] if name == "hidden" else type(python.DEFAULTS[name])(text)
        told = python.start({})
        python.advance(updates=2, seconds=math.inf)
        told = {**told, **python.change({name: given})}
        if settings in LIVE:
            told = {**told, **python.advance()}
        assert page.number("loss") == shown(told["loss"])
        page.press("A batch is a sum")  # and back to the settings of the start
        page.turn("input[name=batch]", 10)
        page.turn("select[name=hidden]", 1)
        page.turn(".controls label:not([hidden]) > input[type=number]", 4)
        wait(page.browser, "location.hash === '#playground'")
        page.press("Reset")
        page.until("update", "0")


def test_an_address_sets_the_controls_and_says_what_is_not_possible(page):
    page.open("batch=60&reduction=sum&rate=10&hidden=8-8&activation=linear&data=quadrants&seed=5")
    assert page.one("input[name=batch]").get_attribute("value") == "60"
    assert page.one("input[name=reduction][value=sum]").is_selected()
    assert page.one("select[name=data]").get_attribute("value") == "quadrants"
    page.press("Play")  # which diverges
    warning = wait(page.browser, "document.querySelector('main .warning:not([hidden])')?.textContent")
    wait(page.browser, "document.querySelector('main .warning').textContent.includes('has diverged')")
    assert "η smaller than 10, or take the mean" in page.text(".warning"), warning
    page.press("Reset")
    page.until("update", "0")
    assert page.one(".warning").get_attribute("hidden")
    page.open("batch=1000")
    assert "batch must be a whole number from 1 to 60, got 1000" in page.text(".warning")
    assert page.address() == "#playground"


def test_something_to_try_sets_all_controls_and_keeps_the_curve_to_compare_with(page):
    page.open("noise=0.5")
    page.press("Sum or mean?")
    wait(page.browser, "location.hash === '#playground/batch=60'")
    page.press("Play: mean, η = 1")
    wait(page.browser, "Number(document.querySelector('main dd.update').textContent) > 2")
    page.press("Play: sum, η = 1")
    wait(page.browser, "document.querySelector('.curves .chart-legend').textContent.endsWith('before: mean')")
    wait(page.browser, "document.querySelector('main .warning').textContent.includes('larger than it was')")
    page.press("A batch is a sum")
    page.until("update", "0")  # until Python has begun anew, the training of before is on the page
    page.press("Play: one sample a second")
    label = "document.querySelector('.batch .said').textContent"
    wait(page.browser, "document.querySelector('canvas').clientWidth")  # there is a table once there is a batch
    page.one("canvas").send_keys(Keys.ARROW_DOWN)
    wait(page.browser, f"{label}.includes(' adds ')")  # a column has come by itself
    assert page.number("update") == 0
    page.press("Pause")


def test_a_click_on_a_sample_shows_its_graph(page):
    page.open("batch=3")
    page.press("One batch")
    page.until("update", "1")
    python.start({"batch": 3})
    told = python.advance()
    sample = told["batch"]["samples"][1]
    page.tells(0, 1)
    page.one("canvas").send_keys(Keys.ENTER)
    page.graph(f"loss e = {shown(python.one_sample(sample, before=True)['loss']):g}"[:14])
    assert "with which its column" in page.text(".one .says")
    assert page.one(".one input").get_attribute("value") == str(sample)

    # In the plane: the point that is farthest to the right.
    samples = python.start({"batch": 3})["samples"]
    other = max(range(60), key=lambda k: samples[k][0])
    page.browser.execute_script(
        """const svg = document.querySelector(".plane svg[role=img]"), box = svg.getBoundingClientRect();
        const [x, y] = ["x", "y"].map((name, i) => svg.scale(name).apply(arguments[i]));
        svg.dispatchEvent(new MouseEvent("click", {bubbles: true, clientX: box.left + x, clientY: box.top + y}));""",
        *samples[other][:2],
    )
    page.graph(f"x = ({samples[other][0]:.2f}, {samples[other][1]:.2f})")


def test_all_by_keyboard_and_axe_finds_nothing_serious(page):
    page.open()
    play = page.one(".transport button")
    play.send_keys(Keys.ENTER)
    wait(page.browser, "Number(document.querySelector('main dd.update').textContent) > 2")
    play.send_keys(Keys.ENTER)
    page.one("input[name=batch]").send_keys(Keys.ARROW_LEFT)
    wait(page.browser, "location.hash === '#playground/batch=9'")
    page.one("canvas").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert page.text(".batch .said").startswith("Sample ")
    page.one("canvas").send_keys(Keys.TAB)
    assert page.browser.switch_to.active_element == page.one(".one input")
    page.press("Sum or mean?")
    for theme in ("light", "dark"):
        page.browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        page.browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        found = page.browser.execute_async_script("axe.run(document, {resultTypes: ['violations']}).then(arguments[0])")
        faults = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]
        assert faults == []


def test_nothing_is_wider_than_the_page(page):
    page.open("batch=60&hidden=8-8-8")
    page.press("One batch")
    page.until("update", "1")
    for width in (360, 768, 1280, 1920):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        wait(page.browser, f"innerWidth === {width}")
        assert page.browser.execute_script("return document.documentElement.scrollWidth") <= width
        wait(
            page.browser,
            "document.querySelector('canvas').clientWidth === document.querySelector('.shares').clientWidth",
        )
