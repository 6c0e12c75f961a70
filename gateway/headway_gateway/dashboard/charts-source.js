// @ts-check
/** Asks the API for what the charts show, at a modest rate, and only while somebody looks. No DOM. */

import { checkSession } from "./session.js";

/** @typedef {import("./charts-data.js").RunOutcomes} RunOutcomes */
/** @typedef {import("./charts-data.js").RunDurations} RunDurations */
/** @typedef {import("./charts-data.js").Timeline} Timeline */

const EVERY_MS = 5000; // between two looks
const SHARE = 20; // of the time: a look that takes long at the server comes as much more seldom

export class ChartsSource {
  /** @param {string} batchId @param {() => void} changed */
  constructor(batchId, changed) {
    this.batchId = batchId;
    this.changed = changed;
    /** @type {RunDurations[]} */
    this.durations = [];
    /** @type {RunOutcomes | null} */
    this.outcomes = null;
    /** @type {Timeline | null} */
    this.timeline = null;
    this.version = 0; // another for each answer that says something new
    this.tags = ""; // of what is shown
    this.problem = "";
    /** @type {number | null} */
    this.asOf = null;
    this.wanted = "";
    this.dueAt = 0;
    this.loading = false;
  }

  /** Ask again if it is time, or if another run is wanted; called while the charts are shown. @param {string} stage @param {number} run @param {boolean} isCurrent @param {number} now */
  look(stage, run, isCurrent, now) {
    const wanted = JSON.stringify([stage, run]);
    if (wanted !== this.wanted) {
      this.wanted = wanted;
      this.outcomes = null;
      this.dueAt = 0;
    }
    if (this.loading || now < this.dueAt) return;
    this.loading = true;
    this.load(stage, run, isCurrent, wanted).finally(() => {
      this.loading = false;
      this.changed();
    });
  }

  /** @param {string} stage @param {number} run @param {boolean} isCurrent @param {string} wanted */
  async load(stage, run, isCurrent, wanted) {
    const begin = performance.now();
    const one = new URLSearchParams({ stage, run: String(run) });
    try {
      /** @type {string[]} */
      const tags = [wanted];
      const outcomes = await this.ask(`outcomes?${one}`, tags);
      const durations = await this.ask("durations", tags);
      const earlier = isCurrent ? { runs: [] } : await this.ask(`durations?${one}`, tags);
      const timeline = await this.ask("timeline", tags);
      if (wanted !== this.wanted) return; // another run was chosen meanwhile: it is asked for at once
      this.outcomes = outcomes.runs[0] ?? null;
      this.durations = [...durations.runs, ...earlier.runs];
      this.timeline = timeline;
      this.problem = "";
      this.asOf = Date.now();
      if (this.tags !== tags.join()) this.version += 1;
      this.tags = tags.join();
    } catch (error) {
      this.problem = error instanceof Gone ? error.message : "The charts cannot be had at the moment; trying again.";
    }
    this.dueAt = Date.now() + Math.max(EVERY_MS, SHARE * (performance.now() - begin));
  }

  /** @param {string} what @param {string[]} tags to which that of the answer is added @returns {Promise<any>} */
  async ask(what, tags = []) {
    const response = await fetch(`/api/batches/${this.batchId}/${what}`);
    checkSession(response);
    if (response.status === 410) throw new Gone("The files and events of this batch are not kept any more; its counts are.");
    if (!response.ok) throw new Error(`${response.status}`);
    tags.push(response.headers.get("ETag") ?? String(Date.now())); // the browser asks with it, and has what has not changed
    return response.json();
  }

  /** Names of files that were decided between two offsets, failed ones if so wanted. @param {string} stage @param {number} from @param {number | null} to @param {boolean} failed @param {number} limit @returns {Promise<string[]>} */
  async names(stage, from, to, failed, limit) {
    const query = new URLSearchParams({
      stage, after: String(from - 1), eventType: failed ? "file_error" : "file_complete", limit: String(limit),
    });
    if (to !== null) query.set("before", String(to));
    const { events } = await this.ask(`events?${query}`);
    return [...new Set(events.map((/** @type {{data: {fileName: string}}} */ event) => event.data.fileName))];
  }
}

class Gone extends Error {}
