// One press of Queue: to the manager, or to the page's own ComfyUI.
import { Away, Refusal } from "./manager.js";
import { accepted, jobRequest, refused } from "./submission.js";

/**
 * The page's own queuePrompt builds the body and throws the page's own error,
 * in every version; only its call is answered by us.
 *
 * @param {object} api of the page  @param {Function} original its queuePrompt
 * @param {(options: object) => Promise<Response>} post
 */
export function redirected(api, original, post) {
  return function queuePrompt(...args) {
    const stand = Object.create(api, {
      fetchApi: { value: (route, options) => (isPrompt(route, options) ? post(options) : api.fetchApi(route, options)) },
    });
    return original.apply(stand, args);
  };
}

export const isPrompt = (route, options) => route.split("?")[0] === "/prompt" && options?.method?.toUpperCase() === "POST";

export class Press {
  /**
   * @param {{manager: object, user: string, name: () => string, taken: (job: object, request: object) => void,
   *   instead: () => ((options: object) => Promise<Response>) | undefined, refused?: (e: Refusal) => object}} parts
   *   instead: what to do while the manager is away; undefined to refuse
   *   refused: what the manager's answer means to the person who pressed
   */
  constructor(parts) {
    Object.assign(this, { refused: (e) => e.body }, parts);
  }

  /** Answers the page's POST /prompt as ComfyUI would. */
  async post(options) {
    const request = jobRequest(JSON.parse(options.body), { user: this.user, name: this.name() });
    try {
      const job = await this.manager.submit(request, newKey());
      this.taken(job, request);
      return json(200, accepted(job));
    } catch (e) {
      if (e instanceof Refusal) return json(400, refused(e.status, this.refused(e)));
      if (!(e instanceof Away)) throw e;
      const local = this.instead();
      return local ? local(options) : json(400, refused(503, AWAY));
    }
  }
}

const AWAY = {
  error: {
    code: "queue_manager_away", message: "The queue manager does not answer",
    hint: "jobs that it has taken go on. Press Queue again in a minute, or let this page run on its own meanwhile: Settings, Queue manager, Fallback.",
  },
};

const json = (status, value) => new Response(JSON.stringify(value), { status, headers: { "Content-Type": "application/json" } });

/** A key of its own for each press. randomUUID is missing in pages without TLS. */
export function newKey(crypto = globalThis.crypto) {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
