/** The conversation's settings in a dialog, as they are now; and which of them the chosen model has. */

import { announce } from "./announce.js";
import htmx from "./htmx.js";
import { link } from "./link.js";

/** Whether somebody changed the settings while the dialog was open: what is typed there comes first. */
let stale = false;

document.addEventListener("click", ({ target }) => {
  if (!(target instanceof Element)) return;
  const opener = target.closest("[data-opens]");
  const dialog = opener && document.getElementById(opener.getAttribute("data-opens") ?? "");
  if (dialog instanceof HTMLDialogElement) dialog.showModal();
  const closer = target.closest("[data-closes]");
  if (closer) closer.closest("dialog")?.close();
  // A click beside the dialog lands on the dialog itself, outside its box.
  if (target instanceof HTMLDialogElement) target.close();
});

document.addEventListener("htmx:after:swap", () => {
  const saved = document.querySelector("dialog[open] [data-saved]");
  if (!saved) return;
  saved.closest("dialog")?.close();
  saved.removeAttribute("data-saved");
  announce("Saved. It holds from the next answer on.");
});

link.addEventListener("frame", (event) => {
  const { type, conversation, what } = /** @type {CustomEvent} */ (event).detail;
  if (type === "changed" && conversation === shown() && what.includes("settings")) refresh();
});

link.addEventListener("back", () => refresh());

document.addEventListener(
  "close",
  ({ target }) => {
    if (stale && target === dialog()) refresh();
  },
  true,
);

function refresh() {
  stale = dialog()?.open ?? false;
  if (stale || !shown()) return;
  htmx.ajax("GET", `/c/${shown()}/settings/`, { target: "#settings-form", swap: "outerHTML" });
}

/** @returns {HTMLDialogElement | null} */
function dialog() {
  return document.querySelector("dialog#settings");
}

/** @returns {string} the conversation on the page, or "" */
function shown() {
  return document.querySelector("live-thread")?.getAttribute("conversation") ?? "";
}

/** @param {HTMLInputElement} model the chosen radio button */
export function fitSettings(model) {
  const kinds = (model.dataset.thinking ?? "").split(" ").filter(Boolean);
  const field = document.getElementById("field-thinking");
  field?.toggleAttribute("hidden", kinds.length === 0);
  for (const choice of field?.querySelectorAll("input") ?? []) {
    const possible =
      choice.value === "" ||
      (choice.value === "off" ? kinds.includes("disabled") : kinds.some((kind) => kind !== "disabled"));
    choice.disabled = !possible;
    if (!possible && choice.checked) {
      const own = field?.querySelector("input[value='']");
      if (own instanceof HTMLInputElement) own.checked = true;
    }
  }
  const hint = document.getElementById("hint-tokens");
  const most = Number(model.dataset.maxOutput ?? 0);
  if (hint && most) {
    const usual = Math.min(Number(hint.dataset.usual), most);
    const [highest, empty] = [most, usual].map((tokens) => tokens.toLocaleString("en"));
    hint.textContent = `At most ${highest} for ${model.dataset.name}; empty means ${empty}.`;
  }
}
