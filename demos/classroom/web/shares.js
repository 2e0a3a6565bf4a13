// The table of a batch: a row for each parameter, a column for each sample's share of its gradient, and their sum.

import { element } from "./dom.js";
import { texts } from "./texts.js";

const words = texts.playground;
// All in pixels.
const TALLEST = 620; // what the rows together should not exceed, if that leaves rows of SMALLEST
const [SMALLEST, LARGEST] = [5, 24]; // heights of a row
const WIDEST = 96; // width of a sample's column
const LETTERS = 14;
const NUMBER = 64; // the width of a number in figures
const HEAD = 20; // the width of a sample's number
const SIGN = 16; // the room for a sign between columns
const FONT = `${LETTERS}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
const BOLD = `700 ${FONT}`;
const NAMES = `17px system-ui, "Segoe UI", "DejaVu Sans", sans-serif`;

/**
 * A table on a canvas, for thousands of numbers that change many times a second. `update({names, units, weights, batch})`
 * draws it; `batch` is as classroom/playground.py has it. A column that is clicked, or Enter in one, sends the event
 * "choose" with the sample's number. What the pointer or the cursor is at is told in a line below. `destroy()` lets go
 * of the page.
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
  const themes = new MutationObserver(draw);
  themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  canvas.addEventListener("pointermove", (event) => point(cellAt(event)));
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("click", (event) => choose(cellAt(event)));
  canvas.addEventListener("keydown", move);
  canvas.addEventListener("blur", () => point(null));

  whole.update = (next, sample) => {
    shown = next;
    chosen = sample;
    said.ariaLive = "off"; // a screen reader would read every number that passes
    draw();
  };
  whole.destroy = () => themes.disconnect();
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
    said.ariaLive = "polite";
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

/**
 * Where the rows and columns are: names, samples, sum, and where there is room the change of the weight, and the weight.
 * A column knows the sign before it, and whether there is room for figures.
 */
function layout({ names, batch }, width) {
  const rows = names.length;
  const row = Math.min(Math.max(Math.floor(TALLEST / rows), SMALLEST), LARGEST);
  const named = row >= LETTERS + 2;
  const label = named ? 64 : width < 600 ? 44 : 118;
  const samples = batch.samples.length;
  const room = width - label - 2;
  const ends = named && room > 3 * NUMBER + samples * 12 + 60 ? ["total", "change", "weight"] : ["total"];
  const end = ends.length > 1 ? NUMBER + 6 : Math.max(24, Math.min(NUMBER + 6, room / 6));
  const pitch = (room - ends.length * (end + SIGN)) / samples; // of a column with the gap before the next one
  const gap = pitch >= NUMBER + SIGN ? SIGN : pitch >= 38 ? 12 : pitch >= 8 ? 2 : pitch >= 4 ? 1 : 0;
  const each = Math.min(pitch - gap, WIDEST);
  const columns = batch.samples.map((sample, i) => {
    const left = label + i * (each + gap);
    return { kind: "share", sample, i, left, width: each, sign: i && gap >= 12 ? "+" : "", signAt: left - gap / 2 };
  });
  let left = label + samples * (each + gap) - gap + SIGN;
  for (const kind of ends) {
    const sign = { total: "=", change: "→", weight: "" }[kind];
    columns.push({ kind, sample: null, left, width: end, sign, signAt: left - SIGN / 2 });
    left += end + SIGN;
  }
  for (const column of columns) column.figures = named && column.width >= NUMBER;
  return { row, rows, named, label, columns, top: 30, height: 34 + rows * row };
}

function paint(pen, grid, shown, chosen, at) {
  const css = getComputedStyle(document.documentElement);
  const names = ["ink", "quiet", "line", "data", "gradient", "mark"];
  const colour = Object.fromEntries(names.map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
  const { shares, gradient, samples } = shown.batch;
  const complete = shares.length > 0 && shares.length === samples.length;
  const most = Math.max(...shares.map(largest), largest(gradient), 1e-300);
  const look = { ...grid, colour, most, complete, chosen, newest: complete ? -1 : shares.length - 1 };
  pen.textBaseline = "middle";
  paintNames(pen, look, shown);
  pen.textAlign = "center";
  if (grid.columns[0].width < HEAD) {
    const last = grid.columns[samples.length - 1];
    write(pen, words.samples(samples.length), (grid.label + last.left + last.width) / 2, 14, colour.ink);
  }
  for (const column of grid.columns) {
    paintHead(pen, look, column);
    paintNumbers(pen, look, column, numbersOf(column, shown));
  }
  if (at && grid.columns[at.column]) {
    const { left, width } = grid.columns[at.column];
    frame(pen, colour.mark, 3, left + 1, grid.top + at.row * grid.row + 1, Math.max(width - 2, 3), Math.max(grid.row - 2, 3));
  }
}

/** On the left: the parameters, or where rows are thin, the units that they belong to; and a line below each unit. */
function paintNames(pen, { named, label, row, top, columns, colour }, { names, units }) {
  const right = columns.at(-1).left + columns.at(-1).width;
  let y = top;
  pen.textAlign = "left";
  for (const unit of units) {
    const height = unit.parameters * row;
    if (!named && height >= LETTERS) write(pen, label < 60 ? unitNumber(unit.name) : unit.name, 0, y + height / 2, colour.quiet);
    y += height;
    pen.fillStyle = colour.line;
    if (unit !== units.at(-1)) pen.fillRect(0, y - 0.5, right, 1);
  }
  if (named) names.forEach((name, k) => write(pen, name, 0, top + (k + 0.5) * row, colour.ink, NAMES));
}

/** What stands above a column, and the sign before it. */
function paintHead(pen, { colour, complete, chosen, newest, rows, row, top }, { kind, i, sample, left, width, sign, signAt }) {
  const text = {
    share: width >= HEAD ? String(sample) : "",
    total: width < 44 ? "Σ" : complete ? words.total : words.totalSoFar,
    change: words.change,
    weight: words.weight,
  }[kind];
  const [isNewest, isChosen] = [kind === "share" && i === newest, kind === "share" && sample === chosen];
  const bold = isNewest || (kind === "total" && complete);
  write(pen, text, left + width / 2, 14, isChosen ? colour.mark : colour.ink, bold ? BOLD : FONT);
  write(pen, sign, signAt, 14, colour.quiet);
  if (isNewest || isChosen) frame(pen, isNewest ? colour.ink : colour.mark, 2, left - 1, top - 1, width + 2, rows * row + 1);
}

/** The numbers of a column, as colours and, where there is room, in figures; dotted where there are none yet. */
function paintNumbers(pen, look, { kind, left, width, figures, sign, signAt }, numbers) {
  const { colour, most, complete, rows, row, top } = look;
  const high = row - (row > 8 ? 1 : 0);
  for (let k = 0; k < rows; k++) {
    const y = top + k * row;
    if (!numbers) {
      if (kind === "share" && width > 8 && row > 8) frame(pen, colour.line, 1, left + 0.5, y + 0.5, width - 1, high - 1, [2, 3]);
      continue;
    }
    if (kind === "share" || kind === "total") {
      pen.globalAlpha = 0.75 * Math.sqrt(Math.abs(numbers[k]) / most);
      pen.fillStyle = numbers[k] > 0 ? colour.gradient : colour.data;
      pen.fillRect(left, y, width, high);
      pen.globalAlpha = 1;
    }
    if (!figures) continue;
    const font = kind === "total" && complete ? BOLD : FONT;
    write(pen, brief(numbers[k]), left + width / 2, y + high / 2 + 0.5, kind === "weight" ? colour.data : colour.ink, font);
    write(pen, sign, signAt, y + high / 2, colour.quiet);
  }
}

/** The numbers of a column, one for each parameter; undefined where there are none yet. */
function numbersOf({ kind, i }, { weights, batch: { shares, gradient, before, finished } }) {
  if (kind === "share") return shares[i];
  if (kind === "weight") return weights;
  if (!shares.length) return undefined;
  if (kind === "total") return gradient;
  return finished ? weights.map((w, k) => w - before[k]) : undefined;
}

function write(pen, text, x, y, colour, font = FONT) {
  if (!text) return;
  pen.fillStyle = colour;
  pen.font = font;
  pen.fillText(text, x, y);
}

function frame(pen, colour, lineWidth, x, y, width, height, dashes = []) {
  Object.assign(pen, { strokeStyle: colour, lineWidth });
  pen.setLineDash(dashes);
  pen.strokeRect(x, y, width, height);
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
