// @ts-check
/** The workers of a batch: what each is on, its GPUs and what it has done of late; by host. */

import { count, memory, when } from "../format.js";
import { Polled } from "../polled.js";
import { rate } from "../rates.js";
import { batchAddress, fileLink, heading, replaceKeepingFocus, showTrouble } from "./controls.js";
import { element, setText } from "./elements.js";


const COLUMNS = ["Worker", "GPU", "Load", "Memory", "On", "Done", "Failed", "Files/min", "Last heard"];

/** @type {import("./panels.js").Panel} */
export const workers = { name: "workers", title: "Workers", open: (root) => new Workers(root) };

class Workers {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.polled = new Polled(() => this.draw());
    this.version = -1;
    this.summary = element("p", { class: "subline" });
    this.trouble = element("p", { class: "notice", role: "status" });
    this.bodies = element("table", {});
    this.empty = element("p", { class: "empty" });
    this.wrap = element("div", { class: "table-wrap" }, this.bodies);
    root.append(element("h2", { class: "unseen" }, "Workers"), this.summary, this.trouble, this.wrap, this.empty);
  }

  /** @param {number} now */
  update(now) {
    this.polled.want(batchAddress("/workers"), now);
    this.draw();
  }

  draw() {
    const { document: found, version } = this.polled;
    showTrouble(this.trouble, this.polled, "The workers");
    if (version === this.version) return;
    this.version = version;
    const all = /** @type {any[]} */ (found?.workers ?? []);
    setText(this.summary, found === null || all.length === 0 ? "" : summary(found));
    setText(this.empty, found !== null && all.length === 0 ? "No worker has been named yet." : "");
    this.wrap.hidden = all.length === 0;
    /** @type {Map<string, any[]>} */
    const hosts = new Map();
    for (const worker of all) {
      const host = worker.host ?? "";
      hosts.set(host, [...hosts.get(host) ?? [], worker]);
    }
    const head = element("thead", {}, element("tr", {}, ...COLUMNS.map(heading)));
    const byHost = [...hosts].sort(([one], [other]) => one.localeCompare(other)).map(([host, some]) => this.host(host, some, found));
    replaceKeepingFocus(this.bodies, [element("caption", { class: "unseen" }, "Workers by host"), head, ...byHost]);
  }

  /** @param {string} host @param {any[]} some @param {any} found */
  host(host, some, found) {
    const gpus = new Set(some.flatMap((worker) => worker.gpus.map((/** @type {any} */ one) => one.gpu.uuid ?? one.gpu.index)));
    const about = `${host || "Host not known"} · ${workersText(some.length)} · ${gpus.size === 1 ? "1 GPU" : `${count(gpus.size)} GPUs`}`;
    const title = element("th", { scope: "rowgroup", colspan: String(COLUMNS.length), class: "host" }, about);
    return element("tbody", {}, element("tr", {}, title), ...some.map((worker) => this.row(worker, found)));
  }

  /** @param {any} worker @param {any} found */
  row(worker, found) {
    const heard = when(worker.lastHeardAt);
    const gpus = /** @type {any[]} */ (worker.gpus).map((one) => one.gpu);
    return element(
      "tr", { "data-silent": String(worker.silent) },
      element("th", { scope: "row", class: "name" }, worker.worker),
      lines(gpus.map((gpu) => [gpu.index === undefined ? "" : `${gpu.index}:`, gpu.name ?? gpu.uuid ?? "GPU"].join(" ").trim())),
      lines(gpus.map((gpu) => gpu.utilizationPercent === undefined ? "–" : `${count(gpu.utilizationPercent)}%`)),
      lines(gpus.map((gpu) => memory(gpu.memoryUsedBytes, gpu.memoryTotalBytes))),
      onCell(worker),
      element("td", { class: "number" }, count(worker.done)), element("td", { class: "number" }, count(worker.failed)),
      element("td", { class: "number" }, rate(worker.done + worker.failed, found.since, found.until)),
      element("td", {}, ...worker.silent ? [element("span", { class: "pill", "data-status": "stalled" }, `Silent since ${heard}`)] : [heard]),
    );
  }
}

/** @param {number} number */
const workersText = (number) => number === 1 ? "1 worker" : `${count(number)} workers`;

/** @param {any} found */
function summary(found) {
  const silent = found.workers.filter((/** @type {any} */ worker) => worker.silent).length;
  const busy = found.workers.filter((/** @type {any} */ worker) => worker.filesInFlight.length > 0).length;
  const counted = found.whole ? "Done and failed are of the whole batch" : `Done, failed and rate are of the last ${count(found.events)} events, since ${when(found.since)}`;
  return `${workersText(found.workers.length)}, ${count(busy)} busy, ${count(silent)} silent. ${counted}; the GPU is as last heard.`;
}

/** @param {string[]} texts */
const lines = (texts) => element("td", {}, ...texts.length ? texts.map((text) => element("div", {}, text)) : ["–"]);

/** @param {any} worker */
function onCell(worker) {
  const cell = element("td", { class: "name" });
  for (const { fileName, since } of worker.filesInFlight) {
    cell.append(element("div", {}, fileLink(fileName), since === null ? "" : ` since ${when(since)}`));
  }
  if (worker.moreInFlight) cell.append(element("div", {}, `and ${count(worker.moreInFlight)} more`));
  if (!cell.hasChildNodes()) cell.append("Idle");
  return cell;
}
