import assert from "node:assert/strict";
import { test } from "node:test";
import { partOf } from "../web/partial.js";
import { accepted, jobRequest, refused } from "../web/submission.js";
import { queued } from "./jobs.js";

const prompt = {
  1: { class_type: "EmptyImage", inputs: { width: 64, color: [1, 2] } },
  2: { class_type: "ImageInvert", inputs: { image: ["1", 0] } },
  8: { class_type: "SaveImage", inputs: { images: ["1", 0] } },
  9: { class_type: "SaveImage", inputs: { images: ["2", 0] } },
};

test("secrets and the client's own wishes stay in the page", () => {
  const workflow = { id: "w1", nodes: [] };
  const got = jobRequest(
    { client_id: "c1", prompt, number: 4, extra_data: { auth_token_comfy_org: "t", api_key_comfy_org: "k", preview_method: "auto", extra_pnginfo: { workflow } } },
    { user: "user001", name: "sunset" },
  );
  assert.deepEqual(got, {
    user_id: "user001", workflow: prompt, name: "sunset", extra_data: { extra_pnginfo: { workflow } }, metadata: { comfy: { client_id: "c1", workflow_id: "w1" } },
  });
});

test("the front of the queue is a high priority", () => assert.equal(jobRequest({ prompt, front: true }, { user: "u" }).priority, 1));

test("partial execution keeps what the targets need", () => {
  assert.deepEqual(Object.keys(partOf(prompt, ["9"])), ["1", "2", "9"]);
  assert.deepEqual(Object.keys(partOf(prompt, ["8", "nowhere"])), ["1", "8"]);
  assert.equal(partOf(prompt, undefined), prompt);
  assert.equal(partOf(prompt, []), prompt);
});

test("a job that was taken looks like ComfyUI's answer", () => {
  assert.deepEqual(accepted(queued()), { prompt_id: "job-1", number: 30.5 * 86400_000, node_errors: {} });
});

test("a refusal has all that the page's dialog reads", () => {
  const node_errors = { 9: { class_type: "SaveImage", errors: [], dependent_outputs: ["9"] } };
  const body = { error: { code: "node_errors", type: "prompt_outputs_failed_validation", message: "Prompt outputs failed validation", details: "d", extra_info: { a: 1 } }, node_errors };
  assert.deepEqual(refused(400, body), { error: { type: "prompt_outputs_failed_validation", message: "Prompt outputs failed validation", details: "d", extra_info: { a: 1 } }, node_errors });
  assert.deepEqual(refused(429, { error: { code: "too_many", message: "you have 50 jobs waiting", hint: "wait for some to end" } }), {
    error: { type: "too_many", message: "you have 50 jobs waiting", details: "wait for some to end", extra_info: {} }, node_errors: {},
  });
  assert.equal(refused(418, undefined).error.message, "the queue manager answered 418");
});
