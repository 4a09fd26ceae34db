import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, LINGER } from "../web/banner_state.js";
import { sentence, span } from "../web/sentences.js";
import { done, failed, file, queued, running, sent } from "./jobs.js";

const cases = [
  ["in line", queued({ phase_text: "waiting in line, 3 ahead", estimated_wait_time: 95 }), "wait", "Waiting in line, 3 ahead.", "It should start in about 1m35s."],
  ["cold start, in the manager's words", sent(), "wait", "Waiting for a GPU, 1m40s of about 5m.", ""],
  ["rendering", running(), "run", "Rendering, 4s of about 12s.", ""],
  ["saving", running({ state: "rendered", phase_text: "saving, 1 of 2 files" }), "run", "Saving, 1 of 2 files.", ""],
  ["cancelling", running({ want: "cancel" }), "run", "Cancelling…", ""],
  ["done", done(), "good", "Done: sunset_00001_.png.", ""],
  ["done with many", done({ outputs: ["a", "b", "c"].map((n) => file({ id: n, filename: n })) }), "good", "Done: a, b and 1 more.", ""],
  ["done without a file", done({ outputs: [] }), "good", "Done; it wrote no new file.", ""],
  ["cancelled", queued({ state: "cancelled" }), "quiet", "Cancelled.", ""],
  ["failed", failed(), "bad", "This did not work: Node 3 (KSampler): out of memory.", "Use a smaller picture."],
  ["lost, with a file", failed({ state: "lost", error_detail: { message: "no file came in 30m", hint: "try again" }, outputs: [file()] }), "bad",
    "No sign of this job came in time: no file came in 30m.", "Try again. 1 of its files came all the same."],
  ["nobody said why", failed({ error_detail: null }), "bad", "This did not work: nobody said why.", "Press Queue to try again."],
];
for (const [name, job, tone, text, hint] of cases) {
  test(name, () => assert.deepEqual(sentence(job), { tone, text, hint }));
}

test("spans of time", () => assert.deepEqual([5, 60, 100, 599, 700, 3600, 5000].map(span), ["5s", "1m", "1m40s", "9m59s", "11m", "1h0m", "1h23m"]));

const view = (more = {}) => ({ dismissed: new Set(), seen: new Map(), now: 1000, ...more });

test("failures first, then what renders, waits and is done; not more than four", () => {
  const jobs = [queued({ id: "q1" }), done({ id: "d" }), running({ id: "r" }), failed({ id: "f" }), queued({ id: "q2", created_at: "2026-01-31T11:00:00Z" })];
  const got = choose(jobs, view({ seen: new Map([["d", 900], ["f", 900]]) }));
  assert.deepEqual(got.rows.map((j) => j.id), ["f", "r", "q2", "q1"]);
  assert.equal(got.more, 1);
  assert.equal(got.until, 900 + LINGER);
});

test("good ends fade, failures stay, old ends and dismissed jobs are not shown", () => {
  const jobs = [done({ id: "d" }), failed({ id: "f" }), failed({ id: "old" }), queued({ id: "q" })];
  const got = choose(jobs, view({ seen: new Map([["d", 0], ["f", 0]]), dismissed: new Set(["q"]), now: LINGER }));
  assert.deepEqual(got.rows.map((j) => j.id), ["f"]);
  assert.equal(got.until, 0);
});
