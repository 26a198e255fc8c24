/**
 * What the socket says of answers: events and states go to the answers that are on the page, what is said of others
 * is remembered (elsewhere.js), and the end of an answer is fetched.
 */

import { Elsewhere } from "./elsewhere.js";
import { link } from "./link.js";

/** @typedef {import("./answer.js").AnswerView} AnswerView */
/** @typedef {{type: string, run: string, message: string, [key: string]: any}} Frame */

/**
 * The page, as this needs it: finds an answer, looks for new turns, fetches a turn anew, and hears that an answer
 * may have become live.
 * @typedef {{view(message: string): AnswerView | null, refresh(): void, reload(message: string): void,
 *   changed(): void}} Host
 */

export class Hearing {
  #elsewhere = new Elsewhere();
  #host;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
  }

  /** @returns {Record<string, number>} of the runs that are not on the page */
  get numbers() {
    return this.#elsewhere.numbers;
  }

  /** @param {Frame} frame of the conversation on the page */
  hear(frame) {
    if (!["events", "state", "finished"].includes(frame.type)) return;
    const view = this.#host.view(frame.message);
    if (view) {
      this.#tell(view, frame);
      return;
    }
    if (this.#elsewhere.take(frame)) this.#host.refresh();
    if (frame.type !== "finished") link.acknowledge();
  }

  /** The turns of the shown branch are asked for. */
  ask() {
    this.#elsewhere.ask();
  }

  /** They have come, and are in their places. */
  answer() {
    this.#elsewhere.answer();
  }

  /** What was said of an answer before its turn came. @param {AnswerView} view */
  catchUp(view) {
    const told = this.#elsewhere.claim(view.run);
    if (!told || !view.live || told.seq <= view.seq) return;
    for (const frame of told.frames ?? []) this.#tell(view, /** @type {Frame} */ (frame));
    if (told.seq > view.seq) this.#host.reload(view.message);
  }

  /** @param {AnswerView} view @param {Frame} frame */
  #tell(view, frame) {
    if (frame.type === "events") this.#events(view, /** @type {any} */ (frame));
    else if (frame.type === "state") this.#state(view, /** @type {any} */ (frame));
    else if (view.live || view.closest("article")?.dataset.status !== frame.status) {
      this.#host.reload(view.message);
    }
  }

  /** @param {AnswerView} view @param {Parameters<AnswerView["take"]>[0]} frame */
  #events(view, frame) {
    try {
      const verdict = view.take(frame);
      if (verdict === "gap") link.renew();
      else if (verdict === "next") link.acknowledge();
    } catch {
      this.#host.reload(view.message); // What the server holds is right; what was folded here is not.
    }
  }

  /** @param {AnswerView} view @param {Parameters<AnswerView["replace"]>[0]} frame */
  #state(view, frame) {
    view.replace(frame);
    link.acknowledge();
    this.#host.changed();
  }
}
