package simulator

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// answer is the replica's HTTP server. Statuses, types and bodies are those
// recorded from ComfyUI 0.8.0 (transcripts 01-get, 03-prompt-errors).
func (r *replica) answer(w http.ResponseWriter, q *request) {
	if q.method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	if q.method == http.MethodHead {
		r.get(w, q)
		return
	}
	routes := map[string]func(http.ResponseWriter, *request){
		"POST /prompt": r.postPrompt, "POST /queue": r.postQueue, "POST /interrupt": r.postInterrupt,
		"POST /history": r.postHistory, "POST /free": r.postFree,
	}
	switch handle := routes[q.method+" "+q.path]; {
	case handle != nil:
		handle(w, q)
	case q.method == http.MethodPost && q.api && r.modern() && strings.HasPrefix(q.path, "/jobs/"):
		r.postJobs(w, q)
	case q.method == http.MethodGet:
		r.get(w, q)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = w.Write([]byte("405: Method Not Allowed"))
	}
}

func (r *replica) get(w http.ResponseWriter, q *request) {
	switch dir, name := splitPath(q.path); {
	case q.path == "/":
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>ComfyUI (simulated)</title>\n"))
	case q.path == "/prompt":
		writeJSON(w, 200, dict("exec_info", dict("queue_remaining", number(r.load()))))
	case q.path == "/queue":
		writeJSON(w, 200, r.queueState())
	case q.path == "/history":
		r.getHistory(w, q)
	case dir == "/history" && name != "":
		writeJSON(w, 200, r.historyOf(name))
	case q.path == "/system_stats":
		writeJSON(w, 200, r.systemStats())
	case q.path == "/features":
		writeJSON(w, 200, r.features())
	case q.path == "/object_info":
		writeJSON(w, 200, r.catalog().info)
	case dir == "/object_info" && name != "":
		writeJSON(w, 200, r.catalog().named(name))
	case q.path == "/node_replacements" && r.modern():
		writeJSON(w, 200, replacements())
	case q.api && dir == "/jobs" && name != "":
		r.getJob(w, name)
	case q.path == "/embeddings", q.path == "/extensions":
		writeJSON(w, 200, []any{})
	case q.path == "/view":
		r.view(w, q)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(http.StatusNotFound)
	}
}

// splitPath cuts "/history/a%2Fb" into "/history" and "a/b".
func splitPath(path string) (dir, name string) {
	i := strings.Index(path[min(1, len(path)):], "/") + 1
	if i <= 0 {
		return path, ""
	}
	name, err := url.PathUnescape(path[i+1:])
	if err != nil || strings.Contains(path[i+1:], "/") {
		return path, ""
	}
	return path[:i], name
}

// named is the answer to GET /object_info/{name}.
func (c *catalog) named(name string) *object {
	if c.classes[name] == nil {
		return dict()
	}
	return dict(name, c.classes[name].info)
}

func (r *replica) features() *object {
	f := dict("supports_preview_metadata", true, "max_upload_size", number(maxBody), "extension", dict("manager", dict("supports_v4", true)))
	if r.modern() {
		f.set("supports_model_type_tags", true)
		f.set("node_replacements", true)
		f.set("assets", false)
	}
	return f
}

func (r *replica) queueState() *object {
	r.mu.Lock()
	defer r.mu.Unlock()
	running, pending := []any{}, []any{}
	if r.running != nil {
		running = append(running, r.running.item())
	}
	for _, t := range r.pending {
		pending = append(pending, t.item())
	}
	return dict("queue_running", running, "queue_pending", pending)
}

// getHistory answers all of it, or the last max_items.
func (r *replica) getHistory(w http.ResponseWriter, q *request) {
	limit := -1
	if raw := q.query.Get("max_items"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil {
			trouble(w)
			return
		}
		limit = n
	}
	r.mu.Lock()
	all := r.history.copy()
	r.mu.Unlock()
	if limit >= 0 && limit < len(all.keys) {
		all.keys = all.keys[len(all.keys)-limit:]
	}
	writeJSON(w, 200, all)
}

func (r *replica) historyOf(id string) *object {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry, ok := r.history.get(id)
	if !ok {
		return dict()
	}
	return dict(id, entry)
}

