// The extension in a page behind the nginx that is shipped: the login and its
// cookie, the WebSocket, the wall between users, and a login that runs out.
const banner = (page) => page.locator(".qmtui-banner");
const ready = (page) => page.waitForFunction(() => window.ready);
const until = (page, what, arg) => page.waitForFunction(what, arg, { timeout: 120_000 });
const pictured = (page, prefix) => until(page, (p) => [...document.querySelectorAll(`img[alt^='${p}']`)].some((i) => i.naturalWidth === 64), prefix);
const press = (page, prefix) => page.evaluate((p) => ((app.prefix = p), app.queuePrompt(0, 1)), prefix);
const status = (page, path) => page.evaluate(async (path) => (await fetch(path)).status, path);
/** Opens a link of the banner in a page of its own; on a busy machine a click may fall between two drawings of the banner. */
async function follow(context, page, name) {
  const opening = context.waitForEvent("page");
  for (;;) {
    await banner(page).getByRole("link", { name }).click();
    const opened = await Promise.race([opening, new Promise((late) => setTimeout(late, 10_000))]);
    if (opened) return opened;
  }
}
/** Whether a page may listen there. */
const listens = (page, path) =>
  page.evaluate((path) => new Promise((done) => {
    const ws = new WebSocket(location.origin.replace(/^http/, "ws") + path);
    ws.onopen = () => (ws.close(), done(true));
    ws.onerror = () => done(false);
  }), path);

export default async function ({ person, logIn, accessible, ask, check, eventually, say, options }) {
  const photo = (page, name) => page.screenshot({ path: `${options.pictures}/${name}.png` });
  const { site } = options;

  say("a stranger is led to the login, and back to the page");
  const ann = await person("");
  const page = await ann.newPage();
  const lines = [];
  page.on("websocket", (ws) => ws.on("framereceived", (f) => lines.push([new URL(ws.url()).pathname, String(f.payload)])));
  await page.goto(`${site}/user001/`);
  check(new URL(page.url()).pathname === "/auth/login", page.url());
  await logIn(page, "user001", "wrong horse");
  await page.getByRole("alert").waitFor();
  await photo(page, "login");
  await logIn(page, "user001");
  await ready(page);
  check(page.url() === `${site}/user001/`, page.url());
  const [cookie] = (await ann.cookies()).filter((c) => c.name === "qmtui");
  check(cookie.httpOnly && cookie.sameSite === "Lax" && cookie.path === "/" && cookie.expires > Date.now() / 1000 + 3600, JSON.stringify({ ...cookie, value: "" }));
  check(!(await page.evaluate(() => document.cookie)).includes("qmtui"), "scripts of the page do not see it");

  say("press Queue: the WebSocket brings the picture");
  const heard = (what) => eventually(() => lines.some(([path, f]) => path === "/ws" && f.includes(what)), `${what} came through nginx`);
  await heard('"hello"');
  await press(page, "sunset");
  await pictured(page, "sunset");
  await heard('"job_updated"');

  say("the login outlives the browser");
  const reopened = await person("", { storageState: await ann.storageState() });
  const again = await reopened.newPage();
  await again.goto(`${site}/user001/`);
  await ready(again);
  await reopened.close();

  say("two users at once, each behind a wall of their own");
  const bob = await person("");
  const other = await bob.newPage();
  await other.goto(`${site}/`);
  await logIn(other, "user002");
  await ready(other);
  check(other.url() === `${site}/user002/`, `the bare address leads to one's own page: ${other.url()}`);
  await Promise.all([press(page, "of-ann"), press(other, "of-bob")]);
  await Promise.all([pictured(page, "of-ann"), pictured(other, "of-bob")]);
  check(!lines.some(([, f]) => f.includes("user002")), "no frame about somebody else");
  check((await page.locator("img[alt^=of-bob]").count()) === 0 && (await other.locator("img:not([alt^=of-bob])").count()) === 0, "no picture either");
  for (const path of ["/user002/", "/user002/api/view?filename=of-bob_00001_.png", "/api/jobs?user_id=user002", "/comfy/user002/history"]) {
    check((await status(page, path)) === 403, `${path} is not for user001`);
  }
  check((await listens(page, "/ws?user_id=user001")) && !(await listens(page, "/ws?user_id=user002")) && !(await listens(page, "/user002/ws")), "nor the others' WebSockets");
  const stranger = await person("");
  for (const path of ["/api/jobs", "/ws", "/user001/", "/comfy/user001/queue"]) {
    check((await stranger.request.get(site + path)).status() === 401, `${path} is not for strangers`);
  }

  say("the login runs out: the page says so, and how to get back");
  await ask("hold");
  await press(page, "overnight");
  await until(page, () => app.queue?.Pending.length === 1);
  check((await banner(page).locator(".qmtui-who").textContent()) === "user001", "the banner says whose jobs these are");
  const tab = await follow(ann, page, "Log out");
  await tab.waitForURL(`${site}/auth/logout`);
  await tab.getByRole("button", { name: "Log out" }).click();
  await tab.getByLabel("User").waitFor();
  await banner(page).getByText("You are not logged in any more").waitFor();
  check((await page.locator("[role=status]").textContent()).includes("not logged in"), "a screen reader hears of it");
  check(/as last heard/.test(await banner(page).textContent()), "what is shown of the jobs may be old");
  await photo(page, "login-ended");
  await accessible(page, ".qmtui-banner");
  await banner(page).getByRole("button", { name: "Dismiss" }).click();
  await ask("go"); // the job ends while nobody is told
  await page.evaluate(() => ((app.errors = []), app.queuePrompt(0, 1)));
  check(/not logged in any more/.test(await page.evaluate(() => app.errors[0].message)), "who presses Queue is told");
  await banner(page).getByText("You are not logged in any more").waitFor();

  say("logged in again beside it, the page goes on by itself");
  const login = await follow(ann, page, "Log in");
  await logIn(login, "user001");
  await login.getByText("it goes on by itself").waitFor();
  await photo(login, "login-beside");
  await login.close();
  await pictured(page, "overnight");
  await banner(page).getByText("not logged in").waitFor({ state: "hidden" });
  await press(page, "morning");
  await pictured(page, "morning");

  say("somebody else logs in in this browser");
  await tab.goto(`${site}/auth/login`);
  await tab.getByRole("button", { name: "Log out" }).click();
  await logIn(tab, "user002");
  await tab.waitForURL(`${site}/user002/`);
  await banner(page).getByText("this page is user001's").waitFor();
  check((await status(page, "/user001/")) === 403, "and may not have this page any more");
  const change = await follow(ann, page, "Change the login");
  await change.getByText("You are logged in as user002").waitFor();
  await change.getByRole("button", { name: "Log out" }).click();
  await logIn(change, "user001");
  await banner(page).getByText("this page is user001's").waitFor({ state: "hidden" });

  say("the cookie is gone while the line still stands: the note goes after the login");
  await ann.clearCookies();
  await page.evaluate(() => app.queuePrompt(0, 1));
  await banner(page).getByText("You are not logged in any more").waitFor();
  const relogin = await follow(ann, page, "Log in");
  await logIn(relogin, "user001");
  await relogin.getByText("it goes on by itself").waitFor();
  await relogin.close();
  await banner(page).getByText("not logged in").waitFor({ state: "hidden" });
}
