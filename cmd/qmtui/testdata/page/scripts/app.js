// The interface of ComfyUI_frontend's app, as far as extensions meet it: it
// queues one prompt after another with a new seed each, marks nodes that
// execute, and shows the pictures that they are said to have made.
import { api } from "./api.js";

const types = ["execution_start", "execution_cached", "executing", "progress", "progress_state", "executed", "execution_success", "execution_error", "execution_interrupted", "status"];

class ComfyApp {
  extensions = [];
  graph = { id: "11111111-2222-4333-8444-555555555555" };
  seed = Number(sessionStorage.getItem("seed") ?? 1); // kept over a reload, as the graph is
  lastNodeErrors = null;
  seen = []; // events, for the test
  toasts = [];
  errors = []; // what the page's error dialog would show
  settings = {};
  extensionManager = {
    toast: { add: (t) => this.toasts.push(t) },
    setting: { get: (id) => this.settings[id] },
    workflow: { activeWorkflow: { filename: "sunset" } },
  };

  registerExtension(e) {
    this.extensions.push(e);
    for (const s of e.settings ?? []) this.settings[s.id] ??= s.defaultValue;
  }

  async start() {
    window.app = this;
    window.api = api;
    for (const t of types) api.addEventListener(t, (e) => this.seen.push(t === "executing" ? `executing:${e.detail}` : t));
    api.addEventListener("executed", ({ detail }) => this.#show(detail));
    api.addEventListener("status", async () => (this.queue = await api.getQueue()));
    for (const path of await (await api.fetchApi("/extensions")).json()) await import(api.api_base + path);
    for (const e of this.extensions) await e.init?.(this);
    this.defs = await api.getNodeDefs();
    for (const e of this.extensions) await e.setup?.(this);
    for (const e of this.extensions) await e.afterConfigureGraph?.([]);
    document.getElementById("queue").addEventListener("click", () => this.queuePrompt(0, 1));
    window.ready = true;
  }

  #show({ node, output }) {
    for (const { filename, subfolder, type } of output.images ?? []) {
      const img = document.createElement("img");
      img.dataset.node = node;
      img.alt = filename;
      img.src = api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
      document.getElementById("nodes").append(img);
    }
  }

  /** Everything that a real page's graphToPrompt makes of a small graph. */
  graphToPrompt() {
    const output = {
      1: { class_type: "EmptyImage", inputs: { width: 64, height: 48, batch_size: 1, color: this.seed } },
      9: { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: this.prefix ?? "sunset" } },
      10: { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "aside" } },
    };
    if (!this.two) delete output[10];
    return { output, workflow: { id: this.graph.id, nodes: [{ id: 9 }], seed: this.seed } };
  }

  async queuePrompt(number, batchCount = 1, targets) {
    const ids = [];
    for (let i = 0; i < batchCount; i++) {
      const p = this.graphToPrompt();
      try {
        const res = await api.queuePrompt(number, p, { partialExecutionTargets: targets });
        this.lastNodeErrors = res.node_errors;
        ids.push(res.prompt_id);
      } catch (e) {
        this.lastNodeErrors = e.response?.node_errors ?? null;
        this.errors.push({ kind: e.constructor.name, ...e.response?.error });
        break;
      }
      sessionStorage.setItem("seed", ++this.seed); // control_after_generate
    }
    return ids;
  }
}

export const app = new ComfyApp();
