// The user's jobs as the page's queue panel and history read them.
import { isOpen, isWaiting } from "./board.js";
import { nodeFiles, nodeOutputs } from "./outputs.js";
import { lastWord } from "./story.js";
import { numberOf } from "./submission.js";

/**
 * [number, prompt_id, prompt, extra_data, outputs_to_execute]. Pages take only
 * history entries whose number is higher than the last they know, so an ended
 * job's number is that of its end: jobs that pass each other are all shown.
 *
 * @param {{workflow?: object, extra_data?: object}} bodies what was submitted, as far as it is known
 */
export function queueItem(job, bodies = {}) {
  const number = isOpen(job) ? numberOf(job) : numberOf({ created_at: job.completed_at });
  const extra = { ...bodies.extra_data, client_id: job.metadata?.comfy?.client_id ?? "", create_time: Date.parse(job.created_at) };
  return [number, job.id, bodies.workflow ?? {}, extra, (job.expected_nodes ?? []).map((x) => x.node)];
}

/** The answer of GET /queue. */
export function queue(jobs, bodiesOf) {
  const items = (which) => jobs.filter((j) => isOpen(j) && which(j)).map((j) => queueItem(j, bodiesOf(j.id)));
  return { queue_running: items((j) => !isWaiting(j)), queue_pending: items(isWaiting) };
}

/** ComfyUI keeps nothing of what was taken from the queue before it began. */
export const inHistory = (job) => !isOpen(job) && (job.state !== "cancelled" || Boolean(job.started_at));

/** The answer of GET /history: entries by prompt_id, oldest first. */
export function history(jobs, bodiesOf) {
  return Object.fromEntries(jobs.filter(inHistory).reverse().map((j) => [j.id, entry(j, bodiesOf(j.id))]));
}

function entry(job, bodies) {
  const nodes = [...nodeOutputs(job)];
  return {
    prompt: queueItem(job, bodies),
    outputs: Object.fromEntries(nodes),
    status: statusOf(job),
    meta: Object.fromEntries(nodes.map(([id]) => [id, { node_id: id, display_node: id, parent_node: null, real_node_id: id }])),
  };
}

function statusOf(job) {
  const good = job.state === "done";
  const messages = [];
  if (job.started_at) messages.push(["execution_start", { prompt_id: job.id, timestamp: Date.parse(job.started_at) }]);
  messages.push(lastWord(job));
  return { status_str: good ? "success" : "error", completed: good, messages };
}

/** A job's status in the words of GET /jobs. */
export function listedStatus(job) {
  if (isOpen(job)) return isWaiting(job) ? "pending" : "in_progress";
  return { done: "completed", cancelled: "cancelled" }[job.state] ?? "failed";
}

/** Files that the page shows in its lists: a text has no picture. */
const previewable = (o) => ["images", "audio", "video"].includes(o.medium) || /\.glb$/i.test(o.filename);

/** A job as newer pages' GET /jobs lists it. */
export function listed(job) {
  const item = { id: job.id, status: listedStatus(job), priority: numberOf(job), create_time: Date.parse(job.created_at), outputs_count: 0 };
  const workflow = job.metadata?.comfy?.workflow_id;
  if (workflow) item.workflow_id = workflow;
  if (isOpen(job)) return item;
  if (job.started_at) item.execution_start_time = Date.parse(job.started_at);
  item.execution_end_time = Date.parse(job.completed_at);
  const [type, detail] = lastWord(job);
  if (type === "execution_error") item.execution_error = detail;
  for (const [nodeId, files] of nodeFiles(job)) {
    item.outputs_count += files.length;
    const shown = files.find(previewable);
    if (!shown) continue;
    const { filename, subfolder, type, medium: mediaType } = shown;
    item.preview_output ??= { filename, subfolder, type, nodeId, mediaType };
  }
  return item;
}

/** The answer of newer pages' GET /jobs. */
export function jobsPage(jobs, query) {
  const wanted = query.get("status")?.split(",");
  const offset = Number(query.get("offset") ?? 0);
  const all = jobs.filter((j) => isOpen(j) || inHistory(j)).map(listed).filter((j) => !wanted || wanted.includes(j.status));
  all.sort((a, b) => (b.execution_end_time ?? b.create_time) - (a.execution_end_time ?? a.create_time));
  if (query.get("sort_order") === "asc") all.reverse();
  const limit = Number(query.get("limit") ?? all.length);
  const page = all.slice(offset, offset + limit);
  return { jobs: page, pagination: { offset, limit, total: all.length, has_more: offset + page.length < all.length } };
}

/** The answer of newer pages' GET /jobs/{id}. */
export function jobDetail(job, bodies) {
  return {
    ...listed(job),
    outputs: Object.fromEntries(nodeOutputs(job)),
    execution_status: isOpen(job) ? undefined : statusOf(job),
    workflow: { prompt: bodies?.workflow ?? {}, extra_data: bodies?.extra_data ?? {} },
  };
}
