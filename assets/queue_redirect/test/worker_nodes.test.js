import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeNodes, WorkerNodes } from "../web/worker_nodes.js";

const json = (v, status = 200, headers = {}) => new Response(JSON.stringify(v), { status, headers });

/** A page's own ComfyUI and the manager, each with what it answers by path. */
function scene({ own = {}, manager = {} }) {
  const asked = [], missing = [];
  const nodes = new WorkerNodes({ base: "https://site/q", user: "user001" }, {
    local: async (route) => (route in own ? json(own[route]) : new Response("", { status: 404 })),
    missing: (e) => missing.push(e?.message ?? "nothing known"),
  }, {
    fetch: async (url, init) => {
      asked.push([url.replace("https://site/q/comfy/user001", ""), init.cache, init.credentials]);
      if (manager instanceof Error) throw manager;
      const path = url.replace("https://site/q/comfy/user001", "");
      return path in manager ? json(manager[path]) : json({ error: { message: "no" } }, 403);
    },
  });
  const ask = async (route, options) => {
    const answer = nodes.match(route, options);
    return answer && (await answer()).json();
  };
  return { ask, asked, missing };
}

test("the workers' nodes and models stand beside the page's own", async () => {
  const { ask, asked, missing } = scene({
    own: {
      "/object_info": { Mine: {}, Loader: { input: { required: { ckpt: [[], {}] } } }, LoadImage: { input: { required: { image: [["own.png"], { image_upload: true }] } } } },
      "/experiment/models": [{ name: "checkpoints", folders: ["/c"] }],
      "/experiment/models/checkpoints": [{ name: "both.ckpt", size: 3 }],
      "/models/loras": ["own.safetensors"],
    },
    manager: {
      "/object_info": { Theirs: { input: {} }, Loader: { input: { required: { ckpt: [["sd15.safetensors"], {}] } } }, LoadImage: { input: { required: { image: [[], { image_upload: true }], x: ["INT", {}] } } } },
      "/experiment/models": [{ name: "checkpoints", folders: [] }, { name: "loras", folders: [] }],
      "/experiment/models/checkpoints": [{ name: "both.ckpt" }, { name: "sd15.safetensors" }],
      "/models/loras": ["own.safetensors", "theirs.safetensors"],
      "/object_info/Theirs": { Theirs: { input: {} } },
    },
  });
  assert.deepEqual(await ask("/object_info", { cache: "no-store" }), {
    Mine: {}, Theirs: { input: {} }, Loader: { input: { required: { ckpt: [["sd15.safetensors"], {}] } } },
    LoadImage: { input: { required: { image: [["own.png"], { image_upload: true }], x: ["INT", {}] } } },
  });
  assert.deepEqual(await ask("/experiment/models"), [{ name: "checkpoints", folders: ["/c"] }, { name: "loras", folders: [] }]);
  assert.deepEqual(await ask("/experiment/models/checkpoints"), [{ name: "both.ckpt", size: 3 }, { name: "sd15.safetensors" }]);
  assert.deepEqual(await ask("/models/loras"), ["own.safetensors", "theirs.safetensors"]);
  assert.deepEqual(await ask("/object_info/Theirs"), { Theirs: { input: {} } }); // the page's own says 404
  assert.deepEqual(asked[0], ["/object_info", "no-cache", "include"]);
  assert.deepEqual(missing, []);
});

test("without the manager the page has its own, and is told", async () => {
  const own = { "/object_info": { Mine: {} }, "/models": ["loras"] };
  for (const [manager, why] of [[new Error("away"), "the queue manager does not answer"], [{}, "no"], [{ "/object_info": {} }, "nothing known"]]) {
    const { ask, missing } = scene({ own, manager });
    assert.deepEqual(await ask("/object_info"), { Mine: {} });
    assert.deepEqual(await ask("/models"), ["loras"]);
    assert.deepEqual(missing, [why]); // once, for the list of nodes
  }
});

test("everything else is the page's own business", async () => {
  const { ask, asked } = scene({});
  for (const [route, method] of [["/object_info", "POST"], ["/experiment/models/preview/loras/0/a.safetensors"], ["/view?filename=a"], ["/models/a/b"], ["/embeddings"], ["/prompt", "POST"]]) {
    assert.equal(await ask(route, { method }), undefined, route);
  }
  assert.deepEqual(asked, []);
});

test("odd nodes do no harm", () => {
  const workers = { A: null, B: { input: { required: null } }, C: { input: { required: { f: [["x"], { image_upload: true }] } } } };
  const merged = mergeNodes({ A: { input: {} }, B: 5, C: { input: { required: { f: ["STRING", {}] } } } }, workers);
  assert.deepEqual(merged.C, workers.C); // the page's is no choice of files
  assert.deepEqual(mergeNodes(undefined, workers).C, workers.C);
});
