// The line to the manager: a WebSocket that comes back by itself.
import { backoff } from "./backoff.js";

/** A line that stood this long (milliseconds) counts as good. */
const STEADY = 5000;

/**
 * Before each connection, prepare() brings what was missed and tells from
 * which revision on frames are wanted; so a site whose proxy blocks WebSockets
 * is still told, every half minute.
 */
export class Line {
  /**
   * @param {string} url of /ws
   * @param {{prepare: () => Promise<URLSearchParams>, frame: (f: object) => void, state: (up: boolean, error?: Error) => void}} hooks
   */
  constructor(url, hooks, { WebSocket = globalThis.WebSocket, later = (f, ms) => setTimeout(f, ms), random = Math.random } = {}) {
    Object.assign(this, { url, hooks, WebSocket, later, random, tries: 0, closed: false });
  }

  async open() {
    if (this.closed) return;
    let query;
    try {
      query = await this.hooks.prepare();
    } catch (e) {
      return this.#down(e);
    }
    if (!this.closed) this.#connect(query);
  }

  #connect(query) {
    let steady, ended;
    const down = (e) => {
      if (ended) return;
      ended = true;
      clearTimeout(steady);
      this.socket = undefined;
      this.#down(e);
    };
    try {
      this.socket = new this.WebSocket(`${this.url}?${query}`);
    } catch (e) {
      return down(e);
    }
    this.socket.addEventListener("open", () => {
      steady = setTimeout(() => (this.tries = 0), STEADY);
      this.hooks.state(true);
    });
    this.socket.addEventListener("message", (m) => this.#hear(m.data));
    this.socket.addEventListener("close", () => down());
    this.socket.addEventListener("error", () => down());
  }

  #hear(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    this.hooks.frame(frame);
  }

  #down(error) {
    if (this.closed) return;
    this.hooks.state(false, error);
    this.timer = this.later(() => this.open(), backoff(this.tries++, { random: this.random }));
  }

  /** Tries at once instead of after the pause: the laptop was opened again. */
  hurry() {
    if (this.socket || this.closed || !this.timer) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.tries = 0;
    this.open();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }
}
