// @ts-check
/** Every file of a run as a cell on a canvas, in the order in which they were decided; many files share a cell. */

import { addressWith } from "../address.js";
import { cellsOf, gridFor } from "../charts-data.js";
import { count } from "../format.js";
import { element, setAttribute, setText } from "./elements.js";

/** @typedef {import("../charts-data.js").Cell} Cell */
/** @typedef {import("../charts-data.js").RunOutcomes} RunOutcomes */
/** @typedef {import("../charts-source.js").ChartsSource} ChartsSource */

const MOST_HEIGHT = 224; // pixels
const RESTS_MS = 200; // of the cursor, before names are asked for
const NAMES = 4; // of a cell's files
const COLOURS = /** @type {const} */ ({ done: "--good", retried: "--warn", failed: "--bad", flight: "--busy", pending: "--muted" });

/** @type {Record<Cell["kind"], string>} */
const WORDS = { done: "done", retried: "done at another try", failed: "failed", flight: "in flight", pending: "not yet" };

export class HeatStrip {
  /** @param {ChartsSource} source */
  constructor(source) {
    this.source = source;
    this.canvas = /** @type {HTMLCanvasElement} */ (element("canvas", { "aria-hidden": "true" }));
    this.field = element("div", {
      class: "heat", tabindex: "0", role: "slider", "aria-label": "Files in the order in which they were done", "aria-valuemin": "0",
    }, this.canvas);
    this.legend = element("p", { class: "legend" });
    this.where = element("span");
    this.files = element("span", { class: "names" });
    this.detail = element("p", { class: "detail" }, this.where, this.files);
    this.next = element("button", { type: "button" }, "Next failed");
    this.root = element("div", {}, this.field, this.legend, element("div", { class: "detail-line" }, this.detail, this.next));
    /** @type {Cell[]} */
    this.cells = [];
    this.grid = { size: 5, columns: 1, most: 1 };
    this.cursor = -1;
    this.drawn = "";
    this.stage = "";
    this.resting = 0;
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.field.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") this.point(event); });
    this.field.addEventListener("click", (event) => this.point(event));
    this.next.addEventListener("click", () => this.toNextFailed());
  }

  /**
   * @param {RunOutcomes} run
   * @param {number} inFlight
   * @param {number} width pixels
   */
  update(run, inFlight, width) {
    const colours = Object.fromEntries(Object.entries({ ...COLOURS, cursor: "--text" }).map(([kind, name]) => [kind, this.colour(name)]));
    const key = JSON.stringify([this.source.version, run.stage, run.run, inFlight, width, this.cursor, colours, devicePixelRatio]);
    if (key === this.drawn) return;
    if (run.stage !== this.stage) this.cursor = -1;
    this.drawn = key;
    this.stage = run.stage;
    const start = performance.now();
    this.grid = gridFor(Math.max(run.total ?? 0, run.files + inFlight), width, MOST_HEIGHT);
    this.cells = cellsOf(run, inFlight, this.grid.most);
    this.draw(colours, width);
    performance.clearMeasures("heat-strip"); // the last one is enough: the page stays open for days
    performance.measure("heat-strip", { start });
    this.describe(run, inFlight);
  }

  /** A colour of the page as the canvas takes it: the property alone would be the choice between light and dark. @param {string} name */
  colour(name) {
    this.canvas.style.color = `var(${name})`;
    return getComputedStyle(this.canvas).color;
  }

  /** @param {Record<string, string>} colours @param {number} width */
  draw(colours, width) {
    const { size, columns } = this.grid;
    const height = Math.max(1, Math.ceil(this.cells.length / columns)) * size;
    const { canvas } = this;
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    if (context === null) return;
    context.scale(devicePixelRatio, devicePixelRatio);
    for (const [place, cell] of this.cells.entries()) {
      drawCell(context, cell, (place % columns) * size, Math.floor(place / columns) * size, size - 1, colours);
    }
    if (this.cursor >= 0 && this.cursor < this.cells.length) {
      context.strokeStyle = colours.cursor;
      context.lineWidth = 2;
      context.strokeRect((this.cursor % columns) * size, Math.floor(this.cursor / columns) * size, size - 1, size - 1);
    }
  }

  /** @param {RunOutcomes} run @param {number} inFlight */
  describe(run, inFlight) {
    const failed = sum(run.failed);
    const retried = sum(run.retried);
    const all = Math.max(run.total ?? 0, run.files + inFlight);
    const counts = { done: run.files - failed - retried, retried, failed, flight: inFlight, pending: Math.max(0, all - run.files - inFlight) };
    const parts = Object.entries(counts).filter(([kind, files]) => files || kind === "done").map(([kind, files]) =>
      element("span", { class: "key", "data-kind": kind }, `${count(files)} ${WORDS[/** @type {Cell["kind"]} */ (kind)]}`));
    const largest = Math.max(1, ...this.cells.map(({ files }) => files));
    this.legend.replaceChildren(...parts, element("span", {}, largest === 1 ? "a cell a file" : `up to ${count(largest)} files a cell`));
    /** @type {HTMLButtonElement} */ (this.next).disabled = failed === 0;
    setAttribute(this.field, "aria-valuemax", String(Math.max(0, this.cells.length - 1)));
    this.showCursor();
  }

