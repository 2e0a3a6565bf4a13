"""What happens in an engine's process: limits, the import, one case after another, an answer a line."""

import copy
import gc
import json
import math
import os
import pickle
import random
import sys
import time
import tracemalloc
from typing import Any, TextIO

from micrograd.conformance.cases import find
from micrograd.conformance.discover import load
from micrograd.conformance.expressions import TITLES, allowed, available, run_random
from micrograd.conformance.run import describe, example_of, offers_of, run_case

# Imported before an engine can be: a submission's random.py must not take the place of Python's.
PRELOADED = (copy, gc, pickle, random, time, tracemalloc)


def main() -> None:
    """Serve the job in the first argument. Answers go where standard output went; what the engine prints does not."""
    job = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    if not TITLES.keys().isdisjoint(job["cases"]):
        available()  # imports Hypothesis
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    limit(job["memory"])
    serve(job, answers)
    os._exit(0)  # the engine's threads and exit handlers do not hold this up


def limit(memory: int) -> None:
    """Limit this process's memory, in bytes, and what it writes to files, where the system can do that."""
    try:
        import resource  # noqa: PLC0415  # not on Windows, nor in a browser
    except ImportError:
        return
    for name, most in (("RLIMIT_AS", memory), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 64 * 2**20)):
        try:
            resource.setrlimit(getattr(resource, name), (most, most))
        except (AttributeError, OSError, ValueError):
            continue


def limit_computing(seconds: float) -> None:
    """Let this process compute for so long from now on, where the system can limit that; then it is killed."""
    try:
        import resource  # noqa: PLC0415  # see above

        most = math.ceil(time.process_time() + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError):
        return


class Kept:
    """A file that keeps the beginning of what is printed, and throws the rest away."""

    encoding = "utf-8"

    def __init__(self, most: int = 300) -> None:
        self.most = most
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text[: self.most - len(self.text)]
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def taken(self) -> str:
        text, self.text = self.text, ""
        return text


def serve(job: dict[str, Any], answers: TextIO) -> None:
    """Try the engine on the cases of the job, and write a line for what begins and what came of it."""

    def say(**answer: Any) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    output = Kept()
    sys.stdout = sys.stderr = output
    sys.argv = [job["spec"]]
    sys.path.insert(0, job["root"])
    say(loading=True)
    limit_computing(job["import_seconds"])
    try:
        adapter = load(job["spec"], job["root"])
    except BaseException as error:  # sys.exit at import among them
        say(failed=describe(error), printed=output.taken())
        return
    say(engine=adapter.name, offers=offers_of(adapter), names=adapter.known_names())
    for number in job["cases"]:
        say(begin=number, example="" if number in TITLES else example_of(find(number), adapter))
        limit_computing(allowed(number, job["seconds"]))
        if number in TITLES:
            result = run_random(number, adapter, job["seed"])
        else:
            result = run_case(find(number), adapter)
        result.printed = output.taken()
        say(result=result.as_record())
