// The login that ran out while the page stood open: says so, with a link to log
// in beside the page, and lets everything go on by itself afterwards.
import { Refusal } from "./manager.js";

const LOOK = 2000; // milliseconds between two looks after the link was pressed
const LOOKS = 300; // then the line's own pauses are good enough

export class Login {
  /**
   * @param {{base: string, user: string}} place
   * @param {{say: (note: string, link?: {href: string, words: string, pressed: () => void}, again?: boolean) => void, look: () => void}} parts
   *   say shows a note, again also one that was dismissed; look tries the manager again
   */
  constructor({ base, user }, parts, { every = (f, ms) => setInterval(f, ms), stop = (t) => clearInterval(t) } = {}) {
    Object.assign(this, parts, { base, user, every, stop });
  }

  /** Whether an error is about who is logged in. */
  concerns(error) {
    return error instanceof Refusal && (error.status === 401 || error.body?.error?.code === "wrong_user");
  }

  /** Takes in an error; false when it is about something else. asked: somebody has just pressed a button. */
  lost(error, asked = false) {
    if (!this.concerns(error)) return false;
    this.missing = true;
    this.say(this.#words(error), this.#link(error), asked);
    return true;
  }

  #words(error) {
    if (error.status !== 401) return `You are logged in as somebody else, and this page is ${this.user}'s.`;
    if (this.#path(error)) return "You are not logged in any more. Your jobs go on, and so does this page once you have logged in.";
    return "You are not logged in any more. Your jobs go on. Reload this page to log in.";
  }

  /** Where people log in; "" when that is not the manager's business. */
  #path(error) {
    return error.status === 401 ? (error.body?.login ?? "") : "/auth/login";
  }

  /** The login opens beside the page, which keeps what is not saved. Somebody else has to log out first. */
  #link(error) {
    const path = this.#path(error);
    const pressed = () => this.#await();
    if (!path) return undefined;
    if (error.status !== 401) return { href: this.base + path, words: "Change the login", pressed };
    const after = `${new URL(this.base).pathname.replace(/\/$/, "")}${path}?beside`;
    return { href: `${this.base}${path}?beside&next=${encodeURIComponent(after)}`, words: "Log in", pressed };
  }

  #await() {
    let looks = 0;
    this.stop(this.timer);
    this.timer = this.every(() => (looks++ < LOOKS ? this.look() : this.stop(this.timer)), LOOK);
  }

  /** The manager knows us again. */
  back() {
    this.missing = false;
    this.stop(this.timer);
    this.timer = undefined;
  }

  /** What the page's error dialog says of a prompt that was not taken. */
  refusal(error) {
    return { error: { code: "login_required", message: this.#words(error), hint: this.#path(error) ? "the link to log in is in the banner; then press Queue again" : "" } };
  }
}
