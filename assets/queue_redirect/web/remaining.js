// The count of what remains in the queue. The page's own ComfyUI tells its own
// count, which knows nothing of the manager's jobs: both are added up.

const PAUSE = 150; // milliseconds in which changes are told once

export class Remaining {
  /** @param {object} api of the page  @param {(type: string, detail: any) => void} dispatch  @param {() => number} count of the manager's */
  constructor(api, dispatch, count) {
    Object.assign(this, { dispatch, count, own: 0, told: new WeakSet() });
    api.addEventListener("status", (e) => this.#heard(e.detail));
  }

  #heard(detail) {
    if (!detail || this.told.has(detail)) return;
    this.own = detail.exec_info?.queue_remaining ?? 0;
    if (this.count()) queueMicrotask(() => this.tell());
  }

  /** Lets the page look at its queue anew, soon. */
  changed() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.tell();
    }, PAUSE);
  }

  tell() {
    const detail = { exec_info: { queue_remaining: this.own + this.count() } };
    this.told.add(detail);
    this.dispatch("status", detail);
  }
}
