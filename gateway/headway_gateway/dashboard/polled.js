// @ts-check
/** A document of the API that is asked for again while it is looked at. No DOM. */

import { checkSession } from "./session.js";

const AGAIN_MS = 3000; // between two looks at what changes
const RETRY_MS = 2000; // after no answer
const REST = 10; // times as long as the last answer took: what is dear to make is asked for more rarely

/** Why there is no document. @typedef {"away" | "dropped" | "missing" | "refused"} Trouble */

export class Polled {
  /** @param {() => void} changed called when there is something else to show */
  constructor(changed) {
    this.changed = changed;
    this.address = "";
    /** @type {any} the answer, with numbers as JavaScript has them */
    this.document = null;
    /** The same as it came. */
    this.text = "";
    /** @type {Trouble | null} */
    this.trouble = null;
    /** Rises with each document that is another. */
    this.version = 0;
    this.due = 0;
    this.tag = "";
    this.asking = false;
  }

  /** Have the document at an address, now and as it changes. @param {string} address @param {number} now */
  want(address, now) {
    if (address !== this.address) {
      Object.assign(this, { address, document: null, text: "", trouble: null, tag: "", due: 0, asking: false });
      this.version += 1;
    }
    if (!this.asking && now >= this.due) this.ask(address);
  }

  /** @param {string} address */
  async ask(address) {
    this.asking = true;
    const began = performance.now();
    const response = await fetch(address).catch(() => null); // the browser sends the tag that it has
    const text = await response?.text().catch(() => null) ?? null;
    if (address !== this.address) return; // another was asked for meanwhile
    this.asking = false;
    checkSession(response);
    if (response?.ok && text !== null) {
      this.due = Date.now() + Math.max(AGAIN_MS, REST * (performance.now() - began));
      this.take(text, response.headers.get("ETag") ?? "");
    } else {
      this.due = response?.status === 410 ? Infinity : Date.now() + RETRY_MS;
      this.trouble = troubleOf(response);
      this.changed();
    }
  }

  /** @param {string} text @param {string} tag */
  take(text, tag) {
    const known = this.trouble === null && this.document !== null && tag !== "" && tag === this.tag;
    this.trouble = null;
    this.tag = tag;
    if (known) return;
    this.text = text;
    this.document = JSON.parse(text);
    this.version += 1;
    this.changed();
  }
}

/** @param {Response | null} response @returns {Trouble} */
function troubleOf(response) {
  if (response?.status === 410) return "dropped";
  if (response?.status === 404) return "missing";
  return response !== null && response.status >= 400 && response.status < 500 ? "refused" : "away";
}
