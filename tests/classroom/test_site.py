"""The built site in Chromium: `pytest tests/classroom --site DIR`. What is shown is what the notebook shows, whatever
a cell does stays in its tab, and the second visit needs no network.
"""

import base64
import html
import json
import re
import shutil
from pathlib import Path

import pytest
from driving import cell, code_in, finish, requests, run, serving, start, stop, visit, wait, write
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ROOT = Path(__file__).parent.parent.parent
NOTEBOOK = json.loads((ROOT / "demos" / "lesson.ipynb").read_text(encoding="utf-8"))
AXE = ROOT / "demos" / "classroom" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ["lesson/1", "lesson/6", "engine/1", "engine/5", "playground"]


def chapters():
    """For each chapter, its code cells."""
    found = []
    for one in NOTEBOOK["cells"]:
        if one["cell_type"] == "markdown" and "".join(one["source"]).startswith("## "):
            found.append([])
        elif one["cell_type"] == "code":
            found[-1].append(one)
    return found


# ---- the lesson ------------------------------------------------------------------------------------------------------


def texts(svg):
    """What stands in an SVG."""
    return sorted(html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def check_output(browser, place, stored):
    """Compare what a cell shows with one output of the notebook."""
    data = stored["data"]
    markup, plain = "".join(data.get("text/html", "")), "".join(data["text/plain"])
    if "image/svg+xml" in markup:
        svg = base64.b64decode(re.search(r"svg\+xml;base64,([^\"]+)", markup)[1]).decode()
        shown = place.find_element(By.CSS_SELECTOR, ".picture svg").get_attribute("outerHTML")
        assert texts(shown.replace("&nbsp;", "\xa0")) == texts(svg.replace("&#160;", "\xa0"))
    elif "srcdoc" in markup:
        page = html.unescape(re.search(r'srcdoc="([^"]*)"', markup)[1])
        browser.switch_to.frame(place.find_element(By.TAG_NAME, "iframe"))
        try:
            data = browser.find_element(By.ID, "data").get_attribute("textContent")
            first = browser.find_element(By.ID, "position").text
            browser.find_element(By.ID, "next").click()
            second = browser.find_element(By.ID, "position").text
        finally:
            browser.switch_to.default_content()
        expected = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
        assert json.loads(data)["steps"] == expected["steps"]
        assert (first[:7], second[:7]) == ("step 1 ", "step 2 ")
    elif "image/png" in markup:
        figure = place.find_element(By.CSS_SELECTOR, "figure.chart")
        assert figure.get_attribute("aria-label") == plain
        assert figure.find_elements(By.CSS_SELECTOR, "svg path, svg circle")
    else:
        assert place.text.rstrip().endswith(plain)


def test_each_cell_shows_what_the_notebook_shows(browser, site):
    """The last cell of each chapter is run first, so that it runs those before it; then all, from the top."""
    visit(browser, site)
    for number, codes in enumerate(chapters(), start=1):
        browser.execute_script(f"location.hash = 'lesson/{number}'")
        wait(browser, f"document.querySelector('h2').textContent.startsWith('{number}. ')")
        assert len(browser.find_elements(By.CSS_SELECTOR, ".cell")) == len(codes)
        start(browser, len(codes) - 1)
        assert "Error" not in finish(browser, len(codes) - 1)
        for k, code in enumerate(codes):
            if k < len(codes) - 1:
                start(browser, k)
                finish(browser, k)
            place = cell(browser, k).find_element(By.CSS_SELECTOR, ".output")
            printed = "".join(
                "".join(output["text"]) for output in code["outputs"] if output["output_type"] == "stream"
            )
            assert place.get_property("textContent").startswith(printed), (number, k)
            for output in code["outputs"]:
                if output["output_type"] == "execute_result":
                    check_output(browser, place, output)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".chapters .done")) == len(chapters())


def test_an_edited_cell_shows_the_edited_result_and_is_kept(browser, site):
    visit(browser, site)
    before = "".join(chapters()[0][0]["source"])
    assert code_in(browser) == before
    code = before.replace("Value(2.0", "Value(5.0")
    write(browser, code)
    start(browser)
    finish(browser)
    assert "data 5" in cell(browser).text
    assert "data 25" in cell(browser).text
    visit(browser, site, fresh=True)
    assert code_in(browser) == code
    cell(browser).find_element(By.XPATH, ".//button[text()='Reset']").click()
    assert code_in(browser) == before
    visit(browser, site)
    assert code_in(browser) == before


def test_a_chapter_has_one_heading(browser, site):
    visit(browser, site)
    assert [heading.text for heading in browser.find_elements(By.CSS_SELECTOR, "main :is(h1, h2, h3)")] == [
        "1. An expression and its gradient"
    ]
    assert "Eight short chapters" in browser.find_element(By.CSS_SELECTOR, ".prose").text


