/**
 * <passkey-form ceremony="get|create" options="URL">: a form that is sent with a passkey's answer. What the
 * browser is asked stands in the form's JSON, or is fetched from `options` when it is needed. It shows itself
 * only in browsers that can: passkeys need https or localhost.
 */

import { answerOf, optionsFor } from "./webauthn.js";

const REFUSED =
  "Nothing happened: the passkey was not used, or there is none for this site here. Try again, or go another way.";
const KNOWN = "This device or key is among your passkeys already.";
const FAULT = "This did not work. Load the page again, then try once more.";

class PasskeyForm extends HTMLElement {
  #leaving = new AbortController();
  #busy = false;

  connectedCallback() {
    if (!window.PublicKeyCredential) return;
    this.#leaving = new AbortController();
    this.hidden = false;
    for (const part of document.querySelectorAll("[data-with-passkeys]")) part.removeAttribute("hidden");
    for (const part of document.querySelectorAll("[data-without-passkeys]")) part.setAttribute("hidden", "");
    this.#form.addEventListener("submit", (event) => this.#ask(event), { signal: this.#leaving.signal });
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  get #form() {
    return /** @type {HTMLFormElement} */ (this.querySelector("form"));
  }

  get #ceremony() {
    return this.getAttribute("ceremony") === "create" ? "create" : "get";
  }

  /** @param {SubmitEvent} event */
  async #ask(event) {
    event.preventDefault();
    if (this.#busy) return;
    this.#busy = true;
    this.#say("");
    try {
      const { publicKey } = await this.#options();
      const ceremony = this.#ceremony;
      const credential = await navigator.credentials[ceremony](optionsFor(publicKey, ceremony));
      /** @type {HTMLInputElement} */ (this.#form.elements.namedItem("credential")).value = JSON.stringify(
        answerOf(credential),
      );
      this.#form.submit();
    } catch (error) {
      this.#busy = false;
      this.#say(wordsFor(error));
    }
  }

  async #options() {
    const given = this.querySelector("script");
    if (given) return JSON.parse(given.textContent ?? "");
    const token = new FormData(this.#form).get("csrfmiddlewaretoken");
    const answer = await fetch(this.getAttribute("options") ?? "", {
      method: "POST",
      headers: { "X-CSRFToken": String(token) },
    });
    if (!answer.ok) throw new Error(`options: ${answer.status}`);
    return answer.json();
  }

  /** @param {string} words */
  #say(words) {
    const problem = this.querySelector("[role=alert]");
    if (!(problem instanceof HTMLElement)) return;
    problem.textContent = words;
    problem.hidden = !words;
  }
}

/** @param {unknown} error */
function wordsFor(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "InvalidStateError") return KNOWN;
  return name === "NotAllowedError" || name === "AbortError" ? REFUSED : FAULT;
}

customElements.define("passkey-form", PasskeyForm);
