"""The ten steps in the built site, with right and wrong engines: `pytest tests/classroom --site DIR`."""

import json
import re
from pathlib import Path

import pytest
from classroom import finished
from classroom.steps import STEPS
from driving import finish, start, visit, wait
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

AXE = Path(__file__).parent.parent.parent / "demos" / "classroom" / "node_modules" / "axe-core" / "axe.min.js"
VERDICT = "document.querySelector('.verdict').textContent"


def solution(step):
    return STEPS[step - 1].solution


@pytest.fixture
def page(browser, site):
    """Opens a step with a file; the tests before it leave nothing behind."""

    def open_step(step, code=None, passed=0, fresh=False):
        visit(browser, site, "lesson/1")  # whose view does not write what is put in place here
        if code is not None:
            browser.execute_script(
                "for (const [key, value] of Object.entries(arguments[0]))"
                " localStorage.setItem(`classroom.engine.${key}`, JSON.stringify(value))",
                {"code": code, "passed": passed},
            )
        visit(browser, site, f"engine/{step}", fresh)
        return browser

    return open_step


def button(browser, name):
    return browser.find_element(By.XPATH, f"//main//button[text()='{name}']")


def press(browser, name):
    browser.execute_script("arguments[0].click()", button(browser, name))


def editor(browser):
    return browser.find_element(By.CSS_SELECTOR, ".file .cm-content")


def kept(browser):
    """The file, as it is kept in the browser: an editor shows only the lines that are in view."""
    return json.loads(browser.execute_script("return localStorage.getItem('classroom.engine.code')") or "null")


def paste(browser, code):
    """Put a whole file in place of what is there; typed in, it takes seconds."""
    editor(browser).send_keys(Keys.CONTROL, "a")
    browser.execute_script(
        "const clipboardData = new DataTransfer(); clipboardData.setData('text/plain', arguments[1]);"
        "arguments[0].dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true}))",
        editor(browser),
        code,
    )


def checked(browser, by_key=False, seconds=30):
    """Check the file, and return the verdict."""
    browser.execute_script("document.querySelector('.verdict').textContent = ''")
    if by_key:
        editor(browser).send_keys(Keys.CONTROL, Keys.ENTER)
    else:
        press(browser, "Check")
    return came(browser, seconds)


def came(browser, seconds=30):
    """The verdict, once the check is done."""
    return wait(browser, f"document.querySelector('.file').dataset.state === 'done' && {VERDICT}", seconds)


def resize(browser, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def ticks(browser):
    return browser.execute_script("return document.querySelectorAll('.steps .passed').length")


def found(browser):
    return browser.find_element(By.CSS_SELECTOR, ".found").text


def test_the_ten_steps_are_walked_with_right_solutions(page):
    browser = page(1)
    for step in range(1, 11):
        assert browser.find_element(By.TAG_NAME, "h2").text.startswith(f"{step}. ")
        paste(browser, solution(step))
        assert kept(browser) == solution(step)
        assert checked(browser, by_key=True, seconds=60) == f"Step {step} is passed."
        assert ticks(browser) == step
        link = browser.find_element(By.CSS_SELECTOR, ".next")
        assert link.text.startswith("Next: ")
        browser.execute_script("arguments[0].click()", link)
        wait(browser, f"location.hash === '#engine/{step + 1}'")
    assert browser.find_element(By.TAG_NAME, "h2").text == "Your engine learns"


WRONG = [
    (2, "(other.data, self.data)", "(self.data, other.data)", "1.3 In a product", "# expected -3, got 2", "-3"),
    (3, "parent.grad += node", "parent.grad = node", "2.1 A value used twice", "# expected 6 = 3 + 3, got 3", "6"),
    (4, "node.grad = 0.0", "pass", "3.2 A second backward pass", "# expected 54 = 27 + 27, got 72", "54"),
    (5, "(1 - y * y,)", "(1 - self.data**2,)", "4.18 The function tanh", "tanh(0.5)**2, got 0.75", "0.7864"),
    (7, "loss(x, y) * share", "loss(x, y) * share * share", "6.9 accumulate(loss, batch): the mean", "got", ""),
]


def test_five_wrong_solutions_show_their_smallest_example(page):
    for step, old, new, title, expected, gradient in WRONG:
        code = solution(step)
        assert old in code
        browser = page(step, code.replace(old, new).replace("self.grad += 1.0", "self.grad = 1.0"), step - 1)
        assert re.fullmatch(r"Cases of this step that hold: \d+ of \d+\.", checked(browser))
        assert ticks(browser) == step - 1
        example = browser.find_element(By.CSS_SELECTOR, ".example").text
        assert title in example
        assert expected in example
        assert "Why it matters: " in example
        if gradient:
            picture = browser.find_element(By.CSS_SELECTOR, ".example .picture svg")
            assert f"grad {gradient}" in picture.get_property("textContent").replace("\xa0", " ").replace("−", "-")
        assert browser.find_elements(By.CSS_SELECTOR, ".cases .wrong")


def test_what_broke_in_an_earlier_step_takes_its_tick_away(page):
    browser = page(4, solution(4).replace("parent.grad += node", "parent.grad = node"), 4)
    assert checked(browser) == "Something that held in step 3 does not hold any more."
    assert ticks(browser) == 2
    assert "Step 3: 2.1 A value used twice gets both shares" in found(browser)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("class Value\n", "Line 1: SyntaxError: expected ':'"),
        ("x = 1 / 0\n", "Line 1: ZeroDivisionError"),
        ("", "There is no class Value in the file yet."),
        ("def f():\n    f()\nf()\n", "a function calls itself, again and again"),
    ],
)
def test_a_file_that_cannot_be_checked_says_why(page, code, shown):
    browser = page(1, code)
    assert checked(browser) == "Your file could not be checked."
    assert shown in found(browser)


