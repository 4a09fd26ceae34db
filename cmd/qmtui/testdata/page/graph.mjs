// A small workflow in the real ComfyUI page, and what a person does with it.
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
export function twice(w) {
  const [empty, save] = structuredClone(w.nodes);
  Object.assign(empty, { id: 2, pos: [60, 420], widgets_values: [320, 200, 1, 14503475] });
  Object.assign(save, { id: 10, pos: [420, 480], widgets_values: ["dusk"] });
  empty.outputs[0].links = [2];
  save.inputs[0].link = 2;
  return { ...w, last_node_id: 10, last_link_id: 2, nodes: [...w.nodes, empty, save], links: [...w.links, [2, 2, 0, 10, 0, "IMAGE"]] };
}

export const ready = (page) => page.waitForFunction(() => window.comfyAPI?.app?.app?.graph && window.app?.extensionManager, undefined, { timeout: 90_000 });
export const until = (page, what, arg) => page.waitForFunction(what, arg, { timeout: 120_000, polling: 200 });
/** Waits until the picture stands in the save node. */
export const shown = (page, name) => until(page, (name) => window.app.graph.getNodeById(9)?.imgs?.some((i) => i.naturalWidth > 0 && i.src.includes(name)), name);
/** How many run, and how many wait, as the page's queue panel has it. */
export const queue = (page) => page.evaluate(async () => { const q = await window.comfyAPI.api.api.getQueue(); return [q.Running.length, q.Pending.length]; });
/** Cancels the only one that waits, as the page's buttons do: newer pages by its id. */
export const cancel = (page) => page.evaluate(async () => {
  const { api } = window.comfyAPI.api;
  if (!api.cancelJob) return api.interrupt(null);
  const [item] = (await api.getQueue()).Pending;
  return api.cancelJob(item.id);
});
/** The outputs of the page's history. */
export const history = (page) => page.evaluate(async () => {
  const h = await window.comfyAPI.api.api.getHistory();
  return JSON.stringify(h.History ?? h);
});

/** Writes down what goes wrong in a page. */
export function watch(page) {
  page.problems = [];
  page.on("console", (m) => m.type() === "error" && page.problems.push(m.text()));
  page.on("pageerror", (e) => page.problems.push(e.message));
  return page;
}

export async function load(page, prefix, change = (w) => w) {
  const w = change(structuredClone(workflow));
  w.nodes[1].widgets_values = [prefix];
  await page.evaluate((w) => window.app.loadGraphData(w, true, true, "sunset"), w);
  await page.evaluate(() => window.app.canvas.ds.reset());
}

export const press = (page) => page.locator(".comfyui-queue-button button, [data-testid=queue-button]").first().click();

/** A text of the page itself, not of our banner. */
export const own = (page, text) => page.locator("body > :not(.qmtui-banner, .qmtui-spoken)").getByText(text).first();

/** Opens the queue panel where the page has not done so itself. */
export async function openQueuePanel(page, name) {
  const entry = own(page, name);
  if (await entry.isVisible()) return;
  await page.getByRole("button", { name: "Expand job queue" }).first().click();
  await entry.waitFor();
}
