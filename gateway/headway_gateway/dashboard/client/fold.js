// @ts-check
/**
 * The fold: what a sequence of events says about each stage of a batch. The only place of the page that counts.
 *
 * The same function as `headway_events.fold`, where the rules are numbered; both pass the vectors in
 * `schemas/vectors/`. No clock, no network, no DOM: the result is a function of the events in the order of their
 * offsets. An event is the `data` of one message of the stream.
 */

/** @typedef {"pending" | "processing" | "complete" | "complete_with_errors" | "stalled"} Status */

/** @typedef {"success" | "error"} Outcome */

/**
 * A worker that has files in flight.
 *
 * @typedef {object} BusyWorker
 * @property {string | null} lastHeardAt
 * @property {Set<string>} files in the order in which it named them, without those reported since
 */

/** A worker, how long it has not been heard, and its files in flight. @typedef {{name: string, silentMs: number, files: string[]}} SilentWorker */

/**
 * One run of one stage, after the events so far. Times are the text of the events.
 *
 * @typedef {object} StageState
 * @property {number} run 1 is the first; 0 before any event
 * @property {boolean} started a stage_start has been seen in this run
 * @property {number | null} total files; null is unknown
 * @property {number} processed files
 * @property {number} errors files
 * @property {number} attempts reports of files
 * @property {number} late reports of files after stage_complete
 * @property {Status} status never "stalled", which depends on the time of asking: see `statusAt`
 * @property {string | null} startedAt
 * @property {string | null} updatedAt when the last event happened, heartbeats included
 * @property {string | null} endedAt
 * @property {number} filesLeftOut names in heartbeats that were not followed, as MAX_IN_FLIGHT were already
 * @property {Map<string, Outcome>} outcomes how each file stands; a Map, as a file may be called "__proto__"
 * @property {Map<string, BusyWorker>} workers the busy ones, by name
 * @property {Map<string, string>} inFlight the name of the worker that has the file
 */

/**
 * Every run of every stage of one batch.
 *
 * @typedef {object} BatchState
 * @property {Record<string, StageState>} stages the current run of each stage
 * @property {Map<string, StageState[]>} runs all runs of each stage, in the order in which they began
 * @property {boolean} closed nothing more is expected
 */

/**
 * The fields that count; events have more, which the fold does not look at.
 *
 * @typedef {object} BatchEvent
 * @property {string} eventType
 * @property {string} [timestamp]
 * @property {string} [stage]
 * @property {string} [fileName]
 * @property {number | null} [totalFiles]
 * @property {number} [processedFiles]
 * @property {number | null} [failedFiles]
 * @property {string} [worker]
 * @property {string[]} [filesInFlight]
 */

/**
 * A busy worker as snapshots and the API have it.
 *
 * @typedef {{worker: string, lastHeardAt: string | null, filesInFlight: string[]}} ListedWorker
 */

/** What of a stage is not sent as it is. @typedef {"outcomes" | "workers" | "inFlight"} Inner */

/**
 * The data of the stream's `snapshot` message: the current run of each stage before the record at `offset`.
 *
 * @typedef {object} Snapshot
 * @property {number} offset
 * @property {boolean} closed
 * @property {(Omit<StageState, Inner> & {stage: string, outcomes?: Record<Outcome, string[]>, workers?: ListedWorker[]})[]} stages
 */

const MAX_IN_FLIGHT = 10_000; // files of a run that are followed

const STAGE_EVENTS = new Set([
  "stage_start",
  "file_complete",
  "file_error",
  "stage_progress",
  "stage_complete",
  "worker_heartbeat",
]);

/**
 * A batch of which nothing is known yet.
 *
 * @returns {BatchState}
 */
export function emptyBatch() {
  return { stages: Object.create(null), runs: new Map(), closed: false };
}

/**
 * A run of a stage before any event of it.
 *
 * @param {number} run
 * @returns {StageState}
 */
export function emptyStage(run = 0) {
  return {
    run,
    started: false,
    total: null,
    processed: 0,
    errors: 0,
    attempts: 0,
    late: 0,
    status: "pending",
    startedAt: null,
    updatedAt: null,
    endedAt: null,
    filesLeftOut: 0,
    outcomes: new Map(),
    workers: new Map(),
    inFlight: new Map(),
  };
}

