/** Answers that are not on the page: how far they are is known, what they said is kept until it is known why. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import "./page.js";

const { Elsewhere } = await import("../../static/js/elsewhere.js");
const { Pulse } = await import("../../static/js/pulse.js");
const { done, forgetTries, idFor } = await import("../../static/js/tries.js");

const events = (run, after, seq) => ({ type: "events", run, message: `m-${run}`, after, seq, events: [] });

beforeEach(() => forgetTries());

test("an unknown answer is looked for until somebody has asked, and its number counts", () => {
  const elsewhere = new Elsewhere();
  assert.equal(elsewhere.take(events("r1", 0, 2)), true);
  assert.equal(elsewhere.take(events("r1", 2, 3)), true);
  elsewhere.ask();
  assert.equal(elsewhere.take(events("r1", 3, 8)), false);
  assert.equal(elsewhere.take(events("r2", 0, 1)), true);
  assert.deepEqual(elsewhere.numbers, { r1: 8, r2: 1 });
});

test("what was said before the turn came is told when it comes", () => {
  const elsewhere = new Elsewhere();
  const frames = [events("r1", 0, 2), events("r1", 2, 3)];
  for (const frame of frames) elsewhere.take(frame);
  const told = elsewhere.claim("r1");
  assert.deepEqual(told.frames, frames);
  assert.equal(told.seq, 3);
  assert.equal(elsewhere.claim("r1"), null);
  assert.deepEqual(elsewhere.numbers, {});
});

test("of an answer on another branch only the number is kept", () => {
  const elsewhere = new Elsewhere();
  elsewhere.take(events("r1", 0, 2));
  elsewhere.ask();
  elsewhere.take(events("r2", 0, 1)); // began while the page was being asked
  elsewhere.answer();
  elsewhere.take(events("r1", 2, 5));
  assert.deepEqual(elsewhere.claim("r1").frames, null);
  assert.equal(elsewhere.claim("r2").frames.length, 1);
});

test("too much is not kept", () => {
  const elsewhere = new Elsewhere();
  for (let seq = 1; seq <= 1000; seq += 1) elsewhere.take(events("r1", seq - 1, seq));
  assert.deepEqual(elsewhere.claim("r1").frames, null);
});

test("an answer that has ended elsewhere is forgotten", () => {
  const elsewhere = new Elsewhere();
  elsewhere.take(events("r1", 0, 2));
  assert.equal(elsewhere.take({ type: "finished", run: "r1", message: "m-r1" }), false);
  assert.equal(elsewhere.take({ type: "finished", run: "r2", message: "m-r2" }), false);
  assert.deepEqual(elsewhere.numbers, {});
});

test("every try of the same act has the same id, and the next act another", () => {
  const first = idFor("/c/1/m/2/retry/ a");
  assert.equal(idFor("/c/1/m/2/retry/ a"), first);
  assert.notEqual(idFor("/c/1/m/2/retry/ b"), first);
  done("/c/1/m/2/retry/ a");
  assert.notEqual(idFor("/c/1/m/2/retry/ a"), first);
});

test("somebody asks after each silence, and not while something is heard", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const pulse = new Pulse(20_000, () => {
    asked += 1;
  });
  pulse.beat();
  mock.timers.tick(19_999);
  pulse.beat();
  mock.timers.tick(19_999);
  assert.equal(asked, 0);
  mock.timers.tick(1);
  assert.equal(asked, 1);
  mock.timers.tick(20_000);
  assert.equal(asked, 2);
  pulse.stop();
  mock.timers.tick(60_000);
  assert.equal(asked, 2);
  mock.timers.reset();
});
