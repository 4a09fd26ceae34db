// Drives Chromium through one scenario, for the Go test that started it:
//
//   node drive.mjs SCENARIO.mjs '{"site": ..., "chromium": ..., "pictures": ...}'
//
// A scenario that needs something done prints "ask ..." and goes on when a line
// comes back. The last line is "ok", or the process ends with 1.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[3]);
const { chromium } = createRequire(options.modules + "/")("playwright-core");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: options.chromium, headless: true, args: flags, timeout: 120_000 }).catch((e) => {
  console.log(`skip Chromium does not start here: ${String(e.message ?? e).split("\n")[0]}`);
  process.exit(1);
});
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export const tools = {
  options,
  /** A browser of one user: cookies, storage and pages of their own. user is whom the site takes them for; "" for nobody yet. */
  async person(user, more = {}) {
    const context = await browser.newContext({ viewport: { width: 1100, height: 700 }, ...more });
    context.setDefaultTimeout(120_000); // the machine may be busy
    if (user) await context.addCookies([{ name: "who", value: user, url: options.site }]);
    return context;
  },
  /** Logs in at the form that a page shows. */
  async logIn(page, user, password = "correct horse") {
    await page.getByLabel("User").fill(user);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
  },
  /** Throws when axe-core finds something in a part of the page that not everybody can use. */
  async accessible(page, selector) {
    await page.addScriptTag({ path: `${options.modules}/axe-core/axe.min.js` });
    const { violations, passes } = await page.evaluate((s) => axe.run(s), selector);
    tools.check(passes.length > 10 && violations.length === 0, JSON.stringify(violations.map((v) => [v.help, v.nodes.map((n) => n.html)])));
  },
  async ask(what) {
    console.log(`ask ${what}`);
    return (await answers.next()).value;
  },
  /** Waits for what the scenario itself hears of or asks for. (page.waitForFunction takes the promise of an async function for a yes.) */
  async eventually(ok, what) {
    for (let n = 0; !(await ok()); n++) {
      tools.check(n < 1200, what);
      await new Promise((done) => setTimeout(done, 100));
    }
  },
  say: (text) => console.log(`say ${text}`),
  check(ok, what) {
    if (!ok) throw new Error(`not so: ${what}`);
  },
};

try {
  const { default: scenario } = await import(pathToFileURL(process.argv[2]).href);
  await scenario(tools);
  console.log("ok");
} catch (e) {
  console.log(`say ${String(e.stack ?? e).replaceAll("\n", "\nsay ")}`);
  for (const [i, page] of browser.contexts().flatMap((c) => c.pages()).entries()) {
    const file = `${options.trouble}/page-${i}.png`;
    await page.screenshot({ path: file }).catch(() => {});
    console.log(`say ${file} shows ${page.url()}`);
  }
  process.exitCode = 1;
} finally {
  await browser.close();
  process.exit();
}
