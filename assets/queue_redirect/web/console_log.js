// What goes wrong in the browser, for the manager's log: errors and rejected
// promises, bounded, without secrets.
import { scrub } from "./scrub.js";

const EVERY = 10_000; // milliseconds between two messages to the manager
const MOST = 20; // entries in one message
const BYTES = 60_000; // of one message; the manager takes 64 KiB
const TOTAL = 500; // entries of one page; a page that only fails must not fill a log

export class ConsoleLog {
  /** @param {(log: object) => Promise<unknown>} send  @param {object} about the page: user, versions */
  constructor(send, about, { now = () => new Date(), later = (f, ms) => setTimeout(f, ms) } = {}) {
    Object.assign(this, { send, about, now, later, entries: [], taken: 0, dropped: 0, due: false });
  }

  /** Listens to a window and its console. */
  listen(window) {
    window.addEventListener("error", (e) => {
      if (e.error || e.message) this.note("error", e.message, e.error?.stack ?? `${e.filename}:${e.lineno}`);
    });
    window.addEventListener("unhandledrejection", (e) => this.note("rejection", e.reason?.message ?? e.reason, e.reason?.stack));
    const said = window.console.error;
    window.console.error = (...args) => {
      this.note("console.error", args.map(inWords).join(" "), args.find((a) => a?.stack)?.stack);
      said.apply(window.console, args);
    };
    window.addEventListener("pagehide", () => this.flush());
  }

  note(kind, message, stack = "") {
    const entry = { at: this.now().toISOString(), kind, message: scrub(message, 1000), stack: scrub(stack ?? "", 1500), count: 1 };
    const same = this.entries.find((e) => e.kind === kind && e.message === entry.message);
    if (same) {
      same.count++;
      return;
    }
    if (this.entries.length >= MOST || this.taken >= TOTAL) {
      this.dropped++;
      return;
    }
    this.taken++;
    this.entries.push(entry);
    if (this.due) return;
    this.due = true;
    this.later(() => this.flush(), EVERY);
  }

  /** Sends what there is. What the manager does not take is not kept: a log is not worth a pile-up. */
  async flush() {
    this.due = false;
    if (!this.entries.length) return;
    const log = fitting({ ...this.about, entries: this.entries, dropped: this.dropped });
    Object.assign(this, { entries: [], dropped: 0 });
    try {
      await this.send(log);
    } catch {
      // Said nowhere: saying it would be noted again.
    }
  }
}

/** The log without the last entries that are too much for one message. */
function fitting(log) {
  const size = (l) => new TextEncoder().encode(JSON.stringify(l)).length;
  while (log.entries.length > 1 && size(log) > BYTES) log = { ...log, entries: log.entries.slice(0, -1), dropped: log.dropped + 1 };
  return log;
}

function inWords(v) {
  if (v instanceof Error) return v.message;
  if (typeof v !== "object" || v === null) return String(v);
  try {
    return JSON.stringify(v).slice(0, 500);
  } catch {
    return Object.prototype.toString.call(v);
  }
}
