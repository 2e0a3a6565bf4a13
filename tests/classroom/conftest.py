"""The built classroom, served and driven in Chromium: `pytest tests/classroom --site DIR`, else skipped."""

import pytest
from driving import requests, serving


def pytest_addoption(parser):
    parser.addoption("--site", help="the folder of a built classroom, which tests drive in a browser")


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
def browser(site, chromium):  # without a site, no browser is started
    """A browser for the site: the test fails if anything else is asked for, or a script has anything to complain of.

    Work that is kept in the browser is cleared; the page stays open for the next test, as Python takes long to start.
    """
    if not chromium.current_url.startswith(site):
        chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get_log("performance")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    if chromium.current_url.startswith(site):
        chromium.execute_script("localStorage.clear()")
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = requests(chromium)
    assert all(url.startswith((site, "data:", "blob:", "about:", "chrome:")) for url in asked), asked
