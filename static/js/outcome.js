/** What comes of a person's own act on a conversation: where its turns go, what keeps its place, who has the focus. */

import { announce } from "./announce.js";
import { actOf, focusAct, placeTurns, updateTurn } from "./partials.js";
import { holdPlace } from "./place.js";

/** @typedef {"messages" | "edit" | "retry" | "continue" | "head" | "delete" | "restore"} Kind */

const KIND = /\/(messages|edit|retry|continue|head|delete|restore)\/$/;

/**
 * @param {{method: string, action: string}} request
 * @param {string} conversation
 * @returns {Kind | undefined} what was asked for, when it brings turns of this conversation
 */
export function kindOf({ method, action }, conversation) {
  if (method !== "POST" || !action.startsWith(`/c/${conversation}/`)) return undefined;
  return /** @type {Kind | undefined} */ (KIND.exec(action)?.[1]);
}

/** Somebody spoke: an answer begins at the end. @param {Kind} kind */
export function isSpeaking(kind) {
  return kind === "messages" || kind === "edit" || kind === "retry" || kind === "continue";
}

/**
 * @param {HTMLElement} thread
 * @param {import("./partials.js").Turns} brought
 * @param {string} shown the message whose branch was asked for; its pager stays under the pointer
 * @param {Element} source what was pressed
 * @returns {boolean} as placeTurns
 */
export function placeOutcome(thread, brought, shown, source) {
  let placed = false;
  holdPlace(
    shown ? source.closest(".pager") : null,
    () => {
      placed = placeTurns(thread, brought, updateUnlessOlder);
    },
    () => document.getElementById(`turn-${shown}`)?.querySelector(".pager") ?? null,
  );
  return placed;
}

/** The socket may have been quicker: an answer that has ended by now does not begin again. */
function updateUnlessOlder(/** @type {HTMLElement} */ turn, /** @type {HTMLElement} */ fresh) {
  const [known, told] = [turn, fresh].map((one) => one.querySelector("answer-view"));
  if (known && told?.hasAttribute("live") && !known.hasAttribute("live")) return;
  updateTurn(turn, fresh);
}

/**
 * Where the focus goes when what had it is gone.
 * @param {Kind} kind
 * @param {string} shown
 * @param {Element} source
 */
export function focusOutcome(kind, shown, source) {
  const turn = shown ? document.getElementById(`turn-${shown}`) : null;
  if (turn) announce(turn.querySelector(".pager")?.getAttribute("aria-label") ?? "");
  if (kind === "restore") announce("Brought back");
  if (document.activeElement && document.activeElement !== document.body) return;
  if (turn && focusAct(turn, actOf(source))) return;
  const touch = matchMedia("(pointer: coarse)").matches;
  document.getElementById(touch ? "main" : "composer-text")?.focus({ preventScroll: true });
}
