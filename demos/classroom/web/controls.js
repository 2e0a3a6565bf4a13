// The playground's controls, and the settings in the address.

import shared from "../python/classroom/playground.json";

import { element } from "./dom.js";
import { texts } from "./texts.js";

// What classroom/playground.py begins with, and how far it goes.
const { live, fresh, widest: WIDEST, deepest: DEEPEST } = shared;
export const SAMPLES = shared.samples;
export const DEFAULTS = { ...live, ...fresh };
export const FRESH = Object.keys(fresh); // changing one of these starts a new training
const RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

const words = texts.playground;

/** What differs from the defaults, as the end of an address: "batch=1&hidden=3-2". */
export function toAddress(settings) {
  const changed = Object.keys(DEFAULTS).filter((name) => String(settings[name]) !== String(DEFAULTS[name]));
  return changed.map((name) => `${name}=${name === "hidden" ? settings.hidden.join("-") : settings[name]}`).join("&");
}

/** The settings that an address holds; whether they are possible, Python says. */
export function fromAddress(text) {
  const settings = {};
  for (const [name, value] of new URLSearchParams(text)) {
    if (name === "hidden") settings.hidden = value ? value.split("-").map(Number) : [];
    else settings[name] = typeof DEFAULTS[name] === "number" ? Number(value) : value;
  }
  return settings;
}

/**
 * A form with all controls. `onChange` gets what was turned, such as {batch: 5}. It has `show(settings)`.
 */
export function controls(onChange) {
  const shows = []; // what each control does to show the settings
  let now = DEFAULTS;
  let rates = RATES;

  const batch = slider("batch", words.batch, { min: 1, max: SAMPLES, step: 1 }, (value) => words.batchIs(value, SAMPLES));
  const noise = slider("noise", words.noise, { min: 0, max: 0.5, step: 0.05 });
  const layers = choice("hidden", words.layers, Object.fromEntries(Array.from({ length: DEEPEST + 1 }, (_, n) => [n, n])), {
    toText: (hidden) => hidden.length,
    fromText: (text) => Array.from({ length: Number(text) }, (_, i) => now.hidden[i] ?? 4),
  });
  const form = element(
    "form",
    { className: "controls", onsubmit: (event) => event.preventDefault() },
    group(words.live, words.liveHint, batch, rate(), reduction(), choice("optimizer", words.optimizer, words.optimizers)),
    group(
      words.fresh,
      words.freshHint,
      choice("data", words.data, words.dataSets),
      noise,
      layers,
      ...Array.from({ length: DEEPEST }, (_, i) => units(i)),
      choice("activation", words.activation, words.activations),
      number(words.seed, { min: 0, max: 999999 }, ({ seed }) => seed, (value) => ({ seed: value })),
    ),
  );
  form.show = show;
  return form;

  function show(settings) {
    now = settings;
    for (const one of shows) one(settings);
  }

  /** How many units the hidden layer number i has, if there is one. */
  function units(i) {
    const label = number(words.units(i + 1), { min: 1, max: WIDEST }, ({ hidden }) => hidden[i] ?? 1, change);
    shows.push(({ hidden }) => (label.hidden = i >= hidden.length));
    function change(value) {
      return { hidden: now.hidden.map((width, layer) => (layer === i ? value : width)) };
    }
    return label;
  }

  function slider(name, label, range, explain = () => "") {
    const [said, small] = [element("output", {}), element("small", {})];
    const input = element("input", { type: "range", name, ...range, oninput: () => onChange({ [name]: Number(input.value) }) });
    shows.push((settings) => {
      input.value = settings[name];
      said.textContent = settings[name];
      small.textContent = explain(settings[name]);
    });
    return element("label", {}, element("span", {}, label, " ", said), small, input);
  }

  /** The learning rate moves over a list of numbers, each about three times the one before. */
  function rate() {
    const said = element("output", {});
    const input = element("input", { type: "range", name: "rate", min: 0, step: 1, oninput: () => onChange({ rate: rates[input.value] }) });
    shows.push((settings) => {
      rates = [...new Set([...RATES, settings.rate])].sort((a, b) => a - b); // an address may hold one that is not there
      input.max = rates.length - 1;
      input.value = rates.indexOf(settings.rate);
      said.textContent = settings.rate;
      input.setAttribute("aria-valuetext", settings.rate);
    });
    return element("label", {}, element("span", {}, words.rate, " ", said), input);
  }

  function reduction() {
    const buttons = Object.entries(words.reductions).map(([value, text]) => {
      const input = element("input", { type: "radio", name: "reduction", value, onchange: () => onChange({ reduction: value }) });
      shows.push((settings) => (input.checked = settings.reduction === value));
      return element("label", {}, input, " ", text);
    });
    const legend = element("span", {}, words.reduction);
    return element("div", { className: "radios", role: "radiogroup", "aria-label": words.reduction }, legend, ...buttons);
  }

  function choice(name, label, options, { toText = String, fromText = String } = {}) {
    const made = Object.entries(options).map(([value, text]) => element("option", { value }, String(text)));
    const select = element("select", { name, onchange: () => onChange({ [name]: fromText(select.value) }) }, ...made);
    shows.push((settings) => (select.value = toText(settings[name])));
    return element("label", {}, element("span", {}, label), select);
  }

  function number(label, range, read, change) {
    const input = element("input", {
      type: "number",
      ...range,
      step: 1,
      onchange: () => (input.checkValidity() && input.value ? onChange(change(Number(input.value))) : show(now)),
    });
    shows.push((settings) => (input.value = read(settings)));
    return element("label", {}, element("span", {}, label), input);
  }
}

function group(title, hint, ...members) {
  return element("fieldset", {}, element("legend", {}, title, " ", element("small", {}, hint)), ...members);
}
