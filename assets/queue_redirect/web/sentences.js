// The banner's words. How far a job is comes from the manager, as it says it.
import { isOpen } from "./board.js";
import { delivered } from "./outputs.js";

/** @returns {{tone: "wait"|"run"|"good"|"bad"|"quiet", text: string, hint: string}} */
export function sentence(job) {
  if (isOpen(job)) return { tone: ["running", "rendered"].includes(job.state) ? "run" : "wait", text: open(job), hint: job.want === "cancel" ? "" : estimate(job) };
  if (job.state === "done") return { tone: "good", text: done(job), hint: (job.warnings ?? []).map((w) => w.message ?? "").filter(Boolean).join("; ") };
  if (job.state === "cancelled") return { tone: "quiet", text: "Cancelled.", hint: "" };
  return { tone: "bad", ...failure(job) };
}

function open(job) {
  if (job.want === "cancel") return "Cancelling…";
  return capital(job.phase_text || "waiting") + ".";
}

function estimate(job) {
  const s = job.estimated_wait_time;
  return job.state === "queued" && s >= 10 ? `It should start in about ${span(s)}.` : "";
}

function done(job) {
  const names = delivered(job).map((o) => o.filename);
  if (!names.length) return "Done; it wrote no new file.";
  const shown = names.slice(0, 2).join(", ");
  return names.length > 2 ? `Done: ${shown} and ${names.length - 2} more.` : `Done: ${shown}.`;
}

function failure(job) {
  const e = job.error_detail ?? {};
  const where = e.node ? `Node ${e.node}${e.node_type ? ` (${e.node_type})` : ""}: ` : "";
  const lead = job.state === "lost" ? "No sign of this job came in time" : "This did not work";
  const files = delivered(job).length;
  return {
    text: `${lead}: ${where}${end(e.message || job.error || "nobody said why")}`,
    hint: [e.hint && end(capital(e.hint)), files && `${files} of its files came all the same.`].filter(Boolean).join(" ") || "Press Queue to try again.",
  };
}

/** Seconds as people say them. */
export function span(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${s % 60 && s < 600 ? `${s % 60}s` : ""}`;
  return `${Math.floor(s / 3600)}h${Math.floor((s % 3600) / 60)}m`;
}

const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);
const end = (s) => (/[.!?…]$/.test(s) ? s : s + ".");
