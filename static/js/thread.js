/**
 * <live-thread conversation version>: the turns of one conversation. Hands the frames of the socket to the
 * answers, puts turns in their places, whether a person's own act or a change elsewhere brings them, and follows
 * the end for a reader who is there.
 */

import { announce } from "./announce.js";
import { AnswerView } from "./answer.js";
import { leaveEdit } from "./edit.js";
import { EndFollower } from "./end.js";
import { Hearing } from "./hearing.js";
import htmx from "./htmx.js";
import { link } from "./link.js";
import { closeLost } from "./menus.js";
import { clearNotices } from "./notices.js";
import { focusOutcome, isSpeaking, kindOf, placeOutcome } from "./outcome.js";
import { fetchTurns, placeTurns, turnsIn, updateTurn } from "./partials.js";
import { Pulse } from "./pulse.js";
import { forgetTries } from "./tries.js";

const RETRY = 2000;
const LONGEST_RETRY = 60_000;
const SILENCE = 20_000;

/** @typedef {{type: string, conversation?: string, [key: string]: any}} Frame */
/** @typedef {import("./partials.js").Turns} Turns */

export class LiveThread extends HTMLElement {
  /** @type {EndFollower | null} */
  #end = null;
  #stop = new AbortController();
  /** Our own requests that will bring turns themselves. */
  #sending = 0;
  /** Whether something is newer than what is here, and is fetched when our own requests have ended. */
  #stale = false;
  #refreshing = false;
  #failures = 0;
  /** @type {Promise<void>} */
  #work = Promise.resolve();
  #answering = "";
  #hearing = new Hearing({
    view: (message) => this.#view(message),
    refresh: () => this.#refresh(),
    reload: (message) => this.#reload(message),
    changed: () => this.#turnsChanged(),
  });
  #pulse = new Pulse(SILENCE, () => this.#look());

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#end = new EndFollower(this, document.getElementById("to-end"), () => this.answering !== "");
    this.#end.connect();
    link.addEventListener("frame", (event) => this.#frame(/** @type {CustomEvent} */ (event).detail), {
      signal,
    });
    link.addEventListener("back", () => this.#refresh({ away: true }), { signal });
    document.addEventListener("htmx:before:request", (event) => this.#request(event, 1), { signal });
    document.addEventListener("htmx:finally:request", (event) => this.#request(event, -1), { signal });
    document.addEventListener("htmx:before:swap", (event) => this.#answered(event), { signal });
    document.addEventListener("htmx:after:swap", (event) => this.#settled(event), { signal });
    document.getElementById("nav-new")?.removeAttribute("aria-current");
    link.follow({ conversation: this.conversation, after: () => this.#numbers() });
    this.#turnsChanged();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#end?.disconnect();
    this.#pulse.stop();
    link.unfollow(this.conversation);
  }

  get conversation() {
    return this.getAttribute("conversation") ?? "";
  }

  get version() {
    return Number(this.getAttribute("version") ?? 0);
  }

  set version(number) {
    if (number > this.version) this.setAttribute("version", String(number));
  }

  /** The message that is being written, or "". */
  get answering() {
    return this.#views().findLast((view) => view.live)?.message ?? "";
  }

  /** The last message on the page. */
  get lastMessage() {
    return this.querySelector(":scope > article.turn:last-of-type")?.id.replace(/^turn-/, "") ?? "";
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
    const live = this.#views().filter((view) => view.live && view.run);
    return { ...this.#hearing.numbers, ...Object.fromEntries(live.map((view) => [view.run, view.seq])) };
  }

  // What the socket says

  /** @param {Frame} frame */
  #frame(frame) {
    if (frame.conversation !== this.conversation) return;
    if (frame.type === "changed") {
      this.#changed(frame.version, frame.what.includes("turns"));
      return;
    }
    if (this.#answering) this.#pulse.beat();
    this.#hearing.hear(/** @type {any} */ (frame));
  }

  /**
   * A version between this one and the page's own was not told, or comes later: whatever it brought is fetched.
   * @param {number} version @param {boolean} turns whether turns are among what changed
   */
  #changed(version, turns) {
    const missed = version > this.version + 1;
    if (turns || missed) {
      if (version > this.version) this.#refresh({ away: missed && !turns });
    } else {
      this.version = version;
    }
  }

  /** Nothing was heard of a live answer for long: is it the model that is silent, or the socket that is dead? */
  #look() {
    const view = this.#view(this.answering);
    if (!view) return;
    const { seq } = view;
    this.#reload(view.message, (alive) => {
      if (!alive || view.seq > seq || !view.live) link.renew();
      else link.ask();
    });
  }

  // What is fetched

  /**
   * Fetches one turn anew.
   * @param {string} message
   * @param {(fetched: boolean) => void} [then]
   */
  #reload(message, then) {
    const seq = this.#view(message)?.seq;
    this.#queue(
      async () => {
        const { turns } = await fetchTurns(`/c/${this.conversation}/m/${message}/`);
        const turn = document.getElementById(`turn-${message}`);
        const fresh = turns.at(-1);
        this.#end?.stay();
        if (turn && fresh) updateTurn(turn, fresh);
        htmx.process(this);
        this.#turnsChanged();
        if (then) then(true);
        else this.#goOn(message, seq);
      },
      then && (() => then(false)),
    );
  }

  /** An answer that is live though it ended was started again elsewhere. @param {string} message @param {number} [seq] */
  #goOn(message, seq) {
    const view = this.#view(message);
    if (!view?.live) return;
    if (view.seq === seq) setTimeout(() => this.isConnected && link.ask(), RETRY);
    else link.ask();
  }

  /**
   * Fetches what is newer than the page.
   * @param {{whole?: boolean, away?: boolean}} [how] whole: do not begin at the page's last turn; away: it may be
   *   that more has changed than was told, such as how many versions an older turn has
   */
  #refresh({ whole = false, away = false } = {}) {
    if (this.#sending > 0) {
      this.#stale = true;
      return;
    }
    if (this.#refreshing && !whole && !away) return;
    this.#refreshing = true;
    this.#queue(
      async () => {
        this.#refreshing = false;
        this.#hearing.ask();
        const after = encodeURIComponent(whole ? "" : this.lastMessage);
        const brought = await fetchTurns(`/c/${this.conversation}/turns/?after=${after}`);
        this.#failures = 0;
        if (this.#sending > 0) this.#stale = true;
        else if (brought.version >= this.version) {
          const passed = brought.version > this.version;
          if (!this.#put(brought) || (away && passed && brought.after)) this.#refresh({ whole: true });
        }
      },
      () => {
        const wait = Math.min(LONGEST_RETRY, RETRY * 2 ** this.#failures);
        this.#failures += 1;
        setTimeout(() => this.isConnected && this.#refresh({ whole, away }), wait);
      },
    );
  }

  /** @param {Turns} brought from elsewhere @returns {boolean} */
  #put(brought) {
    const { activeElement } = document;
    const edited = /** @type {import("./edit.js").TurnEdit | null} */ (this.querySelector("turn-edit"));
    this.#end?.stay();
    if (brought.turns.some(({ id }) => !document.getElementById(id))) forgetTries();
    if (!placeTurns(this, brought)) return false;
    this.#placed(brought);
    if (edited && !edited.isConnected) leaveEdit(edited, this);
    this.#hearing.answer();
    if (activeElement && !activeElement.isConnected) {
      document.getElementById("main")?.focus({ preventScroll: true });
    }
    return true;
  }

  /** @param {Turns} brought that are in their places now */
  #placed({ turns, version }) {
    this.version = version;
    htmx.process(this);
    closeLost();
    for (const view of this.#views()) this.#hearing.catchUp(view);
    // Who is last again, because what was below is gone, may be gone on with again.
    const halted = this.querySelector(":scope > article.turn:last-of-type > :is(.halt, .notice)");
    if (turns.length === 0 && halted && !halted.querySelector("[data-act]")) this.#reload(this.lastMessage);
    this.#turnsChanged();
  }

  /**
   * One fetch after the other. After one that failed the page asks where things stand, in a while.
   * @param {() => Promise<void>} fetching
   * @param {() => void} [failed]
   */
  #queue(fetching, failed) {
    this.#work = this.#work.then(fetching).catch(() => {
      if (failed) failed();
      else setTimeout(() => this.isConnected && link.ask(), RETRY);
    });
  }

  // What the person does

  /** @param {Event} event @param {number} by */
  #request(event, by) {
    const { ctx } = /** @type {CustomEvent} */ (event).detail;
    if (!kindOf(ctx.request, this.conversation)) return;
    this.#sending += by;
    if (this.#sending === 0 && this.#stale) {
      this.#stale = false;
      this.#refresh();
    }
  }

  /** The turns of an own act are put in their places here; htmx swaps the rest. @param {Event} event */
  #answered(event) {
    const { ctx, tasks } = /** @type {CustomEvent} */ (event).detail;
    const kind = kindOf(ctx.request, this.conversation);
    if (!kind || ctx.response.status >= 400 || !ctx.response.headers.has("X-Parley-Version")) return;
    const at = tasks.findIndex((/** @type {{target: unknown}} */ task) => task.target === this);
    const [main] = at < 0 ? [] : tasks.splice(at, 1);
    const brought = turnsIn(main?.fragment ?? null, ctx.response.headers);
    if (kind !== "head" && kind !== "delete") clearNotices();
    const shown = kind === "head" ? (ctx.request.body.get("message") ?? "") : "";
    if (!placeOutcome(this, brought, shown, ctx.sourceElement)) this.#stale = true;
    this.#placed(brought);
    if (isSpeaking(kind)) this.#end?.toEnd();
    else this.#end?.look();
    focusOutcome(kind, shown, ctx.sourceElement);
  }

  /** @param {Event} event */
  #settled(event) {
    const { ctx } = /** @type {CustomEvent} */ (event).detail;
    this.#turnsChanged();
    if (kindOf(ctx.request, this.conversation) !== "delete" || ctx.response.status >= 400) return;
    announce(document.querySelector("#composer-notice [data-deleted] p")?.textContent ?? "");
    const undo = document.querySelector("#composer-notice [data-act='undo']");
    if (undo instanceof HTMLElement) undo.focus({ preventScroll: true });
  }

  /** Tells the composer, and people who listen, what goes on. */
  #turnsChanged() {
    const { answering } = this;
    if (answering === this.#answering) return;
    const before = this.#view(this.#answering);
    this.#answering = answering;
    if (answering) {
      this.#pulse.beat();
      announce("Answering");
      link.ask();
    } else {
      this.#pulse.stop();
      if (before) announce(before.spoken);
    }
    document.dispatchEvent(new CustomEvent("parley:answering", { detail: { message: answering } }));
  }
}

customElements.define("live-thread", LiveThread);