def test_an_endless_loop_is_stopped_and_named(page):
    browser = page(2, solution(2).replace("        self.grad = grad\n", "        while True: grad += 1\n"))
    press(browser, "Check")
    wait(browser, "document.body.dataset.python === 'running'")
    wait(browser, "document.querySelector('.verdict').textContent === 'Checking …'")
    press(browser, "Stop")
    assert came(browser) == "Your file could not be checked."
    assert "Line 23: Stopped while it ran: while True: grad += 1" in found(browser)
    paste(browser, solution(2))
    assert checked(browser) == "Step 2 is passed."


def test_a_hint_then_a_solution_that_replaces_nothing_unasked(page):
    mine = solution(2) + "# mine\n"
    browser = page(3, mine, 2)
    assert not browser.find_elements(By.XPATH, "//button[text()='Solution']")
    press(browser, "Hint")
    assert browser.switch_to.active_element.text == "Hint"
    press(browser, "Solution")
    assert not browser.find_elements(By.CSS_SELECTOR, ".solution")
    press(browser, "Really show the solution?")
    code = browser.find_element(By.CSS_SELECTOR, ".solution .code")
    assert code.get_property("textContent") == solution(3)
    wait(browser, "document.querySelectorAll('.solution .new').length > 10")
    new = browser.find_elements(By.CSS_SELECTOR, ".solution .new")
    assert new[0].get_property("textContent").strip() == "def backward(self):"
    button(browser, "Take this over").click()
    browser.switch_to.alert.dismiss()
    assert kept(browser) == mine
    button(browser, "Take this over").click()
    browser.switch_to.alert.accept()
    assert kept(browser) == solution(3)
    assert checked(browser) == "Step 3 is passed."


def test_work_is_kept_saved_opened_and_cleared(page, tmp_path):
    browser = page(1, solution(1))
    assert checked(browser) == "Step 1 is passed."
    page(1, fresh=True)
    assert ticks(browser) == 1
    lines = "[...document.querySelectorAll('.file .cm-line')].map((line) => line.textContent)"
    assert browser.execute_script(f"return {lines}") == solution(1).split("\n")

    browser.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    press(browser, "Save")
    file = tmp_path / "my_engine.py"
    WebDriverWait(browser, 10, 0.05).until(lambda _: file.exists())
    assert file.read_text(encoding="utf-8") == solution(1)

    button(browser, "Start again").click()
    browser.switch_to.alert.accept()
    assert kept(browser).startswith("class Value:")
    assert ticks(browser) == 0
    file.write_text(solution(5), encoding="utf-8")
    browser.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(file))
    wait(browser, "localStorage.getItem('classroom.engine.code').includes('def tanh')")
    assert kept(browser) == solution(5)


def test_a_browser_that_keeps_nothing_still_checks_what_is_written(page):
    browser = page(1)
    browser.execute_script(
        "window.setItem = Storage.prototype.setItem; Storage.prototype.setItem = () => { throw new Error('full') }"
    )
    try:
        paste(browser, solution(1))
        assert checked(browser) == "Step 1 is passed."
        assert ticks(browser) == 1
    finally:
        browser.execute_script("Storage.prototype.setItem = window.setItem")
    paste(browser, solution(2))
    assert kept(browser) == solution(2)


