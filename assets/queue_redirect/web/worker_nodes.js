// The workers' nodes and models in this page, whose own ComfyUI needs neither:
// what the page asks its ComfyUI about them is answered from both.
import { Manager } from "./manager.js";

const PATIENCE = 10_000; // milliseconds; the page does not open before it has its nodes

export class WorkerNodes {
  /**
   * @param {{base: string, user: string}} place
   * @param {{local: (route: string, options?: object) => Promise<Response>, missing: (error?: Error) => void}} parts
   *   local asks the page's own ComfyUI; missing hears that the page has only its own nodes
   */
  constructor(place, { local, missing }, { fetch = globalThis.fetch.bind(globalThis), timeout = PATIENCE } = {}) {
    Object.assign(this, { local, missing, path: `/comfy/${encodeURIComponent(place.user)}` });
    // The browser keeps the list, which is long, and asks whether it is still good.
    this.manager = new Manager(place, { timeout, fetch: async (url, init) => this.#seen(await fetch(url, { ...init, cache: "no-cache" })) });
  }

  /** @returns {(() => Promise<Response>) | undefined} undefined for what is the page's own business */
  match(route, options = {}) {
    if ((options.method ?? "GET").toUpperCase() !== "GET") return undefined;
    const path = new URL(route, "http://page").pathname;
    const merge = MERGED.find(([pattern]) => pattern.test(path))?.[1];
    return merge && (() => this.#answer(path, route, options, merge));
  }

  async #answer(path, route, options, merge) {
    const [own, workers] = await Promise.all([this.local(route, options).catch((cause) => cause), this.#ask(path)]);
    if (own instanceof Error && !workers) throw own;
    if (!workers) return own;
    const mine = own instanceof Response && own.ok ? await own.json() : undefined;
    return new Response(JSON.stringify(merge(mine, workers)), { headers: { "Content-Type": "application/json" } });
  }

  /** The workers' answer; undefined when there is none, or nothing in it. */
  async #ask(path) {
    const first = path === "/object_info";
    try {
      const said = await this.manager.call("GET", this.path + path);
      const empty = !said || Object.keys(said).length === 0;
      if (first && empty) this.missing();
      if (first && !empty) console.info(`queue_redirect: ${Object.keys(said).length} nodes of ${this.deployment ?? "the workers"}, as they listed them at ${this.at ?? "a time that is not known"}`);
      return empty ? undefined : said;
    } catch (e) {
      if (first) this.missing(e);
      return undefined;
    }
  }

  #seen(answer) {
    this.deployment = answer.headers?.get("X-Qmtui-Deployment") ?? undefined;
    this.at = answer.headers?.get("Last-Modified") ?? undefined;
    return answer;
  }
}

/** What the page asks, and how the two answers become one. */
const MERGED = [
  [/^\/object_info(\/[^/]+)?$/, mergeNodes],
  [/^\/models(\/[^/]+)?$/, (own, workers) => union(own, workers, (x) => x)],
  [/^\/experiment\/models(\/[^/]+)?$/, (own, workers) => union(own, workers, (x) => x.name)],
];

function union(own, workers, key) {
  const mine = Array.isArray(own) ? own : [];
  const known = new Set(mine.map(key));
  return [...mine, ...workers.filter((x) => !known.has(key(x)))];
}

/**
 * Nodes as the workers have them, since they render; those that only the page
 * has beside them. Files are chosen from the page's own folders: uploads go
 * there, and the manager carries them to the workers.
 */
export function mergeNodes(own = {}, workers) {
  const all = { ...own };
  for (const [name, node] of Object.entries(workers)) all[name] = own[name] ? withOwnFiles(node, own[name]) : node;
  return all;
}

function withOwnFiles(node, own) {
  const input = { ...node?.input };
  for (const group of ["required", "optional"]) {
    for (const [name, spec] of Object.entries(input[group] ?? {})) {
      const mine = own?.input?.[group]?.[name];
      if (choosesFile(spec) && choosesFile(mine)) input[group] = { ...input[group], [name]: mine };
    }
  }
  return { ...node, input };
}

const choosesFile = (spec) => Array.isArray(spec) && Object.entries(spec[1] ?? {}).some(([option, on]) => option.endsWith("_upload") && on === true);
