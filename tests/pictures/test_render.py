"""From a picture to its file, and to a page or notebook that shows it."""

import base64
import re

import graphviz
import pytest
from reading import chain, python

from micrograd import Value, draw
from micrograd.pictures import render
from micrograd.pictures.render import RenderError


def test_importing_micrograd_does_not_import_graphviz():
    assert python("import sys, micrograd; print('graphviz' in sys.modules)") == "False\n"


def test_renders_outside_an_activated_environment(tmp_path):
    code = (
        "from micrograd import Value, draw\n"
        "picture = draw(Value(2.0, label='a') * 3)\n"
        "print(picture.pipe(encoding='utf-8'))"
    )
    assert ">data 6</text>" in python(code, PATH=str(tmp_path))


def test_a_system_dot_comes_first_and_graphviz_pure_is_found_on_path(monkeypatch):
    found = {"dot": "/system/dot", "graphviz-pure": "/tools/graphviz-pure"}
    monkeypatch.setattr(render.shutil, "which", found.get)
    monkeypatch.setattr(render, "_installed", lambda: "/wheel/graphviz-pure")
    assert render.find_dot() == "/system/dot"
    del found["dot"]
    assert render.find_dot() == "/wheel/graphviz-pure"
    monkeypatch.setattr(render, "_installed", lambda: None)
    assert render.find_dot() == "/tools/graphviz-pure"
    found.clear()
    assert render.find_dot() is None


def test_without_graphviz_the_error_says_how_to_install_and_the_source_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "find_dot", lambda: None)
    picture = draw(Value(2.0) * 3)
    for show in (picture.pipe, lambda: picture.render(tmp_path / "graph")):
        with pytest.raises(RenderError, match="pip install graphviz-pure"):
            show()
    assert "v0 -> o2" in picture.source
    assert (tmp_path / "graph").read_text(encoding="utf-8") == picture.source


def test_a_notebook_shows_an_image_that_fits_or_else_the_source(monkeypatch):
    picture = draw(Value(2.0) * 3)
    monkeypatch.setattr(render, "layout", lambda *_: b'<?xml version="1.0"?>\n<svg width="240pt" height="60pt"/>')
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/html"]
    [style] = re.findall(r'<img alt="[^"]+" style="([^"]+)"', bundle["text/html"])
    assert style == "max-width:100%;min-width:200px;height:auto"  # 240 pt are 320 px, of which 62.5 %
    [content] = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', bundle["text/html"])
    assert base64.b64decode(content) == picture.pipe("svg")
    assert "sideways" not in bundle["text/html"]
    assert picture.svg() == f'<div style="overflow-x:auto"><svg style="{style}" width="240pt" height="60pt"/></div>'
    monkeypatch.setattr(render, "layout", lambda *_: b'<svg width="900pt" height="60pt"/>')
    assert "sideways" in picture._repr_mimebundle_(include=None, exclude=None)["text/html"]
    monkeypatch.setattr(render, "layout", render.graphviz_program)
    monkeypatch.setattr(render, "find_dot", lambda: None)
    bundle = picture._repr_mimebundle_(include=None, exclude=None)
    assert list(bundle) == ["text/plain"]
    assert "pip install graphviz-pure" in bundle["text/plain"]
    assert picture.source in bundle["text/plain"]


def test_an_unexpected_layout_is_told(monkeypatch):
    monkeypatch.setattr(render, "layout", lambda *_: b"<svg>")
    with pytest.raises(RenderError, match="no width in points"):
        draw(Value(2.0)).pipe("svg")


def test_a_page_can_lay_out_by_a_function_of_its_own_and_starts_no_process(monkeypatch, tmp_path):
    asked = []

    def layout(source, form):
        asked.append((source, form))
        return b'<svg width="90pt"/>' if form == "svg" else b"bytes"

    monkeypatch.setattr(render, "layout", layout)
    monkeypatch.setattr(render.subprocess, "run", None)
    picture = draw(Value(2.0) * 3)
    assert picture.pipe("png") == b"bytes"
    assert 'width="90pt"' in picture.svg()
    picture.save(tmp_path / "graph.jpg")
    assert asked == [(picture.source, form) for form in ("png", "svg", "jpg")]


@pytest.mark.usefixtures("renderer")
def test_save_writes_the_picture_that_the_suffix_names_and_nothing_else(tmp_path):
    picture = draw(Value(2.0) * 3)
    assert picture.save(tmp_path / "new" / "loss.svg") == str(tmp_path / "new" / "loss.svg")
    assert picture.save("loss.PNG", tmp_path) == str(tmp_path / "loss.PNG")
    assert picture.save(tmp_path / "loss.gv") == str(tmp_path / "loss.gv")
    with pytest.raises(RenderError, match="not recognized"):
        picture.save(tmp_path / "loss.nonsense")
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["loss.PNG", "loss.gv", "loss.svg"]
    assert (tmp_path / "new" / "loss.svg").read_bytes() == picture.pipe("svg")
    assert (tmp_path / "loss.PNG").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "loss.gv").read_text(encoding="utf-8") == picture.source


@pytest.mark.usefixtures("renderer")
def test_a_layout_stops_at_the_time_limit(monkeypatch):
    node = chain(60)
    monkeypatch.setattr(render, "TIME_LIMIT", 1e-3)  # it takes 100 times as long
    with pytest.raises(RenderError, match=r"more than 0\.001 s and was stopped; draw a smaller graph"):
        draw(node).pipe()


@pytest.mark.usefixtures("renderer")
def test_what_graphviz_refuses_is_told():
    with pytest.raises(RenderError, match=r"-Tnonsense failed: .*nonsense.* not recognized"):
        draw(Value(1.0)).pipe("nonsense")


def test_a_program_that_does_not_run_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "find_dot", lambda: str(tmp_path / "gone"))
    with pytest.raises(RenderError, match="gone does not run"):
        draw(Value(1.0)).pipe()


@pytest.mark.usefixtures("renderer")
def test_render_pipe_save_and_view_work_as_in_graphviz(monkeypatch, tmp_path):
    picture = draw(Value(2.0) * 3)
    assert picture.pipe("png").startswith(b"\x89PNG")
    assert picture.pipe() == picture.pipe("svg", encoding="utf-8").encode()
    assert picture.save(tmp_path / "saved.gv") == str(tmp_path / "saved.gv")

    assert picture.render("graph", tmp_path) == str(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_bytes() == picture.pipe()
    assert (tmp_path / "graph").read_text(encoding="utf-8") == picture.source
    assert picture.render(tmp_path / "other", format="png", cleanup=True) == str(tmp_path / "other.png")
    assert not (tmp_path / "other").exists()
    assert picture.render(outfile=tmp_path / "out.png") == str(tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out.gv").exists()

    viewed = []
    monkeypatch.setattr(graphviz, "view", lambda path, **_: viewed.append(path))
    picture.view(tmp_path / "graph")
    assert viewed == [str(tmp_path / "graph.svg")]
