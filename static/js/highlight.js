/**
 * Colours code, when the browser has nothing better to do: only the colours change, never the text or its
 * place. highlight.js is fetched with the first piece of code; its tree of scopes becomes elements here,
 * without HTML in between.
 */

const LONGEST = 60_000;

/** What the sheet colours: words of the language, texts, numbers, remarks, lines taken away. */
const KINDS = new Map(
  Object.entries({
    w: "keyword built_in type literal name selector-tag section variable.language meta.keyword",
    t: "string regexp char.escape symbol link addition code meta.string",
    n: "number bullet variable.constant",
    r: "comment quote meta doctag",
    d: "deletion",
  }).flatMap(([kind, scopes]) => scopes.split(" ").map((scope) => /** @type {const} */ ([scope, kind]))),
);

/** @type {Promise<typeof import("./languages.js").default> | null} */
let loading = null;
/** @type {Set<HTMLElement>} */
const waiting = new Set();
let scheduled = false;

/** @param {Element} root all code in it is coloured later */
export function colourLater(root) {
  for (const code of root.querySelectorAll("code[data-lang]:not([data-lang='']):not([data-state])")) {
    if (code instanceof HTMLElement && code.textContent && code.textContent.length <= LONGEST)
      waiting.add(code);
  }
  if (waiting.size > 0) schedule();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: 1500 });
  else setTimeout(work, 50);
}

/** @param {IdleDeadline} [deadline] */
async function work(deadline) {
  const end = performance.now() + (deadline?.timeRemaining() ?? 12);
  try {
    loading ??= import("./languages.js").then((module) => module.default);
    const highlighter = await loading;
    for (const code of waiting) {
      waiting.delete(code);
      if (code.isConnected) colour(code, highlighter);
      if (performance.now() > end) break;
    }
  } catch {
    loading = null; // Offline: code stays plain.
    waiting.clear();
  }
  scheduled = false;
  if (waiting.size > 0) schedule();
}

/**
 * @param {HTMLElement} code
 * @param {typeof import("./languages.js").default} highlighter
 */
export function colour(code, highlighter) {
  const language = (code.dataset.lang ?? "").toLowerCase();
  const text = code.textContent ?? "";
  if (code.dataset.state || !highlighter.getLanguage(language)) return;
  const { _emitter: emitter } = highlighter.highlight(text, { language, ignoreIllegals: true });
  const fragment = document.createDocumentFragment();
  build(fragment, emitter.rootNode.children, "");
  if (fragment.textContent !== text) return;
  code.replaceChildren(fragment);
  code.dataset.state = "coloured";
}

/** @typedef {string | {scope?: string, children: ScopeNode[]}} ScopeNode */

/**
 * @param {Node} parent
 * @param {ScopeNode[]} nodes
 * @param {string} inherited kind of the text around
 */
function build(parent, nodes, inherited) {
  for (const node of nodes) {
    if (typeof node === "string") {
      parent.appendChild(document.createTextNode(node));
      continue;
    }
    const kind = KINDS.get(node.scope ?? "") ?? KINDS.get((node.scope ?? "").split(".")[0]) ?? "";
    if (!kind || kind === inherited) {
      build(parent, node.children, inherited);
      continue;
    }
    const span = document.createElement("i");
    span.dataset.k = kind;
    parent.appendChild(span);
    build(span, node.children, kind);
  }
}
