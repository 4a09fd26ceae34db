// The real ComfyUI page without any extension, behind the nginx that is
// shipped: its own calls go to the manager's face of ComfyUI.
import { cancel, history, load, openQueuePanel, own, press, queue, ready, shown, until, watch } from "./graph.mjs";

export default async function ({ person, logIn, ask, check, eventually, say, options }) {
  const pending = (page, n) => eventually(async () => (await queue(page))[1] === n, `${n} in the queue panel`);
  const photo = (page, name) => page.screenshot({ path: `${options.pictures}/${name}.png` });
  async function open(user) {
    const page = watch(await (await person("")).newPage());
    await page.goto(`${options.site}/${user}/`);
    await logIn(page, user);
    await ready(page);
    return page;
  }

  const page = await open("user001");
  const lines = [];
  page.on("websocket", (ws) => ws.on("framereceived", (f) => lines.push(String(f.payload))));

  say("load a workflow, press Queue, and wait for a machine");
  await load(page, "sunset");
  await ask("hold");
  await press(page);
  await pending(page, 1);

  say("reload in the middle");
  await page.reload();
  await ready(page);
  await until(page, () => window.app.graph.getNodeById(9));
  check(String(await queue(page)) === "0,1", "it still waits in the queue panel");

  say("restart the manager in the middle");
  await ask("restart");
  await ask("go");
  await shown(page, "sunset_00001_.png");
  await eventually(() => lines.some((f) => f.includes('"execution_success"')), "the page's own WebSocket told it");
  await openQueuePanel(page, "sunset_00001_");
  await photo(page, "faced-done");
  check((await page.locator(".qmtui-banner").count()) === 0, "no extension is there");

  say("two users at once, each sees only their own");
  const other = await open("user002");
  await load(page, "of-ann");
  await load(other, "of-bob");
  await Promise.all([press(page), press(other)]);
  await Promise.all([shown(page, "of-ann_00001_.png"), shown(other, "of-bob_00001_.png")]);
  check(!(await history(page)).includes("of-bob") && !(await history(other)).includes("of-ann"), "nobody has the other's in their history");
  check(!lines.some((f) => f.includes("of-bob")), "nor was told of it");

  say("cancel from the page's own button");
  await ask("hold");
  await press(page);
  await pending(page, 1);
  await cancel(page);
  await pending(page, 0);
  await ask("go");

  say("refused in the page's own words");
  await page.evaluate(() => (window.app.graph.getNodeById(9).mode = 4)); // bypassed: nothing is left to save
  await press(page);
  await own(page, /no outputs|no output node/i).waitFor();
}
