package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

// as user001, at the face of user001 unless the path says more.
func atFace(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	return ask(h, method, "/comfy/user001"+path, body, "X-Remote-User: user001")
}

// posted submits through the face and returns the prompt_id that it answers.
func posted(t testing.TB, h http.Handler, body string) string {
	t.Helper()
	v := parsed(t, atFace(h, "POST", "/prompt", body), 200).(map[string]any)
	wantShape(t, recorded(t, "posted"), v)
	if _, wrong := v["error"]; wrong {
		t.Errorf("a success that clients take for a failure: %v", v)
	}
	return v["prompt_id"].(string)
}

const (
	recordedPrompt = `"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":64}},"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"t02/client"}}}`
	recordedID     = "692b4fcb-b344-47cd-bcfa-2eae7b3cc315"
)

var wholeBody = `{` + recordedPrompt + `,"prompt_id":"` + recordedID + `","client_id":"11111111-2222-3333-4444-555555555555","extra_data":{"extra_pnginfo":{"workflow":{"id":"wf-1","nodes":[]}}}}`

// one is the only job of the service.
func one(t testing.TB, svc *fakeService) job.Job {
	t.Helper()
	svc.mu.Lock()
	defer svc.mu.Unlock()
	if len(svc.order) != 1 {
		t.Fatalf("there are %d jobs", len(svc.order))
	}
	return svc.jobs[svc.order[0]]
}

func TestFacePromptToHistory(t *testing.T) {
	svc := newFake()
	s := newServer(t, svc, nil)
	h := s.Handler()
	if id := posted(t, h, wholeBody); id != recordedID {
		t.Errorf("the client's prompt_id became %s", id)
	}
	if again := posted(t, h, wholeBody); again != recordedID || len(svc.order) != 1 {
		t.Errorf("the same prompt twice is %d jobs", len(svc.order))
	}
	queue := parsed(t, atFace(h, "GET", "/queue", ""), 200).(map[string]any)
	pending := queue["queue_pending"].([]any)
	if len(pending) != 1 || len(queue["queue_running"].([]any)) != 0 || pending[0].([]any)[1] != recordedID {
		t.Errorf("queue: %v", queue)
	}
	wantShape(t, recorded(t, "queue").(map[string]any)["queue_running"].([]any)[0], pending[0],
		"[2].1.inputs.batch_size", "[2].1.inputs.color", "[2].1.inputs.height", "[2].10", "[2].11", "[2].99")
	wantShape(t, recorded(t, "prompt"), parsed(t, atFace(h, "GET", "/api/prompt", ""), 200))
	if w := atFace(h, "GET", "/history/"+recordedID, ""); strings.TrimSpace(w.Body.String()) != "{}" {
		t.Errorf("history of a waiting prompt: %s", w.Body)
	}
	svc.deliver(t, one(t, svc).ID, "t02/client_00001_.png", somePicture(t, 4, 4))
	missing := []string{".height", ".batch_size", ".color"}
	var except []string
	for _, m := range missing {
		except = append(except, "."+recordedID+".prompt[2].1.inputs"+m, ".workflow.prompt.1.inputs"+m)
	}
	for _, path := range []string{"/history", "/history/" + recordedID, "/api/history?max_items=1", "/history?max_items=5&offset=0"} {
		v := parsed(t, atFace(h, "GET", path, ""), 200)
		wantShape(t, recorded(t, "history"), v, except...)
		entry := v.(map[string]any)[recordedID].(map[string]any)
		want := recorded(t, "history").(map[string]any)[recordedID].(map[string]any)
		if fmt.Sprint(entry["outputs"]) != fmt.Sprint(want["outputs"]) || fmt.Sprint(entry["meta"]) != fmt.Sprint(want["meta"]) {
			t.Errorf("%s: %v, recorded %v", path, entry["outputs"], want["outputs"])
		}
	}
	wantShape(t, recorded(t, "job"), parsed(t, atFace(h, "GET", "/api/jobs/"+recordedID, ""), 200), except...)
	list := parsed(t, atFace(h, "GET", "/jobs?limit=1", ""), 200)
	wantShape(t, recorded(t, "jobs"), list, ".pagination.limit")
	if w := atFace(h, "GET", "/jobs?workflow_id=wf-1&status=completed", ""); !strings.Contains(w.Body.String(), `"total":1`) {
		t.Errorf("by workflow: %s", w.Body)
	}
}

