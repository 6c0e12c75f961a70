// Folds histories with the dashboard's fold.js: one request as a line of JSON in, one answer as a line of JSON out.
//
// Request: {events, snapshot?, now?, limitMs?}. Answer: what `support.counts.counts` gives for Python's fold.

import { createInterface } from "node:readline";

import {
  batchStatus,
  emptyBatch,
  foldBatch,
  percent,
  resume,
  silentWorkers,
  statusAt,
} from "../../gateway/headway_gateway/dashboard/client/fold.js";

// As Python sorts texts: by code points, where JavaScript compares UTF-16.
const inOrder = (one, other) => Buffer.compare(Buffer.from(String(one)), Buffer.from(String(other)));

function describe(state, { now, limitMs }) {
  const { outcomes, workers, inFlight, ...counts } = state;
  return {
    ...counts,
    percent: percent(state),
    outcomes: [...outcomes],
    workers: [...workers].map(([worker, { lastHeardAt, files }]) => ({ worker, lastHeardAt, filesInFlight: [...files] })),
    inFlight: [...inFlight].sort(([one], [other]) => inOrder(one, other)),
    ...(now === undefined ? {} : {
      statusAt: statusAt(state, now, limitMs),
      silentWorkers: silentWorkers(state, now, limitMs).map(({ name }) => name).sort(inOrder),
    }),
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
