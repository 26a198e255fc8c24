/** What to do with a numbered frame, and how long to wait before the next try. Pure logic of socket.js. */

/**
 * @param {number} own the number that the page has
 * @param {{after: number, seq: number}} frame events after+1 to seq
 * @returns {"next" | "old" | "gap"} apply it; drop it; ask again from the own number
 */
export function judge(own, { after, seq }) {
  if (seq <= own) return "old";
  return after === own ? "next" : "gap";
}

const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;

/**
 * @param {number} tries that failed in a row, from 0
 * @param {number} random in [0, 1): keeps pages that lost the same server apart
 * @returns {number} milliseconds
 */
export function wait(tries, random) {
  return Math.round(Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(tries, 16)) * (0.5 + random / 2));
}

/** What the codes of a closed socket mean to a page. */
export const CLOSED = Object.freeze({ lost: 1006, badCommand: 4400, signedOut: 4401, noRight: 4403 });
