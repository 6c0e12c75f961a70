// @ts-check
/**
 * Headway's client for web pages and Node.js: a batch's counts, live. Documented in docs/reference/javascript-client.md.
 *
 *     import { follow } from "/static/client/headway.js";
 *     follow("123", { onChange: ({ batch }) => console.log(batch.stages.denoise?.processed) });
 *
 * Ids of batches and events are texts: JavaScript rounds numbers above 2**53.
 */

import { emptyBatch, foldBatch } from "./fold.js";
import { SharedBatchStream, canShare } from "./shared-stream.js";
import { BatchStream } from "./stream.js";

export { batchStatus, emptyBatch, emptyStage, fold, foldBatch, percent, resume, silentWorkers, statusAt } from "./fold.js";
export { exactJson } from "./json.js";

/** @typedef {import("./fold.js").BatchState} BatchState */
/** @typedef {import("./fold.js").BatchEvent} BatchEvent */
/** @typedef {import("./fold.js").StageState} StageState */
/** @typedef {import("./fold.js").Snapshot} Snapshot */
/** @typedef {import("./fold.js").SilentWorker} SilentWorker */
/** @typedef {import("./fold.js").Status} Status */
/** @typedef {import("./stream.js").Connection} Connection */
/** @typedef {import("./stream.js").StateMessage} StateMessage */
/** @typedef {import("./stream.js").Message} Message */

/**
 * One event: `data` for counting and showing, `text` as it came, as `data` has rounded the numbers above 2**53.
 *
 * @typedef {{id: string, data: BatchEvent & Record<string, unknown>, text: string}} ReceivedEvent
 */

/**
 * Who wants to be told, and of what; all may be left out.
 *
 * @typedef {object} Handlers
 * @property {(follower: Follower) => void} [onChange] something has changed; once for all that has arrived together
 * @property {(state: StateMessage) => void} [onState] counting has begun (again) here
 * @property {(event: ReceivedEvent, batch: BatchState) => void} [onEvent] one more event, and the counts with it
 * @property {(connection: Connection) => void} [onConnection] the connection is another than before
 */

/**
 * Without `share: false`, tabs of one browser read one stream together, as far as nothing else is given here.
 *
 * @typedef {import("./stream.js").StreamOptions & {share?: boolean}} Options
 */

/**
 * Follow a batch until it is finished or `close` is called.
 *
 * @param {string} batchId
 * @param {Handlers} handlers
 * @param {Options} options
 */
export function follow(batchId, handlers = {}, options = {}) {
  return new Follower(batchId, handlers, options);
}

export class Follower {
  /** @param {string} batchId @param {Handlers} handlers @param {Options} options */
  constructor(batchId, handlers, { share = true, ...options }) {
    this.batchId = batchId;
    this.handlers = handlers;
    /** The counts now. */
    this.batch = emptyBatch();
    /** @type {Connection} */
    this.connection = "connecting";
    /** The id of the last message counted, as text. */
    this.lastEventId = "";
    const shared = share && Object.keys(options).length === 0 && canShare();
    const take = (/** @type {Message[]} */ messages) => this.take(messages);
    this.stream = shared ? new SharedBatchStream(batchId, take) : new BatchStream(batchId, (one) => take([one]), options);
  }

  /** Stop following. */
  close() {
    this.stream.close();
  }

  /** @param {Message[]} messages */
  take(messages) {
    for (const message of messages) {
      if (message.type === "event") this.takeEvent(message);
      else if (message.type === "state") this.takeState(message);
      else this.takeConnection(message.connection);
    }
    this.handlers.onChange?.(this);
  }

  /** @param {import("./stream.js").EventMessage} message */
  takeEvent({ id, text }) {
    const data = JSON.parse(text);
    this.lastEventId = id;
    this.batch = foldBatch(this.batch, data);
    this.handlers.onEvent?.({ id, data, text }, this.batch);
  }

  /** @param {StateMessage} message */
  takeState(message) {
    this.lastEventId = message.id;
    this.batch = whole(message.batch);
    this.handlers.onState?.({ ...message, batch: this.batch });
  }

  /** @param {Connection} connection */
  takeConnection(connection) {
    if (this.connection === connection) return;
    this.connection = connection;
    this.handlers.onConnection?.(connection);
  }
}

/** A batch that has come from another thread: its `stages` must know no name but those of stages. @param {BatchState} sent */
function whole({ runs, closed }) {
  const batch = { ...emptyBatch(), runs, closed };
  for (const [stage, all] of runs) batch.stages[stage] = /** @type {StageState} */ (all.at(-1));
  return batch;
}
