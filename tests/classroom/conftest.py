"""The built classroom, served and driven in Chromium: `pytest tests/classroom --site DIR`, else skipped."""

import contextlib
import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.support.ui import WebDriverWait


def pytest_addoption(parser):
    parser.addoption("--site", help="the folder of a built classroom, which tests drive in a browser")


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


@pytest.fixture(scope="session")
def folder(request):
    """The folder of the built site."""
    folder = request.config.getoption("--site", None)
    if folder is None:
        pytest.skip("no built classroom; give one with --site DIR")
    return folder


@pytest.fixture(scope="session")
def site(folder):
    """The address of the built site."""
    with serving(folder) as address:
        yield address


@pytest.fixture
def browser(chromium, site):
    """A browser for the site: the test fails if anything else is asked for, or a script has anything to complain of."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get_log("performance")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = requests(chromium)
    assert asked
    assert all(url.startswith((site, "data:", "blob:", "about:")) for url in asked), asked


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
