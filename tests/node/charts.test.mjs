// What the charts draw: every file in some cell, round ticks, times in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { busySpans, cellsOf, durationText, gridFor, logTicks, ratesOf, tickText, ticks, timeTicks } from "../../gateway/headway_gateway/dashboard/charts-data.js";
import { elapsedText, leftText, paceText, rateText } from "../../gateway/headway_gateway/dashboard/estimate-text.js";
import { emptyStage } from "../../gateway/headway_gateway/dashboard/client/fold.js";

const outcomes = (sizes, total, failed = {}, retried = {}) => ({
  stage: "s", run: 1, total, files: sizes.reduce((sum, size) => sum + size, 0), sizes,
  failed: sizes.map((_, place) => failed[place] ?? 0), retried: sizes.map((_, place) => retried[place] ?? 0),
  firstOffsets: sizes.map((_, place) => place * 10),
});

test("few files have a cell each, in order, then those in flight, then those that are not yet", () => {
  const cells = cellsOf(outcomes([1, 1, 1, 1], 8, { 1: 1 }, { 2: 1 }), 2, 100);
  assert.deepEqual(cells.map(({ kind }) => kind), ["done", "failed", "retried", "done", "flight", "flight", "pending", "pending"]);
  assert.deepEqual(cells.map(({ from }) => from), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(cells.map(({ firstOffset }) => firstOffset), [0, 10, 20, 30, null, null, null, null]);
});

test("whatever there is, every file is in one cell, no failure is lost, and the cells fit", () => {
  let seed = 7;
  const chance = (most) => (seed = (seed * 16807) % 2147483647) % most;
  for (let round = 0; round < 300; round += 1) {
    const aGroup = 1 + chance(300);
    const sizes = Array.from({ length: chance(5000) }, () => aGroup + (aGroup > 1 ? chance(aGroup) : 0));
    const failed = { [chance(5000)]: 1, [chance(5000)]: 1 };
    const known = sizes.reduce((sum, size) => sum + size, 0);
    const run = outcomes(sizes, chance(4) ? known + chance(100_000) : null, failed);
    const inFlight = chance(50);
    const most = 200 + chance(6000);
    const cells = cellsOf(run, inFlight, most);
    const all = Math.max(run.total ?? 0, known + inFlight);
    assert.equal(cells.reduce((sum, { files }) => sum + files, 0), all);
    assert.equal(cells.reduce((sum, cell) => sum + cell.failed, 0), run.failed.reduce((sum, one) => sum + one, 0));
    assert.ok(cells.every(({ kind, failed }) => (failed > 0) === (kind === "failed")));
    assert.ok(cells.length <= 2 * most + 3, `${cells.length} cells where ${most} fit`);
    let from = 1;
    for (const cell of cells) {
      assert.equal(cell.from, from);
      from += cell.files;
    }
  }
});

test("the grid's cells are as large as fit", () => {
  assert.deepEqual(gridFor(100, 1400, 224), { size: 14, columns: 100, most: 1600 });
  assert.equal(gridFor(5000, 1480, 224).size, 8);
  assert.deepEqual(gridFor(1_000_000, 1480, 224), gridFor(5000, 1480, 224));
  assert.deepEqual(gridFor(1_000_000, 300, 224), { size: 5, columns: 60, most: 2640 });
});

test("ticks are round and reach the largest value", () => {
  assert.deepEqual(ticks(3.7, 3), [0, 2, 4]);
  assert.deepEqual(ticks(0.05, 4), [0, 0.02, 0.04, 0.06]);
  assert.deepEqual(ticks(0), [0, 1]);
  assert.deepEqual(logTicks(90, 1100), [100, 200, 500, 1000]);
  assert.deepEqual(timeTicks(1000, 61_000, 7), [10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  assert.equal(tickText(20_000), "20K");
});

test("rates are those of the run's own time, and of the parts of buckets in which it was", () => {
  const timeline = {
    beginAt: "2026-11-25T10:00:00Z", stepMs: 2000, buckets: 5, oneOf: 1, workers: [], workersLeftOut: 0,
    runs: [{ stage: "s", run: 1, succeeded: [0, 4, 0, 2, 0], failed: [0, 0, 0, 2, 0] }],
  };
  const run = { run: 1, startedAt: "2026-11-25T10:00:02Z", updatedAt: "2026-11-25T10:00:07Z" };
  const beginMs = Date.parse("2026-11-25T10:00:02Z");
  assert.deepEqual(ratesOf(timeline, "s", run), { beginMs, stepMs: 2000, succeeded: [2, 0, 2], failed: [0, 0, 2], mean: 1.6 });
  assert.equal(ratesOf(timeline, "s", { ...run, run: 2 }), null);
});

test("a worker is idle where it is silent for longer than usual", () => {
  assert.deepEqual(busySpans([0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 0], false), [[1, 4], [13, 15]]);
  assert.deepEqual(busySpans([0, 0, 0], false), []);
});

test("durations have two or three digits in a unit that fits", () => {
  assert.deepEqual([0.02, 41.24, 999, 3500, 66_400, 130_000, 7_200_000, null].map(durationText), ["20 µs", "41 ms", "999 ms", "3.5 s", "66 s", "2.2 min", "2 h", "–"]);
});

test("rates and times left in words", () => {
  assert.deepEqual([12.41, 1234.5, 0.05, 0.001].map(rateText), ["12.4 files/s", "1,235 files/s", "3.0 files/min", "3.6 files/h"]);
  const left = (leftMs, betweenMs) => leftText({ rate: 1, leftMs, betweenMs, basis: "recent" });
  assert.equal(left(180_000, [130_000, 290_000]), "about 3 min left (2 to 5)");
  assert.equal(left(40_000, [39_800, 40_200]), "about 40 s left");
  assert.equal(left(7_200_000, [6_000_000, Infinity]), "about 2 h left (at least 2)");
  assert.equal(left(86_400_000 * 3, null), "about 3 days left");
  assert.equal(left(null, null), "");
  assert.deepEqual([12_000, 200_000, 3_840_000, 90_000_000].map(elapsedText), ["12 s", "3 min 20 s", "1 h 4 min", "1 d 1 h"]);
});

test("a card's line says what is known, and where a guess is one", () => {
  const stage = { ...emptyStage(1), status: "processing", total: 100, processed: 10, startedAt: "2026-11-25T10:00:00Z" };
  const over = { ...stage, endedAt: "2026-11-25T10:01:40Z" };
  assert.equal(paceText(stage, { rate: 2, leftMs: 45_000, betweenMs: [30_000, 60_000], basis: "recent" }), "2.0 files/s · about 45 s left (30 to 60)");
  assert.equal(paceText(stage, { rate: 2, leftMs: 45_000, betweenMs: null, basis: "average" }), "2.0 files/s on average · about 45 s left");
  assert.equal(paceText(stage, { rate: null, leftMs: null, betweenMs: null, basis: null }), "time left not known");
  assert.equal(paceText(over, { rate: 1, leftMs: null, betweenMs: null, basis: "average" }), "took 1 min 40 s · 1.0 files/s on average");
});