def test_an_explanation_is_shown_as_a_formula(browser, site):
    visit(browser, site)
    write(
        browser,
        "from micrograd import Value, explain\na = Value(3.0, label='a')\ne = a * a\ne.backward()\nexplain(a, e)",
    )
    start(browser)
    finish(browser)
    assert wait(browser, "document.querySelectorAll('.formula math mfrac').length") >= 3
    assert "∂" in cell(browser).find_element(By.CSS_SELECTOR, ".formula math").get_property("textContent")
    assert "∂" in cell(browser).find_element(By.CSS_SELECTOR, ".formula .katex-html").text
    loaded = "[...document.fonts].filter((font) => font.status === 'loaded').map((font) => font.family)"
    wait(browser, f"{loaded}.includes('KaTeX_Math')")  # a browser may have no font for formulas


def test_a_prediction_comes_before_the_answer_and_is_kept(browser, site):
    visit(browser, site, "lesson/3")
    asks = browser.find_element(By.CSS_SELECTOR, ".asks")
    assert not asks.find_element(By.CSS_SELECTOR, "details").get_attribute("open")
    asks.find_element(By.TAG_NAME, "input").send_keys("no, it is small")
    asks.find_element(By.TAG_NAME, "summary").click()
    assert "saturated" in asks.text
    visit(browser, site, "lesson/3")
    field = browser.find_element(By.CSS_SELECTOR, ".asks input")
    assert field.get_property("value") == "no, it is small"
    field.clear()


# ---- stopping --------------------------------------------------------------------------------------------------------


def test_an_endless_loop_is_stopped_and_variables_are_kept(browser, site):
    visit(browser, site)
    write(browser, "kept = 42\nwhile True:\n    pass")
    start(browser)
    wait(browser, "document.body.dataset.python === 'running'")
    stop(browser)
    assert finish(browser).endswith("Stopped.")
    assert run(browser, "kept") == "42\n"


GONE = "the variables of earlier cells are gone"


@pytest.mark.parametrize("isolated", [True, False])
def test_what_cannot_be_interrupted_is_ended_with_its_variables(browser, site, isolated):
    """A page that is not isolated has no interrupt; where it is, a loop written in C does not listen to it."""
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBypassServiceWorker", {"bypass": not isolated})
    try:
        visit(browser, site, fresh=True)
        assert browser.execute_script("return crossOriginIsolated") == isolated
        write(browser, f"lost = 42\n{'sum(range(10**12))' if isolated else 'while True: pass'}")
        start(browser)
        wait(browser, "document.body.dataset.python === 'running'")
        stop(browser)
        assert GONE in finish(browser)
        assert GONE in browser.find_element(By.ID, "notices").text
        assert run(browser, "'lost' in globals()") == "False\n"
    finally:
        browser.execute_cdp_cmd("Network.setBypassServiceWorker", {"bypass": False})
        browser.get("about:blank")


def test_restart_clears_the_variables_and_what_waits_for_python_waits_on(browser, site):
    visit(browser, site)
    assert run(browser, "old = 1\nold") == "1\n"
    write(browser, "old")
    restart = browser.find_element(By.XPATH, "//header//button[text()='Restart Python']")
    browser.execute_script("arguments[0].click()", restart)
    start(browser)
    browser.execute_script("arguments[0].click()", restart)  # the cell waits for the next one now
    assert "NameError: name 'old' is not defined" in finish(browser)


# ---- hostile cells ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tab(browser, site):
    """A page on which a hostile cell runs; what the browser then complains of is as it should be."""
    visit(browser, site)
    yield browser
    assert browser.execute_script("return window.hurt") is None
    assert browser.title.startswith("Lesson")
    assert run(browser, "1 + 1") == "2\n"
    browser.get_log("browser")


def test_labels_and_text_are_text(tab):
    label = "<script>hurt=1</script><img src=x onerror=hurt=1>"
    assert run(tab, f"label = {label!r}\nprint(label)").startswith(label)
    write(tab, f"from micrograd import Value, draw\ndraw(Value(1.0, label={label!r}) * 2)")
    start(tab)
    finish(tab)
    assert label in cell(tab).find_element(By.CSS_SELECTOR, ".picture").get_property("textContent").replace("\xa0", " ")
    assert run(tab, f"raise ValueError({label!r})").endswith(label)


