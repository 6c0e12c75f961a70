// @ts-check
/** The first part of a batch's page: the stages at a glance, and a card for each. */

import { estimateOf } from "../pace.js";
import { state } from "../store.js";
import { element, setText } from "./elements.js";
import { StageCard } from "./stage-card.js";
import { Strip } from "./strip.js";

/** @type {import("./panels.js").Panel} */
export const overview = { name: "overview", title: "Overview", open: (root) => new Overview(root) };

class Overview {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.strip = new Strip();
    this.grid = element("div", { class: "cards" });
    this.empty = element("p", { class: "empty" });
    /** @type {Map<string, StageCard>} */
    this.cards = new Map();
    root.append(this.strip.root, this.grid, this.empty);
  }

  /** @param {number} now */
  update(now) {
    const { batch } = state;
    this.strip.update(now);
    for (const name of batch.runs.keys()) {
      this.card(name).update(batch.stages[name], state.recent.get(name) ?? [], estimateOf(name, now), now, state.limits);
    }
    for (const [name, card] of this.cards) if (!batch.runs.has(name)) this.remove(name, card);
    setText(this.empty, batch.runs.size ? "" : "No stage has started yet.");
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
