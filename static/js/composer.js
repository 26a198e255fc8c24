/**
 * <chat-composer conversation="ID or empty">: the box where a message is written. The text stays until the
 * server has accepted it; while an answer is written, sending turns into stopping.
 */

import { keepDraft, newId, readDraft, whenUsed } from "./drafts.js";
import { editLast } from "./edit.js";
import { link } from "./link.js";
import { clearNotices, showNotice } from "./notices.js";

const NEW = "new";

export class ChatComposer extends HTMLElement {
  #stop = new AbortController();
  #draft = { text: "", client: "" };
  #sent = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #keeping;
  #answering = "";

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#draft = readDraft(this.key);
    if (!this.box.value) this.box.value = this.#draft.text;
    this.box.addEventListener("input", () => this.#changed(), { signal });
    this.box.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.button.addEventListener("click", (event) => this.#press(event), { signal });
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
    document.addEventListener(
      "parley:answering",
      (event) => this.#state(/** @type {CustomEvent} */ (event).detail.message),
      { signal },
    );
    document.addEventListener("keydown", (event) => this.#escape(event), { signal });
    document.addEventListener("click", (event) => this.#starter(event), { signal });
    window.addEventListener("pagehide", () => this.#keep(), { signal });
    whenUsed(
      () => this.key,
      () => {
        this.#draft.client = newId();
      },
      signal,
    );
    this.#state(
      /** @type {import("./thread.js").LiveThread | null} */ (document.querySelector("live-thread"))
        ?.answering ?? "",
    );
    if (!matchMedia("(pointer: coarse)").matches) this.box.focus({ preventScroll: true });
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearTimeout(this.#keeping);
  }

  get conversation() {
    return this.getAttribute("conversation") ?? "";
  }

  get key() {
    return this.conversation || NEW;
  }

  get form() {
    return /** @type {HTMLFormElement} */ (this.querySelector("form"));
  }

  get box() {
    return /** @type {HTMLTextAreaElement} */ (this.querySelector("textarea"));
  }

  get button() {
    return /** @type {HTMLButtonElement} */ (this.querySelector(".composer-send"));
  }

  /** @param {string} text */
  write(text) {
    this.box.value = text;
    this.#changed();
    this.box.focus();
    this.box.setSelectionRange(text.length, text.length);
  }

  #changed() {
    this.#fit();
    this.#show();
    this.dispatchEvent(new CustomEvent("parley:typed"));
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#keep(), 200);
  }

  #keep() {
    clearTimeout(this.#keeping);
    this.#draft.text = this.box.value;
    keepDraft(this.key, this.#draft);
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
    if (event.key === "ArrowUp" && !this.box.value && !event.shiftKey && editLast()) event.preventDefault();
    if (event.key !== "Enter" || event.shiftKey) return;
    // On a touch keyboard Enter is the only way to begin a line.
    if (matchMedia("(pointer: coarse)").matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    if (this.#answering || !this.box.value.trim()) return;
    if (this.form.querySelector("input[name='model']:checked")) this.form.requestSubmit();
    else document.getElementById("models")?.showPopover();
  }

  /** @param {Event} event */
  #press(event) {
    event.preventDefault();
    if (this.#answering) this.#halt();
    else this.#submit();
  }

  /** @param {KeyboardEvent} event */
  #escape(event) {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || !this.#answering) return;
    if (document.querySelector("dialog[open], .menu:popover-open")) return;
    event.preventDefault();
    this.#halt();
  }

  #halt() {
    const message = this.#answering;
    this.form.dataset.state = "stopping";
    this.#show();
    if (link.send({ type: "stop", message })) return;
    const headers = JSON.parse(document.body.getAttribute("hx-headers:inherited") ?? "{}");
    fetch(`/c/${this.conversation}/m/${message}/stop/`, { method: "POST", headers }).catch(() => {
      this.form.dataset.state = "answering";
      this.#show();
      showNotice("unreachable");
    });
  }

  /** @param {CustomEvent} event */
  #sending({ detail: { ctx } }) {
    this.#sent = this.box.value;
    this.#keep();
    const thread = /** @type {import("./thread.js").LiveThread | null} */ (
      document.querySelector("live-thread")
    );
    ctx.request.body.set("client_id", this.#draft.client);
    if (thread?.lastMessage) ctx.request.body.set("parent", thread.lastMessage);
    clearNotices();
  }

  /** @param {CustomEvent} event */
  #answered({ detail: { ctx } }) {
    if (ctx.response.status >= 400 || ctx.response.raw.redirected || ctx.swap === "none") return;
    const now = this.box.value;
    const rest = now.startsWith(this.#sent) ? now.slice(this.#sent.length).trimStart() : now;
    keepDraft(this.key, { text: "", client: "" });
    this.#draft = { text: rest, client: newId() };
    const made = /^\/c\/([0-9a-f-]+)\/$/.exec(ctx.hx?.pushurl ?? "");
    if (made && rest) keepDraft(made[1], this.#draft);
    this.box.value = rest;
    this.#changed();
  }

  /** @param {string} message that is being written, or "" */
  #state(message) {
    this.#answering = message;
    if (message) this.form.dataset.state = "answering";
    else delete this.form.dataset.state;
    this.#show();
  }

  #show() {
    const { state } = this.form.dataset;
    const { button } = this;
    const label = state ? "Stop the answer" : "Send";
    button.setAttribute("aria-label", label);
    button.title = state ? "Stop (Esc)" : "Send (Enter)";
    button.disabled = state ? state === "stopping" : !this.box.value.trim();
  }

  /** @param {Event} event */
  #starter({ target }) {
    const starter = target instanceof Element ? target.closest("[data-starter]") : null;
    if (starter instanceof HTMLElement) this.write(starter.dataset.starter ?? "");
  }
}

customElements.define("chat-composer", ChatComposer);
