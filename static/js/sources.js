/** The sources that an answer cites: numbered by their first mention, listed under the answer. */

import { citeMark } from "./dress.js";
import { element, icon } from "./icons.js";
import { isSafeAddress } from "./markdown.js";

/** @typedef {import("./fold.js").Json} Json */
/** @typedef {import("./fold.js").Block} Block */
/** @typedef {{number: number, title: string, address: string, quotes: string[]}} Source */

const QUOTE = 280;
const NAMED = 3;

export class Sources {
  /** @type {Map<string, Source>} */
  #sources = new Map();
  #prefix;

  /** @param {string} prefix of the ids, unique on the page */
  constructor(prefix) {
    this.#prefix = prefix;
  }

  /**
   * @param {Json} citation as the vendor sent it
   * @returns {number} its source's number, counted from 1
   */
  number(citation) {
    const address = text(citation.url) || text(citation.source);
    const key =
      address || `${citation.document_index ?? citation.search_result_index}:${citation.file_id ?? ""}`;
    let source = this.#sources.get(key);
    if (!source) {
      const title = text(citation.title) || text(citation.document_title) || address || "Document";
      source = { number: this.#sources.size + 1, title, address, quotes: [] };
      this.#sources.set(key, source);
    }
    const quote = text(citation.cited_text).replace(/\s+/g, " ").trim();
    if (quote && !source.quotes.includes(quote)) source.quotes.push(quote);
    return source.number;
  }

  /** @param {number} number @returns {HTMLElement} the mark in the text */
  mark(number) {
    const source = [...this.#sources.values()].find((one) => one.number === number);
    const title = source ? source.title.slice(0, 200) : "";
    const label = `Source ${number}${title ? `: ${title}` : ""}`;
    return element(
      "a",
      { class: "cite", href: `#${this.#id(number)}`, title, "aria-label": label },
      String(number),
    );
  }

  /** @returns {HTMLElement | null} the list, folded to one line; null when nothing is cited */
  list() {
    const all = [...this.#sources.values()];
    if (all.length === 0) return null;
    const named = all.slice(0, NAMED).map((source) => shorten(host(source.address) || source.title, 32));
    const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : "";
    const count = all.length === 1 ? "1 source" : `${all.length} sources`;
    const line = element("span", {}, `${count}: ${[...new Set(named)].join(", ")}${more}`);
    const list = element("ol");
    for (const source of all) list.append(this.#item(source));
    return element(
      "details",
      { class: "sources" },
      element("summary", {}, icon("book"), line, icon("down")),
      list,
    );
  }

  /** @param {Source} source */
  #item({ number, title, address, quotes }) {
    const shown = element("span");
    shown.append(named(title, address));
    if (host(address)) shown.append(element("small", {}, host(address)));
    for (const quote of quotes.slice(0, 3)) {
      shown.append(element("small", { dir: "auto" }, `“${shorten(quote, QUOTE)}”`));
    }
    const mark = element("span", { class: "cite", "aria-hidden": "true" }, String(number));
    return element("li", { id: this.#id(number), tabindex: "-1" }, mark, shown);
  }

  /** @param {number} number */
  #id(number) {
    return `${this.#prefix}-source-${number}`;
  }
}

/**
 * The Markdown of neighbouring text blocks, with marks where something is cited. Vendors split a sentence
 * into blocks at each citation, so the blocks are one text again. The end of an open block waits for its
 * citations, so that the text only ever grows.
 * @param {{block: Block, open: boolean}[]} parts
 * @param {Sources} sources
 */
export function passage(parts, sources) {
  let source = "";
  for (const { block, open } of parts) {
    const words = text(block.text).replace(/[\ue000\ue001]/g, "");
    const body = words.trimEnd();
    if (open) return source + body;
    const numbers = new Set((block.citations ?? []).map((/** @type {Json} */ one) => sources.number(one)));
    const marks = [...numbers].map(citeMark).join("");
    source += marks ? withMarks(body, marks) + words.slice(body.length) : words;
  }
  return source;
}

/** Marks must not break what they follow. @param {string} body @param {string} marks */
function withMarks(body, marks) {
  if (/(?:^|\n)[ \t]*(?:`{3,}|~{3,})$|\$\$$|\\\]$/.test(body)) return `${body}\n\n${marks}`;
  if (/(?:^|\n)[ \t]*\|[^\n]*\|$/.test(body)) return `${body.slice(0, -1)}${marks}|`;
  return body + marks;
}

/**
 * @param {string} title
 * @param {string} address
 * @returns {HTMLElement} a link where the address is one that may be opened
 */
export function named(title, address) {
  const words = element("bdi", {}, shorten(title || address, 200));
  if (!isSafeAddress(address)) return words;
  const link = element("a", {
    href: address,
    title: address.slice(0, 500),
    rel: "noopener noreferrer nofollow",
  });
  link.setAttribute("target", "_blank");
  link.append(words);
  return link;
}

/** @param {string} address */
export function host(address) {
  return isSafeAddress(address) ? new URL(address).host : "";
}

/** @param {string} words @param {number} most */
export function shorten(words, most) {
  return words.length > most ? `${words.slice(0, most - 1).trimEnd()}…` : words;
}

/** @param {unknown} value @returns {string} */
function text(value) {
  return typeof value === "string" ? value : "";
}
