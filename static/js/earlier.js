/**
 * <earlier-turns before="ID"> at the top of a thread: fetches the turns before that one when it comes into view, or
 * when it is pressed, and gives its place to them. What is read stays where it is.
 */

import { announce } from "./announce.js";
import { pageDrawn } from "./firstpaint.js";
import htmx from "./htmx.js";
import { fetchTurns } from "./partials.js";
import { holdPlace, turnInView } from "./place.js";

const AHEAD = "1200px 0px 0px";

export class EarlierTurns extends HTMLElement {
  #stop = new AbortController();
  /** @type {IntersectionObserver | null} */
  #observer = null;
  #busy = false;

  connectedCallback() {
    this.#stop = new AbortController();
    this.addEventListener("click", () => this.#fetch(true), { signal: this.#stop.signal });
    // Before all is drawn a long page is a short one, and this control in view.
    pageDrawn.then(() => this.#watch());
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#observer?.disconnect();
    this.#observer = null;
  }

  #watch() {
    if (!this.isConnected || this.#observer) return;
    this.#observer = new IntersectionObserver(
      (entries) => {
        // A busy page hears of several changes at once; the last of them is how it is now.
        if (entries.at(-1)?.isIntersecting) this.#fetch(false);
      },
      { rootMargin: AHEAD },
    );
    this.#observer.observe(this);
  }

  /** @param {boolean} pressed */
  async #fetch(pressed) {
    const thread = /** @type {HTMLElement | null} */ (this.closest("live-thread"));
    if (this.#busy || !thread) return;
    this.#busy = true;
    this.#say("Fetching earlier messages", "busy");
    try {
      const before = encodeURIComponent(this.getAttribute("before") ?? "");
      const address = `/c/${thread.getAttribute("conversation")}/turns/?before=${before}`;
      const brought = await fetchTurns(address);
      if (this.isConnected) this.#giveWay(thread, brought, pressed);
    } catch {
      // Not by itself again, or it would ask without end while the server is away.
      this.#observer?.disconnect();
      this.#say("Earlier messages could not be fetched. Try again", "failed");
    } finally {
      this.#busy = false;
    }
  }

  /**
   * @param {HTMLElement} thread
   * @param {import("./partials.js").Turns} brought
   * @param {boolean} pressed
   */
  #giveWay(thread, { turns, earlier }, pressed) {
    const fresh = turns.filter(({ id }) => !document.getElementById(id));
    const focused = pressed && this.contains(document.activeElement);
    holdPlace(turnInView(thread), () => this.replaceWith(...(earlier ? [earlier] : []), ...fresh));
    htmx.process(thread);
    const last = fresh.at(-1);
    if (focused && last) {
      // Reading goes on upwards from here.
      last.tabIndex = -1;
      last.focus({ preventScroll: true });
    }
    if (pressed) announce(`${fresh.length} earlier messages`);
  }

  /** @param {string} words @param {string} state */
  #say(words, state) {
    this.dataset.state = state;
    const label = this.querySelector("span");
    if (label) label.textContent = words;
  }
}

customElements.define("earlier-turns", EarlierTurns);
