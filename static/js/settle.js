/**
 * What to show of Markdown that is still arriving. The end of a live text is nearly always in the middle of
 * something: half a link, bold without its end, the dash of a list that has no words yet. Read literally it
 * would flash as punctuation and then jump. These functions give the source that a reader would expect;
 * they touch only what is drawn for the moment, never what is kept. Text in, text out.
 */

const QUOTES = String.raw`(?:>[ \t]?)*`;
const BULLET = String.raw`(?:[-+*]|\d{1,9}[.)])`;
const MARKERS_ONLY = new RegExp(
  String.raw`^[ \t]*${QUOTES}[ \t]*(?:[-+*_=]+|#{1,6}|\d{1,9}[.)]?|` +
    "`+|~+|" +
    String.raw`\|[-:| \t]*|${BULLET}[ \t]+(?:[-+*>#~|_` +
    "`" +
    String.raw`]+|\[[ xX]?\]?)?)?[ \t]*$`,
);

/** Longer text is not looked at: it is drawn every frame, and so long a line is no half of anything. */
const LONGEST_LINE = 400;
const LONGEST_RUN = 20_000;
const LONGEST_LINK = 600;
const LONGEST_OPEN = 160;

/**
 * Hides a last line that holds nothing but the marks of a block to come, and shows the head of a table as a
 * table before its second line has arrived.
 * @param {string} source that does not end inside code
 * @returns {string}
 */
export function settleBlock(source) {
  if (source.length - source.lastIndexOf("\n") > LONGEST_LINE) return source;
  const at = source.lastIndexOf("\n", source.length - 2);
  const shown = MARKERS_ONLY.test(source.slice(at + 1)) ? source.slice(0, Math.max(0, at)) : source;
  const whole = shown.endsWith("\n") ? shown.slice(0, -1) : shown;
  const begin = whole.lastIndexOf("\n") + 1;
  const last = whole.slice(begin).trim();
  if (!last.startsWith("|") || last.length < 2 || last.length > LONGEST_LINE) return shown;
  const before = whole.slice(whole.lastIndexOf("\n", begin - 2) + 1, begin);
  if (before.trim().startsWith("|")) return shown;
  const columns = last
    .replace(/\\\|/g, "")
    .replace(/^\||\|$/g, "")
    .split("|").length;
  return `${whole.trimEnd()}${last.endsWith("|") ? "" : " |"}\n|${" --- |".repeat(columns)}`;
}

/**
 * Hides the beginning of the line that may close a fence.
 * @param {string} source that ends inside a fence
 * @returns {string}
 */
