// @ts-check
/** What several parts of the page are made of: links within the page, copy buttons, lists that keep their elements. */

import { addressWith, go } from "../address.js";
import { moment } from "../format.js";
import { state } from "../store.js";
import { element, setAttribute, setText } from "./elements.js";

const COPIED_MS = 1500;
/** What chooses a view within a part: a link to another view takes all of them away but its own. */
const VIEW = { file: null, q: null, stage: null, outcome: null, sort: null, after: null, offset: null, mended: null, group: null };
const NUMBERS = new Set(["Duration", "Done", "Failed", "Files/min"]);

/** A link to a view of this page. @param {Record<string, string | null>} changes @param {(Node | string)[]} children */
export function viewLink(changes, ...children) {
  return link({ ...VIEW, ...changes }, ...children);
}

/** A link to this page with other parameters. @param {Record<string, string | null>} changes @param {(Node | string)[]} children */
export function link(changes, ...children) {
  return followed(element("a", { href: addressWith(changes) }, ...children), () => go(changes));
}

/** A link that is followed without loading the page anew. @param {HTMLElement} made @param {() => void} follow */
export function followed(made, follow) {
  made.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab or window: the browser's own business
    event.preventDefault();
    follow();
  });
  return made;
}

/** A link to a file's page. @param {string} name */
export const fileLink = (name) => viewLink({ panel: "files", file: name }, name);

/** A link to an event among its neighbours. @param {string} offset */
export const offsetLink = (offset) => viewLink({ panel: "events", offset }, `offset ${offset}`);

/** @param {string} label @param {() => string} text what is copied */
export function copyButton(label, text) {
  const button = element("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, COPIED_MS);
  });
  return button;
}

/** A table with its head; what goes into the body is the caller's. @param {string} caption @param {string[]} columns */
export function table(caption, columns) {
  const body = element("tbody");
  const head = element("thead", {}, element("tr", {}, ...columns.map(heading)));
  const made = element("table", {}, element("caption", { class: "unseen" }, caption), head, body);
  return { body, root: element("div", { class: "table-wrap" }, made) };
}

/** The head of a column; numbers stand on the right, and so does what is above them. @param {string} name */
export const heading = (name) => element("th", { scope: "col", class: NUMBERS.has(name) ? "number" : "" }, name);

/**
 * Show items as elements, each the same as long as its key is there, so that it keeps the focus and what is open in it.
 *
 * @template T
 * @param {HTMLElement} parent
 * @param {Map<string, HTMLElement>} shown by key; changed
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} make
 */
export function showKeyed(parent, shown, items, key, make) {
  const wanted = new Set(items.map(key));
  for (const [name, node] of shown) {
    if (wanted.has(name)) continue;
    node.remove();
    shown.delete(name);
  }
  items.forEach((item, place) => {
    const node = shown.get(key(item)) ?? make(item);
    shown.set(key(item), node);
    if (parent.children.item(place) !== node) parent.insertBefore(node, parent.children.item(place));
  });
}

/** Put others in place of what an element holds; a link that had the focus has it after. @param {HTMLElement} parent @param {Node[]} children */
export function replaceKeepingFocus(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement?.getAttribute("href") ?? null : null;
  parent.replaceChildren(...children);
  if (focused === null) return;
  const links = /** @type {HTMLElement[]} */ ([...parent.querySelectorAll("a")]);
  links.find((one) => one.getAttribute("href") === focused)?.focus({ preventScroll: true });
}

/**
 * Say in words why there is nothing to see (yet), or that what is seen is old; nothing when all is well.
 *
 * @param {HTMLElement} line
 * @param {import("../polled.js").Polled} polled
 * @param {string} what "The files"
 */
export function showTrouble(line, polled, what) {
  const since = moment(state.info.logDroppedAt);
  const texts = {
    dropped: `${what} of this batch are gone: its events were dropped${since && ` on ${since}`}, as it was too old. Its counts are kept, under Overview.`,
    missing: `Nothing is known of this yet; trying again.`,
    refused: `The address asks for something that ${what.toLowerCase()} do not have. Take another view.`,
    away: `${what} cannot be had at the moment, as the database does not answer; trying again.${polled.document ? " What is shown is from before." : ""}`,
  };
  setText(line, polled.trouble ? texts[polled.trouble] : polled.document ? "" : "Loading …");
  setAttribute(line, "class", polled.trouble ? "notice" : "subline");
  line.hidden = !line.textContent;
}

/** The address of something of this batch. @param {string} path @param {Record<string, string | null>} parameters */
export function batchAddress(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null) query.set(name, value);
  const text = query.toString();
  return `/api/batches/${encodeURIComponent(state.batchId)}${path}${text && `?${text}`}`;
}
