// Which jobs the banner shows: a pure choice, made anew after every change.
import { isOpen } from "./board.js";

const ROWS = 4;
/** How long a good end stays (milliseconds). */
export const LINGER = 12_000;

/**
 * @param {object[]} jobs of the user
 * @param {{dismissed: Set<string>, seen: Map<string, number>, now: number}} view
 *   seen: when this page learned of an end, by its own clock; ends that are not there are old news
 * @returns {{rows: object[], more: number, until: number}} until: when to look again; 0 for never
 */
export function choose(jobs, { dismissed, seen, now }) {
  const fresh = (j) => isOpen(j) || (seen.has(j.id) && (!fades(j) || now < seen.get(j.id) + LINGER));
  const news = jobs.filter((j) => !dismissed.has(j.id) && fresh(j));
  news.sort((a, b) => rank(a) - rank(b) || Date.parse(a.created_at) - Date.parse(b.created_at));
  const ends = news.filter((j) => !isOpen(j) && fades(j)).map((j) => seen.get(j.id) + LINGER);
  return { rows: news.slice(0, ROWS), more: Math.max(0, news.length - ROWS), until: ends.length ? Math.min(...ends) : 0 };
}

const fades = (j) => ["done", "cancelled"].includes(j.state);

/** Failures first, then what renders, then what waits, then what is done. */
function rank(j) {
  if (["failed", "lost"].includes(j.state)) return 0;
  if (["running", "rendered"].includes(j.state)) return 1;
  return isOpen(j) ? 2 : 3;
}
