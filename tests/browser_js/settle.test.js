/** What is shown of Markdown that is still arriving: no punctuation that flashes, no half of anything. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { settleBlock, settleCode, settleInline } from "../../static/js/settle.js";

const INLINE = [
  ["plain words", "plain words"],
  ["**bold", "**bold**"],
  ["**bold*", "**bold**"],
  ["**", ""],
  ["text **", "text"],
  ["a *slanted", "a *slanted*"],
  ["***both", "***both***"],
  ["**bold *and", "**bold *and***"],
  ["**bold** done", "**bold** done"],
  ["~~gone", "~~gone~~"],
  ["~~gone~", "~~gone~~"],
  ["2 * 3 * 4", "2 * 3 * 4"],
  ["5*3 and a_b_c", "5*3 and a_b_c"],
  ["snake_case_name", "snake_case_name"],
  ["`code", "`code`"],
  ["`", ""],
  ["``a ` b", "``a ` b``"],
  ["`a**b", "`a**b`"],
  ["**a `b", "**a `b`**"],
  ["see [the gui", "see the gui"],
  ["see [the guide](https://exam", "see the guide"],
  ["see [the guide](https://example.org/a) now", "see [the guide](https://example.org/a) now"],
  ["[a **bold](http", "a **bold**"],
  ["[1] says", "[1] says"],
  ["look ![a pl", "look"],
  ["look ![a plan](https://x", "look"],
  ["mail <https://exam", "mail"],
  ["a < b", "a < b"],
  ["end\\", "end"],
  ["costs $5 and", "costs $5 and"],
  ["then \\(a + b", "then"],
  ["then $$a + b", "then"],
  ["then $$a$$ and", "then $$a$$ and"],
];

for (const [source, shown] of INLINE) {
  test(`inline ${JSON.stringify(source)}`, () => assert.equal(settleInline(source), shown));
}

const BLOCKS = [
  ["Steps:\n-", "Steps:"],
  ["Steps:\n- ", "Steps:"],
  ["Steps:\n- first", "Steps:\n- first"],
  ["- a\n- **", "- a"],
  ["- a\n- [", "- a"],
  ["- a\n  1.", "- a"],
  ["Title\n==", "Title"],
  ["text\n\n#", "text\n"],
  ["text\n\n##", "text\n"],
  ["text\n\n`", "text\n"],
  ["text\n\n>", "text\n"],
  ["> quoted\n> -", "> quoted"],
  ["In 2024", "In 2024"],
  ["|", ""],
  ["| a", "| a |\n| --- |"],
  ["| a | b |", "| a | b |\n| --- | --- |"],
  ["| a | b |\n", "| a | b |\n| --- | --- |"],
  ["| a | b |\n|--", "| a | b |\n| --- | --- |"],
  ["| a | b |\n|---|---|\n| 1", "| a | b |\n|---|---|\n| 1"],
  ["intro\n| a \\| c | b", "intro\n| a \\| c | b |\n| --- | --- |"],
];

for (const [source, shown] of BLOCKS) {
  test(`block ${JSON.stringify(source)}`, () => assert.equal(settleBlock(source), shown));
}

test("the beginning of a closing fence is hidden, code is not", () => {
  assert.equal(settleCode("```\na = 1\n``"), "```\na = 1");
  assert.equal(settleCode("```\na = `1`"), "```\na = `1`");
});

test("text that is nothing but openings costs little", () => {
  const before = performance.now();
  for (const unit of ["[", "![", "[a](", "*a ", "> ", "`a``", "_*", "$$", "\\(", "<http", "|", "- "]) {
    const text = unit.repeat(20_000 / unit.length);
    settleInline(text);
    settleBlock(text);
    settleInline(unit.repeat(400_000));
    settleBlock(`words\n${unit.repeat(400_000)}`);
  }
  assert.ok(performance.now() - before < 2000);
});
