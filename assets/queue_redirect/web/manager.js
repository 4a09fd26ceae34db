// The manager's HTTP API, as far as a page needs it.
import { backoff } from "./backoff.js";

/** Nobody answers at the manager's address, or only a proxy in front of it. */
export class Away extends Error {}

/** The manager said no; body is its answer. */
export class Refusal extends Error {
  constructor(status, body) {
    super(body?.detail || body?.error?.message || `the queue manager answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

export class Manager {
  /** @param {{base: string, user: string}} place */
  constructor({ base, user }, { fetch = globalThis.fetch.bind(globalThis), timeout = 20_000, pause = sleep } = {}) {
    Object.assign(this, { base, user, fetch, timeout, pause });
  }

  /** Submits; asks again with the same key when no answer came, which cannot make two jobs. */
  async submit(request, key, tries = 4) {
    for (let n = 0; ; n++) {
      try {
        return await this.call("POST", "/api/jobs", { body: request, headers: { "Idempotency-Key": key } });
      } catch (e) {
        if (!(e instanceof Away) || n + 1 >= tries) throw e;
        await this.pause(backoff(n));
      }
    }
  }

  jobs(limit) {
    return this.call("GET", `/api/jobs?user_id=${encodeURIComponent(this.user)}&limit=${limit}`);
  }

  job(id) {
    return this.call("GET", `/api/jobs/${encodeURIComponent(id)}`);
  }

  /** @returns {Promise<{workflow: object, extra_data?: object}>} what was submitted */
  bodies(id) {
    return this.call("GET", `/api/jobs/${encodeURIComponent(id)}/workflow?extra_data=true`);
  }

  cancel(id) {
    return this.call("DELETE", `/api/jobs/${encodeURIComponent(id)}`);
  }

  /** Where this browser can log out; "" where it has not logged in with the manager. */
  async logout() {
    const href = `${this.base}/auth/logout`;
    try {
      const answer = await this.fetch(href, { credentials: "include", cache: "no-store", signal: AbortSignal.timeout(this.timeout) });
      return answer.ok && (await answer.text()).includes('action="logout"') ? href : "";
    } catch {
      return "";
    }
  }

  tell(log) {
    return this.call("POST", "/api/console-logs", { body: log, keepalive: true });
  }

  async call(method, path, { body, headers = {}, keepalive = false } = {}) {
    const init = { method, headers, keepalive, credentials: "include", cache: "no-store", signal: AbortSignal.timeout(this.timeout) };
    if (body !== undefined) {
      init.headers = { ...headers, "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    let answer, said;
    try {
      answer = await this.fetch(this.base + path, init);
      said = await read(answer);
    } catch (cause) {
      throw new Away("the queue manager does not answer", { cause });
    }
    if (answer.ok && said !== undefined) return said;
    // An answer in another form is not the manager's: a proxy speaks for nobody.
    if (said === undefined && (answer.ok || answer.status >= 500)) throw new Away(`the queue manager does not answer (${answer.status})`);
    throw new Refusal(answer.status, said);
  }
}

/** The body; null when there is none, undefined when it is not JSON. */
async function read(answer) {
  const text = await answer.text();
  if (text === "") return answer.ok ? null : undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
