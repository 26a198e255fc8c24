/**
 * The arithmetic of stacked bars: where each part of a bar begins and ends, and which lines the grid has. Amounts
 * are nano-dollars; they are only placed here. Whatever is read as an amount of a day comes from the server as
 * text, except the round amounts of the grid.
 */

const NANO = 9; // digits of a dollar's nano-dollars
const STEPS = [1, 2, 5];
const MOST_LINES = 6;
const APART = [1, 2, 5, 7, 14, 28, 56, 112];

/**
 * @typedef {{
 *   short: string, long: string, costs: number[], texts: string[], whole: string,
 *   ahead: number | null, aheadText: string, address: string,
 * }} Day one bar; `texts` are `costs` as people read them; no `address` where nothing can be opened
 * @typedef {{ text: string, end: string | null }} Layer `end` narrows a day's address to the layer; null: cannot
 * @typedef {{ layers: Layer[], days: Day[], partial: number | null }} Data what the server says
 * @typedef {{ from: number[], to: (number | null)[] }} Part of each day; `to` is null where it costs nothing
 */

/**
 * The layers on each other, the first one lowest; hidden ones take no room.
 * @param {Data} data
 * @param {ReadonlySet<number>} hidden places of layers
 * @returns {{ parts: Part[], tops: number[] }} a part for each layer, and how high each bar is
 */
export function stack(data, hidden) {
  const tops = data.days.map(() => 0);
  const parts = data.layers.map((_, layer) => {
    const from = [...tops];
    const to = data.days.map((day, place) => {
      const cost = hidden.has(layer) ? 0 : Math.max(0, day.costs[layer]);
      if (cost === 0) return null;
      tops[place] += cost;
      return tops[place];
    });
    return { from, to };
  });
  return { parts, tops };
}

/**
 * Which layer is at this height of a day's bar.
 * @param {Part[]} parts
 * @param {number} place of the day
 * @param {number} amount
 * @returns {number} -1 where there is none
 */
export function layerAt(parts, place, amount) {
  return parts.findIndex(({ from, to }) => amount >= from[place] && amount < (to[place] ?? -1));
}

/**
 * The lines of the grid: each step is 1, 2 or 5 times a power of ten, and there are three to six of them.
 * @param {number} highest of all bars
 * @returns {{ step: number, top: number }} the last line is at or above the highest bar
 */
export function scale(highest) {
  for (let power = 1; ; power *= 10) {
    for (const times of STEPS) {
      const step = times * power;
      if (step * MOST_LINES >= highest) return { step, top: Math.max(1, Math.ceil(highest / step)) * step };
    }
  }
}

/**
 * A grid line's amount in dollars, with as many decimals as the step between the lines needs.
 * @param {number} amount
 * @param {number} step
 * @returns {string} such as "$1,200" or "$0.05"
 */
export function axisText(amount, step) {
  const needed = NANO - Math.min(NANO, trailingZeros(step));
  const places = needed === 1 ? 2 : needed; // cents are two digits
  const digits = BigInt(Math.round(amount))
    .toString()
    .padStart(NANO + 1, "0");
  const whole = digits.slice(0, -NANO).replace(/\B(?=(\d{3})+$)/g, ",");
  const rest = digits.slice(-NANO).slice(0, places);
  return places > 0 && amount > 0 ? `$${whole}.${rest}` : `$${whole}`;
}

/**
 * The places of the days that are named below the bars.
 * @param {number} count of days
 * @param {number} most that have room
 * @returns {number[]}
 */
export function namedDays(count, most) {
  const apart = APART.find((days) => Math.ceil(count / days) <= most) ?? count;
  return Array.from({ length: Math.ceil(count / apart) }, (_, index) => index * apart);
}

/**
 * All that a day says, for who cannot see the bars.
 * @param {Data} data
 * @param {number} place
 * @returns {string}
 */
export function inWords(data, place) {
  const day = data.days[place];
  const parts = data.layers.flatMap(({ text }, layer) =>
    day.costs[layer] ? [`${text} ${day.texts[layer]}`] : [],
  );
  const words = [`${day.long}: ${isToCome(data, place) ? "to come" : day.whole}`];
  if (place === data.partial) words[0] += " so far";
  if (parts.length > 1) words.push(parts.join(", "));
  if (day.ahead !== null) words.push(`Forecast ${day.aheadText}`);
  return `${words.join(". ")}.`;
}

/** @param {Data} data @param {number} place @returns {boolean} */
export function isToCome(data, place) {
  return data.partial !== null && place > data.partial;
}

/** @param {number} amount a positive integer @returns {number} */
function trailingZeros(amount) {
  const digits = String(BigInt(Math.round(amount)));
  return digits.length - digits.replace(/0+$/, "").length;
}
