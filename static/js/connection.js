/** The quiet line under the bar while the server cannot be reached. */

import { link } from "./link.js";
import { sayNotice, showNotice } from "./notices.js";

/** @type {ReturnType<typeof setInterval> | undefined} */
let counting;

link.addEventListener("state", (event) => {
  const { state, retryAt } = /** @type {CustomEvent<import("./socket.js").LinkState>} */ (event).detail;
  clearInterval(counting);
  const line = document.getElementById("connection");
  line?.toggleAttribute("hidden", state !== "away");
  if (state === "away") {
    count(retryAt);
    counting = setInterval(() => count(retryAt), 1000);
  } else if (state !== "joined") {
    showNotice(state);
  }
});

link.addEventListener("frame", (event) => {
  const { type, text } = /** @type {CustomEvent} */ (event).detail;
  if (type === "notice") sayNotice(text);
});

/** @param {number} retryAt */
function count(retryAt) {
  const left = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const next = document.getElementById("connection-next");
  if (next) next.textContent = left > 0 ? `next try in ${left} s` : "trying now";
}
