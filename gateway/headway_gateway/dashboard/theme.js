// @ts-check
/** Light or dark: as the reader's system has it, or as the reader has chosen for this browser. */

import { setText } from "./views/elements.js";

const KEPT_AS = "headway-theme";
const CHOICES = ["auto", "light", "dark"];

/** Wear the theme that was chosen. */
export function wearTheme() {
  const theme = localStorage.getItem(KEPT_AS) ?? "auto";
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  return theme;
}

/** A button that goes from one theme to the next. @param {HTMLElement} button */
export function themeButton(button) {
  const show = () => setText(button, `Theme: ${wearTheme()}`);
  button.addEventListener("click", () => {
    localStorage.setItem(KEPT_AS, CHOICES[(CHOICES.indexOf(wearTheme()) + 1) % CHOICES.length]);
    show();
  });
  addEventListener("storage", ({ key }) => { if (key === KEPT_AS) show(); }); // chosen in another tab
  show();
}
