import assert from "node:assert/strict";
import { test } from "node:test";
import { Away, Refusal } from "../web/manager.js";
import { newKey, Press, redirected } from "../web/press.js";
import { queued } from "./jobs.js";

class PageError extends Error {
  constructor(response) {
    super("Prompt execution failed");
    this.response = response;
  }
}

/** The page's api, as ComfyUI_frontend 1.35 has it. */
class Api {
  clientId = "c1";
  calls = [];
  async fetchApi(route, options) {
    this.calls.push([route, options?.method]);
    return new Response(JSON.stringify({ prompt_id: "own", number: 1, node_errors: {} }));
  }
  async queuePrompt(number, { output, workflow }, options) {
    const body = { client_id: this.clientId, prompt: output, extra_data: { extra_pnginfo: { workflow } } };
    if (options?.partialExecutionTargets) body.partial_execution_targets = options.partialExecutionTargets;
    if (number === -1) body.front = true;
    const res = await this.fetchApi("/prompt", { method: "POST", body: JSON.stringify(body) });
    if (res.status !== 200) throw new PageError(await res.json());
    return res.json();
  }
}

const prompt = { 1: { class_type: "EmptyImage", inputs: {} }, 9: { class_type: "SaveImage", inputs: { images: ["1", 0] } } };

function page({ submit, instead = () => undefined }) {
  const api = new Api();
  const requests = [];
  const press = new Press({
    manager: { submit: async (request, key) => (requests.push({ request, key }), submit()) }, user: "user001", name: () => "sunset", taken: () => {}, instead: () => instead(api),
  });
  return { api, requests, queue: redirected(api, api.queuePrompt, (o) => press.post(o)) };
}

test("the page's own method posts to the manager, each press under its own key", async () => {
  const { api, requests, queue } = page({ submit: () => queued() });
  assert.equal((await queue(0, { output: prompt, workflow: { id: "w1" } })).prompt_id, "job-1");
  await queue(-1, { output: prompt, workflow: {} }, { partialExecutionTargets: ["1"] });
  assert.deepEqual(api.calls, []);
  assert.deepEqual(requests[0].request.extra_data.extra_pnginfo.workflow, { id: "w1" });
  assert.deepEqual([requests[1].request.priority, Object.keys(requests[1].request.workflow)], [1, ["1"]]);
  assert.notEqual(requests[0].key, requests[1].key);
});

test("a refusal is the page's own error, with the nodes named", async () => {
  const node_errors = { 9: { class_type: "SaveImage", errors: [{ message: "m", details: "d" }], dependent_outputs: [] } };
  const { queue } = page({ submit: () => { throw new Refusal(400, { error: { message: "bad prompt", hint: "mend it" }, node_errors }); } });
  await assert.rejects(queue(0, { output: prompt }), (e) => e instanceof PageError && e.response.error.message === "bad prompt" && e.response.node_errors[9].class_type === "SaveImage");
});

test("without the manager it is refused in plain words, or runs on the page's own, by switch", async () => {
  const away = () => { throw new Away("nobody"); };
  await assert.rejects(page({ submit: away }).queue(0, { output: prompt }), (e) => e instanceof PageError && /does not answer/.test(e.response.error.message));
  const { api, queue } = page({ submit: away, instead: (api) => (options) => api.fetchApi("/prompt", options) });
  assert.equal((await queue(0, { output: prompt })).prompt_id, "own");
  assert.deepEqual(api.calls, [["/prompt", "POST"]]);
});

test("keys exist in pages without TLS too", () => {
  const bare = { getRandomValues: (a) => a.fill(7) };
  assert.equal(newKey(bare), "07".repeat(16));
  assert.match(newKey(), /^[0-9a-f-]{36}$/);
});
