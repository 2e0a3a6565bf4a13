/**
 * Charts: loss curves, and the plane with its samples and what a network says of it.
 *
 * `figure(spec)` returns a <figure> that fills the width of its place. It has `update(spec)`, which draws something else
 * in it, and sends the event "choose" when a sample of a boundary is clicked; `event.detail` is the sample's number.
 *
 * Colours are the CSS variables --data, --gradient, --good, --ink, --paper and --line.
 *
 * @typedef {{kind: "curves", title: string, xlabel: string, ylabel: string, log?: boolean, square?: boolean,
 *            curves: Curve[]}} Curves
 * @typedef {{name: string, x: number[], y: number[], faint?: boolean}} Curve   `faint`: a thin line
 * @typedef {{kind: "boundary", title: string, low: number[], high: number[], scores: number[][],
 *            samples: number[][], chosen?: number, batch?: number[], square?: boolean}} Boundary
 *   `scores` has a row for each x₂ from low to high, in it a number for each x₁; a sample is [x₁, x₂, y], y = ±1;
 *   a ring is drawn around the one that is chosen, and a thin one around those in `batch`.
 *   `square`: as high as it is wide; else it is lower.
 */

import { axisX, axisY, contour, dot, line, plot, ruleY } from "@observablehq/plot";

import { texts } from "./texts.js";

// Apart in colour, in lightness, and each with a line of its own, as in demos/plots.py.
const STYLES = [
  { stroke: "var(--data)", strokeWidth: 2.5, strokeDasharray: "none" },
  { stroke: "var(--gradient)", strokeWidth: 2.5, strokeDasharray: "7 4" },
  { stroke: "var(--good)", strokeWidth: 2.5, strokeDasharray: "9 3 2 3" },
  { stroke: "var(--ink)", strokeWidth: 2.5, strokeDasharray: "2 3" },
];
const FAINT = { strokeWidth: 1, strokeDasharray: "none", strokeOpacity: 0.6 };
const CLASSES = [
  { y: 1, name: texts.charts.positive, fill: "var(--data)", symbol: "circle" },
  { y: -1, name: texts.charts.negative, fill: "var(--gradient)", symbol: "square" },
];
const shade = (name, share) => `color-mix(in srgb, var(--${name}) ${share}%, var(--paper))`;
const SHADES = new Map([
  // The score from which on a region has this colour.
  [-Number.MAX_VALUE, shade("gradient", 34)],
  [-3, shade("gradient", 24)],
  [-1, shade("gradient", 13)],
  [0, shade("data", 13)],
  [1, shade("data", 24)],
  [3, shade("data", 34)],
]);
const MARGINS = { marginLeft: 56, marginRight: 14, marginTop: 28, marginBottom: 46 }; // pixels, for what stands at the axes
const NEAR = 24; // pixels from a sample within which a click chooses it

const kinds = { curves: drawCurves, boundary: drawBoundary };

/**
 * @param {Curves | Boundary} spec
 * @returns {HTMLElement & {update: (spec: Curves | Boundary) => void}}
 */
