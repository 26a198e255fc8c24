/**
 * The order of the first drawing. A long conversation opens at its end, so the end is drawn before the first
 * paint and the rest, upwards, when the browser is idle. What comes later is drawn at once.
 */

const BUDGET = 80;
const SLICE = 12;

/** @typedef {{draw(): void, isConnected: boolean}} Drawable */

/** In the order of the page. @type {Drawable[]} */
const waiting = [];
let begun = false;
/** @type {() => void} */
let finish = () => {};
/** Done when all that the page was loaded with is drawn. @type {Promise<void>} */
export const pageDrawn = new Promise((resolve) => {
  finish = resolve;
});

/** @param {Drawable} view */
export function draw(view) {
  if (begun) view.draw();
  else waiting.push(view);
}

/** Called once, when all elements of the page are known. */
export function drawPage() {
  begun = true;
  drawUpwards(BUDGET);
}

/** @param {number} budget milliseconds */
function drawUpwards(budget) {
  const end = performance.now() + budget;
  const before = document.documentElement.scrollHeight;
  while (waiting.length > 0 && performance.now() < end) {
    const view = waiting.pop();
    if (view?.isConnected) view.draw();
  }
  // Browsers keep the place of what is read when something grows above it; Safari does not yet.
  if (budget === SLICE && !CSS.supports("overflow-anchor", "auto")) {
    window.scrollBy(0, document.documentElement.scrollHeight - before);
  }
  if (waiting.length > 0) whenIdle(() => drawUpwards(SLICE));
  else finish();
}

/** @param {() => void} work */
function whenIdle(work) {
  if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: 500 });
  else setTimeout(work, 16);
}
