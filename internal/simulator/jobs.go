package simulator

import (
	"net/http"
	"strings"
)

// getJob is GET /api/jobs/{id}: queued, running and ended in one answer. 404:
// this replica knows nothing of it.
func (r *replica) getJob(w http.ResponseWriter, id string) {
	if job := r.job(id); job != nil {
		writeJSON(w, http.StatusOK, job)
		return
	}
	writeJSON(w, http.StatusNotFound, dict("error", "Job not found"))
}

func (r *replica) job(id string) *object {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry, ok := r.history.get(id); ok {
		return endedJob(id, entry.(*object))
	}
	if r.running != nil && r.running.id == id {
		return r.running.job("in_progress")
	}
	for _, t := range r.pending {
		if t.id == id {
			return t.job("pending")
		}
	}
	return nil
}

func (t *task) job(status string) *object {
	return jobObject(t.id, status, t.item())
}

// jobObject begins a job from an item of the queue or of history.
func jobObject(id, status string, item []any) *object {
	job := dict("id", id, "status", status, "priority", item[0], "create_time", dig(item[3], "create_time"),
		"outputs_count", number(0), "previewable_outputs_count", number(0))
	if workflow := dig(item[3], "extra_pnginfo", "workflow", "id"); workflow != nil {
		job.set("workflow_id", workflow)
	}
	return job
}

// endedJob is a job that stands in history.
func endedJob(id string, entry *object) *object {
	outcomes := map[string]string{"execution_success": "completed", "execution_error": "failed", "execution_interrupted": "cancelled"}
	item := entry.values["prompt"].([]any)
	job := jobObject(id, "completed", item)
	messages, _ := dig(entry, "status", "messages").([]any)
	for _, m := range messages {
		name, about := m.([]any)[0].(string), m.([]any)[1]
		if name == "execution_start" {
			job.set("execution_start_time", dig(about, "timestamp"))
		}
		if status := outcomes[name]; status != "" {
			job.set("status", status)
			job.set("execution_end_time", dig(about, "timestamp"))
			if name == "execution_error" {
				job.set("execution_error", about)
			}
		}
	}
	outputs := entry.values["outputs"].(*object)
	count := 0
	for _, node := range outputs.keys {
		ui := outputs.values[node].(*object)
		for _, key := range ui.keys {
			list, _ := ui.values[key].([]any)
			for _, o := range list {
				file, ok := o.(*object)
				if !ok {
					continue
				}
				if count++; count == 1 {
					preview := file.copy()
					preview.set("nodeId", node)
					preview.set("mediaType", key)
					job.set("preview_output", preview)
				}
			}
		}
	}
	job.set("outputs_count", number(count))
	job.set("previewable_outputs_count", number(count))
	job.set("outputs", outputs)
	job.set("execution_status", entry.values["status"])
	job.set("workflow", dict("prompt", item[2], "extra_data", item[3]))
	return job
}

// postJobs is POST /api/jobs/{id}/cancel and POST /api/jobs/cancel.
func (r *replica) postJobs(w http.ResponseWriter, q *request) {
	if id, ok := jobID(q.path); ok && strings.HasSuffix(q.path, "/cancel") {
		writeJSON(w, http.StatusOK, dict("cancelled", r.cancel(id)))
		return
	}
	if q.path != "/jobs/cancel" {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	v, err := loads(q.body)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, dict("error", "Request body must be valid JSON"))
		return
	}
	ids, ok := dig(v, "job_ids").([]any)
	if !ok {
		writeJSON(w, http.StatusBadRequest, dict("error", "job_ids must be a list"))
		return
	}
	invalid, cancelled := []any{}, false
	for _, id := range ids {
		if !canonicalUUID(id) {
			invalid = append(invalid, text(id))
		}
	}
	if len(invalid) > 0 {
		writeJSON(w, http.StatusBadRequest, dict("error", "job_ids contains invalid id(s)", "invalid_ids", invalid))
		return
	}
	for _, id := range ids {
		cancelled = r.cancel(id.(string)) || cancelled
	}
	writeJSON(w, http.StatusOK, dict("cancelled", cancelled))
}

// cancel ends a prompt that is queued or runs; false when there is none.
func (r *replica) cancel(id string) bool {
	return r.interrupt(id) || r.remove(func(t *task) bool { return t.id == id })
}

// jobID is the id in /jobs/{id} and /jobs/{id}/cancel.
func jobID(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/jobs/")
	id := strings.TrimSuffix(rest, "/cancel")
	return id, ok && id != "" && id != "cancel"
}
