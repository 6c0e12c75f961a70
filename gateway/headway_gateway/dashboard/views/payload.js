// @ts-check
/** The dialog that shows one event whole, as text. */

import { addressWith } from "../address.js";
import { indentedJson } from "../format.js";
import { state } from "../store.js";

/** @typedef {import("../store.js").RecentEvent} RecentEvent */

const COPIED_MS = 1500;

/** @param {RecentEvent} event */
export function showPayload({ offset, data, text: json }) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("payload"));
  const title = /** @type {HTMLElement} */ (document.getElementById("payload-title"));
  const text = /** @type {HTMLElement} */ (document.getElementById("payload-text"));
  const copy = /** @type {HTMLButtonElement} */ (document.getElementById("payload-copy"));
  title.textContent = `${data.fileName ?? data.eventType} · offset ${offset} of batch ${state.batchId}`;
  const file = /** @type {HTMLAnchorElement} */ (document.getElementById("payload-file"));
  const event = /** @type {HTMLAnchorElement} */ (document.getElementById("payload-event"));
  file.hidden = data.fileName === undefined;
  file.href = addressWith({ panel: "files", file: data.fileName ?? null });
  event.href = addressWith({ panel: "events", offset });
  text.textContent = indentedJson(json);
  copy.textContent = "Copy";
  copy.onclick = async () => {
    await navigator.clipboard.writeText(text.textContent ?? "");
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, COPIED_MS);
  };
  dialog.showModal();
}
