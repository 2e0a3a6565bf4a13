"""Ten steps from ``class Value:`` to an engine that learns, and the check of a step.

A step is two files in ``demos/classroom/engine``. ``step_03.md`` says what to write, and names the cases of
``micrograd.conformance`` that belong to it; ``step_03.py`` is the whole engine after it.

>>> len(STEPS), STEPS[2].requires, [case.number for case in STEPS[2].cases][-2:]
(10, frozenset(), ['2.8', '8.3'])
>>> check(STEPS[2].solution, 3)["passed"], check(STEPS[2].solution, 4)["passed"]
(True, False)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType
from typing import Any

from classroom.learner import FileError, load, plainly, printed, problem, said
from micrograd.conformance.adapter import Adapter, AdapterError
from micrograd.conformance.cases import FUNCTIONS, MEANING, Case
from micrograd.conformance.discover import adapt
from micrograd.conformance.notebook import picture
from micrograd.conformance.run import HOLDS, NOT_OFFERED, NOT_RUN, WRONG, chosen, run_case

HERE = Path(__file__).parent
# On the site the texts are beside this file, in the repository beside python/.
FOLDER = next(path for path in (HERE / "engine", HERE.parent.parent / "engine") if path.is_dir())
TO_WRITE, EXTRA = "to write", "extra"  # what the step asks for, and what it does not, if the engine has not got it

# How the cases use the learner's classes and functions, and what else they go by. An engine whose MLP fails here counts
# as one without; the learner has to see why.
TRIALS = {
    "MLP": (
        "net = MLP(2, [2, 1])\nnet([1.0, -2.0])\nnet.parameters()\nnet.zero_grad()",
        "parameters() must return a list of Values",
    ),
    "SGD": ("optimizer = SGD([Value(1.0)], 0.1)\noptimizer.step()", "it must have a method step()"),
    "accumulate": (
        'w = Value(0.5)\naccumulate(lambda x, y: w * x - y, [(1.0, 3.0)], reduction="mean")',
        "it must have an argument named reduction",
    ),
    "gradients": (
        "x = Value(3.0)\ngradients(x * x, x, create_graph=True)",
        "it must have an argument named create_graph",
    ),
}


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        number: from 1.
        cases: that check it.
        in_turn: whether a case is run only when those before hold: large graphs can take minutes on a slow engine.
        requires: names of ``Case.needs`` that it asks for; a case that needs another is an extra.
        solution: the whole engine after this step.
    """

    number: int
    cases: tuple[Case, ...]
    in_turn: bool
    requires: frozenset[str]
    solution: str


def _read(path: Path) -> Step:
    _, head, _ = path.read_text(encoding="utf-8").split("---\n", 2)
    settings = dict(line.split(": ", 1) for line in head.splitlines())
    cases = [case for word in settings["cases"].split() for case in chosen(only=[word])]
    if settings.get("only") == "forward":
        cases = list(_forward(cases))
    return Step(
        number=int(path.stem.removeprefix("step_")),
        cases=tuple(cases),
        in_turn=settings.get("order") == "in turn",
        requires=frozenset(settings.get("requires", "").split()),
        solution=path.with_suffix(".py").read_text(encoding="utf-8"),
    )


def _forward(cases: list[Case]) -> Iterator[Case]:
    """The first halves of cases: what is computed, before anything goes backward."""
    for case in cases:
        lines = [line for line in case.code.splitlines() if not line.endswith(".backward()")]
        right = {what: number for what, number in case.right.items() if what.endswith(".data")}
        if right:
            why = "Everything else is computed from this number."
            yield replace(case, title=lines[-1], code="\n".join(lines), right=right, why=why)


STEPS = [_read(path) for path in sorted(FOLDER.glob("step_*.md"))]


def changed(step: int) -> list[int]:
    """The numbers of the lines of a step's solution that the one before does not have, from 1."""
    before, after = (STEPS[k].solution.splitlines() if k >= 0 else [] for k in (step - 2, step - 1))
    parts = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [line + 1 for tag, _, _, start, end in parts if tag != "equal" for line in range(start, end)]


def check(code: str, step: int) -> dict[str, Any]:
    """Whether the learner's file passes a step and still passes those before.

    Returns:
        passed: whether it does.
        problem: what kept the check from its end, as ``learner.problem`` says it; None if nothing did.
        cases: of steps 1 to this, each with step, number, title, why; outcome: "holds", "wrong", "to write", "extra"
            (the step does not ask for it) or "not run" (until those before it hold); example and said: what goes
            wrong, as code and as a sentence; picture: of the first that is wrong, the graph with the right gradients
            as SVG.
        printed: the beginning of what the file printed.
    """
    stopped, cases, first = None, [], None
    with printed() as text:
        try:
            for case, record in _tried(code, STEPS[:step]):
                cases.append(record)
                if record["outcome"] == WRONG:
                    first = first or (case, record)
        except (FileError, KeyboardInterrupt) as error:
            stopped = problem(error)
    if first:
        first[1]["picture"] = picture(first[0].code)
    passed = not stopped and all(record["outcome"] in (HOLDS, EXTRA) for record in cases)
    return {"passed": passed, "problem": stopped, "cases": cases, "printed": text.getvalue()}


def _tried(code: str, steps: list[Step]) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Each case of the steps, and what came of it. Raises FileError where there is no engine for it."""
    module = load(code)
    for step in steps:
        adapter = adapter_of(module) if step.number > 1 else Adapter("", namespace={"Value": module.Value})
        stuck = False
        for case in step.cases:
            outcome, said, example = (NOT_RUN, "", "") if stuck else _came_of(step, case, adapter, module)
            stuck = step.in_turn and outcome not in (HOLDS, EXTRA)
            yield (
                case,
                {
                    "step": step.number,
                    "number": case.number,
                    "title": case.title,
                    "outcome": outcome,
                    "example": example,
                    "said": said,
                    "why": case.why,
                    "picture": "",
                },
            )


def adapter_of(module: ModuleType) -> Adapter:
    """How the learner's engine is spoken to. Raises FileError if it is none yet."""
    try:
        return adapt(module.Value, "", "Value", module)
    except AdapterError as error:
        raise FileError(str(error)) from error
    except Exception as error:  # a learner's class may raise anything
        raise FileError(said(error)) from error


def _came_of(step: Step, case: Case, adapter: Adapter, module: ModuleType) -> tuple[str, str, str]:
    """Outcome of a case, and what goes wrong as a sentence and as code."""
    result = run_case(case, adapter)
    if result.outcome == NOT_OFFERED:
        return _absent(result.problem.split(", "), step, module)
    return result.outcome, plainly(result.problem), result.example


def _absent(missing: list[str], step: Step, module: ModuleType) -> tuple[str, str, str]:
    """Outcome, sentence and example of a case that an engine does not offer all for."""
    said = f"Still to write: {', '.join(f'{n}()' if n in FUNCTIONS else MEANING.get(n, n) for n in missing)}"
    if not step.requires.issuperset(missing):
        return EXTRA, said, ""
    written = [name for name in missing if name in TRIALS and hasattr(module, name)]
    return (WRONG, *_unusable(written[0], module)) if written else (TO_WRITE, said, "")


def _unusable(helper: str, module: ModuleType) -> tuple[str, str]:
    """Why a class or function of the learner's cannot be used: in a sentence, and as code that shows it."""
    trial, form = TRIALS[helper]
    try:
        exec(trial, dict(vars(module)))
    except (Exception, SystemExit) as error:  # it may raise anything
        return said(error), f"{trial}\n# {said(error)}"
    return f"{MEANING[helper]}: {form}.", trial
