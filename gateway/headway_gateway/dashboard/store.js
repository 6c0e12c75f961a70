// @ts-check
/** What the page knows of its batch, and who wants to be told when that changes. No DOM, no network. */

import { emptyBatch } from "./client/headway.js";

/** @typedef {import("./client/headway.js").BatchState} BatchState */
/** @typedef {import("./client/headway.js").BatchEvent} BatchEvent */
/** @typedef {import("./client/headway.js").StageState} StageState */
/** @typedef {import("./client/headway.js").Connection | "stopped" | "catching-up"} Connection */
/** @typedef {State["limits"]} Limits */

/**
 * What the stream does not tell of a batch.
 *
 * @typedef {object} BatchInfo
 * @property {string | null} name
 * @property {Record<string, string>} labels
 * @property {number} deadLetters records that are no events
 * @property {string | null} problem why its topic is not projected any further
 * @property {string | null} logDroppedAt since when its events are kept no longer
 * @property {(RunCounts & {stage: string})[]} earlierRuns the runs before each stage's current one
 */

/** What is known of any run. @typedef {Pick<StageState, "run" | "status" | "total" | "processed" | "errors" | "startedAt" | "updatedAt" | "endedAt">} RunCounts */

/**
 * One line of a card's recent events.
 *
 * @typedef {object} RecentEvent
 * @property {string} offset its id, as text
 * @property {BatchEvent & Record<string, unknown>} data
 * @property {string} text the same as it came: `data` has rounded the numbers above 2**53
 */

export const RECENT_EVENTS = 20; // of each stage; older ones are in the log
export const SHOWN = new Set(["stage_start", "file_complete", "file_error", "stage_complete"]);

class State {
  /** @type {string} as text: JavaScript rounds numbers above 2**53 */
  batchId = "";
  /** @type {BatchState} */
  batch = emptyBatch();
  /** @type {Map<string, RecentEvent[]>} newest first */
  recent = new Map();
  /** That of the first event which has not been counted. */
  nextOffset = 0;
  /** @type {Connection} */
  connection = "connecting";
  /** @type {number} when the connection became what it is */
  connectionSince = Date.now();
  /** The offset before which all is old news: what was in the tables when the connection came back. */
  oldNewsBefore = 0;
  /** What people must know of the numbers shown; empty when all is well. */
  notice = "";
  /** @type {BatchInfo} */
  info = { name: null, labels: {}, deadLetters: 0, problem: null, logDroppedAt: null, earlierRuns: [] };
  /** After how long a stage is stalled, a worker silent. */
  limits = { stalledMs: 30_000, silentMs: 20_000 };

  /** The current run of each stage: `state.stages.denoise` is {total, processed, errors, status, ...}. */
  get stages() {
    return this.batch.stages;
  }

  /** The same in the order in which the stages began, by name. @returns {[string, StageState][]} */
  get current() {
    return [...this.batch.runs.keys()].map((name) => [name, this.batch.stages[name]]);
  }
}

export const state = new State();

/** @type {Set<() => void>} */
const listeners = new Set();

/** Be told of every change. @param {() => void} listener */
export function subscribe(listener) {
  listeners.add(listener);
}

function changed() {
  for (const listener of listeners) listener();
}

/** Live, but what comes before this offset is old news. @param {number} offset */
export function catchUp(offset) {
  state.oldNewsBefore = offset;
  if (state.connection === "live" && state.nextOffset < offset) setConnection("catching-up");
}

/** @param {Connection} connection */
export function setConnection(connection) {
  if (state.connection !== connection) {
    state.connection = connection;
    state.connectionSince = Date.now();
    changed();
  }
}

/**
 * The runs of a stage before its current one: those that the API told of, and those that ended since.
 *
 * @param {string} stage
 * @returns {RunCounts[]}
 */
export function earlierRuns(stage) {
  const runs = new Map(state.info.earlierRuns.filter((run) => run.stage === stage).map((run) => [run.run, runCounts(run)]));
  for (const run of state.batch.runs.get(stage)?.slice(0, -1) ?? []) runs.set(run.run, runCounts(run));
  const current = state.batch.stages[stage]?.run ?? 0;
  return [...runs.values()].filter(({ run }) => run < current).sort((one, other) => one.run - other.run);
}

/** @param {RunCounts} run @returns {RunCounts} */
function runCounts({ run, status, total, processed, errors, startedAt, updatedAt, endedAt }) {
  return { run, status, total, processed, errors, startedAt, updatedAt, endedAt };
}

/** @param {Partial<State["info"]>} info @param {State["limits"]} limits */
export function setInfo(info, limits) {
  Object.assign(state.info, info);
  state.limits = limits;
  changed();
}

/** The batch after one more event. @param {import("./client/headway.js").ReceivedEvent} event @param {BatchState} batch */
export function apply({ id, data, text }, batch) {
  state.batch = batch;
  state.nextOffset = Number(id) + 1;
  if (state.connection === "catching-up" && state.nextOffset >= state.oldNewsBefore) setConnection("live");
  if (data.stage !== undefined && SHOWN.has(data.eventType)) {
    const recent = state.recent.get(data.stage) ?? [];
    recent.unshift({ offset: id, data, text });
    recent.length = Math.min(recent.length, RECENT_EVENTS);
    state.recent.set(data.stage, recent);
  }
  changed();
}

/** Begin from these counts, and say what people must know of them. @param {BatchState} batch @param {number} nextOffset @param {string} notice */
export function begin(batch, nextOffset, notice = "") {
  state.batch = batch;
  state.nextOffset = nextOffset;
  state.recent.clear();
  state.notice = notice;
  changed();
}

/** Add older events below those that have come since. @param {string} stage @param {RecentEvent[]} older newest first */
export function addOlder(stage, older) {
  const recent = state.recent.get(stage) ?? [];
  const known = new Set(recent.map((event) => event.offset));
  const wanted = older.filter((event) => !known.has(event.offset));
  state.recent.set(stage, [...recent, ...wanted].slice(0, RECENT_EVENTS));
  changed();
}
