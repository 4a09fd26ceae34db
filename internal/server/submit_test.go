package server

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func TestSubmitRefusals(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
		code       string
	}{
		{"nothing", "", nil, 400, "bad_json"},
		{"not JSON", "workflow", nil, 400, "bad_json"},
		{"half", `{"user_id":"user001"`, nil, 400, "bad_json"},
		{"two", `{"user_id":"user001","workflow":{}} {}`, nil, 400, "bad_json"},
		{"two byte order marks", "\ufeff\ufeff" + `{"user_id":"user001","workflow":{}}`, nil, 400, "bad_json"},
		{"a list", `[1]`, nil, 400, "bad_json"},
		{"no user", `{"workflow":{}}`, nil, 422, "missing_field"},
		{"no workflow", `{"user_id":"user001"}`, nil, 422, "missing_field"},
		{"null workflow", `{"user_id":"user001","workflow":null}`, nil, 422, "missing_field"},
		{"user is a number", `{"user_id":1,"workflow":{}}`, nil, 422, "bad_field"},
		{"user climbs", `{"user_id":"../x","workflow":{}}`, nil, 422, "bad_user"},
		{"user with a slash", `{"user_id":"a/b","workflow":{}}`, nil, 422, "bad_user"},
		{"user with a newline", `{"user_id":"a\nb","workflow":{}}`, nil, 422, "bad_user"},
		{"long user", `{"user_id":"` + strings.Repeat("a", 101) + `","workflow":{}}`, nil, 422, "bad_user"},
		{"priority 4", `{"user_id":"user001","workflow":{},"priority":4}`, nil, 422, "bad_priority"},
		{"priority in words", `{"user_id":"user001","workflow":{},"priority":"high"}`, nil, 422, "bad_field"},
		{"long name", `{"user_id":"user001","workflow":{},"name":"` + strings.Repeat("é", 201) + `"}`, nil, 422, "bad_field"},
		{"name with an escape", `{"user_id":"user001","workflow":{},"name":"\u001b[2J"}`, nil, 422, "bad_field"},
		{"NaN", `{"user_id":"user001","workflow":{"1":{"inputs":{"x":NaN}}}}`, nil, 400, "bad_number"},
		{"Infinity", `{"user_id":"user001","workflow":{"1":{"inputs":{"x":-Infinity}}}}`, nil, 400, "bad_number"},
		{"depth 10,000", `{"user_id":"user001","workflow":` + deep + `}`, nil, 422, "too_deep"},
		{"not UTF-8", "{\"user_id\":\"user001\",\"workflow\":{},\"name\":\"\xff\"}", nil, 400, "bad_text"},
		{"11 MB", `{"user_id":"user001","workflow":{"x":"` + strings.Repeat("x", 11_000_000) + `"}}`, nil, 413, "too_large"},
		{"30 MB", strings.Repeat("x", 30_000_000), nil, 413, "too_large"},
		{"2 MB of metadata", `{"user_id":"user001","workflow":{},"metadata":"` + strings.Repeat("x", 2_000_000) + `"}`, nil, 413, "too_large"},
		{"text", `{"user_id":"user001","workflow":{}}`, []string{"Content-Type: text/plain"}, 415, "unsupported_media_type"},
		{"a form", `user_id=user001`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		{"packed", `x`, []string{"Content-Encoding: gzip"}, 415, "unsupported_media_type"},
		{"odd type", `{}`, []string{"Content-Type: ;;"}, 415, "unsupported_media_type"},
		{"long key", `{"user_id":"user001","workflow":{}}`, []string{"Idempotency-Key: " + strings.Repeat("k", 201)}, 422, "bad_field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newFake()
			w := ask(newServer(t, svc, nil).Handler(), "POST", "/api/jobs", c.body, c.headers...)
			b := wantError(t, w, c.status, c.code)
			if len(svc.order) != 0 {
				t.Error("a job was made")
			}
			if b.Error.Type == "" || string(b.NodeErrors) != "{}" || string(b.Error.ExtraInfo) != "{}" {
				t.Errorf("ComfyUI's page cannot show this: %s", w.Body)
			}
		})
	}
}

