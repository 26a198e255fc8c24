/** What screen readers hear of the page's own doings: one polite line, said once. */

const LONGEST = 5000;

/** @param {string} words */
export function announce(words) {
  const line = document.getElementById("announcer");
  if (line) line.textContent = words.slice(0, LONGEST);
}
