// @ts-check
/** From the answers of the API to what the charts draw: cells, ticks, bars. Pure. */

/** @typedef {import("./client/headway.js").StageState} StageState */

/**
 * @typedef {object} RunOutcomes as /api/batches/{id}/outcomes has them
 * @property {string} stage
 * @property {number} run
 * @property {number | null} total
 * @property {number} files
 * @property {number[]} sizes
 * @property {number[]} failed
 * @property {number[]} retried
 * @property {number[]} firstOffsets
 */

/**
 * @typedef {object} RunDurations as /api/batches/{id}/durations has them
 * @property {string} stage
 * @property {number} run
 * @property {number} files
 * @property {number | null} minMs
 * @property {number | null} p50Ms
 * @property {number | null} p90Ms
 * @property {number | null} p99Ms
 * @property {number | null} maxMs
 * @property {{fromMs: number, toMs: number, files: number}[]} bars
 */

/**
 * @typedef {object} Timeline as /api/batches/{id}/timeline has it
 * @property {string | null} beginAt
 * @property {number} stepMs
 * @property {number} buckets
 * @property {number} oneOf
 * @property {{stage: string, run: number, succeeded: number[], failed: number[]}[]} runs
 * @property {{worker: string, files: number[]}[]} workers
 * @property {number} workersLeftOut
 */

/**
 * One cell of the strip: files one after another.
 *
 * @typedef {object} Cell
 * @property {"done" | "retried" | "failed" | "flight" | "pending"} kind the worst that is in it
 * @property {number} from the first file's place, from 1
 * @property {number} files
 * @property {number} failed
 * @property {number} retried
 * @property {number | null} firstOffset where its first file was decided; null of those that are not yet
 */

/**
 * The cells of a run, some `most` of them: files that are decided in the order in which they were, then those in flight, then
 * those of which nothing is known yet.
 *
 * @param {RunOutcomes} run
 * @param {number} inFlight
 * @param {number} most
 * @returns {Cell[]}
 */
export function cellsOf(run, inFlight, most) {
  const all = Math.max(run.total ?? 0, run.files + inFlight);
  const aCell = Math.max(1, Math.ceil(all / most), ...(run.sizes.length ? [run.sizes[0]] : []));
  /** @type {Cell[]} */
  const cells = [];
  let from = 1;
  for (const [place, size] of run.sizes.entries()) {
    let cell = cells.at(-1);
    if (cell === undefined || cell.files + size > aCell) {
      cell = { kind: "done", from, files: 0, failed: 0, retried: 0, firstOffset: run.firstOffsets[place] };
      cells.push(cell);
    }
    cell.files += size;
    cell.failed += run.failed[place];
    cell.retried += run.retried[place];
    cell.kind = cell.failed ? "failed" : cell.retried ? "retried" : "done";
    from += size;
  }
  const flying = Math.min(inFlight, all - run.files);
  addAlike(cells, "flight", from, flying, aCell);
  addAlike(cells, "pending", from + flying, all - run.files - flying, aCell);
  return cells;
}

/** @param {Cell[]} cells @param {Cell["kind"]} kind @param {number} from @param {number} files @param {number} aCell */
function addAlike(cells, kind, from, files, aCell) {
  for (let begin = 0; begin < files; begin += aCell) {
    cells.push({ kind, from: from + begin, files: Math.min(aCell, files - begin), failed: 0, retried: 0, firstOffset: null });
  }
}

const MOST_CELLS = 5000; // as many groups as the API answers: so a run's cells stay where they are while it goes on

/**
 * How to lay out the cells of so many files: the largest size at which they fit.
 *
 * @param {number} files
 * @param {number} width pixels
 * @param {number} height pixels, at most
 */
export function gridFor(files, width, height) {
  const cells = Math.min(files, MOST_CELLS);
  const sizes = [14, 12, 10, 9, 8, 7, 6, 5];
  const size = sizes.find((one) => Math.floor(width / one) * Math.floor(height / one) >= cells) ?? 5;
  const columns = Math.max(1, Math.floor(width / size));
  return { size, columns, most: Math.min(MOST_CELLS, columns * Math.max(1, Math.floor(height / size))) };
}

const compact = new Intl.NumberFormat(undefined, { notation: "compact" });

/** "500", "20K": for an axis, which has no room for more. @param {number} value */
export const tickText = (value) => compact.format(value);

/** Round numbers from 0 to at least `most`, some `about` of them. @param {number} most @param {number} about */
export function ticks(most, about = 4) {
  if (!(most > 0)) return [0, 1];
  const rough = most / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((digit) => digit * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, place) => Number((place * step).toPrecision(12)));
}

