/**
 * Rules that teach markdown-it the four ways in which models write mathematics: `$…$`, `$$…$$`, `\(…\)`
 * and `\[…\]`. They only find the source; a token `math` carries it, and maths.js sets it later.
 *
 * A formula never holds a blank line, and every search for its end has a bound, so that text full of
 * openings without an end costs no more than plain text.
 */

const INLINE_REACH = 2000;
const BLOCK_LINES = 100;

const DOLLAR = 0x24;
const BACKSLASH = 0x5c;

/**
 * @param {string} text
 * @param {number} from
 * @param {string} close
 * @returns {number} where `close` begins, or -1
 */
function findClose(text, from, close) {
  const end = Math.min(text.length, from + INLINE_REACH);
  for (let at = from; at < end; at += 1) {
    if (text.startsWith(close, at)) return at;
    if (text.charCodeAt(at) === BACKSLASH) at += 1;
  }
  return -1;
}

/**
 * `$` is also a currency sign: an opening one touches the text after it, a closing one the text before it,
 * and no digit follows.
 * @param {string} text
 * @param {number} from
 */
function findDollar(text, from) {
  if (/\s/.test(text[from] ?? " ")) return -1;
  let at = findClose(text, from, "$");
  while (at > from && (/\s/.test(text[at - 1]) || /[0-9$]/.test(text[at + 1] ?? ""))) {
    at = findClose(text, at + 1, "$");
  }
  return at > from ? at : -1;
}

/** @type {import("markdown-it").ParserInline.RuleInline} */
function inlineMath(state, silent) {
  const { src, pos } = state;
  const first = src.charCodeAt(pos);
  let open = "";
  let end = -1;
  if (first === DOLLAR && src[pos + 1] === "$") {
    open = "$$";
    end = findClose(src, pos + 2, "$$");
  } else if (first === DOLLAR) {
    open = "$";
    end = findDollar(src, pos + 1);
  } else if (first === BACKSLASH && src[pos + 1] === "(") {
    open = "\\(";
    end = findClose(src, pos + 2, "\\)");
  } else if (first === BACKSLASH && src[pos + 1] === "[") {
    open = "\\[";
    end = findClose(src, pos + 2, "\\]");
  } else {
    return false;
  }
  const content = end < 0 ? "" : src.slice(pos + open.length, end).trim();
  if (!content) {
    if (open !== "$$") return false;
    if (!silent) state.pending += open;
    state.pos = pos + 2;
    return true;
  }
  if (!silent) {
    const token = state.push("math", "", 0);
    token.content = content;
    token.markup = open;
    token.info = open === "$$" || open === "\\[" ? "block" : "inline";
  }
  state.pos = end + open.length;
  return true;
}

/** @type {import("markdown-it").ParserBlock.RuleBlock} */
function blockMath(state, startLine, endLine, silent) {
  if (state.sCount[startLine] - state.blkIndent >= 4) return false;
  const line = (/** @type {number} */ n) =>
    state.src.slice(state.bMarks[n] + state.tShift[n], state.eMarks[n]).trimEnd();
  const first = line(startLine);
  const open = first.startsWith("$$") ? "$$" : first.startsWith("\\[") ? "\\[" : "";
  if (!open) return false;
  const close = open === "$$" ? "$$" : "\\]";

  const body = [];
  let rest = first.slice(2);
  let at = startLine;
  const last = Math.min(endLine, startLine + BLOCK_LINES);
  while (!rest.endsWith(close)) {
    if (rest.includes(close)) return false;
    body.push(rest);
    at += 1;
    if (at >= last || state.isEmpty(at) || state.sCount[at] < state.blkIndent) return false;
    rest = line(at);
  }
  body.push(rest.slice(0, -2));
  const content = body.join("\n").trim();
  if (!content || content.includes(close)) return false;
  if (silent) return true;

  state.line = at + 1;
  const token = state.push("math", "", 0);
  token.block = true;
  token.content = content;
  token.markup = open;
  token.info = "block";
  token.map = [startLine, at + 1];
  return true;
}

/** @param {import("markdown-it").default} md */
export function mathRules(md) {
  md.inline.ruler.before("escape", "math", inlineMath);
  md.block.ruler.before("fence", "math", blockMath, {
    alt: ["paragraph", "reference", "blockquote", "list"],
  });
}
