// @ts-check
/** The parts of a batch's page, one shown at a time: which one stands in the address (`panel=errors`). */

import { onAddress, parameter } from "../address.js";
import { link } from "./controls.js";
import { element, setAttribute } from "./elements.js";

/**
 * One part. It is made when it is first shown, and updated only while it is shown.
 *
 * @typedef {object} Part
 * @property {(now: number) => void} update show the state as it is at `now`, in milliseconds since 1970
 *
 * @typedef {object} Panel
 * @property {string} name in the address
 * @property {string} title on its tab
 * @property {(root: HTMLElement) => Part} open
 */

export class Panels {
  /** @param {Panel[]} panels the first is shown where the address names none @param {() => void} changed */
  constructor(panels, changed) {
    this.panels = panels;
    /** @type {Map<string, {root: HTMLElement, part: Part}>} */
    this.opened = new Map();
    this.links = new Map(panels.map((panel) => [panel.name, link({ panel: panel.name }, panel.title)]));
    this.tabs = element("nav", { class: "tabs", "aria-label": "Parts of this page" }, ...this.links.values());
    this.tabs.hidden = panels.length < 2;
    this.body = element("div");
    onAddress(changed);
  }

  /** @param {number} now */
  update(now) {
    const name = parameter("panel");
    const shown = this.panels.find((panel) => panel.name === name) ?? this.panels[0];
    for (const [each, tab] of this.links) setAttribute(tab, "aria-current", each === shown.name ? "page" : null);
    for (const [each, { root }] of this.opened) root.hidden = each !== shown.name;
    this.open(shown).part.update(now);
  }

  /** @param {Panel} panel */
  open(panel) {
    let opened = this.opened.get(panel.name);
    if (opened === undefined) {
      const root = element("section", { "aria-label": panel.title });
      this.body.append(root);
      opened = { root, part: panel.open(root) };
      this.opened.set(panel.name, opened);
    }
    return opened;
  }
}
