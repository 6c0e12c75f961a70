// @ts-check
/** The login: a button that ends it, and a way back to the login page when it has ended by itself. */

import { element } from "./views/elements.js";

/** Show the button, if somebody is logged in. @param {HTMLElement} header */
export async function showSession(header) {
  const response = await fetch("/api/session").catch(() => null);
  if (!response?.ok || !(await response.json()).loggedIn) return;
  const button = element("button", { type: "button", id: "log-out" }, "Log out");
  button.addEventListener("click", async () => {
    await fetch("/api/session", { method: "DELETE" });
    location.assign("/");
  });
  header.append(button);
}

/** Ask for a token again if that is what an answer says. @param {Response | null} response */
export function checkSession(response) {
  if (response?.status === 401) location.reload();
}
