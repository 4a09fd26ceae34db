// What the page is to be told of a job: ComfyUI's own events, derived from what
// is known of it and from nothing else. Which node a distant worker is at is
// not known, so no border wanders through the graph; a save node has one while
// its files arrive.
import { isOpen } from "./board.js";
import { nodeFiles, nodeOutput } from "./outputs.js";

/**
 * @typedef {{attempt?: number, ended?: number, begun?: object, files?: object, phase?: string}} Told
 *   how much was told already; {} is nothing
 * @returns {{events: {type: string, detail: any}[], told: Told}}
 */
export function follow(job, told = {}) {
  const next = { ...told, begun: { ...told.begun }, files: { ...told.files } };
  const events = [...waiting(job, next), ...start(job, next), ...progress(job, next), ...executed(job, next), ...end(job, next)].map(
    ([type, detail]) => ({ type, detail }),
  );
  return { events, told: next };
}

const attemptOf = (job) => job.attempts?.length || 1;
const millis = (time) => (time ? Date.parse(time) : 0);

/** Pages mark a prompt as waiting for a machine by these words. */
function waiting(job, told) {
  if (!["submitting", "accepted"].includes(job.state) || told.waits === attemptOf(job)) return [];
  told.waits = attemptOf(job);
  return [["notification", { value: `Waiting for a machine: ${job.phase_text}`, id: job.id }]];
}

/** A start that is noticed only after the end is no news: nothing would end it again. */
function start(job, told) {
  const n = attemptOf(job);
  if (told.attempt === n || told.ended === n || !startedAt(job)) return [];
  Object.assign(told, { attempt: n, begun: {} });
  const base = { prompt_id: job.id, timestamp: millis(startedAt(job)) };
  return [["execution_start", base], ["execution_cached", { ...base, nodes: [] }]];
}

const startedAt = (job) => job.attempts?.at(-1)?.started_at ?? null;

/** Save nodes whose files stand on the share: that much is known of a worker. */
function progress(job, told) {
  if (told.attempt !== attemptOf(job)) return [];
  const events = [];
  for (const x of job.expected_nodes ?? []) {
    const { stored, seen } = tally(job, x.node);
    if (!seen || told.begun[x.node] === stored) continue;
    if (!(x.node in told.begun) && isOpen(job)) events.push(["executing", x.node]);
    if (stored && x.count) events.push(["progress", { value: stored, max: Math.max(stored, x.count), prompt_id: job.id, node: x.node }]);
    told.begun[x.node] = stored;
  }
  if (events.length && isOpen(job)) events.push(["progress_state", progressState(job)]);
  return events;
}

/** The save nodes that have begun to write, counted in files. */
export function progressState(job) {
  const nodes = {};
  for (const x of job.expected_nodes ?? []) {
    const { stored, seen } = tally(job, x.node);
    if (!seen) continue;
    const max = Math.max(seen, x.count);
    nodes[x.node] = {
      value: stored, max, state: stored >= max ? "finished" : "running", prompt_id: job.id,
      node_id: x.node, display_node_id: x.node, parent_node_id: null, real_node_id: x.node,
    };
  }
  return { prompt_id: job.id, nodes };
}

function tally(job, node) {
  const files = (job.outputs ?? []).filter((o) => o.node === node && o.attempt === attemptOf(job) && ["seen", "whole", "stored"].includes(o.state));
  return { stored: files.filter((o) => o.state === "stored").length, seen: files.length };
}

/** A node's files, once all are there or the job has ended; again when a late one came. */
function executed(job, told) {
  const events = [];
  for (const [node, files] of nodeFiles(job)) {
    const count = files.length;
    const all = job.expected_nodes?.find((x) => x.node === node)?.count;
    if (told.files[node] === count || (isOpen(job) && !(all && tally(job, node).stored >= all))) continue;
    told.files[node] = count;
    events.push(["executed", { node, display_node: node, output: nodeOutput(files), prompt_id: job.id }]);
  }
  return events;
}

/** A job that was cancelled before it began just leaves the queue. */
function end(job, told) {
  const n = attemptOf(job);
  if (isOpen(job) || told.ended === n) return [];
  told.ended = n;
  if (job.state === "cancelled" && told.attempt !== n) return [];
  return [lastWord(job), ["executing", null]];
}

/** The event of a job's end, also what the history keeps. */
export function lastWord(job) {
  const base = { prompt_id: job.id, timestamp: millis(job.completed_at) };
  if (job.state === "done") return ["execution_success", base];
  if (job.state === "cancelled") return ["execution_interrupted", { ...base, node_id: "", node_type: "", executed: wrote(job) }];
  return ["execution_error", { ...base, executed: wrote(job), ...blame(job) }];
}

const wrote = (job) => (job.expected_nodes ?? []).map((x) => x.node).filter((n) => tally(job, n).seen);

/** What the page's error dialog reads: it breaks when one of these is missing. */
function blame(job) {
  const e = job.error_detail ?? { code: job.state, message: job.error ?? `the job is ${job.state}` };
  return {
    node_id: e.node ?? "", node_type: e.node_type ?? "", exception_type: e.code,
    exception_message: [e.message, e.hint].filter(Boolean).join("; "),
    traceback: e.traceback ?? [], current_inputs: {}, current_outputs: [],
  };
}
