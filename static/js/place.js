/** The place that is read: what is put in above it, or in place of it, does not move it. */

const SETTLING = 3000;

/**
 * Changes the page and keeps a part of it where it is in the window: at once, and in browsers that do not anchor
 * the scroll themselves also while what came is still growing (formulas).
 * @param {Element | null} part stays on the page
 * @param {() => void} change
 * @param {() => Element | null} [after] finds the part anew when the change replaces it
 */
export function holdPlace(part, change, after = () => part) {
  const top = part?.getBoundingClientRect().top;
  change();
  const held = after();
  if (top === undefined || !held) return;
  const correct = () => {
    const moved = held.getBoundingClientRect().top - top;
    if (Math.abs(moved) >= 1) window.scrollBy({ top: moved, behavior: "instant" });
  };
  correct();
  if (!CSS.supports("overflow-anchor", "auto")) correctWhileSettling(held, correct);
}

/** @param {Element} held @param {() => void} correct */
function correctWhileSettling(held, correct) {
  const observer = new ResizeObserver(correct);
  if (held.parentElement) observer.observe(held.parentElement);
  const stop = new AbortController();
  const end = () => {
    observer.disconnect();
    stop.abort();
  };
  setTimeout(end, SETTLING);
  // From here on the reader decides.
  for (const name of ["wheel", "touchmove", "keydown"]) {
    window.addEventListener(name, end, { passive: true, signal: stop.signal });
  }
}

/**
 * @param {Element} thread
 * @returns {Element | null} the first turn that is in the window, below the bar
 */
export function turnInView(thread) {
  const bar = document.querySelector(".bar")?.getBoundingClientRect().bottom ?? 0;
  const turns = [...thread.querySelectorAll(":scope > article.turn")];
  return turns.find((turn) => turn.getBoundingClientRect().bottom > bar) ?? null;
}