const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000];

/** Round moments between two, at most `most`. @param {number} begin ms @param {number} end ms @param {number} most */
export function timeTicks(begin, end, most) {
  const step = 1000 * (TIME_STEPS_S.find((seconds) => (end - begin) / (seconds * 1000) <= most) ?? Math.ceil((end - begin) / most / 1000));
  const found = [];
  for (let at = Math.ceil(begin / step) * step; at <= end; at += step) found.push(at);
  return found;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockToTheSecond = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** A moment on an axis of so much time. @param {number} at ms @param {number} spanMs */
export function timeTickText(at, spanMs) {
  return (spanMs > 86_400_000 ? day : spanMs > 240_000 ? clock : clockToTheSecond).format(at);
}

/** Powers of ten, and twice and five times them, from below `from` to above `to`. @param {number} from @param {number} to */
export function logTicks(from, to) {
  const found = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power += 1) {
    for (const digit of [1, 2, 5]) found.push(Number((digit * 10 ** power).toPrecision(3)));
  }
  return found.filter((tick) => tick >= from && tick <= to);
}

/**
 * The rates of one run from its first bucket with files to its last. A bucket in which the run began or ended counts
 * with that part of it in which the run was.
 *
 * @param {Timeline} timeline
 * @param {string} stage
 * @param {Pick<StageState, "run" | "startedAt" | "updatedAt">} run
 */
export function ratesOf(timeline, stage, run) {
  const found = timeline.runs.find((one) => one.stage === stage && one.run === run.run);
  if (found === undefined || timeline.beginAt === null) return null;
  const any = (/** @type {number} */ place) => found.succeeded[place] > 0 || found.failed[place] > 0;
  let [first, last] = [0, timeline.buckets - 1];
  while (first < last && !any(first)) first += 1;
  while (last > first && !any(last)) last -= 1;
  const { stepMs } = timeline;
  const beginMs = Date.parse(timeline.beginAt) + first * stepMs;
  const [began, ended] = [Date.parse(run.startedAt ?? ""), Date.parse(run.updatedAt ?? "")];
  const seconds = Array.from({ length: last - first + 1 }, (_, place) => {
    const begin = beginMs + place * stepMs;
    const covered = Math.min(begin + stepMs, ended) - Math.max(begin, began);
    return (covered > stepMs / 4 ? covered : stepMs) / 1000; // too small a part of a bucket says nothing of a rate
  });
  const files = [...seconds.keys()].reduce((sum, place) => sum + found.succeeded[first + place] + found.failed[first + place], 0);
  return {
    beginMs,
    stepMs,
    succeeded: seconds.map((one, place) => found.succeeded[first + place] / one),
    failed: seconds.map((one, place) => found.failed[first + place] / one),
    mean: files / seconds.reduce((sum, one) => sum + one, 0),
  };
}

const SILENT_TIMES = 4; // as long as usual
const SILENT_TIMES_SAMPLED = 8; // between reports picked by chance, which leave longer gaps

/**
 * In which buckets a worker was busy, from its reports in each: it is idle where none came for longer than usual. First
 * and last bucket of each span.
 *
 * @param {number[]} reports
 * @param {boolean} sampled
 * @returns {[number, number][]}
 */
export function busySpans(reports, sampled) {
  const places = [...reports.keys()].filter((place) => reports[place] > 0);
  if (places.length === 0) return [];
  const usual = (places[places.length - 1] - places[0]) / reports.reduce((sum, one) => sum + one, 0);
  const most = Math.max(1, (sampled ? SILENT_TIMES_SAMPLED : SILENT_TIMES) * usual);
  /** @type {[number, number][]} */
  const spans = [[places[0], places[0]]];
  for (const place of places) {
    const current = spans[spans.length - 1];
    if (place - current[1] <= most) current[1] = place;
    else spans.push([place, place]);
  }
  return spans;
}

/** "850 µs", "41 ms", "3.5 s", "2.1 min": three digits at most. @param {number | null} ms */
export function durationText(ms) {
  if (ms === null) return "–";
  const [unit, value] = ms < 1 ? ["µs", ms * 1000] : ms < 1000 ? ["ms", ms] : ms < 120_000 ? ["s", ms / 1000]
    : ms < 3_600_000 ? ["min", ms / 60_000] : ["h", ms / 3_600_000];
  return `${Number(value.toPrecision(value >= 100 ? 3 : 2)).toLocaleString()} ${unit}`;
}
