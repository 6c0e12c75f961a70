// @ts-check
/** The errors of a batch, grouped by what they say: those that stand, and those that a retry has mended. */

import { go, parameter } from "../address.js";
import { count, when } from "../format.js";
import { Polled } from "../polled.js";
import { state } from "../store.js";
import { batchAddress, copyButton, fileLink, link, offsetLink, showKeyed, showTrouble, table } from "./controls.js";
import { element, setAttribute, setText } from "./elements.js";

const FILES = 50; // of a page within a group
const RETRY_MS = 2000; // after the files of a group could not be had
const LATEST = 20_000; // failed files that are grouped: half a second for the database, however many there are

/** @type {import("./panels.js").Panel} */
export const errors = { name: "errors", title: "Errors", open: (root) => new Errors(root) };

class Errors {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.polled = new Polled(() => this.draw());
    this.version = -1;
    this.now = link({ mended: null, group: null });
    this.mended = link({ mended: "true", group: null }, "Mended by a retry");
    this.summary = element("p", { class: "subline" });
    this.trouble = element("p", { class: "notice", role: "status" });
    this.groups = element("ol", { class: "groups", "aria-label": "Groups of errors" });
    /** @type {Map<string, HTMLElement>} */
    this.shown = new Map();
    /** @type {Map<string, Group>} */
    this.views = new Map();
    root.append(
      element("h2", { class: "unseen" }, "Errors"),
      element("nav", { class: "choices", "aria-label": "Which errors" }, this.now, this.mended),
      this.summary, this.trouble, this.groups,
    );
  }

  /** @param {number} now */
  update(now) {
    const mended = parameter("mended") === "true";
    const standing = Object.values(state.stages).reduce((sum, stage) => sum + stage.errors, 0);
    setText(this.now, state.batch.runs.size ? `Errors now: ${count(standing)}` : "Errors now");
    setAttribute(this.now, "aria-current", mended ? null : "page");
    setAttribute(this.mended, "aria-current", mended ? "page" : null);
    this.polled.want(batchAddress("/errors", { mended: mended ? "true" : null, latest: String(LATEST) }), now);
    this.draw();
    const open = parameter("group");
    for (const [key, view] of this.views) view.update(key === open, now);
  }

  draw() {
    const { document: found, version } = this.polled;
    showTrouble(this.trouble, this.polled, "The errors");
    if (version === this.version) return;
    this.version = version;
    const mended = parameter("mended") === "true";
    setText(this.summary, found === null ? "" : summary(found, mended));
    showKeyed(this.groups, this.shown, found?.errors ?? [], key, (group) => {
      const view = new Group(key(group), mended);
      this.views.set(key(group), view);
      return view.root;
    });
    for (const name of this.views.keys()) if (!this.shown.has(name)) this.views.delete(name);
    for (const group of found?.errors ?? []) this.views.get(key(group))?.show(group);
  }
}

/** What stays the same of a group while errors come. @param {any} group */
const key = (group) => JSON.stringify([group.type, group.message]);

/** @param {any} found @param {boolean} mended */
function summary(found, mended) {
  if (found.files === 0) return mended ? "No file has failed and then succeeded." : "No file stands as failed.";
  const files = found.files === 1 ? "1 file" : `${count(found.files)} files`;
  const groups = found.groups === 1 ? "1 group" : `${count(found.groups)} groups`;
  const shown = found.groups > found.errors.length ? `; the ${count(found.errors.length)} largest are shown` : "";
  if (found.files === LATEST) return `The latest ${files} that ${mended ? "failed and succeeded since" : "stand as failed"}, in ${groups}${shown}.`;
  return `${files} ${mended ? "failed and succeeded since" : found.files === 1 ? "stands as failed" : "stand as failed"}, in ${groups}${shown}.`;
}

/** One group: its line, and its files when it is open. */
class Group {
  /** @param {string} name @param {boolean} mended */
  constructor(name, mended) {
    this.mended = mended;
    /** @type {any} */
    this.group = null;
    this.count = element("strong");
    this.type = element("span", { class: "type" });
    this.message = element("span", { class: "message" });
    this.toggle = element("button", { type: "button", class: "toggle" }, this.count, this.type, this.message);
    this.toggle.addEventListener("click", () => go({ group: this.opened.hidden ? name : null }));
    this.about = element("p", { class: "about" });
    this.example = element("pre", { tabindex: "0" });
    this.files = table("Files of this group", ["File", "Stage", "Run", "Time", "Event"]);
    this.more = element("button", { type: "button", class: "copy", hidden: "" }, "More files");
    this.more.addEventListener("click", () => this.load());
    /** @type {string | null} */
    this.next = null;
    this.due = 0; // when the first files are to be asked for
    this.opened = element(
      "div", { class: "opened", hidden: "" }, element("h3", {}, "An example"), this.example,
      element("div", { class: "choices" }, copyButton("Copy message", () => this.example.textContent ?? ""),
        copyButton("Copy names of the files shown", () => this.names())),
      element("h3", {}, mended ? "The first files" : "Files"), this.files.root, this.more,
    );
    this.root = element("li", {}, element("h3", {}, this.toggle), this.about, this.opened);
  }

  names() {
    return [...this.files.body.querySelectorAll("tr")].map((row) => row.getAttribute("data-file")).join("\n");
  }

  /** @param {any} group as the API gives it */
  show(group) {
    this.group = group;
    setText(this.count, count(group.count));
    setText(this.type, group.type ?? "");
    setText(this.message, group.message || "No message");
    setText(this.about, `${group.stages.join(", ")} · first ${when(group.firstAt)} · last ${when(group.lastAt)} · such as ${group.files[0].fileName}`);
    setText(this.example, group.example);
  }

  /** @param {boolean} open @param {number} now */
  update(open, now) {
    setAttribute(this.toggle, "aria-expanded", String(open));
    this.opened.hidden = !open;
    if (open && now >= this.due) this.load();
  }

  async load() {
    this.due = Infinity;
    const { type, message, firstOffset, lastOffset, files } = this.group;
    if (this.mended) return this.append(files, null);
    const bounds = { after: String(firstOffset - 1), before: String(lastOffset + 1), limit: String(FILES) };
    const response = await fetch(this.next ?? batchAddress("/errors/files", { type, message, ...bounds })).catch(() => null);
    if (!response?.ok) {
      if (this.next === null) this.due = Date.now() + RETRY_MS; // else the button is still there
      return undefined;
    }
    const page = await response.json();
    return this.append(page.files, page.next);
  }

  /** @param {any[]} files @param {string | null} next */
  append(files, next) {
    this.next = next;
    this.more.hidden = next === null;
    this.files.body.append(...files.map((file) => element(
      "tr", { "data-file": file.fileName },
      element("td", {}, fileLink(file.fileName)), element("td", {}, file.stage), element("td", {}, String(file.run)),
      element("td", {}, when(file.timestamp)), element("td", {}, offsetLink(String(file.offset))),
    )));
  }
}
