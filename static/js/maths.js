/**
 * Sets formulas with KaTeX, which is fetched when the page has nothing else to do, at the latest when the first
 * formula is met: one that had to wait for it would push down what is being read. KaTeX builds DOM nodes itself
 * (katex.render, nothing passes through HTML), trusts nothing and has caps; what it cannot set stays source.
 */

const FONTS = ["KaTeX_Main", "KaTeX_Math", "KaTeX_Size1", "KaTeX_Size2"];

const LONGEST = 4000;
const OPTIONS = Object.freeze({
  throwOnError: true,
  trust: false,
  strict: "ignore",
  maxExpand: 300,
  maxSize: 20,
  output: "htmlAndMathml",
});

/** @type {typeof import("katex").default | null} */
let katex = null;
/** @type {Promise<void> | null} */
let loading = null;
/** @type {Set<Element>} */
const waiting = new Set();

/** @param {Element} root every formula in it that is not set yet is set, now or as soon as KaTeX is here */
export function setFormulas(root) {
  const formulas = root.querySelectorAll(".math:not([data-state])");
  if (formulas.length === 0) return;
  for (const formula of formulas) waiting.add(formula);
  if (katex) setWaiting();
  else loading ??= load();
}

/** Fetches KaTeX once the page is idle. */
export function fetchWhenIdle() {
  const fetchNow = () => {
    loading ??= load();
  };
  if ("requestIdleCallback" in window) window.requestIdleCallback(fetchNow);
  else setTimeout(fetchNow, 1000);
}

/** @returns {Promise<void>} done when no formula waits */
export async function formulasSet() {
  await loading;
}

async function load() {
  const sheet = document.querySelector("meta[name='parley:formulas']")?.getAttribute("content");
  try {
    const [loaded] = await Promise.all([import("katex"), sheet ? addSheet(sheet) : null]);
    await Promise.all(FONTS.map((name) => document.fonts?.load(`1em ${name}`)));
    katex = loaded.default;
    setWaiting();
  } catch {
    loading = null; // Offline: the source stays readable, the next formula tries again.
  }
}

/** @param {string} href @returns {Promise<void>} */
function addSheet(href) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  return new Promise((resolve) => {
    link.addEventListener("load", () => resolve());
    link.addEventListener("error", () => resolve());
    document.head.append(link);
  });
}

function setWaiting() {
  for (const formula of waiting) {
    waiting.delete(formula);
    if (formula instanceof HTMLElement && formula.isConnected) set(formula);
  }
}

/** @param {HTMLElement} formula */
function set(formula) {
  const tex = formula.dataset.tex ?? "";
  if (tex.length > LONGEST) {
    formula.dataset.state = "source";
    return;
  }
  const made = document.createElement(formula.tagName);
  try {
    katex?.render(tex, made, { ...OPTIONS, displayMode: formula.dataset.math === "block" });
    formula.replaceChildren(...made.childNodes);
    formula.dataset.state = "set";
  } catch {
    formula.dataset.state = "source";
  }
}
