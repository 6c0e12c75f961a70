// @ts-check
/** The part of a batch's page that draws: every file of a run, durations, throughput, and what ran when. */

import { parameter } from "../address.js";
import { ChartsSource } from "../charts-source.js";
import { count, stageTitle, timeOfDay } from "../format.js";
import { earlierRuns, state } from "../store.js";
import { link } from "./controls.js";
import { DurationsChart } from "./durations.js";
import { element, setAttribute, setText } from "./elements.js";
import { HeatStrip } from "./heat-strip.js";
import { ThroughputChart } from "./throughput.js";
import { TimelineChart } from "./timeline.js";

/** @type {import("./panels.js").Panel} */
export const charts = { name: "charts", title: "Charts", open: (root) => new Charts(root) };

class Charts {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.source = new ChartsSource(state.batchId, () => this.draw(Date.now()));
    this.strip = new HeatStrip(this.source);
    this.durations = new DurationsChart();
    this.throughput = new ThroughputChart();
    this.timeline = new TimelineChart();
    this.chooser = element("nav", { class: "chooser", "aria-label": "Run that is shown" });
    this.chosen = "";
    this.asOf = element("p", { class: "as-of" });
    this.problem = element("p", { class: "empty" });
    this.body = element(
      "div", { class: "charts" },
      figure("Every file", "wide", this.strip.root),
      figure("Throughput in files/s", "", this.throughput.root),
      figure("Durations", "", this.durations.root),
      figure("Timeline", "wide", this.timeline.root),
    );
    root.append(element("div", { class: "charts-head" }, this.chooser, this.asOf), this.problem, this.body);
    new ResizeObserver(() => this.draw(Date.now())).observe(this.body);
  }

  /** @param {number} now */
  update(now) {
    const choice = this.choice();
    if (choice !== null) this.source.look(choice.stage, choice.run, choice.isCurrent, now);
    this.draw(now);
  }

  /** Which run is shown: the one in the address, else that of the first stage under way, else of the first. */
  choice() {
    const { batch } = state;
    const names = [...batch.runs.keys()];
    const wanted = parameter("stage");
    const stage = names.find((name) => name === wanted) ?? names.find((name) => batch.stages[name].endedAt === null) ?? names[0];
    if (stage === undefined) return null;
    const current = batch.stages[stage].run;
    const asked = stage === wanted ? Number(parameter("run")) : 0;
    const earlier = earlierRuns(stage).find((one) => one.run === asked);
    return { stage, run: earlier?.run ?? current, counts: earlier ?? batch.stages[stage], isCurrent: earlier === undefined };
  }

  /** @param {number} now */
  draw(now) {
    if (this.root.hidden) return; // an answer came, or the size changed, while another part is shown
    const choice = this.choice();
    const { outcomes, durations, timeline, problem, version, asOf } = this.source;
    setText(this.problem, problem || (choice === null ? "No stage has started yet." : outcomes === null && version > 0 ? "No file of this run is known yet." : ""));
    this.problem.hidden = this.problem.textContent === "";
    this.body.hidden = choice === null || version === 0;
    setText(this.asOf, asOf === null ? "" : `as of ${timeOfDay(new Date(asOf).toISOString())}`);
    if (choice === null) return;
    this.updateChooser(choice);
    if (outcomes !== null) this.strip.update(outcomes, choice.isCurrent ? state.batch.stages[choice.stage].inFlight.size : 0, inner(this.strip.root));
    this.durations.update(durations, choice.stage, choice.run, version, inner(this.durations.root));
    if (timeline === null) return;
    this.throughput.update(timeline, choice.stage, choice.counts, version, inner(this.throughput.root));
    this.timeline.update(timeline, version, inner(this.timeline.root), now);
  }

  /** @param {{stage: string, run: number}} choice */
  updateChooser({ stage, run }) {
    const runs = [...state.batch.runs.keys()].flatMap((name) => [
      ...earlierRuns(name).map((one) => ({ name, run: one.run, current: false })),
      { name, run: state.batch.stages[name].run, current: true },
    ]);
    const key = JSON.stringify([runs, stage, run]);
    if (key === this.chosen) return;
    this.chosen = key;
    const focused = this.chooser.contains(document.activeElement) ? document.activeElement?.textContent : null;
    const links = runs.map((one) => chooserLink(one.name, one.run, one.current, one.name === stage && one.run === run));
    this.chooser.replaceChildren(...links);
    links.find((link) => focused !== null && link.textContent === focused)?.focus();
  }
}

/** @param {string} stage @param {number} run @param {boolean} current @param {boolean} shown */
function chooserLink(stage, run, current, shown) {
  const title = run > 1 || !current ? `${stageTitle(stage)} · run ${count(run)}` : stageTitle(stage);
  const made = link({ stage, run: current ? null : String(run) }, title);
  setAttribute(made, "aria-current", shown ? "true" : null);
  return made;
}

/** @param {string} title @param {string} kind @param {HTMLElement} content */
function figure(title, kind, content) {
  return element("section", { class: `card figure ${kind}`, "aria-label": title }, element("h2", {}, title), content);
}

/** How wide a chart may be, in whole pixels. @param {HTMLElement} root */
const inner = (root) => Math.max(200, Math.floor(root.clientWidth));
