/**
 * Keeps the end of the conversation in view while an answer grows, but only for a reader who is there:
 * scrolling up ends it, coming back to the end, or the button, begins it again.
 */

const NEAR = 48;
const FAR = 160;
const SETTLING = 2000;

export class EndFollower {
  /** @type {HTMLElement} */
  #thread;
  /** @type {HTMLElement | null} */
  #button;
  /** Whether an answer is being written. */
  #growing = () => false;
  #following = location.hash === "";
  #last = 0;
  #settledAt = 0;
  #observer = new ResizeObserver(() => this.#resized());
  #stop = new AbortController();

  /**
   * @param {HTMLElement} thread
   * @param {HTMLElement | null} button
   * @param {() => boolean} growing
   */
  constructor(thread, button, growing) {
    this.#thread = thread;
    this.#button = button;
    this.#growing = growing;
  }

  connect() {
    const { signal } = this.#stop;
    window.addEventListener("scroll", () => this.#scrolled(), { passive: true, signal });
    window.addEventListener("resize", () => this.#resized(), { passive: true, signal });
    for (const name of ["wheel", "touchmove", "keydown"]) {
      window.addEventListener(name, () => this.#settle(), { passive: true, signal });
    }
    // Who opens a fold wants to read there.
    this.#thread.addEventListener(
      "click",
      (event) => {
        if (event.target instanceof Element && event.target.closest("summary")) this.#leave();
      },
      { signal },
    );
    this.#button?.addEventListener("click", () => this.toEnd(), { signal });
    this.stay();
    this.#observer.observe(this.#thread);
    this.#observer.observe(document.body); // What is around the thread grows by itself, too.
    const dock = document.querySelector(".dock");
    if (dock) this.#observer.observe(dock);
    this.#button?.toggleAttribute("hidden", true);
  }

  disconnect() {
    this.#observer.disconnect();
    this.#stop.abort();
  }

  toEnd() {
    this.#following = true;
    this.#settledAt = performance.now() + SETTLING;
    this.#scroll();
  }

  /** What changes the page next is part of the conversation: a reader at the end stays there. */
  stay() {
    if (this.#following) this.#settledAt = performance.now() + SETTLING;
  }

  /** The page was changed on purpose: who is at its end now follows it, who is not does not. */
  look() {
    this.#following = this.#distance() <= NEAR;
    this.#settle();
    this.#showButton();
  }

  #settle() {
    this.#settledAt = 0;
  }

  #leave() {
    this.#following = false;
    this.#settle();
  }

  #distance() {
    const { scrollHeight } = document.documentElement;
    return scrollHeight - window.innerHeight - window.scrollY;
  }

  #scroll() {
    window.scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    this.#last = window.scrollY;
    this.#showButton();
  }

  #scrolled() {
    const { scrollY } = window;
    if (this.#distance() <= NEAR) this.#following = true;
    else if (scrollY < this.#last - 1) this.#following = false;
    this.#last = scrollY;
    this.#showButton();
  }

  #resized() {
    if (this.#following && (this.#growing() || performance.now() < this.#settledAt)) this.#scroll();
    else this.#showButton();
  }

  #showButton() {
    this.#button?.toggleAttribute("hidden", this.#distance() <= FAR);
  }
}
