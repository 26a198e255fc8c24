/** Looks after what should be heard from now and then: when it was silent for so long, somebody asks. */

export class Pulse {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #silence;
  #ask;

  /**
   * @param {number} silence in milliseconds
   * @param {() => void} ask called after each such silence
   */
  constructor(silence, ask) {
    this.#silence = silence;
    this.#ask = ask;
  }

  /** Something was heard, or listening begins. */
  beat() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.beat();
      this.#ask();
    }, this.#silence);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
