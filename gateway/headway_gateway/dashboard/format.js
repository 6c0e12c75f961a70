// @ts-check
/** Numbers, times and names as people read them. Pure. */

import { percent } from "./fold.js";

/** @typedef {import("./fold.js").StageState} StageState */
/** @typedef {import("./fold.js").Status} Status */

const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** @type {Record<Status, string>} */
const STATUS = {
  pending: "Pending",
  processing: "Processing ⏳",
  complete: "Complete ✅",
  complete_with_errors: "Complete with errors ⚠️",
  stalled: "Stalled ⏸️",
};

/** @type {Map<string, string>} */
const ICONS = new Map([
  ["denoise", "🔇"], ["normalise", "🎚️"], ["normalize", "🎚️"], ["encode", "📦"], ["transcribe", "📝"],
  ["diarize", "👥"], ["upload", "☁️"], ["download", "⬇️"],
]);

/** @param {number} count */
export const count = (count) => number.format(count);

/** @param {Status} status */
export const statusText = (status) => STATUS[status] ?? status;

/** @param {string} stage */
export const icon = (stage) => ICONS.get(stage.toLowerCase()) ?? "⚙️";

/** A stage's name with its first letter large. @param {string} stage */
export const stageTitle = (stage) => stage.charAt(0).toUpperCase() + stage.slice(1);

/** "100/500 files", or "1,234 files" when the total is unknown. @param {Pick<StageState, "processed" | "total">} stage */
export function filesText(stage) {
  return stage.total === null ? `${count(stage.processed)} files` : `${count(stage.processed)}/${count(stage.total)} files`;
}

/** "20%", or nothing when the total is unknown. @param {StageState} stage */
export function percentText(stage) {
  const value = percent(stage);
  return value === null ? "" : `${value}%`;
}

/** Width of a part of the bar, in percent of the bar. @param {number} files @param {number | null} total */
export function share(files, total) {
  return total ? Math.min(100, (files / total) * 100) : 0;
}

/** The time of day of a timestamp, "10:01:40". @param {string | null | undefined} timestamp */
export function timeOfDay(timestamp) {
  const time = new Date(timestamp ?? NaN);
  return Number.isNaN(time.getTime()) ? "--:--:--" : clock.format(time);
}

/** A moment in full. @param {string | null} timestamp */
export function moment(timestamp) {
  const time = new Date(timestamp ?? NaN);
  return Number.isNaN(time.getTime()) ? "" : day.format(time);
}
