/** The model picker: a list of radio buttons in a popover, and what depends on the choice. */

import { fitSettings } from "./settings.js";

document.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLInputElement) || target.name !== "model") return;
  showModel();
  document.querySelector("#composer-notice [data-until='model']")?.remove();
});

/** The button and the settings say what is chosen. */
export function showModel() {
  const radio = document.querySelector("input[name='model']:checked");
  if (!(radio instanceof HTMLInputElement)) return;
  const name = radio.dataset.name ?? "";
  const label = document.getElementById("model-name");
  if (label) label.textContent = name;
  document.querySelector(".composer-model")?.setAttribute("aria-label", `Model: ${name}`);
  fitSettings(radio);
}

document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!(target instanceof HTMLElement) || target.id !== "models") return;
    const open = target.matches(":popover-open");
    document.querySelector(".composer-model")?.setAttribute("aria-expanded", String(open));
    const chosen = target.querySelector("input:checked");
    if (open) find();
    if (open && chosen instanceof HTMLElement) chosen.focus();
  },
  true,
);

/** The list shows what has all the words; a heading without models below it goes with them. */
function find() {
  const list = document.getElementById("models");
  const field = list?.querySelector("[data-finds='model']");
  if (!list || !(field instanceof HTMLInputElement)) return;
  field.hidden = false;
  const words = field.value.toLowerCase().split(/\s+/);
  let heading = null;
  for (const part of list.querySelectorAll(".menu-title, .model")) {
    if (!(part instanceof HTMLElement)) continue;
    if (part.matches(".menu-title")) {
      heading = part;
      heading.hidden = true;
      continue;
    }
    const text = `${part.textContent} ${part.querySelector("input")?.value}`.toLowerCase();
    part.hidden = !words.every((word) => text.includes(word));
    if (heading && !part.hidden) heading.hidden = false;
  }
}

document.addEventListener("input", ({ target }) => {
  if (target instanceof HTMLElement && target.dataset.finds === "model") find();
});

function close() {
  document.getElementById("models")?.hidePopover();
  document.getElementById("composer-text")?.focus();
}

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.key !== "Enter" || !(target instanceof HTMLInputElement)) return;
  if (target.name !== "model" && target.dataset.finds !== "model") return;
  event.preventDefault(); // Enter in a form's radio button would send the message.
  if (target.name !== "model") return;
  close();
});

document.addEventListener("click", ({ target, detail }) => {
  // A pointer chooses and is done; keys go through the list first.
  if (
    detail > 0 &&
    target instanceof Element &&
    target.closest(".model") &&
    !target.closest("[aria-disabled]")
  )
    close();
});

// "Stay with the model": as if it were chosen in the list.
document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("[data-chooses]") : null;
  if (!button) return;
  const wanted = button.getAttribute("data-chooses") ?? "";
  const radio = document.querySelector(`input[name="model"][value="${CSS.escape(wanted)}"]`);
  if (!(radio instanceof HTMLInputElement)) return;
  radio.checked = true;
  radio.dispatchEvent(new Event("change", { bubbles: true }));
  document.getElementById("composer-text")?.focus({ preventScroll: true });
});
