// Feeds the page with its own events about the user's jobs.
import { isOpen } from "./board.js";
import { follow, progressState } from "./story.js";

/** How long an end that the manager may answer with another attempt waits (milliseconds). */
const SECOND_THOUGHT = 3000;
const NIL_ID = "00000000-0000-0000-0000-000000000000";

export class Feed {
  /**
   * @param {{dispatch: (type: string, detail: any) => void, workflowID: () => string | undefined, watched: object}} parts
   *   watched remembers the jobs whose end this browser wants to see
   */
  constructor(parts, { later = (f, ms) => setTimeout(f, ms) } = {}) {
    Object.assign(this, parts, { later, told: new Map(), shelf: [] });
  }

  /** Tells what is new of a job. old says that the page learns of it only now, after a reload. */
  tell(job, { old = false } = {}) {
    if (old && !isOpen(job) && !this.watched.has(job.id)) {
      this.told.set(job.id, follow(job).told);
      return;
    }
    if (isOpen(job) && !this.told.has(job.id)) this.watched.add(job.id);
    if (!old && mayReturn(job) && !this.told.get(job.id)?.doubted) return this.#doubt(job);
    const { events, told } = follow(job, this.told.get(job.id));
    this.told.set(job.id, told);
    for (const e of events) {
      // A dialog about what broke while nobody looked would only be in the way; the banner says it.
      if (!(old && e.type === "execution_error")) this.#send(e, job);
    }
    if (!isOpen(job) && !this.shelf.some((s) => s.job.id === job.id)) this.watched.remove(job.id);
  }

  /** Waits a little: the manager may begin another attempt at once. */
  #doubt(job) {
    const told = this.told.get(job.id) ?? {};
    this.told.set(job.id, { ...told, doubted: true });
    this.later(() => {
      this.tell(this.latest?.(job.id) ?? job);
      const now = this.told.get(job.id);
      if (now) delete now.doubted;
    }, SECOND_THOUGHT);
  }

  /** Pictures belong into the workflow that they were made with: others wait until it is open. */
  #send(event, job) {
    if (event.type === "executed" && !this.#fits(job)) {
      this.shelf = [...this.shelf.filter((s) => s.job.id !== job.id || s.event.detail.node !== event.detail.node), { event, job }].slice(-200);
      return;
    }
    this.dispatch(event.type, event.detail);
  }

  #fits(job) {
    const made = job.metadata?.comfy?.workflow_id;
    const shown = this.workflowID();
    return !made || !shown || made === NIL_ID || shown === NIL_ID || made === shown;
  }

  /** A workflow was opened: shows what waited for it. */
  opened() {
    const ready = this.shelf.filter((s) => this.#fits(s.job));
    this.shelf = this.shelf.filter((s) => !this.#fits(s.job));
    for (const { event, job } of ready) {
      this.dispatch(event.type, event.detail);
      if (!this.shelf.some((s) => s.job.id === job.id)) this.watched.remove(job.id);
    }
  }

  /** After the end of one run, the page shall show the other that still runs. */
  resume(job) {
    this.dispatch("execution_start", { prompt_id: job.id, timestamp: Date.parse(job.started_at) });
    this.dispatch("progress_state", progressState(job));
  }
}

/** An end that another attempt may follow. */
function mayReturn(job) {
  return ["failed", "lost"].includes(job.state) && job.error_detail?.transient && job.want !== "cancel";
}
