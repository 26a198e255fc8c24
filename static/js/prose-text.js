/**
 * <prose-text> with one <script type="application/json"> holding a person's text: the same Markdown as answers.
 * What is very long (a pasted log) shows its beginning, and the rest on demand.
 */

import { draw } from "./firstpaint.js";
import { colourLater } from "./highlight.js";
import { element } from "./icons.js";
import { render } from "./markdown.js";
import { setFormulas } from "./maths.js";

const LONG = 3000;
const LINES = 40;

export class ProseText extends HTMLElement {
  #text = "";
  #drawn = false;

  connectedCallback() {
    if (this.#drawn) return;
    this.#text = JSON.parse(this.querySelector("script")?.textContent || '""');
    draw(this);
  }

  get text() {
    return this.#text;
  }

  draw() {
    if (this.#drawn) return;
    this.#drawn = true;
    const prose = element("div", { class: "prose", "hx-ignore": "" });
    prose.append(render(this.#text, { breaks: true }));
    this.append(prose);
    if (this.#text.length > LONG || this.#text.split("\n", LINES + 1).length > LINES) this.#clip(prose);
    setFormulas(prose);
    colourLater(prose);
  }

  /** @param {HTMLElement} prose */
  #clip(prose) {
    const more = element("button", { class: "button", type: "button", "data-kind": "quiet" }, "Show all");
    prose.dataset.clipped = "";
    more.addEventListener("click", () => {
      const clipped = prose.toggleAttribute("data-clipped");
      more.textContent = clipped ? "Show all" : "Show less";
      if (clipped) this.scrollIntoView({ block: "nearest" });
    });
    this.append(more);
  }
}

customElements.define("prose-text", ProseText);
