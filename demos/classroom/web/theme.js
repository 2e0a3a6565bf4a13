// Light or dark: as the system has it, or as the learner chose.

import { element } from "./dom.js";
import { texts } from "./texts.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** A select for the colours; the choice is kept in `store`. The page's root has data-theme="light" or "dark". */
export function themeSwitch(store) {
  const names = ["auto", "light", "dark"];
  const options = names.map((value) => element("option", { value }, texts.theme[value]));
  const choice = element("select", { onchange: choose }, ...options);
  choice.value = store.get("theme", "auto");
  dark.addEventListener("change", apply);
  apply();

  function choose() {
    store.set("theme", choice.value);
    apply();
  }

  function apply() {
    const system = dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = choice.value === "auto" ? system : choice.value;
  }

  return element("label", { className: "theme" }, texts.theme.label, " ", choice);
}
