/** Bars stand on each other without a gap, the grid holds them, and no amount is rounded on its way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { axisText, inWords, isToCome, layerAt, namedDays, scale, stack } from "../../static/js/chartbars.js";

/** Repeatable numbers in [0, 1), without a page. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

function day(costs, fields = {}) {
  const texts = costs.map((cost) => `$${cost}`);
  const whole = `$${costs.reduce((sum, cost) => sum + cost, 0)}`;
  return {
    short: "1",
    long: "Sunday",
    costs,
    texts,
    whole,
    ahead: null,
    aheadText: "",
    address: "/x",
    ...fields,
  };
}

function data(days, partial = null) {
  const layers = days[0].costs.map((_, layer) => ({ text: `L${layer}`, end: `&l=${layer}` }));
  return { layers, days, partial };
}

test("each part of a bar begins where the one below it ends, whatever is hidden", () => {
  const random = seeded(3);
  for (let round = 0; round < 200; round += 1) {
    const amounts = () => (random() < 0.3 ? 0 : Math.floor(random() * 1e12));
    const made = data(Array.from({ length: 4 }, () => day(Array.from({ length: 5 }, amounts))));
    const hidden = new Set([0, 1, 2, 3, 4].filter(() => random() < 0.3));
    const { parts, tops } = stack(made, hidden);
    for (const [place, { costs }] of made.days.entries()) {
      let end = 0;
      for (const [layer, { from, to }] of parts.entries()) {
        const cost = hidden.has(layer) ? 0 : costs[layer];
        assert.equal(from[place], end);
        assert.equal(to[place], cost === 0 ? null : end + cost);
        if (cost > 0) assert.equal(layerAt(parts, place, end + cost / 2), layer);
        end += cost;
      }
      assert.equal(tops[place], end);
      assert.equal(layerAt(parts, place, end + 1), -1);
    }
  }
});

test("what was given back makes no bar", () => {
  const { parts, tops } = stack(data([day([-5, 7])]), new Set());
  assert.deepEqual(parts[0].to, [null]);
  assert.deepEqual(tops, [7]);
});

test("the grid holds the highest bar in at most six round steps", () => {
  const random = seeded(5);
  const heights = Array.from({ length: 500 }, () => Math.ceil(10 ** (random() * 16)));
  for (const highest of [1, 2, 6, 7, 10, 11, 60, 61, 1e15, ...heights]) {
    const { step, top } = scale(highest);
    assert.ok(top >= highest && highest > top - step, `${highest}`);
    assert.ok(top / step >= 1 && top / step <= 6);
    assert.match(String(step), /^[125]0*$/);
  }
  assert.deepEqual(scale(0), { step: 1, top: 1 });
});

for (const [amount, step, text] of [
  [0, 1e9, "$0"],
  [40e9, 20e9, "$40"],
  [1_200e9, 200e9, "$1,200"],
  [1_234_567e9, 1e9, "$1,234,567"],
  [500_000_000, 500_000_000, "$0.50"],
  [1_500_000_000, 500_000_000, "$1.50"],
  [50_000_000, 50_000_000, "$0.05"],
  [20_000, 20_000, "$0.00002"],
  [3, 1, "$0.000000003"],
]) {
  test(`${amount} nano-dollars in steps of ${step} are ${text}`, () =>
    assert.equal(axisText(amount, step), text));
}

test("as many days are named as have room, evenly", () => {
  assert.deepEqual(namedDays(7, 8), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(namedDays(30, 8), [0, 5, 10, 15, 20, 25]);
  assert.deepEqual(namedDays(92, 8), [0, 14, 28, 42, 56, 70, 84]);
  assert.deepEqual(namedDays(1, 2), [0]);
  for (let count = 1; count <= 366; count += 1) {
    for (const most of [2, 3, 8]) {
      const places = namedDays(count, most);
      assert.ok(places.length <= most && places.at(-1) < count, `${count} days, ${most}`);
    }
  }
});

test("a day is told as it is shown, with the server's words", () => {
  const days = [
    day([3, 4]),
    day([5, 0], { ahead: 9, aheadText: "$9" }),
    day([0, 0], { ahead: 8, aheadText: "$8", address: "" }),
  ];
  const made = data(days, 1);
  assert.equal(inWords(made, 0), "Sunday: $7. L0 $3, L1 $4.");
  assert.equal(inWords(made, 1), "Sunday: $5 so far. Forecast $9.");
  assert.equal(inWords(made, 2), "Sunday: to come. Forecast $8.");
  assert.deepEqual(
    days.map((_, place) => isToCome(made, place)),
    [false, false, true],
  );
  assert.equal(inWords(data([day([0, 0], { address: "" })]), 0), "Sunday: $0.");
});
