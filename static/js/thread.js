/**
 * <live-thread conversation version>: the turns of one conversation. Hands the frames of the socket to the
 * answers, fetches what the server says has changed, and follows the end for a reader who is there.
 */

import { announce } from "./announce.js";
import { AnswerView } from "./answer.js";
import { EndFollower } from "./end.js";
import htmx from "./htmx.js";
import { link } from "./link.js";
import { fetchTurns, mergeTurns, updateTurn } from "./partials.js";

const RETRY = 2000;

/** @typedef {{type: string, conversation?: string, [key: string]: any}} Frame */

export class LiveThread extends HTMLElement {
  /** @type {EndFollower | null} */
  #end = null;
  #stop = new AbortController();
  /** Our own requests that will bring turns themselves. */
  #sending = 0;
  #stale = false;
  /** @type {Promise<void>} */
  #work = Promise.resolve();
  #answering = "";

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#end = new EndFollower(this, document.getElementById("to-end"), () => this.answering !== "");
    this.#end.connect();
    link.addEventListener("frame", (event) => this.#frame(/** @type {CustomEvent} */ (event).detail), {
      signal,
    });
    link.addEventListener("back", () => this.#refresh(), { signal });
    document.addEventListener("htmx:before:request", (event) => this.#request(event, 1), { signal });
    document.addEventListener("htmx:finally:request", (event) => this.#request(event, -1), { signal });
    document.addEventListener("htmx:before:swap", (event) => this.#beforeSwap(event), { signal });
    document.addEventListener("htmx:after:swap", () => this.#turnsChanged(), { signal });
    document.getElementById("nav-new")?.removeAttribute("aria-current");
    link.follow({ conversation: this.conversation, after: () => this.#numbers() });
    this.#turnsChanged();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#end?.disconnect();
    link.unfollow(this.conversation);
  }

  get conversation() {
    return this.getAttribute("conversation") ?? "";
  }

  get version() {
    return Number(this.getAttribute("version") ?? 0);
  }

  /** The message that is being written, or "". */
  get answering() {
    return this.#views().findLast((view) => view.live)?.message ?? "";
  }

  /** The last message on the page. */
  get lastMessage() {
    return this.querySelector(":scope > article.turn:last-of-type")?.id.replace(/^turn-/, "") ?? "";
  }

  toEnd() {
    this.#end?.toEnd();
  }

  /** @returns {AnswerView[]} */
  #views() {
    return /** @type {AnswerView[]} */ ([...this.querySelectorAll("answer-view")]);
  }

  /** @param {string} message */
  #view(message) {
    const view = this.querySelector(`answer-view[message="${CSS.escape(message)}"]`);
    return view instanceof AnswerView ? view : null;
  }

  #numbers() {
    return Object.fromEntries(
      this.#views()
        .filter((view) => view.live && view.run)
        .map((view) => [view.run, view.seq]),
    );
  }

  /** @param {Frame} frame */
  #frame(frame) {
    if (frame.conversation !== this.conversation) return;
    if (frame.type === "changed") {
      if (frame.what.includes("turns") && frame.version > this.version) this.#refresh();
      return;
    }
    if (!["events", "state", "finished"].includes(frame.type)) return;
    const view = this.#view(frame.message);
    if (!view) this.#refresh();
    else if (frame.type === "events") this.#events(view, /** @type {any} */ (frame));
    else if (frame.type === "state") this.#state(view, /** @type {any} */ (frame));
    else if (view.live) this.#reload(frame.message);
  }

  /** @param {AnswerView} view @param {Parameters<AnswerView["take"]>[0]} frame */
  #events(view, frame) {
    try {
      const verdict = view.take(frame);
      if (verdict === "gap") link.renew();
      else if (verdict === "next") link.acknowledge();
    } catch {
      this.#reload(view.message); // What the server holds is right; what was folded here is not.
    }
  }

  /** @param {AnswerView} view @param {Parameters<AnswerView["replace"]>[0]} frame */
  #state(view, frame) {
    view.replace(frame);
    link.acknowledge();
    this.#turnsChanged();
  }

  /** Fetches one turn anew. @param {string} message */
  #reload(message) {
    this.#queue(async () => {
      const { turns } = await fetchTurns(`/c/${this.conversation}/m/${message}/`);
      const turn = document.getElementById(`turn-${message}`);
      const fresh = turns.at(-1);
      this.#end?.stay();
      if (turn && fresh) updateTurn(turn, fresh);
      htmx.process(this);
      this.#turnsChanged();
    });
  }

  /** Fetches the turns that are not here yet. */
  #refresh() {
    if (this.#sending > 0) {
      this.#stale = true;
      return;
    }
    this.#queue(async () => {
      const after = encodeURIComponent(this.lastMessage);
      const { turns, whole, version } = await fetchTurns(`/c/${this.conversation}/turns/?after=${after}`);
      mergeTurns(this, turns, whole);
      htmx.process(this);
      if (version) this.setAttribute("version", String(version));
      this.#turnsChanged();
    });
  }

  /**
   * One fetch after the other. After one that failed the page asks where things stand, in a while.
   * @param {() => Promise<void>} fetching
   */
  #queue(fetching) {
    this.#work = this.#work.then(fetching).catch(() => {
      setTimeout(() => link.ask(), RETRY);
    });
  }

  /** @param {Event} event @param {number} by */
  #request(event, by) {
    const { ctx } = /** @type {CustomEvent} */ (event).detail;
    if (ctx.request.method !== "POST" || !ctx.request.action.startsWith(`/c/${this.conversation}/`)) return;
    this.#sending += by;
    if (this.#sending === 0 && this.#stale) {
      this.#stale = false;
      this.#refresh();
    }
  }

  /** Turns that came by the socket's way already do not come twice. @param {Event} event */
  #beforeSwap(event) {
    const { ctx, tasks } = /** @type {CustomEvent} */ (event).detail;
    const version = Number(ctx.response?.headers.get("X-Parley-Version") ?? 0);
    if (version > this.version) this.setAttribute("version", String(version));
    for (const { fragment } of tasks) {
      for (const turn of fragment?.querySelectorAll?.("article.turn[id]") ?? []) {
        if (document.getElementById(turn.id)) turn.remove();
      }
    }
    if (version) queueMicrotask(() => this.toEnd());
  }

  /** Tells the composer, and people who listen, what goes on. */
  #turnsChanged() {
    const { answering } = this;
    if (answering === this.#answering) return;
    const before = this.#answering;
    this.#answering = answering;
    if (answering) {
      announce("Answering");
      link.ask();
    } else if (before) {
      announce(this.#view(before)?.spoken ?? "");
    }
    document.dispatchEvent(new CustomEvent("parley:answering", { detail: { message: answering } }));
  }
}

customElements.define("live-thread", LiveThread);
