// @ts-check
/** What of a batch's course is worth a word: the first error, each tenth of the way, the end. Pure. */

/** How a batch stands. @typedef {{name: string, percent: number | null, errors: number, closed: boolean}} Standing */

/** @typedef {{kind: "error" | "progress" | "end", text: string}} Milestone */

/** What has happened between two looks at the same batch; the most important one. @param {Standing} before @param {Standing} after @returns {Milestone | null} */
export function milestone(before, after) {
  const errors = after.errors === 1 ? "1 error" : `${after.errors} errors`;
  if (after.closed && !before.closed) {
    return { kind: "end", text: `${after.name} is complete, ${after.errors ? `with ${errors}` : "without errors"}.` };
  }
  if (after.errors > 0 && before.errors === 0) return { kind: "error", text: `${after.name} has its first error.` };
  const tenth = (/** @type {number | null} */ percent) => Math.floor((percent ?? 0) / 10);
  if (tenth(after.percent) > tenth(before.percent)) return { kind: "progress", text: `${after.name}: ${after.percent} %, ${errors}.` };
  return null;
}

/** Lets one word through in a while, the last one that came meanwhile: what speaks all the time is not listened to. */
export class Calm {
  /** @param {number} everyMs */
  constructor(everyMs) {
    this.everyMs = everyMs;
    this.spokeAt = -Infinity;
    /** @type {string | null} */
    this.waiting = null;
  }

  /** What is to be said at `now`, if anything. @param {string | null} text new, or null @param {number} now */
  next(text, now) {
    this.waiting = text ?? this.waiting;
    if (this.waiting === null || now - this.spokeAt < this.everyMs) return null;
    const said = this.waiting;
    this.waiting = null;
    this.spokeAt = now;
    return said;
  }
}
