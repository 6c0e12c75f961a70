// @ts-check
/** Asks the API for what a stage reported before some offset. No DOM. */

import { exactJson } from "./client/headway.js";
import { RECENT_EVENTS, SHOWN } from "./store.js";

/** @typedef {import("./store.js").RecentEvent} RecentEvent */

const ASKED = 2 * RECENT_EVENTS; // checkpoints and heartbeats among them are not shown

/**
 * The events of a stage that a card shows, from before an offset; none when they cannot be had.
 *
 * @param {string} batchId
 * @param {string} stage
 * @param {number} offset
 * @returns {Promise<RecentEvent[]>} newest first
 */
export async function eventsBefore(batchId, stage, offset) {
  const query = new URLSearchParams({ stage, before: String(offset), order: "desc", limit: String(ASKED) });
  const response = await fetch(`/api/batches/${batchId}/events?${query}`).catch(() => null);
  if (!response?.ok) return [];
  const { events } = exactJson(await response.text());
  return events.map(recentEvent).filter((/** @type {RecentEvent} */ { data }) => SHOWN.has(data.eventType)).slice(0, RECENT_EVENTS);
}

/** @param {{offset: unknown, data: unknown}} event with exact numbers @returns {RecentEvent} */
function recentEvent({ offset, data }) {
  const text = JSON.stringify(data);
  return { offset: JSON.stringify(offset), data: JSON.parse(text), text };
}
