/** <show-password>: a password field and the button that shows what is in it. Hidden again when it is sent. */

class ShowPassword extends HTMLElement {
  #field = /** @type {HTMLInputElement | null} */ (null);
  #button = /** @type {HTMLButtonElement | null} */ (null);
  #leaving = new AbortController();

  connectedCallback() {
    this.#field = this.querySelector("input");
    this.#button = this.querySelector("button");
    if (!this.#field || !this.#button) return;
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    this.#button.hidden = false;
    this.#button.addEventListener("click", () => this.#show(this.#field?.type === "password"), { signal });
    this.#field.form?.addEventListener("submit", () => this.#show(false), { signal });
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  /** @param {boolean} shown */
  #show(shown) {
    if (!this.#field || !this.#button) return;
    this.#field.type = shown ? "text" : "password";
    this.#button.ariaPressed = String(shown);
  }
}

customElements.define("show-password", ShowPassword);
