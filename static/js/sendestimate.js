/**
 * <send-estimate src>: what sending would cost, beside the button that sends. The server gives figures once, for the
 * shown branch and the chosen model; from then on it is computed here as somebody types, without a request.
 */

import { count, usd } from "./amounts.js";
import { likely, most } from "./estimate.js";

const PAUSE = 80; // milliseconds after a key
const LATER = 150; // milliseconds, so that several changes are one request
const PATIENCE = 20_000;
const OWN = new Set(["text", "system"]); // fields that are measured here and not sent

/** @typedef {import("./estimate.js").Figures} Figures */

export class SendEstimate extends HTMLElement {
  #stop = new AbortController();
  #asked = new AbortController();
  /** @type {Figures | null} */
  #figures = null;
  /** When the cache forgets, in milliseconds since 1970. */
  #until = 0;
  #switched = false;
  #answering = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #drawing;
  /** Ends what a cache makes true. @type {ReturnType<typeof setTimeout> | undefined} */
  #expiry;

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const thread = document.querySelector("live-thread");
    this.#answering = Boolean(thread?.querySelector("answer-view[live]"));
    this.closest("chat-composer")?.addEventListener("parley:typed", () => this.#typed(), { signal });
    document.addEventListener("input", (event) => this.#input(event), { signal });
    document.addEventListener("change", (event) => this.#changed(event), { signal });
    document.addEventListener("parley:answering", (event) => this.#state(event), { signal });
    if (thread) {
      // Whatever changes turns or settings raises the version of the thread.
      const versions = new MutationObserver(() => this.#refresh());
      versions.observe(thread, { attributeFilter: ["version"] });
      signal.addEventListener("abort", () => versions.disconnect());
    }
    this.#refresh();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#asked.abort();
    for (const timer of [this.#soon, this.#drawing, this.#expiry]) clearTimeout(timer);
  }

  get form() {
    return this.closest("form");
  }

  get button() {
    return /** @type {HTMLButtonElement} */ (this.querySelector("button"));
  }

  #typed() {
    clearTimeout(this.#drawing);
    this.#drawing = setTimeout(() => this.#show(), PAUSE);
  }

  /** The system prompt of a new conversation stands in its settings. @param {Event} event */
  #input({ target }) {
    if (target instanceof HTMLTextAreaElement && target.name === "system" && target.form === this.form) {
      this.#typed();
    }
  }

  /** @param {Event} event */
  #changed({ target }) {
    if (!(target instanceof HTMLInputElement || target instanceof HTMLSelectElement)) return;
    if (target.form !== this.form) return;
    if (target.name === "model") this.#switched = true;
    this.#refresh();
  }

  /** @param {Event} event */
  #state(event) {
    this.#answering = Boolean(/** @type {CustomEvent} */ (event).detail.message);
    if (this.#answering) this.#take(null);
    else this.#refresh();
  }

  #refresh() {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.#fetch(), LATER);
  }

  async #fetch() {
    const { form } = this;
    if (this.#answering || !form) return;
    this.#asked.abort();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    const late = setTimeout(() => this.#asked.abort(), PATIENCE);
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (!OWN.has(name)) query.append(name, String(value));
    try {
      const response = await fetch(`${this.getAttribute("src")}?${query}`, { signal });
      if (!response.ok || response.redirected) return;
      const brought = document.createElement("template");
      brought.innerHTML = await response.text();
      if (!signal.aborted && !this.#answering) this.#bring(brought.content);
    } catch {
      // Nothing is shown then; sending does not need it.
    } finally {
      clearTimeout(late);
    }
  }

  /** @param {DocumentFragment} brought */
  #bring(brought) {
    this.#take(JSON.parse(brought.querySelector("script")?.textContent ?? "null"));
    for (const id of ["budget-meter", "me-budget"]) {
      const fresh = brought.querySelector(`#${id}`);
      const known = document.getElementById(id);
      if (fresh && known && fresh.innerHTML !== known.innerHTML) known.replaceWith(fresh);
    }
    this.#warn(brought.querySelector("[data-switch]"));
  }

  /** What the switch loses is said once, and stays true until it is dismissed. @param {Element | null} notice */
  #warn(notice) {
    const place = document.getElementById("composer-notice");
    const old = place?.querySelector("[data-switch]");
    old?.remove();
    if (notice && (old || this.#switched)) {
      place?.append(notice);
      const lasts = Number(notice.getAttribute("data-lasts"));
      if (lasts > 0) this.#expiry = setTimeout(() => this.#refresh(), lasts);
    }
    this.#switched = false;
  }

  /** @param {Figures | null} figures */
  #take(figures) {
    this.#figures = figures;
    this.#until = figures ? Date.now() + figures.cachedFor : 0;
    clearTimeout(this.#expiry);
    if (figures?.cached) this.#expiry = setTimeout(() => this.#show(), figures.cachedFor);
    this.#show();
  }

  #show() {
    clearTimeout(this.#drawing);
    const figures = this.#figures;
    const bytes = this.#bytes("text");
    // Before the first word of a new conversation there is nothing to say.
    const shown = figures && (bytes > 0 || this.#hasBranch);
    const nano = shown ? this.#fill(figures, bytes + this.#bytes("system")) : 0;
    this.button.hidden = nano === 0;
    if (nano === 0) /** @type {HTMLElement} */ (this.querySelector("#estimate")).hidePopover?.();
  }

  /** @param {Figures} figures @param {number} bytes @returns {number} the likely cost in nano-dollars */
  #fill(figures, bytes) {
    const { prompt, text, cached, nano } = likely(figures, bytes, Date.now() < this.#until);
    const until = new Date(this.#until).toLocaleTimeString([], { timeStyle: "short" });
    const highest = usd(most(figures, bytes));
    this.#words({
      branch: count(figures.prompt),
      cached: count(cached),
      until,
      text: count(text),
      answer: count(figures.usual),
      likely: usd(nano),
      most: highest,
      longest: count(figures.longest),
      searches: count(figures.searches),
    });
    this.#toggle("[data-row='branch']", this.#hasBranch);
    this.#toggle("[data-row='cached']", cached > 0);
    this.#toggle("[data-when='known']", figures.usualIsKnown);
    this.#toggle("[data-when='assumed']", !figures.usualIsKnown);
    this.#toggle("[data-when='searches']", figures.searches > 0);
    this.button.textContent = `≈ ${usd(nano)}`;
    this.button.title = `${count(prompt)} tokens${cached ? `, ${count(cached)} from cache` : ""}; at most ${highest}`;
    this.button.setAttribute("aria-label", `Estimated cost: about ${usd(nano)}, at most ${highest}`);
    return nano;
  }

  get #hasBranch() {
    return document.querySelector("live-thread article.turn") !== null;
  }

  /** @param {string} field of the form @returns {number} its length in UTF-8 */
  #bytes(field) {
    const text = this.form ? new FormData(this.form).get(field) : null;
    return typeof text === "string" ? new TextEncoder().encode(text).length : 0;
  }

  /** @param {Record<string, string>} words by the names of their parts */
  #words(words) {
    for (const [name, word] of Object.entries(words)) {
      const part = this.querySelector(`[data-part="${name}"]`);
      if (part && part.textContent !== word) part.textContent = word;
    }
  }

  /** @param {string} selector @param {boolean} shown */
  #toggle(selector, shown) {
    this.querySelector(selector)?.toggleAttribute("hidden", !shown);
  }
}

customElements.define("send-estimate", SendEstimate);