export function settleCode(source) {
  return source.replace(/\n[ \t]*(?:`+|~+)$/, "");
}

/**
 * A run of emphasis marks that waits for its end: how many marks are left, and where the run ended.
 * @typedef {{mark: string, size: number, end: number}} Opener
 */

/**
 * Closes or hides what is open at the end of one run of inline Markdown.
 * @param {string} source
 * @returns {string}
 */
export function settleInline(source) {
  if (source.length > LONGEST_RUN) return source;
  /** @type {Opener[]} */
  const open = [];
  let at = 0;
  while (at < source.length) {
    const char = source[at];
    if (char === "\\") {
      if (source[at + 1] === "(" || source[at + 1] === "[") {
        const end = source.indexOf(source[at + 1] === "(" ? "\\)" : "\\]", at + 2);
        if (end < 0) return close(source.slice(0, at), open);
        at = end + 2;
      } else {
        at += 2;
      }
    } else if (char === "`") {
      const run = length(source, at, "`");
      const end = closingTicks(source, at + run, run);
      if (end < 0) {
        const rest = source
          .slice(at + run)
          .replace(/`+$/, "")
          .trimEnd();
        if (!rest) return close(source.slice(0, at), open);
        return close(`${source.slice(0, at + run)}${rest}${"`".repeat(run)}`, open);
      }
      at = end;
    } else if (char === "$" && source[at + 1] === "$") {
      const end = source.indexOf("$$", at + 2);
      if (end < 0) return close(source.slice(0, at), open);
      at = end + 2;
    } else if (char === "[" || (char === "!" && source[at + 1] === "[")) {
      const image = char === "!";
      const found = readLink(source, at + (image ? 1 : 0));
      if (found.state === "open") {
        if (image) return close(source.slice(0, at), open);
        const text = settleInline(found.text);
        return close(source.slice(0, at) + text, open);
      }
      at = found.end;
    } else if (char === "<" && /^<(?:https?:|mailto:)?[^\s<>]*$/i.test(source.slice(at, at + 400))) {
      return close(source.slice(0, at), open);
    } else if (char === "*" || char === "_" || char === "~") {
      const run = length(source, at, char);
      delimiter(open, source, at, run, char);
      at += run;
    } else {
      at += 1;
    }
  }
  return close(source, open);
}

/** @param {string} source @param {number} at @param {string} char */
function length(source, at, char) {
  let end = at;
  while (source[end] === char) end += 1;
  return end - at;
}

/** @param {string} source @param {number} from @param {number} run */
function closingTicks(source, from, run) {
  let at = source.indexOf("`", from);
  while (at >= 0) {
    const size = length(source, at, "`");
    if (size === run) return at + size;
    at = source.indexOf("`", at + size);
  }
  return -1;
}

/**
 * @param {string} source
 * @param {number} at of "["
 * @returns {{state: "open", text: string} | {state: "done", end: number}}
 */
function readLink(source, at) {
  let depth = 0;
  let end = at;
  const reach = Math.min(source.length, at + LONGEST_LINK);
  for (; end < reach; end += 1) {
    const char = source[end];
    if (char === "\\") end += 1;
    else if (char === "[") depth += 1;
    else if (char === "]") {
      depth -= 1;
      if (depth === 0) break;
    }
  }
  if (depth > 0) {
    // A bracket that stays open for long is a bracket, not a link.
    return source.length - at > LONGEST_OPEN
      ? { state: "done", end: at + 1 }
      : { state: "open", text: source.slice(at + 1) };
  }
  const text = source.slice(at + 1, end);
  if (end >= source.length - 1) return { state: "open", text };
  if (source[end + 1] !== "(") return { state: "done", end: end + 1 };
  depth = 0;
  const far = Math.min(source.length, end + LONGEST_LINK);
  for (let to = end + 1; to < far; to += 1) {
    const char = source[to];
    if (char === "\\") to += 1;
    else if (char === "\n" && source[to + 1] === "\n") break;
    else if (char === "(") depth += 1;
    else if (char === ")") {
      depth -= 1;
      if (depth === 0) return { state: "done", end: to + 1 };
    }
  }
  return source.length - end > LONGEST_LINK ? { state: "done", end: end + 1 } : { state: "open", text };
}

/**
 * Keeps the stack of open emphasis, by a simple form of CommonMark's rule of flanking runs.
 * @param {Opener[]} open
 * @param {string} source
 * @param {number} at
 * @param {number} run
 * @param {string} mark
 */
function delimiter(open, source, at, run, mark) {
  const before = source[at - 1] ?? " ";
  const after = source[at + run] ?? "";
  const inWord = /[\p{L}\p{N}]/u.test(before) && /[\p{L}\p{N}]/u.test(after);
  if (inWord && (mark === "_" || run === 1)) return;
  if (mark === "~" && run !== 2 && after) return;
  let left = run;
  while (left > 0 && !/\s/.test(before) && open.at(-1)?.mark === mark) {
    const last = /** @type {Opener} */ (open.at(-1));
    const used = Math.min(left, last.size);
    last.size -= used;
    left -= used;
    if (last.size === 0) open.pop();
  }
  if (left > 0 && !/\s/.test(after)) open.push({ mark, size: left, end: at + run });
}

/**
 * @param {string} source
 * @param {Opener[]} open
 * @returns {string}
 */
function close(source, open) {
  let shown = source.replace(/\\$/, "").trimEnd();
  for (let last = open.pop(); last; last = open.pop()) {
    if (shown.length <= last.end) shown = shown.slice(0, Math.max(0, last.end - last.size)).trimEnd();
    else shown += last.mark.repeat(last.size);
  }
  return shown;
}
