// @ts-check
/** The first part of a batch's page: the stages at a glance, and a card for each. */

import { estimateOf } from "../pace.js";
import { state } from "../store.js";
import { element, setText } from "./elements.js";
import { PerStage } from "./per-stage.js";
import { StageCard } from "./stage-card.js";
import { Strip } from "./strip.js";

/** @type {import("./panels.js").Panel} */
export const overview = { name: "overview", title: "Overview", open: (root) => new Overview(root) };

class Overview {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.strip = new Strip();
    this.cards = new PerStage(element("div", { class: "cards" }), (name) => new StageCard(name));
    this.empty = element("p", { class: "empty" });
    root.append(this.strip.root, this.cards.root, this.empty);
  }

  /** @param {number} now */
  update(now) {
    this.strip.update(now);
    this.cards.update(state.current, (card, name, stage) => {
      card.update(stage, state.recent.get(name) ?? [], estimateOf(name, now), now, state.limits);
    });
    setText(this.empty, state.batch.runs.size ? "" : "No stage has started yet.");
  }
}
