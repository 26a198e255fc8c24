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

/** The order of efforts; a model that lacks one takes the nearest below it. */
const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
const EFFORT_HINT = "How much work goes into an answer; more of it takes longer and costs more.";

document.addEventListener("change", ({ target }) => {
  if (target instanceof HTMLSelectElement && target.id === "setting-effort") fitToChosen();
});

function fitToChosen() {
  const model = document.querySelector("input[name='model']:checked");
  if (model instanceof HTMLInputElement) fitSettings(model);
}

/** @param {HTMLInputElement} model the chosen radio button */
export function fitSettings(model) {
  fitThinking(model);
  fitEffort(model);
  fitTools(model);
  const hint = document.getElementById("hint-tokens");
  const most = Number(model.dataset.maxOutput ?? 0);
  if (hint && most) {
    const usual = Math.min(Number(hint.dataset.usual), most);
    const [highest, empty] = [most, usual].map((tokens) => tokens.toLocaleString("en"));
    hint.textContent = `At most ${highest} for ${model.dataset.name}; empty means ${empty}.`;
  }
}

/** @param {HTMLInputElement} model */
function fitThinking(model) {
  const kinds = (model.dataset.thinking ?? "").split(" ").filter(Boolean);
  const field = document.getElementById("field-thinking");
  field?.toggleAttribute("hidden", kinds.length === 0);
  for (const choice of field?.querySelectorAll("input") ?? []) {
    const possible =
      choice.value === "" ||
      (choice.value === "off"
        ? kinds.includes("disabled") || kinds.includes("between_tools")
        : kinds.some((kind) => kind !== "disabled"));
    choice.disabled = !possible;
    if (!possible && choice.checked) {
      const own = field?.querySelector("input[value='']");
      if (own instanceof HTMLInputElement) own.checked = true;
    }
  }
}

/** The levels that the model has; one that was chosen before stays and is brought to the nearest. @param {HTMLInputElement} model */
function fitEffort(model) {
  const efforts = (model.dataset.efforts ?? "").split(" ").filter(Boolean);
  document.getElementById("field-effort")?.toggleAttribute("hidden", efforts.length === 0);
  const select = document.getElementById("setting-effort");
  if (!(select instanceof HTMLSelectElement)) return;
  for (const option of select.options) {
    if (!option.value) {
      option.textContent = `As the model does${model.dataset.effort ? ` (${model.dataset.effort})` : ""}`;
      continue;
    }
    const missing = !efforts.includes(option.value) && !option.selected;
    option.hidden = missing;
    option.disabled = missing;
  }
  const hint = document.getElementById("hint-effort");
  if (!hint) return;
  const used = nearest(select.value, efforts);
  hint.textContent =
    select.value && efforts.length > 0 && used !== select.value
      ? `${model.dataset.name} does not take ${select.value}; ${used} is used.`
      : EFFORT_HINT;
}

/** @param {string} wish @param {string[]} efforts @returns {string} */
function nearest(wish, efforts) {
  const ranked = EFFORTS.filter((effort) => efforts.includes(effort));
  return ranked.findLast((effort) => EFFORTS.indexOf(effort) <= EFFORTS.indexOf(wish)) ?? ranked[0] ?? "";
}

/** What the provider does for the model, where it does. @param {HTMLInputElement} model */
function fitTools(model) {
  const tools = (model.dataset.tools ?? "").split(" ");
  const search = document.getElementById("composer-search");
  search?.toggleAttribute("hidden", !tools.includes("web_search"));
  for (const box of search?.querySelectorAll("input") ?? []) box.disabled = !tools.includes("web_search");
  document.getElementById("field-code")?.toggleAttribute("hidden", !tools.includes("code_execution"));
}
