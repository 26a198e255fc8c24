/**
 * The input of a tool call, parsed from the text that its deltas add up to: the same as
 * providers/tool_input.py, which says why. A text that is cut or garbled keeps the values that are whole.
 */

const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids exactly these in a string
  /[ \t\r\n]*(?:(?<string>"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(?<plain>true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?=[ \t\r\n,\]}]|$)|(?<mark>[[\]{},:]))/y;
const CLOSES = new Map([
  ["{", "}"],
  ["[", "]"],
]);
const MAX_DEPTH = 100;

/** @typedef {{[key: string]: unknown}} Json */

/**
 * @param {string} text
 * @returns {[Json, boolean]} the object, and whether the text was one whole JSON object
 */
export function parseInput(text) {
  if (!text.trim()) return [{}, true];
  const value = parsed(text);
  if (isObject(value)) return [value, true];
  const part = parsed(wholePart(text));
  return [isObject(part) ? part : {}, false];
}

/**
 * @param {string} text
 * @returns {string} the longest beginning that holds only complete values, with what is open in it closed
 */
export function wholePart(text) {
  /** @type {string[]} */
  const closers = [];
  let wants = "value"; // what may come next: value, first (value or ]), key, first-key (key or }), colon, next
  let whole = "";
  let position = 0;
  for (;;) {
    TOKEN.lastIndex = position;
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) break;
    position = TOKEN.lastIndex;
    const { mark, plain, string } = groups;
    if (mark === undefined) {
      if (string !== undefined && (wants === "key" || wants === "first-key")) {
        wants = "colon";
        continue;
      }
      const mayGoOn = plain !== undefined && position === text.length && /\d$/.test(text);
      if ((wants !== "value" && wants !== "first") || mayGoOn) break;
    } else if (mark === ":" && wants === "colon") {
      wants = "value";
      continue;
    } else if (mark === "," && wants === "next" && closers.length > 0) {
      wants = closers.at(-1) === "}" ? "key" : "value";
      continue;
    } else if (CLOSES.has(mark) && (wants === "value" || wants === "first")) {
      closers.push(/** @type {string} */ (CLOSES.get(mark)));
      wants = mark === "{" ? "first-key" : "first";
      whole = text.slice(0, position) + closers.toReversed().join("");
      continue;
    } else if (mark === closers.at(-1) && ["next", "first", "first-key"].includes(wants)) {
      closers.pop();
    } else {
      break;
    }
    wants = "next";
    whole = text.slice(0, position) + closers.toReversed().join("");
  }
  return whole;
}

/** @param {string} text @returns {unknown} undefined when it is no JSON or nested too deeply */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return depth(value, MAX_DEPTH) ? clean(value) : undefined;
  } catch {
    return undefined;
  }
}

/** @param {unknown} value @param {number} left @returns {boolean} whether it nests at most `left` deep */
function depth(value, left) {
  if (typeof value !== "object" || value === null) return true;
  return left > 0 && Object.values(value).every((inner) => depth(inner, left - 1));
}

/** NUL and lone surrogates never get further. @param {unknown} value @returns {unknown} */
function clean(value) {
  if (typeof value === "string") return cleanText(value);
  if (Array.isArray(value)) return value.map(clean);
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [cleanText(key), clean(inner)]));
  return value;
}

/** @param {string} text */
function cleanText(text) {
  return text.replaceAll("\0", "").replace(/\p{Surrogate}/gu, "\ufffd");
}

/** @param {unknown} value @returns {value is Json} */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
