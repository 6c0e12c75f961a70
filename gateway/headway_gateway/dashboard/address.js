// @ts-check
/** The page's address: every view can be shared, as all that chooses it stands in the address's parameters. */

/** @type {Set<() => void>} */
const listeners = new Set();

/** The value of a parameter, or null. @param {string} name */
export function parameter(name) {
  return new URLSearchParams(location.search).get(name);
}

/** The address with these parameters changed; null takes one away. @param {Record<string, string | null>} changes */
export function addressWith(changes) {
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) parameters.delete(name);
    else parameters.set(name, value);
  }
  return `?${parameters}`;
}

/** Change parameters, as one step of the browser's history. @param {Record<string, string | null>} changes */
export function go(changes) {
  history.pushState(null, "", addressWith(changes));
  for (const listener of listeners) listener();
}

/** Change parameters without a step in the browser's history, as of a control that is moved. @param {Record<string, string | null>} changes */
export function note(changes) {
  history.replaceState(null, "", addressWith(changes));
}

/** Be told when the address is another. @param {() => void} listener */
export function onAddress(listener) {
  listeners.add(listener);
}

addEventListener("popstate", () => {
  for (const listener of listeners) listener();
});