def test_a_picture_is_cleaned(tab):
    svg = '<svg width="9pt" viewBox="0 0 9 9" onload="hurt=1"><script>hurt=1</script><image href="x" onerror="hurt=1"/>'
    svg += "</svg>"
    write(
        tab,
        f"""from micrograd import Value, draw
from micrograd.pictures import render
layout, render.layout = render.layout, lambda source, form: {svg.encode()}
try:
    display(draw(Value(1.0) * 2))
finally:
    render.layout = layout
""",
    )
    start(tab)
    finish(tab)
    shown = cell(tab).find_element(By.CSS_SELECTOR, ".picture").get_property("innerHTML")
    assert "<svg" in shown
    assert not re.search("onload|onerror|script", shown)


def show_html(tab, page):
    """Let a cell show HTML, and return its frame."""
    write(tab, f"class Page:\n    def _repr_html_(self): return {page!r}\nPage()")
    start(tab)
    finish(tab)
    return cell(tab).find_element(By.TAG_NAME, "iframe")


def test_html_runs_in_a_frame_from_which_nothing_leaves(tab):
    page = """<p id=seen></p><img src=https://example.org/i><script>
        document.addEventListener("securitypolicyviolation", (event) => seen.append(event.effectiveDirective, " "));
        try { parent.hurt = 1 } catch { seen.append("parent ") }
        try { localStorage.a = 1 } catch { seen.append("storage ") }
        fetch("https://example.org/f").catch(() => seen.append("fetch "));</script><p onclick="hurt=1">"""
    frame = show_html(tab, page)
    assert frame.get_attribute("sandbox") == "allow-scripts"
    tab.switch_to.frame(frame)
    try:
        wait(tab, "document.getElementById('seen').textContent.includes('fetch ')")
        seen = tab.find_element(By.ID, "seen").text.split()
    finally:
        tab.switch_to.default_content()
    assert set(seen) == {"parent", "storage", "img-src", "connect-src", "fetch", "script-src-attr"}


def test_a_frame_goes_nowhere(tab, site):
    tab.execute_script(
        "window.stopped = []; document.addEventListener('securitypolicyviolation',"
        " (event) => window.stopped.push(event.effectiveDirective + ' ' + event.blockedURI))"
    )
    show_html(
        tab, "<script>try { top.location = 'https://example.org/' } catch {} location = 'https://example.org/'</script>"
    )
    assert wait(tab, "window.stopped[0]") == "frame-src https://example.org"
    assert tab.current_url.startswith(site)


@pytest.mark.parametrize(
    "code",
    ["print('x' * 10_000_000)", "for k in range(1_000_000): print(k)", "'<b>' * 4_000_000"],
    ids=["one print", "many prints", "a value"],
)
def test_ten_megabytes_of_output(tab, code):
    assert "The output is cut here" in run(tab, code)[-100:]


def test_recursion(tab):
    assert "RecursionError" in run(tab, "def f(): return f()\nf()")


@pytest.mark.parametrize(
    "code", ["import os\nos._exit(1)", "a = []\nfor _ in range(100_000): a = [a]\nrepr(a)"], ids=["exit", "deep list"]
)
def test_a_breakdown_of_python_starts_a_fresh_one(tab, code):
    assert GONE in run(tab, code)


MISCHIEF = '''
import js
from pyodide.code import run_js

names = """fetch XMLHttpRequest WebSocket indexedDB caches BroadcastChannel importScripts Worker navigator
    postMessage close""".split()
print([name for name in names if getattr(js, name, None) is not None])


def attempt(act):
    try:
        return act()
    except Exception as error:
        return type(error).__name__


print(attempt(lambda: run_js("fetch")), attempt(lambda: js.Function.new("return 1")()), attempt(lambda: js.eval("1")))
js.setTimeout("postMessage({type: 'fatal', message: 'hurt'})", 0)
attempt(lambda: setattr(js, "onmessage", None))
attempt(lambda: js.Object.getPrototypeOf(js.Object.getPrototypeOf(js.self)).fetch)
_ = attempt(lambda: js.self.dispatchEvent(js.Event.new("message")))
pass
'''


def test_the_workers_powers_are_out_of_reach(tab):
    assert run(tab, MISCHIEF).splitlines() == ["[]", "JsException JsException JsException"]


# ---- the network -----------------------------------------------------------------------------------------------------


