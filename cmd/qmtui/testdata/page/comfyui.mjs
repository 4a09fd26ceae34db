// The extension in the real ComfyUI page, which a real ComfyUI serves.
const workflow = {
  id: "11111111-2222-4333-8444-555555555555", revision: 0, last_node_id: 9, last_link_id: 1,
  nodes: [
    {
      id: 1, type: "EmptyImage", pos: [60, 160], size: [270, 130], flags: {}, order: 0, mode: 0, inputs: [],
      outputs: [{ name: "IMAGE", type: "IMAGE", links: [1] }], properties: { "Node name for S&R": "EmptyImage" }, widgets_values: [320, 200, 1, 3368703],
    },
    {
      id: 9, type: "SaveImage", pos: [420, 160], size: [320, 300], flags: {}, order: 1, mode: 0,
      inputs: [{ name: "images", type: "IMAGE", link: 1 }], outputs: [], properties: {}, widgets_values: ["sunset"],
    },
  ],
  links: [[1, 1, 0, 9, 0, "IMAGE"]], groups: [], config: {}, extra: {}, version: 0.4,
};

/** A second picture, so that the first stands while the run still renders. */
function twice(w) {
  const [empty, save] = structuredClone(w.nodes);
  Object.assign(empty, { id: 2, pos: [60, 420], widgets_values: [320, 200, 1, 14503475] });
  Object.assign(save, { id: 10, pos: [420, 480], widgets_values: ["dusk"] });
  empty.outputs[0].links = [2];
  save.inputs[0].link = 2;
  return { ...w, last_node_id: 10, last_link_id: 2, nodes: [...w.nodes, empty, save], links: [...w.links, [2, 2, 0, 10, 0, "IMAGE"]] };
}

const banner = (page) => page.locator(".qmtui-banner");
const ready = (page) => page.waitForFunction(() => window.comfyAPI?.app?.app?.graph && window.app?.extensionManager, undefined, { timeout: 60_000 });
const until = (page, what, arg) => page.waitForFunction(what, arg, { timeout: 40_000, polling: 200 });
const shown = (page, name) => until(page, (name) => window.app.graph.getNodeById(9)?.imgs?.some((i) => i.naturalWidth > 0 && i.src.includes(name)), name);
const queue = (page) => page.evaluate(async () => { const q = await window.comfyAPI.api.api.getQueue(); return [q.Running.length, q.Pending.length]; });

async function open(person, site, user) {
  const page = await person.newPage();
  page.problems = [];
  page.on("console", (m) => m.type() === "error" && page.problems.push(m.text()));
  page.on("pageerror", (e) => page.problems.push(e.message));
  await page.goto(`${site}/${user}/`);
  await ready(page);
  return page;
}

async function load(page, prefix, change = (w) => w) {
  const w = change(structuredClone(workflow));
  w.nodes[1].widgets_values = [prefix];
  await page.evaluate((w) => window.app.loadGraphData(w, true, true, "sunset"), w);
  await page.evaluate(() => window.app.canvas.ds.reset());
}

const press = (page) => page.locator(".comfyui-queue-button button").first().click();
const photo = (page, options, name) => page.screenshot({ path: `${options.pictures}/${name}.png` });

export default async function ({ person, ask, check, say, options }) {
  const ann = await person("user001");
  const page = await open(ann, options.site, "user001");

  say("open, load a workflow, press Queue");
  await load(page, "sunset");
  await ask("hold");
  await press(page);
  await banner(page).getByText("Waiting for a GPU").waitFor();
  await until(page, () => document.body.innerText.includes("sunset"));
  check(String(await queue(page)) === "0,1", "one is pending in the queue panel");
  await photo(page, options, "page-waiting");

  say("reload in the middle");
  await page.reload();
  await ready(page);
  await banner(page).getByText("Waiting for a GPU").waitFor();
  check(await until(page, () => window.app.graph.getNodeById(9)), "the page has its workflow again");

  say("restart the manager in the middle");
  await ask("restart");
  await ask("go");
  await shown(page, "sunset_00001_.png");
  await banner(page).getByText("Done: sunset_00001_.png").waitFor();
  await photo(page, options, "page-done");
  await page.getByRole("button", { name: "Expand job queue" }).first().click();
  await page.getByText("sunset_00001_").first().waitFor();
  await photo(page, options, "page-queue");
  check(await page.evaluate(() => [...document.querySelectorAll("img")].some((i) => i.src.includes("sunset_00001_"))), "the picture stands in the queue panel");
  await page.keyboard.press("Escape");

  say("a run that renders");
  await load(page, "dawn", twice);
  await press(page);
  await banner(page).getByText("Rendering").waitFor();
  await shown(page, "dawn_00001_.png");
  await photo(page, options, "page-rendering");
  await until(page, () => window.app.graph.getNodeById(10)?.imgs?.some((i) => i.src.includes("dusk_00001_.png")));

  say("two users at once, each sees only their own");
  const bob = await person("user002", { colorScheme: "light" });
  const other = await open(bob, options.site, "user002");
  await other.evaluate(() => window.app.extensionManager.setting.set("Comfy.ColorPalette", "light"));
  await load(page, "of-ann");
  await load(other, "of-bob");
  await Promise.all([press(page), press(other)]);
  await banner(other).getByText("sunset").first().waitFor();
  await photo(other, options, "page-light");
  await Promise.all([shown(page, "of-ann_00001_.png"), shown(other, "of-bob_00001_.png")]);
  const names = (p) => p.evaluate(async () => JSON.stringify((await window.comfyAPI.api.api.getHistory()).History.map((h) => h.outputs)));
  check(!(await names(page)).includes("of-bob") && !(await names(other)).includes("of-ann"), "nobody has the other's in their history");

  say("cancel, and a refusal in the page's own dialog");
  await ask("hold");
  await press(page);
  await until(page, async () => (await window.comfyAPI.api.api.getQueue()).Pending.length === 1);
  await page.evaluate(() => window.comfyAPI.api.api.interrupt(null));
  await banner(page).getByText("Cancelled.").first().waitFor();
  await ask("go");
  await page.evaluate(() => (window.app.graph.getNodeById(9).mode = 4)); // bypassed: nothing is left to save
  await press(page);
  await page.getByRole("dialog").first().waitFor();
  await photo(page, options, "page-refused");
  const own = page.problems.filter((p) => /queue_redirect|qmtui/i.test(p));
  check(own.length === 0, own.join("\n"));
}
