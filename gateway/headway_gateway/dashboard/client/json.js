// @ts-check
/** JSON without rounding. Pure. */

/**
 * JSON whose numbers stay as they are written, also those that JavaScript cannot hold, such as 64-bit ids.
 *
 * @param {string} text
 * @returns {any} for JSON.stringify, not for counting
 */
export function exactJson(text) {
  const { rawJSON } = /** @type {any} */ (JSON);
  if (rawJSON === undefined) return JSON.parse(text); // browsers before 2025
  const keep = (/** @type {string} */ _, /** @type {any} */ value, /** @type {any} */ context) =>
    typeof value === "number" ? rawJSON(context.source) : value;
  return JSON.parse(text, /** @type {any} */ (keep));
}
