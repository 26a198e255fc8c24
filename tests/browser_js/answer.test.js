/** Answers on the page: numbers decide what is applied, and the finished turn takes the live one's place. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./page.js";

const { document } = page;
page.CSS = { escape: (text) => text, supports: () => true };
globalThis.CSS = page.CSS;
const { AnswerView } = await import("../../static/js/answer.js");
const { drawPage } = await import("../../static/js/firstpaint.js");
const { updateTurn } = await import("../../static/js/partials.js");

drawPage();

const start = {
  type: "message_start",
  message: { id: "m", type: "message", role: "assistant", content: [] },
};
const open = { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } };
const words = (text) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } });
const nothing = { message: null, open: null, broken: [], complete: false, error: null };
const frame = () => new Promise((resolve) => setTimeout(resolve, 12));

/** A turn as the server writes it. */
function turn(message, { status = "running", payload = { state: nothing }, seq = 0, foot = "" } = {}) {
  const article = document.createElement("article");
  article.className = "turn";
  article.id = `turn-${message}`;
  article.dataset.role = "assistant";
  article.dataset.status = status;
  if (status === "running") article.setAttribute("aria-busy", "true");
  const view = document.createElement("answer-view");
  view.setAttribute("message", message);
  view.setAttribute("run", "r1");
  view.setAttribute("seq", String(seq));
  view.toggleAttribute("live", status === "running");
  const script = document.createElement("script");
  script.type = "application/json";
  script.textContent = JSON.stringify(payload);
  view.append(script);
  article.append(view);
  if (foot) article.append(Object.assign(document.createElement("footer"), { textContent: foot }));
  return article;
}

function shown(message, options) {
  const article = turn(message, options);
  document.body.append(article);
  return /** @type {AnswerView} */ (article.querySelector("answer-view"));
}

test("frames are applied by number, once", async () => {
  const view = shown("a1");
  assert.ok(view instanceof AnswerView);
  assert.equal(view.take({ run: "r1", after: 0, seq: 2, events: [start, open, words("One ")] }), "next");
  assert.equal(view.take({ run: "r1", after: 0, seq: 2, events: [start, open, words("One ")] }), "old");
  assert.equal(view.take({ run: "r1", after: 4, seq: 5, events: [words("five")] }), "gap");
  assert.equal(view.take({ run: "r0", after: 2, seq: 3, events: [words("other run")] }), "old");
  assert.equal(view.take({ run: "r1", after: 2, seq: 3, events: [words("two.")] }), "next");
  assert.equal(view.seq, 3);
  await frame();
  assert.equal(view.textContent.includes("One two."), true);
  assert.equal(view.text, "One two.");
});

test("a state replaces what was there", async () => {
  const view = shown("a2");
  view.take({ run: "r1", after: 0, seq: 1, events: [start, open, words("Wrong")] });
  const content = [{ type: "text", text: "Right" }];
  view.replace({
    run: "r1",
    seq: 9,
    state: { ...nothing, message: { content }, open: { index: 0, json: "" } },
  });
  await frame();
  assert.equal(view.spoken, "Right");
  assert.equal(view.take({ run: "r1", after: 9, seq: 10, events: [words(" now")] }), "next");
  await frame();
  assert.equal(view.spoken, "Right now");
});

test("the finished turn brings its foot and keeps the drawn nodes", async () => {
  const view = shown("a3");
  view.take({ run: "r1", after: 0, seq: 1, events: [start, open, words("First.\n\nSecond.\n\nThird")] });
  await frame();
  const [first, second] = view.querySelectorAll("p");
  const article = document.getElementById("turn-a3");
  const blocks = [{ type: "text", text: "First.\n\nSecond.\n\nThird" }];
  updateTurn(article, turn("a3", { status: "completed", payload: { blocks }, foot: "Sonnet" }));
  assert.equal(article.dataset.status, "completed");
  assert.equal(article.hasAttribute("aria-busy"), false);
  assert.equal(article.querySelector("footer").textContent, "Sonnet");
  assert.equal(view.live, false);
  assert.deepEqual([...view.querySelectorAll("p")].slice(0, 2), [first, second]);
  assert.equal(view.take({ run: "r1", after: 1, seq: 2, events: [words("late")] }), "old");
});

test("an answer that the server knows otherwise is drawn as the server has it", () => {
  const view = shown("a4", {
    payload: { state: { ...nothing, message: { content: [{ type: "text", text: "Old" }] } } },
  });
  const blocks = [{ type: "text", text: "New" }];
  updateTurn(document.getElementById("turn-a4"), turn("a4", { status: "interrupted", payload: { blocks } }));
  assert.equal(view.spoken, "New");
});

test("an answer that was cut in the middle of a tool's input shows what had come of it", () => {
  const blocks = [{ type: "tool_use", id: "t", name: "look_up", input: {} }];
  const view = shown("a5", {
    status: "stopped",
    payload: { blocks, open: { index: 0, json: '{"query": "ti' } },
  });
  assert.match(view.textContent, /look_up.*\{"query": "ti/s);
});
