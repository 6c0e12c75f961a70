// @ts-check
/** Which batches the list shows and in which order, as its address says it and as the API is asked. Pure. */

/** @typedef {"newest" | "updated" | "progress" | "errors"} Sort */

export const PAGE = 50; // batches

/** The choices of a state: in the address, in words, and as parameters of the API. @type {readonly (readonly [string, string, readonly (readonly [string, string])[]])[]} */
export const STATES = [
  ["", "All", []],
  ["running", "Running", [["status", "processing"], ["status", "pending"]]],
  ["stalled", "Stalled", [["status", "stalled"]]],
  ["complete", "Complete", [["status", "complete"], ["status", "complete_with_errors"]]],
  ["errors", "With errors", [["failed", "true"]]],
];

/**
 * @typedef {object} BatchQuery
 * @property {string} q
 * @property {string} state
 * @property {string[]} labels `name:value`
 * @property {Sort} sort
 * @property {"asc" | "desc"} order
 * @property {string | null} after
 * @property {string | null} before
 */

/** What an address asks for; what it does not know counts as not said. @param {URLSearchParams} address @returns {BatchQuery} */
export function readQuery(address) {
  const state = address.get("state") ?? "";
  const sort = address.get("sort") ?? "";
  return {
    q: address.get("q") ?? "",
    state: STATES.some(([name]) => name === state) ? state : "",
    labels: [...new Set(address.getAll("label"))].filter((label) => label.indexOf(":") > 0),
    sort: sort === "updated" || sort === "progress" || sort === "errors" ? sort : "newest",
    order: address.get("order") === "asc" ? "asc" : "desc",
    after: address.get("after"),
    before: address.get("after") === null ? address.get("before") : null,
  };
}

/** The page's address of a view; what is as by default is not said. @param {BatchQuery} query */
export function pageAddress({ q, state, labels, sort, order, after, before }) {
  const address = new URLSearchParams();
  if (q) address.set("q", q);
  if (state) address.set("state", state);
  for (const label of labels) address.append("label", label);
  if (sort !== "newest") address.set("sort", sort);
  if (order !== "desc") address.set("order", order);
  if (after !== null) address.set("after", after);
  if (before !== null) address.set("before", before);
  const text = address.toString();
  return text ? `/?${text}` : "/";
}

/** The same question to the API. @param {BatchQuery} query */
export function apiAddress({ q, state, labels, sort, order, after, before }) {
  const address = new URLSearchParams({ sort, order, limit: String(PAGE) });
  if (q) address.set("q", q);
  for (const [name, value] of STATES.find(([name]) => name === state)?.[2] ?? []) address.append(name, value);
  for (const label of labels) address.append("label", label);
  if (after !== null) address.set("after", after);
  if (before !== null) address.set("before", before);
  return `/api/batches?${address}`;
}

/** Another view of the list, from its first page on. @param {BatchQuery} query @param {Partial<BatchQuery>} changes @returns {BatchQuery} */
export const changed = (query, changes) => ({ ...query, after: null, before: null, ...changes });

/** The order when a column is chosen: its own, or the other way round when it is chosen already. @param {BatchQuery} query @param {Sort} sort */
export function sorted(query, sort) {
  return changed(query, { sort, order: query.sort === sort && query.order === "desc" ? "asc" : "desc" });
}
