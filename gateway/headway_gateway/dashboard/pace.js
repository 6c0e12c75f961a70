// @ts-check
/** What has been seen of each stage since the page was opened, and what that says of its rate and time left. */

import { statusAt } from "./client/headway.js";
import { StageHistory } from "./estimate.js";
import { state } from "./store.js";

/** @type {Map<string, StageHistory>} */
const histories = new Map();

/** Note how far the stages are; whenever the page is drawn. @param {number} now */
export function observe(now) {
  for (const [name, stage] of Object.entries(state.batch.stages)) {
    let history = histories.get(name);
    if (history === undefined) histories.set(name, (history = new StageHistory()));
    history.observe(stage, now);
  }
}

/** The estimate for a stage's current run. @param {string} name @param {number} now */
export function estimateOf(name, now) {
  const stage = state.batch.stages[name];
  const stalled = statusAt(stage, now, state.limits.stalledMs) === "stalled";
  return (histories.get(name) ?? new StageHistory()).estimate(stage, stalled, now);
}
