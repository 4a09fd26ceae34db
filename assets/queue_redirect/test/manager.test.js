import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../web/backoff.js";
import { Away, Manager, Refusal } from "../web/manager.js";

const json = (status, body) => new Response(JSON.stringify(body), { status });

/** A manager whose fetch gives these answers one after the other; an Error is thrown. */
function manager(...answers) {
  const calls = [];
  const fetch = async (url, init) => {
    calls.push({ url, ...init });
    const a = answers.shift();
    if (a instanceof Error) throw a;
    return a;
  };
  return { calls, of: new Manager({ base: "https://site", user: "user001" }, { fetch, pause: async () => {} }) };
}

test("a lost answer is asked for again under the same key", async () => {
  const m = manager(new TypeError("network"), new Response("<html>", { status: 502 }), json(200, { id: "j" }));
  assert.deepEqual(await m.of.submit({ user_id: "user001" }, "key-1"), { id: "j" });
  assert.deepEqual(m.calls.map((c) => [c.method, c.url, c.headers["Idempotency-Key"]]), Array(3).fill(["POST", "https://site/api/jobs", "key-1"]));
});

test("a refusal is not asked for again", async () => {
  const m = manager(json(429, { error: { message: "too many" }, detail: "too many; wait" }));
  await assert.rejects(m.of.submit({}, "k"), (e) => e instanceof Refusal && e.status === 429 && e.message === "too many; wait");
  assert.equal(m.calls.length, 1);
});

test("a manager that drains is there", async () => {
  await assert.rejects(manager(json(503, { error: { code: "draining", message: "draining" } })).of.submit({}, "k"), Refusal);
});

test("nobody there is said so after four tries", async () => {
  const m = manager(...Array(4).fill(new TypeError("network")));
  await assert.rejects(m.of.submit({}, "k"), Away);
  assert.equal(m.calls.length, 4);
});

test("a login page instead of an answer is nobody", async () => {
  await assert.rejects(manager(new Response("<html>", { status: 200 })).of.jobs(5), Away);
});

test("cancelling has no body", async () => {
  const m = manager(new Response(null, { status: 204 }));
  assert.equal(await m.of.cancel("a/b"), null);
  assert.equal(m.calls[0].url, "https://site/api/jobs/a%2Fb");
});

test("pauses grow, have an end, and differ", () => {
  const at = (tries, luck) => backoff(tries, { first: 500, most: 30_000, random: () => luck });
  assert.deepEqual([at(0, 0), at(0, 1), at(1, 1), at(3, 0), at(50, 0), at(50, 1)], [250, 500, 1000, 2000, 15_000, 30_000]);
});
