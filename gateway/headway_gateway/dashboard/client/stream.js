// @ts-check
/**
 * One connection to a batch's stream, for as long as it is wanted.
 *
 * The browser connects again by itself and sends the last id it has. When it gives up (an HTTP error, or 204 when the
 * batch is finished), this module looks at what is the matter and begins again: after the last id where it can, from a
 * snapshot else, or, without PostgreSQL, from the first event, which gives the same counts.
 */

import { emptyBatch, resume } from "./fold.js";

/** @typedef {import("./fold.js").BatchState} BatchState */

/**
 * How the stream stands: not yet answered, answered, lost and tried again, at its end, of a batch that nobody knows, or
 * one that this user may not read.
 *
 * @typedef {"connecting" | "live" | "offline" | "finished" | "unknown" | "refused"} Connection
 */

/**
 * Counting begins here, from `batch`: at a snapshot, at the first event (PostgreSQL does not answer), or anew (the
 * stream cannot go on where it should; `reason` says why). `nextOffset` is that of the first event not counted in it.
 *
 * @typedef {{type: "state", id: string, batch: BatchState, cause: "snapshot" | "earliest" | "reset", reason: string,
 *   nextOffset: number}} StateMessage
 */

/** An event, as its JSON. @typedef {{type: "event", id: string, text: string}} EventMessage */

/** @typedef {{type: "connection", connection: Connection}} ConnectionMessage */

/** All of these can be sent between threads. @typedef {StateMessage | EventMessage | ConnectionMessage} Message */

/**
 * What a page or a program may give.
 *
 * @typedef {object} StreamOptions
 * @property {string} [url] of the gateway, without a slash at its end; that of the page by default
 * @property {typeof EventSource} [EventSource] another than the environment's
 * @property {typeof fetch} [fetch] another than the environment's
 */

const EVENT_TYPES = [
  "stage_start", "file_complete", "file_error", "stage_progress", "stage_complete", "worker_heartbeat", "batch_complete",
];
const RETRY_MS = 2000; // when the browser has given up; as long as the stream's own `retry`
const ALIVE_MS = 3_600_000; // any: under Node.js a lost connection alone does not keep the program from ending
/** @type {Map<number, Connection>} */
const MEANING = new Map([[401, "refused"], [403, "refused"], [404, "unknown"]]);
const CLOSED = 2; // EventSource.CLOSED, which an EventSource that is given may lack

export class BatchStream {
  /**
   * @param {string} batchId
   * @param {(message: Message) => void} deliver
   * @param {StreamOptions} options
   */
  constructor(batchId, deliver, { url = "", EventSource = globalThis.EventSource, fetch = globalThis.fetch } = {}) {
    this.batchId = batchId;
    this.deliver = deliver;
    this.url = url;
    this.EventSource = EventSource;
    this.fetch = fetch;
    /** The last id, as text: where to go on. */
    this.lastEventId = "";
    /** Whether the batch is closed, so that the stream's end is its end. */
    this.closed = false;
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.alive = setInterval(() => {}, ALIVE_MS);
    this.restart();
  }

  /** Begin anew, from a snapshot. */
  restart() {
    this.connect({ from: "snapshot" });
  }

  /** Go on after the last id: a batch that was finished may have begun again. */
  resume() {
    if (this.lastEventId) this.connect({ lastEventId: this.lastEventId });
    else this.restart();
  }

  close() {
    clearInterval(this.alive);
    this.disconnect();
  }

  disconnect() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  /** @param {Record<string, string>} start */
  address(start) {
    return `${this.url}/api/stream?${new URLSearchParams({ batchId: this.batchId, ...start })}`;
  }

  /** @param {Record<string, string>} start */
  connect(start) {
    this.disconnect();
    const source = new this.EventSource(this.address(start));
    this.source = source;
    if (start.from === "earliest") { // until it is there, the last numbers stay
      source.addEventListener("open", () => this.begin({ id: "", cause: "earliest", nextOffset: 0 }), { once: true });
    }
    source.addEventListener("open", () => this.say("live"));
    source.addEventListener("snapshot", (message) => {
      const snapshot = JSON.parse(message.data);
      const { offset: nextOffset } = snapshot;
      this.begin({ id: message.lastEventId, batch: resume(snapshot), cause: "snapshot", nextOffset });
    });
    source.addEventListener("reset", (message) => {
      const { reason, from: nextOffset } = JSON.parse(message.data);
      this.begin({ id: message.lastEventId, cause: "reset", reason, nextOffset });
    });
    for (const eventType of EVENT_TYPES) {
      source.addEventListener(eventType, (message) => {
        this.lastEventId = message.lastEventId;
        if (eventType === "batch_complete") this.closed = true;
        if (eventType === "stage_start") this.closed = false;
        this.deliver({ type: "event", id: message.lastEventId, text: message.data });
      });
    }
    source.addEventListener("error", () => {
      if (source !== this.source) return; // of a connection that was closed meanwhile
      if (this.closed) this.say("finished"); // it has ended, as it should; the next try is answered by 204
      else if (source.readyState === CLOSED) this.whatNow();
      else this.say("offline");
    });
  }

  /** @param {Partial<StateMessage> & Pick<StateMessage, "id" | "cause" | "nextOffset">} state */
  begin({ batch = emptyBatch(), reason = "", ...state }) {
    this.lastEventId = state.id;
    this.closed = batch.closed;
    this.deliver({ type: "state", batch, reason, ...state });
  }

  /** @param {Connection} connection */
  say(connection) {
    this.deliver({ type: "connection", connection });
  }

  /** The browser has given up: the batch is unknown, a server is away, or the topic is gone and nothing can follow. */
  async whatNow() {
    const { source } = this;
    const status = await this.status(`${this.url}/api/batches/${this.batchId}`);
    const isOver = status === 200 && this.lastEventId && (await this.status(this.address({ lastEventId: this.lastEventId }))) === 204;
    if (source !== this.source) return;
    if (isOver) return this.say("finished");
    this.say(MEANING.get(status) ?? "offline");
    this.timer = setTimeout(() => {
      const away = status === 0 || status >= 500;
      if (away && this.lastEventId) this.resume();
      else this.connect({ from: status === 503 ? "earliest" : "snapshot" });
    }, RETRY_MS);
  }

  /** The status of an address, whose answer is not read; 0 is none. @param {string} address */
  async status(address) {
    const abort = new AbortController();
    try {
      return (await this.fetch.call(undefined, address, { signal: abort.signal })).status;
    } catch {
      return 0;
    } finally {
      abort.abort();
    }
  }
}
