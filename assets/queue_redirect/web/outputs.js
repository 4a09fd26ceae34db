// A job's delivered files, by node, as ComfyUI's executed message holds them.

const AUDIO = /\.(flac|mp3|opus|ogg|wav)$/i;
const MOVING = /\.(mp4|webm|mkv|mov)$/i;
const MOVING_CLASSES = ["SaveAnimatedPNG", "SaveAnimatedWEBP"];

/** @returns {Map<string, object>} output object by node id, in the order in which the nodes were announced */
export function nodeOutputs(job) {
  const files = new Map((job.expected_nodes ?? []).map((x) => [x.node, []]));
  for (const o of delivered(job)) {
    if (!files.has(o.node)) files.set(o.node, []);
    files.get(o.node).push(o);
  }
  const out = new Map();
  for (const [node, list] of files) {
    if (list.length) out.set(node, nodeOutput(list.sort(byName), classOf(job, node)));
  }
  return out;
}

/** Files that stand in the user's own folder and were wanted. */
export const delivered = (job) => (job.outputs ?? []).filter((o) => o.state === "stored" && !o.aside);

export const classOf = (job, node) => job.expected_nodes?.find((x) => x.node === node)?.class ?? "";

function nodeOutput(list, className) {
  const medium = mediumOf(list[0].filename, className);
  const out = { [medium]: list.map(({ filename, subfolder, type }) => ({ filename, subfolder, type })) };
  if (medium === "images" && (MOVING.test(list[0].filename) || MOVING_CLASSES.includes(className))) out.animated = [true];
  return out;
}

/** The key under which ComfyUI reports files of a class, or of a name. */
function mediumOf(name, className) {
  if (className === "VHS_VideoCombine") return "gifs";
  if (AUDIO.test(name)) return "audio";
  if (/\.latent$/i.test(name)) return "latents";
  if (/\.glb$/i.test(name)) return "3d";
  return "images";
}

const byName = (a, b) => compare(a.subfolder, b.subfolder) || compare(a.filename, b.filename);
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
