"""An engine in a separate process, under limits of time and memory, so that whatever it does becomes a grade.

This is not a sandbox against malice: a submission can read and write what its user can. Run strangers' code in a
container.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micrograd.conformance import cases
from micrograd.conformance.expressions import TITLES, allowed
from micrograd.conformance.run import NOT_RUN, WRONG, Report, Result

WORKER = Path(__file__).with_name("worker.py")
MOST_STOPS = 3


@dataclass
class Limits:
    """What an engine may use: seconds a case and for its import, bytes of memory where the system can limit that.

    Seconds are of computing, so that a busy machine changes no grade. An engine that waits, or a system without such a
    limit, is stopped after four times as many by the clock.
    """

    seconds: float = 30.0
    import_seconds: float = 30.0
    memory: int = 2 * 2**30


def examine(
    spec: str,
    wanted: Sequence[str],
    root: str = "",
    python: str = sys.executable,
    seed: int = 0,
    limits: Limits | None = None,
    progress: Callable[[], Any] = lambda: None,
) -> Report:
    """Try an engine on the cases of those numbers.

    Args:
        spec: "module:name", or "module".
        wanted: numbers of cases; see ``numbers``.
        root: the folder that the module is imported from, before all others; the current one if not given.
        python: the interpreter, one where the engine can be imported.
        seed: of the random expressions.
        limits: for each case; an engine that has to be stopped three times is not tried further.
        progress: called after each case.
    """
    limits = limits or Limits()
    report = Report(spec)
    left = list(wanted)
    stops = 0
    while left:
        job = {"spec": spec, "root": str(Path(root).resolve()), "cases": left, "seed": seed}
        job |= {"memory": limits.memory, "seconds": limits.seconds, "import_seconds": limits.import_seconds}
        current: dict[str, Any] = {}
        with _Process(python, job) as process:
            while left:
                most = allowed(current["begin"], limits.seconds) if current else limits.import_seconds
                answer = process.answer(most)
                if "result" in answer:
                    report.results.append(Result.from_record(answer["result"]))
                    left.pop(0)
                    progress()
                elif "begin" in answer:
                    current = answer
                elif "engine" in answer:
                    report.engine, report.offers, report.names = answer["engine"], answer["offers"], answer["names"]
                elif "ended" in answer or "failed" in answer:
                    break
        if not left:
            break
        problem = answer.get("failed") or answer["ended"]
        if not current:
            report.problem = problem if "failed" in answer else f"at import, {problem}"
            report.results += [_not_run(number, f"no engine: {report.problem}", WRONG) for number in left]
            break
        stopped = _not_run(left.pop(0), problem, WRONG)
        if current["example"]:
            stopped.example = f"{current['example']}\n# {problem}"
        report.results.append(stopped)
        progress()
        stops += 1
        if stops == MOST_STOPS:
            report.results += [_not_run(number, "the engine had to be stopped too often") for number in left]
            break
    return report


def _not_run(number: str, problem: str, outcome: str = NOT_RUN) -> Result:
    if number in TITLES:
        return Result(number, TITLES[number], outcome, problem=problem)
    case = cases.find(number)
    return Result(number, case.title, outcome, problem=problem, why=case.why, known=case.known)


class _Process:
    """A worker, its answers, and its end together with all that it started."""

    def __init__(self, python: str, job: dict[str, Any]) -> None:
        quiet = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
        environment = {**os.environ, **quiet, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        if Path(python) != Path(sys.executable):  # our path would hide what is installed there
            environment.pop("PYTHONPATH", None)
        self.process = subprocess.Popen(
            [python, str(WORKER), json.dumps(job)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.begun = False
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as answers:
            for line in answers:
                self.lines.put(line)
        self.lines.put(b"")

    def answer(self, seconds: float) -> dict[str, Any]:
        """The next answer, or {"ended": why there is none}; seconds are those that it may compute."""
        try:
            line = self.lines.get(timeout=4 * seconds)
        except queue.Empty:
            return {"ended": f"it took more than {4 * seconds:g} s and was stopped"}
        try:
            answer: dict[str, Any] = json.loads(line)
            self.begun = True
            return answer
        except ValueError:
            if self.begun:
                return {"ended": self._end(seconds)}
            assert self.process.stderr is not None
            told = self.process.stderr.read(5000).decode(errors="replace").strip()
            return {"failed": f"the suite did not start: {told.rpartition(chr(10))[2]}"}

    def _end(self, seconds: float) -> str:
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        if status >= 0:
            return f"the interpreter ended, with exit status {status}"
        if status == -getattr(signal, "SIGXCPU", 0):
            return f"it computed for more than {seconds:g} s and was stopped"
        names = {"SIGSEGV": "segmentation fault", "SIGKILL": "killed, perhaps for its use of memory"}
        name = signal.Signals(-status).name
        return f"the interpreter crashed: {names.get(name, name)}"

    def _kill(self) -> None:
        with contextlib.suppress(OSError):  # it is gone
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
