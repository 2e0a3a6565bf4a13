"use strict";
// The page is a function of the step and the reduction alone: `show` fills every place with what the steps up to this
// one have written last. So it is the same page whichever way one came. No number is computed here.

const byId = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];

const { steps, pictures } = JSON.parse(byId("data").textContent);
const svgs = all("#graph svg");
const places = all("[data-place]");
const wholes = svgs.map((svg) => svg.getAttribute("viewBox").split(" ").map(Number));
const LETTERS = 12; // the height of the graph's letters, in its own units
const ARROWS = { forward: "forward →", seed: "seed ←", backward: "← backward", sum: "the sum so far" };

let at = 0;
let reduction = document.body.dataset.reduction;
let zoomed = false;
let timer = null;

// A step of the batch as a whole comes in two variants.
const variant = (step) => (reduction === "mean" && step.mean ? { ...step, ...step.mean } : step);

function written() {
  const texts = {};
  for (const step of steps.slice(0, at + 1)) Object.assign(texts, variant(step).writes);
  return texts;
}

// The places that the step is about: at a start there is much to write, and nothing to point at.
function pointedAt(step) {
  if (step.phase === "start" || step.phase === "sample") return new Set();
  if (step.phase === "seed") return new Set([`v${step.node}.grad`]);
  return new Set(Object.keys(step.writes));
}

