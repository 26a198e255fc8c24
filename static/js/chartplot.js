/** Draws stacked bars with uPlot into a box, in the colours of the page's tokens, and again when those change. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { axisText, namedDays, scale, stack } from "./chartbars.js";

const BAR = 0.72; // of a day's width
const WIDEST = 72; // pixels
const THICK = 4; // pixels that a part must be high to be parted from the next one by a line
const DATE_ROOM = 4.5; // of the type's size, for the name of a day

/** @typedef {import("./chartbars.js").Data} Data */

export class Plot {
  /** @type {Data} */
  #data;
  /** @type {HTMLElement} */
  #box;
  /** @type {uPlot} */
  #uplot;
  #ink = /** @type {Record<string, string>} */ ({});
  #font = { size: 12, family: "sans-serif" };
  #grid = { step: 1, top: 1 };
  #whole = true;
  /** @type {import("./chartbars.js").Part[]} */
  parts = [];
  /** @type {number[]} */
  #tops = [];
  #sizes = new ResizeObserver(() => this.#resize());
  #themes = new MutationObserver(() => this.#recolour());
  #scheme = window.matchMedia("(prefers-color-scheme: dark)");
  #recolour = () => {
    this.#readInk();
    this.#uplot.redraw();
  };

  /**
   * @param {HTMLElement} box of the height that the chart is to have
   * @param {Data} data
   */
  constructor(box, data) {
    this.#box = box;
    this.#data = data;
    this.#readInk();
    this.#uplot = new uPlot(this.#options(), this.#stacked(new Set()), box);
    this.#sizes.observe(box);
    this.#themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.#scheme.addEventListener("change", this.#recolour);
  }

  /** The part of the page that lies over the bars, as wide and high as they may be. */
  get over() {
    return this.#uplot.over;
  }

  /** @param {ReadonlySet<number>} hidden layers that are left out from now on */
  show(hidden) {
    this.#uplot.setData(this.#stacked(hidden));
  }

  /** @param {number} y pixels below the upper edge of `over` @returns {number} the amount at that height */
  amountAt(y) {
    return this.#uplot.posToVal(y, "y");
  }

  destroy() {
    this.#sizes.disconnect();
    this.#themes.disconnect();
    this.#scheme.removeEventListener("change", this.#recolour);
    this.#uplot.destroy();
  }

  /** @param {ReadonlySet<number>} hidden @returns {uPlot.AlignedData} */
  #stacked(hidden) {
    const { parts, tops } = stack(this.#data, hidden);
    this.parts = parts;
    this.#tops = tops;
    this.#whole = hidden.size === 0;
    const ahead = this.#whole ? this.#data.days.map((day) => day.ahead ?? 0) : [];
    this.#grid = scale(Math.max(0, ...tops, ...ahead));
    return [this.#data.days.map((_, place) => place), ...parts.map(({ to }) => to)];
  }

  /** @returns {uPlot.Options} */
  #options() {
    const last = this.#data.days.length - 1;
    const paths = uPlot.paths.bars?.({
      size: [BAR, WIDEST],
      disp: {
        y0: { unit: 1, values: (_, series) => this.parts[series - 1].from },
        y1: { unit: 1, values: (_, series) => this.parts[series - 1].to },
      },
    });
    return {
      ...this.#size(),
      padding: [8, 0, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: false, range: () => [-0.5, last + 0.5] },
        y: { range: () => [0, this.#grid.top] },
      },
      axes: [this.#dates(), this.#amounts()],
      series: [
        {},
        ...this.#data.layers.map((_, layer) => ({
          fill: () => this.#ink[`series-${layer + 1}`],
          width: 0,
          paths,
          points: { show: false },
        })),
      ],
      hooks: { draw: [() => this.#drawOver()] },
    };
  }

  /** @returns {uPlot.Axis} */
  #dates() {
    const { days } = this.#data;
    const room = () => Math.max(2, this.#box.clientWidth / (DATE_ROOM * this.#font.size));
    return {
      font: this.#fontText,
      stroke: () => this.#ink["text-quiet"],
      size: Math.ceil(this.#font.size * 1.9),
      gap: 6,
      grid: { show: false },
      ticks: { show: false },
      border: { show: true, stroke: () => this.#ink["line-control"], width: 1 },
      splits: () => namedDays(days.length, Math.min(8, room())),
      values: (_, places) => places.map((place) => days[place].short),
    };
  }

  /** @returns {uPlot.Axis} */
  #amounts() {
    return {
      font: this.#fontText,
      stroke: () => this.#ink["text-quiet"],
      size: (_, texts) => {
        const longest = Math.max(5, ...(texts ?? []).map((text) => text.length));
        return Math.ceil(longest * this.#font.size * 0.62) + 8;
      },
      gap: 8,
      grid: { stroke: () => this.#ink.line, width: 1 },
      ticks: { show: false },
      splits: () => {
        const { step, top } = this.#grid;
        return Array.from({ length: Math.round(top / step) + 1 }, (_, line) => line * step);
      },
      values: (_, amounts) => amounts.map((amount) => axisText(amount, this.#grid.step)),
    };
  }

  /** The lines between layers; the day that has not ended is made lighter; what days may come to is outlined. */
  #drawOver() {
    const { ctx } = this.#uplot;
    const ratio = uPlot.pxRatio;
    const column = this.#across(1) - this.#across(0);
    const width = Math.min(column * BAR, WIDEST * ratio);
    ctx.save();
    ctx.fillStyle = this.#ink.surface;
    this.#part(width, ratio);
    this.#lighten(width);
    this.#outline(width, ratio);
    ctx.restore();
  }

  /** @param {number} width @param {number} ratio */
  #part(width, ratio) {
    for (const [place] of this.#data.days.entries()) {
      let below = this.#up(0);
      let isThick = false;
      for (const { to } of this.parts) {
        const amount = to[place];
        if (amount === null) continue;
        const above = this.#up(amount);
        const thick = below - above >= THICK * ratio;
        if (thick && isThick) {
          const left = this.#across(place) - width / 2;
          this.#uplot.ctx.fillRect(left, Math.round(below) - ratio / 2, width, ratio);
        }
        below = above;
        isThick = thick;
      }
    }
  }

  /** @param {number} width */
  #lighten(width) {
    const { ctx } = this.#uplot;
    const { partial } = this.#data;
    if (partial !== null && this.#tops[partial] > 0) {
      ctx.globalAlpha = 0.5;
      const top = this.#up(this.#tops[partial]);
      ctx.fillRect(this.#across(partial) - width / 2 - 1, top, width + 2, this.#up(0) - top);
      ctx.globalAlpha = 1;
    }
  }

  /** @param {number} width @param {number} ratio */
  #outline(width, ratio) {
    const { ctx } = this.#uplot;
    const { days } = this.#data;
    ctx.strokeStyle = this.#ink["line-control"];
    ctx.lineWidth = ratio;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    for (const [place, { ahead }] of days.entries()) {
      if (!this.#whole || ahead === null || ahead <= this.#tops[place]) continue;
      const left = Math.round(this.#across(place) - width / 2) + ratio / 2;
      const right = Math.round(this.#across(place) + width / 2) - ratio / 2;
      const top = Math.round(this.#up(ahead)) + ratio / 2;
      ctx.moveTo(left, this.#up(this.#tops[place]));
      ctx.lineTo(left, top);
      ctx.lineTo(right, top);
      ctx.lineTo(right, this.#up(this.#tops[place]));
    }
    ctx.stroke();
  }

  /** @param {number} place @returns {number} of the canvas */
  #across(place) {
    return this.#uplot.valToPos(place, "x", true);
  }

  /** @param {number} amount @returns {number} of the canvas */
  #up(amount) {
    return this.#uplot.valToPos(amount, "y", true);
  }

  #size() {
    return { width: Math.max(120, this.#box.clientWidth), height: this.#box.clientHeight };
  }

  #resize() {
    const { width, height } = this.#size();
    if (width !== this.#uplot.width || height !== this.#uplot.height) this.#uplot.setSize({ width, height });
  }

  get #fontText() {
    return `${this.#font.size}px ${this.#font.family}`;
  }

  /** A canvas knows no tokens: what they come to is read from an element that wears them one after the other. */
  #readInk() {
    const probe = document.createElement("span");
    this.#box.append(probe);
    const looks = getComputedStyle(probe);
    const names = ["surface", "line", "line-control", "text-quiet"];
    names.push(...this.#data.layers.map((_, layer) => `series-${layer + 1}`));
    for (const name of names) {
      probe.style.color = `var(--${name})`;
      this.#ink[name] = looks.color;
    }
    this.#font = { size: Math.round(Number.parseFloat(looks.fontSize)), family: looks.fontFamily };
    probe.remove();
  }
}
