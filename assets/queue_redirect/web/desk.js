// Joins the parts: one user's jobs, the line to the manager, and the page.
import { Banner } from "./banner.js";
import { Board, isOpen } from "./board.js";
import { Bodies } from "./bodies.js";
import { Feed } from "./feed.js";
import { Line } from "./line.js";
import { Login } from "./login.js";
import { Manager, Refusal } from "./manager.js";
import { Memory } from "./memory.js";
import { isPrompt, Press, redirected } from "./press.js";
import { Remaining } from "./remaining.js";
import { Routes } from "./routes.js";
import { setting } from "./settings.js";
import { toast } from "./toast.js";

const CATCH_UP = 64; // jobs, as many as pages list
const PATIENCE = 4000; // milliseconds without the manager before the banner says so

export class Desk {
  /** @param {object} app  @param {object} api  both of the page  @param {{base: string, user: string, socket: string}} place */
  constructor(app, api, place) {
    Object.assign(this, { app, api, place, user: place.user, local: api.fetchApi.bind(api) });
    this.manager = new Manager(place);
    this.board = new Board(place.user);
    this.bodies = new Bodies((id) => this.manager.bodies(id));
    this.remaining = new Remaining(api, this.#dispatch, () => this.board.open().length);
    this.feed = new Feed({ dispatch: this.#dispatch, workflowID: () => (app.rootGraph ?? app.graph)?.id, watched: memory("watched", place) });
    this.feed.latest = (id) => this.board.get(id);
    const cancel = (id) => this.cancel(id);
    this.banner = new Banner(document, {
      jobs: () => [...this.board.jobs.values()], workflow: (id) => this.bodies.get(id)?.workflow, user: this.user, cancel,
      wanted: () => setting(app, "qmtui.Banner"),
    });
    this.login = new Login(place, { say: (...a) => this.banner.trouble(...a), look: () => this.#look() });
    this.routes = new Routes({ board: this.board, bodies: this.bodies, hidden: memory("hidden", place), cancel, local: this.local });
    this.press = new Press({
      manager: this.manager, user: place.user, name: () => this.#workflowName(),
      taken: (...a) => this.#taken(...a), instead: () => this.#instead(), refused: (e) => (this.login.lost(e, true) ? this.login.refusal(e) : e.body),
    });
    this.line = new Line(place.socket, { prepare: () => this.#catchUp(), frame: (f) => this.#frame(f), state: (...a) => this.#lineState(...a) });
  }

  /** Stands between the page and its own ComfyUI. */
  takeOver() {
    const { api } = this;
    const post = (options) => this.press.post(options);
    const original = api.queuePrompt;
    const ours = redirected(api, original, post);
    api.queuePrompt = (...args) => (this.#enabled() ? ours(...args) : original.apply(api, args));
    api.fetchApi = (route, options) => {
      if (this.#enabled() && isPrompt(route, options)) return post(options); // somebody who does without queuePrompt
      const answer = this.routes.match(route, options);
      return answer ? answer() : this.local(route, options);
    };
  }

  /** Begins to listen, once the graph is there to show things in. */
  open() {
    if (this.begun) return;
    this.begun = true;
    this.line.open();
    const hurry = () => document.visibilityState === "visible" && this.#look();
    window.addEventListener("online", hurry);
    window.addEventListener("focus", hurry);
    document.addEventListener("visibilitychange", hurry);
  }

  #enabled = () => setting(this.app, "qmtui.Enabled");

  #dispatch = (type, detail) => this.api.dispatchCustomEvent(type, detail);

  /** What happened while nobody listened; returns what the line asks for next. */
  async #catchUp() {
    const jobs = await this.manager.jobs(CATCH_UP);
    const first = !this.synced;
    this.synced = true;
    this.#knownAgain();
    for (const j of this.board.putAll(jobs.reverse())) this.#changed(j, { old: first });
    const listed = new Set(jobs.map((j) => j.id));
    const awaited = [...this.board.open().map((j) => j.id), ...(first ? this.feed.watched.all() : [])];
    await Promise.all([...new Set(awaited)].filter((id) => !listed.has(id)).map((id) => this.#recheck(id, first)));
    this.banner.draw();
    this.bodies.want(this.board.open().map((j) => j.id)).then(() => this.banner.draw()); // for their labels
    if (first) this.manager.logout().then((href) => this.banner.logOutAt(href));
    const query = new URLSearchParams({ user_id: this.user });
    if (this.board.rev) query.set("since", this.board.rev);
    return query;
  }

  /** A job whose end we wait for and that the list does not have: far back, or gone. */
  async #recheck(id, old) {
    try {
      const job = await this.manager.job(id);
      if (this.board.put(job)) this.#changed(job, { old });
    } catch (e) {
      if (!(e instanceof Refusal) || ![403, 404].includes(e.status)) return;
      this.board.jobs.delete(id);
      this.feed.watched.remove(id);
    }
  }

  #frame(frame) {
    for (const job of this.board.hear(frame)) this.#changed(job);
    this.banner.draw();
  }

  #taken(job, request) {
    this.#knownAgain();
    this.bodies.put(job.id, { workflow: request.workflow, extra_data: request.extra_data });
    if (this.board.put(job)) this.#changed(job);
    this.banner.draw();
    this.line.hurry();
  }

  #changed(job, { old = false } = {}) {
    const shown = !old || isOpen(job) || this.feed.watched.has(job.id);
    const ran = this.states?.get(job.id);
    (this.states ??= new Map()).set(job.id, job.state);
    this.feed.tell(job, { old });
    if (shown) this.banner.heard(job);
    if (ran !== job.state) this.remaining.changed();
    const other = ran && ran !== job.state && !isOpen(job) && this.board.open().find((j) => j.started_at);
    if (other) this.feed.resume(other);
  }

  #lineState(up, error) {
    if (up) return this.#calm();
    if (error instanceof Refusal) {
      this.#answered();
      return this.login.lost(error) || this.banner.trouble(`${capital(error.message)}.`);
    }
    this.alarm ??= setTimeout(() => this.board.open().length && this.banner.trouble("The queue manager does not answer. Your jobs go on; this page keeps trying."), PATIENCE);
  }

  /** Tries the manager again. A line that was opened before the login ended may still stand, and proves nothing. */
  #look() {
    if (!this.line.socket) return this.line.hurry();
    if (this.login.missing) this.manager.jobs(1).then(() => this.#knownAgain(), () => {}); // the note stays
  }

  /** The manager has answered a call of this user's. */
  #knownAgain() {
    if (this.login.missing) this.#calm();
  }

  #answered() {
    clearTimeout(this.alarm);
    this.alarm = undefined;
  }

  #calm() {
    this.#answered();
    this.login.back();
    this.banner.trouble("");
  }

  /** Cancels a job of the manager's; says so when that cannot be done. */
  async cancel(id) {
    try {
      await this.manager.cancel(id);
      this.#knownAgain();
      const job = this.board.get(id);
      if (job && isOpen(job)) this.board.jobs.set(id, { ...job, want: "cancel" });
    } catch (e) {
      if (this.login.lost(e, true)) return;
      if (e instanceof Refusal && e.status === 409) toast(this.app, "info", "Too late to cancel", "This job has ended already.");
      else toast(this.app, "error", "Not cancelled", `${capital(e.message)}. Try again in a moment.`);
    }
    this.banner.draw();
    this.remaining.changed();
  }

  #instead() {
    if (!setting(this.app, "qmtui.Fallback")) return undefined;
    toast(this.app, "warn", "Queue manager away", "It does not answer, so this runs on your page's own ComfyUI. Prompts go to the queue manager again once it is back.", 15_000);
    return (options) => this.local("/prompt", options);
  }

  #workflowName() {
    const name = this.app.extensionManager?.workflow?.activeWorkflow?.filename;
    return typeof name === "string" ? name.replace(/\p{Cc}/gu, "").slice(0, 200) : "";
  }
}

const memory = (what, { base, user }) => new Memory(window.localStorage, `qmtui.${what}.${user}@${base}`);
const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);
