/**
 * <turn-edit message>: a person's turn as a box, with the text that is in it. Sending makes another version beside
 * it. The text stays until the server has accepted it, or it is given up; drafts.js keeps it meanwhile.
 */

import { keepDraft, newId, readDraft, whenUsed } from "./drafts.js";
import htmx from "./htmx.js";
import { clearNotices, sayNotice } from "./notices.js";
import { focusAct } from "./partials.js";

const PUT_BACK = 10_000;

export class TurnEdit extends HTMLElement {
  #stop = new AbortController();
  #draft = { text: "", client: "" };
  /** What the turn says now. */
  text = "";

  connectedCallback() {
    const template = document.getElementById("edit");
    if (this.firstChild || !(template instanceof HTMLTemplateElement)) return;
    this.append(template.content.cloneNode(true));
    this.form.setAttribute("hx-post", `/c/${this.conversation}/m/${this.message}/edit/`);
    this.#draft = readDraft(this.key);
    this.box.value = this.#draft.text || this.text;
    const { signal } = this.#stop;
    this.box.addEventListener("input", () => this.#changed(), { signal });
    this.box.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.form.addEventListener("click", (event) => this.#press(event), { signal });
    this.form.addEventListener(
      "htmx:config:request",
      (event) => this.#sending(/** @type {CustomEvent} */ (event)),
      { signal },
    );
    this.form.addEventListener(
      "htmx:before:swap",
      (event) => this.#answered(/** @type {CustomEvent} */ (event)),
      { signal },
    );
    whenUsed(
      () => this.key,
      () => {
        this.#draft.client = newId();
      },
      signal,
    );
    this.#fit();
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  get message() {
    return this.getAttribute("message") ?? "";
  }

  get conversation() {
    return this.closest("live-thread")?.getAttribute("conversation") ?? "";
  }

  get key() {
    return `edit:${this.message}`;
  }

  get form() {
    return /** @type {HTMLFormElement} */ (this.querySelector("form"));
  }

  get box() {
    return /** @type {HTMLTextAreaElement} */ (this.querySelector("textarea"));
  }

  /** Writes go on at the end of the text. */
  take() {
    this.box.focus({ preventScroll: true });
    this.box.setSelectionRange(this.box.value.length, this.box.value.length);
    this.scrollIntoView({ block: "nearest" });
  }

  close() {
    const turn = this.closest(".turn");
    keepDraft(this.key, { text: "", client: "" });
    this.remove();
    if (!focusAct(turn, "edit")) document.getElementById("main")?.focus({ preventScroll: true });
  }

  /** Keeps the text though its turn goes; also when the tab that sent the other version drops its own now. */
  leave() {
    const { key } = this;
    this.#draft.client = newId();
    this.keep();
    whenUsed(
      () => key,
      () => keepDraft(key, this.#draft),
      AbortSignal.timeout(PUT_BACK),
    );
  }

  /** In this browser. */
  keep() {
    this.#draft.text = this.box.value;
    keepDraft(this.key, this.#draft);
  }

  #changed() {
    this.#fit();
    this.keep();
    const send = /** @type {HTMLButtonElement} */ (this.form.querySelector("[type='submit']"));
    send.disabled = !this.box.value.trim();
  }

  /** Where the sheet cannot let the box grow with its text, the script does. */
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.box.style.blockSize = "auto";
    this.box.style.blockSize = `${this.box.scrollHeight}px`;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.preventDefault(); // It would stop an answer, too.
      this.close();
    }
    if (event.key !== "Enter" || event.shiftKey) return;
    // On a touch keyboard Enter is the only way to begin a line.
    if (matchMedia("(pointer: coarse)").matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    if (this.box.value.trim()) this.form.requestSubmit();
  }

  /** @param {Event} event */
  #press({ target }) {
    if (target instanceof Element && target.closest("[data-cancels]")) this.close();
  }

  /** @param {CustomEvent} event */
  #sending(event) {
    const model = document.querySelector("#models input[name='model']:checked");
    if (!(model instanceof HTMLInputElement)) {
      event.preventDefault();
      document.getElementById("models")?.showPopover();
      return;
    }
    this.keep();
    const { body } = event.detail.ctx.request;
    body.set("client_id", this.#draft.client);
    body.set("model", model.value);
  }

  /** @param {CustomEvent} event */
  #answered({ detail: { ctx } }) {
    if (ctx.response.status < 400 && !ctx.response.raw.redirected) this.accept();
  }

  /** The server has it: the box has done its work, also where its turn stays. */
  accept() {
    keepDraft(this.key, { text: "", client: "" });
    this.#draft = { text: "", client: newId() };
    this.remove();
  }
}

customElements.define("turn-edit", TurnEdit);

/** @param {Element | null} turn of a person becomes a box; the same box when it is one already */
export function edit(turn) {
  /** @type {any} */
  const prose = turn?.querySelector("prose-text");
  if (!turn || !prose) return;
  const box = /** @type {TurnEdit} */ (
    turn.querySelector("turn-edit") ?? document.createElement("turn-edit")
  );
  if (!box.isConnected) {
    box.setAttribute("message", turn.id.replace(/^turn-/, ""));
    box.text = prose.text;
    prose.after(box);
    htmx.process(box);
  }
  box.take();
}

/** @returns {boolean} whether there was a turn that may be edited */
export function editLast() {
  const button = [...document.querySelectorAll("live-thread [data-act='edit']")].at(-1);
  if (!button) return false;
  edit(button.closest(".turn"));
  return true;
}

/** @param {TurnEdit} box whose turn is not shown any more @param {Element} thread as it is now */
export function leaveEdit(box, thread) {
  const shown = /** @type {any[]} */ ([...thread.querySelectorAll("prose-text")]);
  if (shown.some(({ text }) => text === box.box.value)) {
    box.accept(); // It arrived, and only the answer to it was lost.
    clearNotices({ lasting: false });
  } else {
    box.leave();
    sayNotice("Another version is shown now. What you were editing is kept with its message.");
  }
}
