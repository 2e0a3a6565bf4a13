"""Compile LLVM's text to machine code, and keep the objects on disk for the next process.

They lie in the user's own cache folder; ``MICROGRAD_CACHE=folder`` moves it, ``MICROGRAD_CACHE=off`` keeps nothing.
What is loaded is run, so the folder and each file must belong to the user, with no rights for anybody else, and a file
must be what was written. Whatever is not so is compiled anew, and what cannot be written is not kept: no error comes of
it.
"""

import contextlib
import hashlib
import itertools
import os
import stat
import tempfile
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import platformdirs

FORMAT = 1  # to be raised where this file writes or compiles in another way
MOST = 2000  # files in the folder; when there are more, those not used for longest go, a quarter of them
_MARK = b"micrograd machine code\n"

ALIVE: "weakref.WeakValueDictionary[str, Code]" = weakref.WeakValueDictionary()
_LOCK = threading.Lock()  # one text is compiled once, and LLVM works for one thread at a time anyway
_NUMBERS = itertools.count()


class Code:
    """Machine code in memory, for as long as this object lives."""

    def __init__(self, machine_code: bytes, names: Iterable[str]) -> None:
        builder = llvm.JITLibraryBuilder().add_object_img(machine_code).add_current_process()
        for name in names:
            builder.export_symbol(name)
        self._library = builder.link(_processor().jit, f"code{next(_NUMBERS)}")

    def address(self, name: str) -> int:
        return int(self._library[name])


class _Processor:
    """What code is compiled for: this process."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.name = llvm.get_host_cpu_name()
        self.features = llvm.get_host_cpu_features().flatten()
        self.triple = llvm.get_process_triple()
        self.target = self._machine()
        self.data_layout = str(self.target.target_data)
        self.jit = llvm.create_lljit_compiler(self._machine())  # which takes it over

    def _machine(self) -> Any:
        target = llvm.Target.from_triple(self.triple)
        return target.create_target_machine(cpu=self.name, features=self.features, opt=2, jit=True)


_PROCESSOR: list[_Processor] = []


def _processor() -> _Processor:
    if not _PROCESSOR:
        _PROCESSOR.append(_Processor())
    return _PROCESSOR[0]


def code(text: str, names: Iterable[str]) -> Code:
    """The machine code of a text: what is alive, else from disk, else compiled. ``names`` are those to be called."""
    with _LOCK:
        found = ALIVE.get(text)
        if found is None:
            found = ALIVE[text] = _made(text, names)
        return found


def _made(text: str, names: Iterable[str]) -> Code:
    folder, name = _folder(), _name(text)
    kept = folder and _read(folder / name)
    if kept:
        with contextlib.suppress(RuntimeError):  # as it says, it is what was written; but then LLVM cannot load it
            return Code(kept, names)
    machine_code = _compiled(text)
    if folder:
        with contextlib.suppress(OSError):
            _write(folder, name, machine_code)
    return Code(machine_code, names)


def _compiled(text: str) -> bytes:
    processor = _processor()
    parsed = llvm.parse_assembly(text)
    parsed.triple, parsed.data_layout = processor.triple, processor.data_layout
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    # Vectors are written as such; what LLVM would find beside takes time and gains nothing.
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = False
    options.loop_unrolling = False
    passes = llvm.create_pass_builder(processor.target, options)
    passes.getModulePassManager().run(parsed, passes)
    return bytes(processor.target.emit_object(parsed))


# ---- on disk ---------------------------------------------------------------------------------------------------------


def _name(text: str) -> str:
    processor = _processor()
    parts = [FORMAT, llvm.llvm_version_info, processor.triple, processor.name, processor.features, text]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest() + ".o"


def _folder() -> Path | None:
    """The cache folder, made where it is missing; None if there is none that is the user's alone."""
    place = os.environ.get("MICROGRAD_CACHE", "")
    if place == "off":
        return None
    try:
        folder = Path(place) if place else Path(platformdirs.user_cache_dir("micrograd")) / "code"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.lstat()
    except OSError:
        return None
    return folder if stat.S_ISDIR(about.st_mode) and _ours(about) else None


def _ours(about: os.stat_result) -> bool:
    """Whether it belongs to the user, and no one else may change it. On Windows the profile's rights see to that."""
    return not hasattr(os, "getuid") or (about.st_uid == os.getuid() and not about.st_mode & 0o077)


def _read(path: Path) -> bytes | None:
    """The machine code in a file that is ours and whole, else None."""
    try:
        opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(opened, "rb") as file:
            about = os.fstat(opened)
            if not (stat.S_ISREG(about.st_mode) and _ours(about)):
                return None
            content = file.read()
        os.utime(path)  # the time of its last use
    except OSError:
        return None
    head = len(_MARK) + hashlib.sha256().digest_size
    machine_code = content[head:]
    return machine_code if content[:head] == _MARK + hashlib.sha256(machine_code).digest() else None


def _write(folder: Path, name: str, machine_code: bytes) -> None:
    """Write beside, then move, so that nobody reads half a file. Raises OSError."""
    opened, beside = tempfile.mkstemp(dir=folder, suffix=".part")  # for the user alone
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(_MARK + hashlib.sha256(machine_code).digest() + machine_code)
        Path(beside).replace(folder / name)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    files = [path for path in folder.iterdir() if path.suffix == ".o"]
    if len(files) > MOST:
        for path in sorted(files, key=lambda path: path.lstat().st_mtime)[: -(MOST * 3 // 4)]:
            path.unlink(missing_ok=True)
