/** The browser folds as the server does: the same vectors, the same states, and it goes on from any of them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Fold, ProtocolError } from "../../static/js/fold.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/fold.json", import.meta.url), "utf8"));

/** What JSON can carry of a value. */
const plain = (value) => JSON.parse(JSON.stringify(value));

/** Applies the events one by one; `between` may replace the fold before each. */
function run({ events, state_after: states, breaks_at: breaksAt }, between) {
  let fold = new Fold();
  for (const [at, event] of events.entries()) {
    if (states[at]) assert.deepEqual(plain(fold.state()), states[at], `before event ${at}`);
    fold = between(fold);
    if (at === breaksAt) {
      assert.throws(() => fold.apply(event), ProtocolError);
      return;
    }
    fold.apply(event);
  }
  const end = states[events.length];
  if (end) assert.deepEqual(plain(fold.state()), end, "at the end");
}

for (const vector of vectors) {
  test(`${vector.name}`, () => run(vector, (fold) => fold));

  test(`${vector.name}: stored and resumed before every event`, () => {
    run(vector, (fold) => Fold.resume(plain(fold.state())));
  });
}
