// @ts-check
/** A bar of a stage's files: those that succeeded, those that failed, and what is to come. */

import { share } from "../format.js";
import { element, setAttribute } from "./elements.js";

export class Bar {
  /** @param {Record<string, string>} attributes of its element */
  constructor(attributes) {
    this.done = element("div", { class: "fill" });
    this.failed = element("div", { class: "fill-errors" });
    this.root = element("div", { class: "track", ...attributes }, this.done, this.failed);
  }

  /** @param {{processed: number, errors: number, total: number | null}} stage */
  update({ processed, errors, total }) {
    this.done.style.width = `${share(processed, total)}%`;
    this.failed.style.width = `${share(errors, total)}%`;
    setAttribute(this.failed, "data-any", String(errors > 0));
  }
}
