// @ts-check
/** The list of batches: search, filters, order and pages, all in the address; follows what happens while it is seen. */

import { apiAddress, changed, pageAddress, readQuery, sorted, STATES } from "../batch-query.js";
import { Polled } from "../polled.js";
import { BatchRow } from "./batch-row.js";
import { followed } from "./controls.js";
import { element, setAttribute, setText } from "./elements.js";

/** @typedef {import("../batch-query.js").BatchQuery} BatchQuery */
/** @typedef {import("../batch-query.js").Sort} Sort */

const TICK_MS = 1000;
const TYPING_MS = 200;

/** Columns: what they show, how they are ordered by, their class. @type {[string, Sort | null, string][]} */
const COLUMNS = [
  ["Batch", null, ""], ["Status", null, ""], ["Stages", "progress", ""], ["Errors", "errors", "number"],
  ["Last event", "updated", "optional"], ["Created", "newest", "optional"],
];

export class BatchList {
  /** @param {HTMLElement} main */
  constructor(main) {
    this.polled = new Polled(() => this.draw());
    /** @type {Map<string, BatchRow>} */
    this.rows = new Map();
    this.shown = ""; // the address whose batches are in the rows
    this.drawn = ""; // what the controls were drawn from
    this.typing = 0;
    this.search = /** @type {HTMLInputElement} */ (element("input", {
      class: "search", type: "search", placeholder: "Search by name or id", "aria-label": "Search batches by name or id",
    }));
    this.search.value = this.query().q;
    this.states = element("nav", { class: "chooser", "aria-label": "State" });
    this.label = /** @type {HTMLInputElement} */ (element("input", {
      class: "label-input", placeholder: "label: name:value", "aria-label": "Only batches with the label, as name:value",
    }));
    this.labels = element("span", { class: "chooser" });
    this.head = element("tr");
    this.body = element("tbody");
    this.wrap = element(
      "div", { class: "table-wrap batches" },
      element("table", {}, element("caption", { class: "unseen" }, "Batches"), element("thead", {}, this.head), this.body),
    );
    this.empty = element("p", { class: "empty", role: "status" });
    this.held = element("span", { class: "held" });
    this.pages = element("nav", { class: "pages", "aria-label": "Pages" });
    main.replaceChildren(
      element("div", { class: "headline" }, element("h1", {}, "Batches")),
      element("div", { class: "list-filters" }, this.search, this.states, this.label, this.labels),
      this.wrap, this.empty, element("div", { class: "pages-line" }, this.pages, this.held),
    );
    this.listen();
    this.update();
  }

