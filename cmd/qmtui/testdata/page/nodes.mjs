// Models and custom nodes that only the workers have, in a real page whose own
// ComfyUI has neither.
import { own, press, ready, until, watch } from "./graph.mjs";

const checkpoint = "only-the-workers.safetensors";
const known = (page) => page.evaluate(() => "QmtuiWorkersOnly" in window.LiteGraph.registered_node_types);
const photo = (page, options, name) => page.screenshot({ path: `${options.pictures}/${name}.png` });

export default async function ({ person, logIn, ask, check, eventually, say, options }) {
  const faced = (await ask("way")) === "face";
  const page = watch(await (await person(faced ? "" : "user001")).newPage());
  await page.goto(`${options.site}/user001/`);
  if (faced) await logIn(page, "user001");
  await ready(page);

  say("before anything is known of the workers the page has its own nodes");
  await until(page, () => "KSampler" in window.LiteGraph.registered_node_types);
  check(!(await known(page)), "nobody knows the workers' node yet");
  if (!faced) await own(page, "Models and nodes of the workers are missing").waitFor();
  await photo(page, options, `nodes-unknown${faced ? "-faced" : ""}`);

  say("a first job, and R reads them");
  await ask("wake");
  await page.evaluate(() => window.app.graph.clear());
  await page.locator("#graph-canvas").click({ position: { x: 500, y: 600 } });
  await page.keyboard.press("r");
  await eventually(() => known(page), "the workers' node is there after R");

  say("after a reload they are there at once");
  await page.reload();
  await ready(page);
  await eventually(() => known(page), "the workers' node is there");
  check(!(await own(page, "Models and nodes of the workers are missing").isVisible()), "nothing is missing");
  const theirs = await page.evaluate(async () => (await (await window.comfyAPI.api.api.fetchApi("/object_info")).text()).match(/.{60}(of-somebody|user002).{20}/)?.[0]);
  check(!theirs, `files of somebody else are offered: ${theirs}`);
  const lists = await page.evaluate(async () => {
    const { api } = window.comfyAPI.api;
    return { folders: (await api.getModelFolders()).map((f) => f.name), files: (await api.getModels("checkpoints")).map((f) => f.name) };
  });
  check(lists.folders.includes("checkpoints") && lists.files.includes(checkpoint), `the model library has ${JSON.stringify(lists)}`);

  say("the checkpoint can be chosen");
  await page.evaluate(() => {
    window.app.graph.clear();
    window.app.canvas.ds.reset();
    const node = window.LiteGraph.createNode("CheckpointLoaderSimple");
    node.pos = [420, 420];
    node.size = [360, 110];
    window.app.graph.add(node);
    node.widgets[0].value = "";
  });
  await until(page, (name) => window.app.graph.nodes[0].widgets[0].options.values.includes(name), checkpoint);
  const at = await page.evaluate(() => {
    const node = window.app.graph.nodes[0], [x, y] = window.app.canvas.ds.convertOffsetToCanvas([node.pos[0] + 180, node.pos[1] + node.widgets[0].last_y + 10]);
    const box = window.app.canvas.canvas.getBoundingClientRect();
    return { x: box.x + x, y: box.y + y };
  });
  await eventually(async () => {
    await page.mouse.click(at.x, at.y);
    return own(page, checkpoint).isVisible();
  }, "the list of checkpoints opens");
  await photo(page, options, `nodes-choice${faced ? "-faced" : ""}`);
  await own(page, checkpoint).click();
  await until(page, (name) => window.app.graph.nodes[0].widgets[0].value === name, checkpoint);

  say("the workers' node is added, rendered, and its picture comes back");
  await page.evaluate(() => {
    const { app, LiteGraph } = window;
    app.graph.clear();
    const [ours, save] = ["QmtuiWorkersOnly", "SaveImage"].map((type) => LiteGraph.createNode(type));
    [ours.pos, save.pos] = [[60, 160], [420, 160]];
    save.size = [320, 300];
    app.graph.add(ours);
    app.graph.add(save);
    ours.connect(0, save, 0);
    ours.widgets.find((w) => w.name === "pattern").value = "stripes";
    save.widgets[0].value = "theirs";
  });
  await press(page);
  await until(page, () => window.app.graph.nodes.some((n) => n.imgs?.some((i) => i.naturalWidth === 96 && i.src.includes("theirs_00001_"))));
  await photo(page, options, `nodes-rendered${faced ? "-faced" : ""}`);
}
