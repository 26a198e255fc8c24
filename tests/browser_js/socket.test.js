/** The page's socket: numbers without gap or repeat, and coming back by itself. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { page } from "./page.js";

const { judge, wait } = await import("../../static/js/numbers.js");
const { Link } = await import("../../static/js/socket.js");

class FakeSocket extends page.EventTarget {
  static OPEN = 1;
  static all = [];
  readyState = 0;
  sent = [];

  constructor(address) {
    super();
    this.address = address;
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code = 1000) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new page.Event("close"), { code }));
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new page.Event("open"));
  }

  say(frame) {
    this.dispatchEvent(new page.MessageEvent("message", { data: JSON.stringify(frame) }));
  }

  static get last() {
    return FakeSocket.all.at(-1);
  }
}

globalThis.WebSocket = FakeSocket;

beforeEach(() => {
  FakeSocket.all = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 1);
});

function opened() {
  const link = new Link("ws://localhost/ws/");
  const states = [];
  link.addEventListener("state", ({ detail }) => states.push(detail.state));
  link.open();
  return { link, states };
}

test("a frame is applied when it begins where the page is, dropped when it is old, asked for again after a gap", () => {
  assert.equal(judge(4, { after: 4, seq: 7 }), "next");
  assert.equal(judge(4, { after: 2, seq: 4 }), "old");
  assert.equal(judge(4, { after: 0, seq: 1 }), "old");
  assert.equal(judge(4, { after: 6, seq: 8 }), "gap");
  assert.equal(judge(4, { after: 3, seq: 8 }), "gap");
});

test("waits grow to eight seconds and are spread", () => {
  assert.deepEqual(
    [0, 1, 2, 5, 9, 400].map((tries) => wait(tries, 1)),
    [250, 500, 1000, 8000, 8000, 8000],
  );
  assert.equal(wait(0, 0), 125);
});

test("it says what the page has when it opens, and again when it comes back", () => {
  const { link } = opened();
  const has = { r1: 3 };
  link.follow({ conversation: "c1", after: () => ({ ...has }) });
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "follow", conversation: "c1", after: { r1: 3 } }]);
  has.r1 = 9;
  FakeSocket.last.close(1012);
  mock.timers.tick(250);
  assert.equal(FakeSocket.all.length, 2);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "follow", conversation: "c1", after: { r1: 9 } }]);
});

test("many frames make one acknowledgement", () => {
  const { link } = opened();
  link.follow({ conversation: "c1", after: () => ({ r1: 5 }) });
  FakeSocket.last.open();
  for (let n = 0; n < 40; n += 1) link.acknowledge();
  mock.timers.tick(249);
  assert.equal(FakeSocket.last.sent.length, 1);
  mock.timers.tick(1);
  assert.equal(FakeSocket.last.sent.length, 2);
});

test("a hidden tab acknowledges without a timer", (context) => {
  const { link } = opened();
  link.follow({ conversation: "c1", after: () => ({ r1: 5 }) });
  FakeSocket.last.open();
  mock.timers.tick(1000);
  Object.defineProperty(page.document, "hidden", { value: true, configurable: true });
  context.after(() => Object.defineProperty(page.document, "hidden", { value: false, configurable: true }));
  for (let n = 0; n < 40; n += 1) link.acknowledge();
  assert.equal(FakeSocket.last.sent.length, 2);
  mock.timers.tick(250); // and the last of many is not left out
  assert.equal(FakeSocket.last.sent.length, 3);
});

test("a restart is followed within a quarter of a second, and nothing is said", () => {
  const { states } = opened();
  for (let n = 0; n < 5; n += 1) {
    FakeSocket.last.open();
    mock.timers.tick(30);
    FakeSocket.last.close(1012);
    const count = FakeSocket.all.length;
    mock.timers.tick(250);
    assert.equal(FakeSocket.all.length, count + 1);
  }
  FakeSocket.last.open();
  mock.timers.tick(5000);
  assert.ok(states.every((state) => state === "joined"));
});

test("a socket that nobody opens is given up for another", () => {
  opened();
  assert.equal(FakeSocket.all.length, 1);
  mock.timers.tick(8000);
  mock.timers.tick(250);
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(FakeSocket.all[0].readyState, 3);
});

test("after a sleep, seen by a clock that jumped, the socket is a new one", () => {
  const { link } = opened();
  let back = 0;
  link.addEventListener("back", () => {
    back += 1;
  });
  FakeSocket.last.open();
  mock.timers.tick(20_000);
  assert.equal(FakeSocket.all.length, 1);
  mock.timers.setTime(Date.now() + 3_600_000);
  mock.timers.tick(5000);
  assert.equal(FakeSocket.all.length, 2);
  FakeSocket.last.open();
  assert.equal(back, 1);
});

test("a page that was hidden for long renews its socket, one that was hidden shortly keeps it", (context) => {
  const { document } = page;
  const turn = (hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new page.Event("visibilitychange"));
  };
  context.after(() => Object.defineProperty(document, "hidden", { value: false, configurable: true }));
  opened();
  FakeSocket.last.open();
  turn(true);
  mock.timers.tick(10_000);
  turn(false);
  assert.equal(FakeSocket.all.length, 1);
  turn(true);
  mock.timers.tick(31_000);
  turn(false);
  assert.ok(FakeSocket.all.length > 1);
});

test("a short break shows nothing, a longer one shows the line, and it goes away", () => {
  const { states } = opened();
  FakeSocket.last.open();
  FakeSocket.last.close(1006);
  mock.timers.tick(250);
  FakeSocket.last.open();
  assert.deepEqual(states, ["joined", "joined"]);
  FakeSocket.last.close(1006);
  for (let n = 0; n < 4; n += 1) {
    mock.timers.tick(8000);
    FakeSocket.last.close(1006);
  }
  assert.equal(states.at(-1), "away");
  mock.timers.tick(8000);
  FakeSocket.last.open();
  assert.equal(states.at(-1), "joined");
});

test("signed out and without right, it does not come back", () => {
  for (const [code, state] of [
    [4401, "signed-out"],
    [4403, "no-right"],
  ]) {
    const { states } = opened();
    const count = FakeSocket.all.length;
    FakeSocket.last.open();
    FakeSocket.last.close(code);
    mock.timers.tick(60_000);
    page.dispatchEvent(new page.Event("online"));
    assert.equal(states.at(-1), state);
    assert.equal(FakeSocket.all.length, count);
  }
});

test("the network's return wakes it at once", () => {
  opened();
  for (let n = 0; n < 6; n += 1) {
    FakeSocket.last.close(1006);
    mock.timers.tick(8000);
  }
  const before = FakeSocket.all.length;
  FakeSocket.last.close(1006);
  page.dispatchEvent(new page.Event("online"));
  assert.equal(FakeSocket.all.length, before + 1);
});

test("what an abandoned socket still says is not heard", () => {
  const { link } = opened();
  const frames = [];
  link.addEventListener("frame", ({ detail }) => frames.push(detail));
  const old = FakeSocket.last;
  old.open();
  old.say({ type: "notice", code: "a" });
  old.close(1006);
  mock.timers.tick(250);
  FakeSocket.last.open();
  old.say({ type: "notice", code: "b" });
  FakeSocket.last.say({ type: "notice", code: "c" });
  assert.deepEqual(
    frames.map(({ code }) => code),
    ["a", "c"],
  );
});
