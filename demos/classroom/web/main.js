// The frame: a header with the parts of the classroom, and the part that the address names, such as #lesson/3.

import { element } from "./dom.js";
import * as engine from "./engine.js";
import * as lesson from "./lesson.js";
import * as playground from "./playground.js";
import { Python } from "./python.js";
import { store } from "./store.js";
import { texts } from "./texts.js";
import { themeSwitch } from "./theme.js";

// A view has `mount(element, {python, store, route})`, which returns a function that unmounts. `route` is the address
// behind the part's name: ["3"] for #lesson/3.
const views = { lesson, engine, playground };

const python = new Python();
const main = element("main", { id: "content", tabIndex: -1 });
const links = Object.fromEntries(Object.keys(views).map((part) => [part, element("a", { href: `#${part}` }, texts.parts[part])]));
let unmount = () => {};

document.body.replaceChildren(
  element("a", { className: "skip", href: "#content", onclick: skip }, texts.skip),
  element(
    "header",
    { className: "frame" },
    element("h1", {}, texts.title),
    element("nav", { "aria-label": texts.partsLabel }, ...Object.values(links)),
    interpreter(),
    themeSwitch(store),
  ),
  element("div", { id: "notices", role: "status" }),
  main,
);

addEventListener("hashchange", () => {
  show();
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
});
show();
offerNewVersion();
python.ready.then(() => navigator.serviceWorker?.controller?.postMessage("keep all files")).catch(() => {}); // a notice tells it

function show() {
  const [part, ...route] = location.hash.slice(1).split("/");
  const name = part in views ? part : "lesson";
  unmount();
  main.replaceChildren();
  main.className = name;
  for (const [other, link] of Object.entries(links)) {
    if (other === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${texts.parts[name]} · ${texts.title}`;
  unmount = views[name].mount(main, { python, store, route }) ?? (() => {});
}

function skip(event) {
  event.preventDefault();
  main.focus();
}

/** What Python does, with buttons to stop it and to start it anew. */
function interpreter() {
  const state = element("span", { role: "status" });
  const stop = element("button", { type: "button", onclick: () => python.stop() }, texts.python.stop);
  const restart = element("button", { type: "button", title: texts.python.restartHint, onclick: () => python.restart() }, texts.python.restart);
  let timer;
  const show = () => {
    state.textContent = texts.python.states[python.state];
    stop.disabled = python.state !== "running";
  };
  const update = () => {
    document.body.dataset.python = python.state;
    clearTimeout(timer);
    timer = setTimeout(show, python.state === "loading" ? 0 : 300); // what takes less is nothing to tell
  };
  python.addEventListener("state", update);
  python.addEventListener("gone", ({ detail }) => notice(detail));
  python.addEventListener("failure", ({ detail }) => notice(detail));
  show();
  update();
  return element("div", { className: "interpreter" }, state, stop, restart);
}

/** A sentence below the header, which one can close. */
function notice(text, ...more) {
  const close = element("button", { type: "button", "aria-label": texts.close, onclick: () => line.remove() }, "×");
  const line = element("p", { className: "notice" }, text, ...more, close);
  document.getElementById("notices").replaceChildren(line);
}

/** A new service worker serves new files: what is on the page is then old. */
function offerNewVersion() {
  const before = navigator.serviceWorker?.controller;
  navigator.serviceWorker?.addEventListener("controllerchange", () => {
    const reload = element("button", { type: "button", onclick: () => location.reload() }, texts.reload);
    if (before) notice(texts.newVersion, reload);
  });
}
