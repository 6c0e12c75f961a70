// @ts-check
/** What is shown once for each stage: made when the stage is first shown, and kept until it is shown no more. */

/** @typedef {import("../client/headway.js").StageState} StageState */

/** @template {{root: HTMLElement}} View */
export class PerStage {
  /** @param {HTMLElement} root that holds them @param {(name: string) => View} make */
  constructor(root, make) {
    this.root = root;
    this.make = make;
    /** @type {Map<string, View>} */
    this.views = new Map();
  }

  /** Show these stages. @param {Iterable<[string, StageState]>} stages by name, in order @param {(view: View, name: string, stage: StageState) => void} show */
  update(stages, show) {
    /** @type {Set<string>} */
    const shown = new Set();
    for (const [name, stage] of stages) {
      shown.add(name);
      show(this.view(name), name, stage);
    }
    for (const [name, { root }] of this.views) {
      if (shown.has(name)) continue;
      root.remove();
      this.views.delete(name);
    }
  }

  /** @param {string} name */
  view(name) {
    let view = this.views.get(name);
    if (view === undefined) {
      view = this.make(name);
      this.views.set(name, view);
      this.root.append(view.root);
    }
    return view;
  }
}
