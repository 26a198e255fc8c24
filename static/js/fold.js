/**
 * The fold: stream events of Anthropic's Messages API added up to the message that they describe. The same
 * laws as providers/fold.py, where they are written down; tests/vectors/fold.json is run against both. What
 * the server stores as a state goes on here, and the other way round.
 */

import { isObject, parseInput } from "./toolinput.js";

/** @typedef {{[key: string]: any}} Json */
/** @typedef {Json & {type: string}} Block */
/**
 * @typedef {{message: Json | null, open: {index: number, json: string} | null, broken: number[],
 *            complete: boolean, error: Json | null}} FoldState
 */

/** What deltas may change in blocks of the types that are known; other types take any delta. */
const FIELDS = new Map([
  ["text", ["text", "citations"]],
  ["thinking", ["thinking", "signature"]],
  ["redacted_thinking", []],
  ["compaction", ["compaction"]],
  ["tool_use", ["input"]],
  ["server_tool_use", ["input"]],
  ["mcp_tool_use", ["input"]],
]);

/** Fields of a message that no change reaches. */
const RESERVED = ["type", "content"];

/** The order of events is broken. */
export class ProtocolError extends Error {}

/** A message in the making. `apply` throws ProtocolError when the order of events is broken. */
export class Fold {
  complete = false;
  /** @type {Json | null} */
  error = null;
  /** Blocks whose input must not be used. @type {number[]} */
  broken = [];
  /** The message without its content. @type {Json | null} */
  #message = null;
  /** @type {Block[]} */
  #blocks = [];
  /** @type {number | null} */
  #open = null;
  #json = "";

  /**
   * The fold that gave this state; it goes on as if it had never been stored.
   * @param {FoldState} state
   */
  static resume(state) {
    const fold = new Fold();
    const { message, open, broken, complete, error } = structuredClone(state);
    fold.complete = complete;
    fold.error = error;
    fold.broken = broken ?? [];
    if (message) {
      const { content, ...rest } = message;
      fold.#message = rest;
      fold.#blocks = content;
    }
    if (open) {
      fold.#open = open.index;
      fold.#json = open.json;
    }
    return fold;
  }

  /** @returns {FoldState} */
  state() {
    return structuredClone({
      message: this.#message && { ...this.#message, content: this.#blocks },
      open: this.#open === null ? null : { index: this.#open, json: this.#json },
      broken: this.broken,
      complete: this.complete,
      error: this.error,
    });
  }

  /** The blocks so far, the open one included. Not to be changed. */
  get blocks() {
    return this.#blocks;
  }

  /** The block that has begun and not ended, with the text of its input so far. */
  get open() {
    return this.#open === null ? null : { index: this.#open, json: this.#json };
  }

  /** @param {Json} event */
  apply(event) {
    if (this.complete || this.error) return;
    switch (event.type) {
      case "content_block_delta":
        return this.#delta(event);
      case "content_block_start":
        return this.#startBlock(event);
      case "content_block_stop":
        return this.#stopBlock(this.#index(event));
      case "message_start":
        return this.#start(event);
      case "message_delta":
        return this.#changeMessage(event);
      case "message_stop":
        this.#begun(event);
        this.complete = true;
        return;
      case "error":
        this.error = isObject(event.error) ? event.error : {};
    }
  }

  /** @param {Json} event */
  #start({ message }) {
    if (!isObject(message) || !Array.isArray(message.content) || !message.content.every(isBlock)) {
      throw new ProtocolError("The answer began without a message.");
    }
    if (this.#message) return;
    const { content, ...rest } = structuredClone(message);
    this.#message = rest;
    this.#blocks = /** @type {Block[]} */ (content);
  }