function show(index) {
  at = Math.max(0, Math.min(steps.length - 1, index));
  const step = variant(steps[at]);
  // Steps of the batch as a whole leave the last sample's graph on show.
  const sample = Math.max(0, ...steps.slice(0, at + 1).map((earlier) => earlier.sample));
  const svg = svgs[pictures[sample]];
  svgs.forEach((other) => other.toggleAttribute("hidden", other !== svg));
  svg.setAttribute("aria-label", `The graph${pictures.length > 1 ? ` of sample ${sample + 1}` : ""}; the text above says what changes in it`);

  const texts = written();
  const lit = pointedAt(step);
  for (const place of places) {
    const name = place.dataset.place;
    place.textContent = texts[name] ?? (/^v/.test(name) ? "·" : "");
    place.classList.toggle("lit", lit.has(name));
  }
  const atWork = mark(svg, step);
  // Steps of the batch as a whole are about the parameters.
  frame(svg, step.node >= 0 || !lit.size ? atWork : [...svg.querySelectorAll(".node.parameter")]);

  byId("phase").textContent = ARROWS[step.phase] ?? step.phase;
  byId("sample").textContent = step.sample >= 0 && pictures.length > 1 ? `sample ${sample + 1} of ${pictures.length}` : "";
  byId("lines").replaceChildren(...step.lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  byId("lines").dataset.lines = step.lines.length > 6 ? "more" : step.lines.length;
  byId("say").scrollTop = 0;

  byId("slider").value = at;
  byId("position").textContent = `step ${at + 1} of ${steps.length}`;
  byId("slider").setAttribute("aria-valuetext", `step ${at + 1} of ${steps.length}, ${step.phase}`);
  Object.assign(document.body.dataset, { reduction, phase: step.phase });
  const here = step.phase === "start" ? "start" : step.sample >= 0 ? String(step.sample) : "batch";
  all("[data-jump]").forEach((button) => button.setAttribute("aria-current", button.dataset.jump === here));
  all("[data-part]").forEach((button) => button.setAttribute("aria-current", button.dataset.part === part(step)));
  const cells = all("td.lit").reverse(); // the first last, in case there is no room for all
  if (!cells.length && step.sample >= 0) cells.push(...all(`[data-place="t0.${step.sample}"]`)); // the sample's column
  cells.forEach(reveal);
}

// Mark the operation at work with its edges, operands and result; returns these boxes.
function mark(svg, step) {
  all("#graph .at").forEach((element) => element.classList.remove("at", "work"));
  if (!(step.node >= 0)) return [];
  const name = `v${step.node}`;
  const edges = step.phase === "seed" ? [] : [...svg.querySelectorAll(`[data-to="${name}"]`)];
  const names = new Set([name, ...edges.map((edge) => edge.dataset.from)]);
  const boxes = [...svg.querySelectorAll("[data-node]")].filter((box) => names.has(box.dataset.node));
  [...edges, ...boxes].forEach((element) => element.classList.add("at"));
  for (const box of boxes) box.classList.toggle("work", box.dataset.node === name && edges.length > 0);
  return boxes;
}

// Show the whole graph; or, larger and with letters of 14 pixels if there is room, what is at work and its surroundings.
function frame(svg, boxes) {
  const whole = wholes[svgs.indexOf(svg)];
  if (!zoomed || !boxes.length) return svg.setAttribute("viewBox", whole.join(" "));
  const rects = boxes.map((box) => box.getBBox());
  const left = Math.min(...rects.map((r) => r.x));
  const top = Math.min(...rects.map((r) => r.y));
  const right = Math.max(...rects.map((r) => r.x + r.width));
  const bottom = Math.max(...rects.map((r) => r.y + r.height));
  const pane = byId("graph");
  const width = Math.max(right - left + 24, Math.min((pane.clientWidth * LETTERS) / 14, whole[2] / 1.6));
  const height = Math.max(bottom - top + 24, Math.min((pane.clientHeight * LETTERS) / 14, whole[3] / 1.6));
  const within = (start, from, to) => Math.max(from, Math.min(start, to));
  const x = within((left + right - width) / 2, whole[0], whole[0] + whole[2] - width);
  const y = within((top + bottom - height) / 2, whole[1], whole[1] + whole[3] - height);
  svg.setAttribute("viewBox", [x, y, width, height].join(" "));
}

// Scroll the table, and nothing else, until the cell is in view.
function reveal(cell) {
  const pane = byId("table");
  const [inner, outer] = [cell.getBoundingClientRect(), pane.getBoundingClientRect()];
  const head = document.querySelector("thead").offsetHeight;
  const names = document.querySelector("tbody th, thead th").offsetWidth;
  pane.scrollTop += Math.max(0, inner.bottom - outer.bottom + 4) + Math.min(0, inner.top - outer.top - head);
  pane.scrollLeft += Math.max(0, inner.right - outer.right + 4) + Math.min(0, inner.left - outer.left - names);
}

function play(on) {
  clearInterval(timer);
  timer = null;
  byId("play").textContent = on ? "Pause" : "Play";
  if (!on) return;
  if (at === steps.length - 1) show(0);
  timer = setInterval(() => {
    show(at + 1);
    if (at === steps.length - 1) play(false);
  }, Number(byId("speed").value));
}

function go(index) {
  play(false);
  show(index);
}

function jump(target) {
  const found = steps.findIndex((step) => (target === "start" || target === "batch" ? step.phase === target : step.sample === Number(target)));
  if (found >= 0) go(found);
}

// To the first step of the next sample (or the batch), or of the one before.
function section(direction) {
  const starts = steps.flatMap((step, i) => (["start", "sample", "batch"].includes(step.phase) ? [i] : []));
  const target = direction > 0 ? starts.find((i) => i > at) : starts.reverse().find((i) => i < at);
  go(target ?? (direction > 0 ? steps.length - 1 : 0));
}

// The pass that a step is part of: the seed begins the backward pass.
function part(step) {
  return step.phase === "seed" ? "backward" : step.phase;
}

// To a pass of the sample on show.
function jumpToPart(name) {
  const sample = Math.max(0, ...steps.slice(0, at + 1).map((step) => step.sample));
  const found = steps.findIndex((step) => step.sample === sample && part(step) === name);
  if (found >= 0) go(found);
}

// To the first step of the next pass, or of the one before.
function pass(direction) {
  const starts = steps.flatMap((step, i) => (i && part(step) === part(steps[i - 1]) && step.sample === steps[i - 1].sample ? [] : [i]));
  const target = direction > 0 ? starts.find((i) => i > at) : starts.reverse().find((i) => i < at);
  go(target ?? (direction > 0 ? steps.length - 1 : 0));
}

function zoom(on = !zoomed) {
  zoomed = on;
  byId("zoom").setAttribute("aria-pressed", zoomed);
  show(at);
}

const ACTIONS = {
  first: () => go(0),
  back: () => go(at - 1),
  play: () => play(timer === null),
  next: () => go(at + 1),
  last: () => go(steps.length - 1),
  zoom: () => zoom(),
};
for (const [id, action] of Object.entries(ACTIONS)) byId(id).addEventListener("click", action);
all("[data-jump]").forEach((button) => button.addEventListener("click", () => jump(button.dataset.jump)));
all("[data-part]").forEach((button) => button.addEventListener("click", () => jumpToPart(button.dataset.part)));
// A click with the mouse leaves the focus where it is, so that space goes on to play and pause.
all("button").forEach((button) => button.addEventListener("mousedown", (event) => event.preventDefault()));
byId("slider").addEventListener("input", () => go(Number(byId("slider").value)));
byId("speed").addEventListener("change", () => timer !== null && play(true));
all("[name=reduction]").forEach((radio) =>
  radio.addEventListener("change", () => {
    reduction = radio.value;
    show(at);
  }),
);

const KEYS = {
  ArrowLeft: ACTIONS.back,
  ArrowRight: ACTIONS.next,
  Home: ACTIONS.first,
  End: ACTIONS.last,
  ArrowUp: () => pass(-1),
  ArrowDown: () => pass(1),
  PageUp: () => section(-1),
  PageDown: () => section(1),
  " ": ACTIONS.play,
  z: ACTIONS.zoom,
};
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (!(key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  // A control that uses the key itself keeps it.
  if (target.matches("select, [type=radio]") || (target.id === "table" && key.startsWith("Arrow")) || (target.matches("button") && key === " ")) return;
  event.preventDefault();
  KEYS[key]();
});

byId("slider").max = steps.length - 1;
show(0);
// Where the whole graph is too small to read, begin zoomed in.
zoom(svgs[pictures[0]].getScreenCTM().a * LETTERS < 11);
