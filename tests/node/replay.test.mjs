// A replay: how the stages stood at a moment, and the clock that passes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { extent, frameAt, nextChange, ReplayClock, stagesAt } from "../../gateway/headway_gateway/dashboard/replay.js";

const history = {
  offsets: [0, 1, 5, 6, 9],
  times: [null, 1000, 5000, 5000, 9000],
  runs: [
    { stage: "denoise", run: 1, frames: [1, 2], processed: [0, 4], errors: [0, 1], totals: [null, 5], statuses: ["processing", "complete_with_errors"] },
    { stage: "denoise", run: 2, frames: [3, 4], processed: [0, 2], errors: [0, 0], totals: [5, 5], statuses: ["processing", "processing"] },
    { stage: "encode", run: 1, frames: [4], processed: [1], errors: [0], totals: [3], statuses: ["processing"] },
  ],
};

test("a moment is the last frame that had come by then", () => {
  assert.deepEqual([0, 999, 1000, 4999, 5000, 8999, 9000, 10 ** 13].map((at) => frameAt(history, at)), [0, 0, 1, 1, 3, 3, 4, 4]);
});

test("each stage stands in the run that was its current one", () => {
  const shown = (frame) => [...stagesAt(history, frame)].map(([name, { run, processed, errors, total, status }]) => [name, run, processed, errors, total, status]);
  assert.deepEqual(shown(0), []);
  assert.deepEqual(shown(1), [["denoise", 1, 0, 0, null, "processing"]]);
  assert.deepEqual(shown(2), [["denoise", 1, 4, 1, 5, "complete_with_errors"]]);
  assert.deepEqual(shown(3), [["denoise", 2, 0, 0, 5, "processing"]]);
  assert.deepEqual(shown(4), [["denoise", 2, 2, 0, 5, "processing"], ["encode", 1, 1, 0, 3, "processing"]]);
  assert.equal(stagesAt(history, 2).get("denoise").endedAt, "1970-01-01T00:00:05.000Z");
});

test("changes are found forwards and backwards, and none beyond the ends", () => {
  assert.equal(nextChange(history, 1000, 1), 5000);
  assert.equal(nextChange(history, 5000, 1), 9000);
  assert.equal(nextChange(history, 9000, 1), null);
  assert.equal(nextChange(history, 6000, -1), 5000);
  assert.equal(nextChange(history, 1000, -1), null);
});

test("a batch without events has no extent", () => {
  assert.deepEqual(extent(history), { begin: 1000, end: 9000 });
  assert.equal(extent({ offsets: [0], times: [null], runs: [] }), null);
});

test("the clock passes at its speed, stops at the end, and begins again from there", () => {
  const clock = new ReplayClock();
  clock.bound({ begin: 1000, end: 9000 });
  clock.pass(100);
  assert.equal(clock.at, 1000); // not playing yet
  clock.speed = 10;
  clock.play();
  clock.pass(100);
  assert.deepEqual([clock.at, clock.playing], [2000, true]);
  clock.bound({ begin: 1000, end: 12_000 }); // more has happened meanwhile
  clock.pass(5000);
  assert.deepEqual([clock.at, clock.playing], [12_000, false]);
  clock.play();
  assert.deepEqual([clock.at, clock.playing], [1000, true]);
  clock.set(10 ** 9);
  assert.equal(clock.at, 12_000);
});
