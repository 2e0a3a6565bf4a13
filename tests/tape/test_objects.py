"""Machine code on disk: kept for its owner, checked before it is loaded, and never the cause of an error."""

import ctypes
import os
import subprocess
import sys
import threading

import pytest

from micrograd.tape import objects

NAMES = ["answer"]


def text(n):
    return f"define i64 @answer() {{\n  ret i64 {n}\n}}\n"


def answer(code):
    return ctypes.CFUNCTYPE(ctypes.c_int64)(code.address("answer"))()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "deep" / "folder"
    monkeypatch.setenv("MICROGRAD_CACHE", str(place))
    return place


@pytest.fixture
def compiled(monkeypatch):
    """The texts that were compiled."""
    found = []
    compile_ = objects._compiled

    def counted(text):
        found.append(text)
        return compile_(text)

    monkeypatch.setattr(objects, "_compiled", counted)
    return found


def rights(path):
    return path.stat().st_mode & 0o777


def test_an_object_is_kept_and_loaded(folder, compiled):
    assert answer(objects.code(text(7), NAMES)) == 7
    (file,) = folder.iterdir()
    assert (rights(folder), rights(file)) == (0o700, 0o600)
    assert answer(objects.code(text(7), NAMES)) == 7  # the first code is dropped already
    assert compiled == [text(7)]
    assert answer(objects.code(text(8), NAMES)) == 8
    assert len([*folder.iterdir()]) == 2


def test_equal_texts_share_code_in_memory(folder, compiled):
    first = objects.code(text(7), NAMES)
    (folder / "x.o").touch()
    assert objects.code(text(7), NAMES) is first
    assert objects.code(text(8), NAMES) is not first
    assert len(compiled) == 2


def test_off_keeps_nothing(tmp_path, monkeypatch, compiled):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROGRAD_CACHE", "off")
    assert [answer(objects.code(text(7), NAMES)) for _ in range(2)] == [7, 7]
    assert len(compiled) == 2
    assert not [*tmp_path.iterdir()]


def test_without_a_place_it_is_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MICROGRAD_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    assert answer(objects.code(text(7), NAMES)) == 7
    assert [path.suffix for path in (tmp_path / "micrograd" / "code").iterdir()] == [".o"]


def harm(change):
    def harmed(path):
        path.write_bytes(change(path.read_bytes()))

    return harmed


def link(path):
    other = path.with_name("elsewhere")
    path.rename(other)
    path.symlink_to(other)


def make_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change",
    [
        harm(lambda content: b""),
        harm(lambda content: content[:100]),
        harm(lambda content: content[:-1]),
        harm(lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:]),
        harm(lambda content: b"other " + content),
        lambda path: path.chmod(0o640),
        lambda path: path.chmod(0o602),
        link,
        make_folder,
        lambda path: path.unlink(),
    ],
)
def test_what_is_not_as_it_was_written_is_compiled_anew(folder, compiled, change):
    assert answer(objects.code(text(7), NAMES)) == 7
    (file,) = folder.iterdir()
    change(file)
    assert answer(objects.code(text(7), NAMES)) == 7
    assert len(compiled) == 2


def test_what_is_whole_but_no_object_is_compiled_anew(folder, compiled):
    assert answer(objects.code(text(7), NAMES)) == 7
    (file,) = folder.iterdir()
    objects._write(folder, file.name, b"no machine code")
    assert answer(objects.code(text(7), NAMES)) == 7
    assert len(compiled) == 2


def test_a_folder_that_others_may_use_is_left_alone(folder, compiled):
    folder.mkdir(parents=True)
    for mode in (0o750, 0o705, 0o777):
        folder.chmod(mode)
        assert answer(objects.code(text(7), NAMES)) == 7
    assert not [*folder.iterdir()]
    assert len(compiled) == 3


def test_a_file_or_folder_of_somebody_else_is_left_alone(folder, compiled, monkeypatch):
    assert answer(objects.code(text(7), NAMES)) == 7
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert answer(objects.code(text(7), NAMES)) == 7
    assert answer(objects.code(text(8), NAMES)) == 8
    assert len([*folder.iterdir()]) == 1
    assert len(compiled) == 3


def test_a_place_that_is_a_link_or_a_file_is_left_alone(folder, compiled):
    folder.parent.mkdir()
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    assert answer(objects.code(text(7), NAMES)) == 7
    assert not [*elsewhere.iterdir()]
    folder.unlink()
    folder.write_text("a file")
    assert answer(objects.code(text(7), NAMES)) == 7
    assert len(compiled) == 2


@pytest.mark.parametrize("failing", ["tempfile.mkstemp", "os.fdopen", "pathlib.Path.replace"])
def test_what_cannot_be_written_is_not_kept(folder, compiled, monkeypatch, failing):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    folder.mkdir(parents=True, mode=0o700)
    with monkeypatch.context() as patch:
        patch.setattr(failing, full)
        assert answer(objects.code(text(7), NAMES)) == 7
    assert not [*folder.iterdir()]
    assert answer(objects.code(text(7), NAMES)) == 7
    assert len(compiled) == 2


def test_the_folder_is_bounded_and_what_was_used_last_stays(folder, monkeypatch, compiled):
    monkeypatch.setattr(objects, "MOST", 3)
    for n in range(3):
        objects.code(text(n), NAMES)
        os.utime(folder / objects._name(text(n)), (1000 + n, 1000 + n))
    objects.code(text(0), NAMES)  # used now
    objects.code(text(3), NAMES)  # the oldest go: 1 and 2
    assert sorted(folder.iterdir()) == sorted([folder / objects._name(text(n)) for n in (0, 3)])
    del compiled[:]
    assert answer(objects.code(text(0), NAMES)) == 0
    assert compiled == []


@pytest.mark.usefixtures("folder")
def test_threads_compile_a_text_once(compiled):
    kept = []
    threads = [threading.Thread(target=lambda: kept.append(objects.code(text(7), NAMES))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, kept))) == 1
    assert len(compiled) == 1


@pytest.mark.usefixtures("folder")
def test_another_process_loads_what_this_one_compiled():
    assert answer(objects.code(text(7), NAMES)) == 7
    script = f"""
from micrograd.tape import objects
objects._compiled = None
import ctypes
code = objects.code({text(7)!r}, ["answer"])
print(ctypes.CFUNCTYPE(ctypes.c_int64)(code.address("answer"))())
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "7\n"


def test_another_format_or_processor_is_another_object(monkeypatch):
    names = {objects._name(text(7))}
    monkeypatch.setattr(objects, "FORMAT", objects.FORMAT + 1)
    names.add(objects._name(text(7)))
    monkeypatch.setattr(objects._processor(), "features", "+other")
    names.add(objects._name(text(7)))
    monkeypatch.setattr(objects._processor(), "name", "other")
    names.add(objects._name(text(7)))
    assert len(names) == 4


@pytest.mark.usefixtures("folder")
def test_code_is_freed_with_its_last_user():
    before = len(objects.ALIVE)
    kept = [objects.code(text(100 + n), NAMES) for n in range(50)]
    assert len(objects.ALIVE) == before + 50
    assert answer(kept[-1]) == 149
    del kept[:]
    assert len(objects.ALIVE) == before
