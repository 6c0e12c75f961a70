// @ts-check
/** A batch's history: its stages as they stood at any moment, and the clock of a replay. Pure. */

import { emptyStage } from "./client/headway.js";

/** @typedef {import("./client/headway.js").StageState} StageState */
/** @typedef {import("./client/headway.js").Status} Status */

/**
 * How a run stood, from each frame at which that changed.
 *
 * @typedef {{stage: string, run: number, frames: number[], processed: number[], errors: number[], totals: (number | null)[], statuses: Status[]}} RunHistory
 */

/**
 * `/api/batches/{id}/history`: frame `i` is the state before the record at `offsets[i]`; the last event before that
 * happened at `times[i]`, in milliseconds since 1970.
 *
 * @typedef {{offsets: number[], times: (number | null)[], runs: RunHistory[]}} History
 */

/** The place of the last of some rising numbers that is at most `wanted`; -1 when all are larger. @param {(number | null)[]} rising nulls first @param {number} wanted */
function lastUpTo(rising, wanted) {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rising[middle] ?? -Infinity) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** From when to when events happened, or null before any. @param {History} history @returns {{begin: number, end: number} | null} */
export function extent({ times }) {
  const [begin, end] = [times.find((time) => time !== null) ?? null, times.at(-1) ?? null];
  return begin === null || end === null ? null : { begin, end };
}

/** The frame that was true at a moment. @param {History} history @param {number} at milliseconds since 1970 */
export const frameAt = ({ times }, at) => Math.max(0, lastUpTo(times, at));

/** The moment of the next frame at which something was another, or of the one before; null when there is none. @param {History} history @param {number} at @param {1 | -1} direction */
export function nextChange({ times }, at, direction) {
  const known = times.filter((time) => time !== null);
  return (direction > 0 ? known.find((time) => time > at) : known.findLast((time) => time < at)) ?? null;
}

/**
 * The stages at a frame, each in the run that was its current one, in the order in which they began.
 *
 * @param {History} history
 * @param {number} frame
 * @returns {Map<string, StageState>}
 */
export function stagesAt({ runs, times }, frame) {
  /** @type {Map<string, StageState>} */
  const stages = new Map();
  for (const run of runs) {
    const look = lastUpTo(run.frames, frame);
    if (look < 0 || run.run <= (stages.get(run.stage)?.run ?? 0)) continue;
    const status = run.statuses[look];
    const since = text(times[run.frames[look]]);
    stages.set(run.stage, {
      ...emptyStage(run.run),
      started: true,
      total: run.totals[look],
      processed: run.processed[look],
      errors: run.errors[look],
      status,
      startedAt: text(times[run.frames[0]]),
      updatedAt: since,
      endedAt: status === "processing" ? null : since,
    });
  }
  return stages;
}

/** @param {number | null} time */
const text = (time) => time === null ? null : new Date(time).toISOString();

/** The clock of a replay: a moment that passes at some speed while it plays, within the history's bounds. */
export class ReplayClock {
  constructor() {
    /** @type {number | null} milliseconds since 1970; null before anything is known */
    this.at = null;
    this.speed = 60;
    this.playing = false;
    this.begin = 0;
    this.end = 0;
  }

  /** What the history reaches over, which grows while the batch is under way. @param {{begin: number, end: number}} extent */
  bound({ begin, end }) {
    Object.assign(this, { begin, end });
    this.set(this.at ?? begin);
  }

  /** @param {number} at */
  set(at) {
    this.at = Math.min(this.end, Math.max(this.begin, at));
  }

  /** Begin to play, from the beginning where the end was reached. */
  play() {
    if (this.at === this.end) this.at = this.begin;
    this.playing = this.begin < this.end;
  }

  pause() {
    this.playing = false;
  }

  /** Let time pass; stops at the end. @param {number} ms that passed */
  pass(ms) {
    if (!this.playing || this.at === null) return;
    this.set(this.at + ms * this.speed);
    this.playing = this.at < this.end;
  }
}
