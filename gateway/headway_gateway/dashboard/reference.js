// @ts-check
/** The page of the HTTP API: draws openapi.json, and knows nothing of the API itself. */

import { element } from "./views/elements.js";

/** @typedef {Record<string, any>} Json */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));

draw();

async function draw() {
  const response = await fetch("/api/openapi.json").catch(() => null);
  if (!response?.ok) {
    main.replaceChildren(element("p", { class: "empty" }, "The document cannot be had at the moment."));
    return;
  }
  const spec = /** @type {Json} */ (await response.json());
  const operations = Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ path, method: method.toUpperCase(), ...described })));
  main.replaceChildren(
    element("div", { class: "headline" }, element("h1", {}, `${spec.info.title}: HTTP API ${spec.info.version}`)),
    element("div", { class: "intro" }, ...paragraphs(spec.info.description)),
    element("ul", { class: "contents" }, ...operations.map(({ path, operationId }) => element("li", {}, link(operationId, path)))),
    ...operations.map((one) => operation(one, spec)),
    element("div", { class: "operation" }, element("h2", {}, "Who may ask"), ...securitySchemes(spec)),
    element("div", { class: "operation" }, element("h2", {}, "Schemas"), ...schemas(spec)),
  );
  document.getElementById(location.hash.slice(1))?.scrollIntoView(); // what the browser looked for before it was there
}

/** @param {Json} operation @param {Json} spec */
function operation({ path, method, operationId, summary, description, parameters, responses }, spec) {
  const rows = parameters.map((/** @type {Json} */ { name, in: place, schema, description: words }) => [
    element("code", {}, name), place, kind(schema), element("span", {}, ...inline(words ?? "")),
  ]);
  return element("section", { class: "operation", id: operationId },
    element("h2", {}, `${method} ${path}`),
    element("p", {}, ...inline(summary)), ...paragraphs(description ?? ""),
    ...(rows.length ? [element("h3", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], rows)] : []),
    element("h3", {}, "Answers"), table(["Status", "Body", "Meaning"], Object.entries(responses).map(([status, one]) => answer(status, resolved(one, spec)))),
    ...messages(responses),
  );
}

/** @param {string} status @param {Json} response */
function answer(status, { description, content = {} }) {
  const bodies = Object.entries(content).map(([type, { schema }]) =>
    element("div", {}, element("code", {}, type), ...(schema?.$ref ? [" ", kind(schema)] : [])));
  return [element("code", {}, status), element("div", {}, ...bodies), element("span", {}, ...inline(description))];
}

/** The messages of a stream. @param {Json} responses */
function messages(responses) {
  const found = responses["200"]?.content?.["text/event-stream"]?.schema.oneOf;
  if (!found) return [];
  const rows = found.map((/** @type {Json} */ { properties: { event, data: { contentSchema } } }) =>
    [element("code", {}, event.const), kind(contentSchema), element("span", {}, ...inline(contentSchema.description ?? ""))]);
  return [element("h3", {}, "Messages"), table(["event", "data", "Meaning"], rows)];
}

/** @param {Json} spec */
function securitySchemes(spec) {
  const rows = Object.entries(spec.components.securitySchemes).map(([name, { type, in: place, name: parameter, scheme, description }]) =>
    [element("code", {}, name), `${type} ${scheme ?? `${place} ${parameter}`}`, element("span", {}, ...inline(description ?? ""))]);
  return [table(["Name", "How", "Meaning"], rows)];
}

/** @param {Json} spec */
function schemas(spec) {
  return Object.entries(spec.components.schemas).map(([name, schema]) => {
    const rows = Object.entries(schema.properties ?? {}).map(([property, described]) =>
      [element("code", {}, property), kind(described), element("span", {}, ...inline(described.description ?? ""))]);
    return element("section", { class: "schema", id: `schema-${name}` },
      element("h3", {}, name), ...paragraphs(schema.description ?? ""),
      ...(rows.length ? [table(["Field", "Type", "Meaning"], rows)] : [element("p", {}, kind(schema))]));
  });
}

/** A schema in a few words. @param {Json} schema @returns {HTMLElement} */
function kind(schema) {
  if (schema.$ref) return element("span", {}, link(`schema-${nameOf(schema)}`, nameOf(schema)));
  if (schema.anyOf) return element("span", {}, ...schema.anyOf.flatMap((/** @type {Json} */ one, /** @type {number} */ at) => [...(at ? [" or "] : []), kind(one)]));
  if (schema.type === "array") return element("span", {}, "list of ", kind(schema.items));
  if (schema.enum) return element("span", {}, schema.enum.join(", "), bounds(schema));
  return element("span", {}, schema.title ?? schema.format ?? schema.type ?? "any JSON", bounds(schema));
}

/** @param {Json} schema */
function bounds({ minimum, maximum, default: usual }) {
  const words = [];
  if (minimum !== undefined && Math.abs(minimum) < 2 ** 53) words.push(`from ${minimum}`);
  if (maximum !== undefined && maximum < 2 ** 53) words.push(`to ${maximum}`);
  if (usual !== undefined && usual !== "" && Math.abs(Number(usual)) !== 2 ** 63) words.push(`default ${usual}`);
  return words.length ? ` (${words.join(", ")})` : "";
}

/** @param {Json} part @param {Json} spec */
function resolved(part, spec) {
  return part.$ref ? spec.components.responses[nameOf(part)] : part;
}

/** @param {Json} reference @returns {string} */
function nameOf({ $ref }) {
  return $ref.split("/").at(-1);
}

/** @param {string[]} head @param {(Node | string)[][]} rows */
function table(head, rows) {
  return element("div", { class: "table-wrap" }, element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell)))))));
}

/** @param {string} id @param {string} text */
function link(id, text) {
  return element("a", { href: `#${id}` }, text);
}

/** @param {string} text */
function paragraphs(text) {
  return text.split("\n\n").filter(Boolean).map((part) => element("p", {}, ...inline(part)));
}

/** Text with `code`. @param {string} text @returns {(Node | string)[]} */
function inline(text) {
  return text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}