  /** @param {PointerEvent | MouseEvent} event */
  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / this.grid.size);
    const place = Math.floor((event.clientY - box.top) / this.grid.size) * this.grid.columns + column;
    if (column >= 0 && column < this.grid.columns) this.moveTo(place);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    /** @type {Record<string, number>} */
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.grid.columns, ArrowDown: this.grid.columns,
      Home: -this.cells.length, End: this.cells.length,
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.moveTo(Math.max(0, Math.min(this.cells.length - 1, this.cursor + step)));
  }

  toNextFailed() {
    const { length } = this.cells;
    for (let step = 1; step <= length; step += 1) {
      const place = (Math.max(-1, this.cursor) + step) % length;
      if (this.cells[place].failed > 0) return this.moveTo(place);
    }
  }

  /** @param {number} place */
  moveTo(place) {
    if (place === this.cursor || place < 0 || place >= this.cells.length) return;
    this.cursor = place;
    this.source.changed(); // draws the cursor
    clearTimeout(this.resting);
    this.files.replaceChildren();
    this.resting = window.setTimeout(() => this.showNames(), RESTS_MS);
  }

  showCursor() {
    const cell = this.cells[this.cursor];
    const text = cell === undefined ? "Point at a cell, or use the arrow keys, to see its files." : cellText(cell);
    setText(this.where, text);
    setAttribute(this.field, "aria-valuenow", String(Math.max(0, this.cursor)));
    setAttribute(this.field, "aria-valuetext", text);
  }

  async showNames() {
    const { cursor, cells, stage } = this;
    const cell = cells[cursor];
    if (cell === undefined || cell.firstOffset === null) return;
    const to = cell.files === 1 ? cell.firstOffset + 1 : cells[cursor + 1]?.firstOffset ?? null;
    const names = await this.source.names(stage, cell.firstOffset, to, cell.failed > 0, NAMES).catch(() => []);
    if (cursor !== this.cursor) return;
    const known = cell.failed || cell.files;
    const more = known > names.length ? ` and ${count(known - names.length)} more` : "";
    this.files.replaceChildren(...names.flatMap((name) => [" ", element("a", { href: addressWith({ panel: "files", file: name }) }, name)]), more);
  }
}

/**
 * Told apart by shape as well as by colour: what failed fills its cell from below, what was tried again has a gap, what
 * is in flight is a frame, what is not yet is a dot.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Cell} cell
 * @param {number} x
 * @param {number} y
 * @param {number} side
 * @param {Record<string, string>} colours
 */
function drawCell(context, cell, x, y, side, colours) {
  context.fillStyle = colours[cell.kind];
  if (cell.kind === "pending") {
    const dot = Math.max(1, Math.round(side / 4));
    context.globalAlpha = 0.5;
    context.fillRect(x + (side - dot) / 2, y + (side - dot) / 2, dot, dot);
    context.globalAlpha = 1;
  } else if (cell.kind === "flight") {
    context.strokeStyle = colours.flight;
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
  } else if (cell.kind === "failed") {
    const part = Math.max(2, Math.sqrt(cell.failed / cell.files) * side); // one of many is seen as well
    context.fillRect(x, y + side - part, side, part);
    context.fillStyle = colours.done;
    context.globalAlpha = 0.55;
    context.fillRect(x, y, side, side - part);
    context.globalAlpha = 1;
  } else {
    if (cell.kind === "done") context.globalAlpha = 0.55; // what needs no look stays in the background
    context.fillRect(x, y, side, side);
    context.globalAlpha = 1;
    if (cell.kind === "retried") context.clearRect(x + side / 3, y + side / 3, side / 3, side / 3);
  }
}

/** "Files 401 to 600: 195 done, 3 done at another try, 2 failed." @param {Cell} cell */
function cellText({ kind, from, files, failed, retried }) {
  const which = files === 1 ? `File ${count(from)}` : `Files ${count(from)} to ${count(from + files - 1)}`;
  if (files === 1 || kind === "flight" || kind === "pending") return `${which}: ${WORDS[kind]}.`;
  const parts = [[files - failed - retried, "done"], [retried, WORDS.retried], [failed, "failed"]];
  return `${which}: ${parts.filter(([number]) => number).map(([number, word]) => `${count(Number(number))} ${word}`).join(", ")}.`;
}

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
