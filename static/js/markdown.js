/**
 * The one module where text of a model or a person becomes HTML.
 *
 * Two walls, one behind the other: markdown-it with raw HTML off and its own notion of a safe address, then
 * DOMPurify with an allow-list of what that renderer can make. Live text and finished text pass here alike.
 * What could cost more than a page may spend (very long blocks, deep nests, huge tables) stays plain text:
 * nothing is ever left out.
 */

import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { dress } from "./dress.js";
import { mathRules } from "./mathrules.js";

/**
 * One top-level block: its tokens and its lines, `start` inclusive and `end` exclusive.
 * @typedef {{tokens: import("markdown-it").Token[], start: number, end: number}} Block
 */

/**
 * `references`: link definitions known so far. `breaks`: a line end shows as a line end (a person's text).
 * `inline` may change the source of the last inline run before it is read (a live tail).
 * @typedef {{references?: object, breaks?: boolean, cite?: (n: number) => Node,
 *            inline?: (source: string) => string}} RenderOptions
 */

export const LIMITS = Object.freeze({
  text: 1_000_000,
  tokens: 60_000,
  blocks: 1500,
  blockTokens: 12_000,
  inline: 20_000,
  nesting: 40,
});

const SCHEMES = /^(?:https?:\/\/|mailto:)[^\s]/i;

/**
 * @param {string} address
 * @returns {boolean} whether a link may lead there
 */
export function isSafeAddress(address) {
  if (!SCHEMES.test(address)) return false;
  try {
    const url = new URL(address);
    return url.protocol === "mailto:" || url.hostname !== "";
  } catch {
    return false;
  }
}

const md = new MarkdownIt({ html: false, linkify: true, maxNesting: LIMITS.nesting });
md.validateLink = isSafeAddress;
md.linkify.set({ fuzzyLink: false, fuzzyIP: false, fuzzyEmail: true });
md.linkify.add("//", null);
md.linkify.add("ftp:", null);
md.use(mathRules);
// Blocks are read by `parse`; what remains of the chain works on the inline runs inside them.
md.core.ruler.disable(["normalize", "block"]);
md.core.ruler.at("inline", (state) => {
  for (const token of state.tokens) {
    if (token.type !== "inline") continue;
    token.children = [];
    if (token.content.length > LIMITS.inline) {
      const text = new Token("text_special", "", 0); // of this type, nobody looks for links in it
      text.content = token.content;
      token.children.push(text);
    } else {
      state.md.inline.parse(token.content, state.md, state.env, token.children);
    }
  }
});

const { escapeHtml } = md.utils;
const { rules } = md.renderer;
const { Token } = new md.core.State("", md, {});

/** @param {string} text @param {string} [language] */
function code(text, language = "") {
  const source = escapeHtml(text.replace(/\n$/, ""));
  return `<div data-snippet="${escapeHtml(language)}"><pre><code>${source}</code></pre></div>\n`;
}

rules.fence = (tokens, at) =>
  code(tokens[at].content, md.utils.unescapeAll(tokens[at].info).trim().split(/\s+/)[0]);
rules.code_block = (tokens, at) => code(tokens[at].content);
rules.table_open = () => '<div data-scroll=""><table>\n';
rules.table_close = () => "</table></div>\n";
rules.plain = (tokens, at) => `<div data-plain="">${escapeHtml(tokens[at].content)}</div>\n`;
rules.math = (tokens, at) => {
  const { content, block, info } = tokens[at];
  const tag = block ? "div" : "span";
  return `<${tag} data-math="${info}">${escapeHtml(content)}</${tag}>`;
};
rules.image = (tokens, at) => {
  const alt = tokens[at].content;
  return `<a data-image="" href="${escapeHtml(String(tokens[at].attrGet("src")))}">${escapeHtml(alt)}</a>`;
};
rules.heading_open = rules.heading_close = (tokens, at) => {
  const level = Math.min(6, Number(tokens[at].tag.slice(1)) + 1);
  return tokens[at].nesting > 0 ? `<h${level}>` : `</h${level}>\n`;
};
rules.td_open = rules.th_open = (tokens, at) => {
  const align = /right|center/.exec(String(tokens[at].attrGet("style")))?.[0] ?? "";
  return `<${tokens[at].tag}${align ? ` data-align="${align}"` : ""}>`;
};