func (r *replica) systemStats() *object {
	argv := []any{"/srv/ComfyUI/main.py", "--listen", "0.0.0.0", "--port", "8188"}
	if r.dep.spec.ContainerDisk == "" {
		argv = append(argv, "--output-directory", r.outputFolder())
	}
	if in := r.dep.fleet.cfg.Inputs; in != "" {
		argv = append(argv, "--input-directory", in)
	}
	ram, vram := integer("201863462912"), integer("150109880320")
	device := dict("name", "cuda:0 NVIDIA H200 (simulated) : cudaMallocAsync", "type", "cuda", "index", number(0),
		"vram_total", vram, "vram_free", integer("149000000000"), "torch_vram_total", vram, "torch_vram_free", vram)
	system := dict("os", "linux", "ram_total", ram, "ram_free", ram, "comfyui_version", string(r.dep.spec.Version),
		"required_frontend_version", "1.35.9", "installed_templates_version", nil, "required_templates_version", "0.7.67",
		"python_version", "3.13.5 (simulated)", "pytorch_version", "2.6.0+cu126", "embedded_python", false, "argv", argv)
	if r.modern() {
		system.set("required_frontend_version", "1.49.6")
		system.set("installed_templates_version", "0.11.44")
		system.set("required_templates_version", "0.11.44")
		system.set("comfy_package_versions", []any{dict("name", "comfyui-frontend-package", "installed", "1.49.6", "required", "1.49.6")})
		system.set("deploy_environment", "local-git")
	}
	return dict("system", system, "devices", []any{device})
}

// view serves a file of the output folder or a preview, even a half one.
func (r *replica) view(w http.ResponseWriter, q *request) {
	name, sub := q.query.Get("filename"), q.query.Get("subfolder")
	if name == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if strings.HasPrefix(name, "/") || strings.Contains(name, "..") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !inside(r.outputFolder(), sub) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	r.mu.Lock()
	body := r.previews[name]
	r.mu.Unlock()
	if q.query.Get("type") != "temp" {
		body = readRegular(filepath.Join(r.outputFolder(), sub, filepath.Base(name)))
	}
	if body == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", http.DetectContentType(body))
	_, _ = w.Write(body)
}

// readRegular reads a file as it stands; nil when it is none. A pipe would
// hold the reader for ever.
func readRegular(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return body
}

func (r *replica) postQueue(w http.ResponseWriter, q *request) {
	r.clearOrDelete(w, q, func(ids map[string]bool) {
		r.remove(func(t *task) bool { return ids == nil || ids[t.id] })
	})
}

func (r *replica) postHistory(w http.ResponseWriter, q *request) {
	r.clearOrDelete(w, q, func(ids map[string]bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, id := range append([]string(nil), r.history.keys...) {
			if ids == nil || ids[id] {
				r.history.pop(id)
			}
		}
	})
}

// clearOrDelete reads {"clear":true} and {"delete":[ids]}; the answer is 200
// and empty whether anything was there or not. apply gets nil for all.
func (r *replica) clearOrDelete(w http.ResponseWriter, q *request, apply func(map[string]bool)) {
	v, err := loads(q.body)
	if _, list := v.([]any); list && err == nil {
		return
	}
	body, ok := v.(*object)
	if err != nil || !ok {
		trouble(w)
		return
	}
	if truth(body.values["clear"]) {
		apply(nil)
	}
	ids, has := body.get("delete")
	switch list := ids.(type) {
	case []any:
		named := map[string]bool{}
		for _, id := range list {
			if s, ok := id.(string); ok {
				named[s] = true
			}
		}
		apply(named)
	case string, *object:
		// Python walks its letters or keys; none of them is an id.
	default:
		if has {
			trouble(w)
		}
	}
}

func (r *replica) postInterrupt(w http.ResponseWriter, q *request) {
	v, err := loads(q.body)
	if err != nil {
		v = dict()
	}
	body, ok := v.(*object)
	if !ok {
		trouble(w)
		return
	}
	id := body.values["prompt_id"]
	if !truth(id) {
		r.interrupt("")
		return
	}
	if s, ok := id.(string); ok {
		r.interrupt(s)
	}
}

func (r *replica) postFree(w http.ResponseWriter, q *request) {
	v, err := loads(q.body)
	body, ok := v.(*object)
	if err != nil || !ok {
		trouble(w)
		return
	}
	if truth(body.values["free_memory"]) {
		r.mu.Lock()
		r.cache = map[string]cached{}
		r.mu.Unlock()
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body := dumps(v)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// trouble is aiohttp's answer to an exception in a handler.
func trouble(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write([]byte("500 Internal Server Error\n\nServer got itself in trouble"))
}

// notFound is the platform's answer to an unknown deployment and to a
// missing or wrong key alike.
func notFound(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("404 page not found\n"))
}
