import assert from "node:assert/strict";
import { test } from "node:test";
import { Feed } from "../web/feed.js";
import { Memory } from "../web/memory.js";
import { done, failed, queued, running } from "./jobs.js";

class Storage {
  map = new Map();
  getItem = (k) => this.map.get(k) ?? null;
  setItem = (k, v) => this.map.set(k, v);
}

function feed(shown = "w1", storage = new Storage()) {
  const seen = [];
  const timers = [];
  const parts = { dispatch: (type) => seen.push(type), workflowID: () => f.shown, watched: new Memory(storage, "w") };
  const f = new Feed(parts, { later: (run) => timers.push(run) });
  f.shown = shown;
  return { f, seen, timers, storage, take: () => seen.splice(0) };
}

test("after a reload only ends that this browser waits for are news", () => {
  const { f, seen, storage } = feed();
  f.tell(queued());
  const again = feed("w1", storage);
  again.f.tell(done(), { old: true });
  again.f.tell(done({ id: "of-yesterday" }), { old: true });
  assert.deepEqual(seen, []);
  assert.deepEqual(again.seen.filter((t) => t === "executed"), ["executed"]);
  assert.deepEqual(again.f.watched.all(), []);
});

test("a failure of which we learn late opens no dialog", () => {
  const { f, storage } = feed();
  f.tell(running());
  const again = feed("w1", storage);
  again.f.tell(failed(), { old: true });
  assert.ok(!again.seen.includes("execution_error") && again.seen.includes("executing"));
});

test("pictures wait until their workflow is open", () => {
  const { f, take } = feed("another");
  f.tell(running());
  take();
  f.tell(done());
  assert.ok(!take().includes("executed"));
  assert.deepEqual(f.watched.all(), ["job-1"], "a reload must not lose it");
  f.opened();
  assert.deepEqual(take(), []);
  f.shown = "w1";
  f.opened();
  assert.deepEqual(take(), ["executed"]);
  assert.deepEqual(f.watched.all(), []);
});

test("a failure that another attempt may follow is told a little later", () => {
  const shaky = { ...failed(), error_detail: { code: "gone", message: "the worker went away", transient: true } };
  const { f, timers, take } = feed();
  f.tell(running());
  take();
  f.tell(shaky);
  assert.deepEqual(take(), []);
  f.latest = () => queued({ attempts: [{ n: 1 }, { n: 2, started_at: null }], rev: 10 });
  timers.shift()();
  assert.deepEqual(take(), [], "the manager began another attempt");
  f.tell({ ...shaky, attempts: [{ n: 1 }, { n: 2, started_at: "2026-01-31T12:05:00Z" }], rev: 12 });
  f.latest = () => ({ ...shaky, attempts: [{ n: 1 }, { n: 2, started_at: "2026-01-31T12:05:00Z" }], rev: 12 });
  timers.shift()();
  assert.ok(take().includes("execution_error"));
});

test("storage that holds rubbish or refuses is no harm", () => {
  const storage = new Storage();
  storage.map.set("w", "{not json");
  const m = new Memory(storage, "w", 2);
  assert.deepEqual(m.all(), []);
  m.add("a", "b", "c");
  assert.deepEqual(m.all(), ["b", "c"]);
  const broken = new Memory({ getItem: () => { throw new Error("no"); }, setItem: () => { throw new Error("no"); } }, "w");
  broken.add("x");
  assert.deepEqual(broken.all(), []);
});
