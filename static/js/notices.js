/**
 * What is said above the composer when something is in the way. The server's own notices arrive as partials;
 * for the rest (no server, a page instead of a partial) the page brings its words along in templates.
 */

/** @typedef {"unreachable" | "failed" | "signed-out" | "no-right" | "said"} Name of a template on the page */

/**
 * @param {Name} name
 * @param {{source?: Element, text?: boolean}} [about] what was asked for: by what, and whether a text is at stake
 */
export function showNotice(name, { source, text = true } = {}) {
  const template = document.getElementById(`notice-${name}`);
  const place = source?.closest("dialog")?.querySelector("#settings-notice") ?? noticePlace();
  if (!(template instanceof HTMLTemplateElement) || !place) return;
  const notice = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  for (const words of notice.querySelectorAll(`[data-for="${text ? "act" : "text"}"]`)) words.remove();
  clearNotices({ lasting: false });
  place.prepend(notice);
  // The page may have another address by now than the one it was loaded with.
  const link = place.querySelector("a[data-returns]");
  link?.setAttribute("href", `${link.getAttribute("href")}?next=${encodeURI(location.pathname)}`);
}

/** @param {string} words of the server, for this person */
export function sayNotice(words) {
  showNotice("said");
  const line = document.querySelector("#composer-notice p");
  if (line) line.textContent = words;
}

/** @param {{lasting?: boolean}} [which] lasting: also those that stay until somebody speaks */
export function clearNotices({ lasting = true } = {}) {
  for (const notice of noticePlace()?.querySelectorAll(".notice") ?? []) {
    if (lasting || !notice.matches("[data-lasting], [data-until]")) notice.remove();
  }
}

function noticePlace() {
  return document.getElementById("composer-notice");
}

document.addEventListener("htmx:error", (event) => {
  const { ctx } = /** @type {CustomEvent} */ (event).detail;
  if (ctx && !ctx.response && ctx.request.method === "POST") showNotice("unreachable", about(ctx));
});

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = /** @type {CustomEvent} */ (event).detail;
  const { raw, status } = ctx.response ?? {};
  const told = tasks.find((/** @type {any} */ task) => task.fragment?.querySelector?.(".notice"));
  if (ctx.request?.method !== "POST") {
    if (status >= 400 || raw?.redirected) event.preventDefault(); // Nobody asked; what is on the page stays.
  } else if (raw?.redirected) {
    event.preventDefault();
    showNotice("signed-out", about(ctx));
  } else if (status >= 400 && !told) {
    event.preventDefault();
    showNotice(status === 401 || status === 403 ? "signed-out" : "failed", about(ctx));
  } else if (status >= 400 && told.target === noticePlace()) {
    clearNotices({ lasting: status < 500 && Boolean(ctx.sourceElement.closest("[data-lasting]")) });
    told.swapSpec.style = "afterbegin";
  }
});

/** @param {{sourceElement: Element}} ctx */
function about({ sourceElement }) {
  return { source: sourceElement, text: sourceElement.matches("chat-composer form, turn-edit form") };
}

document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("[data-dismiss]") : null;
  if (!button) return;
  const above = noticePlace()?.contains(button);
  button.closest(".notice")?.remove();
  if (above && !matchMedia("(pointer: coarse)").matches) {
    document.getElementById("composer-text")?.focus({ preventScroll: true });
  }
});
