// @ts-check
/** How long files took: a histogram of one run, and the percentiles of all as a table. */

import { durationText, logTicks, tickText, ticks } from "../charts-data.js";
import { count, stageTitle } from "../format.js";
import { element } from "./elements.js";
import { label, line, svg } from "./svg.js";

/** @typedef {import("../charts-data.js").RunDurations} RunDurations */

const HEIGHT = 190; // pixels
const LEFT = 46;
const BOTTOM = 22;
const TOP = 20;

export class DurationsChart {
  constructor() {
    this.chart = element("div", { class: "plot" });
    this.rows = element("tbody");
    const heads = ["Stage", "Files", "p50", "p90", "p99", "Max"];
    this.root = element(
      "div", {}, this.chart,
      element("div", { class: "figures" }, element(
        "table", {}, element("thead", {}, element("tr", {}, ...heads.map((name, place) => element("th", { scope: "col", class: place ? "number" : "" }, name)))),
        this.rows,
      )),
    );
    this.drawn = "";
  }

  /** @param {RunDurations[]} all @param {string} stage @param {number} run @param {number} version @param {number} width */
  update(all, stage, run, version, width) {
    const key = JSON.stringify([version, stage, run, width]);
    if (key === this.drawn) return;
    this.drawn = key;
    const shown = all.find((one) => one.stage === stage && one.run === run);
    this.chart.replaceChildren(
      shown !== undefined && shown.files > 0 ? histogram(shown, width) : element("p", { class: "empty" }, "No durations are known of this run."),
    );
    this.rows.replaceChildren(...all.filter(({ files }) => files > 0).map((one) => row(one, one === shown)));
  }
}

/** @param {RunDurations} one @param {boolean} shown */
function row(one, shown) {
  const name = one.run > 1 ? `${stageTitle(one.stage)}, run ${one.run}` : stageTitle(one.stage);
  const cells = [count(one.files), about(one.p50Ms), about(one.p90Ms), about(one.p99Ms), durationText(one.maxMs)];
  return element("tr", shown ? { class: "shown" } : {}, element("th", { scope: "row" }, name), ...cells.map((text) => element("td", { class: "number" }, text)));
}

/** A percentile is known to two digits or so. @param {number | null} ms */
const about = (ms) => (ms === null ? "–" : `≈\u2009${durationText(ms)}`);

/** @param {RunDurations} run @param {number} width */
function histogram(run, width) {
  const from = run.bars[0].fromMs;
  const to = run.bars[run.bars.length - 1].toMs;
  const scale = ticks(Math.max(...run.bars.map(({ files }) => files)), 3);
  const most = scale[scale.length - 1];
  const x = (/** @type {number} */ ms) => LEFT + (Math.log(ms / from) / Math.log(to / from)) * (width - LEFT - 8);
  const y = (/** @type {number} */ files) => TOP + (1 - files / most) * (HEIGHT - TOP - BOTTOM);
  const chart = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": summary(run) });
  for (const tick of scale) chart.append(line(LEFT, y(tick), width - 8, y(tick)), label(LEFT - 6, y(tick) + 4, tickText(tick), "end"));
  for (const { fromMs, toMs, files } of run.bars) {
    const bar = svg("rect", { x: x(fromMs) + 0.5, y: y(files), width: Math.max(1, x(toMs) - x(fromMs) - 1), height: Math.max(1, y(0) - y(files)), class: "bar-done" });
    bar.append(svg("title", {}, `${durationText(fromMs)} to ${durationText(toMs)}: ${count(files)} files`));
    chart.append(bar);
  }
  let free = -Infinity;
  for (const tick of logTicks(from, to)) {
    if (x(tick) - free < 52 || x(tick) > width - 24) continue;
    free = x(tick);
    chart.append(label(x(tick), HEIGHT - 5, durationText(tick)));
  }
  let beside = -Infinity;
  for (const [name, ms] of /** @type {[string, number | null][]} */ ([["p50", run.p50Ms], ["p90", run.p90Ms], ["p99", run.p99Ms]])) {
    if (ms === null || to <= from) continue;
    const at = Math.min(x(ms), width - 8);
    chart.append(line(at, TOP - 4, at, y(0), "mark"));
    if (at - beside > 26) chart.append(label(at, TOP - 8, name));
    beside = at;
  }
  return chart;
}

/** @param {RunDurations} run */
function summary(run) {
  return `Histogram of the durations of ${count(run.files)} files of ${run.stage}: half took at most about ${durationText(run.p50Ms)}, `
    + `nine in ten ${durationText(run.p90Ms)}, 99 in a hundred ${durationText(run.p99Ms)}, the longest ${durationText(run.maxMs)}.`;
}
