// @ts-check
/** Makes elements of SVG, and the axes that charts share. */

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 * @returns {SVGElement}
 */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, typeof value === "number" ? String(Math.round(value * 100) / 100) : value);
  }
  made.append(...children);
  return made;
}

/** A text on an axis. @param {number} x @param {number} y @param {string} text @param {"start" | "middle" | "end"} anchor */
export function label(x, y, text, anchor = "middle") {
  return svg("text", { x, y, "text-anchor": anchor }, text);
}

/** A thin line. @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} kind */
export function line(x1, y1, x2, y2, kind = "grid") {
  return svg("line", { x1, y1, x2, y2, class: kind });
}
