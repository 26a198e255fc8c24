/** Money and counts as the server writes them (usage/templatetags/figures.py). Integers in, text out. */

const NANO = 1_000_000_000; // nano-dollars of a dollar

/**
 * @param {number} nano nano-dollars, a whole number
 * @returns {string} "$0.0214", "$0.310", "$41.20"; "< $0.0001" for what is too small to show
 */
export function usd(nano) {
  const sign = nano < 0 ? "-" : "";
  const amount = Math.abs(nano);
  if (amount === 0) return "$0";
  if (amount < NANO / 10_000) return `${sign}< $0.0001`;
  let places = 2;
  if (rounded(amount, 4) < NANO / 10) places = 4;
  else if (rounded(amount, 3) < NANO) places = 3;
  const shown = rounded(amount, places);
  const parts = Math.floor((shown % NANO) / (NANO / 10 ** places));
  return `${sign}$${count(Math.floor(shown / NANO))}.${String(parts).padStart(places, "0")}`;
}

/** @param {number} number a whole number @returns {string} "1,204" */
export function count(number) {
  return number.toLocaleString("en-US");
}

/** Half up. @param {number} amount @param {number} places of a dollar */
function rounded(amount, places) {
  const step = NANO / 10 ** places;
  return Math.floor((amount + step / 2) / step) * step;
}
