/**
 * Gives the clean elements that markdown.js made the dress of the page: frames for code and tables, links
 * that say where they lead, places for formulas, marks for citations. Works on a fragment that is not in the
 * page yet, and only with DOM methods: no text becomes HTML here.
 */

import { element, icon } from "./icons.js";

/**
 * Stands in the source for "citation n": private characters, which are taken out of a text before marks are
 * put in, between brackets, so that Markdown reads the mark as punctuation ("**bold.**⸨1⸩" stays bold).
 */
const CITE = /\u2e28\ue000(\d+)\ue001\u2e29/g;

/** @param {number} n @returns {string} */
export const citeMark = (n) => `\u2e28\ue000${n}\ue001\u2e29`;

/** Cells with fewer characters are not broken into lines. */
const SHORT = 30;

/**
 * @param {DocumentFragment} fragment changed in place
 * @param {((n: number) => Node)} [cite] makes the mark of citation n; without it marks are dropped
 */
export function dress(fragment, cite) {
  for (const node of [...fragment.childNodes]) {
    if (node.nodeType === Node.TEXT_NODE && !node.textContent?.trim()) node.remove();
  }
  // Each block finds its own direction, lists and tables as a whole.
  for (const node of [...fragment.children]) if (node.tagName !== "DIV") node.setAttribute("dir", "auto");
  for (const node of fragment.querySelectorAll("[data-math]")) math(/** @type {HTMLElement} */ (node));
  for (const node of fragment.querySelectorAll("[data-snippet]")) snippet(node);
  for (const node of fragment.querySelectorAll("[data-plain]")) plain(node);
  for (const node of fragment.querySelectorAll("[data-scroll]")) table(node);
  for (const node of fragment.querySelectorAll("a")) link(node);
  citations(fragment, cite);
}

/** @param {HTMLElement} node */
function math(node) {
  node.className = "math";
  node.dataset.tex = withoutMarks(node.textContent ?? "");
  node.replaceChildren(element("code", {}, node.dataset.tex));
}

/** @param {Element} node */
function snippet(node) {
  const language = withoutMarks(node.getAttribute("data-snippet") ?? "").slice(0, 40);
  node.removeAttribute("data-snippet");
  node.className = "snippet";
  const code = /** @type {Element} */ (node.querySelector("code"));
  code.setAttribute("data-lang", language);
  code.setAttribute("dir", "ltr");
  const text = code.textContent ?? "";
  if (text.includes("\ue000")) code.textContent = withoutMarks(text);
  code.parentElement?.setAttribute("tabindex", "0");
  const copy = element("button", {
    class: "button",
    type: "button",
    "data-kind": "quiet",
    "data-copy": "snippet",
  });
  copy.append(icon("copy"), "Copy");
  node.prepend(element("div", { class: "snippet-head" }, element("span", {}, language || "text"), copy));
}

/** @param {Element} node */
function plain(node) {
  node.className = "plain";
  node.removeAttribute("data-plain");
  node.setAttribute("dir", "auto");
}

/** @param {Element} node the frame of a table */
function table(node) {
  node.removeAttribute("data-scroll");
  node.className = "scroll";
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", "Table");
  node.setAttribute("tabindex", "0");
  node.firstElementChild?.setAttribute("dir", "auto");
  for (const cell of node.querySelectorAll("th, td")) {
    if ((cell.textContent ?? "").length < SHORT) cell.setAttribute("data-short", "");
  }
}

/** @param {HTMLAnchorElement} node */
function link(node) {
  const address = withoutMarks(node.getAttribute("href") ?? "");
  if (!address) {
    node.replaceWith(...node.childNodes);
    return;
  }
  const url = new URL(address);
  const host = url.host || url.pathname;
  node.setAttribute("href", address);
  node.setAttribute("title", address.slice(0, 500));
  node.setAttribute("rel", "noopener noreferrer nofollow");
  node.setAttribute("target", "_blank");
  if (node.hasAttribute("data-image")) {
    node.removeAttribute("data-image");
    node.className = "remote-image";
    const label = withoutMarks(node.textContent ?? "").trim();
    node.replaceChildren(
      icon("image"),
      element("span", {}, label ? `Image: ${label}` : "Image"),
      element("small", {}, `Open from ${host}`),
    );
  } else if (!(node.textContent ?? "").toLowerCase().includes(host.toLowerCase())) {
    node.dataset.host = host;
  }
}

/**
 * @param {DocumentFragment} fragment
 * @param {((n: number) => Node)} [cite]
 */
function citations(fragment, cite) {
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const marked = [];
  while (walker.nextNode()) {
    const text = /** @type {Text} */ (walker.currentNode);
    if (text.data.includes("\ue000")) marked.push(text);
  }
  for (const text of marked) {
    const pieces = text.data.split(CITE);
    const inert = !cite || text.parentElement?.closest("code, a");
    text.replaceWith(
      ...pieces.map((piece, at) => (at % 2 === 0 ? piece : inert ? "" : cite(Number(piece)))).filter(Boolean),
    );
  }
}

/** @param {string} text */
export function withoutMarks(text) {
  return text.replace(CITE, "");
}
