// @ts-check
/**
 * How fast a run goes and how long it will take: an estimate with its uncertainty, or an honest nothing. Pure.
 *
 * What is looked at are files in a final state (processed and errors), so that a file tried again moves nothing. The
 * last minutes are cut into windows of equal length: the middle one of their rates is the rate, and the quartiles are
 * how far to trust it. So a pause or a burst of some windows moves neither, and a stage that slows down for good is
 * followed within a minute or so. A stage too slow for that is looked at over as long as it takes.
 *
 * Terminals say the same by `headway_client.estimate`; both pass `schemas/vectors/estimates`.
 */

/** @typedef {import("./client/headway.js").StageState} StageState */

/**
 * @typedef {object} Estimate
 * @property {number | null} rate files a second; null when not known
 * @property {number | null} leftMs until the last file; null when not known
 * @property {[number, number] | null} betweenMs how soon and how late that can be; the latter may be Infinity
 * @property {"recent" | "average" | null} basis of what was seen, or of all since the run began, as a first guess
 */

/** Files in a final state at a moment. @typedef {{at: number, files: number}} Sample */

const SAMPLE_MS = 1000; // between two samples
const KEPT_MS = 3_600_000; // of samples
const SPANS_MS = [60_000, 120_000, 600_000, KEPT_MS]; // looked at: the first in which enough files came
const ENOUGH_FILES = 20; // in a span, for its windows to be more than chance
const FEWEST_FILES = 4; // below which nothing is said
const SOONEST_MS = 4000; // of seeing a run, before which nothing is said of it
const WINDOWS = 12; // of a span

/** @type {Estimate} */
export const UNKNOWN = { rate: null, leftMs: null, betweenMs: null, basis: null };

/** What has been seen of one stage. */
export class StageHistory {
  /** @type {Sample[]} oldest first */
  samples = [];
  run = 0;

  /** Note how far the stage is; again and again. @param {StageState} stage @param {number} now */
  observe(stage, now) {
    const files = stage.processed + stage.errors;
    const last = this.samples.at(-1);
    if (stage.run !== this.run || (last !== undefined && (files < last.files || now < last.at))) this.samples = [];
    this.run = stage.run;
    if (last !== undefined && this.samples.length > 0 && now - last.at < SAMPLE_MS) return;
    this.samples.push({ at: now, files });
    if (now - this.samples[0].at > KEPT_MS) this.samples.shift();
  }

  /**
   * The estimate for the stage as it is at `now`.
   *
   * @param {StageState} stage
   * @param {boolean} stalled
   * @param {number} now
   * @returns {Estimate}
   */
  estimate(stage, stalled, now) {
    if (stage.endedAt !== null) return average(stage);
    if (stalled) return UNKNOWN;
    const rates = this.rates(now);
    if (rates === null) return average(stage);
    const [slow, rate, fast] = [0.25, 0.5, 0.75].map((share) => quantile(rates, share));
    if (rate === 0) return UNKNOWN; // more than half of the time nothing came: who knows
    const left = filesLeft(stage);
    if (left === null) return { rate, leftMs: null, betweenMs: null, basis: "recent" };
    /** @type {[number, number]} */
    const betweenMs = [(left / fast) * 1000, left === 0 ? 0 : (left / slow) * 1000];
    return { rate, leftMs: (left / rate) * 1000, betweenMs, basis: "recent" };
  }

  /** Files a second in each window, in rising order; null while too little was seen. @param {number} now */
  rates(now) {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || now - first.at < SOONEST_MS) return null;
    const seen = now - first.at;
    const span = SPANS_MS.find((most) => last.files - filesAt(this.samples, now - most) >= ENOUGH_FILES) ?? KEPT_MS;
    const length = Math.min(span, seen);
    const came = last.files - filesAt(this.samples, now - length);
    if (came < FEWEST_FILES) return null;
    const windows = Math.max(4, Math.min(WINDOWS, Math.floor(came / 2), Math.floor(length / SAMPLE_MS)));
    const step = length / windows;
    const counts = Array.from({ length: windows + 1 }, (_, place) => filesAt(this.samples, now - length + place * step));
    return counts.slice(1).map((files, place) => ((files - counts[place]) / step) * 1000).sort((one, other) => one - other);
  }
}

/** What is left of the run; null when the total is not known. @param {StageState} stage */
export function filesLeft(stage) {
  return stage.total === null ? null : Math.max(0, stage.total - stage.processed - stage.errors);
}

/** From its beginning to its end, or to its last event; null when not known. @param {StageState} stage */
export function lastedMs(stage) {
  const ms = Date.parse(stage.endedAt ?? stage.updatedAt ?? "") - Date.parse(stage.startedAt ?? "");
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

/** All since the run began: what is known of a run that is over, and a first guess for one that is not. @param {StageState} stage @returns {Estimate} */
function average(stage) {
  const ms = lastedMs(stage);
  const files = stage.processed + stage.errors;
  if (ms === null || ms === 0 || files < FEWEST_FILES) return UNKNOWN;
  const rate = (files / ms) * 1000;
  const left = stage.endedAt === null ? filesLeft(stage) : null;
  return { rate, leftMs: left === null ? null : (left / rate) * 1000, betweenMs: null, basis: "average" };
}

/** Files at a moment: between two samples as if they had come evenly. @param {Sample[]} samples @param {number} at */
function filesAt(samples, at) {
  let low = 0;
  let high = samples.length - 1;
  if (at <= samples[0].at) return samples[0].files;
  if (at >= samples[high].at) return samples[high].files;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (samples[middle].at <= at) low = middle;
    else high = middle;
  }
  const [before, after] = [samples[low], samples[high]];
  return before.files + (after.files - before.files) * ((at - before.at) / (after.at - before.at));
}

/** @param {number[]} sorted at least one @param {number} share */
export function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  return sorted[below] + (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]) * (place - below);
}
