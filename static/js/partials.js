/** Partials of the server: turns as HTML, fetched and put in their places. Their controls are left to htmx. */

/**
 * Turns as an answer of the server brings them. `after`: they stand after this turn of the page, and what stands
 * there now goes; "": they are the beginning of what is shown; null: they go to the end. `earlier`: the control
 * that fetches what is before them.
 * @typedef {{turns: HTMLElement[], earlier: HTMLElement | null, after: string | null, version: number}} Turns
 */

const PATIENCE = 20_000;

/**
 * @param {string} address
 * @returns {Promise<Turns>}
 */
export async function fetchTurns(address) {
  const response = await fetch(address, {
    headers: { "HX-Request": "true" },
    credentials: "same-origin",
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (response.redirected) location.reload(); // Signed out meanwhile: the page asks to sign in.
  if (!response.ok) throw new Error(`${response.status} for ${address}`);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return turnsIn(template.content, response.headers);
}

/**
 * @param {ParentNode | null} fragment
 * @param {Headers} headers
 * @returns {Turns}
 */
export function turnsIn(fragment, headers) {
  const children = /** @type {HTMLElement[]} */ ([...(fragment?.children ?? [])]);
  return {
    turns: children.filter((child) => child.matches("article.turn")),
    earlier: children.find((child) => child.matches("earlier-turns")) ?? null,
    after: headers.get("X-Parley-After"),
    version: Number(headers.get("X-Parley-Version") ?? 0),
  };
}

/**
 * Puts turns in their places: known ones are updated, new ones added, what no longer belongs there goes. What is
 * above the first of them stays: a turn's place below its parents never changes.
 * @param {HTMLElement} thread
 * @param {Turns} brought used up
 * @param {(turn: HTMLElement, fresh: HTMLElement) => void} [update] of turns that are here already
 * @returns {boolean} whether the page has the turn after which they stand; if not, nothing was done
 */
export function placeTurns(thread, { turns, earlier, after }, update = updateTurn) {
  const shown = /** @type {HTMLElement[]} */ ([...thread.querySelectorAll(":scope > article.turn")]);
  const wanted = new Set(turns.map(({ id }) => id));
  let from = shown.length;
  if (after) from = shown.findIndex(({ id }) => id === `turn-${after}`) + 1;
  else if (after === "") from = Math.max(0, turns[0] ? shown.findIndex(({ id }) => id === turns[0].id) : 0);
  if (after && from === 0) return false;

  for (const turn of shown.slice(from)) if (!wanted.has(turn.id)) turn.remove();
  if (after === "" && from === 0) {
    const known = thread.querySelector(":scope > earlier-turns");
    if (!earlier || known?.getAttribute("before") !== earlier.getAttribute("before")) {
      known?.remove();
      if (earlier) thread.prepend(earlier);
    }
  }
  let last = shown[from - 1] ?? thread.querySelector(":scope > earlier-turns");
  for (const fresh of turns) {
    const known = document.getElementById(fresh.id);
    if (known) update(known, fresh);
    else if (last) last.after(fresh);
    else thread.prepend(fresh);
    last = known ?? fresh;
  }
  return true;
}

/**
 * Brings a turn on the page to what the server says now. What is drawn of it stays, unless it differs.
 * @param {HTMLElement} turn
 * @param {HTMLElement} fresh used up
 */
export function updateTurn(turn, fresh) {
  const view = /** @type {import("./answer.js").AnswerView | null} */ (turn.querySelector("answer-view"));
  const update = fresh.querySelector("answer-view");
  if (view && update) updateView(view, update);
  for (const { name } of [...turn.attributes]) if (!fresh.hasAttribute(name)) turn.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) {
    if (turn.getAttribute(name) !== value) turn.setAttribute(name, value);
  }
  const focused = turn.contains(document.activeElement) ? actOf(document.activeElement) : "";
  updateParts(turn, fresh);
  if (focused && !turn.contains(document.activeElement)) focusAct(turn, focused);
}

/** @param {import("./answer.js").AnswerView} view @param {Element} update */
function updateView(view, update) {
  const payload = JSON.parse(update.querySelector("script")?.textContent ?? "null");
  const run = update.getAttribute("run") ?? "";
  const seq = Number(update.getAttribute("seq") ?? 0);
  if (!update.hasAttribute("live")) view.finish(payload);
  else if (run !== view.run || seq > view.seq || !view.live) view.replace({ run, seq, state: payload.state });
}

/** What stands around the words: why it ended, its foot. @param {HTMLElement} turn @param {HTMLElement} fresh */
function updateParts(turn, fresh) {
  const [old, wanted] = [turn, fresh].map((one) =>
    [...one.children].filter((part) => !part.matches("answer-view, .turn-body")),
  );
  if (old.length === wanted.length) {
    old.forEach((part, at) => {
      if (plain(part) !== plain(wanted[at])) part.replaceWith(wanted[at]);
    });
    return;
  }
  for (const part of old) part.remove();
  turn.append(...wanted);
}

/** A part as the server wrote it. @param {Element} part */
function plain(part) {
  const copy = /** @type {Element} */ (part.cloneNode(true));
  for (const node of [copy, ...copy.querySelectorAll("*")]) {
    for (const name of ["data-htmx-powered", "aria-expanded", "data-state"]) node.removeAttribute(name);
    if (!node.getAttribute("class")) node.removeAttribute("class");
  }
  return copy.outerHTML;
}

/** @param {Element | null} button */
export function actOf(button) {
  return button?.getAttribute("data-act") ?? (button?.matches("[data-copy='turn']") ? "copy" : "");
}

/**
 * Focuses the button of an act, or its neighbour in the pager where there is no way further.
 * @param {Element | null | undefined} turn
 * @param {string} act
 * @returns {boolean} whether there is one
 */
export function focusAct(turn, act) {
  const selector = act === "copy" ? "[data-copy='turn']" : `[data-act='${act}']`;
  const button = /** @type {HTMLButtonElement | null | undefined} */ (turn?.querySelector(selector));
  const usable = button?.disabled ? button.parentElement?.querySelector("button:enabled") : button;
  if (!(usable instanceof HTMLElement)) return false;
  usable.focus({ preventScroll: true });
  return true;
}
