"""What tests of the built classroom share: serve it, and use it as a learner does."""

import contextlib
import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from selenium.common.exceptions import JavascriptException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait


class Files(SimpleHTTPRequestHandler):
    """A static host, as simple as they come: it sets no headers."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder, port=0):
    with ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Files, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def requests(chromium):
    events = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def wait(browser, script, seconds=30):
    """The value of a script, once it is true; a page that is loading has none yet."""

    def value(_):
        try:
            return browser.execute_script(f"return {script}")
        except JavascriptException:
            return None

    return WebDriverWait(browser, seconds, 0.05).until(value, script)


def visit(browser, site, route="lesson/1", fresh=False):
    """Open a part of the site, and wait until Python is ready. ``fresh`` loads the page anew, and so all it holds."""
    if fresh or not browser.current_url.startswith(site):
        browser.get("about:blank")  # an address that differs by its part alone loads nothing
        browser.get(f"{site}#{route}")
    else:
        browser.execute_script("location.hash = ''; location.hash = arguments[0]", route)
        part = route.split("/")[0]
        wait(browser, f"document.querySelector('nav a[aria-current]')?.hash === '#{part}'")
    wait(browser, "document.body.dataset.python === 'idle'", 60)


def cell(browser, number=0):
    return browser.find_elements(By.CSS_SELECTOR, ".cell")[number]


def code_in(browser, number=0):
    """The code in a cell's editor."""
    script = "return [...arguments[0].querySelectorAll('.cm-line')].map((line) => line.textContent).join('\\n')"
    return browser.execute_script(script, cell(browser, number))


def write(browser, code, number=0):
    """Put code in a cell's editor, in place of what is there."""
    editor = cell(browser, number).find_element(By.CSS_SELECTOR, ".cm-content")
    editor.send_keys(Keys.CONTROL, "a")
    browser.execute_cdp_cmd("Input.insertText", {"text": code})


def start(browser, number=0):
    browser.execute_script("arguments[0].click()", cell(browser, number).find_element(By.CSS_SELECTOR, ".primary"))


def finish(browser, number=0, seconds=60):
    """Wait until a cell has run; the text below it."""
    state = f"document.querySelectorAll('.cell')[{number}].dataset.state"
    wait(browser, f"['done', 'error'].includes({state})", seconds)
    return browser.execute_script(
        "return [...arguments[0].querySelectorAll('.output pre')].map((e) => e.textContent).join('')",
        cell(browser, number),
    )


def run(browser, code, number=0):
    write(browser, code, number)
    start(browser, number)
    return finish(browser, number)


def stop(browser, number=0):
    cell(browser, number).find_element(By.XPATH, ".//button[text()='Stop']").click()
