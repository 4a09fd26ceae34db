import assert from "node:assert/strict";
import { test } from "node:test";
import { label, promptText } from "../web/label.js";
import { queued } from "./jobs.js";

const workflow = {
  1: { class_type: "CLIPTextEncode", inputs: { text: "blurry", clip: ["4", 1] } },
  2: { class_type: "CLIPTextEncode", inputs: { text: "a red fox\nin the snow, early morning light over the hills", clip: ["4", 1] } },
  5: { class_type: "FluxGuidance", inputs: { conditioning: ["2", 0] } },
  3: { class_type: "KSampler", inputs: { positive: ["5", 0], negative: ["1", 0] } },
};
const at = (h, m) => new Date(2026, 0, 31, h, m).toISOString();

test("a line begins with its number, the time and the first words of the prompt", () => {
  assert.equal(label(queued({ created_at: at(9, 5) }), 3, workflow), "3. 09:05 a red fox in the snow, early morning…");
});

test("without a text the output prefix, or else the workflow's name", () => {
  assert.equal(label(queued({ created_at: at(14, 3), name: "x" }), 1, { 1: { inputs: { text: ["2", 0] } } }), "1. 14:03 ComfyUI");
  assert.equal(label(queued({ created_at: at(14, 3), name: "x", expected_nodes: [] }), 1), "1. 14:03 x");
});

test("links that lead round in a circle, or nowhere, have no text", () => {
  assert.equal(promptText({ 1: { inputs: { positive: ["2", 0] } }, 2: { inputs: { positive: ["1", 0] } }, 3: null }), "");
  assert.equal(promptText({ 1: { inputs: { positive: ["9", 0] } } }), "");
});
