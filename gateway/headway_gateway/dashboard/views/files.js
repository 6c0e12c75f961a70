// @ts-check
/** The files of a batch: searched, filtered, sorted, page by page; and one file whole where the address names it. */

import { go, parameter } from "../address.js";
import { took, when } from "../format.js";
import { Polled } from "../polled.js";
import { state } from "../store.js";
import { batchAddress, fileLink, link, offsetLink, replaceKeepingFocus, showKeyed, showTrouble, table } from "./controls.js";
import { element, setText } from "./elements.js";
import { FilePage } from "./file.js";

const TYPING_MS = 250;
const SORTS = [["name", "Name"], ["time", "Latest first"], ["duration", "Slowest first"]];
const OUTCOMES = [["", "Any outcome"], ["success", "Success"], ["error", "Error"]];

/** @type {import("./panels.js").Panel} */
export const files = { name: "files", title: "Files", open: (root) => new Files(root) };

class Files {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.list = element("div");
    this.one = element("div");
    root.append(this.list, this.one);
    this.fileList = new FileList(this.list);
    this.file = new FilePage(this.one);
  }

  /** @param {number} now */
  update(now) {
    const name = parameter("file");
    this.list.hidden = name !== null;
    this.one.hidden = name === null;
    if (name === null) this.fileList.update(now);
    else this.file.update(name, now);
  }
}

class FileList {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.polled = new Polled(() => this.draw());
    this.version = -1;
    this.search = /** @type {HTMLInputElement} */ (element("input", {
      class: "search", type: "search", placeholder: "Search files by name", "aria-label": "Search files by name",
    }));
    this.stage = choice("Stage", "stage", [["", "All stages"]]);
    this.outcome = choice("Outcome", "outcome", OUTCOMES);
    this.sort = choice("Order", "sort", SORTS);
    this.trouble = element("p", { class: "notice", role: "status" });
    this.table = table("Files", ["File", "Stage", "Outcome", "Duration", "Time", "Event"]);
    this.empty = element("p", { class: "empty" });
    this.pages = element("nav", { class: "choices", "aria-label": "Pages of files" });
    /** @type {Map<string, HTMLElement>} */
    this.shown = new Map();
    let typing = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = window.setTimeout(() => go({ q: this.search.value || null, after: null }), TYPING_MS);
    });
    root.append(
      element("h2", { class: "unseen" }, "Files"),
      element("div", { class: "filters", role: "search" }, this.search, this.stage, this.outcome, this.sort),
      this.trouble, this.table.root, this.empty, this.pages,
    );
  }

  /** @param {number} now */
  update(now) {
    this.addStages();
    for (const [select, name] of /** @type {const} */ ([[this.stage, "stage"], [this.outcome, "outcome"], [this.sort, "sort"]])) {
      const value = parameter(name) ?? (name === "sort" ? "name" : "");
      if (select.value !== value) select.value = value;
    }
    if (document.activeElement !== this.search) this.search.value = parameter("q") ?? "";
    const names = ["q", "stage", "outcome", "sort", "after"];
    this.polled.want(batchAddress("/files", Object.fromEntries(names.map((name) => [name, parameter(name)]))), now);
    this.draw();
  }

  /** The stages are known by their events, one after another. */
  addStages() {
    const known = new Set([...this.stage.options].map((option) => option.value));
    const named = parameter("stage");
    for (const name of [...state.batch.runs.keys(), ...named === null ? [] : [named]]) {
      if (known.has(name)) continue;
      known.add(name);
      this.stage.append(element("option", { value: name }, name));
    }
  }

  draw() {
    const { document: found, version, trouble } = this.polled;
    showTrouble(this.trouble, this.polled, "The files");
    if (version === this.version) return;
    this.version = version;
    const key = (/** @type {any} */ file) => JSON.stringify([file.stage, file.run, file.fileName, file.offset]);
    showKeyed(this.table.body, this.shown, found?.files ?? [], key, row);
    setText(this.empty, found !== null && found.files.length === 0 && trouble === null ? this.nothing() : "");
    this.table.root.hidden = !found?.files.length;
    const next = found?.next ? new URLSearchParams(found.next.split("?")[1]).get("after") : null;
    replaceKeepingFocus(this.pages, [
      ...parameter("after") === null ? [] : [link({ after: null }, "First page")],
      ...next === null ? [] : [link({ after: next }, "Next page")],
    ]);
  }

  nothing() {
    const filtered = ["q", "stage", "outcome", "after"].some((name) => parameter(name) !== null);
    return filtered ? "No file matches." : "No file has been reported yet.";
  }
}

/** @param {any} file as the API gives it */
function row(file) {
  return element(
    "tr", { "data-outcome": file.outcome },
    element("td", { class: "name" }, fileLink(file.fileName)), element("td", {}, file.run > 1 ? `${file.stage}, run ${file.run}` : file.stage),
    element("td", {}, outcomePill(file.outcome)), element("td", { class: "number" }, took(file.durationMs)),
    element("td", {}, when(file.timestamp)), element("td", {}, offsetLink(String(file.offset))),
  );
}

/** @param {"success" | "error"} outcome */
function outcomePill(outcome) {
  const failed = outcome === "error";
  return element("span", { class: "pill", "data-status": failed ? "complete_with_errors" : "complete" }, failed ? "Error" : "Success");
}

/** A choice that stands in the address. @param {string} label @param {string} name @param {string[][]} options */
function choice(label, name, options) {
  const made = options.map(([value, text]) => element("option", { value }, text));
  const select = /** @type {HTMLSelectElement} */ (element("select", { "aria-label": label }, ...made));
  select.addEventListener("change", () => go({ [name]: select.value || null, after: null }));
  return select;
}
