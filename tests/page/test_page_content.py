"""What a page holds: labels as written, readable text in every state, controls with names; and what it refuses."""

import functools
import random
import re
import sys

import pytest
from selenium.webdriver.common.by import By

from micrograd import Value, data, losses, nn, no_grad, optim, step_through
from micrograd.page import page
from micrograd.pictures import render
from micrograd.pictures.render import RenderError

ODD = ['<script>alert("x")</script>', "{w|<b>&amp;}", "'\"`\\N", "ω → 権重 🙂", "</svg></script><!--", "a" * 200]
SHORTER = 'document.getElementById("slider")'


def batch_page(size=4, activation="tanh", loss=losses.squared_error, **options):
    random.seed(1)
    model = nn.MLP(2, [3, 1], activation=activation)
    batch = [([random.gauss(0, 1), random.gauss(0, 1)], random.choice([-1, 1])) for _ in range(size)]
    return step_through(lambda x, y: loss(model(x), y), batch, optim.SGD(model.parameters(), lr=0.1), **options)


def show(browser, shown, path, width=1280, height=720, **media):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in media.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(shown.save(path / "page.html").as_uri())
    return browser


def slide(browser, index):
    browser.execute_script(f"{SHORTER}.value = arguments[0]; {SHORTER}.dispatchEvent(new Event('input'))", index)


def at_each(browser, steps, script):
    """What a script returns at each of these steps, as pairs."""
    walk = """const slider = document.getElementById("slider");
        return arguments[0].map((step) => {
            slider.value = step;
            slider.dispatchEvent(new Event("input"));
            return [step, look()];
        })"""
    return browser.execute_script(f"const look = () => {{{script}}};{walk}", list(steps))


def texts(browser, selector):
    return browser.execute_script(f"return [...document.querySelectorAll('{selector}')].map((e) => e.textContent)")


# ---- labels ----------------------------------------------------------------------------------------------------------


def test_labels_show_as_written(browser, tmp_path):
    leaves = [Value(float(i), label=label) for i, label in enumerate(ODD, start=1)]
    total = functools.reduce(Value.__mul__, leaves)
    total.label = ODD[0]
    show(browser, step_through(total), tmp_path)
    written = [*ODD[:-1], "a" * 59 + "…"]
    assert texts(browser, "tbody th") == written
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.parameter text:first-of-type')].map((e) => e.textContent)"
    )
    assert sorted(boxes) == sorted(written)
    slide(browser, 2)
    [sentence] = texts(browser, "#lines p")
    assert sentence == f"z₁ = {ODD[0]}·{ODD[1]} = 1 · 2 = 2"
    assert browser.execute_script("return document.scripts.length") == 2


def test_samples_show_as_written(browser, tmp_path):
    w = Value(1.0, label="w")
    show(
        browser,
        step_through(lambda sample: w * sample["x"], [{"x": 1.0, "name": "</script><script>alert(1)</script>"}]),
        tmp_path,
    )
    slide(browser, 1)
    assert "'</script><script>alert(1)</script>'" in texts(browser, "#lines p")[0]


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_an_expression_has_no_batch_on_its_page(browser, tmp_path):
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    e = a * a + b
    a.grad = 7.0
    show(browser, step_through(e), tmp_path)
    assert texts(browser, "h1") == ["An expression"]
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-jump], [data-part=sum], fieldset, .sum, .change")
    slide(browser, 999)
    assert texts(browser, "td") == ["4", "1"]
    assert (a.grad, b.grad) == (7.0, 0.0)
    slopes = texts(browser, "[data-to=v1] text")
    assert slopes == ["2", "2"]  # both edges of a·a have theirs


def test_the_edges_of_a_twin_are_those_of_its_operands(browser, tmp_path):
    a = Value(4.0, label="a")
    show(browser, step_through(a / a), tmp_path)
    slide(browser, 999)
    assert texts(browser, "[data-place^=o1]") == ["0.25", "−0.25"]


