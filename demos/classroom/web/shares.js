// The table of a batch: a row for each parameter, a column for each sample's share of its gradient, and their sum.

import { element } from "./dom.js";
import { texts } from "./texts.js";

const words = texts.playground;
const TALLEST = 620; // pixels that all rows together should not exceed, if that leaves rows of SMALLEST
const [SMALLEST, LARGEST] = [5, 24]; // pixels of a row
const LETTERS = 14; // pixels
const NUMBER = 64; // pixels that a number takes
const NAMES = `17px system-ui, "Segoe UI", "DejaVu Sans", sans-serif`;
const FONT = `${LETTERS}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;

/**
 * A table on a canvas, for thousands of numbers that change many times a second. `update({names, units, weights, batch})`
 * draws it; `batch` is as classroom/playground.py has it. A column that is clicked, or Enter in one, sends the event
 * "choose" with the sample's number. What the pointer or the cursor is at is told in a line below.
 */
export function sharesTable() {
  const canvas = element("canvas", { tabIndex: 0, role: "application" });
  const said = element("p", { className: "said", role: "status" }, words.hint);
  const place = element("div", { className: "shares" }, canvas);
  const whole = element("div", {}, place, said);
  let shown = null;
  let at = null; // the cell that is told of: {row, column}
  let chosen; // the number of a sample
  let grid; // where what is

  new ResizeObserver(draw).observe(place);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  canvas.addEventListener("pointermove", (event) => point(cellAt(event)));
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("click", (event) => choose(cellAt(event)));
  canvas.addEventListener("keydown", move);
  canvas.addEventListener("blur", () => point(null));

  whole.update = (next, sample) => {
    shown = next;
    chosen = sample;
    draw();
  };
  return whole;

  function draw() {
    const width = place.clientWidth;
    if (!shown || !width) return;
    grid = layout(shown, width);
    const scale = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * scale), Math.round(grid.height * scale)];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    Object.assign(canvas.style, { width: `${width}px`, height: `${grid.height}px` });
    canvas.setAttribute("aria-label", words.tableLabel(shown.names.length, shown.batch.samples.length));
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, grid.height);
    paint(pen, grid, shown, chosen, at);
    if (at) said.textContent = tell(shown, grid, at);
  }

  function point(cell) {
    if (cell?.row === at?.row && cell?.column === at?.column) return;
    at = cell;
    if (!at) said.textContent = words.hint;
    draw();
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const column = grid?.columns.findIndex(({ left, width }) => x >= left && x < left + width) ?? -1;
    const row = Math.floor((y - grid?.top) / grid?.row);
    return column < 0 || row >= shown.names.length ? null : { row: Math.max(row, 0), column };
  }

  function choose(cell) {
    const sample = cell && grid.columns[cell.column].sample;
    if (sample !== null && sample !== undefined) whole.dispatchEvent(new CustomEvent("choose", { detail: sample }));
  }

  function move(event) {
    if (!grid) return;
    const [columns, rows] = [grid.columns.length, shown.names.length];
    const from = at ?? { row: 0, column: 0 };
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -columns], End: [0, columns] };
    if (event.key === "Enter") choose(from);
    else if (event.key in steps) {
      const [down, right] = at ? steps[event.key] : [0, 0];
      point({ row: Math.min(Math.max(from.row + down, 0), rows - 1), column: Math.min(Math.max(from.column + right, 0), columns - 1) });
    } else return;
    event.preventDefault();
  }
}

/** Where the rows and columns are: names, samples, sum, and where there is room the change of the weight, and the weight. */
function layout({ names, batch }, width) {
  const rows = names.length;
  const row = Math.min(Math.max(Math.floor(TALLEST / rows), SMALLEST), LARGEST);
  const named = row >= LETTERS + 2;
  const label = named ? 64 : width < 600 ? 44 : 118;
  const samples = batch.samples.length;
  const room = width - label - 2;
  const ends = named && room > 3 * NUMBER + samples * 12 + 60 ? ["total", "change", "weight"] : ["total"];
  const end = ends.length > 1 ? NUMBER + 6 : Math.max(24, Math.min(NUMBER + 6, room / 6));
  const pitch = (room - ends.length * (end + 16)) / samples; // of a column with the gap before the next one
  const gap = pitch >= NUMBER + 16 ? 16 : pitch >= 38 ? 12 : pitch >= 8 ? 2 : pitch >= 4 ? 1 : 0;
  const each = Math.min(pitch - gap, 96);
  const columns = batch.samples.map((sample, i) => ({ kind: "share", sample, i, left: label + i * (each + gap), width: each }));
  let x = label + samples * (each + gap) + 16 - gap;
  for (const kind of ends) {
    columns.push({ kind, sample: null, left: x, width: end });
    x += end + 16;
  }
  return { row, rows, named, label, gap, columns, top: 30, height: 30 + rows * row + 4, numbers: each >= NUMBER && row >= LETTERS + 2 };
}

function paint(pen, grid, { names, units, weights, batch }, chosen, at) {
  const css = getComputedStyle(document.documentElement);
  const colour = Object.fromEntries(["ink", "quiet", "paper", "line", "data", "gradient", "mark"].map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
  const { shares, gradient, before, finished } = batch;
  const complete = shares.length > 0 && shares.length === batch.samples.length;
  const most = Math.max(...shares.map(largest), largest(gradient), 1e-300);
  const y = (i) => grid.top + i * grid.row;
  pen.font = FONT;
  pen.textBaseline = "middle";

  // What stands on the left: the parameters, or where rows are thin, the units that they belong to.
  let first = 0;
  units.forEach((unit, k) => {
    const middle = y(first) + (unit.parameters * grid.row) / 2;
    pen.fillStyle = colour.quiet;
    pen.textAlign = "left";
    if (!grid.named && unit.parameters * grid.row >= LETTERS) pen.fillText(grid.label < 60 ? unitNumber(unit.name) : unit.name, 0, middle);
    first += unit.parameters;
    pen.fillStyle = colour.line;
    if (k < units.length - 1) pen.fillRect(0, y(first) - 0.5, grid.columns.at(-1).left + grid.columns.at(-1).width, 1);
  });
  pen.fillStyle = colour.ink;
  pen.font = NAMES;
  if (grid.named) names.forEach((name, i) => pen.fillText(name, 0, y(i) + grid.row / 2));

  pen.font = FONT;
  pen.textAlign = "center";
  if (grid.columns[0].width < 20) {
    const last = grid.columns[batch.samples.length - 1];
    pen.fillText(words.samples(batch.samples.length), (grid.label + last.left + last.width) / 2, 14);
  }
  grid.columns.forEach((column, c) => {
    const { kind, left, width, i, sample } = column;
    const middle = left + width / 2;
    const newest = kind === "share" ? !complete && i === shares.length - 1 : false;
    const told = { share: width >= 20 ? String(sample) : "", total: width < 44 ? "Σ" : complete ? words.total : words.totalSoFar, change: words.change, weight: words.weight };
    pen.fillStyle = kind === "share" && sample === chosen ? colour.mark : colour.ink;
    pen.font = `${newest || (kind === "total" && complete) ? "700 " : ""}${FONT}`;
    pen.fillText(told[kind], middle, 14);
    const sign = kind === "share" ? (i ? "+" : "") : { total: "=", change: "→", weight: "" }[kind];
    const signAt = left - (kind === "share" ? grid.gap : 16) / 2;
    pen.fillStyle = colour.quiet;
    if (sign && (kind !== "share" || grid.gap >= 12)) pen.fillText(sign, signAt, 14);
    const numbers = { share: shares[i], total: shares.length ? gradient : null, change: finished && shares.length ? weights.map((w, k) => w - before[k]) : null, weight: weights }[kind];
    const coloured = kind === "share" || kind === "total";
    names.forEach((_, k) => {
      const x = numbers?.[k];
      const [top, high] = [y(k), grid.row - (grid.row > 8 ? 1 : 0)];
      if (x === undefined) {
        if (kind === "share") {
          pen.strokeStyle = colour.line;
          pen.setLineDash([2, 3]);
          if (width > 8 && grid.row > 8) pen.strokeRect(left + 0.5, top + 0.5, width - 1, high - 1);
          pen.setLineDash([]);
        }
        return;
      }
      if (coloured) {
        pen.globalAlpha = 0.75 * Math.sqrt(Math.abs(x) / most);
        pen.fillStyle = x > 0 ? colour.gradient : colour.data;
        pen.fillRect(left, top, width, high);
        pen.globalAlpha = 1;
      }
      if (width >= NUMBER && grid.named && (kind !== "share" || grid.numbers)) {
        pen.font = `${kind === "total" && complete ? "700 " : ""}${FONT}`;
        pen.fillStyle = kind === "weight" ? colour.data : colour.ink;
        pen.fillText(brief(x), middle, top + high / 2 + 0.5);
        pen.fillStyle = colour.quiet;
        if (sign && (kind !== "share" || grid.gap >= 12)) pen.fillText(sign, signAt, top + high / 2);
      }
    });
    const tall = grid.rows * grid.row;
    if (newest || (kind === "share" && sample === chosen)) {
      pen.strokeStyle = newest ? colour.ink : colour.mark;
      pen.lineWidth = 2;
      pen.strokeRect(left - 1, grid.top - 1, width + 2, tall + 1);
      pen.lineWidth = 1;
    }
    if (at?.column === c) {
      pen.strokeStyle = colour.mark;
      pen.lineWidth = 3;
      pen.strokeRect(left + 1, y(at.row) + 1, Math.max(width - 2, 3), Math.max(grid.row - 2, 3));
      pen.lineWidth = 1;
    }
  });
}

/** What a cell says, in a sentence. */
function tell({ names, weights, batch }, grid, { row, column }) {
  const { kind, i, sample } = grid.columns[column] ?? {};
  const [name, says] = [names[row], words.cell];
  if (kind === "share") return batch.shares[i] ? says.share(sample, name, digits(batch.shares[i][row])) : says.notYet(sample);
  if (kind === "total") return says.total(name, digits(batch.gradient[row]), batch.shares.length);
  if (kind === "change") return batch.finished ? says.change(name, digits(weights[row] - batch.before[row])) : says.unchanged(name);
  return kind ? says.weight(name, digits(weights[row])) : words.hint;
}

function largest(numbers) {
  return numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

/** Seven letters at most. */
function brief(x) {
  const size = Math.abs(x);
  const text = size < 10 ? x.toFixed(4) : size < 1000 ? x.toFixed(2) : x.toExponential(0);
  return Number(text) ? text.replace("-", "−") : "0";
}

/** As micrograd's pictures write numbers: four digits that count. */
export function digits(x) {
  return String(Number(x.toPrecision(4))).replace("-", "−");
}

function unitNumber(name) {
  return name.match(/\d+/g).join("/");
}
