// One step: its text, what came of the check, a hint, the solution.

import { element } from "./dom.js";
import { showResults } from "./results.js";
import { texts } from "./texts.js";

/**
 * A step at the end of `place`. `take` is called with the solution if the learner takes it over.
 * Returns {check, clear}; `check` resolves when the results are shown.
 */
export function step(place, { number, title, text, write, hint, solution, next, python, work, take }) {
  const said = element("p", { className: "verdict", role: "status" }, texts.engine.unchecked);
  const found = element("div", { className: "found" });
  const help = element("div", { className: "help" });
  const results = element("section", { className: "results", "aria-label": texts.engine.results }, said, found);
  place.append(
    element("h2", {}, `${number}. ${title}`),
    element("div", { className: "prose", innerHTML: text }),
    element("h3", {}, texts.engine.write),
    element("div", { className: "prose", innerHTML: write }),
    results,
    help,
  );
  offerHint();

  async function check() {
    const timer = setTimeout(() => (said.textContent = texts.engine.checking), 300);
    let answer;
    try {
      answer = await python.call("classroom.steps.check", work.code, number);
    } catch (error) {
      answer = { passed: false, problem: { text: error.message, line: 0 }, cases: [], printed: "" };
    }
    clearTimeout(timer);
    said.textContent = showResults(found, answer, number);
    results.dataset.passed = answer.passed;
    remember(answer);
    if (answer.passed) found.prepend(element("p", {}, element("a", { className: "next", href: `#engine/${number + 1}` }, texts.engine.next(next))));
    results.scrollIntoView({ block: "nearest" });
    if (results.getBoundingClientRect().top < 0) results.scrollIntoView();
  }

  function remember({ passed, cases }) {
    if (passed) work.passed = Math.max(work.passed, number);
    const broken = cases.find(({ outcome, step: of }) => ["wrong", "to write"].includes(outcome) && of <= work.passed);
    if (broken) work.passed = broken.step - 1;
  }

  function clear() {
    said.textContent = texts.engine.unchecked;
    found.replaceChildren();
    delete results.dataset.passed;
  }

  function offerHint() {
    const button = element("button", { type: "button", onclick: () => help.replaceChildren(theHint(), offerSolution()) }, texts.engine.hint);
    help.replaceChildren(button);
  }

  function theHint() {
    const heading = element("h3", { tabIndex: -1 }, texts.engine.hint);
    queueMicrotask(() => heading.focus());
    return element("section", {}, heading, element("div", { className: "prose", innerHTML: hint }));
  }

  /** The solution is asked for twice: to think once more is better. */
  function offerSolution() {
    const button = element("button", { type: "button", onclick: sure }, texts.engine.solution);
    function sure() {
      if (button.textContent === texts.engine.sure) button.replaceWith(theSolution());
      else button.textContent = texts.engine.sure;
    }
    return button;
  }

  function theSolution() {
    const heading = element("h3", { tabIndex: -1 }, texts.engine.solution);
    queueMicrotask(() => heading.focus());
    const code = element("pre", { className: "code" });
    const lines = solution.trimEnd().split("\n");
    lines.forEach((line) => code.append(element("span", { className: "line" }, `${line}\n`)));
    python.call("classroom.steps.changed", number).then((changed) => changed.forEach((line) => code.children[line - 1].classList.add("new")));
    const button = element("button", { type: "button", onclick: () => take(solution) }, texts.engine.take);
    return element("section", { className: "solution" }, heading, element("p", {}, texts.engine.solutionIs), button, code);
  }

  return { check, clear };
}
