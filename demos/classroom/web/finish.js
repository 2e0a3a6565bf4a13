// The last page: the learner's engine trains the moons, and stands beside micrograd's.

import { figure } from "./charts.js";
import { element } from "./dom.js";
import { texts } from "./texts.js";

const EVERY = 4; // epochs from one picture of the boundary to the next
const PATIENCE = 1000; // milliseconds that an epoch may take to end after Stop

/** The page at the end of `place`. Returns a function that ends what runs. */
export function finish(place, { python, work }) {
  const words = texts.engine.finish;
  let gone = false;
  place.append(
    element("h2", {}, words.title),
    element("div", { className: "columns" }, training(), comparison()),
  );

  function training() {
    const said = element("p", { className: "verdict", role: "status" });
    const note = element("p", { hidden: true });
    const charts = element("div", { className: "charts" });
    const start = element("button", { type: "button", className: "primary", title: words.trainHint, onclick: train }, words.train);
    const stop = element("button", { type: "button", hidden: true, onclick: halt }, texts.python.stop);
    const figures = {};
    let stopped = false;
    let late; // a timer

    async function train() {
      stopped = false;
      await whileRunning(start, stop, said, go);
      clearTimeout(late); // it is not for the next training
    }

    async function go() {
      const begun = await python.call("classroom.finished.start", work.code);
      if (tell(said, begun.problem)) return;
      note.hidden = !begun.borrowed.length;
      note.textContent = words.borrowed(begun.borrowed);
      let now = { epoch: 0 };
      while (!now.done && !stopped && !gone) {
        const last = now.epoch + 1 === begun.epochs;
        now = await python.call("classroom.finished.go_on", now.epoch % EVERY === 0 || last);
        if (tell(said, now.problem)) return;
        said.textContent = words.epoch(now.epoch, begun.epochs, now.loss.toFixed(3), (100 * now.right).toFixed(1));
        now.charts.forEach(show);
      }
    }

    function show(spec) {
      if (figures[spec.kind]) figures[spec.kind].update(spec);
      else charts.append((figures[spec.kind] = figure(spec)));
    }

    function halt() {
      stopped = true; // when this epoch is done; one that does not end is interrupted
      clearTimeout(late);
      late = setTimeout(() => python.stop(), PATIENCE);
    }

    const buttons = element("div", { className: "bar" }, start, stop);
    return element("section", {}, element("div", { className: "prose" }, element("p", {}, words.text)), buttons, note, said, charts);
  }

  function comparison() {
    const said = element("p", { className: "verdict", role: "status" });
    const found = element("div");
    const start = element("button", { type: "button", onclick: compare }, words.compare);
    const stop = element("button", { type: "button", hidden: true, onclick: () => python.stop() }, texts.python.stop);

    async function compare() {
      await whileRunning(start, stop, said, async () => {
        said.textContent = texts.engine.checking;
        const answer = await python.call("classroom.finished.compare", work.code);
        if (!tell(said, answer.problem)) show(answer);
      });
    }

    function show({ graph, gradients, milliseconds: [yours, ours], levels }) {
      const different = gradients.filter(([, a, b]) => !(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)))).map(([name]) => name);
      said.textContent = different.length ? words.different(different) : words.same(gradients.length);
      found.replaceChildren(
        table([words.name, words.yours, words.ours], gradients.map(([name, a, b]) => [name, digits(a), digits(b)])),
        element("details", {}, element("summary", {}, words.code), element("pre", { className: "code" }, graph)),
        element("p", {}, words.time(yours.toPrecision(2), ours.toPrecision(2), (yours / ours).toPrecision(2))),
        table(
          [words.level, words.holds, words.verdict],
          levels.map(({ level, title, holds, wrong, passed }) => [`${level} ${title}`, `${holds} / ${holds + wrong}`, passed ? words.passed : words.failed]),
        ),
      );
    }

    const text = element("div", { className: "prose" }, element("p", {}, words.compareText));
    return element("section", {}, element("h3", {}, words.compareTitle), text, element("div", { className: "bar" }, start, stop), said, found);
  }

  return () => {
    gone = true;
  };
}

/** Do some work, once at a time, with a button that stops it. */
async function whileRunning(start, stop, said, work) {
  if (!stop.hidden) return;
  stop.hidden = false;
  try {
    await work();
  } catch (error) {
    said.textContent = error.message;
  }
  if (document.activeElement === stop) start.focus();
  stop.hidden = true;
}

/** Show a problem with the learner's file, if there is one. */
function tell(place, problem) {
  if (problem) place.textContent = problem.line ? `${texts.engine.line(problem.line)}: ${problem.text}` : problem.text;
  return Boolean(problem);
}

function digits(number) {
  return number.toPrecision(6).replace("-", "−");
}

function table(head, rows) {
  const row = (kind, cells) => element("tr", {}, ...cells.map((text) => element(kind, {}, text)));
  return element("table", {}, element("thead", {}, row("th", head)), element("tbody", {}, ...rows.map((cells) => row("td", cells))));
}