def test_local_derivatives_stand_on_their_edges(browser, tmp_path):
    a, b = Value(4.0, label="a"), Value(3.0, label="b")
    show(browser, step_through((a * b) / a), tmp_path)  # the first operand of the last operation comes after the second
    slide(browser, 999)
    slopes = [texts(browser, f"[data-from=v{i}][data-to=v3] text") for i in (2, 0)]
    assert slopes == [["0.25"], ["−0.75"]]


def test_samples_of_different_shapes_have_pictures_of_their_own(browser, tmp_path):
    """Binary cross-entropy of label 1 has an operation more than that of label 0."""
    w = Value(0.5, label="w")
    batch = [(1.0, 0), (2.0, 1), (3.0, 0)]
    shown = step_through(lambda x, y: losses.binary_cross_entropy(w * x, y), batch)
    show(browser, shown, tmp_path)
    assert len(browser.find_elements(By.CSS_SELECTOR, "svg")) == 2
    counts = []
    for k in range(3):
        browser.find_element(By.CSS_SELECTOR, f"[data-jump='{k}']").click()
        visible = [svg for svg in browser.find_elements(By.CSS_SELECTOR, "svg") if svg.is_displayed()]
        assert len(visible) == 1
        counts.append(len(visible[0].find_elements(By.CSS_SELECTOR, ".symbol")))
    assert counts == [2, 3, 2]


def test_an_operation_stands_in_the_box_of_its_result_and_is_marked_while_at_work(browser, tmp_path):
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    show(browser, step_through(a * b + a), tmp_path)
    heads = [texts(browser, f"[data-node=v{i}] text:not([data-place])") for i in range(4)]
    assert heads == [["a"], ["b"], ["*", "z₁"], ["+", "e"]]
    marked = []
    for step in range(browser.execute_script(f"return Number({SHORTER}.max)") + 1):
        slide(browser, step)
        marked.append("".join(texts(browser, ".work .symbol")))
    assert re.fullmatch(r"\*+\++\++\*+", " ".join(marked).replace(" ", "")), marked
    grounds = "return getComputedStyle(document.querySelector('.work .symbol').previousSibling).fill"
    assert browser.execute_script(grounds) == "rgb(122, 0, 153)"


