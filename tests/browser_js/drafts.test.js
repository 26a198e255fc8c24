/** What is written and not yet sent survives, with the id that keeps it from being sent twice. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { page } from "./page.js";

const { keepDraft, newId, readDraft, whenUsed } = await import("../../static/js/drafts.js");

beforeEach(() => page.localStorage.clear());

test("a draft comes back with its id, one per conversation", () => {
  keepDraft("c1", { text: "Dear", client: "id-1" });
  assert.deepEqual(readDraft("c1"), { text: "Dear", client: "id-1" });
  assert.equal(readDraft("c2").text, "");
  assert.notEqual(readDraft("c2").client, "id-1");
});

test("an accepted draft leaves nothing behind", () => {
  keepDraft("c1", { text: "Dear", client: "id-1" });
  keepDraft("c1", { text: "", client: "id-1" });
  assert.equal(page.localStorage.length, 0);
});

test("what cannot be read begins anew", () => {
  page.localStorage.setItem("parley:draft:c1", "{broken");
  assert.equal(readDraft("c1").text, "");
  page.localStorage.setItem("parley:draft:c1", JSON.stringify({ text: 5 }));
  assert.equal(readDraft("c1").text, "");
});

test("ids are UUIDs, also where the browser makes none", () => {
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(newId(), form);
  const { randomUUID } = crypto;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  try {
    assert.match(newId(), form);
    assert.notEqual(newId(), newId());
  } finally {
    Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
  }
});

test("a draft that another tab has sent gives up its id here, too", () => {
  const stop = new page.AbortController();
  let used = 0;
  whenUsed(
    () => "c1",
    () => {
      used += 1;
    },
    stop.signal,
  );
  const say = (key, newValue) =>
    page.dispatchEvent(Object.assign(new page.Event("storage"), { key, newValue }));
  say("parley:draft:c1", '{"text":"more","client":"id-1"}');
  say("parley:draft:c2", null);
  assert.equal(used, 0);
  say("parley:draft:c1", null);
  assert.equal(used, 1);
  stop.abort();
  say("parley:draft:c1", null);
  assert.equal(used, 1);
});
