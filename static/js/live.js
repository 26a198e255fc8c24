/**
 * Markdown that arrives in pieces, drawn block by block. Blocks that can no longer change are final and are
 * not read again; only the tail after them is parsed anew, at most once per frame; an open fence of code is
 * not even parsed, its text is appended. When the text is complete the whole is rendered once more and
 * compared, so that a live page and a fresh page hold the same nodes.
 */

import { colourLater } from "./highlight.js";
import { clean, parse, render, toFragment } from "./markdown.js";
import { setFormulas } from "./maths.js";
import { OpenFence } from "./openfence.js";
import { patch } from "./patch.js";
import { settleBlock, settleCode, settleInline } from "./settle.js";

/** @typedef {import("./markdown.js").RenderOptions} RenderOptions */

export class LiveMarkdown {
  /** @type {HTMLElement} */
  #root;
  /** @type {RenderOptions} */
  #options;
  #source = "";
  /** Everything before this place of the source is final. */
  #final = 0;
  /** First node of the tail; null when all nodes are final. @type {ChildNode | null} */
  #tail = null;
  #references = {};
  /** @type {OpenFence | null} */
  #fence = null;
  #finished = false;

  /**
   * @param {HTMLElement} root holds nothing but what is drawn here
   * @param {RenderOptions} [options]
   */
  constructor(root, options = {}) {
    this.#root = root;
    this.#options = options;
  }

  /**
   * Draws the text so far.
   * @param {string} source all of it, from its beginning
   * @param {boolean} finished whether it is complete
   * @returns {boolean} whether anything was drawn
   */
  show(source, finished) {
    const text = clean(source);
    if (text === this.#source && finished === this.#finished) return false;
    if (!text.startsWith(this.#source)) this.#restart();
    this.#source = text;
    this.#finished = finished;
    if (finished) this.#finish();
    else this.#advance();
    return true;
  }

  #restart() {
    this.#final = 0;
    this.#tail = this.#root.firstChild;
    this.#references = {};
    this.#fence = null;
  }

  #finish() {
    patch(this.#root, this.#root.firstChild, render(this.#source, this.#options));
    this.#final = this.#source.length;
    this.#tail = null;
    this.#fence = null;
    setFormulas(this.#root);
    colourLater(this.#root);
  }

  #advance() {
    if (this.#fence) {
      const end = this.#fence.read(this.#source);
      if (end < 0) return;
      if (this.#tail instanceof Element) colourLater(this.#tail);
      this.#fence = null;
      this.#final = end;
      this.#tail = null;
    }
    const tail = this.#source.slice(this.#final);
    const blocks = parse(tail, { ...this.#references });
    if (blocks.length === 0) return;
    const offsets = lineOffsets(tail);
    const done = finalBlocks(blocks, tail, offsets.length - 1);
    const rest = offsets[blocks[done]?.start ?? offsets.length - 1];

    const fragment = document.createDocumentFragment();
    if (done > 0) {
      parse(tail.slice(0, rest), this.#references);
      fragment.append(toFragment(blocks.slice(0, done), this.#settings()));
    }
    const finished = fragment.childNodes.length;
    fragment.append(this.#unfinished(tail.slice(rest), blocks.slice(done)));

    const before = this.#tail ? this.#tail.previousSibling : this.#root.lastChild;
    patch(this.#root, this.#tail, fragment);
    this.#tail = before ? before.nextSibling : this.#root.firstChild;
    for (let at = 0; at < finished && this.#tail; at += 1) {
      if (this.#tail instanceof Element) colourLater(this.#tail);
      this.#tail = this.#tail.nextSibling;
    }
    setFormulas(this.#root);
    this.#final += rest;
    if (blocks.length - done === 1) this.#fence = OpenFence.of(tail.slice(rest), this.#final, this.#tail);
  }

  #settings() {
    return { ...this.#options, references: { ...this.#references } };
  }

  /**
   * @param {string} source
   * @param {import("./markdown.js").Block[]} blocks of that source, taken literally
   */
  #unfinished(source, blocks) {
    const leaf = blocks.at(-1)?.tokens.findLast((token) => token.nesting === 0)?.type;
    if (leaf === "plain") return toFragment(blocks, this.#settings());
    const code = leaf === "fence" || leaf === "code_block";
    const references = { ...this.#references };
    const settled = parse(code ? settleCode(source) : settleBlock(source), references);
    const options = { ...this.#options, references };
    return toFragment(settled, code ? options : { ...options, inline: settleInline });
  }
}

/** @param {string} text @returns {number[]} where each line begins, and behind the last the text's length */
function lineOffsets(text) {
  const offsets = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) offsets.push(at + 1);
  if (offsets.at(-1) !== text.length) offsets.push(text.length);
  return offsets;
}

/**
 * A block is final when another one follows it that can no longer join it. The last line may still grow, and
 * what it becomes can undo the block it begins ("***" is a rule, "***bold" is not), at most one line earlier
 * (the head of a table). So the block before such a beginning waits too.
 * @param {import("./markdown.js").Block[]} blocks
 * @param {string} text
 * @param {number} lines how many the text has
 * @returns {number} how many blocks are final
 */
function finalBlocks(blocks, text, lines) {
  const last = blocks[blocks.length - 1];
  const growing = text.endsWith("\n") ? lines : lines - 1;
  const settled = last.start < growing - 1 && (last.tokens[0].type !== "math" || last.end <= growing);
  return Math.max(0, blocks.length - (settled ? 1 : 2));
}
