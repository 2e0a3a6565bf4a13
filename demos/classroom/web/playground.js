// The playground: a training that one plays, takes batch by batch or sample by sample, with its controls and pictures.
// Python computes it in the worker, in classroom/playground.py; this page asks for the next part and draws what it gets.

import { figure } from "./charts.js";
import { controls, DEFAULTS, FRESH, fromAddress, SAMPLES, toAddress } from "./controls.js";
import { element } from "./dom.js";
import { showOutput } from "./output.js";
import { sharesTable } from "./shares.js";
import { texts } from "./texts.js";

const words = texts.playground;
const PYTHON = "classroom.playground.";
const CHUNK = 0.045; // seconds that Python computes between two pictures, where it goes as fast as it can
const EARLIER = 2; // how many trainings of before are kept on the chart
const GRAPH = 1000; // milliseconds between two drawings of a sample's graph while it plays
const RINGS = 20; // the largest batch whose samples are marked in the plane

// What is asked of Python for each picture, and how many milliseconds later the next one begins.
const SPEEDS = {
  sample: { ask: ["advance_sample"], every: 1000 },
  samples: { ask: ["advance_sample"], every: 250 },
  update: { ask: ["advance", 1], every: 1000 },
  updates: { ask: ["advance", 1], every: 100 },
  fast: { ask: ["advance", 1e6, CHUNK], every: 0 },
};

let last = DEFAULTS; // the settings of this visit, for whoever comes back from another part

