/** The page computes and writes money as the server does: the same vectors (tests/vectors/estimates.json). */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { count, usd } from "../../static/js/amounts.js";
import { likely, most } from "../../static/js/estimate.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/estimates.json", import.meta.url), "utf8"));

for (const { name, figures, bytes, warm, ...expected } of vectors.estimates) {
  test(name, () => {
    assert.deepEqual(likely(figures, bytes, warm), expected.likely);
    assert.equal(most(figures, bytes), expected.most);
  });
}

test("amounts are written as the server writes them", () => {
  for (const [nano, text] of vectors.amounts) assert.equal(usd(nano), text);
  assert.equal(count(1204), "1,204");
});

test("a longer text never costs less, at most or likely", () => {
  for (const { figures } of vectors.estimates) {
    for (let bytes = 0; bytes < 4000; bytes += 97) {
      assert.ok(most(figures, bytes + 97) >= most(figures, bytes));
      assert.ok(likely(figures, bytes + 97, false).prompt >= likely(figures, bytes, false).prompt);
      assert.ok(likely(figures, bytes, true).nano <= most(figures, bytes));
    }
  }
});
