/** Turns are put in their places: what is right already stays as it is, with the focus in it. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { page } from "./page.js";

const { document } = page;
page.CSS = { escape: (text) => text, supports: () => true };
globalThis.CSS = page.CSS;
await import("../../static/js/answer.js");
const { drawPage } = await import("../../static/js/firstpaint.js");
const { actOf, focusAct, placeTurns, turnsIn, updateTurn } = await import("../../static/js/partials.js");

drawPage();

const headers = (fields = {}) => new Headers(fields);

/** A fragment as the server writes it. */
function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

const pager = (place, count) =>
  count > 1 ? `<div class="pager">${place}/${count}<button data-act="next">Later</button></div>` : "";

function question(id, { place = 1, count = 1 } = {}) {
  const foot = `<footer>${pager(place, count)}<button data-act="edit">Edit</button></footer>`;
  return `<article class="turn" id="turn-${id}" data-role="user"><div class="turn-body">${id}</div>${foot}</article>`;
}

function answer(id, { status = "completed", words = id, place = 1, count = 1 } = {}) {
  const payload = JSON.stringify({ blocks: [{ type: "text", text: words }] });
  const view = `<answer-view message="${id}" run="r-${id}" seq="0"><script type="application/json">${payload}</script></answer-view>`;
  const foot = `<footer>${pager(place, count)}<button data-act="retry">Retry</button></footer>`;
  return `<article class="turn" id="turn-${id}" data-role="assistant" data-status="${status}">${view}${foot}</article>`;
}

const earlier = (id) => `<earlier-turns before="${id}"></earlier-turns>`;

let thread;

beforeEach(() => {
  thread = document.createElement("section");
  document.body.replaceChildren(thread);
});

function place(html, after) {
  const brought = turnsIn(fragment(html), headers(after === undefined ? {} : { "X-Parley-After": after }));
  return placeTurns(thread, brought);
}

const shown = () => [...thread.children].map(({ id, localName }) => id || localName);

test("an answer of the server says which turns there are, and where they stand", () => {
  const read = turnsIn(
    fragment(`${earlier("q1")}${question("q1")}${answer("a1")}`),
    headers({ "X-Parley-After": "", "X-Parley-Version": "7" }),
  );
  assert.deepEqual(
    read.turns.map(({ id }) => id),
    ["turn-q1", "turn-a1"],
  );
  assert.equal(read.earlier.getAttribute("before"), "q1");
  assert.deepEqual([read.after, read.version], ["", 7]);
  assert.equal(turnsIn(null, headers()).after, null);
});

test("without a place, turns are appended; those that are here already are not doubled", () => {
  place(question("q1") + answer("a1"));
  place(answer("a1") + question("q2"));
  assert.deepEqual(shown(), ["turn-q1", "turn-a1", "turn-q2"]);
});

test("after a turn, what stood there goes, and what is right stays the same node", () => {
  place(question("q1") + answer("a1") + question("q2") + answer("a2"), "");
  const [first, second] = thread.children;
  assert.equal(place(question("q3") + answer("a3"), "a1"), true);
  assert.deepEqual(shown(), ["turn-q1", "turn-a1", "turn-q3", "turn-a3"]);
  assert.deepEqual([...thread.children].slice(0, 2), [first, second]);
  assert.equal(place("", "a1"), true);
  assert.deepEqual(shown(), ["turn-q1", "turn-a1"]);
});

test("after a turn that the page has not, nothing is done", () => {
  place(question("q1") + answer("a1"), "");
  assert.equal(place(question("q3"), "elsewhere"), false);
  assert.deepEqual(shown(), ["turn-q1", "turn-a1"]);
});

