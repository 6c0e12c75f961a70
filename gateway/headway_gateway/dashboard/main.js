// @ts-check
/** The page: chooses the view by the address, and draws at most once a frame. */

import { parameter } from "./address.js";
import { follow } from "./connection.js";
import { Herald } from "./herald.js";
import { listenToKeys } from "./keys.js";
import { showSession } from "./session.js";
import { state, subscribe } from "./store.js";
import { themeButton } from "./theme.js";
import { BatchList } from "./views/batch-list.js";
import { BatchPage } from "./views/batch.js";
import { charts } from "./views/charts.js";
import { errors } from "./views/errors.js";
import { files } from "./views/files.js";
import { eventLog } from "./views/log.js";
import { overview } from "./views/overview.js";
import { Panels } from "./views/panels.js";
import { replay } from "./views/replay.js";
import { workers } from "./views/workers.js";

const PANELS = [overview, charts, errors, files, workers, replay, eventLog];
const TICK_MS = 1000; // "stalled" and "since" change with time alone

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const batchId = parameter("batchId");

themeButton(/** @type {HTMLElement} */ (document.getElementById("theme")));
listenToKeys();
showSession(/** @type {HTMLElement} */ (document.querySelector("header .tools")));
if (batchId === null) {
  new BatchList(main);
} else {
  showBatch(batchId);
}

/** @param {string} id */
function showBatch(id) {
  state.batchId = id;
  Object.assign(window, { state }); // for the console: state.stages.denoise
  let asked = false;
  const draw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { // not called while the tab is hidden, which then costs nothing but the counting
      asked = false;
      page.update(Date.now());
    });
  };
  const herald = new Herald();
  const page = new BatchPage(main, new Panels(PANELS, draw), herald.button);
  subscribe(() => {
    draw();
    if (document.hidden) herald.look(Date.now()); // its reader is the one to be told, and its timers come once a minute
  });
  setInterval(() => {
    draw();
    herald.look(Date.now());
  }, TICK_MS);
  draw();
  follow(id);
}