/**
 * The batch that a snapshot describes, to fold the events from its `offset` on into.
 *
 * @param {Snapshot} snapshot
 * @returns {BatchState}
 */
export function resume(snapshot) {
  const batch = emptyBatch();
  batch.closed = snapshot.closed;
  for (const { stage, outcomes, workers, ...counts } of snapshot.stages) {
    /** @type {StageState} */
    const state = { ...emptyStage(), ...counts };
    for (const name of outcomes?.error ?? []) state.outcomes.set(name, "error");
    for (const name of outcomes?.success ?? []) state.outcomes.set(name, "success");
    for (const { worker, lastHeardAt, filesInFlight } of workers ?? []) {
      state.workers.set(worker, { lastHeardAt, files: new Set(filesInFlight) });
      for (const name of filesInFlight) state.inFlight.set(name, worker);
    }
    batch.runs.set(stage, [state]);
    batch.stages[stage] = state;
  }
  return batch;
}

/**
 * The batch after one more event. Consumes `batch`: use only what is returned. An event of a type that this page does
 * not know, of a newer server, changes nothing.
 *
 * @param {BatchState} batch
 * @param {BatchEvent} event
 * @returns {BatchState}
 */
export function foldBatch(batch, event) {
  if (event.eventType === "batch_complete") {
    batch.closed = true;
    return batch;
  }
  if (event.stage === undefined || !STAGE_EVENTS.has(event.eventType)) return batch;
  if (event.eventType === "stage_start") batch.closed = false;
  const runs = batch.runs.get(event.stage) ?? [];
  const before = runs.at(-1) ?? emptyStage();
  const after = fold(before, event);
  if (after !== before) runs.push(after);
  batch.runs.set(event.stage, runs);
  batch.stages[event.stage] = after;
  return batch;
}

/**
 * The stage's current run after one more event of it. Consumes `stage`: use only what is returned. Another object is
 * returned when a new run has begun; the one given then holds the old run's last counts.
 *
 * @param {StageState} stage
 * @param {BatchEvent} event
 * @returns {StageState}
 */
export function fold(stage, event) {
  const begins = event.eventType === "stage_start" && (stage.started || isFinal(stage));
  if (begins) forgetWorkers(stage);
  const state = begins || stage.run === 0 ? emptyStage(stage.run + 1) : stage;
  state.startedAt ??= event.timestamp ?? null;
  if (!isFinal(state)) {
    state.status = "processing";
    state.updatedAt = event.timestamp ?? null;
  }
  apply(state, event);
  return state;
}

/**
 * @param {StageState} state
 * @param {BatchEvent} event
 */
function apply(state, event) {
  switch (event.eventType) {
    case "stage_start":
      state.started = true;
      state.total = event.totalFiles ?? state.total;
      break;
    case "file_complete":
      applyFile(state, event, "success");
      break;
    case "file_error":
      applyFile(state, event, "error");
      break;
    case "stage_progress":
      applyProgress(state, event);
      break;
    case "stage_complete":
      applyComplete(state, event);
      break;
    case "worker_heartbeat":
      applyHeartbeat(state, event);
      break;
  }
}

/**
 * @param {StageState} state
 * @param {BatchEvent} event
 * @param {Outcome} outcome
 */
function applyFile(state, event, outcome) {
  if (isFinal(state)) {
    state.late += 1;
    return;
  }
  state.attempts += 1;
  const name = String(event.fileName);
  takeOut(state, name);
  const known = state.outcomes.get(name);
  if (known === "success" || known === outcome) return;
  state.outcomes.set(name, outcome);
  if (outcome === "error") {
    state.errors += 1;
  } else {
    state.processed += 1;
    if (known === "error") state.errors -= 1;
  }
}

/**
 * @param {StageState} state
 * @param {BatchEvent} event
 */
function applyProgress(state, event) {
  if (isFinal(state)) return;
  state.processed = Math.max(state.processed, event.processedFiles ?? 0);
  state.errors = Math.max(state.errors, event.failedFiles ?? 0);
  state.total = event.totalFiles ?? state.total;
}

