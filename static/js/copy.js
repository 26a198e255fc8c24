/** Copy buttons: of code, of a secret shown once, of an answer, of a person's text. What is copied is the source, not the drawing. */

import { announce } from "./announce.js";
import { icon } from "./icons.js";

const SHOWN = 1600;

document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("[data-copy]") : null;
  if (button instanceof HTMLElement) copy(button);
});

/** @param {HTMLElement} button */
async function copy(button) {
  try {
    await write(textOf(button));
    show(button, "check", "Copied");
  } catch {
    show(button, "alert", "Not copied");
  }
}

/** @param {HTMLElement} button */
function textOf(button) {
  if (button.dataset.copy === "snippet")
    return button.closest(".snippet")?.querySelector("code")?.textContent ?? "";
  if (button.dataset.copy === "secret") return button.parentElement?.querySelector("code")?.textContent ?? "";
  const turn = button.closest(".turn");
  /** @type {any} */
  const view = turn?.querySelector("answer-view, prose-text");
  return view?.text ?? "";
}

/** @param {string} text */
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without https there is only the old way.
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "sr";
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  if (!done) throw new Error("refused");
}

/** @param {HTMLElement} button @param {string} name @param {string} words */
function show(button, name, words) {
  announce(words);
  const old = button.querySelector(".icon");
  if (!old || button.dataset.state) return;
  const shown = icon(name);
  button.dataset.state = "done";
  old.replaceWith(shown);
  setTimeout(() => {
    delete button.dataset.state;
    shown.replaceWith(old);
  }, SHOWN);
}
