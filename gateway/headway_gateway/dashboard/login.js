// @ts-check
/** The page that asks for a token, and comes back to what was asked for once it is good. */

const form = /** @type {HTMLFormElement} */ (document.getElementById("login"));
const token = /** @type {HTMLInputElement} */ (document.getElementById("token"));
const problem = /** @type {HTMLElement} */ (document.getElementById("login-problem"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ token: token.value });
  const response = await fetch("/api/session", { method: "POST", headers, body }).catch(() => null);
  if (response?.ok) {
    location.reload();
    return;
  }
  problem.textContent = response === null ? "The gateway does not answer." : (await response.json()).detail;
  problem.hidden = false;
  token.select();
});
