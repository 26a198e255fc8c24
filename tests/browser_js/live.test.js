/** Live text ends as the same nodes as a fresh page, wherever it was cut; and nothing finished is drawn twice. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DOCUMENTS } from "./documents.js";
import { seeded } from "./page.js";

const { render } = await import("../../static/js/markdown.js");
const { LiveMarkdown } = await import("../../static/js/live.js");

function fresh(text) {
  const root = document.createElement("div");
  root.append(render(text));
  return root;
}

/** Equal nodes; the order of attributes does not count. */
function assertSame(root, wanted, message) {
  if (!root.isEqualNode(wanted)) assert.equal(root.innerHTML, wanted.innerHTML, message);
}

function cuts(text, random, most) {
  const places = [];
  for (let at = 0; at < text.length; ) {
    at += 1 + Math.floor(random() * most);
    places.push(Math.min(at, text.length));
  }
  return places;
}

for (const [name, text] of Object.entries(DOCUMENTS)) {
  test(`${name}: cut after every character, the end equals a fresh rendering`, () => {
    const root = document.createElement("div");
    const live = new LiveMarkdown(root);
    for (let at = 1; at <= text.length; at += 1) live.show(text.slice(0, at), false);
    live.show(text, true);
    assertSame(root, fresh(text));
  });

  test(`${name}: random ways of cutting end as a fresh rendering`, () => {
    const random = seeded(7);
    const wanted = fresh(text);
    for (const most of [9, 20, 40, 90]) {
      const root = document.createElement("div");
      const live = new LiveMarkdown(root);
      for (const at of cuts(text, random, most)) live.show(text.slice(0, at), false);
      live.show(text, true);
      assertSame(root, wanted, `pieces of at most ${most}`);
    }
  });
}

test("mixed documents end as a fresh rendering", () => {
  const random = seeded(11);
  const names = Object.keys(DOCUMENTS);
  for (let round = 0; round < 6; round += 1) {
    const text = Array.from({ length: 3 }, () => DOCUMENTS[names[Math.floor(random() * names.length)]]).join(
      "\n",
    );
    const root = document.createElement("div");
    const live = new LiveMarkdown(root);
    for (const at of cuts(text, random, 60)) live.show(text.slice(0, at), false);
    live.show(text, true);
    assertSame(root, fresh(text), `round ${round}`);
  }
});

test("before the end is known, what is final equals a fresh rendering of it", () => {
  // Without forward references every block is right as soon as the next one has begun.
  for (const name of ["lists", "table", "code", "maths", "scripts"]) {
    const text = DOCUMENTS[name];
    const root = document.createElement("div");
    const live = new LiveMarkdown(root);
    for (let at = 1; at <= text.length; at += 3) live.show(text.slice(0, at), false);
    const wanted = fresh(text).children;
    [...root.children].slice(0, -2).forEach((node, at) => {
      assertSame(node, wanted[at], `${name}, block ${at}`);
    });
  }
});

test("a finished block keeps its nodes while the rest streams, and at the end", () => {
  const text = DOCUMENTS.lists + DOCUMENTS.table + DOCUMENTS.code;
  const root = document.createElement("div");
  const live = new LiveMarkdown(root);
  const seen = new Map();
  for (let at = 3; at <= text.length; at += 3) {
    live.show(text.slice(0, at), false);
    const done = [...root.children].slice(0, -2);
    done.forEach((node, place) => {
      if (!seen.has(place)) seen.set(place, node);
      assert.equal(seen.get(place), node, `block ${place} was drawn again at ${at}`);
    });
  }
  live.show(text, true);
  for (const [place, node] of seen) assert.equal(root.children[place], node);
});

test("an open fence is appended to, its node and its text node stay", () => {
  const head = "Look:\n\n```python\n";
  const root = document.createElement("div");
  const live = new LiveMarkdown(root);
  live.show(`${head}a = 1\n`, false);
  const text = root.querySelector("code").firstChild;
  let source = `${head}a = 1\n`;
  for (let line = 0; line < 200; line += 1) {
    source += `print(${line})\n`;
    live.show(source, false);
    assert.equal(root.querySelector("code").firstChild, text);
  }
  assert.equal(text.data.split("\n").length, 201);
  live.show(`${source}\`\``, false);
  assert.ok(!root.textContent.includes("``"), "the beginning of the closing marks is not shown");
  live.show(`${source}\`\`\`\nafter`, false);
  assert.equal(root.lastElementChild.textContent, "after");
});

test("a text that changes its past is drawn anew", () => {
  const root = document.createElement("div");
  const live = new LiveMarkdown(root);
  live.show("one\n\ntwo\n\nthree", false);
  live.show("other\n\nwords", false);
  assertSame(root, fresh("other\n\nwords"));
});
