// @ts-check
/** A batch's stream as the SharedWorker reads it for all tabs of this browser; or one of this tab's own, without it. */

import { BatchStream } from "./stream.js";

/** @typedef {import("./stream.js").Message} Message */

const NAME = "headway-1"; // the number changes with the messages between tabs and worker: old tabs keep their own worker
const ANSWER_MS = 5000; // arbitrary; a worker answers within milliseconds, one that cannot be loaded perhaps never

/** Whether this environment has what sharing needs. */
export function canShare() {
  return typeof SharedWorker !== "undefined" && typeof document !== "undefined";
}

/** The worker's address, as a page under a policy of Trusted Types (`trusted-types headway-worker`) must give it. */
function script() {
  const address = new URL("./shared-worker.js", import.meta.url).href;
  const { trustedTypes } = /** @type {any} */ (globalThis);
  policy ??= trustedTypes?.createPolicy("headway-worker", { createScriptURL: () => address }); // a name may be used once
  return policy?.createScriptURL("") ?? address;
}

/** @type {any} */
let policy;

/** The stream of a batch, shared where that is possible. */
export class SharedBatchStream {
  /**
   * @param {string} batchId
   * @param {(messages: Message[]) => void} deliver
   */
  constructor(batchId, deliver) {
    this.batchId = batchId;
    this.deliver = deliver;
    /** @type {MessagePort | null} none when the stream is this tab's own */
    this.port = null;
    /** @type {BatchStream | null} */
    this.own = null;
    this.joined = false;
    this.answered = false;
    this.closed = false;
    this.timer = setTimeout(() => this.readAlone(), ANSWER_MS);
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", ({ persisted }) => { if (persisted) this.join(); }); // the tab has come back as it was
    this.share();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.own?.close();
    this.leave();
  }

  share() {
    try {
      const worker = new SharedWorker(script(), { type: "module", name: NAME });
      worker.addEventListener("error", () => this.readAlone());
      worker.port.addEventListener("message", ({ data }) => {
        this.answered = true;
        if (this.joined) this.deliver(data);
      });
      worker.port.start();
      this.port = worker.port;
      this.join();
    } catch {
      this.readAlone();
    }
  }

  join() {
    if (this.closed || this.port === null) return;
    this.joined = true;
    this.port.postMessage({ join: this.batchId });
  }

  leave() {
    this.joined = false;
    this.port?.postMessage({ leave: this.batchId });
  }

  readAlone() {
    if (this.answered || this.closed || this.own) return;
    this.leave();
    this.port = null;
    this.own = new BatchStream(this.batchId, (message) => this.deliver([message]));
  }
}
