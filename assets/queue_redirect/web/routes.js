// The page's own calls about queue, history and cancelling, answered from the
// manager's jobs. What the page's own ComfyUI has is shown beside them.
import { isOpen, isWaiting } from "./board.js";
import { history, inHistory, jobDetail, jobsPage, queue } from "./lists.js";

const EPOCH = Date.UTC(2026, 0, 1);

export class Routes {
  /**
   * @param {{board: object, bodies: object, hidden: object, cancel: (id: string) => Promise<void>, local: (route: string, options?: object) => Promise<Response>}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** @returns {(() => Promise<Response>) | undefined} undefined for what is the page's own business */
  match(route, options = {}) {
    const url = new URL(route, "http://page");
    const method = (options.method ?? "GET").toUpperCase();
    const [, head, id, verb, more] = url.pathname.split("/");
    const call = { url, options, id: id && decodeURIComponent(id), body: () => parse(options.body) };
    const to = more === undefined && this[`${method} ${head}${id ? "/id" : ""}${verb === undefined ? "" : "/" + verb}`];
    return to ? () => to.call(this, call) : undefined;
  }

  #visible() {
    const hidden = new Set(this.hidden.all());
    return this.board.ended().filter((j) => inHistory(j) && !hidden.has(j.id));
  }

  async "GET queue"({ url, options }) {
    const open = this.board.open();
    const [own] = await Promise.all([this.#own(url, options), this.bodies.want(open.map((j) => j.id))]);
    const ours = queue(open, this.bodies.get);
    return json({
      queue_running: [...ours.queue_running, ...(own.queue_running ?? []).map(dated)],
      queue_pending: [...ours.queue_pending, ...(own.queue_pending ?? []).map(dated)],
    });
  }

  async "GET history"({ url, options }) {
    const from = Number(url.searchParams.get("offset") ?? 0);
    const most = Number(url.searchParams.get("max_items") ?? 200);
    const jobs = this.#visible().slice(from, from + most);
    const [own] = await Promise.all([this.#own(url, options), this.bodies.want(jobs.map((j) => j.id))]);
    for (const e of Object.values(own)) if (Array.isArray(e.prompt)) e.prompt = dated(e.prompt);
    return json({ ...own, ...history(jobs, this.bodies.get) });
  }

  async "GET history/id"({ url, options, id }) {
    const job = this.board.get(id);
    if (!job) return this.local(url.pathname + url.search, options);
    await this.bodies.want([id]);
    return json(history([job], this.bodies.get));
  }

  async "GET jobs"({ url, options }) {
    const page = jobsPage([...this.board.open(), ...this.#visible()], url.searchParams);
    if (page.pagination.offset > 0) return json(page);
    const own = (await this.#own(url, options)).jobs ?? [];
    page.pagination.total += own.length;
    return json({ ...page, jobs: [...page.jobs, ...own] });
  }

  async "GET jobs/id"({ url, options, id }) {
    const job = this.board.get(id);
    if (!job) return this.local(url.pathname + url.search, options);
    await this.bodies.want([id]);
    return json(jobDetail(job, this.bodies.get(id)));
  }

  /** Without an id it means the run that is furthest; the page's own only when we have none. */
  async "POST interrupt"({ url, options, body }) {
    const id = body().prompt_id;
    const job = id ? this.board.get(id) : this.board.current();
    if (!job) return this.local(url.pathname + url.search, options);
    await this.cancel(job.id);
    return json({});
  }

  /** Newer pages' cancel of one job. */
  async "POST jobs/id/cancel"({ url, options, id }) {
    const job = this.board.get(id);
    if (!job) return this.local(url.pathname, options);
    if (isOpen(job)) await this.cancel(id);
    return json({ cancelled: isOpen(job) });
  }

  /** And of several: the address is /jobs/cancel. */
  async "POST jobs/id"({ url, options, id, body }) {
    const { job_ids: ids = [] } = body();
    if (id !== "cancel") return this.local(url.pathname, options);
    const ours = ids.filter((id) => this.board.get(id));
    const rest = ids.filter((id) => !ours.includes(id));
    const open = ours.filter((id) => isOpen(this.board.get(id)));
    await Promise.all(open.map((id) => this.cancel(id)));
    if (rest.length && !open.length) return this.local(url.pathname, { ...options, body: JSON.stringify({ job_ids: rest }) });
    if (rest.length) await this.local(url.pathname, { ...options, body: JSON.stringify({ job_ids: rest }) });
    return json({ cancelled: open.length > 0 });
  }

  async "POST queue"({ url, options, body }) {
    const { delete: ids = [], clear = false } = body();
    const ours = clear ? this.board.open().filter(isWaiting).map((j) => j.id) : ids.filter((id) => this.board.get(id));
    await Promise.all(ours.map((id) => this.cancel(id)));
    return this.#forward(url, options, clear, ids, ours);
  }

  /** The manager keeps its records; the page is spared the sight of them. */
  async "POST history"({ url, options, body }) {
    const { delete: ids = [], clear = false } = body();
    const ours = clear ? this.board.ended().map((j) => j.id) : ids.filter((id) => this.board.get(id));
    this.hidden.add(...ours);
    return this.#forward(url, options, clear, ids, ours);
  }

  /** Hands on what is not ours. */
  #forward(url, options, clear, ids, ours) {
    const rest = ids.filter((id) => !ours.includes(id));
    if (!clear && !rest.length) return json({});
    return this.local(url.pathname, { ...options, body: JSON.stringify(clear ? { clear: true } : { delete: rest }) });
  }

  /** The page's own ComfyUI's answer; {} when it has none. */
  async #own(url, options) {
    try {
      const answer = await this.local(url.pathname + url.search, options);
      return answer.ok ? await answer.json() : {};
    } catch {
      return {};
    }
  }
}

/** Local items get numbers that sort with ours, where their time is known. */
function dated(item) {
  const time = item[3]?.create_time;
  return typeof time === "number" ? [time - EPOCH, ...item.slice(1)] : item;
}

function parse(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

const json = (value) => new Response(JSON.stringify(value), { headers: { "Content-Type": "application/json" } });
