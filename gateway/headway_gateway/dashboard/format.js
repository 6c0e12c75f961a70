// @ts-check
/** Numbers, times and names as people read them. Pure. */

import { exactJson, percent } from "./client/headway.js";

/** @typedef {import("./client/headway.js").StageState} StageState */
/** @typedef {import("./client/headway.js").Status} Status */

const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
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

/**
 * How far a batch is, in whole percent of the files whose number is known; null when none is. As for a stage, 100 is
 * said only when every stage is complete.
 *
 * @param {StageState[]} stages
 */
export function batchPercent(stages) {
  const known = stages.filter((stage) => stage.total);
  const total = known.reduce((sum, stage) => sum + (stage.total ?? 0), 0);
  if (total === 0) return null;
  const final = known.reduce((sum, stage) => sum + Math.min(stage.processed + stage.errors, stage.total ?? 0), 0);
  const most = stages.every((stage) => stage.endedAt !== null) ? 100 : 99;
  return Math.min(most, Math.floor((final / total) * 100));
}

/** Files that stand as failed, in all of these stages. @param {Pick<StageState, "errors">[]} stages */
export const batchErrors = (stages) => stages.reduce((sum, stage) => sum + stage.errors, 0);

/** "Worker gpu-3:4711 not heard for 25 s, on a.wav". @param {import("./client/headway.js").SilentWorker} worker */
export function silentText({ name, silentMs, files }) {
  const others = files.length > 1 ? ` and ${count(files.length - 1)} more` : "";
  return `⚠️ Worker ${name} not heard for ${duration(silentMs)}, on ${files[0]}${others}`;
}

/** "25 s", "3 min", "2 h", rounded down. @param {number} ms */
export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${count(Math.floor(seconds / 3600))} h`;
}

/** The same JSON for people. @param {string} text */
export const indentedJson = (text) => JSON.stringify(exactJson(text), null, 2);

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

/** A time of today as "10:01:40", another with its day. @param {string | null} timestamp */
export function when(timestamp) {
  const time = new Date(timestamp ?? NaN);
  if (Number.isNaN(time.getTime())) return "time not known";
  return time.toDateString() === new Date().toDateString() ? clock.format(time) : exact.format(time);
}

/** How long a file took: "340 ms", "12.3 s", "3 min 20 s"; a dash where nobody says. @param {number | null | undefined} ms */
export function took(ms) {
  if (ms == null) return "–";
  if (ms < 999.5) return `${number.format(Math.round(ms))} ms`;
  if (ms < 59_950) return `${number.format(Math.round(ms / 100) / 10)} s`;
  const seconds = Math.round(ms / 1000);
  return `${number.format(Math.floor(seconds / 60))} min ${seconds % 60} s`;
}

/** "3.2 of 80 GiB". @param {number | undefined} used @param {number | undefined} total in bytes */
export function memory(used, total) {
  const gib = (/** @type {number} */ bytes) => number.format(Math.round(bytes / 2 ** 30 * 10) / 10);
  if (total === undefined) return used === undefined ? "–" : `${gib(used)} GiB`;
  return used === undefined ? `${gib(total)} GiB` : `${gib(used)} of ${gib(total)} GiB`;
}