export function mount(place, { python, route }) {
  let settings = route.length ? { ...DEFAULTS, ...fromAddress(route.join("/")) } : last;
  let fixed = null; // what stays as it is during a training: points, names of parameters
  let state = null; // where the training is
  let earlier = []; // curves of trainings before: {settings, curve}
  let player = null; // what plays now
  let turned = {}; // controls that were turned and not told to Python yet
  let busy = Promise.resolve(); // what changes the training waits for what was asked before
  let chosen = 0; // the sample whose graph is shown
  let graphed = { at: 0, asking: false };
  let frame = 0;
  let paces = []; // [time, update] of the last second
  let failed = ""; // what could not be done, until something else is asked for
  let gone = false;

  // ---- what is on the page ----

  const play = element("button", { type: "button", className: "primary", onclick: () => (player ? pause() : start()) });
  const stepBatch = element("button", { type: "button", onclick: () => step("advance", 1) }, words.stepBatch);
  const stepSample = element("button", { type: "button", onclick: () => step("advance_sample") }, words.stepSample);
  const reset = element("button", { type: "button", title: words.resetHint, onclick: () => begin() }, words.reset);
  const speed = options("speed", words.speeds, "fast", changeSpeed);
  const axis = options("axis", words.axes, "updates", schedule);
  const figures = Object.fromEntries(["update", "epoch", "loss", "right", "pace"].map((name) => [name, element("dd", { className: name }, "–")]));
  const warning = element("p", { className: "warning", role: "alert", hidden: true });
  const question = element("div", { className: "question", role: "status" });
  const form = controls(turn);
  const boundary = figure({ kind: "boundary", square: true, title: words.boundary, low: [-1.5, -1], high: [2.5, 1.5], scores: [], samples: [] });
  const curves = figure({ kind: "curves", square: true, title: words.curves, xlabel: words.axes.updates, ylabel: words.ylabel, curves: [] });
  const tableSays = element("p", { className: "says" }, words.loading);
  const table = sharesTable();
  const below = element("section", { className: "batch" }, element("h3", {}, words.table), tableSays, table);
  const number = element("input", { type: "number", min: 0, max: SAMPLES - 1, step: 1, value: chosen, onchange: () => choose(Number(number.value)) });
  const graphSays = element("p", { className: "says" }, words.graphHint);
  const graph = element("div", { className: "graph" });
  boundary.addEventListener("choose", ({ detail }) => choose(detail));
  table.addEventListener("choose", ({ detail }) => choose(detail, true));

  place.append(
    element("h2", {}, words.title),
    element("p", { className: "lead" }, words.lead),
    element("section", { className: "try", "aria-label": words.tryThis }, element("div", { className: "presets" }, element("h3", {}, words.tryThis), ...presets()), question),
    element(
      "section",
      { className: "transport", "aria-label": words.transport },
      element("div", { className: "keys" }, play, stepBatch, stepSample, reset, speed.label),
      element("dl", {}, ...Object.entries(figures).map(([name, dd]) => element("div", {}, element("dt", {}, words[name]), dd))),
    ),
    warning,
    element(
      "div",
      { className: "bench" },
      form,
      element("section", { className: "plane" }, boundary),
      element("section", { className: "curves" }, curves, axis.label),
    ),
    below,
    element("section", { className: "one" }, element("h3", {}, words.graph), element("label", {}, words.graphChoose, " ", number), graphSays, graph),
  );

  const restart = () => begin();
  python.addEventListener("gone", restart);
  form.show(settings);
  update();
  begin();
  return () => {
    gone = true;
    pause();
    cancelAnimationFrame(frame);
    table.destroy();
    python.removeEventListener("gone", restart);
  };

  // ---- asking Python ----

  /** Ask Python for something; what it says of the training is shown. */
  async function ask(name, ...args) {
    const told = await python.call(PYTHON + name, ...args);
    if (told.samples) fixed = told;
    state = told;
    if (told.diverged) pause();
    schedule();
  }

  /** One after the other: what changes the training. An error is shown, and ends what plays. */
  function inTurn(work) {
    busy = busy.then(work).catch(fail);
    return busy;
  }

  function fail(error) {
    if (gone) return;
    pause();
    failed = error.message;
    schedule();
    warn();
  }

  /** A training from the start; the one before stays on the chart. */
  function begin() {
    pause();
    keepCurve();
    failed = "";
    settings = { ...settings, ...turned };
    turned = {};
    return inTurn(async () => {
      try {
        await ask("start", settings);
      } catch (error) {
        if (state) throw error;
        failed = error.message; // an address that holds what is not possible
        settings = DEFAULTS;
        form.show(settings);
        await ask("start", settings);
      }
      remember();
    });
  }

  /** Controls were turned: many at once while a slider moves, of which Python is told the last. */
  function turn(part) {
    turned = { ...turned, ...part };
    failed = "";
    form.show({ ...settings, ...turned });
    inTurn(async () => {
      if (!Object.keys(turned).length) return;
      const next = { ...settings, ...turned };
      const anew = FRESH.some((name) => String(next[name]) !== String(settings[name]));
      turned = {};
      if (anew) keepCurve();
      settings = next;
      await ask("change", settings);
      remember();
    });
  }

  function step(name, ...args) {
    pause();
    failed = "";
    inTurn(() => ask(name, ...args));
  }

  function start() {
    if (gone) return;
    if (state?.diverged) begin();
    const { ask: call, every } = SPEEDS[speed.value];
    const mine = (player = {});
    failed = "";
    // The table is what there is to see of a sample.
    if (call[0] === "advance_sample" && below.getBoundingClientRect().bottom > innerHeight) below.scrollIntoView();
    paces = [];
    update();
    inTurn(() => {
      // Two at a time where it goes as fast as it can, so that Python computes while the page draws.
      for (let i = 0; i < (every ? 1 : 2); i++) run(mine, call, every).catch(fail);
    });
  }

  /** Ask for part after part, no faster than the page is drawn: so it rests while nobody sees it. */
  async function run(mine, call, every) {
    while (player === mine) {
      const next = performance.now() + every;
      await ask(...call);
      do await new Promise(requestAnimationFrame);
      while (player === mine && performance.now() < next);
    }
  }

  function pause() {
    player = null;
    update();
  }

  function changeSpeed() {
    if (!player) return;
    pause();
    start();
  }

  // ---- drawing ----

  /** Draw at the next frame, once, however often something changes before it. */
  function schedule() {
    if (!frame) frame = requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    if (gone || !state) return;
    const { batch, curve } = state;
    const size = batch.samples.length;
    const slow = !player || SPEEDS[speed.value].every > 0;
    warn();
    boundary.update({
      kind: "boundary",
      square: true,
      title: words.boundary,
      low: fixed.low,
      high: fixed.high,
      scores: state.scores,
      samples: fixed.samples,
      chosen,
      batch: slow && size <= RINGS ? batch.samples.slice(0, batch.shares.length) : [],
    });
    curves.update({
      kind: "curves",
      square: true,
      title: words.curves,
      xlabel: words.axes[axis.value],
      ylabel: words.ylabel,
      curves: [
        { name: words.curveAll, x: curve[axis.value], y: curve.all },
        { name: words.curveBatch, x: curve[axis.value], y: curve.batch, faint: true },
        ...earlier.map(({ settings: then, curve: old }) => ({ name: words.before(differs(then)), x: old[axis.value], y: old.all })),
      ],
    });
    tableSays.textContent = !size ? (state.diverged ? "" : words.tableEmpty) : batch.reduction === "mean" ? words.tableMean(size) : words.tableSum;
    table.hidden = !size;
    table.update({ names: fixed.parameters, units: fixed.units, weights: state.weights, batch }, chosen);
    figures.update.textContent = state.update;
    figures.epoch.textContent = state.epoch.toFixed(state.epoch < 100 ? 2 : 0);
    figures.loss.textContent = state.loss.toPrecision(4);
    figures.right.textContent = words.rightOf(Math.round(state.accuracy * SAMPLES), SAMPLES);
    figures.pace.textContent = pace();
    drawGraph();
  }

  /** Updates of the last second. */
  function pace() {
    const now = performance.now();
    paces = [...paces.filter(([time]) => now - time < 1000), [now, state.update]];
    const [[time, from]] = paces;
    const rate = (state.update - from) / ((now - time) / 1000);
    return player && now > time ? rate.toFixed(rate < 10 ? 1 : 0) : "–";
  }

  /** The graph of the chosen sample, drawn anew once the training has gone on, but not for every picture. */
  async function drawGraph() {
    const before = state.batch.samples.includes(chosen);
    const of = JSON.stringify([chosen, before, before ? state.batch.before : state.weights]);
    const wait = player && graphed.chosen === chosen && performance.now() - graphed.at < GRAPH;
    if (graphed.asking || graphed.of === of || wait) return;
    graphed = { of, chosen, at: performance.now(), asking: true };
    try {
      const sample = await python.call(`${PYTHON}one_sample`, chosen, before);
      if (gone) return;
      graphSays.textContent = words.graphSays(sample) + (sample.before ? words.graphBefore : words.graphNow);
      const shown = element("div", {});
      showOutput(shown, { kind: "svg", svg: sample.svg });
      graph.replaceChildren(...shown.children);
    } catch (error) {
      fail(error);
    }
    graphed.asking = false;
    schedule();
  }

  function choose(k, scroll = false) {
    if (!Number.isInteger(k) || k < 0 || k >= SAMPLES) return;
    chosen = k;
    number.value = k;
    schedule();
    if (scroll) graph.parentElement.scrollIntoView({ block: "nearest" });
  }

  function warn() {
    const text = failed || state?.warning || "";
    if (warning.textContent !== text) warning.textContent = text;
    warning.hidden = !text;
  }

  /** What can be pressed, and what is written on it. */
  function update() {
    play.textContent = player ? words.pause : words.play;
  }

  function keepCurve() {
    if (state?.update) earlier = [{ settings, curve: state.curve }, ...earlier].slice(0, EARLIER);
  }

  /** In which settings a training of before differs from this one. */
  function differs(then) {
    const names = Object.keys(DEFAULTS).filter((name) => String(then[name]) !== String(settings[name]));
    return names.map((name) => words.setting[name](then[name])).join(", ");
  }

  /** Write the settings into the address, so that it can be sent to somebody. */
  function remember() {
    last = settings;
    if (gone) return; // the address is another part's by now
    const changed = toAddress(settings);
    history.replaceState(null, "", `#playground${changed && "/"}${changed}`);
  }

  // ---- parts of the page ----

  function options(name, names, value, onchange) {
    const made = Object.entries(names).map(([key, text]) => element("option", { value: key }, text));
    const select = element("select", { name, onchange }, ...made);
    select.value = value;
    return {
      label: element("label", {}, words[name], " ", select),
      get value() {
        return select.value;
      },
      set value(next) {
        select.value = next;
      },
    };
  }

  /** Buttons for things to try; one shows its question, with a button for each training that it compares. */
  function presets() {
    return words.presets.map((preset) => element("button", { type: "button", onclick: () => tryOut(preset) }, preset.name));
  }

  function tryOut(preset) {
    const runs = preset.runs.map((one) =>
      element("button", { type: "button", onclick: () => setUp(preset, one).then(start) }, `${words.play}: ${one.name}`),
    );
    question.replaceChildren(element("p", {}, preset.question), element("div", { className: "presets" }, ...runs));
    setUp(preset, preset.runs[0]).then(() => {
      earlier = [];
      schedule();
    });
  }

  function setUp(preset, one) {
    turned = { ...DEFAULTS, ...one.settings };
    axis.value = preset.axis ?? "updates";
    speed.value = one.speed ?? "fast";
    form.show(turned);
    return begin();
  }
}