def test_the_file_is_the_same_in_two_tabs(page, site):
    browser = page(1, solution(1))
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    try:
        browser.get(site)
        browser.execute_script(
            "localStorage.setItem('classroom.engine.code', arguments[0])",
            json.dumps(solution(1) + "# of the other tab"),
        )
    finally:
        browser.close()
        browser.switch_to.window(first)
    wait(browser, "document.querySelector('.file').textContent.includes('# of the other tab')")
    browser.switch_to.active_element.send_keys("")
    editor(browser).send_keys(Keys.CONTROL, Keys.END)
    browser.switch_to.active_element.send_keys(", and mine")
    assert kept(browser) == solution(1) + "# of the other tab, and mine"


def test_a_class_is_tried_in_a_cell(page):
    browser = page(2, solution(2))
    start(browser)
    assert finish(browser) == "-6.0\n"
    page(2, solution(2).replace("self.data * other.data", "self.data * other.date"))
    start(browser)
    assert "AttributeError: 'Value' object has no attribute 'date'" in finish(browser)


def test_the_engine_trains_and_stands_beside_ours(page):
    browser = page(11, solution(10), 10)
    stop = "document.querySelector('.bar button + button')"
    browser.execute_script(
        f"new MutationObserver(() => {VERDICT}.startsWith('Epoch 3 ') && {stop}.click())"
        ".observe(document.querySelector('.verdict'), {childList: true})"
    )
    press(browser, "Train")
    said = wait(browser, f"{stop}.hidden && {VERDICT}")
    finished.start(solution(10))
    *_, now = [finished.go_on(boundary=False) for _ in range(4)]  # the one at which Stop was pressed, and the next
    assert said == f"Epoch 4 of 40: loss {now['loss']:.3f}, {100 * now['right']:.1f} % of the other points right."
    assert len(browser.find_elements(By.CSS_SELECTOR, ".charts figure svg[role=img]")) == 2
    press(browser, "Compare")
    wait(browser, "document.querySelectorAll('.finish table').length === 2", 60)
    gradients, levels = browser.find_elements(By.CSS_SELECTOR, ".finish table")
    assert "All 13 gradients agree." in browser.find_element(By.CSS_SELECTOR, ".finish").text
    name, theirs, ours = finished.compare(solution(10))["gradients"][0]
    first = gradients.find_element(By.CSS_SELECTOR, "tbody tr").text.split()
    assert first[0] == name
    assert [float(number) for number in first[1:]] == pytest.approx([theirs, ours], rel=1e-5)
    assert levels.text.count("passed") == 9
    assert "not passed" not in levels.text


def test_the_editor_and_its_buttons_by_keyboard(page):
    browser = page(1, solution(1))
    editor(browser).send_keys(Keys.CONTROL, Keys.END)
    browser.switch_to.active_element.send_keys("# end")
    assert kept(browser) == solution(1) + "# end"
    assert checked(browser, by_key=True) == "Step 1 is passed."
    editor(browser).send_keys(Keys.ESCAPE)
    for name in ("Start again", "Open …", "Save", "Check"):
        browser.switch_to.active_element.send_keys(Keys.SHIFT, Keys.TAB)
        assert browser.switch_to.active_element.text == name
    browser.execute_script("document.querySelector('.verdict').textContent = ''")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert came(browser) == "Step 1 is passed."
    assert browser.switch_to.active_element.text == "Check"


def test_axe_finds_nothing_serious_in_results(page):
    """On a tablet: what is scrolled out of a pane, axe does not look at."""
    browser = page(3, solution(3).replace("parent.grad += node", "parent.grad = node"), 2)
    resize(browser, 768)
    assert checked(browser)
    press(browser, "Hint")
    press(browser, "Solution")
    press(browser, "Really show the solution?")
    wait(browser, "document.querySelectorAll('.solution .new').length > 10")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
    for theme in ("light", "dark"):
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        wait(browser, f"document.documentElement.dataset.theme === '{theme}'")
        answer = browser.execute_async_script("axe.run(document, {resultTypes: ['violations']}).then(arguments[0])")
        serious = [one for one in answer["violations"] if one["impact"] in {"serious", "critical"}]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == [], theme


def test_nothing_is_wider_than_the_page(page):
    browser = page(5, solution(4), 4)
    assert checked(browser)
    for width in (1920, 1280, 768, 360):
        resize(browser, width)
        wait(browser, f"innerWidth === {width}")
        wide = browser.execute_script(
            "const room = document.documentElement.clientWidth;"
            "return [...document.querySelectorAll('main *')].filter((e) => !e.closest('.picture')"
            " && e.getBoundingClientRect().right > room + 1).map((e) => e.outerHTML.slice(0, 100))"
        )
        assert wide == [], width
