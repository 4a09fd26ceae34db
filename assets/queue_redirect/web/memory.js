// What outlives a reload of the page, in the browser's storage. A browser that
// keeps nothing costs the comfort, not the job.

export class Memory {
  /** @param {Storage} storage  @param {string} key  @param {number} most entries; the oldest go first */
  constructor(storage, key, most = 200) {
    Object.assign(this, { storage, key, most });
  }

  all() {
    try {
      const list = JSON.parse(this.storage.getItem(this.key) ?? "[]");
      return Array.isArray(list) ? list.filter((x) => typeof x === "string") : [];
    } catch {
      return [];
    }
  }

  has(id) {
    return this.all().includes(id);
  }

  add(...ids) {
    this.#write([...this.all().filter((x) => !ids.includes(x)), ...ids].slice(-this.most));
  }

  remove(id) {
    const all = this.all();
    if (all.includes(id)) this.#write(all.filter((x) => x !== id));
  }

  #write(list) {
    try {
      this.storage.setItem(this.key, JSON.stringify(list));
    } catch {
      // Full or forbidden.
    }
  }
}