def test_the_second_visit_needs_no_network_and_a_new_build_takes_over(folder, chromium, tmp_path):
    built = shutil.copytree(folder, tmp_path / "site")
    with serving(built) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        visit(chromium, address)
        files = json.loads(
            re.search(r"^const FILES = (.*);$", (built / "service-worker.js").read_text(), re.MULTILINE)[1]
        )
        kept = "caches.keys().then((k) => caches.open(k[0])).then((c) => c.keys()).then((k) => window.kept = k.length)"
        wait(chromium, f"({kept}, window.kept === {len(files)})")
    chromium.get_log("performance")
    visit(chromium, address, fresh=True)  # nobody serves it now
    assert chromium.execute_script("return crossOriginIsolated")
    assert run(chromium, "from micrograd import Value, draw\nValue(3.0) ** 2").endswith("data=9.0, grad=0)\n")
    write(chromium, "draw(Value(3.0) ** 2)")
    start(chromium)
    finish(chromium)
    assert "data 9" in cell(chromium).text
    assert all(url.startswith((address, "data:", "blob:", "about:")) for url in requests(chromium))

    worker, page = built / "service-worker.js", built / "index.html"
    worker.write_text(re.sub('(VERSION = )"', r'\1"new', worker.read_text(), count=1))
    page.write_text(page.read_text().replace("<title>micrograd", "<title>new micrograd"))
    with serving(built, port) as again:
        assert again == address
        visit(chromium, address, fresh=True)
        wait(chromium, "document.querySelector('.notice')?.textContent.includes('new version')")
        names = "caches.keys().then((k) => window.names = k.map((name) => name.split(' ').pop().slice(0, 3)).join())"
        wait(chromium, f"({names}, window.names === 'new')")
        assert "new micrograd" in chromium.execute_async_script(
            "const done = arguments[0]; fetch('.').then((r) => r.text()).then(done)"
        )


def test_a_site_without_pythons_files_says_so(folder, chromium, tmp_path):
    built = shutil.copytree(folder, tmp_path / "site")
    (built / "python.zip").unlink()
    with serving(built) as address:
        chromium.get(address)
        wait(chromium, "document.querySelector('.interpreter')?.textContent.includes('Python is missing')")
        assert "python.zip: 404" in chromium.find_element(By.ID, "notices").text
        start(chromium)
        assert "Python could not be loaded" in finish(chromium)
        chromium.get("about:blank")


def test_a_page_opened_as_a_file_says_that_it_has_to_be_served(folder, chromium):
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]  # the sentence comes after two seconds, else
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
    chromium.get((Path(folder).resolve() / "index.html").as_uri())
    wait(chromium, "getComputedStyle(document.querySelector('.start')).visibility === 'visible'")
    assert "has to be served by a web server, not opened as a file" in chromium.find_element(By.TAG_NAME, "body").text
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.get("about:blank")


# ---- for everyone ----------------------------------------------------------------------------------------------------


def test_axe_finds_nothing_serious(browser, site):
    visit(browser, site)
    axe = AXE.read_text(encoding="utf-8")
    for view in VIEWS:
        browser.execute_script("location.hash = arguments[0]", view)
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
        if view.startswith("lesson"):
            for k in range(len(browser.find_elements(By.CSS_SELECTOR, ".cell"))):
                start(browser, k)
                finish(browser, k)
            run(browser, "e = 1 / 0")
        for theme in ("light", "dark"):
            browser.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            )
            wait(browser, f"document.documentElement.dataset.theme === '{theme}'")
            found = browser.execute_async_script(
                "axe.run({exclude: [['iframe']]}, {resultTypes: ['violations'], iframes: false}).then(arguments[0])"
            )
            serious = [
                (one["id"], [node["html"][:200] for node in one["nodes"]])
                for one in found["violations"]
                if one["impact"] in {"serious", "critical"}
            ]
            assert serious == [], (view, theme)


def test_a_phone_has_room_for_more_than_the_header(browser, site):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, site)
    assert browser.find_element(By.TAG_NAME, "header").size["height"] <= 740 / 5


def test_all_by_keyboard(browser, site):
    """From the top: the content, a cell's editor, out of it, Run, the next chapter."""
    visit(browser, site, fresh=True)

    def active():
        return browser.switch_to.active_element

    def forward(until):
        """Press Tab, which leaves an editor only after Escape, until a condition holds."""
        for _ in range(60):
            active().send_keys(Keys.ESCAPE)
            active().send_keys(Keys.TAB)
            if until(active()):
                return
        raise AssertionError("not reached by Tab")

    forward(lambda element: element.text == "Skip to the content")
    active().send_keys(Keys.ENTER)
    assert active().get_attribute("id") == "content"
    forward(lambda element: "cm-content" in (element.get_attribute("class") or ""))
    active().send_keys(Keys.CONTROL, Keys.ENTER)
    finish(browser)
    assert "data 2" in cell(browser).text
    forward(lambda element: element.text == "Run")
    forward(lambda element: element.text == "Show the answer")
    active().send_keys(Keys.ENTER)
    assert browser.find_element(By.CSS_SELECTOR, ".asks details").get_attribute("open")
    forward(lambda element: element.text.endswith("→"))
    active().send_keys(Keys.ENTER)
    wait(browser, "document.querySelector('h2').textContent.startsWith('2. ')")
    assert active().get_attribute("id") == "content"
