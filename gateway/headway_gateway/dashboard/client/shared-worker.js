// @ts-check
/**
 * A SharedWorker that reads each batch's stream once for all tabs of this browser.
 *
 * A browser opens six connections to a server that speaks HTTP/1.1: the seventh tab of a batch would wait for ever.
 * A tab says {join: batchId} or {leave: batchId}, and gets arrays of the messages of `stream.js`.
 */

import { Backlog } from "./backlog.js";
import { BatchStream } from "./stream.js";

/** @typedef {import("./stream.js").Message} Message */

const GATHER_MS = 20; // about a frame of the screen: a message to each tab for every event would cost more than the event

class SharedStream {
  /** @param {string} batchId */
  constructor(batchId) {
    this.backlog = new Backlog();
    /** @type {Set<MessagePort>} */
    this.ports = new Set();
    /** @type {Message[]} */
    this.pending = [];
    this.stream = new BatchStream(batchId, (message) => this.take(message));
  }

  /** @param {MessagePort} port */
  join(port) {
    this.flush(); // what is pending is in the backlog too
    this.ports.add(port);
    port.postMessage(this.backlog.messages());
    if (this.backlog.connection === "finished") this.stream.resume();
  }

  /** @param {Message} message */
  take(message) {
    this.backlog.take(message);
    if (!this.pending.length) setTimeout(() => this.flush(), GATHER_MS);
    this.pending.push(message);
    if (message.type === "state") this.flush(); // now, as the backlog counts on in the same object
  }

  flush() {
    if (this.pending.length) for (const port of this.ports) port.postMessage(this.pending);
    this.pending = [];
  }
}

/** @type {Map<string, SharedStream>} */
const streams = new Map();

/** @param {MessagePort} port @param {string} batchId */
function join(port, batchId) {
  const shared = streams.get(batchId) ?? new SharedStream(batchId);
  streams.set(batchId, shared);
  shared.join(port);
}

/** @param {MessagePort} port @param {string} batchId */
function leave(port, batchId) {
  const shared = streams.get(batchId);
  shared?.ports.delete(port);
  if (shared?.ports.size === 0) {
    shared.stream.close();
    streams.delete(batchId);
  }
}

addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  port.addEventListener("message", ({ data }) => {
    if (data.join !== undefined) join(port, data.join);
    if (data.leave !== undefined) leave(port, data.leave);
  });
  port.addEventListener("close", () => { // the tab is gone, and could not say so
    for (const batchId of [...streams.keys()]) leave(port, batchId);
  });
  port.start();
});
