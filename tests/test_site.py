"""The site as it is built: without a word of warning, each link leads somewhere, nothing comes from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import micrograd

for needed in ("sphinx", "furo", "myst_nb"):
    pytest.importorskip(needed, reason="the site needs .[docs]")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    (out / "classroom").mkdir()
    (out / "classroom" / "index.html").write_text("<title>the classroom</title>", encoding="utf-8")
    command = [sys.executable, "docs/build.py", "--out", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    return out


class Page(HTMLParser):
    """The addresses that a page leads to, those that it loads, and the places in it that a link can name."""

    def __init__(self, path):
        super().__init__()
        self.path, self.leads, self.loads, self.anchors = path, [], [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.leads.append(found["href"])
        self.loads += [found[name] for name in ("src", "data", "poster") if name in found]
        self.loads += [found["href"]] if tag in {"link", "use", "image"} and "href" in found else []


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


def target(page, address):
    return (page.parent / unquote(urlsplit(address).path)).resolve() if urlsplit(address).path else page


def test_every_link_leads_to_a_page_and_a_place_in_it(pages):
    broken = []
    for path, page in pages.items():
        for address in page.leads:
            if urlsplit(address).scheme in {"http", "https", "mailto"}:
                continue
            found, anchor = target(path, address), unquote(urlsplit(address).fragment)
            if not found.is_file() or (found in pages and anchor not in pages[found].anchors):
                broken.append(f"{path.name}: {address}")
    assert broken == []
    assert sum(len(page.leads) for page in pages.values()) > 1000


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for path, page in pages.items():
        for address in page.loads:
            assert address.startswith("data:") or target(path, address).is_file(), f"{path.name}: {address}"
    for path in site.rglob("*.css"):
        assert not re.findall(r"url\(\s*[\"']?(?:https?:)?//|@import", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize(
    "name",
    ["index", "demos/lesson", "docs/teachers", "docs/promises", "benchmarks/conformance", "demos/moons",
     "micrograd/tape/README", "reference/operations", "reference/micrograd.nn", "CHANGELOG", "CONTRIBUTING"],
)  # fmt: skip
def test_what_a_teacher_looks_for_is_there(site, name):
    assert (site / f"{name}.html").is_file()


def test_the_home_page_leads_on(site, pages):
    ways = ["demos/lesson.html", "docs/teachers.html", "docs/lessons.html", "reference/index.html"]
    assert {*ways, "classroom/index.html"} <= set(pages[site / "index.html"].leads)


def test_every_docstring_comes_out_as_text_not_as_markup(site):
    for path in (site / "reference").glob("*.html"):
        text = path.read_text(encoding="utf-8").partition("<article")[2]
        markup = r"<p>(?:Args|Attributes|Raises):|``[^<]*|:\w+:`|&gt;&gt;&gt; [^<]*</p>|>Type<|~micrograd"
        assert not re.findall(markup, text), path.name


def test_search_works_from_a_folder(site, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get((site / "search.html").as_uri() + "?q=dropout")
    links = WebDriverWait(browser, 30).until(lambda b: b.find_elements(By.CSS_SELECTOR, "ul.search li a"))
    assert links[0].text == "micrograd.nn.dropout"
    links[0].click()
    assert browser.title == f"micrograd.nn - micrograd {micrograd.__version__}"