  listen() {
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = window.setTimeout(() => this.go(changed(this.query(), { q: this.search.value }), "replace"), TYPING_MS);
    });
    this.label.addEventListener("keydown", (event) => {
      const text = this.label.value.trim();
      if (event.key !== "Enter" || text.indexOf(":") < 1) return;
      this.label.value = "";
      this.go(changed(this.query(), { labels: [...new Set([...this.query().labels, text])] }));
    });
    this.body.addEventListener("keydown", (event) => this.step(event));
    addEventListener("popstate", () => {
      this.search.value = this.query().q;
      this.update();
    });
    setInterval(() => { if (!document.hidden) this.update(); }, TICK_MS);
  }

  query() {
    return readQuery(new URLSearchParams(location.search));
  }

  /** @param {BatchQuery} query @param {"push" | "replace"} how */
  go(query, how = "push") {
    if (how === "push") history.pushState(null, "", pageAddress(query));
    else history.replaceState(null, "", pageAddress(query));
    this.update();
  }

  update() {
    this.polled.want(apiAddress(this.query()), Date.now());
    this.draw();
  }

  draw() {
    const query = this.query();
    this.drawControls(query);
    const { document: found, trouble } = this.polled;
    const filtered = query.q !== "" || query.state !== "" || query.labels.length > 0;
    const none = filtered ? "No batch matches." : "No batch yet. A pipeline that reports one appears here.";
    const away = trouble === "refused" ? "The address asks for something that the list does not have." : "The list cannot be had at the moment; trying again.";
    setText(this.empty, trouble ? away : found === null ? "Loading …" : found.batches.length ? "" : none);
    this.empty.hidden = this.empty.textContent === "";
    if (found !== null) this.drawRows(found.batches);
    this.wrap.hidden = this.rows.size === 0;
    setAttribute(this.wrap, "data-old", found === null || trouble ? "true" : null); // of another view, or from before
  }

  /** Rows stay in place under the pointer and while one has the focus, as nobody can take what moves. @param {any[]} batches */
  drawRows(batches) {
    const now = Date.now();
    const key = (/** @type {any} */ batch) => /** @type {string} */ (batch.self);
    const order = batches.map(key).join();
    const held = this.polled.address === this.shown && order !== [...this.rows.keys()].join() && this.body.matches(":hover, :focus-within");
    setText(this.held, held ? "The order is held under the pointer." : "");
    if (!held) {
      this.shown = this.polled.address;
      const rows = new Map(batches.map((batch) => [key(batch), this.rows.get(key(batch)) ?? new BatchRow(batch, (label) => this.labelLink(label))]));
      for (const [name, row] of this.rows) if (!rows.has(name)) row.root.remove();
      [...rows.values()].forEach(({ root }, place) => {
        if (this.body.children.item(place) !== root) this.body.insertBefore(root, this.body.children.item(place));
      });
      this.rows = rows;
    }
    for (const batch of batches) this.rows.get(key(batch))?.update(batch, now);
  }

  /** @param {BatchQuery} query */
  drawControls(query) {
    const { previous = null, next = null } = this.polled.document ?? {};
    const drawn = JSON.stringify([query, previous, next]);
    if (drawn === this.drawn) return;
    const focused = document.activeElement?.getAttribute("data-key") ?? null;
    this.drawn = drawn;
    this.states.replaceChildren(...STATES.map(([state, title]) => this.link(title, changed(query, { state }), query.state === state)));
    this.labels.replaceChildren(...query.labels.map((label) => this.link(
      `${label} ✕`, changed(query, { labels: query.labels.filter((one) => one !== label) }), false, `Without the label ${label}`,
    )));
    this.head.replaceChildren(...COLUMNS.map(([title, sort, kind]) => this.column(query, title, sort, kind)));
    this.pages.replaceChildren(
      this.pageLink("Previous", query, previous, "before"), this.pageLink("Next", query, next, "after"),
    );
    if (focused !== null) /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {BatchQuery} query @param {string} title @param {Sort | null} sort @param {string} kind */
  column(query, title, sort, kind) {
    const chosen = sort === query.sort;
    const text = chosen ? `${title} ${query.order === "desc" ? "▾" : "▴"}` : title;
    const head = element("th", { scope: "col", class: kind }, sort === null ? title : this.link(text, sorted(query, sort), false, `Order by ${title.toLowerCase()}`));
    setAttribute(head, "aria-sort", chosen ? query.order === "desc" ? "descending" : "ascending" : null);
    return head;
  }

  /** @param {string} title @param {BatchQuery} query @param {string | null} address of the API @param {"after" | "before"} end */
  pageLink(title, query, address, end) {
    const place = address === null ? null : new URL(address, location.href).searchParams.get(end);
    return place === null ? element("span", { class: "none" }, title) : this.link(title, changed(query, { [end]: place }), false);
  }

  /** @param {string} label */
  labelLink(label) {
    const link = this.link(label, changed(this.query(), { labels: [label] }), false, `Only batches with the label ${label}`);
    link.removeAttribute("data-key");
    return link;
  }

  /** @param {string} text @param {BatchQuery} query @param {boolean} current @param {string} [label] for screen readers */
  link(text, query, current, label) {
    const link = element("a", { href: pageAddress(query), "data-key": label ?? text }, text);
    if (label !== undefined) link.setAttribute("aria-label", label);
    setAttribute(link, "aria-current", current ? "true" : null);
    return followed(link, () => this.go(query));
  }

  /** The arrow keys go from batch to batch. @param {KeyboardEvent} event */
  step(event) {
    const direction = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const row = /** @type {HTMLElement} */ (event.target).closest("tr");
    if (direction === 0 || row === null) return;
    const next = direction > 0 ? row.nextElementSibling : row.previousElementSibling;
    if (next === null) return;
    event.preventDefault();
    /** @type {HTMLElement | null} */ (next.querySelector("th a"))?.focus();
  }
}
