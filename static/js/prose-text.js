/** <prose-text> with one <script type="application/json"> holding a person's text: the same Markdown as answers. */

import { draw } from "./firstpaint.js";
import { colourLater } from "./highlight.js";
import { element } from "./icons.js";
import { render } from "./markdown.js";
import { setFormulas } from "./maths.js";

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
    setFormulas(prose);
    colourLater(prose);
  }
}

customElements.define("prose-text", ProseText);
