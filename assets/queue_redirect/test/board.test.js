import assert from "node:assert/strict";
import { test } from "node:test";
import { Board } from "../web/board.js";
import { done, queued, running, sent } from "./jobs.js";

const frame = (type, data) => ({ type, data, timestamp: "" });

test("nobody else's jobs are taken, whoever sends them", () => {
  const b = new Board("user001");
  assert.deepEqual(b.hear(frame("job_created", queued({ user_id: "user002" }))), []);
  assert.deepEqual(b.hear(frame("snapshot", { rev: 7, jobs: [queued({ user_id: "user002" }), queued()] })).map((j) => j.user_id), ["user001"]);
  assert.equal(b.jobs.size, 1);
  assert.equal(b.rev, 7);
});

test("what is older than what is known changes nothing", () => {
  const b = new Board("user001");
  b.put(done());
  assert.deepEqual(b.hear(frame("job_updated", running())), []);
  assert.equal(b.get("job-1").state, "done");
});

test("aspects are patched on jobs that are open", () => {
  const b = new Board("user001");
  b.put(sent());
  const [j] = b.hear(frame("cold_start", { id: "job-1", phase_text: "waiting for a GPU, 2m of about 5m", usual_seconds: 300 }));
  assert.equal(j.phase_text, "waiting for a GPU, 2m of about 5m");
  assert.equal("usual_seconds" in j, false);
  assert.equal(b.hear(frame("progress", { id: "job-1", phase_text: "" }))[0].phase_text, "waiting for a GPU, 2m of about 5m", "empty means: told by other frames");
  assert.equal(b.hear(frame("position", { id: "job-1", position_in_queue: 3 }))[0].position_in_queue, 3);
  assert.deepEqual(b.hear(frame("position", { id: "unknown", position_in_queue: 3 })), []);
  assert.deepEqual(b.hear(frame("something_new", {})), []);
});

test("the current run is the one that is furthest", () => {
  const b = new Board("user001");
  assert.equal(b.current(), undefined);
  b.put(queued({ id: "a" }));
  b.put(sent({ id: "b" }));
  assert.equal(b.current().id, "b");
  b.put(running({ id: "c" }));
  b.put(done({ id: "d" }));
  assert.equal(b.current().id, "c");
});

test("it forgets the oldest ends and never what is open", () => {
  const b = new Board("user001", { most: 10 });
  b.put(queued({ id: "open" }));
  for (let i = 0; i < 30; i++) b.put(done({ id: `d${i}`, completed_at: new Date(1e12 + i * 1000).toISOString() }));
  assert.ok(b.jobs.size <= 11);
  assert.ok(b.get("open") && b.get("d29") && !b.get("d0"));
});

test("a snapshot after a reconnect reports what changed since, and nothing else", () => {
  const b = new Board("user001");
  const before = [done({ id: "a", rev: 3 }), running({ id: "b", rev: 4 })];
  assert.equal(b.putAll(before).length, 2);
  const now = [done({ id: "a", rev: 3 }), done({ id: "b", rev: 6 }), done({ id: "far-back", rev: 2 }), done({ id: "elsewhere", rev: 5 })];
  assert.deepEqual(b.hear(frame("snapshot", { rev: 6, jobs: now })).map((j) => j.id), ["b", "elsewhere"]);
  assert.deepEqual(b.hear(frame("snapshot", { rev: 6, jobs: now })), []);
  assert.ok(b.get("far-back"), "the history has it all the same");
});
