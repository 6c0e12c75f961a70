// @ts-check
/** The log of a batch: the latest events, or the one that the address names among its neighbours. */

import { parameter } from "../address.js";
import { exactJson } from "../client/headway.js";
import { when } from "../format.js";
import { Polled } from "../polled.js";
import { batchAddress, copyButton, fileLink, offsetLink, replaceKeepingFocus, showTrouble, table, viewLink } from "./controls.js";
import { element, setText } from "./elements.js";

const LATEST = 50;
const NEIGHBOURS = 10n; // on either side
const OFFSET = /^(0|[1-9][0-9]{0,17})$/;

/** @type {import("./panels.js").Panel} */
export const eventLog = { name: "events", title: "Log", open: (root) => new EventLog(root) };

class EventLog {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.polled = new Polled(() => this.draw());
    this.version = -1;
    this.trouble = element("p", { class: "notice", role: "status" });
    this.heading = element("h2");
    this.payload = element("pre", { tabindex: "0", "aria-label": "The event" });
    this.chosen = element("div", { class: "card" }, copyButton("Copy event", () => this.payload.textContent ?? ""), this.payload);
    this.table = table("Events", ["Offset", "Time", "Event", "Stage", "File"]);
    this.pages = element("nav", { class: "choices", "aria-label": "Places in the log" });
    root.append(this.heading, this.trouble, this.chosen, this.pages, this.table.root);
  }

  /** @param {number} now */
  update(now) {
    this.polled.want(batchAddress("/events", asked()), now);
    this.draw();
  }

  draw() {
    showTrouble(this.trouble, this.polled, "The events");
    if (this.polled.version === this.version) return;
    this.version = this.polled.version;
    const { document: found, text } = this.polled;
    /** @type {{offset: string, data: any, text: string}[]} */
    const events = found === null ? [] : exactJson(text).events.map((/** @type {any} */ one, /** @type {number} */ place) => (
      { offset: JSON.stringify(one.offset), data: found.events[place].data, text: JSON.stringify(one.data, null, 2) }
    ));
    const offset = chosen();
    const event = events.find((one) => one.offset === offset);
    setText(this.heading, offset === null ? "The latest events" : `Event at offset ${offset}`);
    this.chosen.hidden = offset === null || found === null;
    setText(this.payload, event?.text ?? "No event of the log has this offset.");
    replaceKeepingFocus(this.table.body, events.map((one) => row(one, one.offset === offset)));
    this.table.root.hidden = events.length === 0;
    this.pages.replaceChildren(...places(offset, events));
  }
}

/** The offset in the address; null where there is none. */
function chosen() {
  const offset = parameter("offset");
  return offset !== null && OFFSET.test(offset) ? offset : null;
}

/** @returns {Record<string, string>} */
function asked() {
  const offset = chosen();
  if (offset === null) return { order: "desc", limit: String(LATEST) };
  const place = BigInt(offset);
  const after = place > NEIGHBOURS ? place - NEIGHBOURS - 1n : -1n;
  return { after: String(after), before: String(place + NEIGHBOURS + 1n) };
}

/** @param {string | null} offset @param {{offset: string}[]} events */
function places(offset, events) {
  if (offset === null || events.length === 0) return [];
  return [
    viewLink({ panel: "events", offset: events[0].offset }, "Earlier"),
    viewLink({ panel: "events", offset: events[events.length - 1].offset }, "Later"),
    viewLink({ panel: "events" }, "The latest"),
  ];
}

/** @param {{offset: string, data: any}} event @param {boolean} current */
function row({ offset, data }, current) {
  return element(
    "tr", current ? { "aria-current": "true" } : {},
    element("td", {}, offsetLink(offset)), element("td", {}, when(data.timestamp ?? null)), element("td", {}, data.eventType),
    element("td", {}, data.stage ?? ""), element("td", { class: "name" }, data.fileName === undefined ? data.worker ?? "" : fileLink(data.fileName)),
  );
}
