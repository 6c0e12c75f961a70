// @ts-check
/** One file: how it stands in each run of each stage, and every attempt at it with all that was said. */

import { exactJson } from "../client/headway.js";
import { count, took, when } from "../format.js";
import { Polled } from "../polled.js";
import { batchAddress, copyButton, offsetLink, replaceKeepingFocus, showKeyed, showTrouble, table, viewLink } from "./controls.js";
import { element, setText } from "./elements.js";

export class FilePage {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.polled = new Polled(() => this.draw());
    this.version = -1;
    this.name = "";
    this.heading = element("h2", { class: "file-name" });
    this.trouble = element("p", { class: "notice", role: "status" });
    this.outcomes = table("How the file stands", ["Stage", "Run", "Stands as", "Duration", "Time", "Decided at"]);
    this.attempts = element("ol", { class: "attempts" });
    this.more = element("p", { class: "subline" });
    /** @type {Map<string, HTMLElement>} */
    this.shown = new Map();
    root.append(
      viewLink({ panel: "files" }, "All files"),
      element("div", { class: "headline" }, this.heading, copyButton("Copy name", () => this.name)),
      this.trouble, this.outcomes.root, element("h3", {}, "Attempts"), this.attempts, this.more,
    );
  }

  /** @param {string} name @param {number} now */
  update(name, now) {
    this.name = name;
    setText(this.heading, name);
    this.polled.want(batchAddress(`/files/${encodeURIComponent(name)}`), now);
    this.draw();
  }

  draw() {
    const { document: found, version, text } = this.polled;
    showTrouble(this.trouble, this.polled, "The attempts");
    if (version === this.version) return;
    this.version = version;
    replaceKeepingFocus(this.outcomes.body, (found?.outcomes ?? []).map(outcomeRow));
    this.outcomes.root.hidden = !found?.outcomes.length;
    /** @type {any[]} the same with exact numbers */
    const exact = found === null ? [] : exactJson(text).attempts;
    const attempts = exact.map((attempt, place) => ({ ...found.attempts[place], exact: attempt }));
    showKeyed(this.attempts, this.shown, attempts, (one) => `${this.name} ${one.offset}`, attemptView);
    setText(this.more, found?.next ? `The first ${count(attempts.length)} attempts; the others are in the API.` : "");
  }
}

/** @param {any} one as the API gives it */
function outcomeRow(one) {
  return element(
    "tr", {}, element("td", {}, one.stage), element("td", {}, String(one.run)),
    element("td", {}, one.outcome === "error" ? "Error" : "Success"), element("td", { class: "number" }, took(one.durationMs)),
    element("td", {}, when(one.timestamp)), element("td", {}, offsetLink(String(one.offset))),
  );
}

/** @param {any} attempt as the API gives it, and `exact`, the same with exact numbers */
function attemptView(attempt) {
  const { data, exact } = attempt;
  const failed = data.eventType === "file_error";
  const response = data.response !== null && typeof data.response === "object" ? data.response : {};
  const payload = JSON.stringify(exact.data, null, 2);
  const offset = JSON.stringify(exact.offset);
  const facts = [
    ["Time", when(attempt.timestamp)], ["Duration", took(data.durationMs)], ["Worker", data.worker],
    ["Host", data.gpuIp], ["GPU", gpuText(data.gpu)], ["Late", attempt.late ? "Yes: after stage_complete, so it is not counted" : null],
  ];
  const parts = [];
  if (failed) {
    const message = text(response.message ?? response.error);
    parts.push(element("p", { class: "said" }, element("strong", {}, text(response.type) || "Error"), message && `: ${message}`));
    parts.push(...message ? [copyButton("Copy message", () => message)] : []);
    const traceback = text(response.traceback);
    parts.push(...traceback ? [folded("Traceback", traceback, true)] : []);
  }
  return element(
    "li", { class: "card", "data-outcome": failed ? "error" : "success" },
    element("h4", {}, `${failed ? "Failed" : "Succeeded"} in ${attempt.stage}, run ${attempt.run}`),
    element("dl", {}, ...facts.filter(([, value]) => value != null && value !== "").flatMap(([name, value]) => [
      element("dt", {}, String(name)), element("dd", {}, String(value)),
    ])),
    ...parts, folded("Payload", payload, !failed),
    element("p", {}, offsetLink(offset)),
  );
}

/** @param {string} title @param {string} content @param {boolean} open */
function folded(title, content, open) {
  const made = element("details", {}, element("summary", {}, title), copyButton(`Copy ${title.toLowerCase()}`, () => content), element("pre", { tabindex: "0" }, content));
  if (open) made.setAttribute("open", "");
  return made;
}

/** What a pipeline said, which can be any JSON, as text. @param {unknown} value */
function text(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** @param {any} gpu */
function gpuText(gpu) {
  if (gpu === undefined || gpu === null) return "";
  return [gpu.index === undefined ? "" : `${gpu.index}:`, gpu.name ?? gpu.uuid ?? ""].filter(Boolean).join(" ");
}
