// @ts-check
/** The part of a batch's page that shows how it stood at any moment, and plays its history. */

import { note, parameter } from "../address.js";
import { count, when } from "../format.js";
import { Polled } from "../polled.js";
import { eventsBefore } from "../recent.js";
import { extent, frameAt, nextChange, ReplayClock, stagesAt } from "../replay.js";
import { state } from "../store.js";
import { batchAddress, showTrouble } from "./controls.js";
import { element, setAttribute, setText } from "./elements.js";
import { PerStage } from "./per-stage.js";
import { StageCard } from "./stage-card.js";

/** @typedef {import("../replay.js").History} History */
/** @typedef {import("../store.js").RecentEvent} RecentEvent */

const SPEEDS = [1, 10, 60, 100, 1000];
const STEPS = 500; // of the slider, by the arrow keys
const SETTLED_MS = 300; // without a move, before the events of the moment are asked for
const NEVER = { stalledMs: Infinity, silentMs: Infinity }; // the history has no heartbeats to judge silence by

/** @type {import("./panels.js").Panel} */
export const replay = { name: "replay", title: "Replay", open: (root) => new Replay(root) };

class Replay {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.clock = new ReplayClock();
    const asked = Date.parse(parameter("at") ?? "");
    if (!Number.isNaN(asked)) this.clock.at = asked;
    this.polled = new Polled(() => this.draw());
    this.cards = new PerStage(element("div", { class: "cards replay" }), (name) => new StageCard(name));
    /** @type {Map<string, RecentEvent[]>} by stage, newest first; of the frame whose offset is `eventsBefore` */
    this.events = new Map();
    this.eventsBefore = -1;
    this.settling = 0;
    this.passed = 0;
    this.root = root;
    this.play = this.button("Play", () => this.toggle());
    this.play.className = "play";
    this.speed = /** @type {HTMLSelectElement} */ (element("select", {}, ...SPEEDS.map((speed) => element("option", { value: String(speed) }, `${count(speed)}×`))));
    this.speed.value = String(this.clock.speed);
    this.time = /** @type {HTMLInputElement} */ (element("input", { type: "datetime-local", step: "1" }));
    this.moment = element("span", { class: "moment" });
    this.slider = /** @type {HTMLInputElement} */ (element("input", { type: "range", min: "0", "aria-label": "Moment of the batch's history" }));
    this.bar = element(
      "div", { class: "card replay-bar", hidden: "" },
      element(
        "div", { class: "buttons" },
        this.button("Previous change", () => this.step(-1)), this.play, this.button("Next change", () => this.step(1)),
        element("label", {}, "Speed", this.speed), element("label", {}, "Go to", this.time), this.moment,
      ),
      this.slider,
    );
    this.trouble = element("p", { class: "notice", role: "status" });
    this.empty = element("p", { class: "empty" });
    root.append(element("h2", { class: "unseen" }, "Replay"), this.trouble, this.bar, this.cards.root, this.empty);
    this.speed.addEventListener("change", () => { this.clock.speed = Number(this.speed.value); });
    this.slider.addEventListener("input", () => this.move(this.clock.begin + Number(this.slider.value)));
    this.time.addEventListener("change", () => this.move(Date.parse(this.time.value)));
  }

  /** @param {number} now */
  update(now) {
    this.polled.want(batchAddress("/history"), now);
    this.draw();
  }

  /** @param {string} text @param {() => void} act */
  button(text, act) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", act);
    return button;
  }

  toggle() {
    if (this.clock.playing) {
      this.clock.pause();
      this.settle();
    } else {
      this.clock.play();
      this.passed = performance.now();
      requestAnimationFrame(() => this.pass());
    }
    this.draw();
  }

  /** One frame of the screen; none come while the tab is hidden, and the replay rests. */
  pass() {
    if (!this.clock.playing) return;
    const now = performance.now();
    if (this.root.hidden) this.clock.pause(); // another part is shown
    else this.clock.pass(Math.min(now - this.passed, 1000));
    this.passed = now;
    if (this.clock.playing) requestAnimationFrame(() => this.pass());
    else this.settle();
    this.draw();
  }

  /** @param {1 | -1} direction */
  step(direction) {
    const at = this.clock.at === null || this.polled.document === null ? null : nextChange(this.polled.document, this.clock.at, direction);
    if (at !== null) this.move(at);
  }

  /** @param {number} at */
  move(at) {
    if (Number.isNaN(at)) return;
    this.clock.pause();
    this.clock.set(at);
    this.settle();
    this.draw();
  }

  /** The moment stays for a while: it can be shared, and its events can be asked for. */
  settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      if (this.clock.at === null || this.clock.playing) return;
      if (!this.root.hidden) note({ at: new Date(this.clock.at).toISOString() });
      this.loadEvents();
    }, SETTLED_MS);
  }

  draw() {
    if (this.root.hidden) return;
    showTrouble(this.trouble, this.polled, "The history");
    const history = /** @type {History | null} */ (this.polled.document);
    const reach = history === null ? null : extent(history);
    setText(this.empty, history !== null && reach === null ? "No event of this batch is known yet." : "");
    this.bar.hidden = reach === null;
    if (history === null || reach === null) return;
    this.clock.bound(reach);
    const at = /** @type {number} */ (this.clock.at);
    const frame = frameAt(history, at);
    this.drawBar(at, history.offsets[frame], /** @type {number} */ (history.offsets.at(-1)));
    if (this.eventsBefore < 0) this.settle();
    const known = this.eventsBefore === history.offsets[frame];
    this.cards.update(stagesAt(history, frame), (card, name, stage) => {
      card.update(stage, known ? this.events.get(name) ?? [] : [], null, at, NEVER);
    });
  }

  /** @param {number} at @param {number} offset @param {number} offsets */
  drawBar(at, offset, offsets) {
    const { begin, end, playing } = this.clock;
    const moment = when(new Date(at).toISOString());
    setText(this.play, playing ? "Pause" : "Play");
    setText(this.moment, `${moment} · ${count(offset)} of ${count(offsets)} events`);
    setAttribute(this.slider, "max", String(end - begin));
    setAttribute(this.slider, "step", String(Math.max(1, Math.round((end - begin) / STEPS))));
    setAttribute(this.slider, "aria-valuetext", moment);
    this.slider.value = String(at - begin);
    if (document.activeElement !== this.time) this.time.value = localTime(at);
  }

  /** The last events before the moment, of each stage. */
  async loadEvents() {
    const history = /** @type {History | null} */ (this.polled.document);
    if (history === null || this.clock.at === null) return;
    const frame = frameAt(history, this.clock.at);
    const before = history.offsets[frame];
    if (before === this.eventsBefore) return;
    const names = [...stagesAt(history, frame).keys()];
    const found = await Promise.all(names.map((name) => eventsBefore(state.batchId, name, before)));
    this.eventsBefore = before;
    this.events = new Map(names.map((name, place) => [name, found[place]]));
    this.draw();
  }
}

/** A moment as the control for date and time has it, in the browser's time zone. @param {number} at */
function localTime(at) {
  const time = new Date(at);
  return new Date(at - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
