/**
 * Content blocks on the page. Neighbouring text blocks are one passage of prose; whatever else the model did
 * is a trail of steps, one line each, folded. A view can be shown again and again with more blocks: it only
 * touches what changed, and a live view ends as the same nodes as a fresh one.
 */

import { colourLater } from "./highlight.js";
import { element, icon } from "./icons.js";
import { LiveMarkdown } from "./live.js";
import { patch } from "./patch.js";
import { passage, Sources } from "./sources.js";
import { describe } from "./steps.js";

/** @typedef {import("./fold.js").Block} Block */
/**
 * @typedef {{open?: {index: number, json: string} | null, finished: boolean, seconds?: Record<string, number>}} Progress
 */

export class MessageView {
  /** @type {HTMLElement} */
  #root;
  #prefix;
  /** @type {(Passage | Trail)[]} */
  #parts = [];

  /**
   * @param {HTMLElement} root holds nothing but what is drawn here
   * @param {string} prefix of ids inside, unique on the page
   */
  constructor(root, prefix) {
    this.#root = root;
    this.#prefix = prefix;
  }

  /**
   * @param {Block[]} blocks
   * @param {Progress} progress
   */
  show(blocks, progress) {
    const groups = arrange(blocks, progress);
    const sources = new Sources(this.#prefix);
    const kept = groups.findIndex(({ key }, at) => this.#parts[at]?.key !== key);
    for (const part of this.#parts.splice(kept < 0 ? groups.length : kept)) part.element.remove();
    groups.forEach((group, at) => {
      let part = this.#parts[at];
      if (!part) {
        part = group.steps ? new Trail(group.key) : new Passage(group.key);
        this.#parts.push(part);
        const before = this.#parts[at - 1]?.element.nextSibling ?? (at === 0 ? this.#root.firstChild : null);
        this.#root.insertBefore(part.element, before);
      }
      const last = at === groups.length - 1;
      part.show(
        group,
        blocks,
        { ...progress, finished: progress.finished || (!last && !group.steps) },
        sources,
      );
    });
    const list = document.createDocumentFragment();
    const made = progress.finished ? sources.list() : null;
    if (made) list.append(made);
    patch(
      this.#root,
      this.#parts.at(-1)?.element.nextSibling ?? (this.#parts.length > 0 ? null : this.#root.firstChild),
      list,
    );
  }
}

/** @typedef {{key: string, indexes: number[], steps: boolean, results: Map<number, number>}} Group */

/**
 * @param {Block[]} blocks
 * @param {Progress} progress
 * @returns {Group[]} in the order of the page
 */
export function arrange(blocks, { open }) {
  /** @type {Group[]} */
  const groups = [];
  /** @type {Map<string, {group: Group, index: number}>} */
  const calls = new Map();
  blocks.forEach((block, index) => {
    const text = block.type === "text";
    if (text && !block.text && index !== open?.index) return;
    const called = typeof block.tool_use_id === "string" ? calls.get(block.tool_use_id) : undefined;
    if (called && !called.group.results.has(called.index)) {
      called.group.results.set(called.index, index);
      return;
    }
    let group = groups.at(-1);
    if (!group || group.steps === text) {
      group = { key: `${text ? "text" : "steps"}-${index}`, indexes: [], steps: !text, results: new Map() };
      groups.push(group);
    }
    group.indexes.push(index);
    if (!text && typeof block.id === "string") calls.set(block.id, { group, index });
  });
  return groups;
}

class Passage {
  element = element("div", { class: "prose" });
  /** @type {Sources | null} */
  #sources = null;
  #markdown = new LiveMarkdown(this.element, {
    cite: (number) => /** @type {Sources} */ (this.#sources).mark(number),
  });

  /** @param {string} key */
  constructor(key) {
    this.key = key;
  }

  /**
   * @param {Group} group
   * @param {Block[]} blocks
   * @param {Progress} progress
   * @param {Sources} sources
   */
  show({ indexes }, blocks, { open, finished }, sources) {
    this.#sources = sources;
    const parts = indexes.map((index) => ({
      block: blocks[index],
      open: !finished && index === open?.index,
    }));
    this.#markdown.show(passage(parts, sources), finished);
  }
}

class Trail {
  element = element("div", { class: "trail" });
  /** @type {Step[]} */
  #steps = [];

  /** @param {string} key */
  constructor(key) {
    this.key = key;
  }

  /**
   * @param {Group} group
   * @param {Block[]} blocks
   * @param {Progress} progress
   */
  show({ indexes, results }, blocks, progress) {
    indexes.forEach((index, at) => {
      const thinking = blocks[index].type === "thinking";
      let step = this.#steps[at];
      if (!step) {
        step = thinking ? new Thinking() : new Step();
        this.#steps.push(step);
        this.element.append(step.element);
      }
      const found = results.get(index);
      step.show(blocks[index], {
        result: found === undefined ? null : blocks[found],
        open: !progress.finished && progress.open?.index === index,
        json: progress.open?.index === index ? progress.open.json : "",
        finished: progress.finished,
        seconds: progress.seconds?.[index],
      });
    });
  }
}

/** @typedef {import("./steps.js").Situation & {seconds?: number}} Now */

class Step {
  summary = element("summary");
  body = element("div", { class: "step-body" });
  element = element("details", { class: "step" }, this.summary, this.body);
  #seen = "";

  /** @param {Block} block @param {Now} now */
  show(block, now) {
    const seen = `${now.open} ${now.finished} ${now.json.length} ${!now.result} ${now.seconds} ${size(block)}`;
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.draw(block, now);
  }

  /** @param {Block} block @param {Now} now */
  draw(block, now) {
    const { icon, state, title, note, body, code } = describe(block, now);
    this.head(icon, state, title, note || duration(now.seconds));
    const wanted = document.createDocumentFragment();
    wanted.append(...(code ? [snippet(code)] : []), ...body);
    if (!wanted.hasChildNodes()) wanted.append(element("p", {}, "Nothing more is known about it."));
    patch(this.body, this.body.firstChild, wanted);
    colourLater(this.body);
  }

  /**
   * @param {string} name of the icon
   * @param {string} state
   * @param {(Node | string)[]} title
   * @param {string} note
   */
  head(name, state, title, note) {
    const wanted = document.createDocumentFragment();
    wanted.append(
      state === "running" ? element("span", { class: "dot-running", "aria-hidden": "true" }) : icon(name),
    );
    wanted.append(element("span", { class: "step-name", dir: "auto" }, ...title));
    if (note) wanted.append(element("span", { class: "step-time" }, note));
    wanted.append(icon("down"));
    patch(this.summary, this.summary.firstChild, wanted);
    if (state) this.element.dataset.state = state;
    else delete this.element.dataset.state;
  }
}

class Thinking extends Step {
  #markdown = new LiveMarkdown(this.body);

  /** @param {Block} block @param {Now} now */
  draw(block, now) {
    this.body.classList.add("prose");
    this.head(
      "thought",
      now.open ? "running" : "",
      [now.open ? "Thinking" : "Thought"],
      duration(now.seconds),
    );
    const hidden = now.open ? "" : "The provider does not show what was thought.";
    this.#markdown.show(block.thinking || hidden, !now.open);
  }
}

/** @param {{language: string, text: string}} code */
function snippet({ language, text }) {
  const code = element("code", { "data-lang": language, dir: "ltr" }, text);
  return element("div", { class: "snippet" }, element("pre", { tabindex: "0" }, code));
}

/** @param {Block} block */
function size({ thinking, text, content }) {
  return (thinking ?? text ?? content ?? "").length ?? 0;
}

/** @param {number} [seconds] */
function duration(seconds) {
  if (!seconds) return "";
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
