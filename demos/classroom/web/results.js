// What a check of the learner's engine found: the first example that fails, drawn, and all cases of the step.

import { element } from "./dom.js";
import { showOutput } from "./output.js";
import { texts } from "./texts.js";

const MARKS = { holds: "✓", wrong: "✗", "to write": "…", extra: "–", "not run": "–" };

/** Show in `place` what classroom.steps.check returned, and return its verdict in one sentence. */
export function showResults(place, { passed, problem, cases, printed }, number) {
  place.replaceChildren();
  const failed = cases.find(({ outcome }) => outcome === "wrong");
  if (problem) place.append(element("pre", { className: "error" }, problem.line ? `${texts.engine.line(problem.line)}: ${problem.text}` : problem.text));
  if (printed) place.append(element("h3", {}, texts.engine.printed), element("pre", {}, printed));
  if (failed) place.append(example(failed));
  const shown = cases.filter(({ step, outcome }) => step === number || outcome === "wrong" || outcome === "to write");
  if (shown.length) place.append(element("ul", { className: "cases" }, ...shown.map((one) => line(one, number))));
  if (passed) return texts.engine.passed(number);
  if (problem) return texts.engine.problem;
  const broken = cases.find(({ step, outcome }) => step < number && (outcome === "wrong" || outcome === "to write"));
  if (broken) return texts.engine.broken(broken.step);
  const own = cases.filter(({ step, outcome }) => step === number && outcome !== "extra");
  return texts.engine.failed(own.filter(({ outcome }) => outcome === "holds").length, own.length);
}

function example({ number, title, example: code, said, why, picture }) {
  const shown = element(
    "section",
    { className: "example" },
    element("h3", {}, texts.engine.example),
    element("p", {}, element("strong", {}, `${number} ${title}`)),
    element("pre", {}, code || said),
  );
  if (said && !code.includes(said)) shown.append(element("p", {}, said));
  shown.append(element("p", {}, element("strong", {}, `${texts.engine.why}: `), why));
  if (picture) {
    shown.append(element("p", {}, `${texts.engine.graph}:`));
    showOutput(shown, { kind: "svg", svg: picture });
  }
  return shown;
}

function line({ step, number, title, outcome, said }, current) {
  const mark = element("span", { className: "mark", role: "img", "aria-label": texts.engine.marks[outcome] }, MARKS[outcome]);
  const text = `${number} ${title}`;
  const more = outcome === "to write" || outcome === "extra" ? `: ${said}` : outcome === "not run" ? `: ${texts.engine.marks[outcome]}` : "";
  return element("li", { className: outcome.replace(" ", "-") }, mark, step === current ? text : texts.engine.step(step, text), more);
}
