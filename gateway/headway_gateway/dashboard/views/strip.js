// @ts-check
/** The strip above the cards: one segment a stage, and the runs before the current one. */

import { addressWith } from "../address.js";
import { statusAt } from "../client/headway.js";
import { elapsedText, leftText } from "../estimate-text.js";
import { lastedMs } from "../estimate.js";
import { count, filesText, percentText, stageTitle, statusText } from "../format.js";
import { estimateOf } from "../pace.js";
import { earlierRuns, state } from "../store.js";
import { Bar } from "./bar.js";
import { element, setAttribute, setText } from "./elements.js";
import { PerStage } from "./per-stage.js";

/** @typedef {import("../client/headway.js").StageState} StageState */
/** @typedef {import("../store.js").RunCounts} RunCounts */

const SHOWN_RUNS = 6; // earlier ones of a stage: the others are in the charts

export class Strip {
  constructor() {
    this.root = element("ol", { class: "strip", "aria-label": "Stages" });
    this.segments = new PerStage(this.root, (name) => new Segment(name));
  }

  /** @param {number} now */
  update(now) {
    this.root.hidden = state.batch.runs.size === 0;
    this.segments.update(state.current, (segment, _, stage) => segment.update(stage, now));
  }
}

class Segment {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.bar = new Bar({ "aria-hidden": "true" });
    this.status = element("span", { class: "state" });
    this.files = element("span");
    this.errors = element("span");
    this.time = element("span", { class: "time" });
    this.runs = element("ul", { class: "runs", "aria-label": `Earlier runs of ${name}` });
    this.runs.hidden = true;
    this.shownRuns = "";
    this.root = element(
      "li", { class: "segment", "data-segment": name },
      element("div", { class: "line" }, element("span", { class: "name" }, stageTitle(name)), this.status),
      this.bar.root,
      element("div", { class: "line" }, this.files, this.errors),
      this.time,
      this.runs,
    );
  }

  /** @param {StageState} stage @param {number} now */
  update(stage, now) {
    const status = statusAt(stage, now, state.limits.stalledMs);
    setAttribute(this.root, "data-status", status);
    setText(this.status, statusText(status));
    this.bar.update(stage);
    setText(this.files, [filesText(stage), percentText(stage)].filter(Boolean).join(" · "));
    setText(this.errors, stage.errors === 1 ? "1 error" : `${count(stage.errors)} errors`);
    setAttribute(this.errors, "class", stage.errors ? "bad" : "");
    setText(this.time, timeText(this.name, stage, now));
    this.updateRuns();
  }

  updateRuns() {
    const runs = earlierRuns(this.name);
    const key = JSON.stringify(runs);
    if (key === this.shownRuns) return;
    this.shownRuns = key;
    this.runs.hidden = runs.length === 0;
    this.runs.replaceChildren(...runs.slice(-SHOWN_RUNS).map((run) => element("li", {}, runLink(this.name, run))));
  }
}

/** "3 min 20 s · about 2 min left (1 to 3)". @param {string} name @param {StageState} stage @param {number} now */
function timeText(name, stage, now) {
  const started = Date.parse(stage.startedAt ?? "");
  const elapsed = stage.endedAt === null && !Number.isNaN(started) ? Math.max(0, now - started) : lastedMs(stage);
  return [elapsed === null ? "" : elapsedText(elapsed), stage.endedAt === null ? leftText(estimateOf(name, now)) : ""].filter(Boolean).join(" · ");
}

/** @param {string} stage @param {RunCounts} run */
function runLink(stage, run) {
  const errors = run.errors ? `, ${count(run.errors)} errors` : "";
  const link = element("a", { href: addressWith({ panel: "charts", stage, run: String(run.run) }) }, `Run ${run.run}`);
  link.append(element("span", {}, ` ${filesText(run)}${errors}`));
  return link;
}
