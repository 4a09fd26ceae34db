// Pages behind the nginx that is shipped, each at an origin of its own: they work
// there, and a page's scripts have nobody's rights but its user's.
const until = (page, what, arg) => page.waitForFunction(what, arg, { timeout: 120_000 });
const ready = (page) => until(page, () => window.ready);
const pictured = (page, prefix) => until(page, (p) => [...document.querySelectorAll(`img[alt^='${p}']`)].some((i) => i.naturalWidth === 64), prefix);
const press = (page, prefix) => page.evaluate((p) => ((app.prefix = p), app.queuePrompt(0, 1)), prefix);
/** What a script of the page gets from an address: a status, or that the browser or the server refuses it. */
const status = (page, url, more = {}) => page.evaluate(async ([url, more]) => (await fetch(url, { credentials: "include", ...more }).catch(() => ({ status: "refused" }))).status, [url, more]);
const listens = (page, url) =>
  page.evaluate((url) => new Promise((done) => {
    const ws = new WebSocket(url.replace(/^http/, "ws"));
    ws.onopen = () => (ws.close(), done(true));
    ws.onerror = () => done(false);
  }), url);

export default async function ({ person, logIn, check, say, options }) {
  const { site } = options;
  const at = (user) => site.replace("://", `://${user}.`);

  say("a participant opens the own address, logs in there, and the picture comes");
  const ann = await person("");
  const page = await ann.newPage();
  await page.goto(`${at("user001")}/user001/`);
  check(page.url().startsWith(`${at("user001")}/auth/login`), page.url());
  await logIn(page, "user001");
  await ready(page);
  check(page.url() === `${at("user001")}/user001/`, page.url());
  await press(page, "own-origin");
  await pictured(page, "own-origin");
  await page.screenshot({ path: `${options.pictures}/origins.png` });

  say("the manager's address leads to the pages, with the port that was written");
  const led = await ann.newPage();
  await led.goto(`${site}/user001/`);
  check(led.url() === `${at("user001")}/user001/`, led.url());
  await led.close();
  const bob = await person("");
  const other = await bob.newPage();
  await other.goto(`${site}/`);
  await logIn(other, "user002");
  await other.waitForURL((url) => url.href.startsWith(`${at("user002")}/auth/login`)); // a login is good for one host
  await logIn(other, "user002");
  await ready(other);
  await Promise.all([press(page, "of-ann"), press(other, "of-bob")]);
  await Promise.all([pictured(page, "of-ann"), pictured(other, "of-bob")]);
  check((await page.locator("img[alt^=of-bob]").count()) === 0, "each sees the own pictures");

  say("an admin looks at a page: its scripts may do nothing in the admin's name");
  const eve = await person("");
  const manager = await eve.newPage();
  await manager.goto(`${site}/auth/login`);
  await logIn(manager, "user003");
  await manager.waitForURL((url) => !url.pathname.startsWith("/auth/login") || url.hostname !== new URL(site).hostname);
  check((await manager.goto(`${site}/api/audit`)).status() === 200, "the admin has the audit log");
  const mode = async () => (await (await manager.goto(`${site}/api/queue/status`)).json()).mode;
  const looked = await eve.newPage();
  await looked.goto(`${at("user001")}/user001/`);
  check(looked.url().startsWith(`${at("user001")}/auth/login`), "the login at the manager is none here");
  await logIn(looked, "user003");
  await ready(looked);
  for (const path of ["/api/audit", "/api/jobs", "/api/queue/status", "/comfy/user002/history"]) {
    check((await status(looked, path)) === 403, `${path} at the page's own address: ${await status(looked, path)}`);
    check((await status(looked, site + path)) === "refused", `${path} at the manager's: ${await status(looked, site + path)}`);
    check((await status(looked, at("user002") + path)) === "refused", `${path} at another page's`);
  }
  for (const url of [`${site}/ws?user_id=user003`, `${at("user002")}/user002/ws`, `${at("user002")}/ws?user_id=user002`]) {
    check(!(await listens(looked, url)), `a WebSocket of ${url}`);
  }
  const before = await mode();
  check(before === "running", before);
  for (const mode of ["cors", "no-cors"]) {
    await status(looked, `${site}/api/queue/pause`, { method: "POST", body: "{}", mode });
  }
  check((await mode()) === before, "nothing was changed");
}
