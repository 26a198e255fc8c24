/**
 * <cost-chart> around a JSON block, a box, a legend and a table: draws the bars, says what the day under the
 * pointer or the focus cost, hides layers, and opens a day's calls. The days are links that lie over the bars.
 */

import { inWords, isToCome, layerAt } from "./chartbars.js";
import { Plot } from "./chartplot.js";

/** @typedef {import("./chartbars.js").Data} Data */

const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

class CostChart extends HTMLElement {
  /** @type {Data} */
  #data = { layers: [], days: [], partial: null };
  /** @type {Plot | null} */
  #plot = null;
  /** @type {HTMLElement[]} */
  #days = [];
  /** @type {Set<number>} */
  #hidden = new Set();
  #card = document.createElement("div");
  #place = -1;
  #layer = -1;
  #touched = false;

  connectedCallback() {
    const box = this.querySelector(".chart-box");
    const said = this.querySelector("script[type='application/json']")?.textContent;
    if (!(box instanceof HTMLElement) || !said || this.#plot) return;
    this.#data = JSON.parse(said);
    this.#plot = new Plot(box, this.#data);
    this.#card.className = "chart-card";
    this.#card.setAttribute("aria-hidden", "true");
    this.#card.hidden = true;
    box.append(this.#card);
    this.#layDays(this.#plot.over);
    this.#makeButtons();
  }

  disconnectedCallback() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** @param {HTMLElement} over */
  #layDays(over) {
    this.#days = this.#data.days.map((day, place) => {
      const one = document.createElement(day.address ? "a" : "span");
      if (one instanceof HTMLAnchorElement) one.href = day.address;
      else one.setAttribute("role", "img");
      one.className = "chart-day";
      one.tabIndex = -1;
      one.setAttribute("aria-label", inWords(this.#data, place));
      return one;
    });
    const last = this.#data.partial ?? this.#days.length - 1;
    this.#days[last].tabIndex = 0;
    const row = document.createElement("div");
    row.className = "chart-days";
    row.append(...this.#days);
    over.append(row);
    row.addEventListener("pointerdown", (event) => {
      this.#touched = event.pointerType === "touch";
    });
    row.addEventListener("pointermove", (event) => this.#point(event));
    row.addEventListener("pointerleave", () => this.#rest());
    row.addEventListener("click", (event) => this.#open(event));
    row.addEventListener("focusin", ({ target }) => {
      if (this.#placeOf(target) !== this.#place) this.#show(this.#placeOf(target), -1);
    });
    row.addEventListener("focusout", () => this.#hide());
    row.addEventListener("keydown", (event) => this.#press(event));
  }

  /** @param {EventTarget | null} target @returns {number} */
  #placeOf(target) {
    return target instanceof Element ? this.#days.indexOf(/** @type {HTMLElement} */ (target)) : -1;
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const place = this.#placeOf(event.target);
    if (place < 0 || !this.#plot || event.pointerType === "touch") return;
    this.#show(place, this.#layerUnder(event));
  }

  /** @param {MouseEvent} event @returns {number} */
  #layerUnder(event) {
    if (!this.#plot) return -1;
    const y = event.clientY - this.#plot.over.getBoundingClientRect().top;
    return layerAt(this.#plot.parts, this.#placeOf(event.target), this.#plot.amountAt(y));
  }

  /**
   * A finger cannot hover: its first touch of a bar reads it, the next one opens it.
   * @param {MouseEvent} event
   */
  #open(event) {
    const place = this.#placeOf(event.target);
    if (!this.#touched || place < 0) return;
    const layer = this.#layerUnder(event);
    if (
      this.#card.hidden ||
      this.#place !== place ||
      this.#layer !== layer ||
      this.#card.dataset.by !== "touch"
    ) {
      event.preventDefault();
      this.#show(place, layer);
      this.#card.dataset.by = "touch";
    }
  }

  /** The pointer has left: what has the focus is shown, or nothing. */
  #rest() {
    if (this.#touched) return;
    const focused = this.#placeOf(document.activeElement);
    if (focused >= 0 && document.activeElement?.matches(":focus-visible")) this.#show(focused, -1);
    else this.#hide();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.key === "Escape") return this.#hide();
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const step = STEPS[/** @type {keyof typeof STEPS} */ (event.key)];
    if (step !== undefined) {
      const place = Math.max(0, Math.min(this.#days.length - 1, this.#placeOf(event.target) + step));
      this.#show(place, -1);
      this.#days[place].focus({ preventScroll: true });
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      this.#climb(event.key === "ArrowUp" ? 1 : -1);
    } else return;
    event.preventDefault();
  }

  /** @param {number} by to the next layer of the day that has any, or to the whole day */
  #climb(by) {
    const there = [-1, ...this.#data.layers.keys()].filter(
      (layer) => layer < 0 || this.#plot?.parts[layer].to[this.#place] != null,
    );
    const at = there.indexOf(this.#layer) + by;
    this.#show(this.#place, there.at(at % there.length) ?? -1);
  }

  /**
   * @param {number} place
   * @param {number} layer that is pointed at, and opened by the link; -1: the whole day
   */
  #show(place, layer) {
    if (place < 0 || (place === this.#place && layer === this.#layer && !this.#card.hidden)) return;
    this.#days[this.#place]?.removeAttribute("data-on");
    for (const day of this.#days) day.tabIndex = -1;
    const day = this.#days[place];
    day.tabIndex = 0;
    day.dataset.on = "";
    this.#place = place;
    this.#layer = layer;
    const { address } = this.#data.days[place];
    if (day instanceof HTMLAnchorElement) day.href = address + (this.#data.layers[layer]?.end ?? "");
    this.#card.replaceChildren(...this.#lines(place, layer));
    this.#card.dataset.by = "";
    this.#card.hidden = false;
    this.#putCard(day);
  }

  #hide() {
    this.#days[this.#place]?.removeAttribute("data-on");
    this.#card.hidden = true;
    this.#place = this.#layer = -1;
  }

  /** @param {number} place @param {number} pointed @returns {HTMLElement[]} */
  #lines(place, pointed) {
    const day = this.#data.days[place];
    const lines = [made("b", day.long + (place === this.#data.partial ? ", so far" : ""))];
    for (const [layer, { text }] of this.#data.layers.entries()) {
      if (this.#hidden.has(layer) || !day.costs[layer]) continue;
      const swatch = this.querySelectorAll(".legend svg")[layer]?.cloneNode(true);
      const line = made("p", made("bdi", text), made("span", day.texts[layer]));
      if (swatch) line.prepend(swatch);
      if (layer === pointed) line.dataset.on = "";
      lines.push(line);
    }
    const whole = this.#hidden.size > 0 ? "Whole day, with what is hidden" : "Whole day";
    if (day.address) {
      if (this.#data.layers.length > 1) lines.push(made("p", made("bdi", whole), made("span", day.whole)));
    } else if (!isToCome(this.#data, place)) lines.push(made("p", "Nothing was used."));
    else if (day.ahead === null) lines.push(made("p", "To come."));
    if (day.ahead !== null) lines.push(made("p", made("bdi", "Forecast"), made("span", day.aheadText)));
    if (day.address) {
      const layer = this.#data.layers[pointed];
      const what = layer?.end == null ? "all calls of this day" : `these calls of ${layer.text}`;
      const act = this.#days[place].matches(":focus-visible") ? "Press Enter" : "Click";
      lines.push(made("small", `${this.#touched ? "Touch again" : act} to open ${what}`));
    }
    return lines;
  }

  /** Beside the day, on the side that has more room. @param {HTMLElement} day */
  #putCard(day) {
    const box = this.#card.offsetParent?.getBoundingClientRect();
    if (!box) return;
    const { left, right } = day.getBoundingClientRect();
    const width = this.#card.offsetWidth;
    const beside = right - box.left + 8;
    const wanted = beside + width <= box.width ? beside : left - box.left - width - 8;
    this.#card.style.left = `${Math.max(0, Math.min(wanted, box.width - width))}px`;
  }

  /** The legend's entries become switches of their layers. */
  #makeButtons() {
    const entries = this.querySelectorAll(".legend > li");
    if (entries.length < 2) return;
    for (const [layer, entry] of entries.entries()) {
      const button = made("button", ...entry.childNodes);
      button.setAttribute("type", "button");
      button.setAttribute("aria-pressed", "true");
      button.title = "Show or hide this layer";
      button.addEventListener("click", () => this.#toggle(layer));
      entry.append(button);
    }
  }

  /** @param {number} layer */
  #toggle(layer) {
    if (!this.#hidden.delete(layer)) this.#hidden.add(layer);
    if (this.#hidden.size === this.#data.layers.length) this.#hidden.clear(); // nothing to see: all of it again
    for (const [place, button] of this.querySelectorAll(".legend button").entries()) {
      button.setAttribute("aria-pressed", String(!this.#hidden.has(place)));
    }
    this.#plot?.show(this.#hidden);
  }
}

/** @param {string} name @param {...(Node | string)} parts @returns {HTMLElement} */
function made(name, ...parts) {
  const element = document.createElement(name);
  element.append(...parts);
  return element;
}

customElements.define("cost-chart", CostChart);
