// What a cell shows: text, formulas, pictures, pages, charts.

import DOMPurify from "dompurify";

import { figure } from "./charts.js";
import { element } from "./dom.js";
import { texts } from "./texts.js";

const SHOWN = {
  text: showText,
  svg: showPicture,
  html: showPage,
  math: showFormula,
  chart: showChart,
};

/** Append one output to `place`; `{kind: "text", text}`, `{kind: "svg", svg}`, `{kind: "html", html}`, … */
export function showOutput(place, output) {
  SHOWN[output.kind](place, output);
}

function showText(place, { text }) {
  let last = place.lastElementChild;
  if (last?.className !== "text") {
    last = element("pre", { className: "text" });
    place.append(last);
  }
  last.append(text);
}

/** A graph of Values. Its letters stay readable: what is wider than its place scrolls sideways. */
function showPicture(place, { svg }) {
  const clean = DOMPurify.sanitize(svg, { USE_PROFILES: { svg: true, svgFilters: true }, RETURN_DOM_FRAGMENT: true });
  const picture = clean.querySelector("svg");
  if (!picture) return;
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", texts.output.picture);
  const box = element("div", { className: "picture", tabIndex: 0, role: "region", "aria-label": texts.output.picture }, picture);
  place.append(box);
  const width = picture.width.baseVal.value; // as it was laid out, before it is fitted into its place
  picture.style.width = `calc(${width}px * var(--enlarged))`;
  box.classList.toggle("wide", width > box.clientWidth);
}

function showChart(place, { spec, text }) {
  const chart = figure(spec);
  chart.setAttribute("aria-label", text);
  place.append(chart);
}

async function showFormula(place, { latex, text }) {
  const here = element("div", { className: "formula" }, element("pre", { className: "text" }, text));
  place.append(here);
  const { default: katex } = await import("katex");
  here.innerHTML = DOMPurify.sanitize(katex.renderToString(latex, { displayMode: true, throwOnError: false }), {
    USE_PROFILES: { html: true, svg: true, mathMl: true },
    ADD_TAGS: ["semantics", "annotation"],
  });
}

// Inside a page's frame: tells the height of its content whenever that changes.
const MEASURE = `
  const tell = () => parent.postMessage({ height: document.documentElement.scrollHeight }, "*");
  addEventListener("load", () => { tell(); new ResizeObserver(tell).observe(document.body); });
  addEventListener("resize", tell);`;

/** HTML in a frame that has no access to this page. The frame is as high as its content. */
function showPage(place, { html }) {
  const page = new DOMParser().parseFromString(html, "text/html");
  page.head.prepend(element("script", {}, MEASURE));
  for (const script of page.querySelectorAll("script")) script.setAttribute("nonce", "frame"); // as index.html allows
  const frame = element("iframe", { className: "page", title: texts.output.frame, srcdoc: `<!doctype html>${page.documentElement.outerHTML}` });
  frame.sandbox = "allow-scripts";
  let width = 0;
  const listen = ({ source, data }) => {
    if (!frame.isConnected) removeEventListener("message", listen);
    else if (source === frame.contentWindow && data.height > 0) frame.style.height = `${Math.min(data.height, 20000)}px`;
  };
  const resized = new ResizeObserver(() => {
    if (frame.clientWidth !== width) frame.style.height = ""; // content is never less high than its frame: begin anew
    width = frame.clientWidth;
  });
  addEventListener("message", listen);
  resized.observe(frame);
  place.append(frame);
}
