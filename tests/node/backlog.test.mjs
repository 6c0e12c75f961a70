// One who joins a shared stream late counts the same as one who was there from the beginning.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Backlog } from "../../gateway/headway_gateway/dashboard/client/backlog.js";
import { emptyBatch, foldBatch } from "../../gateway/headway_gateway/dashboard/client/fold.js";

const event = (id, fields) => ({ type: "event", id: String(id), text: JSON.stringify({ stage: "denoise", ...fields }) });

function events(count) {
  return Array.from({ length: count }, (_, id) => event(id, id % 11 === 0
    ? { eventType: "file_error", fileName: `${id}.wav` }
    : { eventType: "file_complete", fileName: `${id - (id % 3)}.wav` }));
}

const begin = () => ({ type: "state", id: "-1", batch: emptyBatch(), cause: "snapshot", reason: "", nextOffset: 0 });

function counted(messages) {
  let batch = emptyBatch();
  for (const message of structuredClone(messages)) {
    if (message.type === "state") batch = { ...emptyBatch(), ...message.batch };
    if (message.type === "event") batch = foldBatch(batch, JSON.parse(message.text));
  }
  return batch.stages.denoise;
}

test("whenever one joins, the counts are those of all events", () => {
  const all = events(100);
  const backlog = new Backlog(10);
  backlog.take(begin());
  for (const [place, one] of all.entries()) {
    backlog.take(one);
    assert.deepEqual(counted(backlog.messages()), counted([begin(), ...all.slice(0, place + 1)]));
  }
});

test("the last events are kept as events, and not many more", () => {
  const backlog = new Backlog(10);
  backlog.take(begin());
  for (const one of events(1000)) backlog.take(one);
  const kept = backlog.messages().filter(({ type }) => type === "event");
  assert.ok(kept.length >= 10 && kept.length < 20);
  assert.equal(kept.at(-1).id, "999");
  assert.equal(backlog.state.nextOffset, Number(kept[0].id));
});

test("a new state forgets what was before it", () => {
  const backlog = new Backlog(10);
  backlog.take(begin());
  for (const one of events(15)) backlog.take(one);
  backlog.take(begin());
  assert.deepEqual(backlog.messages().filter(({ type }) => type === "event"), []);
  assert.equal(counted(backlog.messages()), undefined);
});

test("the connection is told last, as it is now", () => {
  const backlog = new Backlog();
  assert.deepEqual(backlog.messages(), [{ type: "connection", connection: "connecting" }]);
  backlog.take({ type: "connection", connection: "live" });
  backlog.take(begin());
  assert.deepEqual(backlog.messages().at(-1), { type: "connection", connection: "live" });
});
