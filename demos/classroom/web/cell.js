// A cell: an editor, buttons, and what its code shows.

import { element } from "./dom.js";
import { editor } from "./editor.js";
import { showOutput } from "./output.js";
import { texts } from "./texts.js";

/**
 * A cell at the end of `parent`. Code that the learner changed is kept in `store` under `key`. `name` stands in
 * tracebacks, `label` is for screen readers. `before` is awaited before the code runs; an error's text that it returns
 * is shown in place of running. `after` gets {outputs, error}.
 */
export function cell(parent, { python, store, key, code, name, label, before, after }) {
  const output = element("div", { className: "output", role: "region", "aria-live": "polite", "aria-label": `${label}: ${texts.cell.output}` });
  const said = element("p", { className: "said", role: "status" });
  const run = element("button", { type: "button", className: "primary", title: texts.cell.runHint, onclick: start }, texts.cell.run);
  const stop = element("button", { type: "button", hidden: true, onclick: () => python.stop() }, texts.python.stop);
  const reset = element("button", { type: "button", title: texts.cell.resetHint, onclick: asItWas }, texts.cell.reset);
  const place = element("div", { className: "editor" });
  const whole = element("section", { className: "cell", "aria-label": label }, place, element("div", { className: "buttons" }, run, stop, reset, said), output);
  parent.append(whole);

  const text = editor(place, { code: store.get(key, code), label, onRun: start, onChange: keep });
  keep(text.code);

  function keep(now) {
    const changed = now !== code;
    store.set(key, changed ? now : undefined);
    reset.hidden = !changed;
  }

  function asItWas() {
    text.code = code;
    text.focus();
  }

  async function start() {
    if (whole.dataset.state === "running") return;
    whole.dataset.state = "running";
    const timer = setTimeout(() => (said.textContent = texts.cell.running), 300);
    stop.hidden = false;
    let fresh = true;
    const clear = () => {
      if (fresh) output.replaceChildren();
      fresh = false;
    };
    const onOutput = (one) => {
      clear();
      showOutput(output, one);
    };
    let result;
    try {
      const error = await before?.();
      result = error ? { outputs: [], error } : await python.run(text.code, { name, onOutput });
    } catch (error) {
      result = { outputs: [], error: error.message };
    }
    clearTimeout(timer);
    clear();
    if (result.error) output.append(element("pre", { className: "error" }, result.error));
    said.textContent = result.error || result.outputs.length ? "" : texts.cell.nothing;
    stop.hidden = true;
    whole.dataset.state = result.error ? "error" : "done";
    after?.(result);
  }

  return {
    run: start,
    get code() {
      return text.code;
    },
    destroy() {
      text.destroy();
      whole.remove();
    },
  };
}
