// @ts-check
/** A stage's card: state in, one element out, kept and changed in place. */

import { silentWorkers, statusAt } from "../client/headway.js";
import { paceText } from "../estimate-text.js";
import { count, filesText, icon, percentText, silentText, stageTitle, statusText, timeOfDay } from "../format.js";
import { Bar } from "./bar.js";
import { element, setAttribute, setText } from "./elements.js";
import { showPayload } from "./payload.js";

/** @typedef {import("../client/headway.js").StageState} StageState */
/** @typedef {import("../store.js").RecentEvent} RecentEvent */

const SHOWN_SILENT = 3; // workers: the others are counted

export class StageCard {
  /** @param {string} name */
  constructor(name) {
    this.status = element("span", { class: "pill" });
    this.run = element("span", { class: "run" });
    this.bar = new Bar({ role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": stageTitle(name) });
    this.percent = element("span", { class: "percent" });
    this.files = element("p", { class: "files" });
    this.pace = element("p", { class: "pace" });
    this.total = element("span");
    this.errors = element("span");
    this.counts = element("p", { class: "counts" }, this.total, this.errors);
    this.silent = element("ul", { class: "silent", "aria-label": "Silent workers", hidden: "" });
    this.events = element("ul", { class: "events" });
    this.heading = element("h3", {}, "Recent events");
    /** @type {Map<RecentEvent, HTMLElement>} */
    this.lines = new Map();
    this.root = element(
      "section", { class: "card", "data-stage": name, "aria-label": `Stage ${name}` },
      element("div", { class: "card-head" }, element("h2", {}, `${icon(name)} ${stageTitle(name)} `, this.run), this.status),
      element("div", { class: "bar" }, this.bar.root, this.percent),
      this.files,
      this.pace,
      this.counts,
      this.silent,
      this.heading,
      this.events,
    );
  }

  /**
   * @param {StageState} stage
   * @param {RecentEvent[]} recent newest first
   * @param {import("../estimate.js").Estimate | null} estimate null where none is shown
   * @param {number} now
   * @param {import("../store.js").Limits} limits
   */
  update(stage, recent, estimate, now, limits) {
    const status = statusAt(stage, now, limits.stalledMs);
    setAttribute(this.root, "data-status", status);
    setAttribute(this.status, "data-status", status);
    setText(this.status, statusText(status));
    setText(this.run, stage.run > 1 ? `run ${stage.run}` : "");
    this.bar.update(stage);
    setText(this.percent, percentText(stage));
    setText(this.files, filesText(stage));
    setText(this.pace, estimate === null ? "" : paceText(stage, estimate));
    setAttribute(this.bar.root, "aria-valuetext", filesText(stage));
    setAttribute(this.bar.root, "aria-valuenow", percentText(stage).replace("%", "") || null); // unknown is not 0
    const total = stage.total === null ? "unknown" : count(stage.total);
    setText(this.total, `Total: ${total} | Processed: ${count(stage.processed)} | `);
    setText(this.errors, `Errors: ${count(stage.errors)}`);
    setAttribute(this.errors, "class", stage.errors ? "bad" : "");
    this.updateSilent(silentWorkers(stage, now, limits.silentMs));
    this.updateEvents(recent);
  }

  /** @param {import("../client/headway.js").SilentWorker[]} workers */
  updateSilent(workers) {
    const texts = workers.slice(0, SHOWN_SILENT).map(silentText);
    const others = workers.length - texts.length;
    if (others > 0) texts.push(`and ${count(others)} more`);
    while (this.silent.children.length > texts.length) this.silent.lastElementChild?.remove();
    while (this.silent.children.length < texts.length) this.silent.append(element("li"));
    texts.forEach((text, place) => setText(/** @type {Element} */ (this.silent.children.item(place)), text));
    this.silent.hidden = texts.length === 0;
  }

  /**
   * A line stays the same element as long as it is shown, so that it keeps the focus, and all hold still under the
   * pointer, as nobody can click what moves.
   *
   * @param {RecentEvent[]} recent newest first
   */
  updateEvents(recent) {
    const held = this.events.matches(":hover");
    setText(this.heading, held ? "Recent events, held under the pointer" : "Recent events");
    if (held) return;
    const lines = new Map(recent.map((event) => [event, this.lines.get(event) ?? eventLine(event)]));
    for (const [event, line] of this.lines) if (!lines.has(event)) line.remove();
    [...lines.values()].forEach((line, place) => {
      const there = this.events.children.item(place);
      if (there !== line) this.events.insertBefore(line, there);
    });
    this.lines = lines;
  }
}

/** @param {RecentEvent} event */
function eventLine(event) {
  const { data } = event;
  const failed = data.eventType === "file_error";
  const line = element(
    "button", { type: "button", class: failed ? "failed" : "" },
    element("time", {}, `[${timeOfDay(data.timestamp)}]`), ` ${eventText(data)}`,
  );
  line.addEventListener("click", () => showPayload(event));
  return element("li", {}, line);
}

/** @param {RecentEvent["data"]} data */
function eventText(data) {
  switch (data.eventType) {
    case "file_complete":
      return `📄 ${data.fileName}: ✅ Complete`;
    case "file_error":
      return `❌ ${data.fileName}: Error`;
    case "stage_start":
      return data.totalFiles == null ? "▶️ Started" : `▶️ Started: ${count(data.totalFiles)} files`;
    default:
      if (data.processedFiles == null) return "🏁 Finished";
      return `🏁 Finished: ${count(data.processedFiles)} processed, ${count(data.failedFiles ?? 0)} failed`;
  }
}
