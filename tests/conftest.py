"""Hypothesis draws the same examples in every run and takes its time on slow machines."""

import json
import shutil

import pytest
from hypothesis import settings

settings.register_profile("same examples every time", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("same examples every time")


@pytest.fixture(scope="session", autouse=True)
def objects(tmp_path_factory):
    """Machine code is kept in a folder of the test run, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGRAD_CACHE", str(tmp_path_factory.mktemp("objects")))
        yield


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A real browser, driven by Selenium."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("no Chromium with its driver on this machine; apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    quiet = "no-first-run disable-quic disable-background-networking disable-component-update disable-sync"
    for flag in f"headless no-sandbox disable-gpu disable-dev-shm-usage window-size=1280,800 {quiet}".split():
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium):
    """A browser for local files: the test fails if it asks for anything else, or has anything to complain of."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get_log("performance")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert chromium.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
