// Reads a stream with the npm package `eventsource` until it is closed for good, and writes its messages as JSON.
//
// Arguments: the address; the names of events, separated by commas.

import { EventSource } from "eventsource";

const [address, names] = process.argv.slice(2);
const found = [];
const alive = setInterval(() => {}, 60_000); // while it waits to connect again, the package lets a program end
const source = new EventSource(address);
for (const name of names.split(",")) {
  source.addEventListener(name, ({ lastEventId, type, data }) => found.push([lastEventId, type, data]));
}
source.addEventListener("error", ({ code }) => {
  if (source.readyState !== source.CLOSED) return;
  clearInterval(alive);
  process.stdout.write(JSON.stringify({ code, messages: found }));
});
