"""Make every picture of README, docs and notebook again: the same code, the same pictures.

    python demos/pictures/make.py                 # all that are listed below
    python demos/pictures/make.py network page    # these

``expression`` and ``network`` are what the pages' own code draws, ``page`` is the README's page in a browser (Chromium
with its driver, and Selenium), ``moons``, ``batch_sizes`` and ``health`` come from the demos of that name, and
``loss_surface`` from ``batch_sizes``. ``lesson`` runs ``lesson.ipynb`` and stores it with its outputs. ``benchmarks``
is drawn from the tables in ``docs/speed.md`` and ``benchmarks/README.md``, which ``benchmarks/peers.py`` measures.
``classroom`` (a chapter of the lesson) and ``playground`` are pages of the classroom, which is built for them with npm.
"""

import argparse
import contextlib
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LESSON = HERE.parent / "lesson.ipynb"
STEP = ("sample 2", "δ = s₁⁽¹⁾.grad")  # the page is shown where its sentences have these words
SIZE = (1600, 900)
CHAPTER = (1600, 1000)
PLAYGROUND, UPDATES = 1280, 100
PICKED = "\ue015\ue014\ue006"  # the keys down, right, Enter: the second sample of the batch


def shown(text: str, wanted: set[str]) -> None:
    """Run a page's code; what ``picture`` and ``page`` are where an image follows is the image."""
    parts = re.findall(
        r"^```python\n(.*?)^```|\]\((?:\.\./)?demos/pictures/(\w+)\.\w+\)", text, re.DOTALL | re.MULTILINE
    )
    names: dict = {}
    places = [i for i, (_, image) in enumerate(parts) if image in wanted]
    for code, image in parts[: 1 + max(places, default=-1)]:
        if code:
            exec(code, names)
        elif image in wanted and image == "page":
            photograph(names["page"], HERE / "page.png")
        elif image in wanted:
            names["picture"].save(HERE / f"{image}.svg")


