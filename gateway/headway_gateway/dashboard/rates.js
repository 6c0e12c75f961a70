// @ts-check
/** How many a minute. Pure. */

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

/** Files a minute between two times; a dash where that is no time. @param {number} files @param {string | null} since @param {string | null} until */
export function rate(files, since, until) {
  const minutes = (Date.parse(until ?? "") - Date.parse(since ?? "")) / 60_000;
  return minutes > 0 ? number.format(files / minutes) : "–";
}
