/**
 * A page for tests: jsdom's window becomes the global one before any module of the page is loaded. Import this
 * first, and the modules after it.
 */

import { JSDOM } from "jsdom";

const dom = new JSDOM("<!doctype html><html lang='en'><head></head><body></body></html>", {
  url: "http://localhost/c/1/",
});

// jsdom's selector engine listens on the window anew for every document that is parsed, and each listener makes
// the next one dearer. No selector here asks for the focus or the pointer.
const { addEventListener } = dom.window;
dom.window.addEventListener = function listen(type, listener, options) {
  if (options?.capture && options?.passive) return;
  addEventListener.call(dom.window, type, listener, options);
};

const NAMES = [
  "window",
  "document",
  "Node",
  "NodeFilter",
  "Element",
  "HTMLElement",
  "HTMLAnchorElement",
  "CharacterData",
  "Text",
  "Comment",
  "DocumentFragment",
  "DOMParser",
  "customElements",
  "CustomEvent",
  "Event",
  "EventTarget",
  "MessageEvent",
  "KeyboardEvent",
  "MouseEvent",
  "SVGElement",
  "MutationObserver",
  "HTMLTemplateElement",
  "localStorage",
  "FormData",
  "Storage",
  "XPathEvaluator",
  "CSS",
  "location",
  "history",
  "HTMLFormElement",
  "HTMLTextAreaElement",
  "HTMLInputElement",
  "HTMLButtonElement",
  "HTMLDialogElement",
];
for (const name of NAMES) {
  if (!(name in dom.window)) continue;
  Object.defineProperty(globalThis, name, { value: dom.window[name], configurable: true, writable: true });
}

Object.defineProperty(dom.window.document, "hidden", { value: false, configurable: true });
globalThis.requestAnimationFrame = (callback) => setTimeout(() => callback(performance.now()), 4);
globalThis.cancelAnimationFrame = clearTimeout;

export const { window: page } = dom;

/** A repeatable stream of numbers in [0, 1). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
