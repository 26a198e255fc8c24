/**
 * <answer-view message run seq [live]> with one <script type="application/json">: {"blocks": […]} of a finished
 * answer, {"state": …} of one in the making. Draws it, and goes on with the events of its run.
 */

import { MessageView } from "./blocks.js";
import { draw } from "./firstpaint.js";
import { Fold } from "./fold.js";
import { element } from "./icons.js";
import { judge } from "./numbers.js";

/** @typedef {import("./fold.js").Json} Json */

const SLOW = 12;

export class AnswerView extends HTMLElement {
  /** @type {MessageView | null} */
  #view = null;
  /** @type {Fold | null} */
  #fold = null;
  /** @type {Json} */
  #payload = { blocks: [] };
  #body = element("div", { class: "answer", "hx-ignore": "" });
  #scheduled = false;
  /** Milliseconds of the last drawing. */
  #took = 0;

  connectedCallback() {
    if (this.#view) return;
    this.#view = new MessageView(this.#body, `m-${this.message}`);
    const script = this.querySelector("script");
    this.#payload = JSON.parse(script?.textContent || '{"blocks":[]}');
    if (this.#payload.state) this.#fold = Fold.resume(this.#payload.state);
    this.append(this.#body);
    draw(this);
  }

  get message() {
    return this.getAttribute("message") ?? "";
  }

  get run() {
    return this.getAttribute("run") ?? "";
  }

  get live() {
    return this.hasAttribute("live");
  }

  get seq() {
    return Number(this.getAttribute("seq") ?? 0);
  }

  set seq(number) {
    this.setAttribute("seq", String(number));
  }

  get blocks() {
    return this.#fold?.blocks ?? this.#payload.blocks;
  }

  /** The answer's words as Markdown, for copying. */
  get text() {
    const texts = this.blocks.filter((/** @type {Json} */ block) => block.type === "text");
    return texts.map((/** @type {Json} */ block) => block.text).join("");
  }

  /** The answer's words as they are read. */
  get spoken() {
    return [...this.#body.querySelectorAll(":scope > .prose")].map(words).join("\n");
  }

  /**
   * @param {{run: string, after: number, seq: number, events: Json[]}} frame
   * @returns {"next" | "old" | "gap"}
   */
  take({ run, after, seq, events }) {
    if (!this.live || run !== this.run || !this.#fold) return "old";
    const verdict = judge(this.seq, { after, seq });
    if (verdict !== "next") return verdict;
    for (const event of events) this.#fold.apply(event);
    this.seq = seq;
    this.#schedule();
    return verdict;
  }

  /** @param {{run: string, seq: number, state: import("./fold.js").FoldState}} frame */
  replace({ run, seq, state }) {
    this.setAttribute("run", run);
    this.toggleAttribute("live", true);
    this.#fold = Fold.resume(state);
    this.seq = seq;
    this.#schedule();
  }

  /** @param {Json} payload of the finished answer, as a fresh page has it */
  finish(payload) {
    this.#fold = null;
    this.#payload = payload;
    this.removeAttribute("live");
    this.draw();
  }

  /** Once a frame; after a drawing that took long, only when the page had time for others. */
  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = this.#took > SLOW ? this.#took * 4 : 0;
    // Frames stand still in a hidden tab, which must not fall behind for ever.
    if (wait || document.hidden) setTimeout(() => this.#drawn(), Math.max(wait, document.hidden ? 500 : 0));
    else requestAnimationFrame(() => this.#drawn());
  }

  #drawn() {
    if (!this.#scheduled) return;
    this.#scheduled = false;
    const begun = performance.now();
    this.draw();
    this.#took = performance.now() - begun;
  }

  draw() {
    const live = this.live && this.#fold !== null;
    const open = live ? this.#fold?.open : (this.#payload.open ?? null);
    this.#view?.show(this.blocks, { open, finished: !live, seconds: this.#payload.seconds });
  }
}

/** @param {Element} prose @returns {string} its words without buttons, and each formula once */
function words(prose) {
  const copy = /** @type {Element} */ (prose.cloneNode(true));
  for (const extra of copy.querySelectorAll(".snippet-head, .katex-html, annotation")) extra.remove();
  return copy.textContent ?? "";
}

customElements.define("answer-view", AnswerView);