  /** @param {Json} event */
  #startBlock(event) {
    const message = this.#begun(event);
    const { content_block: started, index } = event;
    if (!isBlock(started) || !Number.isInteger(index)) {
      throw new ProtocolError("A block of the answer began without its content.");
    }
    const block = structuredClone(started);
    const at = this.#blocks.length;
    if (index >= 0 && index < at) {
      const before = this.#blocks[index];
      if (index === this.#open && block.type === before.type && (block.id ?? null) === (before.id ?? null))
        return;
      if ("input" in block) this.broken.push(at);
      this.#blocks.push(block);
      return;
    }
    if (index !== at || this.#open !== null)
      throw new ProtocolError("The blocks of the answer came in no order.");
    this.#blocks.push(block);
    this.#open = index;
    this.#json = "";
    if (block.type === "fallback" && isObject(block.to) && "model" in block.to)
      message.model = block.to.model;
  }

  /** @param {Json} event */
  #delta(event) {
    this.#begun(event);
    const index = this.#index(event);
    const { delta } = event;
    if (!isObject(delta)) throw new ProtocolError("A change to the answer came without its content.");
    const block = this.#blocks[index];
    switch (delta.type) {
      case "text_delta":
        return append(block, "text", delta.text);
      case "thinking_delta":
        return append(block, "thinking", delta.thinking);
      case "input_json_delta":
        if (index !== this.#open) return;
        mustFit(block, "input");
        this.#json += mustBeText(delta.partial_json);
        return;
      case "signature_delta":
        mustFit(block, "signature");
        block.signature = mustBeText(delta.signature);
        return;
      case "citations_delta":
        mustFit(block, "citations");
        block.citations = [...(block.citations ?? []), delta.citation ?? null];
        return;
      case "compaction_delta": {
        mustFit(block, "compaction");
        for (const [key, value] of Object.entries(delta)) {
          if (key !== "type" && key !== "__proto__" && value !== null) block[key] = value;
        }
      }
    }
  }

  /** @param {number} index */
  #stopBlock(index) {
    if (index !== this.#open) return;
    if (this.#json.trim()) {
      const [input, whole] = parseInput(this.#json);
      this.#blocks[index].input = input;
      if (!whole) this.broken.push(index);
    }
    this.#open = null;
    this.#json = "";
  }

  /** @param {Json} event */
  #changeMessage(event) {
    const message = this.#begun(event);
    const { delta, usage, ...others } = event;
    if (isObject(usage)) {
      message.usage = isObject(message.usage) ? message.usage : {};
      set(message.usage, usage);
    }
    if (isObject(delta)) set(message, delta, RESERVED);
    set(message, others, RESERVED);
  }

  /** @param {Json} event @returns {Json} */
  #begun(event) {
    if (!this.#message) throw new ProtocolError(`The answer began with ${event.type}.`);
    return this.#message;
  }

  /** @param {Json} event @returns {number} */
  #index({ index }) {
    if (!Number.isInteger(index) || index < 0 || index >= this.#blocks.length) {
      throw new ProtocolError("A change to the answer names a block that is not there.");
    }
    return index;
  }
}

/** @param {unknown} value @returns {value is Block} */
function isBlock(value) {
  return isObject(value) && typeof value.type === "string";
}

/** @param {Block} block @param {string} field */
function mustFit(block, field) {
  if (!(FIELDS.get(block.type) ?? [field]).includes(field)) {
    throw new ProtocolError(`A block of type ${block.type} got a change of its ${field}.`);
  }
}

/** @param {unknown} value @returns {string} */
function mustBeText(value) {
  if (typeof value !== "string") throw new ProtocolError("A change to the answer is not text.");
  return value;
}

/** @param {Block} block @param {string} field @param {unknown} text */
function append(block, field, text) {
  mustFit(block, field);
  block[field] = (typeof block[field] === "string" ? block[field] : "") + mustBeText(text);
}

/** Null never replaces a value. @param {Json} target @param {Json} changes @param {string[]} [left] */
function set(target, changes, left = []) {
  for (const [key, value] of Object.entries(changes)) {
    if (key === "__proto__" || left.includes(key)) continue;
    if (value !== null || !(key in target)) target[key] = value;
  }
}
