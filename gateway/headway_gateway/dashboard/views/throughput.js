// @ts-check
/** Files a second over time: those that succeeded above the line, those that failed below it. */

import { ratesOf, tickText, ticks, timeTickText, timeTicks } from "../charts-data.js";
import { rateText } from "../estimate-text.js";
import { timeOfDay } from "../format.js";
import { element, setText } from "./elements.js";
import { label, line, svg } from "./svg.js";

/** @typedef {import("../charts-data.js").Timeline} Timeline */
/** @typedef {import("../store.js").RunCounts} RunCounts */
/** @typedef {NonNullable<ReturnType<typeof ratesOf>>} Rates */

const HEIGHT = 250; // pixels
const LEFT = 46;
const BOTTOM = 22;
const TOP = 10;
const FAILED = 34; // of it for those that failed

export class ThroughputChart {
  constructor() {
    this.chart = element("div", { class: "plot" });
    this.reading = element("p", { class: "detail" });
    this.root = element("div", {}, this.chart, this.reading);
    this.drawn = "";
    /** @type {Rates | null} */
    this.rates = null;
    this.width = 0;
    this.approximate = false;
    this.chart.addEventListener("pointermove", (event) => this.read(event));
    this.chart.addEventListener("pointerleave", () => this.summarize());
  }

  /** @param {Timeline} timeline @param {string} stage @param {RunCounts} run @param {number} version @param {number} width */
  update(timeline, stage, run, version, width) {
    const key = JSON.stringify([version, stage, run.run, width]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.rates = ratesOf(timeline, stage, run);
    this.width = width;
    this.approximate = timeline.oneOf > 1;
    this.chart.replaceChildren(this.rates === null ? element("p", { class: "empty" }, "No file of this run is done yet.") : draw(this.rates, width));
    this.summarize();
  }

  summarize() {
    setText(this.reading, this.rates === null ? "" : summary(this.rates, this.approximate));
  }

  /** @param {PointerEvent} event */
  read(event) {
    const { rates } = this;
    if (rates === null) return;
    const share = (event.clientX - this.chart.getBoundingClientRect().left - LEFT) / (this.width - LEFT - 8);
    const place = Math.max(0, Math.min(rates.succeeded.length - 1, Math.floor(share * rates.succeeded.length)));
    const at = timeOfDay(new Date(rates.beginMs + place * rates.stepMs).toISOString());
    setText(this.reading, `${at}: ${rateText(rates.succeeded[place] + rates.failed[place])}, of which ${rateText(rates.failed[place])} failed`);
  }
}

/** @param {Rates} rates @param {boolean} approximate */
function summary({ succeeded, failed, stepMs, mean }, approximate) {
  const both = succeeded.map((rate, place) => rate + failed[place]);
  const steps = `by ${stepMs / 1000} s${approximate ? ", times sampled" : ""}`;
  return `${rateText(mean)} on average, ${rateText(Math.max(...both))} at most (${steps})`;
}

/** @param {Rates} rates @param {number} width */
function draw(rates, width) {
  const { succeeded, failed, beginMs, stepMs } = rates;
  const scale = ticks(Math.max(...succeeded), 3);
  const most = scale[scale.length - 1];
  const zero = HEIGHT - BOTTOM - FAILED;
  const step = (width - LEFT - 8) / succeeded.length;
  const y = (/** @type {number} */ rate) => zero - (rate / most) * (zero - TOP);
  const down = FAILED / Math.max(most / 5, ...failed);
  const chart = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `Files a second over time: ${summary(rates, false)}` });
  for (const tick of scale) chart.append(line(LEFT, y(tick), width - 8, y(tick)), label(LEFT - 6, y(tick) + 4, tickText(tick), "end"));
  const path = succeeded.map((rate, place) => `L${(LEFT + place * step).toFixed(1)} ${y(rate).toFixed(1)}H${(LEFT + (place + 1) * step).toFixed(1)}`);
  chart.append(svg("path", { d: `M${LEFT} ${zero}${path.join("")}V${zero}Z`, class: "area-done" }));
  for (const [place, rate] of failed.entries()) {
    if (rate > 0) chart.append(svg("rect", { x: LEFT + place * step, y: zero + 1, width: Math.max(1.5, step - 0.5), height: Math.max(3, rate * down), class: "bar-failed" }));
  }
  chart.append(line(LEFT, zero, width - 8, zero, "axis"));
  if (failed.some((rate) => rate > 0)) chart.append(label(LEFT - 6, zero + 24, "failed", "end"));
  const end = beginMs + stepMs * succeeded.length;
  for (const at of timeTicks(beginMs, end, Math.max(2, Math.floor(width / 100)))) {
    const x = LEFT + ((at - beginMs) / (end - beginMs)) * (width - LEFT - 8);
    if (x < width - 30 && x > LEFT + 20) chart.append(label(x, HEIGHT - 5, timeTickText(at, end - beginMs)));
  }
  return chart;
}
