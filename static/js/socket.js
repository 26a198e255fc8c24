/**
 * The page's one socket: a window on what the server writes, never the place where anything is kept. It comes
 * back by itself, and says then what the page has, so that the story goes on without a gap.
 */

import { CLOSED, wait } from "./numbers.js";

const ACKNOWLEDGE = 250;
const QUIET = 1500;
const STALE = 30_000;
const TICK = 5000;
const OPENING = 8000;

/** @typedef {{conversation: string, after: () => Record<string, number>}} Followed */
/** @typedef {{state: "joined" | "away" | "signed-out" | "no-right", retryAt: number}} LinkState */

/**
 * Fires "frame" with what the server sent as its detail, "state" with a LinkState, and "back" when it was away,
 * for however short: what changed meanwhile was not told.
 */
export class Link extends EventTarget {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Followed | null} */
  #followed = null;
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #acknowledge;
  #acknowledgedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #opening;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #quiet;
  #ended = false;
  #before = false;
  #hiddenAt = 0;
  #address;

  /** @param {string} address */
  constructor(address) {
    super();
    this.#address = address;
  }

  open() {
    window.addEventListener("online", () => this.wake());
    window.addEventListener("offline", () => this.#lose());
    window.addEventListener("pagehide", () => this.#socket?.close());
    window.addEventListener("pageshow", () => this.wake());
    document.addEventListener("visibilitychange", () => this.#visibility());
    this.#hiddenAt = Date.now();
    this.#tick(Date.now());
    this.#connect();
  }

  /** Tries now, however long the wait would be. */
  wake() {
    if (this.#socket || this.#ended) return;
    this.#tries = 0;
    this.#connect();
  }

  /** A page that slept may hold a socket that died without a word; a new one costs little. */
  #visibility() {
    if (document.hidden) {
      this.#hiddenAt = Date.now();
    } else if (this.#socket && Date.now() - this.#hiddenAt > STALE) {
      this.renew();
    } else {
      this.wake();
    }
  }

  /** A machine that slept under an open page tells it nothing, but its timers stood still. @param {number} before */
  #tick(before) {
    setTimeout(() => {
      const now = Date.now();
      if (now - before > STALE && !document.hidden) this.renew();
      this.#tick(now);
    }, TICK);
  }

  /** Begins anew with a socket that knows nothing: it is told what the page has, and sends the rest. */
  renew() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.wake();
  }

  /** @param {Followed} followed what this page shows from now on */
  follow(followed) {
    this.#followed = followed;
    this.#sendFollow();
  }

  /** @param {string} conversation */
  unfollow(conversation) {
    if (this.#followed?.conversation !== conversation) return;
    this.#followed = null;
    this.send({ type: "unfollow" });
  }

  /** Says how far the page is; many calls make one message. */
  acknowledge() {
    // A hidden tab's timers come late, up to a minute; the server waits for this before it sends much more.
    if (document.hidden && Date.now() - this.#acknowledgedAt >= ACKNOWLEDGE) this.#sendFollow();
    else this.#acknowledge ??= setTimeout(() => this.#sendFollow(), ACKNOWLEDGE);
  }

  /** Says now what the page has; it is told which of its runs have ended, and shown those it does not know. */
  ask() {
    this.#sendFollow();
  }

  /** @param {object} command @returns {boolean} whether it went out */
  send(command) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  #sendFollow() {
    clearTimeout(this.#acknowledge);
    this.#acknowledge = undefined;
    this.#acknowledgedAt = Date.now();
    if (!this.#followed) return;
    const { conversation, after } = this.#followed;
    this.send({ type: "follow", conversation, after: after() });
  }

  #connect() {
    clearTimeout(this.#retry);
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    clearTimeout(this.#opening);
    this.#opening = setTimeout(() => this.#lose(), OPENING);
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      clearTimeout(this.#opening);
      clearTimeout(this.#quiet);
      this.#tries = 0;
      this.#quiet = undefined;
      this.#tell("state", { state: "joined", retryAt: 0 });
      if (this.#before) this.#tell("back", {});
      this.#before = true;
      this.#sendFollow();
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#tell("frame", JSON.parse(data));
    });
    socket.addEventListener("close", ({ code }) => {
      if (socket === this.#socket) this.#closed(code);
    });
  }

  /** The network is gone, or nobody opens: the other end will not answer a closing, so nobody waits for it. */
  #lose() {
    const socket = this.#socket;
    if (!socket) return;
    this.#closed(CLOSED.lost);
    socket.close();
  }

  /** @param {number} code */
  #closed(code) {
    this.#socket = null;
    clearTimeout(this.#opening);
    if (code === CLOSED.signedOut || code === CLOSED.noRight) {
      this.#ended = true;
      this.#tell("state", { state: code === CLOSED.signedOut ? "signed-out" : "no-right", retryAt: 0 });
      return;
    }
    const delay = code === CLOSED.badCommand ? wait(16, 1) : wait(this.#tries, Math.random());
    this.#tries += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), delay);
    const away = { state: "away", retryAt: Date.now() + delay };
    // A short break is nobody's business: the line appears only when it lasts.
    if (this.#tries > 3) this.#tell("state", away);
    else this.#quiet ??= setTimeout(() => this.#tell("state", away), QUIET);
  }

  /** @param {string} name @param {object} detail */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
