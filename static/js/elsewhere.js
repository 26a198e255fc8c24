/**
 * Runs of the conversation whose answers are not on the page: they are written on another branch, or their turns
 * are still on the way. The server bounds what it sends by what the page says to have, so their numbers are kept.
 * What they said is kept, too, until it is known that the page does not show them.
 */

const FRAMES = 256;

/** @typedef {{type: string, run: string, message: string, seq?: number}} Frame */

export class Elsewhere {
  /** By run. @type {Map<string, {message: string, seq: number, frames: Frame[] | null, asked: boolean}>} */
  #runs = new Map();

  /**
   * @param {Frame} frame of an answer that is not here
   * @returns {boolean} whether its turn is to be looked for: nobody has asked for it yet
   */
  take(frame) {
    const { type, run, message, seq = 0 } = frame;
    if (type === "finished") {
      this.#runs.delete(run);
      return false;
    }
    const known = this.#runs.get(run) ?? { message, seq, frames: [], asked: false };
    known.seq = seq;
    if (known.frames && known.frames.length < FRAMES) known.frames.push(frame);
    else known.frames = null;
    this.#runs.set(run, known);
    return !known.asked;
  }

  /** The turns of the shown branch are asked for. */
  ask() {
    for (const known of this.#runs.values()) known.asked = true;
  }

  /** They have come: whoever was asked for and is not among them is on another branch. */
  answer() {
    for (const known of this.#runs.values()) if (known.asked) known.frames = null;
  }

  /**
   * The answer of this run is here now.
   * @param {string} run
   * @returns {{seq: number, frames: Frame[] | null} | null} how far it is, and what it said, if that was kept
   */
  claim(run) {
    const known = this.#runs.get(run) ?? null;
    this.#runs.delete(run);
    return known;
  }

  /** @returns {Record<string, number>} */
  get numbers() {
    return Object.fromEntries([...this.#runs].map(([run, { seq }]) => [run, seq]));
  }
}