func TestSubmitAccepts(t *testing.T) {
	for _, c := range []struct {
		name, body string
		headers    []string
		check      func(api.Job) bool
	}{
		{"the first site's form", `{"user_id":"user001","workflow":{"1":{}},"priority":2,"metadata":{}}`, []string{"Content-Type: application/json"},
			func(j api.Job) bool { return j.Priority == job.Normal && j.Status == "pending" }},
		{"a byte order mark", "\ufeff" + `{"user_id":"user001","workflow":{"1":{}}}`, nil, func(j api.Job) bool { return j.Status == "pending" }},
		{"no priority", `{"user_id":"user001","workflow":{}}`, nil, func(j api.Job) bool { return j.Priority == job.Normal }},
		{"priority 0 on this machine", `{"user_id":"user001","workflow":{},"priority":0}`, nil, func(j api.Job) bool { return j.Priority == job.Instructor }},
		{"a deployment on this machine", `{"user_id":"user001","workflow":{},"deployment":"h200"}`, nil, func(j api.Job) bool { return j.Asked == "h200" }},
		{"charset", `{"user_id":"user001","workflow":{}}`, []string{"Content-Type: application/json; charset=utf-8"}, nil},
		{"unknown keys", `{"user_id":"user001","workflow":{},"client_id":"x"}`, nil, nil},
		{"nulls", `{"user_id":"user001","workflow":{},"metadata":null,"extra_data":null,"priority":null}`, nil, func(j api.Job) bool { return string(j.Metadata) == "null" }},
		{"NaN in a text", `{"user_id":"user001","workflow":{"a":"NaN \"Infinity"}}`, nil, nil},
		{"depth 150", `{"user_id":"user001","workflow":` + strings.Repeat("[", 150) + strings.Repeat("]", 150) + `}`, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newFake()
			w := ask(newServer(t, svc, nil).Handler(), "POST", "/api/jobs", c.body, c.headers...)
			var j api.Job
			if err := json.Unmarshal(w.Body.Bytes(), &j); err != nil || w.Code != 201 || w.Header().Get("Location") != "/api/jobs/"+string(j.ID) {
				t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
			}
			if c.check != nil && !c.check(j) {
				t.Errorf("%s", w.Body)
			}
		})
	}
}

// The service's refusal of a prompt is told in ComfyUI's words.
func TestRefusalInComfyWords(t *testing.T) {
	svc := newFake()
	svc.err = &job.Error{Code: "bad_link", Class: job.Invalid, Message: "node 9 links to node 404, which is not there", Hint: "export it again",
		NodeErrors: []byte(`{"9":{"errors":[],"dependent_outputs":["9"],"class_type":"SaveImage"}}`)}
	w := ask(newServer(t, svc, nil).Handler(), "POST", "/api/jobs", goodBodies["POST /api/jobs"])
	wantError(t, w, 400, "bad_link")
	var page struct {
		Error struct {
			Type, Message, Details string
			ExtraInfo              map[string]any `json:"extra_info"`
		}
		NodeErrors map[string]struct {
			ClassType string `json:"class_type"`
		} `json:"node_errors"`
		Detail string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	if page.Error.Type != "prompt_outputs_failed_validation" || page.Error.Details != "export it again" || page.Error.ExtraInfo == nil ||
		page.NodeErrors["9"].ClassType != "SaveImage" || page.Detail != svc.err.(*job.Error).Message+"; export it again" {
		t.Errorf("%s", w.Body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	first := ask(h, "POST", "/api/jobs", goodBodies["POST /api/jobs"], "Idempotency-Key: abc")
	again := ask(h, "POST", "/api/jobs", goodBodies["POST /api/jobs"], "Idempotency-Key: abc")
	if first.Code != 201 || again.Code != 200 || first.Body.String() != again.Body.String() || len(svc.order) != 1 {
		t.Errorf("%d %d, %d jobs", first.Code, again.Code, len(svc.order))
	}
}

// 100 posts by 20 clients at once: every one is a job, and each a job of its own.
func TestBurst(t *testing.T) {
	svc := newFake()
	tcp, socket := serve(t, svc, nil)
	var all sync.WaitGroup
	for client := range 20 {
		c := tcp
		if client%2 == 1 {
			c = socket
		}
		all.Go(func() {
			for range 5 {
				if _, _, err := c.Submit(t.Context(), api.SubmitRequest{User: "user001", Workflow: []byte(`{"9":{}}`)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if len(svc.order) != 100 {
		t.Errorf("%d jobs", len(svc.order))
	}
}

// A body over the bound is answered, not cut: the caller learns why.
func TestTooLargeIsAnsweredOnTheWire(t *testing.T) {
	tcp, socket := serve(t, newFake(), nil)
	workflow := []byte(`{"x":"` + strings.Repeat("x", 24_000_000) + `"}`)
	for _, c := range []*api.Client{tcp, socket} {
		_, _, err := c.Submit(t.Context(), api.SubmitRequest{User: "user001", Workflow: workflow})
		if e := job.AsError(err); e == nil || e.Code != "too_large" {
			t.Errorf("%v", err)
		}
	}
}

// FuzzSubmit: whatever arrives is answered with a job or with a whole error,
// and no job is made of a body without a user's name.
func FuzzSubmit(f *testing.F) {
	for _, seed := range []string{goodBodies["POST /api/jobs"], `{"user_id":"../x","workflow":{}}`, `{"user_id":"a","workflow":[NaN]}`, `{"workflow":`, "\"\\", `{"user_id":"a","workflow":{},"priority":1e2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		svc := newFake()
		h := newServer(t, svc, nil).Handler()
		r := httptest.NewRequest("POST", "/api/jobs", bytes.NewReader(body))
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case w.Code == 201:
			if len(svc.order) != 1 || job.CheckUser(svc.jobs[svc.order[0]].User) != nil || !json.Valid(body) {
				t.Errorf("%q became a job", body)
			}
		case w.Code >= 400 && w.Code < 500:
			var b api.ErrorBody
			if json.Unmarshal(w.Body.Bytes(), &b) != nil || b.Error.Code == "" || b.Detail == "" || len(svc.order) != 0 {
				t.Errorf("%q: %s", body, w.Body)
			}
		default:
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
