// The banner: where the user's jobs stand, in words.
import { isOpen } from "./board.js";
import { choose } from "./banner_state.js";
import { STYLE } from "./banner_style.js";
import { label } from "./label.js";
import { sentence } from "./sentences.js";

export class Banner {
  /**
   * @param {Document} document
   * @param {{jobs: () => object[], workflow: (id: string) => object | undefined, user: string, cancel: (id: string) => void, wanted: () => boolean}} parts
   *   workflow: what was submitted, where it is known; wanted: whether jobs are shown; trouble is shown anyhow
   */
  constructor(document, parts, { now = Date.now } = {}) {
    Object.assign(this, parts, { document, now, dismissed: new Set(), seen: new Map(), rows: new Map(), numbers: new Map(), spoken: new Map(), note: "" });
    this.#build();
  }

  #build() {
    const style = this.#make("style", "", STYLE);
    this.root = this.#make("section", "qmtui-banner");
    this.root.setAttribute("aria-label", "Queue manager");
    this.root.hidden = true;
    const head = this.#make("div", "qmtui-head");
    this.title = this.#make("span", "qmtui-title");
    this.fold = this.#button("–", "Show less", () => this.#folded(!this.root.classList.contains("qmtui-small")));
    this.fold.setAttribute("aria-expanded", "true");
    this.close = this.#button("×", "Dismiss", () => this.dismiss());
    const who = this.#make("span", "qmtui-who", this.user);
    who.title = "Whose jobs these are";
    this.logout = this.#make("a", "", "Log out");
    this.logout.target = "_blank";
    this.logout.hidden = true;
    head.append(this.title, who, this.logout, this.fold, this.close);
    this.list = this.#make("ul", "qmtui-rows");
    this.remark = this.#make("div", "qmtui-note");
    this.more = this.#make("span", "");
    this.link = this.#make("a", "");
    this.link.target = "_blank";
    this.link.addEventListener("click", () => this.pressed?.());
    this.remark.append(this.more, " ", this.link);
    // Spoken when a job changes its state, not at every second that passes.
    this.voice = this.#make("div", "qmtui-spoken");
    this.voice.setAttribute("role", "status");
    this.voice.setAttribute("aria-live", "polite");
    this.root.append(head, this.list, this.remark);
    this.root.addEventListener("keydown", (e) => this.#key(e));
    this.document.head.append(style);
    this.document.body.append(this.root, this.voice);
  }