/**
 * @param {StageState} state
 * @param {BatchEvent} event
 */
function applyComplete(state, event) {
  state.processed = event.processedFiles ?? state.processed;
  state.errors = event.failedFiles ?? state.errors;
  state.total = event.totalFiles ?? state.total;
  state.status = state.errors > 0 ? "complete_with_errors" : "complete";
  state.updatedAt = state.endedAt = event.timestamp ?? null;
  forgetWorkers(state);
}

/**
 * @param {StageState} state
 * @param {BatchEvent} event
 */
function applyHeartbeat(state, event) {
  if (isFinal(state)) return;
  const name = String(event.worker);
  const lastHeardAt = event.timestamp ?? null;
  const known = state.workers.get(name);
  if (known !== undefined) {
    if (Date.parse(lastHeardAt ?? "") < Date.parse(known.lastHeardAt ?? "")) return;
    for (const file of [...known.files]) takeOut(state, file);
  }
  /** @type {Set<string>} */
  const files = new Set();
  for (const file of new Set(event.filesInFlight ?? [])) {
    if (state.outcomes.get(file) === "success") continue;
    takeOut(state, file);
    if (state.inFlight.size < MAX_IN_FLIGHT) {
      state.inFlight.set(file, name);
      files.add(file);
    } else {
      state.filesLeftOut += 1;
    }
  }
  if (files.size > 0) state.workers.set(name, { lastHeardAt, files });
}

/**
 * The file is in flight no more; the worker that had it may be busy no more.
 *
 * @param {StageState} state
 * @param {string} file
 */
function takeOut(state, file) {
  const name = state.inFlight.get(file);
  if (name === undefined) return;
  state.inFlight.delete(file);
  const files = state.workers.get(name)?.files;
  files?.delete(file);
  if (files?.size === 0) state.workers.delete(name);
}

/** @param {StageState} state */
function forgetWorkers(state) {
  state.workers.clear();
  state.inFlight.clear();
}

/** @param {StageState} state */
function isFinal(state) {
  return state.status === "complete" || state.status === "complete_with_errors";
}

/**
 * Whole percent of the total that succeeded, rounded down; null when the total is unknown. Never 100 before the stage
 * is complete, never above 100. A complete stage of no files is at 100.
 *
 * @param {StageState} stage
 * @returns {number | null}
 */
export function percent(stage) {
  if (stage.total === null) return null;
  const most = isFinal(stage) ? 100 : 99;
  if (stage.total === 0) return isFinal(stage) ? 100 : 0;
  return Math.min(Math.floor((stage.processed * 100) / stage.total), most);
}

/**
 * The status of the whole batch, from the current run of each stage.
 *
 * @param {BatchState} batch
 * @returns {Status}
 */
export function batchStatus(batch) {
  const current = Object.values(batch.stages);
  if (batch.closed) return current.some((stage) => stage.errors > 0) ? "complete_with_errors" : "complete";
  return current.length > 0 ? "processing" : "pending";
}

/**
 * The status as people should see it at `now`: a stage under way that has been silent for too long is stalled.
 *
 * @param {StageState} stage
 * @param {number} now milliseconds since 1970
 * @param {number} stalledAfterMs
 * @returns {Status}
 */
export function statusAt(stage, now, stalledAfterMs) {
  const quiet = stage.updatedAt !== null && now - Date.parse(stage.updatedAt) > stalledAfterMs;
  return stage.status === "processing" && quiet ? "stalled" : stage.status;
}

/**
 * The busy workers that have not been heard for too long at `now`, and may have died with their files; those that were
 * heard the longest ago first.
 *
 * @param {StageState} stage
 * @param {number} now milliseconds since 1970
 * @param {number} silentAfterMs
 * @returns {SilentWorker[]}
 */
export function silentWorkers(stage, now, silentAfterMs) {
  return [...stage.workers]
    .map(([name, { lastHeardAt, files }]) => ({ name, silentMs: now - Date.parse(lastHeardAt ?? ""), files: [...files] }))
    .filter(({ silentMs }) => silentMs > silentAfterMs)
    .sort((one, other) => other.silentMs - one.silentMs);
}
