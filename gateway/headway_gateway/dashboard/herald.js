// @ts-check
/** Tells of a batch to those who do not look: a live region for screen readers, and the system's notifications by choice. */

import { batchErrors, batchPercent } from "./format.js";
import { Calm, milestone } from "./milestones.js";
import { state } from "./store.js";
import { element, setAttribute, setText } from "./views/elements.js";

/** @typedef {import("./milestones.js").Standing} Standing */

const KEPT_AS = "headway-notify";
const EVERY_MS = 15_000; // between two sentences

export class Herald {
  constructor() {
    this.region = element("p", { class: "unseen", role: "status", id: "herald" });
    this.calm = new Calm(EVERY_MS);
    /** @type {Standing | null} before the last look; null until the numbers are those of now */
    this.before = null;
    this.button = element("button", { type: "button", class: "tool" }, "Notify me");
    this.button.title = "A notification of this browser at a batch's end and at its first error, while its page is open";
    this.button.hidden = typeof Notification === "undefined";
    this.button.addEventListener("click", () => this.toggle());
    this.showChoice();
    document.body.append(this.region);
  }

  /** Look again, whenever the page is drawn or has news. @param {number} now */
  look(now) {
    const { connection, batch, info } = state;
    if (connection !== "live" && connection !== "finished") return; // old news that is caught up with is none
    const stages = state.current.map(([, stage]) => stage);
    const name = info.name ?? `Batch ${state.batchId}`;
    const after = { name, percent: batchPercent(stages), errors: batchErrors(stages), closed: batch.closed };
    const news = this.before === null ? null : milestone(this.before, after);
    this.before = after;
    const said = this.calm.next(news?.text ?? null, now);
    if (said !== null) setText(this.region, said);
    if (news !== null && news.kind !== "progress" && this.chosen()) {
      new Notification(news.text, { tag: `headway-${state.batchId}-${news.kind}`, icon: "/static/favicon.svg" });
    }
  }

  chosen() {
    return localStorage.getItem(KEPT_AS) === "yes" && typeof Notification !== "undefined" && Notification.permission === "granted";
  }

  async toggle() {
    if (this.chosen()) localStorage.removeItem(KEPT_AS);
    else if (await Notification.requestPermission() === "granted") localStorage.setItem(KEPT_AS, "yes");
    this.showChoice();
  }

  showChoice() {
    const refused = typeof Notification !== "undefined" && Notification.permission === "denied";
    setAttribute(this.button, "aria-pressed", String(this.chosen()));
    setText(this.button, refused ? "Notifications are blocked" : "Notify me");
    this.button.toggleAttribute("disabled", refused);
  }
}
