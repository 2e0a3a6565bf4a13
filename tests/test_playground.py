"""The playground, started as the README says and used in a browser."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from micrograd import accumulate, data

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a playground of this test listens."""
    pytest.importorskip("marimo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", "demos/playground.py", "--headless", "--port", str(port)]
    log = tmp_path_factory.mktemp("playground") / "log"
    with log.open("w") as file:
        home = {"HOME": str(log.parent), "XDG_CONFIG_HOME": str(log.parent)}  # nobody's own settings
        server = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env={**os.environ, **home})
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            if server.poll() is not None or answers(url):
                break
        assert server.poll() is None, log.read_text()
        yield url
    finally:
        server.terminate()
        server.wait(20)


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        time.sleep(0.1)
        return False


class Playground:
    def __init__(self, browser, url):
        self.browser = browser
        browser.set_window_size(1600, 1300)
        browser.get(url)
        self.until(self.picture)

    def until(self, condition):
        return WebDriverWait(self.browser, 60).until(lambda _: condition())

    def control(self, kind, label, inside):
        """The part of a control that one clicks: it is in a shadow tree."""
        script = f"""return [...document.querySelectorAll("marimo-{kind}")]
            .filter(e => e.shadowRoot && e.shadowRoot.textContent.includes(arguments[0]))
            .map(e => e.shadowRoot.querySelector(arguments[1])).find(e => e)"""
        return self.until(lambda: self.browser.execute_script(script, label, inside))

    def press(self, kind, label, inside="button"):
        """Click on a control, wherever it is at this moment: a mouse that aims first may miss what moves meanwhile."""
        self.browser.execute_script("arguments[0].click()", self.control(kind, label, inside))

    def picture(self):
        return self.browser.execute_script("return document.querySelector('img[alt^=decision]')?.src")

    def settled(self):
        """The picture, once it has stayed as it is for a second: a page that is starting draws it more than once."""
        before, now = None, self.picture()
        while now is None or now != before:
            time.sleep(1)
            before, now = now, self.picture()
        return now

    def changes(self, act):
        """Do something, and wait until the picture is another one."""
        before = self.picture()
        act()
        self.until(lambda: self.picture() not in {before, None})

    def graph(self):
        return self.browser.execute_script("return document.querySelector('svg g.graph')?.textContent")


@pytest.fixture(scope="module")
def playground(chromium, address):
    chromium.get_log("performance")
    return Playground(chromium, address)


def test_step_slider_play_and_reset_change_the_picture(playground):
    first = playground.settled()
    assert first.startswith("data:image/png;base64,")
    assert "8 units, 24 parameters" in playground.graph()

    playground.changes(lambda: playground.press("button", "step"))  # one update
    once = playground.settled()
    playground.press("button", "reset")
    playground.until(lambda: playground.picture() == first)
    playground.press("button", "step")
    playground.until(lambda: playground.picture() == once)  # the same seed

    playground.changes(lambda: playground.press("switch", "play", "[role=switch]"))
    playground.changes(lambda: None)  # it goes on by itself
    playground.press("switch", "play", "[role=switch]")

    noise = playground.control("slider", "noise", "[role=slider]")
    playground.changes(lambda: noise.send_keys(Keys.ARROW_RIGHT))
    units = playground.control("slider", "units", "[role=slider]")
    playground.changes(lambda: units.send_keys(Keys.ARROW_LEFT))
    playground.until(lambda: "7 units, 21 parameters" in (playground.graph() or ""))


def test_a_sample_is_chosen_by_dragging_over_it(playground):
    assert "The loss graph of sample 0" in playground.browser.find_element("tag name", "body").text
    canvas = playground.control("matplotlib", "", "canvas")
    width, height = canvas.size["width"], canvas.size["height"]

    def drag():
        mouse = ActionChains(playground.browser).move_to_element_with_offset(canvas, -width // 3, height // 5)
        mouse.click_and_hold().move_by_offset(width // 5, -height // 3).release().perform()

    playground.changes(drag)
    title = playground.until(
        lambda: re.search(r"graph of sample ([1-9]\d*)", playground.browser.find_element("tag name", "body").text)
    )
    assert title


def test_the_sample_nearest_to_the_middle_of_those_marked_is_chosen(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "demos")
    from playground import nearest

    samples = [([x, 1.0], 1) for x in (9.0, 0.0, 1.9, 4.0)]
    assert nearest(samples, [False, True, True, True]) == 2
    assert nearest(samples, [False] * 4) == 0


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_step_shows_what_each_sample_adds_and_is_that_of_accumulate(monkeypatch, reduction):
    monkeypatch.syspath_prepend(ROOT / "demos")
    from playground import Run

    def make():
        return Run("circles", 0.1, [3, 2], "relu", "Adam")

    run, other = make(), make()
    run.step(5, 0.1, reduction)
    batch = next(iter(data.DataLoader(other.samples, 5, shuffle=True, seed=0)))
    accumulate(other.loss, batch, reduction)
    grads = [p.grad for p in other.optimizer.parameters]
    assert [sum(column) for column in zip(*run.shares)] == pytest.approx(grads, rel=1e-12, abs=1e-15)
    other.optimizer.step()
    assert run.model.state_dict() == other.model.state_dict()
    assert sum(rows for _, rows in run.groups()) == len(grads)
    assert len(run.errors) == 2


def test_nothing_is_asked_of_the_network(playground, address):
    events = [json.loads(entry["message"])["message"] for entry in playground.browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
