// @ts-check
/**
 * What the page learns of its batch: counts and events by the client, the rest by asking the API.
 */

import { follow as followBatch, resume } from "./client/headway.js";
import { eventsBefore } from "./recent.js";
import { checkSession } from "./session.js";
import * as store from "./store.js";

const INFO_MS = 10_000; // between looks at what the stream does not tell: name, labels, records that are no events

/** Follow a batch for as long as the page is open. @param {string} batchId */
export function follow(batchId) {
  connect(batchId);
  setInterval(async () => {
    const { connection, info } = store.state;
    if (document.hidden || (connection !== "live" && connection !== "stopped")) return;
    const before = info.problem;
    await loadInfo(batchId);
    if (before !== info.problem) connect(batchId);
  }, INFO_MS);
}

/** @type {import("./client/headway.js").Follower | null} */
let current = null;

/** @param {string} batchId */
function connect(batchId) {
  current?.close();
  const follower = followBatch(batchId, {
    onState: async (state) => {
      store.begin(state.batch, state.nextOffset, notice(state));
      if (state.cause !== "snapshot") return;
      const info = await loadInfo(batchId);
      if (info !== null && info.problem !== null) { // what the stream goes on with is not of the batch that was counted
        follower.close();
        store.begin(resume(info), info.nextOffset);
        store.setConnection("stopped");
      }
      if (store.state.info.logDroppedAt === null) {
        for (const stage of state.batch.runs.keys()) loadOlder(batchId, stage, state.nextOffset);
      }
    },
    onEvent: store.apply,
    onConnection: (connection) => {
      const back = connection === "live" && store.state.connection === "offline";
      store.setConnection(connection);
      if (back) catchUp(batchId);
      if (connection === "refused") loadInfo(batchId); // asks for a token again, if that is why
    },
  });
  current = follower;
}

/** How much was missed while nothing came: what is in the tables by now, at least. @param {string} batchId */
async function catchUp(batchId) {
  const info = await loadInfo(batchId);
  if (info !== null) store.catchUp(info.nextOffset);
}

/** What people must know of the numbers that begin here. @param {import("./client/headway.js").StateMessage} state */
function notice({ cause, nextOffset, reason }) {
  if (cause === "reset") return `Counted anew from offset ${nextOffset}: ${reason}.`;
  return cause === "earliest" ? "Counted from the first event on, as PostgreSQL does not answer." : "";
}

/** The batch as the API has it, or null. @param {string} batchId */
async function loadInfo(batchId) {
  const response = await fetch(`/api/batches/${batchId}`).catch(() => null);
  checkSession(response);
  if (!response?.ok) return null;
  const batch = await response.json();
  const { name, labels, deadLetters, problem, logDroppedAt, stalledAfterS, workerSilentAfterS, runs } = batch;
  const limits = { stalledMs: stalledAfterS * 1000, silentMs: workerSilentAfterS * 1000 };
  store.setInfo({ name, labels, deadLetters, problem, logDroppedAt, earlierRuns: runs }, limits);
  return batch;
}

/** @param {string} batchId @param {string} stage @param {number} before */
async function loadOlder(batchId, stage, before) {
  store.addOlder(stage, await eventsBefore(batchId, stage, before));
}
