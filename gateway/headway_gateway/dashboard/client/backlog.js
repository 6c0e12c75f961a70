// @ts-check
/** What one who joins a stream late is given, so that it counts the same: a state, and the last events after it. Pure. */

import { foldBatch } from "./fold.js";

/** @typedef {import("./stream.js").Message} Message */

const EVENTS = 1000; // at least so many are kept as events, for those who show the last ones; arbitrary

export class Backlog {
  /** @param {number} events how many are kept as events; up to as many again before the oldest are counted */
  constructor(events = EVENTS) {
    this.events = events;
    /** @type {import("./stream.js").StateMessage | null} */
    this.state = null;
    /** @type {import("./stream.js").EventMessage[]} */
    this.tail = [];
    /** @type {import("./stream.js").Connection} */
    this.connection = "connecting";
  }

  /** @param {Message} message */
  take(message) {
    if (message.type === "connection") this.connection = message.connection;
    else if (message.type === "event") this.add(message);
    else {
      this.state = message;
      this.tail = [];
    }
  }

  /** @param {import("./stream.js").EventMessage} message */
  add(message) {
    this.tail.push(message);
    if (this.state === null || this.tail.length < 2 * this.events) return;
    for (const { id, text } of this.tail.splice(0, this.events)) {
      this.state.batch = foldBatch(this.state.batch, JSON.parse(text));
      this.state.id = id;
      this.state.nextOffset = Number(id) + 1;
    }
  }

  /** All that a late joiner needs, in order. @returns {Message[]} */
  messages() {
    const state = this.state === null ? [] : [this.state];
    return [...state, ...this.tail, { type: "connection", connection: this.connection }];
  }
}