export function figure(spec) {
  const element = document.createElement("figure");
  const title = element.appendChild(document.createElement("figcaption"));
  const legend = element.appendChild(document.createElement("p"));
  const place = element.appendChild(document.createElement("div"));
  let width = 0;
  element.className = "chart";
  legend.className = "chart-legend";
  Object.assign(element.style, { margin: 0 });
  Object.assign(title.style, { fontWeight: 600 });
  Object.assign(legend.style, { display: "flex", flexWrap: "wrap", gap: "0 1.2em", margin: "0 0 0.4em", fontSize: "16px" });

  function draw() {
    if (!width) return; // it is not on the page yet
    const { svg, entries, label } = kinds[spec.kind](spec, width);
    for (const part of svg.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label"); // an image has no parts
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${spec.title}. ${label}`);
    title.textContent = spec.title;
    const listed = JSON.stringify(entries);
    if (legend.dataset.listed !== listed) legend.replaceChildren(...entries.map(legendEntry));
    legend.dataset.listed = listed;
    place.replaceChildren(svg);
  }

  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    draw();
  }).observe(place);
  place.addEventListener("click", (event) => {
    const k = spec.kind === "boundary" ? nearest(event, place.firstChild, spec.samples) : null;
    if (k !== null) element.dispatchEvent(new CustomEvent("choose", { detail: k }));
  });
  element.update = (next) => {
    spec = next;
    draw();
  };
  return element;
}

/** @param {Curves} spec */
function drawCurves(spec, width) {
  const shown = spec.curves.map((curve, i) => ({
    name: curve.name,
    points: points(curve, spec),
    ...(curve.faint ? { ...STYLES[i % STYLES.length], ...FAINT } : STYLES[i % STYLES.length]),
  }));
  const svg = plot({
    ...frame(width, spec.square ? squareHeight(width) : Math.round(Math.min(width * 0.7, 420))),
    x: { domain: extent(shown) },
    y: { type: spec.log ? "log" : "linear", nice: true },
    marks: [
      axisX({ ticks: Math.max(3, width / 110), label: spec.xlabel, labelAnchor: "center" }),
      axisY({ ticks: 5, tickFormat: brief, label: spec.ylabel }),
      spec.log ? null : ruleY([0], { stroke: "var(--line)" }),
      ...shown.map(({ points, ...style }) => line(points, { x: "0", y: "1", ...style })).reverse(), // the first on top
    ],
  });
  const label = shown.map(({ name, points }) =>
    points.length ? texts.charts.curve(name, points[0].map(brief), points.at(-1).map(brief)) : name,
  );
  const entries = shown.map(({ points, ...entry }) => entry);
  return { svg, entries, label: `${texts.charts.axes(spec.xlabel, spec.ylabel)}. ${label.join("; ")}` };
}

/** The points of a curve that can be drawn: where there is a number, and on a logarithmic axis one above 0. */
function points(curve, spec) {
  const pairs = Array.from(curve.x, (x, i) => [x, curve.y[i]]);
  return pairs.filter(([, y]) => Number.isFinite(y) && (!spec.log || y > 0));
}

/** From the first x of all curves to the last, which is another one, so that there is an axis for a single point too. */
function extent(shown) {
  const all = shown.flatMap(({ points }) => (points.length ? [points[0][0], points.at(-1)[0]] : []));
  const low = all.length ? Math.min(...all) : 0;
  return [low, Math.max(low + 1, ...all)];
}

/** @param {Boundary} spec */
function drawBoundary(spec, width) {
  const { low, high, scores, samples } = spec;
  const across = high[0] - low[0];
  const inner = width - MARGINS.marginLeft - MARGINS.marginRight;
  const same = (inner * (high[1] - low[1])) / across; // the height where both axes have the same scale
  const lower = squareHeight(width) - inner + Math.min(Math.max(same, 0.7 * inner), inner);
  const svg = plot({
    ...frame(width, spec.square ? squareHeight(width) : Math.round(lower)),
    x: { domain: [low[0], high[0]] },
    y: { domain: [low[1], high[1]] },
    marks: [
      ...regions(low, high, scores),
      axisX({ ticks: 5, label: "x₁", labelAnchor: "center" }),
      axisY({ ticks: 5, label: "x₂" }),
      ...CLASSES.map(({ y, fill, symbol }) =>
        dot(samples, {
          filter: (sample) => sample[2] === y,
          x: "0",
          y: "1",
          fill,
          symbol,
          r: 5,
          stroke: "var(--paper)",
          strokeWidth: 1,
        }),
      ),
      rings(spec.batch?.map((k) => samples[k]) ?? [], 8, 1.5),
      rings(spec.chosen === undefined ? [] : [samples[spec.chosen]], 12, 3),
    ],
  });
  const counts = CLASSES.map(({ y }) => samples.filter((sample) => sample[2] === y).length);
  return { svg, entries: CLASSES, label: texts.charts.plane(...counts) };
}

/** Where the score is positive and where it is negative, the darker the surer, and the line between. */
function regions(low, high, scores) {
  const [rows, columns] = [scores.length, scores[0]?.length ?? 0];
  if (!rows || !columns) return [];
  // A number of the grid stands for the middle of its cell, so the cells reach beyond the outer points by half of one.
  const half = [0, 1].map((i) => (high[i] - low[i]) / ((i ? rows : columns) - 1) / 2);
  const cells = {
    width: columns,
    height: rows,
    x1: low[0] - half[0],
    x2: high[0] + half[0],
    y1: low[1] - half[1],
    y2: high[1] + half[1],
    value: (score) => score,
    interpolate: null, // the scores are a grid already
    clip: true,
  };
  const flat = scores.flat();
  return [
    contour(flat, { ...cells, thresholds: [...SHADES.keys()], fill: ({ value }) => SHADES.get(value), stroke: "none" }),
    contour(flat, { ...cells, thresholds: [0], stroke: "var(--ink)", strokeWidth: 2 }),
  ];
}

function rings(samples, r, strokeWidth) {
  return dot(samples, { x: "0", y: "1", r, strokeWidth, stroke: "var(--ink)", fill: "none" });
}

/** The height at which the plane between the axes is a square. */
function squareHeight(width) {
  const { marginLeft, marginRight, marginTop, marginBottom } = MARGINS;
  return width - marginLeft - marginRight + marginTop + marginBottom;
}

function frame(width, height) {
  return {
    width,
    height,
    ...MARGINS,
    style: { fontSize: "14px", color: "var(--ink)", background: "none", overflow: "visible" },
  };
}

/** One entry of a legend: the mark that is in the chart, and its name. */
function legendEntry({ name, symbol, fill, stroke, strokeWidth, strokeDasharray }) {
  const span = document.createElement("span");
  const marks = {
    circle: `<circle cx="8" cy="8" r="6" fill="${fill}"/>`,
    square: `<rect x="3" y="3" width="10" height="10" fill="${fill}"/>`,
    undefined: `<line x2="34" y1="8" y2="8" stroke="${stroke}" stroke-width="${strokeWidth}"
                      stroke-dasharray="${strokeDasharray}"/>`,
  };
  span.innerHTML = `<svg width="${symbol ? 16 : 34}" height="16" aria-hidden="true">${marks[symbol]}</svg>`;
  span.append(` ${name}`);
  return span;
}

/** The number of the sample that a click is at, or null. */
function nearest(event, svg, samples) {
  const box = svg.getBoundingClientRect();
  const [x, y] = [svg.scale("x"), svg.scale("y")];
  const far = samples.map(([x1, x2]) =>
    Math.hypot(x.apply(x1) - (event.clientX - box.left), y.apply(x2) - (event.clientY - box.top)),
  );
  const least = Math.min(...far);
  return least <= NEAR ? far.indexOf(least) : null;
}

/** A number with three digits that count. */
function brief(x) {
  return (Math.abs(x) < 1e5 ? String(Number(x.toPrecision(3))) : x.toExponential(0)).replace("-", "−");
}
