import assert from "node:assert/strict";
import { test } from "node:test";
import { Board } from "../web/board.js";
import { Bodies } from "../web/bodies.js";
import { Memory } from "../web/memory.js";
import { Routes } from "../web/routes.js";
import { done, queued, running, sent } from "./jobs.js";

function site({ local = {} } = {}) {
  const board = new Board("user001");
  const cancelled = [];
  const handed = [];
  const store = new Map();
  const routes = new Routes({
    board,
    bodies: new Bodies(async (id) => ({ workflow: { of: id }, extra_data: { extra_pnginfo: { workflow: { id } } } })),
    hidden: new Memory({ getItem: (k) => store.get(k) ?? null, setItem: (k, v) => store.set(k, v) }, "h"),
    cancel: async (id) => cancelled.push(id),
    local: async (route, options = {}) => {
      handed.push([options.method ?? "GET", route, options.body]);
      return new Response(JSON.stringify(local[route.split("?")[0]] ?? {}));
    },
  });
  const ask = async (route, options) => (await routes.match(route, options)()).json();
  const post = (route, body) => ask(route, { method: "POST", body: body && JSON.stringify(body) });
  return { board, routes, cancelled, handed, ask, post };
}

test("the queue is the manager's and the page's own", async () => {
  const s = site({ local: { "/queue": { queue_running: [[3, "own", {}, { create_time: Date.UTC(2026, 0, 1) + 5 }, ["1"]]], queue_pending: [] } } });
  [queued({ id: "q" }), sent({ id: "s" }), running({ id: "r" }), done({ id: "d" })].forEach((j) => s.board.put(j));
  const got = await s.ask("/queue");
  assert.deepEqual(got.queue_running.map((i) => [i[0], i[1]]), [[30.5 * 86400_000, "r"], [5, "own"]]);
  assert.deepEqual(got.queue_pending.map((i) => i[1]), ["q", "s"]);
  assert.deepEqual(got.queue_pending[0].slice(2), [{ of: "q" }, { extra_pnginfo: { workflow: { id: "q" } }, client_id: "c1", create_time: Date.UTC(2026, 0, 31, 12) }, ["9"]]);
});

test("the history is numbered by ends, so that a job that overtook another is shown", async () => {
  const s = site();
  s.board.put(done({ id: "slow", created_at: "2026-01-31T12:00:00Z", completed_at: "2026-01-31T12:09:00Z" }));
  s.board.put(done({ id: "fast", created_at: "2026-01-31T12:01:00Z", completed_at: "2026-01-31T12:02:00Z" }));
  s.board.put(queued({ id: "never-begun", state: "cancelled", completed_at: "2026-01-31T12:02:00Z" }));
  const got = await s.ask("/history?max_items=200");
  assert.deepEqual(Object.keys(got), ["fast", "slow"]);
  assert.ok(got.slow.prompt[0] > got.fast.prompt[0]);
  assert.deepEqual(got.slow.outputs, { 9: { images: [{ filename: "sunset_00001_.png", subfolder: "film", type: "output" }] } });
  assert.equal(got.slow.status.status_str, "success");
  assert.deepEqual(Object.keys(await s.ask("/history?max_items=1&offset=1")), ["fast"]);
});

test("newer pages' jobs", async () => {
  const s = site();
  [queued({ id: "q" }), running({ id: "r" }), done({ id: "d" })].forEach((j) => s.board.put(j));
  const got = await s.ask("/jobs?status=pending,in_progress,completed&limit=2&offset=0");
  assert.deepEqual(got.pagination, { offset: 0, limit: 2, total: 3, has_more: true });
  assert.equal(got.jobs[0].preview_output.filename, "sunset_00001_.png");
  const d = await s.ask("/jobs/d");
  assert.deepEqual([d.status, d.outputs_count, d.workflow_id, d.workflow.extra_data.extra_pnginfo.workflow.id], ["completed", 1, "w1", "d"]);
});

test("the page's buttons reach the manager", async () => {
  const s = site();
  [queued({ id: "q" }), sent({ id: "s" }), running({ id: "r" })].forEach((j) => s.board.put(j));
  await s.post("/interrupt", { prompt_id: "r" });
  await s.post("/interrupt");
  await s.post("/queue", { delete: ["q", "own"] });
  assert.deepEqual(s.cancelled.splice(0), ["r", "r", "q"]);
  assert.deepEqual(s.handed.splice(0), [["POST", "/queue", '{"delete":["own"]}']]);
  await s.post("/queue", { clear: true });
  assert.deepEqual(s.cancelled, ["q", "s"], "what waits, and not what runs");
  assert.deepEqual(s.handed, [["POST", "/queue", '{"clear":true}']]);
});

test("newer pages' cancel reaches the manager, and the page's own for what is its own", async () => {
  const s = site({ local: { "/jobs/cancel": { cancelled: true }, "/jobs/own/cancel": { cancelled: true } } });
  [queued({ id: "q" }), running({ id: "r" }), done({ id: "d" })].forEach((j) => s.board.put(j));
  assert.deepEqual(await s.post("/jobs/q/cancel"), { cancelled: true });
  assert.deepEqual(await s.post("/jobs/d/cancel"), { cancelled: false });
  assert.deepEqual(s.cancelled.splice(0), ["q"]);
  assert.deepEqual(await s.post("/jobs/cancel", { job_ids: ["q", "r", "d", "own"] }), { cancelled: true });
  assert.deepEqual(s.cancelled.splice(0), ["q", "r"]);
  assert.deepEqual(s.handed.splice(0), [["POST", "/jobs/cancel", '{"job_ids":["own"]}']]);
  await s.post("/jobs/own/cancel");
  await s.post("/jobs/cancel", { job_ids: ["own"] });
  assert.deepEqual(s.cancelled, []);
  assert.deepEqual(s.handed.map((h) => h[1]), ["/jobs/own/cancel", "/jobs/cancel"]);
});

test("with nothing of ours an interrupt is the page's own", async () => {
  const s = site();
  await s.post("/interrupt", { prompt_id: "own" });
  assert.deepEqual(s.handed, [["POST", "/interrupt", '{"prompt_id":"own"}']]);
});

test("what is deleted from the history is out of sight", async () => {
  const s = site();
  ["a", "b"].forEach((id) => s.board.put(done({ id })));
  await s.post("/history", { delete: ["a"] });
  assert.deepEqual(Object.keys(await s.ask("/history")), ["b"]);
  await s.post("/history", { clear: true });
  assert.deepEqual(Object.keys(await s.ask("/history")), []);
  assert.ok(s.board.get("a"), "the manager's records stay");
});

test("the rest is the page's own business", () => {
  const { routes } = site();
  for (const [route, method] of [["/view?filename=a"], ["/object_info"], ["/queue/x/y"], ["/history", "DELETE"], ["/prompt", "POST"], ["/system_stats"], ["/constructor"], ["/jobs/q/assets"], ["/jobs/q/cancel/x", "POST"]]) {
    assert.equal(routes.match(route, { method }), undefined, route);
  }
});