// The lists of newer pages: order, pages, filters, ComfyUI's own refusals.
func TestFaceJobs(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	wantShape(t, recorded(t, "jobs_empty"), parsed(t, atFace(h, "GET", "/jobs", ""), 200))
	for n := range 5 {
		posted(t, h, fmt.Sprintf(`{%s,"prompt_id":"p%d"}`, recordedPrompt, n))
	}
	svc.deliver(t, fakeID(1), "a.png", []byte("x"))
	for _, c := range []struct {
		query, ids  string
		total, more string
	}{
		{"", "p4 p3 p2 p1 p0", "5", "false"}, {"?limit=2", "p4 p3", "5", "true"}, {"?limit=2&offset=3", "p1 p0", "5", "false"}, {"?offset=9", "", "5", "false"},
		{"?sort_order=asc&limit=1", "p0", "5", "true"}, {"?status=pending,%20COMPLETED&limit=9", "p4 p3 p2 p1 p0", "5", "false"},
		{"?status=completed", "p0", "1", "false"}, {"?status=in_progress", "", "0", "false"}, {"?workflow_id=none", "", "0", "false"},
		{"?sort_by=execution_duration&sort_order=asc", "p1 p2 p3 p4 p0", "5", "false"},
	} {
		var got face.Jobs
		if err := json.Unmarshal(atFace(h, "GET", "/api/jobs"+c.query, "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, j := range got.Jobs {
			have = append(have, j.ID)
		}
		page := got.Pagination
		if strings.Join(have, " ") != c.ids || fmt.Sprint(page.Total) != c.total || fmt.Sprint(page.More) != c.more {
			t.Errorf("%s: %v %+v", c.query, have, page)
		}
	}
	for query, sentence := range map[string]string{
		"?status=weird": "Invalid status value(s): weird. Valid values: pending, in_progress, completed, failed, cancelled", "?limit=0": "limit must be a positive integer",
		"?limit=x": "limit must be an integer", "?offset=x": "offset must be an integer", "?sort_by=x": "sort_by must be 'created_at' or 'execution_duration'",
		"?sort_order=x": "sort_order must be 'asc' or 'desc'",
	} {
		v := parsed(t, atFace(h, "GET", "/api/jobs"+query, ""), 400)
		wantShape(t, recorded(t, "jobs_badstatus"), v)
		if v.(map[string]any)["error"] != sentence {
			t.Errorf("%s: %v", query, v)
		}
	}
	wantShape(t, recorded(t, "job_unknown"), parsed(t, atFace(h, "GET", "/jobs/nope", ""), 404))
}

func TestFaceRefusals(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	for body, kind := range map[string]string{
		`{}`: "no_prompt", `[]`: "invalid_prompt", `{`: "invalid_prompt", `{"prompt":{},"number":"x"}`: "invalid_prompt", `{"prompt":{},"number":NaN}`: "invalid_prompt",
		`{"prompt":{},"prompt_id":[1]}`: "invalid_prompt_id", `{"prompt":{},"prompt_id":"é"}`: "invalid_prompt_id", `{"prompt":{},"number":1e999}`: "invalid_prompt",
		`{` + recordedPrompt + `,"partial_execution_targets":["7"]}`: "prompt_no_outputs",
	} {
		w := atFace(h, "POST", "/prompt", body)
		v := parsed(t, w, w.Code).(map[string]any)
		wantShape(t, recorded(t, "refused_no_prompt"), v)
		if got := v["error"].(map[string]any)["type"]; w.Code != 400 || got != kind {
			t.Errorf("%s: %d %v", body, w.Code, v)
		}
	}
	svc.err = &job.Error{Code: "bad_value", Class: job.Invalid, Message: "node 1 does not fit", NodeErrors: []byte(`{"1":{"errors":[{"type":"x","message":"m","details":"d","extra_info":{"input_name":"image"}}],"dependent_outputs":["9"],"class_type":"LoadImage"}}`)}
	v := parsed(t, atFace(h, "POST", "/prompt", wholeBody), 400)
	wantShape(t, recorded(t, "refused_node"), v)
	if got := v.(map[string]any)["error"].(map[string]any)["type"]; got != "prompt_outputs_failed_validation" {
		t.Errorf("a node to blame: %v", got)
	}
	svc.err = &job.Error{Code: "too_many_queued", Class: job.TooMany, Message: "too many wait", RetryAfter: 7}
	if w := atFace(h, "POST", "/prompt", wholeBody); w.Code != 429 || w.Header().Get("Retry-After") != "7" || !strings.Contains(w.Body.String(), `"node_errors":{}`) {
		t.Errorf("over a cap: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if len(svc.order) != 0 {
		t.Errorf("%d refused prompts became jobs", len(svc.order))
	}
}

// A prompt may come as any type of body; front, number and partial execution count.
func TestFacePromptOptions(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	w := ask(h, "POST", "/comfy/user001/api/prompt", "\ufeff{"+recordedPrompt+`,"front":true}`, "X-Remote-User: user001", "Content-Type: application/x-www-form-urlencoded")
	v := parsed(t, w, 200).(map[string]any)
	if j := one(t, svc); v["number"].(float64) >= 0 || j.Priority != job.High || v["prompt_id"] != string(j.ID) || j.By != "" {
		t.Errorf("%v, %+v", v, j.Spec)
	}
	v = parsed(t, atFace(h, "POST", "/prompt", `{`+recordedPrompt+`,"number":-5,"prompt_id":12345,"client_id":["x"]}`), 200).(map[string]any)
	if j, _ := svc.Job(fakeID(2)); v["number"] != -5.0 || v["prompt_id"] != "12345" || j.Priority != job.Normal || face.NoteOf(j).Client != "" {
		t.Errorf("%v, %+v", v, j.Spec)
	}
	both := `"prompt":{"1":{"class_type":"EmptyImage","inputs":{}},"2":{"class_type":"X","inputs":{}},"8":{"class_type":"SaveImage","inputs":{"images":["2",0]}},"9":{"class_type":"SaveImage","inputs":{"images":["1",0]}}}`
	parsed(t, atFace(h, "POST", "/prompt", `{`+both+`,"partial_execution_targets":["9","no"]}`), 200)
	workflow, _, _ := svc.Workflow(fakeID(3))
	var nodes map[string]any
	if err := json.Unmarshal(workflow, &nodes); err != nil || len(nodes) != 2 || nodes["1"] == nil || nodes["9"] == nil {
		t.Errorf("partial execution runs %s", workflow)
	}
}

// Whatever another user asks for, there is nothing of this one.
func TestFaceUsersAreApart(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, func(o *Options) { o.Inputs = t.TempDir() }).Handler()
	posted(t, h, wholeBody)
	mine := one(t, svc)
	stranger := func(method, path, body string) *httptest.ResponseRecorder {
		return ask(h, method, path, body, "X-Remote-User: user002")
	}
	s := newServer(t, svc, nil)
	for _, rt := range s.mounted() {
		path := strings.NewReplacer("{user}", "user001", "{id}", recordedID, "{class}", "SaveImage", "{folder}", "vae").Replace(rt.path)
		wantError(t, stranger(rt.method, path, `{"prompt_id":"`+recordedID+`"}`), 403, "wrong_user")
	}
	for _, id := range []string{recordedID, string(mine.ID)} {
		if w := stranger("GET", "/comfy/user002/history/"+id, ""); strings.TrimSpace(w.Body.String()) != "{}" {
			t.Errorf("history: %s", w.Body)
		}
		parsed(t, stranger("GET", "/comfy/user002/jobs/"+id, ""), 404)
		for _, call := range [][2]string{{"/queue", `{"delete":["` + id + `"],"clear":true}`}, {"/interrupt", `{"prompt_id":"` + id + `"}`}, {"/interrupt", ""}, {"/history", `{"delete":["` + id + `"]}`}} {
			if w := stranger("POST", "/comfy/user002"+call[0], call[1]); w.Code != 200 || w.Body.Len() != 0 {
				t.Errorf("%v: %d %s", call, w.Code, w.Body)
			}
		}
	}
	if j := one(t, svc); j.State() != job.Queued || j.Want == job.WantCancel {
		t.Errorf("another user cancelled it: %s %s", j.State(), j.Want)
	}
	svc.deliver(t, mine.ID, "t02/client_00001_.png", []byte("mine"))
	if w := stranger("GET", "/comfy/user002/view?filename=client_00001_.png&subfolder=t02", ""); w.Code != 404 {
		t.Errorf("view: %d %s", w.Code, w.Body)
	}
	for _, user := range []string{"..", "user001%2f..%2fuser002", "user002%00", "USER 2"} {
		if w := stranger("GET", "/comfy/"+strings.ReplaceAll(user, " ", "%20")+"/queue", ""); w.Code < 300 {
			t.Errorf("user %q: %d %s", user, w.Code, w.Body)
		}
	}
}

func TestFaceCancels(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	for n := range 4 {
		posted(t, h, fmt.Sprintf(`{%s,"prompt_id":"p%d"}`, recordedPrompt, n))
	}
	state := func(n int) job.State { j, _ := svc.Job(fakeID(n + 1)); return j.State() }
	atFace(h, "POST", "/interrupt", "")
	if state(0) != job.Queued {
		t.Error("an interrupt stopped what was never sent")
	}
	svc.mu.Lock()
	for n, kind := range []job.Kind{job.Acknowledged, job.Started} {
		id := fakeID(n + 1)
		check(t, svc.record(job.Fact{Job: id, Kind: job.Assigned, Attempt: 1, At: epoch, PromptID: "w" + string(id), Deployment: "h200", Evidence: job.ByManager},
			job.Fact{Job: id, Kind: kind, Attempt: 1, At: epoch, Evidence: job.ByPlatform}))
	}
	svc.mu.Unlock()
	queue := parsed(t, atFace(h, "GET", "/queue", ""), 200).(map[string]any)
	if running := queue["queue_running"].([]any); len(running) != 1 || running[0].([]any)[1] != "p1" {
		t.Errorf("running: %v", running)
	}
	atFace(h, "POST", "/api/interrupt", `{}`)
	if state(1) != job.Cancelled || state(0) != job.Accepted {
		t.Errorf("the one that runs is %s, the one that waits for a worker %s", state(1), state(0))
	}
	atFace(h, "POST", "/queue", `{"delete":["p2",5]}`)
	if state(2) != job.Cancelled || state(3) != job.Queued {
		t.Errorf("delete: %s %s", state(2), state(3))
	}
	atFace(h, "POST", "/queue", `{"clear":true}`)
	if state(0) != job.Cancelled || state(3) != job.Cancelled {
		t.Errorf("clear: %s %s", state(0), state(3))
	}
	// What was taken from the queue before it began leaves no trace, the rest does.
	if v := parsed(t, atFace(h, "GET", "/history", ""), 200).(map[string]any); len(v) != 1 || v["p1"] == nil {
		t.Errorf("history: %v", v)
	}
	if w := atFace(h, "POST", "/queue", `[`); w.Code != 400 {
		t.Errorf("no object: %d", w.Code)
	}
}

// Later pages cancel by the id of a job, one or several.
func TestFaceCancelsJobs(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	for n := range 3 {
		posted(t, h, fmt.Sprintf(`{%s,"prompt_id":"p%d"}`, recordedPrompt, n))
	}
	theirs := svc.add(t, "user002")
	for _, c := range []struct {
		path, body string
		want       bool
	}{
		{"/jobs/p0/cancel", "", true}, {"/jobs/p0/cancel", "", false}, {"/api/jobs/nobody/cancel", "", false}, {"/jobs/" + string(theirs.ID) + "/cancel", "", false},
		{"/jobs/cancel", `{"job_ids":["p0","p1","` + string(fakeID(3)) + `","` + string(theirs.ID) + `"]}`, true}, {"/api/jobs/cancel", `{"job_ids":["p1"]}`, false},
	} {
		if got := parsed(t, atFace(h, "POST", c.path, c.body), 200).(map[string]any); got["cancelled"] != c.want {
			t.Errorf("%s %s: %v, want %v", c.path, c.body, got, c.want)
		}
	}
	for n, want := range []job.State{job.Cancelled, job.Cancelled, job.Cancelled, job.Queued} {
		if j, _ := svc.Job(fakeID(n + 1)); j.State() != want {
			t.Errorf("job %d is %s, want %s", n, j.State(), want)
		}
	}
	for _, body := range []string{`{}`, `{"job_ids":"p1"}`, `{"job_ids":[5]}`, `[`} {
		if w := atFace(h, "POST", "/jobs/cancel", body); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Clearing a history hides, and loses nothing.
func TestFaceHistoryIsHidden(t *testing.T) {
	svc := newFake()
	now := epoch.Add(time.Hour)
	h := newServer(t, svc, func(o *Options) { o.Now = func() time.Time { return now } }).Handler()
	for n := range 3 {
		posted(t, h, fmt.Sprintf(`{%s,"prompt_id":"p%d"}`, recordedPrompt, n))
		svc.deliver(t, fakeID(n+1), fmt.Sprintf("%d.png", n), []byte("x"))
	}
	ids := func() string {
		d := json.NewDecoder(atFace(h, "GET", "/history", "").Body)
		var all []string
		for depth := 0; ; {
			token, err := d.Token()
			if err != nil {
				return strings.Join(all, " ")
			}
			switch v := token.(type) {
			case json.Delim:
				if depth++; v == '}' || v == ']' {
					depth -= 2
				}
			case string:
				if depth == 1 {
					all = append(all, v)
				}
			}
		}
	}
	if ids() != "p0 p1 p2" {
		t.Errorf("the history has no order: %s", ids())
	}
	atFace(h, "POST", "/history", `{"delete":["p1","unknown"]}`)
	if ids() != "p0 p2" {
		t.Errorf("after delete: %s", ids())
	}
	atFace(h, "POST", "/history", `{"clear":true}`)
	if ids() != "" || len(svc.order) != 3 {
		t.Errorf("after clear: %q of %d", ids(), len(svc.order))
	}
	if v := parsed(t, atFace(h, "GET", "/jobs", ""), 200).(map[string]any)["jobs"].([]any); len(v) != 0 {
		t.Errorf("jobs after clear: %v", v)
	}
	if w := atFace(h, "GET", "/history?max_items=x", ""); w.Code != 422 {
		t.Errorf("max_items=x: %d", w.Code)
	}
}

func TestFaceHistoryOfFailures(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	posted(t, h, `{`+recordedPrompt+`,"prompt_id":"891cf7c8-f556-44c0-9c78-d5b3dd55dbee","client_id":"c4"}`)
	id := fakeID(1)
	svc.mu.Lock()
	check(t, svc.record(job.Fact{Job: id, Kind: job.Assigned, Attempt: 1, At: epoch, PromptID: "w1", Deployment: "h200", Evidence: job.ByManager},
		job.Fact{Job: id, Kind: job.Started, Attempt: 1, At: epoch.Add(time.Second), Evidence: job.ByPlatform},
		job.Fact{Job: id, Kind: job.Broke, Attempt: 1, At: epoch.Add(2 * time.Second), Evidence: job.ByHistory,
			Error: &job.Error{Code: "execution_error", Message: "Saving outside", Node: "9", NodeType: "SaveImage", Traceback: []string{"line 1\n"}}}))
	svc.mu.Unlock()
	except := []string{".891cf7c8-f556-44c0-9c78-d5b3dd55dbee.prompt[2].1.inputs.height", ".891cf7c8-f556-44c0-9c78-d5b3dd55dbee.prompt[2].1.inputs.batch_size",
		".891cf7c8-f556-44c0-9c78-d5b3dd55dbee.prompt[2].1.inputs.color", ".workflow.prompt.1.inputs.height", ".workflow.prompt.1.inputs.batch_size", ".workflow.prompt.1.inputs.color"}
	loose := func(root string) []string { // which inputs a node had, and which ran, is for ComfyUI to say
		return append(except, root+".current_inputs", root+".current_outputs", root+".executed")
	}
	v := parsed(t, atFace(h, "GET", "/history/891cf7c8-f556-44c0-9c78-d5b3dd55dbee", ""), 200)
	wantShape(t, recorded(t, "history_error"), v, loose(".891cf7c8-f556-44c0-9c78-d5b3dd55dbee.status.messages[2][1]")...)
	v = parsed(t, atFace(h, "GET", "/jobs/891cf7c8-f556-44c0-9c78-d5b3dd55dbee", ""), 200)
	wantShape(t, recorded(t, "job_error"), v, append(loose(".execution_error"), loose(".execution_status.messages[2][1]")...)...)
}

func TestFaceView(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, func(o *Options) { o.Subfolder = "{user}" }).Handler()
	posted(t, h, wholeBody)
	svc.deliver(t, fakeID(1), "t02/client_00001_.png", []byte("0123456789"))
	shown := parsed(t, atFace(h, "GET", "/history/"+recordedID, ""), 200)
	if !strings.Contains(fmt.Sprint(shown), "subfolder:user001/t02") {
		t.Errorf("history: %v", shown)
	}
	for query, status := range map[string]int{
		"?filename=client_00001_.png&subfolder=user001/t02&type=output": 200, "?filename=client_00001_.png&subfolder=t02&preview=webp;90&channel=rgb&rand=0.1": 200,
		"?filename=client_00001_.png%20[output]&subfolder=t02": 200, "?filename=nope.png": 404, "": 404, "?filename=../x.png": 400, "?filename=/etc/passwd": 400,
		"?filename=x.png&subfolder=../..": 403, "?filename=x.png&subfolder=a/../b": 403, "?filename=client_00001_.png&subfolder=t02&type=temp": 404, "?filename=a%00b": 400,
	} {
		if w := atFace(h, "GET", "/view"+query, ""); w.Code != status || status == 200 && (w.Body.String() != "0123456789" || w.Header().Get("Content-Type") != "image/png") {
			t.Errorf("%s: %d %v %s", query, w.Code, w.Header(), w.Body)
		}
	}
	w := ask(h, "GET", "/comfy/user001/api/view?filename=client_00001_.png&subfolder=t02", "", "X-Remote-User: user001", "Range: bytes=2-4")
	if w.Code != 206 || w.Body.String() != "234" {
		t.Errorf("range: %d %s", w.Code, w.Body)
	}
}

// What only a worker could tell comes from memory, or not at all.
func TestFaceInfo(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	unknown := []string{".system.required_templates_version", ".system.required_frontend_version"} // null
	wantShape(t, recorded(t, "system_stats"), parsed(t, atFace(h, "GET", "/api/system_stats", ""), 200), append(unknown, ".devices")...)
	wantShape(t, recorded(t, "features"), parsed(t, atFace(h, "GET", "/features", ""), 200), ".assets", ".node_replacements", ".supports_model_type_tags")
	for _, path := range []string{"/embeddings", "/extensions", "/models", "/models/checkpoints"} {
		if w := atFace(h, "GET", path, ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "[]" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := atFace(h, "GET", "/object_info", ""); strings.TrimSpace(w.Body.String()) != "{}" {
		t.Errorf("object_info before anybody was asked: %s", w.Body)
	}
	svc.nodes.JSON = []byte(`{"SaveImage":{"output_node":true},"X":{}}`)
	svc.workers[0].System = &job.System{Version: "0.8.0", Python: "3.13.5", Devices: []job.Device{{Name: "cuda:0 NVIDIA H200", VRAMTotal: 9, VRAMFree: 4}}}
	if w := atFace(h, "GET", "/object_info", ""); !strings.Contains(w.Body.String(), `"X":{}`) {
		t.Errorf("object_info: %s", w.Body)
	}
	if w := atFace(h, "GET", "/object_info/SaveImage", ""); strings.TrimSpace(w.Body.String()) != `{"SaveImage":{"output_node":true}}` {
		t.Errorf("one class: %s", w.Body)
	}
	v := parsed(t, atFace(h, "GET", "/system_stats", ""), 200)
	wantShape(t, recorded(t, "system_stats"), v, unknown...)
	if !strings.Contains(fmt.Sprint(v), "cuda:0 NVIDIA H200") || !strings.Contains(fmt.Sprint(v), "type:cuda") {
		t.Errorf("system_stats: %v", v)
	}
}

func uploadForm(t testing.TB, name string, data []byte, fields ...string) (body, kind string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	file, err := form.CreateFormFile("image", name)
	check(t, err)
	_, err = file.Write(data)
	check(t, err)
	for i := 0; i < len(fields); i += 2 {
		check(t, form.WriteField(fields[i], fields[i+1]))
	}
	check(t, form.Close())
	return b.String(), form.FormDataContentType()
}

func TestFaceUpload(t *testing.T) {
	dir := t.TempDir()
	h := newServer(t, newFake(), func(o *Options) { o.Inputs = dir }).Handler()
	for _, c := range []struct {
		name, data string
		fields     []string
		status     int
		stored     string // path, and the answer's name
	}{
		{"a.png", "one", nil, 200, "a.png"}, {"a.png", "one", nil, 200, "a.png"}, {"a.png", "two", nil, 200, "a (1).png"},
		{"a.png", "three", []string{"overwrite", "true"}, 200, "a.png"}, {"b.png", "x", []string{"subfolder", "sketches/x", "type", "input"}, 200, "sketches/x/b.png"},
		{"../../evil.png", "x", nil, 200, "evil.png"}, {"a.png", "x", []string{"subfolder", "../user002"}, 422, ""}, {"a.png", "x", []string{"subfolder", "/etc/.."}, 422, ""},
		{".hidden", "x", nil, 422, ""}, {"a.png", "x", []string{"type", "output"}, 422, ""},
	} {
		body, kind := uploadForm(t, c.name, []byte(c.data), c.fields...)
		w := ask(h, "POST", "/comfy/user001/upload/image", body, "X-Remote-User: user001", "Content-Type: "+kind)
		if w.Code != c.status {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
			continue
		}
		if c.status == 200 {
			got, err := os.ReadFile(filepath.Join(dir, "user001", c.stored))
			if v := parsed(t, w, 200).(map[string]any); err != nil || string(got) != c.data || v["name"] != filepath.Base(c.stored) || v["type"] != "input" {
				t.Errorf("%+v: %s, %q %v", c, w.Body, got, err)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "user001", ".upload-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	// A link that somebody put into the folder leads nowhere.
	check(t, os.Symlink(t.TempDir(), filepath.Join(dir, "user001", "away")))
	body, kind := uploadForm(t, "a.png", []byte("x"), "subfolder", "away")
	if w := ask(h, "POST", "/comfy/user001/upload/image", body, "X-Remote-User: user001", "Content-Type: "+kind); w.Code < 300 {
		t.Errorf("through a link: %d %s", w.Code, w.Body)
	}
	off := newServer(t, newFake(), nil).Handler()
	wantError(t, ask(off, "POST", "/comfy/user001/upload/image", body, "X-Remote-User: user001", "Content-Type: "+kind), 503, "no_inputs")
	wantError(t, ask(h, "POST", "/comfy/user001/upload/image", "x", "X-Remote-User: user001"), 400, "bad_form")
	wantError(t, ask(h, "POST", "/comfy/user001/upload/image", body, "X-Remote-User: user001", "Content-Type: "+kind, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"), 403, "cross_origin")
}

// Workers are shared: nobody unloads the models that others use.
func TestFreeDoesNothing(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	for _, path := range []string{"/comfy/user001/free", "/comfy/user001/api/free"} {
		if w := ask(h, "POST", path, `{"unload_models":true,"free_memory":true}`); w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
}
