// The interface of ComfyUI_frontend's api, as far as extensions meet it
// (src/scripts/api.ts, 1.35.9).
export class PromptExecutionError extends Error {
  constructor(response) {
    super("Prompt execution failed");
    this.response = response;
  }
}

class ComfyApi extends EventTarget {
  #registered = new Set();
  api_base = location.pathname.split("/").slice(0, -1).join("/");
  clientId = "page-client";
  authToken = "the-page's-own-secret";

  apiURL(route) {
    return this.api_base + "/api" + route;
  }
  fetchApi(route, options) {
    return fetch(this.apiURL(route), { cache: "no-cache", ...options });
  }
  addEventListener(type, ...rest) {
    super.addEventListener(type, ...rest);
    this.#registered.add(type);
  }
  dispatchCustomEvent(type, detail) {
    return super.dispatchEvent(detail === undefined ? new CustomEvent(type) : new CustomEvent(type, { detail }));
  }
  async queuePrompt(number, { output: prompt, workflow }, options) {
    const body = {
      client_id: this.clientId, prompt, ...(options?.partialExecutionTargets && { partial_execution_targets: options.partialExecutionTargets }),
      extra_data: { auth_token_comfy_org: this.authToken, extra_pnginfo: { workflow } },
    };
    if (number === -1) body.front = true;
    else if (number !== 0) body.number = number;
    const res = await this.fetchApi("/prompt", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (res.status !== 200) throw new PromptExecutionError(await res.json());
    return res.json();
  }
  async getNodeDefs() {
    return (await this.fetchApi("/object_info", { cache: "no-store" })).json();
  }
  async getQueue() {
    const data = await (await this.fetchApi("/queue")).json();
    return { Running: data.queue_running.map((prompt) => ({ prompt })), Pending: data.queue_pending.map((prompt) => ({ prompt })) };
  }
  async getHistory(most = 200) {
    return { History: Object.values(await (await this.fetchApi(`/history?max_items=${most}`)).json()) };
  }
  async #postItem(type, body) {
    await this.fetchApi("/" + type, { method: "POST", headers: { "Content-Type": "application/json" }, body: body ? JSON.stringify(body) : undefined });
  }
  deleteItem(type, id) {
    return this.#postItem(type, { delete: [id] });
  }
  clearItems(type) {
    return this.#postItem(type, { clear: true });
  }
  interrupt(id) {
    return this.#postItem("interrupt", id ? { prompt_id: id } : undefined);
  }
}

export const api = new ComfyApi();
