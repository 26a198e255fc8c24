/** Partials of the server: turns as HTML, fetched and put in their places. Their controls are left to htmx. */

/**
 * @param {string} address
 * @returns {Promise<{turns: HTMLElement[], whole: boolean, version: number}>}
 */
export async function fetchTurns(address) {
  const response = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
  if (response.redirected) location.reload(); // Signed out meanwhile: the page asks to sign in.
  if (!response.ok) throw new Error(`${response.status} for ${address}`);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return {
    turns: [.../** @type {NodeListOf<HTMLElement>} */ (template.content.querySelectorAll("article.turn"))],
    whole: response.headers.get("X-Parley-Whole") === "1",
    version: Number(response.headers.get("X-Parley-Version") ?? 0),
  };
}

/**
 * Brings a turn on the page to what the server says now. What is drawn of the answer stays, unless it differs.
 * @param {HTMLElement} turn
 * @param {HTMLElement} fresh used up
 */
export function updateTurn(turn, fresh) {
  const view = /** @type {import("./answer.js").AnswerView | null} */ (turn.querySelector("answer-view"));
  const update = fresh.querySelector("answer-view");
  if (!view || !update) return;
  const payload = JSON.parse(update.querySelector("script")?.textContent ?? "null");
  const run = update.getAttribute("run") ?? "";
  const seq = Number(update.getAttribute("seq") ?? 0);
  if (update.hasAttribute("live")) {
    if (run !== view.run || seq > view.seq) view.replace({ run, seq, state: payload.state });
  } else {
    view.finish(payload);
  }
  for (const { name } of [...turn.attributes]) if (!fresh.hasAttribute(name)) turn.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) turn.setAttribute(name, value);
  for (const node of [...turn.childNodes]) if (node !== view) node.remove();
  let before = true;
  for (const node of [...fresh.childNodes]) {
    if (node === update) before = false;
    else if (before) view.before(node);
    else turn.append(node);
  }
}

/**
 * Puts turns in their places: known ones are updated, new ones added.
 * @param {HTMLElement} thread
 * @param {HTMLElement[]} turns in the order of the page
 * @param {boolean} whole whether all others are to go
 */
export function mergeTurns(thread, turns, whole) {
  const wanted = new Set(turns.map((turn) => turn.id));
  if (whole) {
    for (const turn of thread.querySelectorAll(":scope > article.turn"))
      if (!wanted.has(turn.id)) turn.remove();
  }
  for (const turn of turns) {
    const known = document.getElementById(turn.id);
    if (known) updateTurn(known, turn);
    else thread.append(turn);
  }
}
