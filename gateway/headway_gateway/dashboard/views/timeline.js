// @ts-check
/** When stages ran and workers reported: a lane for each, on one axis of time. */

import { statusAt } from "../client/headway.js";
import { busySpans, timeTickText, timeTicks } from "../charts-data.js";
import { elapsedText } from "../estimate-text.js";
import { count, stageTitle, statusText, timeOfDay } from "../format.js";
import { earlierRuns, state } from "../store.js";
import { element } from "./elements.js";
import { label, line, svg } from "./svg.js";

/** @typedef {import("../charts-data.js").Timeline} Timeline */
/** @typedef {import("../store.js").RunCounts} RunCounts */

const LANE = 26; // pixels
const WORKER_LANE = 18;
const SHOWN_WORKERS = 16;
const AXIS = 22;

export class TimelineChart {
  constructor() {
    this.chart = element("div", { class: "plot" });
    this.note = element("p", { class: "detail" });
    this.root = element("div", {}, this.chart, this.note);
    this.drawn = "";
  }

  /** @param {Timeline} timeline @param {number} version @param {number} width @param {number} now */
  update(timeline, version, width, now) {
    const stages = [...state.batch.runs.keys()].map((name) => ({ name, runs: runsOf(name, now) }));
    const key = JSON.stringify([version, width, stages.map(({ runs }) => runs.map(({ run, status }) => [run, status])), Math.floor(now / 5000)]);
    if (key === this.drawn) return;
    this.drawn = key;
    const bars = stages.flatMap(({ runs }) => runs);
    if (bars.length === 0) return this.chart.replaceChildren();
    const begin = Math.min(...bars.map(({ from }) => from));
    const end = Math.max(begin + 1000, ...bars.map(({ to }) => to));
    const workers = timeline.workers.slice(0, SHOWN_WORKERS);
    this.chart.replaceChildren(draw(stages, { ...timeline, workers }, begin, end, width));
    const others = timeline.workers.length + timeline.workersLeftOut - workers.length;
    const sampled = timeline.oneOf > 1 && workers.length ? `Of the workers' reports, one in ${count(timeline.oneOf)} was looked at.` : "";
    this.note.textContent = [others > 0 ? `And ${count(others)} more workers.` : "", sampled].filter(Boolean).join(" ");
  }
}

/** @typedef {{run: number, status: import("../client/headway.js").Status, from: number, to: number, files: number, errors: number}} RunBar */

/** @param {string} name @param {number} now @returns {RunBar[]} */
function runsOf(name, now) {
  const current = state.batch.stages[name];
  /** @type {RunCounts[]} */
  const all = [...earlierRuns(name), current];
  return all.map((run) => {
    const from = Date.parse(run.startedAt ?? "");
    const underWay = run === current && current.endedAt === null;
    const status = underWay ? statusAt(current, now, state.limits.stalledMs) : run.status;
    const to = underWay && status !== "stalled" ? Math.max(now, from) : Date.parse(run.endedAt ?? run.updatedAt ?? "");
    return { run: run.run, status, from, to, files: run.processed, errors: run.errors };
  }).filter(({ from, to }) => !Number.isNaN(from) && !Number.isNaN(to));
}

/**
 * @param {{name: string, runs: RunBar[]}[]} stages
 * @param {Timeline} timeline
 * @param {number} begin
 * @param {number} end
 * @param {number} width
 */
function draw(stages, timeline, begin, end, width) {
  const left = Math.min(150, width * 0.3);
  const height = stages.length * LANE + timeline.workers.length * WORKER_LANE + AXIS + 6;
  const x = (/** @type {number} */ at) => left + Math.max(0, Math.min(1, (at - begin) / (end - begin))) * (width - left - 8);
  const chart = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary(stages, timeline) });
  for (const at of timeTicks(begin, end, Math.max(2, Math.floor((width - left) / 100)))) {
    chart.append(line(x(at), 0, x(at), height - AXIS + 4));
    if (x(at) < width - 28) chart.append(label(x(at), height - 4, timeTickText(at, end - begin)));
  }
  for (const [place, { name, runs }] of stages.entries()) {
    chart.append(label(left - 8, place * LANE + 17, clipped(stageTitle(name), left), "end"));
    for (const run of runs) chart.append(runBar(name, run, x(run.from), Math.max(2, x(run.to) - x(run.from)), place * LANE + 4));
  }
  for (const [place, { worker, files }] of timeline.workers.entries()) {
    const top = stages.length * LANE + 6 + place * WORKER_LANE;
    const lane = svg("g", { class: "worker" }, label(left - 8, top + 12, clipped(worker, left), "end"));
    lane.append(svg("title", {}, `${worker}: ${count(files.reduce((sum, one) => sum + one, 0))} reports`));
    lane.append(svg("path", { d: workerPath(files, timeline, x, top + 3, WORKER_LANE - 6), class: "busy" }));
    chart.append(lane);
  }
  return chart;
}

/** @param {string} stage @param {RunBar} run @param {number} x @param {number} width @param {number} y */
function runBar(stage, run, x, width, y) {
  const text = `${stageTitle(stage)}, run ${run.run}: ${statusText(run.status)}, ${elapsedText(run.to - run.from)}, ${count(run.files)} files, ${count(run.errors)} errors`;
  const bar = svg("g", { class: "run-bar", "data-status": run.status }, svg("title", {}, text), svg("rect", { x, y, width, height: LANE - 8, rx: 3 }));
  const shown = `${run.run > 1 ? `run ${run.run} · ` : ""}${elapsedText(run.to - run.from)}${run.errors ? ` · ${count(run.errors)} ✕` : ""}`;
  if (width > shown.length * 7 + 8) bar.append(label(x + 7, y + 13, shown, "start"));
  return bar;
}

/**
 * When a worker was busy: until it was silent for many times as long as it usually is.
 *
 * @param {number[]} files
 * @param {Timeline} timeline
 * @param {(at: number) => number} x
 * @param {number} y
 * @param {number} height
 */
function workerPath(files, timeline, x, y, height) {
  const begin = Date.parse(timeline.beginAt ?? "");
  return busySpans(files, timeline.oneOf > 1).map(([first, last]) => {
    const from = x(begin + first * timeline.stepMs);
    const to = x(begin + (last + 1) * timeline.stepMs);
    return `M${from.toFixed(1)} ${y}H${Math.max(to, from + 1).toFixed(1)}V${y + height}H${from.toFixed(1)}Z`;
  }).join("");
}

/** @param {string} text @param {number} width pixels */
function clipped(text, width) {
  const most = Math.floor((width - 10) / 7);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** @param {{name: string, runs: RunBar[]}[]} stages @param {Timeline} timeline */
function summary(stages, timeline) {
  const runs = stages.flatMap(({ name, runs }) => runs.map((run) =>
    `${name} run ${run.run} from ${timeOfDay(new Date(run.from).toISOString())} for ${elapsedText(run.to - run.from)}`));
  return `Timeline of stages: ${runs.join("; ")}. ${timeline.workers.length ? `Workers: ${timeline.workers.map(({ worker }) => worker).join(", ")}.` : ""}`;
}
