// Rate and time left: what happens to a run, second by second, and what may then be said of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyStage } from "../../gateway/headway_gateway/dashboard/client/fold.js";
import { StageHistory, UNKNOWN } from "../../gateway/headway_gateway/dashboard/estimate.js";

const BEGAN = Date.parse("2026-11-25T10:00:00Z");
const at = (second) => new Date(BEGAN + second * 1000).toISOString();

function stageOf(processed, fields = {}) {
  return { ...emptyStage(1), started: true, status: "processing", total: 10_000, startedAt: at(0), updatedAt: at(0), processed, ...fields };
}

/** Watch a run from one second to another; `filesAt` says how many files are done at a second. */
function watched(filesAt, from, to, fields = {}, history = new StageHistory()) {
  let stage;
  for (let second = from; second <= to; second += 1) {
    stage = stageOf(filesAt(second), { updatedAt: at(second), ...fields });
    history.observe(stage, BEGAN + second * 1000);
  }
  return { history, stage, estimate: history.estimate(stage, false, BEGAN + to * 1000) };
}

const near = (found, wanted, share) => assert.ok(Math.abs(found - wanted) <= wanted * share, `${found} is not near ${wanted}`);

test("a steady run: its rate, and a time left that narrows to the truth", () => {
  for (const rate of [0.5, 3, 12.4, 80]) {
    const { estimate } = watched((second) => Math.floor(rate * second), 0, 120);
    near(estimate.rate, rate, 0.1);
    near(estimate.leftMs, ((10_000 - Math.floor(rate * 120)) / rate) * 1000, 0.1);
    assert.ok(estimate.betweenMs[0] <= estimate.leftMs && estimate.leftMs <= estimate.betweenMs[1]);
    assert.equal(estimate.basis, "recent");
  }
});

test("files that come in batches of fifty every five seconds count as ten a second", () => {
  const { estimate } = watched((second) => Math.floor(second / 5) * 50, 0, 180);
  near(estimate.rate, 10, 0.05);
});

test("neither a pause nor a burst of fifteen seconds swings the rate", () => {
  const paused = watched((second) => 10 * (second < 100 ? second : Math.max(100, second - 15)), 0, 118);
  near(paused.estimate.rate, 10, 0.02);
  const burst = watched((second) => 10 * second + 2000 * Math.max(0, Math.min(1, (second - 100) / 10)), 0, 118);
  near(burst.estimate.rate, 10, 0.02);
});

test("a pause makes the estimate less certain, and while more than half is silence nothing is said", () => {
  const halting = watched((second) => 10 * Math.min(second, 100), 0, 120).estimate;
  assert.ok(halting.betweenMs[1] > halting.leftMs * 1.2);
  assert.deepEqual(watched((second) => 10 * Math.min(second, 100), 0, 135).estimate, UNKNOWN);
});

test("a run that slows down for good is followed within a minute", () => {
  const { estimate } = watched((second) => (second < 300 ? 20 * second : 6000 + 5 * (second - 300)), 0, 345);
  near(estimate.rate, 5, 0.05);
});

test("files tried again change nothing", () => {
  const history = new StageHistory();
  let stage;
  for (let second = 0; second <= 60; second += 1) {
    const failed = Math.max(0, 100 - 5 * second); // a hundred failed before; each second five of them succeed, beside the ten new ones
    stage = stageOf(1000 + 10 * second - failed, { errors: failed });
    history.observe(stage, BEGAN + second * 1000);
  }
  near(history.estimate(stage, false, BEGAN + 60_000).rate, 10, 0.02);
});

test("a stalled run has no estimate, and a run that is over none of time", () => {
  const { history, stage } = watched((second) => 10 * second, 0, 60);
  assert.deepEqual(history.estimate(stage, true, BEGAN + 60_000), UNKNOWN);
  const over = stageOf(990, { errors: 10, endedAt: at(100), status: "complete_with_errors" });
  assert.deepEqual(history.estimate(over, false, BEGAN + 200_000), { rate: 10, leftMs: null, betweenMs: null, basis: "average" });
});

test("who joins late gets a guess of the average, marked so, and within seconds what is true now", () => {
  const slow = (second) => (second < 500 ? second : 500 + 20 * (second - 500)); // it has become faster
  const first = watched(slow, 510, 510).estimate;
  assert.equal(first.basis, "average");
  near(first.rate, slow(510) / 510, 0.01);
  assert.equal(first.betweenMs, null);
  const settled = watched(slow, 510, 515).estimate;
  assert.equal(settled.basis, "recent");
  near(settled.rate, 20, 0.05);
});

test("who joins late without knowing when the run began says nothing at first", () => {
  const { history, stage } = watched(() => 500, 0, 0, { startedAt: null });
  assert.deepEqual(history.estimate(stage, false, BEGAN), UNKNOWN);
});

test("a hidden tab's gap counts as even progress", () => {
  const history = watched((second) => 10 * second, 0, 30).history;
  near(watched((second) => 10 * second, 300, 302, {}, history).estimate.rate, 10, 0.01);
});

test("without a total there is a rate and no time left", () => {
  const { estimate } = watched((second) => 10 * second, 0, 60, { total: null });
  near(estimate.rate, 10, 0.01);
  assert.equal(estimate.leftMs, null);
});

test("a new run, and counts that went back, begin a new history", () => {
  const { history } = watched((second) => 100 * second, 0, 60);
  const again = stageOf(0, { run: 2, startedAt: at(61) });
  history.observe(again, BEGAN + 61_000);
  assert.deepEqual(history.estimate(again, false, BEGAN + 61_000), UNKNOWN);
  const other = watched((second) => 100 * second, 0, 60).history;
  other.observe(stageOf(10), BEGAN + 61_000);
  assert.equal(other.samples.length, 1);
});

test("whatever a run does, what is said is a finite rate above zero and a span around the time left", () => {
  let seed = 1;
  const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let round = 0; round < 200; round += 1) {
    const history = new StageHistory();
    let [second, files, errors] = [0, 0, 0];
    for (let step = 0; step < 100; step += 1) {
      second += chance() < 0.05 ? 200 * chance() : 2 * chance();
      files += chance() < 0.3 ? 0 : Math.floor(40 * chance() ** 4);
      errors = Math.min(files, errors + (chance() < 0.1 ? 1 : 0));
      const stage = stageOf(files - errors, { errors, updatedAt: at(second), total: chance() < 0.1 ? null : 5000 });
      history.observe(stage, BEGAN + second * 1000);
      const { rate, leftMs, betweenMs } = history.estimate(stage, false, BEGAN + second * 1000);
      assert.ok(rate === null || (rate > 0 && Number.isFinite(rate)));
      assert.ok(leftMs === null || (leftMs >= 0 && Number.isFinite(leftMs)));
      if (betweenMs !== null) assert.ok(betweenMs[0] <= leftMs && leftMs <= betweenMs[1], `${leftMs} of ${betweenMs}`);
    }
  }
});
