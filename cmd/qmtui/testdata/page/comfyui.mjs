// The extension in the real ComfyUI page, which a real ComfyUI serves.
import { cancel, history, load, openQueuePanel, own, press, queue, ready, shown, twice, until, watch } from "./graph.mjs";

const banner = (page) => page.locator(".qmtui-banner");
async function open(person, site, user) {
  const page = watch(await person.newPage());
  await page.goto(`${site}/${user}/`);
  await ready(page);
  return page;
}

const photo = (page, options, name) => page.screenshot({ path: `${options.pictures}/${name}.png` });

export default async function ({ person, ask, check, eventually, say, options }) {
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
  await Promise.all([shown(page, "sunset_00001_.png"), banner(page).getByText("Done: sunset_00001_.png").waitFor()]); // the banner's word fades
  await photo(page, options, "page-done");
  await openQueuePanel(page, "sunset_00001_");
  await photo(page, options, "page-queue");
  await until(page, () => [...document.querySelectorAll("img")].some((i) => i.src.includes("sunset_00001_"))); // in the queue panel
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
  await banner(other).getByText("of-bob").first().waitFor();
  await photo(other, options, "page-light");
  await Promise.all([shown(page, "of-ann_00001_.png"), shown(other, "of-bob_00001_.png")]);
  check(!(await history(page)).includes("of-bob") && !(await history(other)).includes("of-ann"), "nobody has the other's in their history");

  say("cancel, and a refusal in the page's own dialog");
  await eventually(async () => (await queue(page))[0] === 0, "the run before has ended"); // a cancel without an id means the run that is furthest
  await ask("hold");
  await press(page);
  await eventually(async () => (await queue(page))[1] === 1, "it waits in the queue panel");
  await cancel(page);
  await banner(page).getByText("Cancelled.").first().waitFor();
  await ask("go");
  await page.evaluate(() => (window.app.graph.getNodeById(9).mode = 4)); // bypassed: nothing is left to save
  await press(page);
  await own(page, /no output node/).waitFor();
  await photo(page, options, "page-refused");
  const ours = page.problems.filter((p) => /queue_redirect|qmtui/i.test(p));
  check(ours.length === 0, ours.join("\n"));
}
