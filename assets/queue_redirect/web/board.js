// What this page knows of its user's jobs.

const OPEN = new Set(["queued", "submitting", "accepted", "running", "rendered"]);

export const isOpen = (job) => OPEN.has(job.state);
/** No worker has begun it, as far as anybody knows. */
export const isWaiting = (job) => ["queued", "submitting", "accepted"].includes(job.state);

/** Aspects of a job that frames tell on their own. */
const ASPECTS = ["phase_text", "position_in_queue", "estimated_wait_time"];

export class Board {
  /** @param {string} user whose jobs these are; others' are not taken, whoever sends them */
  constructor(user, { most = 300 } = {}) {
    Object.assign(this, { user, most, jobs: new Map(), rev: 0 });
  }

  /** Takes in a list of jobs as they are now; returns those of which something is news. */
  putAll(jobs) {
    const before = this.rev;
    return jobs.filter((j) => {
      const ofBefore = !this.jobs.has(j.id) && !isOpen(j) && j.rev <= before;
      return this.put(j) && !ofBefore;
    });
  }

  /** Takes in a frame of /ws; returns the jobs that it changed. */
  hear({ type, data }) {
    switch (type) {
      case "snapshot": {
        const news = this.putAll(data.jobs ?? []);
        this.rev = Math.max(this.rev, data.rev ?? 0);
        return news;
      }
      case "job_created":
      case "job_updated":
      case "job_deleted":
        return this.put(data) ? [data] : [];
      case "position":
      case "estimate":
      case "cold_start":
      case "progress":
        return this.#patch(data);
    }
    return [];
  }

  /** Takes in a job; false when it is somebody else's, older than what is known, or an end that is known. */
  put(job) {
    const known = this.jobs.get(job?.id);
    if (job?.user_id !== this.user || (known && (job.rev < known.rev || (job.rev === known.rev && !isOpen(known))))) return false;
    this.jobs.set(job.id, job);
    this.rev = Math.max(this.rev, job.rev ?? 0);
    this.#forget();
    return true;
  }

  #patch(data) {
    const known = this.jobs.get(data.id);
    if (!known || !isOpen(known)) return [];
    const news = ASPECTS.filter((k) => k in data && !(k === "phase_text" && !data[k]));
    const job = { ...known, ...Object.fromEntries(news.map((k) => [k, data[k]])) };
    this.jobs.set(job.id, job);
    return [job];
  }

  #forget() {
    if (this.jobs.size <= this.most) return;
    const old = this.ended().slice(Math.floor(this.most / 2));
    for (const j of old) this.jobs.delete(j.id);
  }

  get(id) {
    return this.jobs.get(id);
  }

  /** Jobs that have not ended, oldest first. */
  open() {
    return [...this.jobs.values()].filter(isOpen).sort((a, b) => byTime(a.created_at, b.created_at));
  }

  /** Jobs that have ended, the last to end first. */
  ended() {
    return [...this.jobs.values()].filter((j) => !isOpen(j)).sort((a, b) => byTime(b.completed_at, a.completed_at));
  }

  /** The job that "cancel the current run" means: the one that is furthest. */
  current() {
    const rank = ["rendered", "running", "accepted", "submitting", "queued"];
    return this.open().sort((a, b) => rank.indexOf(a.state) - rank.indexOf(b.state))[0];
  }
}

const byTime = (a, b) => Date.parse(a ?? 0) - Date.parse(b ?? 0);
