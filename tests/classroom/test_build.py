"""The build of the classroom, as far as it needs no npm."""

import importlib.util
import json
import re
import zipfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent.parent / "demos" / "classroom"


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("classroom_build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_node_it_says_what_to_install(build, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match=r"^building the classroom needs Node.js with npm: found no npm"):
        build.build(tmp_path / "site")


def test_it_writes_over_nothing_but_a_site(build, tmp_path):
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(build.BuildError, match="is something else than a built classroom"):
        build.build(tmp_path)
    with pytest.raises(build.BuildError, match="is something else than a built classroom"):
        build.build(tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "three years"


def test_packages_are_installed_anew_when_what_installs_them_changes(build, monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr(build, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(build, "find", lambda program: program)
    monkeypatch.setattr(build, "run", commands.append)
    (tmp_path / "node_modules").mkdir()
    for name in ("package-lock.json", "precompile.mjs"):
        (tmp_path / name).write_text("old")
    build.install_packages()
    assert [command[0] for command in commands] == ["npm", "node"]
    build.install_packages()
    assert len(commands) == 2
    for name in ("package-lock.json", "precompile.mjs"):
        (tmp_path / name).write_text("new")
        build.install_packages()
    assert len(commands) == 6


def test_a_command_that_fails_is_named(build):
    with pytest.raises(build.BuildError, match=r"^this command failed, for the reason above: false"):
        build.run(["false"])


def test_the_archive_leaves_out_what_is_of_this_machine(build, tmp_path):
    names = [
        "a/__init__.py",
        "a/data.html",
        "a/fast.so",
        "a/fast.pyi",
        "a-1.dist-info/RECORD",
        "bin/a",
        "a-1.dist-info/LICENSE",
    ]
    for name in names:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    build.archive(tmp_path / "files", tmp_path / "python.zip")
    with zipfile.ZipFile(tmp_path / "python.zip") as archive:
        assert set(archive.namelist()) == {"a/__init__.py", "a/data.html", "a-1.dist-info/LICENSE"}


def test_the_version_is_that_of_the_files(build, tmp_path):
    def write(content):
        (tmp_path / "index.html").write_text(content)
        (tmp_path / "pyodide").mkdir(exist_ok=True)
        (tmp_path / "pyodide" / "a.wasm").write_text("a")
        (tmp_path / "service-worker.js").unlink(missing_ok=True)
        build.write_service_worker(tmp_path)
        worker = (tmp_path / "service-worker.js").read_text(encoding="utf-8")
        version, files = (
            re.search(rf"^const {name} = (.*);$", worker, re.MULTILINE)[1] for name in ("VERSION", "FILES")
        )
        return json.loads(version), json.loads(files)

    version, files = write("one")
    assert files == ["./", "pyodide/a.wasm"]
    assert write("one") == (version, files)
    assert write("two")[0] != version


def test_no_file_of_the_page_names_another_address():
    """Links for a reader to follow are none; the names of XML are no addresses."""
    for path in (FOLDER / "web").iterdir():
        found = re.findall(r"https?://[^\"'\s)]+", path.read_text(encoding="utf-8"))
        assert [address for address in found if not address.startswith("http://www.w3.org/")] == [], path.name


def test_every_package_is_pinned(build):
    packages = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in packages.values()), packages
    assert all("==" in package for package in build.PACKAGES)
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert lock[""]["dependencies"] == packages
