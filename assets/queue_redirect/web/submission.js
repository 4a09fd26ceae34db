// What the page posts to ComfyUI's /prompt, as the manager takes it, and the
// manager's answers in the words that the page reads.
import { partOf } from "./partial.js";

/** Keys of extra_data that are a person's secrets or only for a local server. */
const KEPT_BACK = ["auth_token_comfy_org", "api_key_comfy_org", "preview_method"];

/** Priorities of POST /api/jobs. */
const HIGH = 1;

/**
 * @param {object} body of POST /prompt, as the page made it
 * @param {{user: string, name?: string}} who
 * @returns {object} the body of POST /api/jobs
 */
export function jobRequest(body, { user, name }) {
  const extra = Object.fromEntries(Object.entries(body.extra_data ?? {}).filter(([k, v]) => !KEPT_BACK.includes(k) && v != null));
  const workflowID = extra.extra_pnginfo?.workflow?.id;
  const request = {
    user_id: user,
    workflow: partOf(body.prompt, body.partial_execution_targets),
    extra_data: extra,
    metadata: { comfy: { client_id: text(body.client_id), workflow_id: text(workflowID) } },
  };
  if (name) request.name = name;
  if (body.front) request.priority = HIGH;
  return request;
}

const text = (v) => (typeof v === "string" ? v.slice(0, 150) : "");

/** The answer of POST /prompt for a job that was taken. */
export function accepted(job) {
  return { prompt_id: job.id, number: numberOf(job), node_errors: {} };
}

/**
 * What stands for ComfyUI's running number: milliseconds since 2026 (UTC),
 * which grow as ComfyUI's numbers do.
 */
export function numberOf(job) {
  return Date.parse(job.created_at) - Date.UTC(2026, 0, 1);
}

/** The answer of POST /prompt for a refusal: what the page's error dialog reads. */
export function refused(status, body) {
  const e = body?.error ?? {};
  const message = e.message || `the queue manager answered ${status}`;
  return {
    error: { type: e.type || e.code || "queue_manager", message, details: e.details || e.hint || "", extra_info: e.extra_info ?? {} },
    node_errors: body?.node_errors ?? {},
  };
}
