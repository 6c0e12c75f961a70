// @ts-check
/** Rates, times left and elapsed times in words. Pure. */

import { filesLeft, lastedMs } from "./estimate.js";
import { count } from "./format.js";

/** @typedef {import("./client/headway.js").StageState} StageState */
/** @typedef {import("./estimate.js").Estimate} Estimate */

const tenths = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A unit of time, its milliseconds, and below how many of it it is used. @type {[string, number, number][]} */
const UNITS = [["s", 1000, 90], ["min", 60_000, 90], ["h", 3_600_000, 48], ["days", 86_400_000, Infinity]];

/** "12.4 files/s", "3.1 files/min": in a unit in which it is at least one. @param {number} perSecond */
export function rateText(perSecond) {
  const [unit, rate] = perSecond >= 1 ? ["s", perSecond] : perSecond * 60 >= 1 ? ["min", perSecond * 60] : ["h", perSecond * 3600];
  return `${rate >= 100 ? count(Math.round(rate)) : tenths.format(rate)} files/${unit}`;
}

/**
 * "about 3 min left (2 to 5)"; nothing when it is not known.
 *
 * @param {Estimate} estimate
 */
export function leftText({ leftMs, betweenMs }) {
  if (leftMs === null) return "";
  if (leftMs === 0) return "finishing";
  const [unit, unitMs] = UNITS.find(([, ms, most]) => leftMs / ms < most) ?? UNITS[3];
  const about = Math.max(1, Math.round(leftMs / unitMs));
  if (betweenMs === null) return `about ${about} ${unit} left`;
  const soonest = Math.max(1, Math.round(betweenMs[0] / unitMs));
  const latest = Math.max(about, Math.round(betweenMs[1] / unitMs));
  if (!Number.isFinite(latest)) return `about ${about} ${unit} left (at least ${soonest})`;
  return soonest === latest ? `about ${about} ${unit} left` : `about ${about} ${unit} left (${soonest} to ${latest})`;
}

/** "1 h 4 min", "3 min 20 s", "12 s": two units, rounded down. @param {number} ms */
export function elapsedText(ms) {
  const seconds = Math.floor(ms / 1000);
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/**
 * The line of a stage's card: "12.4 files/s · about 3 min left (2 to 5)".
 *
 * @param {StageState} stage
 * @param {Estimate} estimate
 */
export function paceText(stage, estimate) {
  const { rate, basis } = estimate;
  const took = lastedMs(stage);
  if (stage.endedAt !== null) {
    return [took === null ? "" : `took ${elapsedText(took)}`, rate === null ? "" : `${rateText(rate)} on average`].filter(Boolean).join(" · ");
  }
  if (rate === null) return filesLeft(stage) === 0 ? "finishing" : "time left not known";
  const left = leftText(estimate);
  const guess = basis === "average" ? " on average" : "";
  return [`${rateText(rate)}${guess}`, left].filter(Boolean).join(" · ");
}