@contextlib.contextmanager
def chromium(width: int, height: int) -> Iterator:
    """A browser that draws the same page as the same pixels."""
    from selenium import webdriver

    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        sys.exit("a picture of a page needs Chromium with its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    steady = "disable-gpu font-render-hinting=none disable-lcd-text disable-partial-raster disable-skia-runtime-opts"
    for flag in f"headless no-sandbox hide-scrollbars window-size={width},{height} {steady}".split():
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        still = [
            {"name": "prefers-reduced-motion", "value": "reduce"},
            {"name": "prefers-color-scheme", "value": "light"},
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
        yield browser
    finally:
        browser.quit()


def save_screenshot(browser, path: Path) -> None:
    """What is on the page, once it is drawn."""
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    browser.save_screenshot(str(path))


def photograph(page, path: Path) -> None:
    """The page in a browser, at the step of ``STEP``."""
    with chromium(*SIZE) as browser, tempfile.TemporaryDirectory() as folder:
        browser.get(page.save(Path(folder) / "page.html").as_uri())
        found = browser.execute_script(
            """const slider = document.getElementById("slider");
            for (let i = 0; i <= slider.max; i++) {
                slider.value = i;
                slider.dispatchEvent(new Event("input"));
                const text = document.getElementById("say").textContent;
                if ([...arguments].every((words) => text.includes(words))) return true;
            }""",
            *STEP,
        )
        if not found:
            sys.exit(f"no step of the page has the words {' and '.join(STEP)}")
        save_screenshot(browser, path)


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing of it."""

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: str) -> Iterator[str]:
    """The address at which the folder's files are."""
    handler = functools.partial(Files, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def classroom(pictures: set[str]) -> None:
    """Build the classroom, and take those of its pictures."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(HERE.parent / "classroom" / "build.py"), "--out", folder], check=True)
        with served(folder) as address:
            for picture in sorted(pictures):
                CLASSROOM[picture](address)


def chapter(address: str) -> None:
    """The top of the lesson's first chapter, with what its first cell shows."""
    from selenium.webdriver.support.ui import WebDriverWait

    with chromium(*CHAPTER) as browser:
        browser.get(f"{address}#lesson/1")
        wait = WebDriverWait(browser, 120)
        wait.until(lambda _: browser.execute_script("return document.body.dataset.python === 'idle'"))
        browser.execute_script("document.querySelector('.cell .primary').click()")
        wait.until(lambda _: browser.execute_script("return Boolean(document.querySelector('.cell .picture svg'))"))
        wait.until(lambda _: "ready" in browser.find_element("css selector", ".interpreter").text)
        save_screenshot(browser, HERE / "classroom.png")


def playground(address: str) -> None:
    """The playground after ``UPDATES`` updates, with the graph of a sample of the last batch."""
    from selenium.webdriver.support.ui import WebDriverWait

    with chromium(PLAYGROUND, 900) as browser:
        browser.get(f"{address}#playground")
        wait = WebDriverWait(browser, 120)
        wait.until(lambda _: browser.execute_script("return Boolean(document.querySelector('.graph svg'))"))
        browser.execute_script(
            """const buttons = [...document.querySelectorAll("main button")];
            const step = buttons.find((button) => button.textContent === "One batch");
            for (let i = 0; i < arguments[0]; i++) step.click();""",
            UPDATES,
        )
        wait.until(lambda _: browser.find_element("css selector", "dd.update").text == str(UPDATES))
        browser.execute_script("document.querySelector('canvas').focus()")
        browser.switch_to.active_element.send_keys(*PICKED)
        wait.until(lambda _: "its column" in browser.find_element("css selector", ".one .says").text)
        wait.until(lambda _: "ready" in browser.find_element("css selector", ".interpreter").text)
        browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        height = browser.execute_script("return document.documentElement.scrollHeight")
        metrics = {"width": PLAYGROUND, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        save_screenshot(browser, HERE / "playground.png")


def demo(name: str, pictures: set[str]) -> None:
    """Run the demo and keep those of its pictures."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(HERE.parent / f"{name}.py"), "--out", folder], check=True)
        for picture in pictures:
            shutil.copy(Path(folder) / f"{picture}.png", HERE)


def lesson() -> None:
    """Run the notebook and store it with what its cells show: the same bytes each time."""
    import nbformat

    notebook = run_lesson()
    nbformat.write(notebook, LESSON)


def run_lesson():
    """The notebook, run in a new kernel, without what differs from one run or machine to the next."""
    import nbclient
    import nbformat

    notebook = nbformat.read(LESSON, as_version=4)
    metadata = notebook.metadata.copy()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        resources={"metadata": {"path": str(LESSON.parent)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute(env=environment)
    notebook.metadata = metadata  # that of the kernel has the version of Python
    return notebook


def benchmarks() -> None:
    """The picture of the figures that are on the pages now; measuring them anew takes ten minutes."""
    sys.path += [str(HERE.parent), str(ROOT / "benchmarks")]
    import report

    report.picture(report.PICTURE, *report.stored())


SHOWN = ("expression", "network", "page")
DEMOS = {"moons": "moons", "batch_sizes": "batch_sizes", "loss_surface": "batch_sizes", "health": "health"}
CLASSROOM = {"classroom": chapter, "playground": playground}
OTHERS = {"lesson": lesson, "benchmarks": benchmarks}  # a function for each; add yours here

if __name__ == "__main__":
    names = (*SHOWN, *DEMOS, *CLASSROOM, *OTHERS)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", metavar="picture", help=f"of {', '.join(names)} (default: all)")
    chosen = set(parser.parse_args().pictures) or {*names}
    if chosen - {*names}:
        parser.error(f"picture must be one of {', '.join(names)}, got {', '.join(sorted(chosen - {*names}))}")
    for document in ("README.md", "docs/pictures.md"):
        shown((ROOT / document).read_text(encoding="utf-8"), chosen & {*SHOWN})
    for name in sorted({DEMOS[picture] for picture in chosen & {*DEMOS}}):
        demo(name, {picture for picture in chosen if DEMOS.get(picture) == name})
    if chosen & {*CLASSROOM}:
        classroom(chosen & {*CLASSROOM})
    for name in sorted(chosen & {*OTHERS}):
        OTHERS[name]()
