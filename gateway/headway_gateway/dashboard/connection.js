// @ts-check
/**
 * The page's one connection to a batch: a snapshot of the counts, then every event after it.
 *
 * The browser reconnects by itself and sends the last id it has, so nothing is counted twice or missed. When it gives up
 * (an HTTP error, or 204 when the batch is finished) this module asks the API what is the matter.
 */

import { exactJson } from "./format.js";
import { checkSession } from "./session.js";
import * as store from "./store.js";

const EVENT_TYPES = [
  "stage_start", "file_complete", "file_error", "stage_progress", "stage_complete", "worker_heartbeat", "batch_complete",
];
const RETRY_MS = 2000; // when the browser has given up; as long as the stream's own `retry`
const INFO_MS = 10_000; // between looks at what the stream does not tell: name, labels, records that are no events
const OLDER_EVENTS = 40; // asked for to show 20: checkpoints and heartbeats among them are not shown

/** Follow a batch for as long as the page is open. @param {string} batchId */
export function follow(batchId) {
  connect(batchId, "snapshot");
  setInterval(async () => {
    const { connection, info } = store.state;
    if (document.hidden || (connection !== "live" && connection !== "stopped")) return;
    const before = info.problem;
    await loadInfo(batchId);
    if (before !== info.problem) connect(batchId, "snapshot");
  }, INFO_MS);
}

/** @type {EventSource | null} */
let current = null;

/** @param {string} batchId @param {"snapshot" | "earliest"} from */
function connect(batchId, from) {
  const query = new URLSearchParams({ batchId, from });
  const source = new EventSource(`/api/stream?${query}`);
  current?.close();
  current = source;
  if (from === "earliest") {
    const notice = "Counted from the first event on, as PostgreSQL does not answer.";
    source.addEventListener("open", () => store.reset(notice), { once: true }); // until then the last numbers stay
  }
  source.addEventListener("open", () => store.setConnection("live"));
  source.addEventListener("snapshot", async (message) => {
    const snapshot = JSON.parse(message.data);
    store.restart(snapshot);
    await loadInfo(batchId);
    const { problem, logDroppedAt } = store.state.info;
    if (problem !== null) { // what the stream goes on with is not of the batch that was counted
      source.close();
      store.restart(snapshot);
      store.setConnection("stopped");
    }
    if (logDroppedAt === null) {
      for (const run of snapshot.stages) loadOlder(batchId, run.stage, snapshot.offset);
    }
  });
  source.addEventListener("reset", (message) => {
    const { reason, from: first } = JSON.parse(message.data);
    store.reset(`Counted anew from offset ${first}: ${reason}.`);
  });
  for (const eventType of EVENT_TYPES) {
    source.addEventListener(eventType, (message) => store.apply(message.lastEventId, message.data));
  }
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      source.close();
      whatNow(batchId);
    } else if (store.state.batch.closed) {
      store.setConnection("finished"); // the stream has ended, as it should; the next try is answered by 204
    } else {
      store.setConnection("offline");
    }
  });
}

/** The browser has given up: the batch is finished, unknown, or a server is away. @param {string} batchId */
async function whatNow(batchId) {
  if (store.state.batch.closed) {
    store.setConnection("finished");
    return;
  }
  const response = await fetch(`/api/batches/${batchId}`).catch(() => null);
  checkSession(response);
  const status = response?.status ?? 0;
  store.setConnection(status === 404 ? "unknown" : status === 403 ? "refused" : "offline");
  // Without PostgreSQL there is no snapshot, but the stream from the beginning gives the same counts.
  const from = status === 503 ? "earliest" : "snapshot";
  setTimeout(() => connect(batchId, from), RETRY_MS);
}

/** @param {string} batchId */
async function loadInfo(batchId) {
  const response = await fetch(`/api/batches/${batchId}`).catch(() => null);
  if (response?.ok) {
    const { name, labels, deadLetters, problem, logDroppedAt, stalledAfterS } = await response.json();
    store.setInfo({ name, labels, deadLetters, problem, logDroppedAt, stalledAfterMs: stalledAfterS * 1000 });
  }
}

/** @param {string} batchId @param {string} stage @param {number} before */
async function loadOlder(batchId, stage, before) {
  const query = new URLSearchParams({ stage, before: String(before), order: "desc", limit: String(OLDER_EVENTS) });
  const response = await fetch(`/api/batches/${batchId}/events?${query}`).catch(() => null);
  if (response?.ok) {
    const { events } = exactJson(await response.text());
    store.addOlder(stage, events.map(recentEvent));
  }
}

/** @param {{offset: unknown, data: unknown}} event with exact numbers @returns {store.RecentEvent} */
function recentEvent({ offset, data }) {
  const text = JSON.stringify(data);
  return { offset: JSON.stringify(offset), data: JSON.parse(text), text };
}
