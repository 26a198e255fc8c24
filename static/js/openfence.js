/**
 * A fence of code whose end has not come yet. Its lines go to the page as they are, without parsing: what is
 * appended equals what markdown-it would make of the whole.
 */

export class OpenFence {
  /** @type {Text} */
  #text;
  /** @type {RegExp} */
  #closing;
  /** @type {RegExp} */
  #mayClose;
  /** Where the line begins that is not finished, and how much of it is on the page. */
  #line;
  #shown = 0;
  #begun = false;
  #first = true;

  /**
   * @param {string} head its first line
   * @param {Text} text where the code goes
   * @param {number} line where the code begins in the source
   */
  constructor(head, text, line) {
    const [marks] = /** @type {RegExpExecArray} */ (/^(?:`+|~+)/.exec(head));
    this.#closing = new RegExp(`^ {0,3}${marks[0]}{${marks.length},}[ \\t]*$`);
    this.#mayClose = new RegExp(`^ {0,3}${marks[0]}*[ \\t]*$`);
    this.#text = text;
    this.#line = line;
  }

  /**
   * @param {string} source of one top-level block
   * @param {number} offset where that block begins in the whole text
   * @param {Node | null} node that shows the block
   * @returns {OpenFence | null} null when the block is anything else, or indented, or closed already
   */
  static of(source, offset, node) {
    const head = /^(?:`{3,}[^`\n]*|~{3,}[^\n]*)\n/.exec(source)?.[0];
    const code = node instanceof Element ? node.querySelector(":scope > pre > code") : null;
    if (!head || !code) return null;
    const text = document.createTextNode("");
    const fence = new OpenFence(head, text, head.length);
    if (fence.read(source) >= 0) return null;
    if (code.textContent !== text.data) code.replaceChildren(text);
    else if (code.firstChild instanceof Text) fence.#text = code.firstChild;
    else code.append(text);
    fence.#line += offset;
    return fence;
  }

  /**
   * Appends what is new.
   * @param {string} source the whole text
   * @returns {number} where the text goes on behind the fence, or -1 while it is open
   */
  read(source) {
    let added = "";
    let closed = -1;
    for (;;) {
      const end = source.indexOf("\n", this.#line);
      const line = source.slice(this.#line, end < 0 ? source.length : end);
      if (end >= 0 && this.#closing.test(line)) {
        closed = end + 1;
        break;
      }
      if (end < 0 && this.#mayClose.test(line)) break;
      if (!this.#begun && !this.#first) added += "\n";
      added += line.slice(this.#shown);
      this.#first = false;
      this.#begun = end < 0;
      this.#shown = end < 0 ? line.length : 0;
      if (end < 0) break;
      this.#line = end + 1;
    }
    if (added) this.#text.appendData(added);
    return closed;
  }
}
