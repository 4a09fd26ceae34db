// The extension in a page that offers the real page's app and api.
const banner = (page) => page.locator(".qmtui-banner");
const seen = (page) => page.evaluate(() => app.seen.slice());
const until = (page, what, arg) => page.waitForFunction(what, arg, { timeout: 120_000 });
const picture = (page, n = 1) => until(page, (n) => [...document.querySelectorAll("img[data-node='9']")].filter((i) => i.naturalWidth === 64).length >= n, n);
const unnoticed = (e) => !e.startsWith("status");

export default async function ({ person, accessible, ask, check, eventually, say, options }) {
  /** The history's entries, once there are n of them: as in ComfyUI, one is entered after the event that shows its picture. */
  async function past(page, n) {
    let entries = [];
    await eventually(async () => (entries = await page.evaluate(async () => (await api.getHistory()).History)).length >= n, `${n} in the history`);
    return entries;
  }
  const ann = await person("user001");
  const page = await ann.newPage();
  const problems = [];
  page.on("pageerror", (e) => problems.push(e.message));
  const open = async (p, user) => {
    await p.goto(`${options.site}/${user}/`);
    await p.waitForFunction(() => window.ready);
  };
  await open(page, "user001");

  say("the workers' nodes and models are in the page");
  const defs = await page.evaluate(() => app.defs);
  check(defs.PageOnly && defs.KSampler && defs.CheckpointLoaderSimple.input.required.ckpt_name[0].length > 0, `the page's nodes and the workers': ${Object.keys(defs).length}`);
  check(String(defs.LoadImage.input.required.image[0]) === "mine.png", "files are chosen from the page's own folder");
  check(!(await page.evaluate(() => app.toasts.some((t) => /missing/.test(t.summary)))), "nothing is missing");

  say("press Queue, see the wait, then the picture");
  await ask("hold"); // the fleet begins nothing
  await page.click("#queue");
  await banner(page).getByText("Waiting for a GPU").waitFor();
  await until(page, () => app.queue?.Pending.length === 1);
  check((await page.locator("[role=status]").textContent()).length > 0, "a screen reader hears of it");
  await page.screenshot({ path: `${options.pictures}/waiting.png` });

  say("reload in the middle");
  await page.reload();
  await page.waitForFunction(() => window.ready);
  await banner(page).getByText("Waiting for a GPU").waitFor();

  say("restart the manager in the middle");
  await ask("restart");
  await ask("go");
  await Promise.all([picture(page), banner(page).getByText("Done: sunset_00001_.png").waitFor()]); // the banner's word fades
  await until(page, () => app.seen.includes("execution_success") && app.seen.findLast((e) => !e.startsWith("status")) === "executing:null");
  const told = (await seen(page)).filter(unnoticed);
  check(told.indexOf("execution_start") >= 0 && told.indexOf("execution_start") < told.indexOf("executed"), `start before the picture: ${told}`);
  check(told.indexOf("executed") < told.indexOf("execution_success") && told.at(-1) === "executing:null", `the end last: ${told}`);
  const entries = await past(page, 1);
  check(entries.length === 1 && entries[0].outputs[9].images[0].filename === "sunset_00001_.png", "it stands in the history");
  check(entries[0].prompt[3].extra_pnginfo.workflow.seed === 1, "with its workflow");
  check(!JSON.stringify(entries).includes("secret"), "and without the page's token");

  say("a batch: every seed its own, all delivered");
  await page.evaluate(() => app.queuePrompt(0, 3));
  await picture(page, 4);
  const colours = (await past(page, 4)).map((h) => h.prompt[2][1].inputs.color);
  check(new Set(colours).size === 4, `seeds ${colours}`);

  say("partial execution: only what was asked for");
  await page.evaluate(() => ((app.two = true), app.queuePrompt(0, 1, ["9"])));
  await picture(page, 5);
  check((await page.locator("img[data-node='10']").count()) === 0, "the other output did not run");

  say("refused: the page's own error, with the node");
  await page.evaluate(() => {
    app.two = false;
    const whole = app.graphToPrompt.bind(app);
    app.graphToPrompt = () => ({ workflow: {}, output: { 7: { class_type: "PreviewImage", inputs: { images: ["8", 0] } }, 8: whole().output[1] } });
    return app.queuePrompt(0, 1);
  });
  const [refusal] = await page.evaluate(() => app.errors);
  check(refusal.kind === "PromptExecutionError" && refusal.message && refusal.details, JSON.stringify(refusal));
  await page.evaluate(() => delete app.graphToPrompt);

  say("failed at the worker: said in words, with what to do");
  await page.evaluate(() => {
    const whole = app.graphToPrompt.bind(app);
    app.graphToPrompt = () => {
      const p = whole();
      Object.values(p.output).find((n) => n.class_type === "SaveImage").inputs.images = "none"; // a server only finds out when it runs it
      return p;
    };
    return app.queuePrompt(0, 1);
  });
  await banner(page).locator("[data-tone=bad]").waitFor();
  check(/This did not work: .+\w/.test(await banner(page).locator("[data-tone=bad] .qmtui-text").textContent()), "in words");
  check((await banner(page).locator("[data-tone=bad] .qmtui-hint").textContent()).length > 10, "with what to do");
  await until(page, () => app.seen.includes("execution_error")); // for the page's own dialog
  for (const [fore, back] of [["#ddd", "#353535"], ["#222", "#f5f5f5"]]) { // dark and light, as ComfyUI's own palettes have them
    await page.evaluate((c) => ["--fg-color", "--comfy-menu-bg"].forEach((k, i) => document.documentElement.style.setProperty(k, c[i])), [fore, back]);
    await accessible(page, ".qmtui-banner");
  }
  await page.screenshot({ path: `${options.pictures}/failed.png` });
  await banner(page).locator("[data-tone=bad]").getByRole("button", { name: /^OK/ }).press("Enter");
  await page.evaluate(() => delete app.graphToPrompt);

  say("two users at once, each sees only their own");
  const bob = await person("user002", { colorScheme: "light" });
  const other = await bob.newPage();
  await open(other, "user002");
  await ask("hold");
  await Promise.all([page.evaluate(() => ((app.prefix = "of-ann"), app.queuePrompt(0, 1))), other.evaluate(() => ((app.prefix = "of-bob"), app.queuePrompt(0, 1)))]);
  await Promise.all([page, other].map((p) => until(p, () => app.queue?.Pending.length === 1)));
  await ask("go");
  await other.locator("img[alt^=of-bob]").waitFor();
  await page.locator("img[alt^=of-ann]").waitFor();
  check((await other.locator("img").count()) === 1 && (await page.locator("img[alt^=of-bob]").count()) === 0, "nobody sees the other's");
  const reached = [(await past(other, 1)).length, await other.evaluate(async () => (await fetch("/api/jobs?user_id=user001")).status)];
  check(reached[0] === 1 && reached[1] === 403, `one entry, and 403 for another's: ${reached}`);

  say("cancel from the page's buttons");
  await ask("hold");
  const [id] = await page.evaluate(() => app.queuePrompt(0, 1));
  await page.evaluate((id) => api.deleteItem("queue", id), id);
  await until(page, () => app.queue?.Pending.length === 0 && app.queue.Running.length === 0);
  check((await ask(`state ${id}`)) === "cancelled", "the manager knows");
  const [second] = await page.evaluate(() => app.queuePrompt(0, 1));
  await banner(page).getByRole("button", { name: /^Cancel/ }).first().press("Enter");
  check((await ask(`state ${second}`)) === "cancelled", "nor is this one left");
  await banner(page).getByText("Cancelled.").last().waitFor();
  await banner(page).getByRole("button", { name: "Dismiss" }).press("Escape");
  await banner(page).waitFor({ state: "hidden" });
  await ask("go");

  say("errors of the page reach the manager's log, without secrets");
  await page.evaluate(() => new Promise((done) => {
    window.addEventListener("error", () => setTimeout(done), { once: true });
    setTimeout(() => { throw new Error("a node's script broke, token=s3cr3t-value"); });
  }));
  await page.evaluate(() => window.dispatchEvent(new Event("pagehide")));
  check((await ask("logged a node's script broke, token=[removed]")) === "yes", "it is in the log");
  check((await ask("hidden s3cr3t-value")) === "yes", "the secret is not");

  say("the manager is away: refused in words, or run here, by switch");
  await ask("stop");
  await page.evaluate(() => ((app.errors = []), app.queuePrompt(0, 1)));
  check(/does not answer/.test((await page.evaluate(() => app.errors[0])).message), "said so");
  await page.evaluate(() => ((app.settings["qmtui.Fallback"] = true), app.queuePrompt(0, 1)));
  check((await page.evaluate(() => app.toasts.at(-1).severity)) === "warn", "a toast says that it runs here");
  check((await ask("local")) === "1", "the page's own ComfyUI has it");
  await ask("start");
  check(problems.every((p) => p.includes("script broke")), problems.join("; "));
}
