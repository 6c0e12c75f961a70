// What the page says of the rate and the time left of runs: a JSON array of runs on stdin, of answers on stdout.
//
// Run: as in schemas/vectors/estimates. Answer: {estimate, says}; JSON has no infinity, which is the text "Infinity".

import { emptyStage } from "../../gateway/headway_gateway/dashboard/client/fold.js";
import { paceText } from "../../gateway/headway_gateway/dashboard/estimate-text.js";
import { StageHistory } from "../../gateway/headway_gateway/dashboard/estimate.js";

const BEGAN = Date.parse("2026-11-25T10:00:00Z");
const at = (second) => new Date(BEGAN + second * 1000).toISOString();

function answer({ stage: fields, seen, askedAt, stalled }) {
  const history = new StageHistory();
  let stage;
  for (const [second, run, processed, errors] of seen) {
    stage = { ...emptyStage(run), started: true, status: "processing", startedAt: at(0), updatedAt: at(second), processed, errors, ...fields };
    history.observe(stage, BEGAN + second * 1000);
  }
  const estimate = history.estimate(stage, stalled, BEGAN + askedAt * 1000);
  return { estimate, says: paceText(stage, estimate) };
}

let text = "";
for await (const chunk of process.stdin) text += chunk;
const answers = JSON.parse(text).map(answer);
process.stdout.write(JSON.stringify(answers, (_, value) => (value === Infinity ? "Infinity" : value)));
