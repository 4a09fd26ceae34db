// How long to wait before trying again.

/**
 * Doubles from first to most (milliseconds); half of it is luck, so that
 * twenty pages do not come back in the same moment.
 *
 * @param {number} tries that failed so far, from 0
 */
export function backoff(tries, { first = 500, most = 30_000, random = Math.random } = {}) {
  const full = Math.min(most, first * 2 ** Math.min(tries, 30));
  return full / 2 + (full / 2) * random();
}
