// Jobs as the manager's API shows them, for the tests.

const base = {
  id: "job-1", user_id: "user001", status: "pending", state: "queued", priority: 2, created_at: "2026-01-31T12:00:00Z", started_at: null,
  completed_at: null, error: null, error_detail: null, phase_text: "next in line", position_in_queue: 0, estimated_wait_time: null, name: "",
  metadata: { comfy: { client_id: "c1", workflow_id: "w1" } }, want: "run", rev: 1, warnings: [], outputs: [],
  attempts: [{ n: 1, started_at: null }], expected_nodes: [{ node: "9", class: "SaveImage", prefix: "ComfyUI", count: 1 }],
};

export const queued = (more = {}) => ({ ...base, ...more });

export const sent = (more = {}) => queued({ state: "submitting", phase_text: "waiting for a GPU, 1m40s of about 5m", rev: 2, ...more });

export const running = (more = {}) =>
  queued({
    state: "running", phase_text: "rendering, 4s of about 12s", started_at: "2026-01-31T12:01:00Z",
    attempts: [{ n: 1, started_at: "2026-01-31T12:01:00Z" }], rev: 3, ...more,
  });

export const file = (more = {}) => ({ id: "o1", node: "9", filename: "sunset_00001_.png", subfolder: "film", type: "output", state: "stored", attempt: 1, aside: false, medium: "images", animated: false, ...more });

export const done = (more = {}) => running({ state: "done", phase_text: "done, 1 file", completed_at: "2026-01-31T12:02:00Z", outputs: [file()], rev: 9, ...more });

export const failed = (more = {}) =>
  running({
    state: "failed", completed_at: "2026-01-31T12:02:00Z", rev: 9,
    error_detail: { code: "execution_error", message: "out of memory", hint: "use a smaller picture", node: "3", node_type: "KSampler", traceback: ["line 1"] }, ...more,
  });
