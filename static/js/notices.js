/**
 * What is said above the composer when something is in the way. The server's own notices arrive as partials;
 * for the rest (no server, a page instead of a partial) the page brings its words along in templates.
 */

/** @param {"unreachable" | "failed" | "signed-out" | "no-right" | "said"} name of a template on the page */
export function showNotice(name) {
  const template = document.getElementById(`notice-${name}`);
  const place = document.getElementById("composer-notice");
  if (!(template instanceof HTMLTemplateElement) || !place) return;
  place.replaceChildren(template.content.cloneNode(true));
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

document.addEventListener("htmx:error", (event) => {
  const { ctx } = /** @type {CustomEvent} */ (event).detail;
  if (ctx && !ctx.response) showNotice("unreachable");
});

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = /** @type {CustomEvent} */ (event).detail;
  const { raw, status } = ctx.response ?? {};
  if (raw?.redirected && ctx.request.method === "POST") {
    event.preventDefault();
    showNotice("signed-out");
  } else if (
    status >= 400 &&
    !tasks.some((/** @type {any} */ task) => task.fragment?.querySelector?.(".notice"))
  ) {
    event.preventDefault();
    showNotice(status === 401 || status === 403 ? "signed-out" : "failed");
  }
});

document.addEventListener("click", ({ target }) => {
  if (target instanceof Element && target.closest("[data-dismiss]")) target.closest(".notice")?.remove();
});
