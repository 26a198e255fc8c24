/**
 * What sending a text would cost, from the figures of the server (usage/calls/send_estimate.py). Pure: tokens and
 * pico-dollars in, nano-dollars out, all of them whole numbers that a double holds exactly.
 */

/** Pico-dollars per token. @typedef {{input: number, output: number, cache_read: number, cache_write_5m: number, cache_write_1h: number}} Rates */

/**
 * Sizes in tokens. `prompt` is all before the text, likely, `bound` at most; `cached` is what of it the provider's
 * cache holds for `cachedFor` more milliseconds; `searchesNano` is the price of a thousand web searches.
 * @typedef {{
 *   model: string, prompt: number, bound: number, context: number, longest: number, usual: number,
 *   usualIsKnown: boolean, caches: boolean, leastCached: number, cached: number, cachedFor: number,
 *   searches: number, searchesNano: number, rates: Rates, longContextAbove: number | null,
 *   longContext: Rates | null
 * }} Figures
 */

// usage/estimates.py says why: 3.5 bytes for a likely token, 2.5 for one at most.
const LIKELY = 2 / 7;
const BOUND = 2 / 5;
const PICO_PER_NANO = 1000;

/** @param {number} bytes of UTF-8 @returns {number} tokens */
export function tokensOf(bytes) {
  return Math.ceil(bytes * LIKELY);
}

/**
 * @param {Figures} figures
 * @param {number} bytes of the text
 * @param {boolean} warm whether the cache still holds what it held
 * @returns {{prompt: number, text: number, cached: number, nano: number}} the likely sizes and cost
 */
export function likely(figures, bytes, warm) {
  const text = tokensOf(bytes);
  const prompt = Math.min(figures.prompt + text, figures.context);
  const rates = ratesFor(figures, prompt);
  const cached = warm ? Math.min(figures.cached, prompt) : 0;
  const written = figures.caches && prompt >= figures.leastCached;
  const pico =
    cached * rates.cache_read +
    (prompt - cached) * (written ? rates.cache_write_5m : rates.input) +
    figures.usual * rates.output;
  return { prompt, text, cached, nano: Math.floor((2 * pico + PICO_PER_NANO) / (2 * PICO_PER_NANO)) };
}

/**
 * What would be held for it: nothing cached, the longest answer, all searches.
 * @param {Figures} figures
 * @param {number} bytes of the text
 * @returns {number} nano-dollars
 */
export function most(figures, bytes) {
  const prompt = Math.min(figures.bound + Math.ceil(bytes * BOUND), figures.context);
  const whole = prompt + figures.searches * figures.context;
  const rates = ratesFor(figures, whole);
  const dearest = figures.caches
    ? Math.max(rates.input, rates.cache_read, rates.cache_write_5m)
    : rates.input;
  const pico = whole * dearest + figures.longest * rates.output + figures.searches * figures.searchesNano;
  return Math.ceil(pico / PICO_PER_NANO);
}

/** Strictly above the threshold the whole request has the other rates. @param {Figures} figures @param {number} prompt */
function ratesFor({ rates, longContext, longContextAbove }, prompt) {
  return longContext && longContextAbove !== null && prompt > longContextAbove ? longContext : rates;
}
