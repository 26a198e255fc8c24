/** The sidebar: a drawer on narrow pages, collapsible on wide ones; its list follows what the server says. */

import htmx from "./htmx.js";
import { link } from "./link.js";

const CLOSED = "parley:sidebar";
const PLACE = "parley:sidebar-place";
const narrow = matchMedia("(width < 56rem)");

/** @type {ReturnType<typeof setTimeout> | undefined} */
let refreshing;

link.addEventListener("frame", (event) => {
  const { type, what } = /** @type {CustomEvent} */ (event).detail;
  if (type !== "changed" || !(what.includes("sidebar") || what.includes("title"))) return;
  clearTimeout(refreshing);
  refreshing = setTimeout(refresh, 120);
});

link.addEventListener("back", () => refresh());

async function refresh() {
  const list = document.getElementById("sidebar-list");
  const thread = document.querySelector("live-thread");
  if (!list) return;
  const current = thread?.getAttribute("conversation") ?? "";
  await htmx.ajax("GET", `/sidebar/?current=${current}`, { target: "#sidebar-list", swap: "innerMorph" });
  showTitle();
}

/** The title of the open conversation is the one in the list. */
function showTitle() {
  const conversation = document.querySelector("live-thread")?.getAttribute("conversation");
  const title = document.querySelector(`#nav-${conversation} .nav-label`)?.textContent?.trim();
  const heading = document.getElementById("title");
  if (!title || !heading) return;
  heading.textContent = title;
  document.title = `${title} · Parley`;
}

// A conversation that has just begun may have got its title before its stage came.
document.addEventListener("htmx:after:swap", showTitle);

document.addEventListener("click", ({ target }) => {
  if (!(target instanceof Element) || !target.closest("[data-toggles='sidebar']")) return;
  const sidebar = document.getElementById("sidebar");
  if (narrow.matches) {
    sidebar?.togglePopover();
    return;
  }
  const closed = document.documentElement.dataset.sidebar !== "closed";
  if (closed) document.documentElement.dataset.sidebar = "closed";
  else delete document.documentElement.dataset.sidebar;
  document
    .querySelector(closed ? ".bar [data-toggles='sidebar']" : "#sidebar [data-toggles='sidebar']")
    ?.focus();
  try {
    localStorage.setItem(CLOSED, closed ? "closed" : "open");
  } catch {
    // Not remembered then.
  }
});

narrow.addEventListener("change", () => {
  const sidebar = document.getElementById("sidebar");
  if (sidebar?.matches(":popover-open")) sidebar.hidePopover();
});

/** The list stands where it stood on the page before. */
export function keepPlace() {
  const list = document.querySelector(".sidebar-body");
  if (!list) return;
  list.scrollTop = Number(sessionStorage.getItem(PLACE) ?? 0);
  list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  window.addEventListener("pagehide", () => sessionStorage.setItem(PLACE, String(list.scrollTop)));
}
