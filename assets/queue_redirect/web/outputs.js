// A job's delivered files, by node, as ComfyUI's executed message holds them. Under which
// key a file of a node class stands there, the manager says: medium, animated, text.

/** @returns {Map<string, object[]>} delivered files by node id, in the order in which the nodes were announced */
export function nodeFiles(job) {
  const files = new Map((job.expected_nodes ?? []).map((x) => [x.node, []]));
  for (const o of delivered(job)) {
    if (!files.has(o.node)) files.set(o.node, []);
    files.get(o.node).push(o);
  }
  return new Map([...files].filter(([, list]) => list.length).map(([node, list]) => [node, list.sort(byName)]));
}

/** @returns {Map<string, object>} output object by node id, in the same order */
export const nodeOutputs = (job) => new Map([...nodeFiles(job)].map(([node, list]) => [node, nodeOutput(list)]));

/** Files that stand in the user's own folder and were wanted. */
export const delivered = (job) => (job.outputs ?? []).filter((o) => o.state === "stored" && !o.aside);

/** The same as internal/face makes; both are held to internal/api/testdata/kinds.json. */
export function nodeOutput(list) {
  const out = {};
  for (const { filename, subfolder, type, medium, animated, text } of list) {
    if (medium === "result") {
      out.result ??= [[subfolder, filename].filter(Boolean).join("/"), null, []]; // the page shows one model
      continue;
    }
    if (text) (out.text ??= []).push(text);
    if (animated) out.animated = [true];
    (out[medium ?? "images"] ??= []).push({ filename, subfolder, type });
  }
  return out;
}

const byName = (a, b) => compare(a.subfolder, b.subfolder) || compare(a.filename, b.filename);
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