def test_every_text_fits_its_box_in_every_step(browser, tmp_path):
    show(browser, batch_page(), tmp_path)
    outside = """const inside = (inner, outer) => inner.left >= outer.left - 0.5 && inner.right <= outer.right + 0.5
            && inner.top >= outer.top - 0.5 && inner.bottom <= outer.bottom + 0.5;
        return [...document.querySelectorAll("svg:not([hidden]) .node")].flatMap((node) => {
            const box = [...node.querySelectorAll("polygon")].pop();
            return [...node.querySelectorAll("text")].filter((text) =>
                !inside(text.getBoundingClientRect(), box.getBoundingClientRect())).map((text) => text.textContent)})"""
    assert [(step, found) for step, found in at_each(browser, range(123), outside) if found] == []


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_nothing_is_cut_off_on_a_projector(browser, tmp_path, size, samples):
    show(browser, batch_page(samples), tmp_path, *size)
    hidden = """return ["body", "#say", "#table"].filter((name) => {
        const e = document.querySelector(name);
        return e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight})"""
    assert [(step, found) for step, found in at_each(browser, range(30 * samples + 3), hidden) if found] == []
    assert browser.execute_script("return document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.parametrize(("size", "letters"), [((1920, 1080), 20), ((1280, 720), 12), ((1100, 1040), 16)])
def test_the_whole_graph_is_shown_with_letters_as_large_as_that(browser, tmp_path, size, letters):
    show(browser, batch_page(), tmp_path, *size)
    assert browser.find_element(By.ID, "zoom").get_attribute("aria-pressed") == "false"
    height = browser.execute_script("return 12 * document.querySelector('#graph svg:not([hidden])').getScreenCTM().a")
    assert height >= letters


def test_a_small_graph_fills_its_place(browser, tmp_path):
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    show(browser, step_through(a * b + a), tmp_path, 1920, 1080)
    room = browser.execute_script(
        """const graph = document.querySelector("#graph svg g").getBoundingClientRect();
        const place = document.getElementById("graph").getBoundingClientRect();
        return Math.max(graph.width / place.width, graph.height / place.height)"""
    )
    assert room > 0.9


def test_the_table_fills_its_place_and_hides_no_cell_under_its_header(browser, tmp_path):
    show(browser, batch_page(), tmp_path, 1920, 1080)
    share = "return document.querySelector('table').offsetHeight / document.getElementById('table').clientHeight"
    assert browser.execute_script(share) > 0.8
    random.seed(1)
    model = nn.MLP(2, [9, 1])  # 37 rows: more than there is room for
    shown = step_through(lambda x, y: losses.squared_error(model(x), y), [([0.5, -1.0], 1), ([1.5, 0.3], -1)])
    show(browser, shown, tmp_path, 1280, 720)
    hidden = """const [pane, head] = [document.getElementById("table"), document.querySelector("thead")];
        const [outer, top] = [pane.getBoundingClientRect(), head.getBoundingClientRect().bottom];
        const lit = [...document.querySelectorAll("td.lit")].map((td) => td.getBoundingClientRect());
        return lit.length && !(lit[0].top > top - 1 && lit[0].bottom < outer.bottom + 1)"""
    assert browser.execute_script("return document.querySelector('table').offsetHeight > innerHeight / 2")
    count = browser.execute_script(f"return Number({SHORTER}.max)")
    both_ways = [*range(count // 3, count), *range(count, 0, -7)]
    assert [step for step, found in at_each(browser, both_ways, hidden) if found] == []


def test_the_column_of_the_sample_on_show_is_in_view(browser, tmp_path):
    show(browser, batch_page(12), tmp_path, 1280, 720)
    right = """const pane = document.getElementById("table").getBoundingClientRect();
        const cell = document.querySelector(`[data-place="t0.${arguments[0]}"]`).getBoundingClientRect();
        return cell.left > pane.left && cell.right < pane.right + 1"""
    for k in (0, 6, 11, 3):
        browser.find_element(By.CSS_SELECTOR, f"[data-jump='{k}']").click()
        assert browser.execute_script(right, k)


def test_marks_stay_clear_of_the_digits(browser, tmp_path):
    show(browser, batch_page(), tmp_path, 1920, 1080, reduced_motion="reduce")
    near = """const gap = (outer, inner) => Math.min(inner.left - outer.left, outer.right - inner.right);
        const written = document.createRange();
        const cells = [...document.querySelectorAll("td.lit")].map((td) => {
            written.selectNodeContents(td);
            return gap(td.getBoundingClientRect(), written.getBoundingClientRect());
        });
        const places = [...document.querySelectorAll("svg:not([hidden]) .node text.lit")];
        const marks = places.map((e) =>
            gap(e.previousSibling.getBoundingClientRect(), e.getBoundingClientRect()));
        return [...cells.map((room) => room - 2), ...marks]"""
    for step in (21, 23, 30, 53, 60, 121, 122):
        slide(browser, step)
        gaps = browser.execute_script(near)
        assert gaps
        assert min(gaps) >= 0, step


def test_the_signs_of_a_sum_stay_clear_of_its_numbers(browser, tmp_path):
    w = Value(0.1, label="w")
    batch = [(0.1, 0.123456), (0.1, 0.623456)]  # shares of 8 characters, such as −0.02269
    show(browser, step_through(lambda x, y: (w * x - y) ** 2, batch), tmp_path, 1920, 1080)
    slide(browser, 999)
    rooms = browser.execute_script(
        """const written = document.createRange();
        return [...document.querySelectorAll("tbody td:not(:empty)")].map((td) => {
            written.selectNodeContents(td);
            const room = written.getBoundingClientRect().left - td.getBoundingClientRect().left;
            return room / parseFloat(getComputedStyle(td).fontSize);
        })"""
    )
    assert len(rooms) == 4
    assert min(rooms) >= 1.25  # in letters, of which a sign takes 1


LUMINANCE = """
const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (e) => {
    const color = getComputedStyle(e).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" && e.parentElement ? behind(e.parentElement) : color;
};
const kinds = "h1, button, legend, label, p, figcaption span, th, td, output, .edge text";
return [...document.querySelectorAll(kinds)]
    .filter((e) => e.textContent.trim() && e.checkVisibility()).map((e) => {
        const [a, b] = [luminance(getComputedStyle(e)[e.closest("svg") ? "fill" : "color"]), luminance(behind(e))];
        return [e.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    });"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(browser, tmp_path, scheme):
    show(browser, batch_page(), tmp_path, color_scheme=scheme, reduced_motion="reduce")
    for step in (0, 3, 20, 23, 30, 121, 122):
        slide(browser, step)
        contrasts = browser.execute_script(LUMINANCE)
        assert len(contrasts) > 30
        assert [pair for pair in contrasts if pair[1] < 4.5] == []
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light")


def test_motion_is_reduced_where_that_is_preferred(browser, tmp_path):
    for preference, motion in (("reduce", "none"), ("no-preference", "written")):
        show(browser, batch_page(), tmp_path, reduced_motion=preference)
        slide(browser, 23)
        cell = browser.find_element(By.CSS_SELECTOR, "td.lit")
        assert cell.value_of_css_property("animation-name") == motion


def test_every_control_has_a_name_and_the_sentence_is_announced(browser, tmp_path):
    show(browser, batch_page(), tmp_path)
    controls = browser.find_elements(By.CSS_SELECTOR, "button, input, select, [tabindex]")
    assert len(controls) == 6 + 3 + 2 + 6 + 1 + 1 + 1
    names = [control.accessible_name for control in controls]
    assert all(names)
    assert {"First step", "Back", "Next", "Last step", "Play", "Step", "sample 1", "sum", "mean"} <= set(names)
    say = browser.find_element(By.ID, "say")
    assert (say.get_attribute("aria-live"), say.get_attribute("aria-atomic")) == ("polite", "true")
    assert browser.find_element(By.CSS_SELECTOR, "svg").accessible_name.startswith("The graph")
    slide(browser, 22)
    assert browser.find_element(By.ID, "slider").get_attribute("aria-valuetext") == "step 23 of 123, backward"


# ---- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch.pdf", "batch.png", "batch"])
def test_a_page_is_saved_as_html_and_nothing_else(name, tmp_path):
    with pytest.raises(ValueError, match=r"expected a name for a page of HTML, got .*; write save"):
        batch_page().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_file_is_small_the_same_each_time_and_asks_for_nothing(tmp_path):
    html = batch_page().html
    assert len(html.encode()) < 300_000
    assert html == batch_page().html
    assert re.findall(r"""(?:src|href|url)\s*[=(]""", html) == []
    assert set(re.findall(r"https?://[^\"'\s]+", html)) == {"http://www.w3.org/2000/svg"}
    assert "<style>" in html
    assert 'style="' not in html
    path = batch_page().save(tmp_path / "new" / "folder" / "batch.html")
    assert path.read_text(encoding="utf-8") == html


def test_the_policy_lets_nothing_else_run(chromium, tmp_path):
    browser = show(chromium, batch_page(), tmp_path)
    browser.execute_script(
        """window.ran = [];
        const script = document.createElement("script"); script.textContent = "ran.push('script')";
        const image = Object.assign(new Image(), { src: "data:image/gif;base64,R0lGODlhAQABAAAAACw=" });
        document.body.append(script, image);
        document.body.insertAdjacentHTML("beforeend", "<b onclick='ran.push(1)' style='color: red'>b</b>");
        document.querySelector("b").click();"""
    )
    assert browser.execute_script("return ran") == []
    assert browser.find_element(By.TAG_NAME, "b").value_of_css_property("color") != "rgba(255, 0, 0, 1)"
    refused = " ".join([entry["message"] for entry in browser.get_log("browser")])
    assert refused.count("Content Security Policy") >= 3
    assert "default-src 'none'" in refused


def test_a_notebook_shows_it_in_a_frame(browser, tmp_path):
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html>{batch_page()._repr_html_()}", encoding="utf-8")
    browser.get((tmp_path / "notebook.html").as_uri())
    browser.switch_to.frame(0)
    browser.find_element(By.ID, "next").click()
    assert texts(browser, "#position") == ["step 2 of 123"]
    browser.switch_to.default_content()
    on_top = """arguments[0].scrollIntoView();
        const { left, top, width, height } = arguments[0].getBoundingClientRect();
        return document.elementFromPoint(left + width / 2, top + height / 2).tagName"""
    sentence = browser.find_element(By.TAG_NAME, "p")
    assert browser.execute_script(on_top, sentence) == "IFRAME"
    browser.execute_script('document.querySelector("iframe").remove()')  # as viewers of stored notebooks do
    assert browser.execute_script(on_top, sentence) == "P"
    assert browser.find_element(By.TAG_NAME, "ul").is_displayed()


def small_expression():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    return step_through(a * b + a)


@pytest.mark.parametrize("make", [small_expression, functools.partial(batch_page, 1), batch_page])
def test_the_frame_in_a_notebook_is_as_high_as_its_page(browser, tmp_path, make):
    metrics = {"width": 1008, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    notebook = f"<!DOCTYPE html><body style='margin: 0'>{make()._repr_html_()}"
    (tmp_path / "notebook.html").write_text(notebook, encoding="utf-8")
    browser.get((tmp_path / "notebook.html").as_uri())
    browser.switch_to.frame(0)
    below = """const end = document.querySelector("table").getBoundingClientRect().bottom;
        return [document.documentElement.scrollHeight - innerHeight, innerHeight - end]"""
    scrolled, empty = browser.execute_script(below)
    assert scrolled <= 0
    assert 0 <= empty < 60


@pytest.mark.parametrize(("light", "dark"), [("true", False), ("false", True)])
def test_the_frame_takes_the_theme_of_jupyter(browser, tmp_path, light, dark):
    features = [{"name": "prefers-color-scheme", "value": ""}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    notebook = f"<!DOCTYPE html><body data-jp-theme-light={light}>{small_expression()._repr_html_()}"
    (tmp_path / "notebook.html").write_text(notebook, encoding="utf-8")
    browser.get((tmp_path / "notebook.html").as_uri())
    browser.switch_to.frame(0)
    assert browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches") is dark


def test_a_summary_says_how_the_batch_adds_up():
    w = Value(2.0, label="w")
    batch, optimizer = [(1.0, 1.0), (3.0, 2.0)], optim.SGD([w], lr=0.1)
    of_sum, of_mean = (
        step_through(lambda x, y: (w * x - y) ** 2, batch, optimizer, reduction=reduction).summary
        for reduction in ("sum", "mean")
    )
    assert of_sum == [
        "After sample 1 of 2 the parameters hold ∇e₁, the gradient of sample 1 alone.",
        "After sample 2 of 2 the parameters hold ∇e₁ + ∇e₂, the sum of the samples so far.",
        "w.grad = 2 + 24 = 26, and so on for each row of the table.",
        "∇e = ∇e₁ + ∇e₂: the sum over the 2 samples is the gradient of the batch.",
        "w ← w − η · sum, with η = 0.1, for every parameter, once a batch.",
        "w ← 2 − 0.1 · 26 = −0.6",
    ]
    assert "w ← 2 − 0.1 · 13 = 0.7" in of_mean


def test_a_summary_of_an_expression_is_its_passes():
    x = Value(3.0, label="x")
    assert step_through(x * x).summary == [
        "e = x·x = 3 · 3 = 9",
        "∂e/∂e = 1. The backward pass begins at e; the gradients of all results before it start from 0.",
        "x.grad += e.grad · ∂e/∂x = 1 · 3 = 3, so 0 + 3 = 3",
        "x.grad += e.grad · ∂e/∂x = 1 · 3 = 3, so 3 + 3 = 6",
    ]


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_a_batch_too_large_says_so_and_offers_a_smaller_one():
    with pytest.raises(
        ValueError, match=r"at most 12 samples, got 13; take fewer, such as batch\[:4\], or raise max_samples"
    ):
        batch_page(13)
    assert "13 samples" in batch_page(13, max_samples=13).html


def test_a_net_too_large_says_so():
    x = Value(1.0)
    with pytest.raises(
        ValueError, match=r"at most 120 Values in one graph, got 121; take a smaller .* raise max_nodes"
    ):
        step_through(functools.reduce(Value.__add__, [x] * 121))
    many = optim.SGD([Value(1.0) for _ in range(121)])
    with pytest.raises(ValueError, match="at most 120 parameters, got 121"):
        step_through(lambda x: x * many.parameters[0], [1.0], many)


W = Value(1.0)


def product(x):
    return W * x


@pytest.mark.parametrize(
    ("kind", "arguments", "options", "message"),
    [
        (TypeError, (product,), {}, "step_through: expected a batch of samples after the loss, got none"),
        (TypeError, (product, 3), {}, "step_through: expected a batch, a list of samples, got 3 (int)"),
        (TypeError, (product, ([1.0], 1)), {}, "got the sample"),
        (TypeError, (product, data.DataLoader([1.0], 1)), {}, "got a DataLoader; write next(iter(loader))"),
        (ValueError, (product, []), {}, "got none"),
        (TypeError, (W * 2, [1.0]), {}, "expected a function that builds a sample's loss, got a Value, one graph"),
        (TypeError, (nn.MLP(1, [1]), [1.0]), {}, "losses.squared_error(model(x), y), got"),
        (TypeError, (0.5, [1.0]), {}, "losses.squared_error(model(x), y), got 0.5 (float)"),
        (
            TypeError,
            (lambda x: x if x == 2.0 else W * x, [1.0, 2.0]),
            {},
            "sample 1 of the batch: the loss must return",
        ),
        (TypeError, (lambda x, y: W * x, [[1.0, 2]]), {}, "sample 0 of the batch: "),
        (ValueError, (product, [1.0]), {"reduction": "max"}, "reduction must be 'mean' or 'sum', got 'max'"),
        (TypeError, (product, [1.0], optim.SGD), {}, "write optim.SGD(model.parameters(), lr=0.1)"),
        (TypeError, (product, [1.0], 0.1), {}, "step_through: optimizer must be an optimizer, got 0.1 (float)"),
        (TypeError, (product, [1.0]), {"max_samples": None}, "max_samples must be a whole number, got None"),
        (ValueError, (product, [1.0]), {"max_nodes": 0}, "step_through: max_nodes must be at least 1, got 0"),
    ],
)
def test_wrong_arguments_get_one_line_that_says_what_to_write(kind, arguments, options, message):
    with pytest.raises(kind, match=re.escape(message)) as error:
        step_through(*arguments, **options)
    assert "\n" not in str(error.value)


def test_there_is_no_page_under_no_grad():
    with no_grad(), pytest.raises(ValueError, match="no_grad"):
        step_through(product, [1.0])


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(render, "find_dot", lambda: None)
    with pytest.raises(RenderError, match="pip install"):
        batch_page()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match="pip install jinja2"):
        batch_page()


def test_a_page_says_how_large_it_is():
    assert repr(page.Page("x" * 12_345)) == "<page of 12 kB; save() writes it to a file>"
