/** Content blocks on the page: passages, trails of steps, sources; live and fresh views end as the same nodes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./page.js";
import { recordings } from "./recordings.js";

const { arrange, MessageView } = await import("../../static/js/blocks.js");
const { Fold } = await import("../../static/js/fold.js");

function draw(blocks, progress = {}) {
  const root = page.document.createElement("div");
  new MessageView(root, "m-1").show(blocks, { finished: true, ...progress });
  return root;
}

function assertSame(root, wanted, message) {
  if (!root.isEqualNode(wanted)) assert.equal(root.innerHTML, wanted.innerHTML, message);
}

const text = (words, citations) => ({ type: "text", text: words, ...(citations ? { citations } : {}) });
const cited = (url, quote) => ({
  type: "web_search_result_location",
  url,
  title: `Title of ${url}`,
  cited_text: quote,
});
const titles = (root) => [...root.querySelectorAll(".step summary")].map((line) => line.textContent);

test("neighbouring texts are one passage, what lies between them is a trail", () => {
  const root = draw([
    { type: "thinking", thinking: "Let me **see**." },
    { type: "redacted_thinking", data: "…" },
    text("One "),
    text("sentence."),
    { type: "tool_use", id: "t1", name: "look_up", input: { q: "x" } },
    text("After."),
  ]);
  assert.deepEqual(
    [...root.children].map((node) => node.className),
    ["trail", "prose", "trail", "prose"],
  );
  assert.equal(root.children[1].textContent, "One sentence.");
  assert.deepEqual(titles(root), ["Thought", "Thought", "Asked for the tool look_up"]);
  assert.equal(root.querySelector(".step-body strong").textContent, "see");
});

test("a server's tool and its result are one step", () => {
  const root = draw([
    { type: "server_tool_use", id: "s1", name: "web_search", input: { query: "tides" } },
    {
      type: "web_search_tool_result",
      tool_use_id: "s1",
      content: [
        {
          type: "web_search_result",
          title: "Tides",
          url: "https://tides.example/a",
          encrypted_content: "secret",
        },
        { type: "web_search_result", title: "Bad", url: "javascript:alert(1)" },
      ],
    },
    { type: "server_tool_use", id: "s2", name: "bash_code_execution", input: { command: "ls -l" } },
    {
      type: "bash_code_execution_tool_result",
      tool_use_id: "s2",
      content: {
        type: "bash_code_execution_result",
        stdout: "total 0",
        stderr: "oops",
        return_code: 2,
        content: [],
      },
    },
    { type: "server_tool_use", id: "s3", name: "web_fetch", input: { url: "https://x.example/p" } },
    {
      type: "web_fetch_tool_result",
      tool_use_id: "s3",
      content: { type: "web_fetch_tool_result_error", error_code: "url_not_accessible" },
    },
  ]);
  assert.deepEqual(titles(root), [
    "Searched the web for tides2 results",
    "Ran codeexit code 2",
    "Read x.exampleurl not accessible",
  ]);
  assert.deepEqual(
    [...root.querySelectorAll(".step")].map((step) => step.dataset.state),
    ["done", "failed", "failed"],
  );
  assert.deepEqual(
    [...root.querySelectorAll(".hits a")].map((link) => link.href),
    ["https://tides.example/a"],
  );
  assert.ok(!root.textContent.includes("secret"));
  assert.equal(root.querySelector("code").textContent, "ls -l");
  assert.match(root.textContent, /total 0.*oops/s);
});

test("a call without its result is running while the answer is, and cut when it is not", () => {
  const blocks = [{ type: "server_tool_use", id: "s1", name: "web_search", input: { query: "tides" } }];
  assert.deepEqual(titles(draw(blocks, { finished: false })), ["Searching the web for tides"]);
  const cut = draw(blocks);
  assert.deepEqual(titles(cut), ["Searched the web for tidesno result"]);
  assert.equal(cut.querySelector(".step").dataset.state, "failed");
});

test("kinds that nobody knows are named and shown as facts", () => {
  const root = draw([{ type: "hologram", shape: "<b>cube</b>", nested: { a: [1] } }]);
  assert.deepEqual(titles(root), ["Unknown block: hologram"]);
  assert.match(root.textContent, /<b>cube<\/b>.*\{"a":\[1\]\}/s);
  assert.equal(root.querySelectorAll(".step-body b").length, 0);
});

test("a search that finds nothing says so, and a fallback names the model that was asked", () => {
  const root = draw([
    { type: "server_tool_use", id: "s1", name: "web_search", input: { query: "tides" } },
    { type: "web_search_tool_result", tool_use_id: "s1", content: [] },
    { type: "fallback", from: { model: "a-1" }, to: { model: "b-2" }, trigger: { type: "refusal" } },
  ]);
  assert.deepEqual(titles(root), ["Searched the web for tidesno results", "Went on with b-2"]);
  const [search, fallback] = root.querySelectorAll(".step-body");
  assert.equal(search.textContent, "The search found nothing.");
  assert.deepEqual(
    [...fallback.querySelectorAll("dd")].map((fact) => fact.textContent),
    ["a-1", "refusal"],
  );
});

test("citations are numbered by first mention and listed once", () => {
  const root = draw([
    text("Water rises", [
      cited("https://a.example/1", "rises  twice\na day"),
      cited("https://b.example/", "b"),
    ]),
    text(" and falls. ", []),
    text("**So it does.**", [cited("https://a.example/1", "again")]),
  ]);
  assert.equal(root.querySelector(".prose").textContent, "Water rises12 and falls. So it does.1");
  assert.equal(root.querySelector("strong").textContent, "So it does.");
  assert.match(root.querySelector(".sources summary").textContent, /2 sources: a\.example, b\.example/);
  assert.deepEqual(
    [...root.querySelectorAll(".sources li")].map((item) => item.id),
    ["m-1-source-1", "m-1-source-2"],
  );
  assert.match(root.querySelector(".sources li").textContent, /“rises twice a day”.*“again”/);
  assert.equal(root.querySelector("a.cite").getAttribute("href"), "#m-1-source-1");
});

test("a mark does not break the block that it follows", () => {
  const root = draw([
    text("```py\nx\n```", [cited("https://a.example/", "x")]),
    text("\n\n| a | b |\n|---|---|\n| 1 | 2 |", [cited("https://a.example/", "y")]),
  ]);
  assert.equal(root.querySelector("pre code").textContent, "x");
  assert.equal(root.querySelectorAll("td").length, 2);
  assert.equal(root.querySelectorAll("a.cite").length, 2);
});

test("an empty text between steps makes no passage", () => {
  const groups = arrange(
    [{ type: "thinking", thinking: "a" }, text(""), { type: "thinking", thinking: "b" }],
    {},
  );
  assert.deepEqual(
    groups.map(({ indexes }) => indexes),
    [[0, 2]],
  );
});

test("a fold that the reader opened stays open while the step changes", () => {
  const root = page.document.createElement("div");
  const view = new MessageView(root, "m-1");
  const block = { type: "thinking", thinking: "First" };
  view.show([block], { open: { index: 0, json: "" }, finished: false });
  const step = root.querySelector("details");
  assert.equal(step.querySelector("summary").textContent, "Thinking");
  step.setAttribute("open", "");
  block.thinking += " and second.";
  view.show([block], { open: { index: 0, json: "" }, finished: false });
  assert.ok(step.hasAttribute("open"));
  assert.equal(step.querySelector(".step-body").textContent, "First and second.");
  view.show([block], { finished: true, seconds: { 0: 6.42 } });
  assert.equal(step.querySelector("summary").textContent, "Thought6.4 s");
  assert.equal(root.querySelector("details"), step);
});

const streams = recordings();

test("every recorded stream, drawn while it arrives, ends as a fresh page", {
  skip: streams.length === 0,
}, () => {
  for (const { name, events } of streams) {
    const root = page.document.createElement("div");
    const view = new MessageView(root, "m-1");
    const fold = new Fold();
    const every = Math.max(1, Math.ceil(events.length / 14));
    events.every((event, at) => {
      try {
        fold.apply(event);
      } catch {
        return false; // A broken recording: as far as it goes.
      }
      if (at % every === 0) view.show(fold.blocks, { open: fold.open, finished: false });
      return true;
    });
    view.show(fold.blocks, { finished: true });
    assertSame(root, draw(fold.state().message?.content ?? []), name);
  }
});

test("a page loaded in the middle goes on to the same end", { skip: streams.length === 0 }, () => {
  for (const { name, events } of streams.slice(0, 30)) {
    const whole = new Fold();
    const cut = Math.floor(events.length / 2);
    let fold = new Fold();
    const root = page.document.createElement("div");
    const view = new MessageView(root, "m-1");
    try {
      for (const event of events) whole.apply(event);
      for (const event of events.slice(0, cut)) fold.apply(event);
      fold = Fold.resume(JSON.parse(JSON.stringify(fold.state())));
      view.show(fold.blocks, { open: fold.open, finished: false });
      for (const event of events.slice(cut)) fold.apply(event);
    } catch {
      continue;
    }
    view.show(fold.blocks, { finished: true });
    assertSame(root, draw(whole.blocks), name);
  }
});
