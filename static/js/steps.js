/**
 * Words for what a model did besides writing: each block that is no text becomes one line of the trail, and
 * what can be said about it when the line is opened. Everything from the model is text here, never HTML.
 */

import { element } from "./icons.js";
import { host, named, shorten } from "./sources.js";

/** @typedef {import("./fold.js").Json} Json */
/** @typedef {import("./fold.js").Block} Block */

/**
 * @typedef {{icon: string, state: "running" | "done" | "failed" | "", title: (Node | string)[], note: string,
 *            body: Node[], code?: {language: string, text: string}}} Said
 */

/**
 * @typedef {object} Situation
 * @property {Block | null} result the block that answers this one
 * @property {boolean} open whether the block is still being written
 * @property {string} json its input so far, when open
 * @property {boolean} finished whether the whole answer is
 */

const LONGEST = 20_000;

/** Characters that would turn or hide others in a name. */
const INVISIBLE = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** Calls whose input is code, shown as such; and calls whose line and result say what was asked. */
const CODE = ["code_execution", "bash_code_execution"];
const WEB = ["web_search", "web_fetch"];

/** @param {Block} block @param {Situation} now @returns {Said} */
export function describe(block, now) {
  switch (block.type) {
    case "redacted_thinking":
      return said("thought", "", ["Thought"], {
        body: [line("The provider keeps this part of its thinking sealed.")],
      });
    case "tool_use":
      return call(
        block,
        now,
        "tools",
        ["Asked for the tool ", name(block.name)],
        ["Asking for ", name(block.name)],
      );
    case "mcp_tool_use": {
      const what = [name(block.name), " of ", name(block.server_name)];
      return call(block, now, "tools", ["Used ", ...what], ["Using ", ...what]);
    }
    case "server_tool_use":
      return serverTool(block, now);
    case "compaction":
      return said(
        "fold",
        now.open ? "running" : "",
        [now.open ? "Summing up the conversation" : "Summed up the conversation so far"],
        {
          body: block.content ? [plain(block.content)] : [],
        },
      );
    case "fallback":
      return said("retry", "", ["Went on with ", name(block.to?.model ?? "another model")], {
        body: [facts({ asked: block.from?.model ?? null, because: block.trigger?.type ?? null })],
      });
    case "container_upload":
      return said("file", "", ["Made a file"], { body: [facts(without(block))] });
    case "mcp_tool_listing":
      return said("tools", "", ["Listed the tools of ", name(block.server_name)], {
        body: [facts(without(block))],
      });
  }
  if (typeof block.tool_use_id === "string") return result(block);
  return said("file", "", ["Unknown block: ", name(block.type)], { body: [facts(without(block))] });
}

/** @param {Block} block @param {Situation} now @returns {Said} */
function serverTool(block, now) {
  const input = block.input ?? {};
  switch (block.name) {
    case "web_search": {
      const query = input.query ? [" for ", name(input.query)] : [];
      return call(block, now, "search", ["Searched the web", ...query], ["Searching the web", ...query]);
    }
    case "web_fetch": {
      const page = [name(host(String(input.url ?? "")) || (input.url ?? "a page"))];
      return call(block, now, "book", ["Read ", ...page], ["Reading ", ...page]);
    }
    case "code_execution":
    case "bash_code_execution": {
      const written = call(block, now, "code", ["Ran code"], [now.open ? "Writing code" : "Running code"]);
      const source = input.code ?? input.command;
      if (typeof source === "string" && !now.open) {
        written.code = {
          language: block.name === "code_execution" ? "python" : "bash",
          text: source.slice(0, LONGEST),
        };
      }
      return written;
    }
    case "text_editor_code_execution": {
      const did = {
        view: ["Looked at ", "Looking at "],
        create: ["Wrote ", "Writing "],
        str_replace: ["Changed ", "Changing "],
      };
      const [done, doing] = did[/** @type {keyof typeof did} */ (input.command)] ?? ["Edited ", "Editing "];
      const path = name(input.path ?? "a file");
      return call(block, now, "file", [done, path], [doing, path.cloneNode(true)]);
    }
  }
  if (String(block.name).startsWith("tool_search")) {
    return call(block, now, "search", ["Looked for tools"], ["Looking for tools"]);
  }
  return call(block, now, "tools", ["Used ", name(block.name)], ["Using ", name(block.name)]);
}

/**
 * A call with its result beside it.
 * @param {Block} block
 * @param {Situation} now
 * @param {string} icon
 * @param {(Node | string)[]} done
 * @param {(Node | string)[]} doing
 * @returns {Said}
 */
