// "Your own engine": the learner's file in an editor, beside the step at which they are. #engine/3 is step 3,
// #engine/11 the last page, where the engine trains.

import steps from "engine:steps";

import { cell } from "./cell.js";
import { element } from "./dom.js";
import { editor } from "./editor.js";
import { finish } from "./finish.js";
import { step } from "./step.js";
import { texts } from "./texts.js";

const START = texts.engine.start;
const LAST = steps.length + 1;

export function mount(place, { python, store, route }) {
  const number = Math.min(Math.max(Number.parseInt(route[0] ?? store.get("engine.step", 1), 10) || 1, 1), LAST);
  store.set("engine.step", number);
  const work = workOf(store);
  const links = nav(number, work);
  return number === LAST ? showFinish(place, links, { python, work }) : showStep(place, links, number, { python, store, work });
}

/** What the learner has made: the file, and how many steps it passes. It is kept in the browser. */
function workOf(store) {
  return {
    get code() {
      return store.get("engine.code", START);
    },
    set code(code) {
      store.set("engine.code", code);
    },
    /** Steps 1 to this were passed. */
    get passed() {
      return store.get("engine.passed", 0);
    },
    set passed(number) {
      store.set("engine.passed", number);
    },
  };
}

/** Links to the steps, with a tick at each that is passed. */
function nav(number, work) {
  const list = element("ol", { className: "steps" });
  const whole = element("nav", { "aria-label": texts.engine.steps }, list);
  whole.update = () => {
    const links = [...steps, { title: texts.engine.last }].map(({ title }, index) => {
      const passed = index < work.passed;
      const link = element("a", { href: `#engine/${index + 1}`, title }, index === steps.length ? title : `${index + 1}`, passed ? " ✓" : "");
      if (index < steps.length) link.setAttribute("aria-label", texts.engine.step(index + 1, title, passed));
      if (index + 1 === number) link.setAttribute("aria-current", "page");
      return element("li", { className: passed ? "passed" : "" }, link);
    });
    list.replaceChildren(...links);
  };
  whole.update();
  return whole;
}

function showFinish(place, links, { python, work }) {
  const page = element("div", { className: "finish" }, links);
  place.append(page);
  return finish(page, { python, work });
}

function showStep(place, links, number, { python, store, work }) {
  const left = element("div", { className: "pane" }, links);
  const right = element("div", { className: "pane" });
  place.append(left, right);
  const check = element("button", { type: "button", className: "primary", title: texts.engine.checkHint, onclick: run }, texts.engine.check);
  const stop = element("button", { type: "button", hidden: true, onclick: () => python.stop() }, texts.python.stop);
  const bar = element("div", { className: "bar" }, check, stop, element("span", { className: "spring" }), ...files());
  const box = element("div", { className: "editor" });
  const file = element("section", { className: "file", "aria-label": texts.engine.editor }, box);
  right.append(bar, file);
  const text = editor(box, { code: work.code, label: texts.engine.editor, onRun: run, onChange: (code) => (work.code = code) });
  const next = steps[number]?.title ?? texts.engine.last;
  const page = step(left, { number, ...steps[number - 1], next, python, work, take: (code) => replace(code, texts.engine.takeSure) });

  right.append(element("h3", {}, texts.engine.try));
  const tried = tryCell(right, { python, store, work });

  async function run() {
    if (file.dataset.state === "running") return;
    file.dataset.state = "running";
    stop.hidden = false;
    await page.check();
    if (document.activeElement === stop) check.focus();
    stop.hidden = true;
    file.dataset.state = "done";
    links.update();
  }

  /** Put other code in place of the learner's, if they agree, or if there is nothing of theirs yet. */
  function replace(code, question) {
    if (text.code !== START && text.code !== code && !confirm(question)) return false;
    text.code = code;
    return true;
  }

  function files() {
    const pick = element("input", { type: "file", accept: ".py,text/x-python", hidden: true, onchange: read });
    return [
      element("button", { type: "button", title: texts.engine.saveHint, onclick: () => save(text.code) }, texts.engine.save),
      element("button", { type: "button", title: texts.engine.openHint, onclick: () => pick.click() }, texts.engine.open),
      element("button", { type: "button", onclick: again }, texts.engine.again),
      pick,
    ];
  }

  async function read({ target }) {
    const [file] = target.files;
    target.value = ""; // the same file can be opened once more
    if (file && replace((await file.text()).replaceAll("\r\n", "\n"), texts.engine.openSure(file.name))) forget();
  }

  function again() {
    if (!replace(START, texts.engine.againSure)) return;
    forget();
    location.hash = "#engine/1";
  }

  function forget() {
    work.passed = 0;
    links.update();
    page.clear();
  }

  // With the file open in two tabs, the last letter typed in one would undo the work in the other.
  const unwatch = store.watch("engine.code", () => (text.code = work.code));

  return () => {
    unwatch();
    text.destroy();
    tried.destroy();
  };
}

/** A cell that knows the names of the learner's file; each run begins with the file. */
function tryCell(place, { python, store, work }) {
  const run = async (code, { onOutput }) => {
    const answer = await python.call("classroom.learner.run", work.code, code);
    answer.outputs.forEach(onOutput);
    return answer;
  };
  return cell(place, {
    python: { run, stop: () => python.stop() },
    store,
    key: "engine.try",
    code: texts.engine.tryCode,
    name: "try",
    label: texts.engine.tryLabel,
  });
}

/** Download the code as a file. */
function save(code) {
  const address = URL.createObjectURL(new Blob([code], { type: "text/x-python" }));
  element("a", { href: address, download: texts.engine.file }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
