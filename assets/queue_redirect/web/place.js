// Where the queue manager is, and whose page this is.

const USER = /^[a-zA-Z0-9_-]{1,100}$/;

/**
 * Without being told otherwise, the manager stands at the root of the page's
 * own site, and the user is the last folder of the page's path: /user001/.
 * An address in the query may only name this site: a link that somebody sends
 * must not carry workflows elsewhere.
 *
 * @param {{location: {href: string}, stored?: {base?: string, user?: string}, settings?: {base?: string, user?: string}}} given
 * @returns {{base: string, user: string, socket: string}} user is "" when nothing tells it
 */
export function choosePlace({ location, stored = {}, settings = {} }) {
  const page = new URL(location.href);
  const folders = page.pathname.split("/").slice(1, -1).filter(Boolean);
  const user = [page.searchParams.get("qmtui_user"), stored.user, settings.user, folders.at(-1)].find((u) => USER.test(u ?? "")) ?? "";
  const asked = address(page.searchParams.get("qmtui_base"), page);
  const own = asked?.origin === page.origin ? asked : undefined;
  const url = own ?? address(stored.base, page) ?? address(settings.base, page) ?? new URL(page.origin);
  const base = url.origin + url.pathname.replace(/\/+$/, "");
  return { base, user, socket: base.replace(/^http/, "ws") + "/ws" };
}

function address(text, page) {
  if (!text) return undefined;
  try {
    const url = new URL(text, page.origin);
    return /^https?:$/.test(url.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}
