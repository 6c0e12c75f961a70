// What is worth a word of a batch's course, and how often one is said.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Calm, milestone } from "../../gateway/headway_gateway/dashboard/milestones.js";

const at = (percent, errors = 0, closed = false) => ({ name: "Night", percent, errors, closed });

test("each tenth of the way, the first error and the end are worth a word, and nothing else", () => {
  assert.equal(milestone(at(11), at(19)), null);
  assert.deepEqual(milestone(at(19, 2), at(20, 2)), { kind: "progress", text: "Night: 20 %, 2 errors." });
  assert.deepEqual(milestone(at(19), at(20, 1)), { kind: "error", text: "Night has its first error." });
  assert.equal(milestone(at(12, 1), at(13, 5)), null);
  assert.deepEqual(milestone(at(99), at(100, 0, true)), { kind: "end", text: "Night is complete, without errors." });
  assert.deepEqual(milestone(at(99, 1), at(100, 1, true)), { kind: "end", text: "Night is complete, with 1 error." });
  assert.equal(milestone(at(null), at(null)), null);
  assert.equal(milestone(at(30), at(0)), null); // another run has begun
});

test("one word in a while, the last that came, and none is lost", () => {
  const calm = new Calm(1000);
  assert.equal(calm.next("one", 0), "one");
  assert.equal(calm.next("two", 100), null);
  assert.equal(calm.next("three", 500), null);
  assert.equal(calm.next(null, 999), null);
  assert.equal(calm.next(null, 1000), "three");
  assert.equal(calm.next(null, 5000), null);
});
