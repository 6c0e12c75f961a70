// @ts-check
/** The list of batches, newest first, with search; looks again every few seconds while it is seen. */

import { count, filesText, moment, share, statusText } from "../format.js";
import { checkSession } from "../session.js";
import { element } from "./elements.js";

const REFRESH_MS = 2000;
const TYPING_MS = 200;

/** @param {HTMLElement} main */
export function showBatchList(main) {
  const search = /** @type {HTMLInputElement} */ (element("input", {
    class: "search", type: "search", placeholder: "Search by name or id", "aria-label": "Search batches by name or id",
  }));
  search.value = new URLSearchParams(location.search).get("q") ?? "";
  const rows = element("tbody");
  const empty = element("p", { class: "empty" });
  const more = /** @type {HTMLButtonElement} */ (element("button", { type: "button", hidden: "" }, "More"));
  const columns = [["Batch", ""], ["Status", ""], ["Stages", ""], ["Errors", ""], ["Created", "optional"]];
  const head = columns.map(([name, kind]) => element("th", { scope: "col", class: kind }, name));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), rows);
  main.replaceChildren(
    element("div", { class: "headline" }, element("h1", {}, "Batches")), search, element("div", { class: "table-wrap" }, table), empty, more,
  );
  let limit = 50;
  more.addEventListener("click", () => { limit = Math.min(200, limit + 50); refresh(); });

  async function refresh() {
    const query = new URLSearchParams({ q: search.value, limit: String(limit) });
    const response = await fetch(`/api/batches?${query}`).catch(() => null);
    checkSession(response);
    if (!response?.ok) {
      empty.textContent = "The list cannot be had at the moment; trying again.";
      return;
    }
    const { batches, next } = await response.json();
    rows.replaceChildren(...batches.map(row));
    empty.textContent = batches.length ? "" : search.value ? "No batch matches." : "No batch yet. A pipeline that reports one appears here.";
    more.hidden = next === null || limit === 200;
  }

  let typing = 0;
  search.addEventListener("input", () => {
    history.replaceState(null, "", search.value ? `/?${new URLSearchParams({ q: search.value })}` : "/");
    clearTimeout(typing);
    typing = window.setTimeout(refresh, TYPING_MS);
  });
  setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_MS);
  refresh();
}

/** @param {any} batch as /api/batches gives it */
function row(batch) {
  const id = new URL(batch.page, location.href).searchParams.get("batchId") ?? "";
  const errors = batch.stages.reduce((/** @type {number} */ sum, /** @type {any} */ stage) => sum + stage.errors, 0);
  return element(
    "tr", { "data-batch": id },
    element("td", {}, element("a", { href: batch.page }, batch.name ?? `Batch ${id}`), element("div", { class: "id" }, batch.name ? id : "")),
    element("td", {}, element("span", { class: "pill", "data-status": batch.status }, statusText(batch.status))),
    element("td", {}, ...batch.stages.map(stageLine)),
    element("td", { class: "number" }, count(errors)),
    element("td", { class: "optional" }, moment(batch.createdAt)),
  );
}

/** @param {any} stage */
function stageLine(stage) {
  const fill = element("div", { class: "fill" });
  fill.style.width = `${share(stage.processed, stage.total)}%`;
  const failed = element("div", { class: "fill-errors" });
  failed.style.width = `${share(stage.errors, stage.total)}%`;
  failed.dataset.any = String(stage.errors > 0);
  return element(
    "div", { class: "stage-line", "data-status": stage.status },
    element("span", { class: "name" }, stage.stage), element("div", { class: "track" }, fill, failed), element("span", {}, filesText(stage)),
  );
}
