// Every kind of output that a real ComfyUI makes without a model, in a real page.
import { openQueuePanel, own, press, ready, until, watch } from "./graph.mjs";

// The save node, the nodes before it by class, and what its node is told; the later ones
// are of ComfyUI 0.33.
const kinds = [
  ["SaveImage", ["EmptyImage"], ["images"]],
  ["SaveAnimatedWEBP", ["EmptyImage"], ["images", "animated"]],
  ["SaveVideo", ["EmptyImage", "CreateVideo"], ["images", "animated"]],
  ["SaveAudio", ["EmptyAudio"], ["audio"]],
  ["SaveGLB", ["QmtuiTestMesh"], ["3d"]],
  ["SaveText", ["PrimitiveString"], ["text", "files"]],
  ["Save3DAdvanced", ["QmtuiTestMesh", "MeshToFile3D"], ["result"]],
];
const values = { width: 96, height: 64, batch_size: 2, color: 3368703, duration: 1, value: "hello from the worker" };

/** Builds the chains that this page has the classes for; returns the ids of their save nodes by class. */
function build({ kinds, values }) {
  const graph = window.app.graph, saves = {};
  graph.clear();
  window.app.canvas.ds.reset();
  let row = 0;
  for (const [save, before] of kinds) {
    const classes = [...before, save];
    if (!classes.every((c) => c in window.LiteGraph.registered_node_types)) continue;
    let last = null;
    classes.forEach((c, column) => {
      const node = window.LiteGraph.createNode(c);
      node.pos = c === save ? [340 + 330 * (row % 4), 80 + 400 * Math.floor(row / 4)] : [-400 * (column + 1), 200 * row];
      if (c === save) node.size = [300, 330];
      graph.add(node);
      for (const w of node.widgets ?? []) {
        if (w.name in values && c !== save) w.value = values[w.name];
        if (w.name === "filename_prefix") w.value = `kind_${save}`;
      }
      if (last) last.connect(0, node, node.inputs.findIndex((i) => i.link == null && !i.widget));
      last = node;
    });
    saves[save] = last.id;
    row++;
  }
  return saves;
}

export default async function ({ person, logIn, ask, check, eventually, say, options }) {
  const faced = (await ask("way")) === "face";
  const page = watch(await (await person(faced ? "" : "user001")).newPage());
  await page.goto(`${options.site}/user001/`);
  if (faced) await logIn(page, "user001");
  await ready(page);
  await ask("wake");
  await page.reload();
  await ready(page);
  await eventually(() => page.evaluate(() => "QmtuiTestMesh" in window.LiteGraph.registered_node_types), "the workers' nodes are there");

  say("one of each kind");
  const told = [];
  await page.exposeFunction("qmtuiTold", (node, output) => told.push([String(node), output]));
  await page.evaluate(() => window.comfyAPI.api.api.addEventListener("executed", (e) => window.qmtuiTold(e.detail.node, e.detail.output)));
  const saves = await page.evaluate(build, { kinds, values });
  await press(page);
  for (const [save, , keys] of kinds) {
    if (!(save in saves)) {
      say(`${save}: not in this version`);
      continue;
    }
    await eventually(() => told.some(([node]) => node === String(saves[save])), `${save} is told`);
    const [, output] = told.findLast(([node]) => node === String(saves[save]));
    check(String(Object.keys(output).sort()) === String([...keys].sort()), `${save} is told ${JSON.stringify(output)}`);
    say(`${save}: ${JSON.stringify(output)}`);
  }
  await until(page, (id) => window.app.graph.getNodeById(id).imgs?.some((i) => i.naturalWidth > 0), saves.SaveImage);
  if ("SaveText" in saves) {
    await until(page, (id) => window.app.graph.getNodeById(id).widgets.some((w) => w.value === "hello from the worker"), saves.SaveText);
    check(!(await page.evaluate((id) => window.app.graph.getNodeById(id).imgs?.length, saves.SaveText)), "a text has no thumbnail");
  }
  await page.waitForLoadState("networkidle").catch(() => {});
  await page.evaluate(() => {
    Object.assign(window.app.canvas.ds, { scale: 0.6, offset: [-200, 30] }); // all save nodes are in sight
    window.app.graph.setDirtyCanvas(true, true);
  });
  await page.locator(".qmtui-banner").getByRole("button", { name: "OK" }).first().click({ timeout: 2000 }).catch(() => {});
  await page.waitForLoadState("networkidle").catch(() => {});
  await page.screenshot({ path: `${options.pictures}/kinds${faced ? "-faced" : ""}.png` });
  check(!(await own(page, /Unable to get model file path/).isVisible()), "the page finds the model");
  await openQueuePanel(page, "kind_SaveImage_00001_").catch(() => say("no queue panel names the picture"));
  await page.screenshot({ path: `${options.pictures}/kinds-queue${faced ? "-faced" : ""}.png` });
  const flags = await page.evaluate(() => window.comfyAPI.api.api.serverFeatureFlags?.value ?? window.comfyAPI.api.api.serverFeatureFlags);
  say(`flags ${JSON.stringify(flags)}`);
  check(flags?.extension?.manager?.supports_v4 === true && flags?.supports_preview_metadata !== undefined, "the page keeps its server's flags");
}