test("a whole branch takes the place of another; what they share stays the same node", () => {
  place(question("q1") + answer("a1") + question("q2") + answer("a2"), "");
  const first = thread.firstChild;
  place(question("q1") + answer("a1") + question("q3"), "");
  assert.deepEqual(shown(), ["turn-q1", "turn-a1", "turn-q3"]);
  assert.equal(thread.firstChild, first);
  place(question("q9"), "");
  assert.deepEqual(shown(), ["turn-q9"]);
  place("", "");
  assert.deepEqual(shown(), []);
});

test("new turns come between known ones", () => {
  place(question("q1") + answer("a1"), "");
  place(question("q0") + question("q1") + answer("a0") + answer("a1"), "");
  assert.deepEqual(shown(), ["turn-q0", "turn-q1", "turn-a0", "turn-a1"]);
});

test("earlier turns that were fetched stay when the last page comes anew", () => {
  place(earlier("q1") + question("q1") + answer("a1") + question("q2") + answer("a2"), "");
  place(earlier("q2") + question("q2") + answer("a2") + question("q3"), "");
  assert.deepEqual(shown(), ["earlier-turns", "turn-q1", "turn-a1", "turn-q2", "turn-a2", "turn-q3"]);
  assert.equal(thread.firstChild.getAttribute("before"), "q1");
});

test("the control for earlier turns comes and goes with the page that has them", () => {
  place(earlier("q2") + question("q2"), "");
  const control = thread.firstChild;
  place(earlier("q2") + question("q2") + answer("a2"), "");
  assert.equal(thread.firstChild, control);
  place(earlier("q7") + question("q7"), "");
  assert.deepEqual(shown(), ["earlier-turns", "turn-q7"]);
  assert.equal(thread.firstChild.getAttribute("before"), "q7");
  place(question("q1"), "");
  assert.deepEqual(shown(), ["turn-q1"]);
});

test("a turn that has got a version changes its foot only, and keeps the focus", () => {
  place(question("q1") + answer("a1"), "");
  const turn = document.getElementById("turn-a1");
  const [view, foot] = turn.children;
  const drawn = view.querySelector("p");
  turn.querySelector("[data-act='retry']").focus();
  place(question("q1", { place: 1, count: 2 }) + answer("a1"), "");
  assert.equal(turn.querySelector("footer"), foot, "a foot that is right was replaced");
  assert.match(document.getElementById("turn-q1").textContent, /1\/2/);
  place(question("q1") + answer("a1", { place: 1, count: 3 }), "");
  assert.match(turn.textContent, /1\/3/);
  assert.equal(view.querySelector("p"), drawn);
  assert.equal(document.activeElement, turn.querySelector("[data-act='retry']"));
  assert.notEqual(turn.querySelector("footer"), foot);
});

test("what scripts add to a foot is no difference", () => {
  place(answer("a1"), "");
  const turn = document.getElementById("turn-a1");
  const button = turn.querySelector("button");
  button.setAttribute("data-htmx-powered", "true");
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("class", "");
  place(answer("a1"), "");
  assert.equal(turn.querySelector("button"), button);
});

test("a turn that is being edited stays a box when its versions change", () => {
  place(question("q1"), "");
  const body = document.querySelector(".turn-body");
  const box = document.createElement("textarea");
  body.append(box);
  updateTurn(document.getElementById("turn-q1"), fragment(question("q1", { place: 1, count: 2 })).firstChild);
  assert.equal(box.isConnected, true);
  assert.match(document.getElementById("turn-q1").textContent, /1\/2/);
});

test("the focus goes to the same act, or to the other arrow where there is no way further", () => {
  thread.innerHTML = `<article class="turn"><div class="pager"><button data-act="previous">a</button><button data-act="next" disabled>b</button></div><button data-copy="turn">c</button></article>`;
  const [turn] = thread.children;
  assert.equal(focusAct(turn, "next"), true);
  assert.equal(actOf(document.activeElement), "previous");
  assert.equal(focusAct(turn, "copy"), true);
  assert.equal(actOf(document.activeElement), "copy");
  assert.equal(focusAct(turn, "edit"), false);
  assert.equal(focusAct(null, "edit"), false);
});
