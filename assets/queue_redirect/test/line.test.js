import assert from "node:assert/strict";
import { test } from "node:test";
import { Line } from "../web/line.js";

class Socket extends EventTarget {
  static made = [];
  constructor(url) {
    super();
    this.url = url;
    Socket.made.push(this);
  }
  close() {}
  be(type, data) {
    this.dispatchEvent(Object.assign(new Event(type), { data }));
  }
}

function line(prepare) {
  Socket.made = [];
  const seen = { states: [], frames: [], timers: [] };
  const hooks = { prepare, frame: (f) => seen.frames.push(f), state: (up, e) => seen.states.push(e?.message ?? up) };
  const later = (run, ms) => seen.timers.push({ run, ms });
  return { seen, line: new Line("ws://site/ws", hooks, { WebSocket: Socket, later, random: () => 1 }) };
}

test("it asks for what it missed each time, and comes back by itself", async () => {
  let rev = 0;
  const { seen, line: l } = line(async () => new URLSearchParams({ user_id: "u", since: String(++rev) }));
  await l.open();
  Socket.made[0].be("open");
  Socket.made[0].be("message", '{"type":"hello","data":{}}');
  Socket.made[0].be("message", "not JSON");
  Socket.made[0].be("error");
  Socket.made[0].be("close");
  assert.deepEqual(seen.frames, [{ type: "hello", data: {} }]);
  assert.deepEqual(seen.states, [true, false], "an error and its close are one end");
  assert.equal(seen.timers.length, 1);
  await seen.timers[0].run();
  assert.deepEqual(Socket.made.map((s) => s.url), ["ws://site/ws?user_id=u&since=1", "ws://site/ws?user_id=u&since=2"]);
  l.close();
});

test("while nobody answers the pauses grow, and no socket is tried", async () => {
  const { seen, line: l } = line(async () => {
    throw new Error("away");
  });
  await l.open();
  await seen.timers[0].run();
  await seen.timers[1].run();
  assert.deepEqual(seen.timers.map((t) => t.ms), [500, 1000, 2000]);
  assert.deepEqual(seen.states, ["away", "away", "away"]);
  assert.equal(Socket.made.length, 0);
  l.hurry();
  await Promise.resolve().then(() => {});
  assert.equal(l.tries, 1, "the laptop was opened: at once, and from the beginning");
  l.close();
});
