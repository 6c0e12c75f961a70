// Folds histories with the dashboard's fold.js: one request as a line of JSON in, one answer as a line of JSON out.
//
// Request: {events, snapshot?, now?, stalledAfterMs?}. Answer: what `support.counts.counts` gives for Python's fold.

import { createInterface } from "node:readline";

import {
  batchStatus,
  emptyBatch,
  foldBatch,
  percent,
  resume,
  statusAt,
} from "../../gateway/headway_gateway/dashboard/client/fold.js";

function describe(state, { now, stalledAfterMs }) {
  const { outcomes, ...counts } = state;
  return {
    ...counts,
    percent: percent(state),
    outcomes: [...outcomes],
    ...(now === undefined ? {} : { statusAt: statusAt(state, now, stalledAfterMs) }),
  };
}

function answer(request) {
  let batch = request.snapshot ? resume(request.snapshot) : emptyBatch();
  for (const event of request.events) batch = foldBatch(batch, event);
  const stages = [...batch.runs].map(([stage, runs]) => {
    const current = batch.stages[stage]; // what the console shows must be the last of the runs
    return [stage, [...runs.slice(0, -1), current].map((run) => describe(run, request))];
  });
  return { stages, closed: batch.closed, batchStatus: batchStatus(batch) };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
}
