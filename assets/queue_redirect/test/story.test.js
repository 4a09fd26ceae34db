import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { follow } from "../web/story.js";
import { done, failed, file, queued, running, sent } from "./jobs.js";

/** Tells a job's states one after the other; returns the types told at each. */
function tell(...jobs) {
  let told;
  return jobs.map((j) => {
    const step = follow(j, told);
    told = step.told;
    return step.events.map((e) => e.type + (e.type === "executing" ? `:${e.detail}` : ""));
  });
}

test("a run from the queue to the picture", () => {
  assert.deepEqual(
    tell(queued(), sent(), sent(), running(), running({ outputs: [file({ state: "seen" })] }), done()),
    [
      [], ["notification"], [], ["execution_start", "execution_cached"], ["executing:9", "progress_state"],
      ["progress", "executed", "execution_success", "executing:null"],
    ],
  );
});

test("who missed everything is told what still matters, in order", () => {
  assert.deepEqual(tell(done(), done()), [["execution_start", "execution_cached", "progress", "executed", "execution_success", "executing:null"], []]);
});

test("a second attempt begins anew", () => {
  const again = { attempts: [{ n: 1, started_at: "2026-01-31T12:01:00Z" }, { n: 2, started_at: null }] };
  const ran = { attempts: [again.attempts[0], { n: 2, started_at: "2026-01-31T12:05:00Z" }], outputs: [file({ attempt: 2 })] };
  assert.deepEqual(tell(failed(), queued(again), sent(again), done(ran)), [
    ["execution_start", "execution_cached", "execution_error", "executing:null"], [], ["notification"],
    ["execution_start", "execution_cached", "progress", "executed", "execution_success", "executing:null"],
  ]);
});

test("a late file is shown too", () => {
  const two = done({ outputs: [file(), file({ id: "o2", filename: "sunset_00002_.png" })] });
  const { events } = follow(two, follow(done()).told);
  assert.deepEqual(events.filter((e) => e.type === "executed").map((e) => e.detail.output.images.length), [2]);
});

test("nothing is invented: no node is marked before its files stand", () => {
  assert.ok(!tell(running())[0].some((t) => t.startsWith("executing") || t === "progress_state"));
});

test("a job cancelled before it began just leaves the queue", () => {
  assert.deepEqual(tell(queued(), queued({ state: "cancelled", completed_at: "2026-01-31T12:00:09Z" })), [[], []]);
  assert.deepEqual(tell(running(), running({ state: "cancelled" }))[1], ["execution_interrupted", "executing:null"]);
});

test("a start that is noticed after the end begins nothing", () => {
  const cancelled = { state: "cancelled", completed_at: "2026-01-31T12:00:09Z" };
  assert.deepEqual(tell(queued(), queued(cancelled), running(cancelled)), [[], [], []]);
});

test("an error has every field that the page's dialog reads", () => {
  const { detail } = follow(failed()).events.find((e) => e.type === "execution_error");
  assert.deepEqual(detail, {
    prompt_id: "job-1", timestamp: Date.parse("2026-01-31T12:02:00Z"), executed: [], node_id: "3", node_type: "KSampler", exception_type: "execution_error",
    exception_message: "out of memory; use a smaller picture", traceback: ["line 1"], current_inputs: {}, current_outputs: [],
  });
  const lost = follow(failed({ state: "lost", error_detail: null, error: "no sign of it" })).events.find((e) => e.type === "execution_error").detail;
  assert.equal(lost.exception_message, "no sign of it");
  assert.deepEqual([lost.node_id, lost.node_type, lost.traceback], ["", "", []]);
});

const kinds = JSON.parse(readFileSync(new URL("../../../internal/api/testdata/kinds.json", import.meta.url)));
for (const k of kinds) {
  test(`${k.class} of ${k.server} is told as a real server tells it`, () => {
    const outputs = k.files.map((path, i) => {
      const cut = path.lastIndexOf("/");
      return file({ id: path, filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(0, cut)), medium: k.media[i], animated: Boolean(k.output.animated), text: k.text });
    });
    const job = done({ outputs, expected_nodes: [{ node: "9", class: k.class, count: outputs.length }] });
    const told = follow(job);
    assert.deepEqual(told.events.find((e) => e.type === "executed").detail.output, k.output);
    assert.equal(told.told.files["9"], outputs.length);
  });
}
