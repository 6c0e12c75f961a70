// @ts-check
/** A batch's row in the list: kept and changed in place, so that it keeps the focus and holds still. */

import { leftText, rateText } from "../estimate-text.js";
import { StageHistory } from "../estimate.js";
import { batchErrors, count, filesText, moment, statusText, when } from "../format.js";
import { Bar } from "./bar.js";
import { element, setAttribute, setText } from "./elements.js";

/** A stage as the API lists it. @typedef {import("../client/headway.js").StageState & {stage: string}} ListedStage */

export class BatchRow {
  /** @param {any} batch as /api/batches gives it @param {(label: string) => HTMLElement} labelLink */
  constructor(batch, labelLink) {
    const id = new URL(batch.page, location.href).searchParams.get("batchId") ?? "";
    this.labelLink = labelLink;
    this.link = element("a", { href: batch.page });
    this.id = element("span", { class: "id" });
    this.labels = element("span", { class: "labels" });
    this.shownLabels = "";
    this.status = element("span", { class: "pill" });
    this.stages = element("td", { class: "stages" });
    this.errors = element("td", { class: "number" });
    this.updated = element("td", { class: "optional" });
    this.created = element("td", { class: "optional" });
    /** @type {Map<string, StageLine>} */
    this.lines = new Map();
    this.root = element(
      "tr", { "data-batch": id },
      element("th", { scope: "row" }, this.link, element("div", { class: "about" }, this.id, this.labels)),
      element("td", {}, this.status), this.stages, this.errors, this.updated, this.created,
    );
    this.number = id;
  }

  /** @param {any} batch @param {number} now */
  update(batch, now) {
    setText(this.link, batch.name ?? `Batch ${this.number}`);
    setText(this.id, batch.name ? this.number : "");
    this.updateLabels(batch.labels);
    setAttribute(this.status, "data-status", batch.status);
    setText(this.status, statusText(batch.status));
    const stages = /** @type {ListedStage[]} */ (batch.stages);
    for (const stage of stages) {
      let line = this.lines.get(stage.stage);
      if (line === undefined) {
        line = new StageLine(stage.stage);
        this.lines.set(stage.stage, line);
        this.stages.append(line.root);
      }
      line.update(stage, now);
    }
    const failed = batchErrors(stages);
    setText(this.errors, count(failed));
    setAttribute(this.errors, "class", failed ? "number bad" : "number");
    setText(this.updated, batch.lastEventAt === null ? "" : when(batch.lastEventAt));
    setText(this.created, moment(batch.createdAt));
  }

  /** @param {Record<string, string>} labels */
  updateLabels(labels) {
    const key = JSON.stringify(labels);
    if (key === this.shownLabels) return;
    this.shownLabels = key;
    this.labels.replaceChildren(...Object.entries(labels).map(([name, value]) => this.labelLink(`${name}:${value}`)));
  }
}

/** One stage of a batch: name, bar, files, and how fast it goes while it is under way. */
class StageLine {
  /** @param {string} name */
  constructor(name) {
    this.history = new StageHistory();
    this.bar = new Bar({ "aria-hidden": "true" });
    this.files = element("span");
    this.pace = element("span", { class: "pace" });
    this.root = element(
      "div", { class: "stage-line" },
      element("span", { class: "name", title: name }, name), this.bar.root, this.files, this.pace,
    );
  }

  /** @param {ListedStage} stage @param {number} now */
  update(stage, now) {
    setAttribute(this.root, "data-status", stage.status);
    this.bar.update(stage);
    setText(this.files, filesText(stage));
    this.history.observe(stage, now);
    const estimate = this.history.estimate(stage, stage.status === "stalled", now);
    const parts = stage.endedAt !== null || estimate.rate === null ? [] : [rateText(estimate.rate), leftText({ ...estimate, betweenMs: null })];
    setText(this.pace, parts.filter(Boolean).join(" · "));
  }
}