  /** Escape dismisses; other keys pressed here are not the graph's shortcuts. */
  #key(e) {
    if (e.key === "Escape") this.dismiss();
    if (e.key !== "Tab") e.stopPropagation();
  }

  #folded(small) {
    this.root.classList.toggle("qmtui-small", small);
    this.fold.textContent = small ? "+" : "–";
    this.fold.setAttribute("aria-label", small ? "Show more" : "Show less");
    this.fold.setAttribute("aria-expanded", String(!small));
  }

  /** A job of which this page learned something; a good end fades after a while. */
  heard(job) {
    if (isOpen(job)) this.seen.delete(job.id);
    else if (!this.seen.has(job.id)) this.seen.set(job.id, this.now());
    const words = `${this.#label(job)}: ${sentence(job).text}`;
    if (this.spoken.get(job.id) !== job.state) this.voice.textContent = words;
    if (this.spoken.get(job.id) !== job.state && !isOpen(job) && job.state !== "cancelled") this.dismissed.delete(job.id);
    this.spoken.set(job.id, job.state);
  }

  /** Offers to log out; "" where that is not the manager's business. */
  logOutAt(href) {
    this.logoutHref = href;
    if (href) this.logout.href = href;
    this.draw();
  }

  /**
   * Trouble with the manager itself; "" for none.
   *
   * @param {{href: string, words: string, pressed: () => void}} [link] to where it is mended
   * @param {boolean} [again] also when it was dismissed
   */
  trouble(note, link, again = false) {
    if (note && note !== this.note) this.voice.textContent = note;
    if (again || !note) this.quiet = undefined;
    this.note = note;
    this.pressed = link?.pressed;
    set(this.link, link?.words ?? "");
    if (link && this.link.href !== link.href) this.link.href = link.href;
    this.draw();
  }

  /** Hides what is shown; it comes back with a new job, or with an end of one of these. */
  dismiss() {
    for (const j of this.jobs()) this.dismissed.add(j.id);
    this.quiet = this.note;
    if (this.root.contains(this.document.activeElement)) this.document.activeElement.blur();
    this.draw();
  }

  draw() {
    const jobs = this.wanted() ? this.jobs() : [];
    const { rows, more, until } = choose(jobs, { dismissed: this.dismissed, seen: this.seen, now: this.now() });
    const note = this.note === this.quiet ? "" : this.note;
    this.root.hidden = !rows.length && !note;
    this.title.textContent = heading(jobs, Boolean(this.note));
    this.root.classList.toggle("qmtui-stale", Boolean(this.note));
    this.#drawRows(rows);
    set(this.more, [more && `${more} more in the queue panel.`, note].filter(Boolean).join(" "));
    this.link.hidden = !note || !this.link.textContent;
    this.logout.hidden = !this.logoutHref || Boolean(this.link.textContent); // the other link is about the login, too
    this.remark.hidden = !this.more.textContent;
    clearTimeout(this.timer);
    if (until) this.timer = setTimeout(() => this.draw(), Math.max(50, until - this.now()));
  }

  /** Keeps the elements of rows that stay, so that the focus stays too. */
  #drawRows(jobs) {
    const before = this.rows;
    this.rows = new Map(jobs.map((j) => [j.id, before.get(j.id) ?? this.#row(j.id)]));
    for (const [id, row] of before) if (!this.rows.has(id)) row.item.remove();
    jobs.forEach((job, i) => {
      const row = this.rows.get(job.id);
      this.#fill(row, job);
      if (this.list.children[i] !== row.item) this.list.insertBefore(row.item, this.list.children[i] ?? null);
    });
  }

  #row(id) {
    const item = this.#make("li", "qmtui-row");
    const mark = this.#make("span", "qmtui-mark");
    mark.setAttribute("aria-hidden", "true");
    const words = this.#make("span", "qmtui-words");
    const [name, text, hint] = ["qmtui-name", "qmtui-text", "qmtui-hint"].map((c) => this.#make("span", c));
    words.append(name, text, hint);
    const button = this.#button("Cancel", "Cancel", () => this.#press(id));
    item.append(mark, words, button);
    return { item, name, text, hint, button };
  }

  /** Jobs are numbered in the order in which this page learned of them, and keep their numbers. */
  #label(job) {
    if (!this.numbers.has(job.id)) this.numbers.set(job.id, this.numbers.size + 1);
    return label(job, this.numbers.get(job.id), this.workflow(job.id));
  }

  #fill(row, job) {
    const { tone, text, hint } = sentence(job);
    row.item.dataset.tone = tone;
    row.item.dataset.job = job.id;
    const name = this.#label(job);
    set(row.name, name + ": ");
    set(row.text, text);
    set(row.hint, hint && " " + hint);
    const what = isOpen(job) ? "Cancel" : "OK";
    set(row.button, what);
    row.button.setAttribute("aria-label", `${what}: ${name}`);
    row.button.hidden = isOpen(job) && job.want === "cancel";
  }

  #press(id) {
    const job = this.jobs().find((j) => j.id === id);
    if (job && isOpen(job)) return this.cancel(id);
    this.dismissed.add(id);
    this.draw();
  }

  #button(text, label, press) {
    const b = this.#make("button", "", text);
    b.type = "button";
    b.setAttribute("aria-label", label);
    b.addEventListener("click", press);
    return b;
  }

  #make(tag, className, text = "") {
    const e = this.document.createElement(tag);
    if (className) e.className = className;
    e.textContent = text;
    return e;
  }
}

/** stale: nothing was heard since some trouble began. */
function heading(jobs, stale) {
  const n = jobs.filter(isOpen).length;
  return n ? `${n} ${n === 1 ? "job" : "jobs"} with the queue manager${stale ? ", as last heard" : ""}` : "Queue manager";
}

/** Text that did not change is left alone, or a reader would say it again. */
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
