/**
 * A server that is about to stop, or whose database is away, takes nothing new. What it refused can be sent again with
 * one press, and is sent by itself, once, when the link is back: with the same id, and only as it was.
 */

import { link } from "./link.js";

/** @type {{form: HTMLFormElement, text: string, repeated: boolean} | null} */
let refused = null;

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = /** @type {CustomEvent} */ (event).detail;
  if (ctx.request.method !== "POST") return;
  const form = ctx.sourceElement instanceof HTMLFormElement ? ctx.sourceElement : null;
  const later = tasks.some((/** @type {{fragment?: DocumentFragment}} */ { fragment }) => {
    const button = fragment?.querySelector("[data-again]");
    if (button && !form) button.remove(); // A button is pressed again where it stands.
    return Boolean(button);
  });
  if (!later || !form) {
    if (form === refused?.form) refused = null;
    return;
  }
  const text = textOf(form);
  refused = { form, text, repeated: refused?.form === form && refused.text === text && refused.repeated };
});

document.addEventListener("click", ({ target }) => {
  if (target instanceof Element && target.closest("[data-again]")) repeat();
});

link.addEventListener("back", () => {
  if (!refused || refused.repeated || !document.querySelector("#composer-notice [data-again]")) return;
  if (textOf(refused.form) !== refused.text) return;
  refused.repeated = true;
  repeat();
});

function repeat() {
  if (refused?.form.isConnected) refused.form.requestSubmit();
}

/** @param {HTMLFormElement} form */
function textOf(form) {
  return form.querySelector("textarea")?.value ?? "";
}
