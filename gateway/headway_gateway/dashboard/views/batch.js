// @ts-check
/** A batch's page: headline, notice, and the part that the address names. */

import { batchStatus, statusAt } from "../client/headway.js";
import { batchErrors, batchPercent, count, statusText, timeOfDay } from "../format.js";
import { observe } from "../pace.js";
import { state } from "../store.js";
import { element, setAttribute, setText } from "./elements.js";

/** @type {Record<import("../store.js").Connection, string>} */
const CONNECTION = {
  connecting: "Connecting",
  live: "Live",
  "catching-up": "Catching up",
  offline: "Offline since",
  finished: "Finished",
  unknown: "Waiting for this batch to begin",
  refused: "Your token is not for this batch",
  stopped: "Not followed",
};

export class BatchPage {
  /** @param {HTMLElement} main @param {import("./panels.js").Panels} panels @param {HTMLElement[]} tools beside the title */
  constructor(main, panels, ...tools) {
    this.panels = panels;
    this.title = element("h1");
    this.status = element("span", { class: "pill" });
    this.subline = element("p", { class: "subline" });
    this.notice = element("p", { class: "notice", role: "status", hidden: "" });
    main.replaceChildren(
      element("div", { class: "headline" }, this.title, this.status, ...tools), this.subline, this.notice, panels.tabs, panels.body,
    );
  }

  /** Show the state as it is at `now`. @param {number} now */
  update(now) {
    observe(now);
    const { batch, info } = state;
    const stages = state.current.map(([, stage]) => stage);
    const stalled = stages.some((stage) => statusAt(stage, now, state.limits.stalledMs) === "stalled");
    const status = stalled && !batch.closed ? "stalled" : batchStatus(batch);
    setText(this.title, info.name ? `${info.name} · batch ${state.batchId}` : `Batch ${state.batchId}`);
    setAttribute(this.status, "data-status", status);
    setText(this.status, statusText(status));
    const done = stages.filter((stage) => stage.endedAt !== null).length;
    setText(this.subline, stages.length ? `${done} of ${stages.length} stages complete · ${count(batchErrors(stages))} errors${labels()}` : "");
    this.updateNotice();
    this.panels.update(now);
    showConnection();
    showOnTab(batchPercent(stages));
  }

  updateNotice() {
    const { deadLetters, problem, logDroppedAt } = state.info;
    const parts = [
      state.notice,
      problem ? `Not followed any further. ${problem}` : "",
      logDroppedAt ? "The events of this batch are not kept any more, its counts are." : "",
      deadLetters ? `${count(deadLetters)} records of this batch are not events and were not counted.` : "",
    ];
    setText(this.notice, parts.filter(Boolean).join(" "));
    this.notice.hidden = !this.notice.textContent;
  }
}

function labels() {
  return Object.entries(state.info.labels).map(([name, value]) => ` · ${name}: ${value}`).join("");
}

function showConnection() {
  const shown = /** @type {HTMLElement} */ (document.getElementById("connection"));
  const { connection } = state;
  setAttribute(shown, "data-state", connection);
  const since = connection === "offline" ? ` ${timeOfDay(new Date(state.connectionSince).toISOString())}, reconnecting` : "";
  setText(shown, CONNECTION[connection] + since);
}

/** The browser's tab shows how far the batch is, in words and as a ring that closes. @param {number | null} percent */
function showOnTab(percent) {
  const progress = percent === null ? "" : `${percent}% · `;
  document.title = `${progress}${state.info.name ?? `Batch ${state.batchId}`} · Headway`;
  const icon = percent === null ? "/static/favicon.svg" : `/static/progress/${Math.floor(percent / 10)}.svg`;
  const link = document.querySelector("link[rel=icon]");
  if (link !== null) setAttribute(link, "href", icon);
}
