// @ts-check
/** The page by keyboard; `?` lists the keys. */

/** What each key is for: an element that is clicked or, to type in, gets the focus. `#keys` says so to people. @type {Map<string, string>} */
const PLACES = new Map([["/", "input[type=search]"], ["g", "a.brand"], ["t", "#theme"], ["n", ".headline button.tool"]]);

/** Listen. */
export function listenToKeys() {
  const help = /** @type {HTMLDialogElement} */ (document.getElementById("keys"));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") return help.showModal();
    const place = /^[1-9]$/.test(event.key) ? `nav.tabs a:nth-child(${event.key})` : PLACES.get(event.key);
    const found = place === undefined ? null : /** @type {HTMLElement | null} */ (document.querySelector(place));
    if (found === null) return;
    event.preventDefault();
    if (found instanceof HTMLInputElement) found.focus();
    else found.click();
  });
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && target.closest("input, select, textarea, [contenteditable]") !== null;
}
