// @ts-check
/** A batch's page: headline, notice, and a card for each stage. */

import { batchStatus, statusAt } from "../client/headway.js";
import { batchPercent, count, statusText, timeOfDay } from "../format.js";
import { state } from "../store.js";
import { element, setAttribute, setText } from "./elements.js";
import { StageCard } from "./stage-card.js";

/** @type {Record<import("../store.js").Connection, string>} */
const CONNECTION = {
  connecting: "Connecting",
  live: "Live",
  offline: "Reconnecting, no news since",
  finished: "Finished",
  unknown: "Waiting for this batch to begin",
  refused: "Your token is not for this batch",
  stopped: "Not followed",
};

export class BatchPage {
  /** @param {HTMLElement} main */
  constructor(main) {
    this.title = element("h1");
    this.status = element("span", { class: "pill" });
    this.subline = element("p", { class: "subline" });
    this.notice = element("p", { class: "notice", role: "status", hidden: "" });
    this.grid = element("div", { class: "cards" });
    this.empty = element("p", { class: "empty" });
    /** @type {Map<string, StageCard>} */
    this.cards = new Map();
    main.replaceChildren(
      element("div", { class: "headline" }, this.title, this.status), this.subline, this.notice, this.grid, this.empty,
    );
  }

  /** Show the state as it is at `now`. @param {number} now */
  update(now) {
    const { batch, info } = state;
    const stages = [...batch.runs.keys()].map((name) => /** @type {const} */ ([name, batch.stages[name]]));
    const stalled = stages.some(([, stage]) => statusAt(stage, now, state.limits.stalledMs) === "stalled");
    const status = stalled && !batch.closed ? "stalled" : batchStatus(batch);
    setText(this.title, info.name ? `${info.name} · batch ${state.batchId}` : `Batch ${state.batchId}`);
    setAttribute(this.status, "data-status", status);
    setText(this.status, statusText(status));
    const done = stages.filter(([, stage]) => stage.endedAt !== null).length;
    const errors = stages.reduce((sum, [, stage]) => sum + stage.errors, 0);
    setText(this.subline, stages.length ? `${done} of ${stages.length} stages complete · ${count(errors)} errors${labels()}` : "");
    this.updateNotice();
    for (const [name, stage] of stages) this.card(name).update(stage, state.recent.get(name) ?? [], now, state.limits);
    for (const [name, card] of this.cards) if (!batch.runs.has(name)) this.remove(name, card);
    setText(this.empty, stages.length ? "" : "No stage has started yet.");
    showConnection();
    document.title = title(stages.map(([, stage]) => stage));
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

  /** @param {string} name */
  card(name) {
    let card = this.cards.get(name);
    if (card === undefined) {
      card = new StageCard(name);
      this.cards.set(name, card);
      this.grid.append(card.root);
    }
    return card;
  }

  /** @param {string} name @param {StageCard} card */
  remove(name, card) {
    card.root.remove();
    this.cards.delete(name);
  }
}

function labels() {
  return Object.entries(state.info.labels).map(([name, value]) => ` · ${name}: ${value}`).join("");
}

function showConnection() {
  const shown = /** @type {HTMLElement} */ (document.getElementById("connection"));
  setAttribute(shown, "data-state", state.connection);
  const since = state.connection === "offline" ? ` ${timeOfDay(new Date(state.connectionSince).toISOString())}` : "";
  setText(shown, CONNECTION[state.connection] + since);
}

/** The page's title shows how far the batch is. @param {import("../client/headway.js").StageState[]} stages */
function title(stages) {
  const percent = batchPercent(stages);
  const progress = percent === null ? "" : `${percent}% · `;
  return `${progress}${state.info.name ?? `Batch ${state.batchId}`} · Headway`;
}