const ALLOWED = {
  ALLOWED_TAGS:
    "a blockquote br code del div em h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul".split(
      " ",
    ),
  ALLOWED_ATTR: [
    "href",
    "title",
    "start",
    "data-snippet",
    "data-scroll",
    "data-align",
    "data-math",
    "data-image",
    "data-plain",
  ],
  ADD_URI_SAFE_ATTR: [
    "start",
    "data-snippet",
    "data-scroll",
    "data-align",
    "data-math",
    "data-image",
    "data-plain",
  ],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.hasAttribute("href") && !isSafeAddress(node.getAttribute("href") ?? ""))
    node.removeAttribute("href");
});

/** @param {string} text @returns {string} with "\n" as its only line end and without NUL */
export function clean(text) {
  return text.replace(/\r\n?/g, "\n").replace(/\0/g, "\ufffd");
}

/**
 * @param {string} text cleaned
 * @param {object} [references] link definitions; those found are added
 * @returns {Block[]} the top-level blocks, in order
 */
export function parse(text, references = {}) {
  if (text.length > LIMITS.text) return [plainBlock(text, 0, text.split("\n").length)];
  /** @type {import("markdown-it").Token[]} */
  const tokens = [];
  md.block.parse(text, md, { references }, tokens);
  const lines = text.split("\n");
  if (tokens.length > LIMITS.tokens) return [plainBlock(text, 0, lines.length)];

  /** @type {Block[]} */
  const blocks = [];
  let from = 0;
  let deepest = 0;
  tokens.forEach((token, at) => {
    deepest = Math.max(deepest, token.level);
    if (token.level > 0 || token.nesting > 0) return;
    const [start, end] = tokens[from].map ?? [0, 0];
    const heavy = at - from > LIMITS.blockTokens || deepest >= LIMITS.nesting - 1;
    blocks.push(
      heavy
        ? plainBlock(lines.slice(start, end).join("\n"), start, end)
        : { tokens: tokens.slice(from, at + 1), start, end },
    );
    from = at + 1;
    deepest = 0;
  });
  if (blocks.length <= LIMITS.blocks) return blocks;
  const { start } = blocks[LIMITS.blocks];
  return [...blocks.slice(0, LIMITS.blocks), plainBlock(lines.slice(start).join("\n"), start, lines.length)];
}

/** @type {(text: string, start: number, end: number) => Block} */
function plainBlock(text, start, end) {
  const token = new Token("plain", "", 0);
  token.block = true;
  token.content = text.trimEnd();
  return { tokens: [token], start, end };
}

/**
 * @param {Block[]} blocks read by `parse`, used once
 * @param {RenderOptions} [options]
 * @returns {DocumentFragment} safe to insert
 */
export function toFragment(blocks, { references = {}, breaks = false, cite, inline } = {}) {
  const tokens = blocks.flatMap((block) => block.tokens);
  if (inline) {
    const leaf = tokens.findLast((token) => token.nesting === 0);
    if (leaf?.type === "inline") leaf.content = inline(leaf.content);
  }
  const state = new md.core.State("", md, { references });
  state.tokens = tokens;
  md.core.process(state);
  const html = md.renderer.render(state.tokens, { ...md.options, breaks }, state.env);
  const fragment = DOMPurify.sanitize(html, ALLOWED);
  dress(fragment, cite);
  return fragment;
}

/**
 * @param {string} text
 * @param {RenderOptions} [options]
 * @returns {DocumentFragment}
 */
export function render(text, options = {}) {
  const references = {};
  const blocks = parse(clean(text), references);
  return toFragment(blocks, { ...options, references });
}
