// The prompts and workflows behind the jobs: never changed, so fetched once.

/** How many are asked for at the same time. */
const AT_ONCE = 4;

export class Bodies {
  /** @param {(id: string) => Promise<object>} fetch */
  constructor(fetch, { most = 200 } = {}) {
    Object.assign(this, { fetch, most, known: new Map() });
  }

  put(id, bodies) {
    this.known.set(id, bodies);
    while (this.known.size > this.most) this.known.delete(this.known.keys().next().value);
  }

  get = (id) => this.known.get(id);

  /** Fetches what is not known. One that cannot be had is left out; the next call asks again. */
  async want(ids) {
    const todo = ids.filter((id) => !this.known.has(id)).slice(0, this.most);
    const one = async () => {
      for (let id; (id = todo.shift()); ) {
        try {
          this.put(id, await this.fetch(id));
        } catch {
          // The list stands without it: only "load this workflow" is not offered.
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  }
}
