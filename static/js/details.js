/** The details of the conversation: a panel at the page's end that is fetched whenever it opens, and kept true. */

import htmx from "./htmx.js";

const LATER = 200;
const HELD = "summary, a, button"; // what may have the focus

/** @type {ReturnType<typeof setTimeout> | undefined} */
let soon;
let last = "";
const versions = new MutationObserver(refresh);

document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!(target instanceof HTMLElement) || target.id !== "details") return;
    versions.disconnect();
    if (!target.matches(":popover-open")) return;
    // An answer that ends, a title that comes, another branch: each raises the thread's version.
    const thread = document.querySelector("live-thread");
    if (thread) versions.observe(thread, { attributeFilter: ["version"] });
    show();
  },
  true,
);

document.addEventListener("parley:answering", refresh);

function refresh() {
  clearTimeout(soon);
  soon = setTimeout(show, LATER);
}

async function show() {
  const panel = document.getElementById("details");
  if (!panel?.matches(":popover-open")) return;
  try {
    const response = await fetch(panel.dataset.src ?? "");
    if (response.ok && !response.redirected) put(panel, await response.text());
  } catch {
    // What is there stays; the next change asks again.
  }
}

/** What somebody has opened stays open, what has the focus keeps it. @param {HTMLElement} panel @param {string} markup */
function put(panel, markup) {
  if (markup === last && panel.firstElementChild) return;
  last = markup;
  const open = [...panel.querySelectorAll("details")].map((fold) => fold.open);
  const focused = [...panel.querySelectorAll(HELD)].indexOf(/** @type {Element} */ (document.activeElement));
  panel.innerHTML = markup;
  htmx.process(panel);
  for (const [at, fold] of panel.querySelectorAll("details").entries()) fold.open = open[at] ?? false;
  const held = focused < 0 ? null : panel.querySelectorAll(HELD)[focused];
  if (held instanceof HTMLElement) held.focus({ preventScroll: true });
}