function call(block, now, icon, done, doing) {
  const running = now.open || (!now.result && !now.finished && block.type !== "tool_use");
  const body = [];
  if (now.json.trim()) {
    body.push(plain(now.json));
  } else if (!CODE.includes(block.name) && !(now.result && WEB.includes(block.name))) {
    const asked = facts(block.input);
    if (asked.childElementCount > 0) body.push(asked);
  }
  if (!now.result) {
    const cut = now.finished && block.type !== "tool_use";
    if (block.type === "tool_use" && !now.open)
      body.push(line("It was not run: there are no tools in this conversation."));
    return said(icon, running ? "running" : cut ? "failed" : "", running ? doing : done, {
      body,
      note: cut ? "no result" : "",
    });
  }
  const { state, note, body: found } = result(now.result);
  return said(state === "done" ? "check" : "alert", state, done, { note, body: [...body, ...found] });
}

/** @param {Block} block a result, alone or beside its call @returns {Said} */
function result(block) {
  const { content } = block;
  const title = ["Result of a tool: ", name(block.type.replace(/_tool_result$/, "").replaceAll("_", " "))];
  const failed = block.is_error === true || content?.type?.endsWith?.("_error");
  if (failed) {
    const reason = content?.error_code ? String(content.error_code).replaceAll("_", " ") : "";
    const body = reason ? [line(`It failed: ${reason}.`)] : output(content);
    return said("alert", "failed", title, { note: reason || "failed", body });
  }
  const hits = Array.isArray(content) ? content.filter((hit) => hit?.type === "web_search_result") : [];
  if (hits.length > 0 || (block.type === "web_search_tool_result" && Array.isArray(content))) {
    return said("check", "done", title, {
      note: hits.length === 1 ? "1 result" : `${hits.length || "no"} results`,
      body: hits.length > 0 ? [hitList(hits)] : [line("The search found nothing.")],
    });
  }
  if (content?.return_code !== undefined) {
    const ok = content.return_code === 0;
    return said(ok ? "check" : "alert", ok ? "done" : "failed", title, {
      note: ok ? "" : `exit code ${content.return_code}`,
      body: output(content),
    });
  }
  return said("check", "done", title, { body: output(content) });
}

/** @param {any} content of a result, in any of its shapes @returns {Node[]} */
function output(content) {
  if (content === null || content === undefined || content === "") return [];
  if (typeof content === "string") return [plain(content)];
  if (Array.isArray(content)) return content.flatMap(output);
  switch (content.type) {
    case "text":
    case "advisor_result":
      return output(content.text);
    case "web_fetch_result": {
      const document = content.content ?? {};
      const head = element("p", {}, named(document.title ?? content.url ?? "", content.url ?? ""));
      return [head, ...(document.source?.type === "text" ? [plain(document.source.data)] : [])];
    }
    case "tool_search_tool_search_result":
      return [
        facts({
          found:
            (content.tool_references ?? []).map((/** @type {Json} */ one) => one.tool_name).join(", ") ||
            "none",
        }),
      ];
  }
  if (typeof content.stdout === "string" || typeof content.stderr === "string") {
    return [
      ...output(content.stdout),
      ...(content.stderr ? [line("Written to the error output:"), plain(content.stderr)] : []),
      ...(content.content?.length > 0
        ? [facts({ files: content.content.map((/** @type {Json} */ one) => one.file_id).join(", ") })]
        : []),
    ];
  }
  const rest = facts(without(content));
  return rest.childElementCount > 0 ? [rest] : [];
}

/** @param {Json[]} hits */
function hitList(hits) {
  const list = element("ol", { class: "hits" });
  for (const hit of hits.slice(0, 50)) {
    const address = String(hit.url ?? "");
    list.append(
      element("li", {}, named(String(hit.title ?? ""), address), element("small", {}, host(address))),
    );
  }
  return list;
}

/**
 * @param {string} icon
 * @param {Said["state"]} state
 * @param {(Node | string)[]} title
 * @param {{note?: string, body?: Node[]}} more
 * @returns {Said}
 */
function said(icon, state, title, { note = "", body = [] } = {}) {
  return { icon, state, title, note, body };
}

/** @param {Json | undefined} values @returns {HTMLElement} names and values, each as text */
export function facts(values) {
  const list = element("dl", { class: "facts" });
  for (const [key, value] of Object.entries(values ?? {}).slice(0, 100)) {
    if (value === null || key.startsWith("encrypted_") || key === "signature") continue;
    const words = typeof value === "string" ? value : JSON.stringify(value);
    list.append(
      element("dt", {}, shorten(key, 80)),
      element("dd", { class: "code", dir: "auto" }, shorten(words, LONGEST)),
    );
  }
  return list;
}

/** @param {Json} block */
function without({ type: _, tool_use_id: __, ...fields }) {
  return fields;
}

/** @param {unknown} words from outside, kept apart from the sentence around them */
function name(words) {
  const shown = String(words ?? "").replace(INVISIBLE, "");
  return element("b", {}, element("bdi", {}, shorten(shown, 120)));
}

/** @param {string} words */
function line(words) {
  return element("p", {}, words);
}

/** @param {unknown} words */
function plain(words) {
  return element(
    "pre",
    { class: "output", tabindex: "0", dir: "auto" },
    shorten(String(words ?? ""), LONGEST),
  );
}
