package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}

func newServer(t testing.TB, svc Service, change func(*Options)) *Server {
	t.Helper()
	o := Options{Service: svc, Version: "test", TrustedProxies: loopback, UserHeader: "X-Remote-User", Admins: []string{"admin"}}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask is one request by TCP from this machine, changed by headers "Name: value".
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	return askFrom(h, "127.0.0.1:40000", method, target, body, headers...)
}

func askFrom(h http.Handler, peer, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, in)
	r.RemoteAddr, r.Host = peer, "127.0.0.1:3000"
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// wantError checks status and code, and that the one form of error is whole.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string) api.ErrorBody {
	t.Helper()
	var b api.ErrorBody
	if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if w.Code != status || b.Error.Code != code || b.Error.Message == "" || b.Detail == "" {
		t.Errorf("got %d %s, want %d %s", w.Code, w.Body, status, code)
	}
	if w.Header().Get("Content-Type") != "application/json; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", w.Header())
	}
	return b
}

func TestNoSuchRoute(t *testing.T) {
	h := newServer(t, newFake(), nil).Handler()
	wantError(t, ask(h, "GET", "/api/nothing", ""), 404, "no_such_path")
	wantError(t, ask(h, "GET", "/", ""), 404, "no_such_path")
	w := ask(h, "PUT", "/api/jobs", "{}")
	wantError(t, w, 405, "method_not_allowed")
	if w.Header().Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("allow: %q", w.Header().Get("Allow"))
	}
}

// fill makes a path of a route that exists in the fake.
func fill(rt route, j job.ID, o job.OutputID) string {
	p := strings.NewReplacer("{user}", "user001", "{name}", "h200").Replace(rt.path)
	switch {
	case strings.Contains(p, "/outputs/"):
		return strings.Replace(p, "{id}", string(o), 1)
	case strings.Contains(p, "/orphans/"):
		return strings.Replace(p, "{id}", "0123456789abcdef01234567", 1)
	}
	return strings.Replace(p, "{id}", string(j), 1)
}

// bodies are good bodies of the routes that want one.
var goodBodies = map[string]string{
	"POST " + api.PathJobs:          `{"user_id":"user001","workflow":{"9":{}}}`,
	"POST " + api.PathActions:       `{"action":"cancel","filter":{"user_id":"user001"}}`,
	"PATCH " + api.PathJobPriority:  `{"priority":1}`,
	"POST " + api.PathUserForget:    `{"user_id":"user001"}`,
	"POST " + api.PathOrphanAssign:  `{"user_id":"user001"}`,
	"POST " + api.PathOrphanDiscard: `{"reason":"test"}`,
	"POST " + api.PathConsoleLogs:   `{"message":"x"}`,
	"PUT " + api.PathLogLevel:       `{"level":"debug"}`,
}

// Every route that is not public refuses strangers, in the one form there is.
func TestEveryRouteRefusesStrangers(t *testing.T) {
	svc := newFake()
	s := newServer(t, svc, nil)
	h := s.Handler()
	j := svc.add(t, "user001")
	o := svc.deliver(t, j.ID, "a.png", somePicture(t, 4, 4))
	for _, rt := range s.routes() {
		w := askFrom(h, "203.0.113.9:1234", rt.method, fill(rt, j.ID, o.ID), goodBodies[rt.method+" "+rt.path], "X-Remote-User: admin")
		if strings.HasPrefix(rt.path, "/auth/") {
			continue // see the access matrix
		}
		if rt.public {
			if w.Code/100 != 2 || strings.Contains(w.Body.String(), "gpu.example") {
				t.Errorf("%s %s: %d %s", rt.method, rt.path, w.Code, w.Body)
			}
			continue
		}
		wantError(t, w, 403, "not_trusted")
	}
}

// Every route that changes something refuses pages of other sites.
func TestEveryRouteRefusesOtherSites(t *testing.T) {
	svc := newFake()
	s := newServer(t, svc, func(o *Options) { o.PublicURL = "https://film.example/qm" })
	h := s.Handler()
	j := svc.add(t, "user001")
	for _, rt := range s.routes() {
		if rt.method == "GET" {
			continue
		}
		path, body := fill(rt, j.ID, "none"), goodBodies[rt.method+" "+rt.path]
		wantError(t, ask(h, rt.method, path, body, "Sec-Fetch-Site: cross-site"), 403, "cross_origin")
		wantError(t, ask(h, rt.method, path, body, "Origin: https://evil.example"), 403, "cross_origin")
	}
	w := ask(h, "POST", "/api/jobs", goodBodies["POST /api/jobs"], "Origin: https://film.example", "Sec-Fetch-Site: cross-site", "X-Forwarded-For: 198.51.100.1")
	if w.Code != 201 {
		t.Errorf("own page: %d %s", w.Code, w.Body)
	}
}

// Every route that looks for a thing says that it is not there.
func TestEveryRouteKnowsWhatIsMissing(t *testing.T) {
	h := newServer(t, newFake(), nil).Handler()
	for _, c := range []struct{ method, path, body, code string }{
		{"GET", "/api/jobs/x", "", "job_not_found"},
		{"DELETE", "/api/jobs/x", "", "job_not_found"},
		{"POST", "/api/jobs/x/cancel", "", "job_not_found"},
		{"POST", "/api/jobs/x/retry", "", "job_not_found"},
		{"PATCH", "/api/jobs/x/priority?priority=1", "", "job_not_found"},
		{"GET", "/api/jobs/x/events", "", "job_not_found"},
		{"GET", "/api/jobs/x/workflow", "", "job_not_found"},
		{"POST", "/api/orphans/x/assign", `{"user_id":"user001"}`, "orphan_not_found"},
		{"POST", "/api/orphans/x/discard", "", "orphan_not_found"},
		{"POST", "/api/workers/x/activate", "", "worker_not_found"},
		{"POST", "/api/workers/x/warm", "", "worker_not_found"},
		{"POST", "/api/workers/x/check", "", "worker_not_found"},
		{"GET", "/api/outputs/x/file", "", "output_not_found"},
		{"GET", "/api/outputs/x/preview", "", "output_not_found"},
	} {
		wantError(t, ask(h, c.method, c.path, c.body), 404, c.code)
	}
}

func TestBadParameters(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	id := string(svc.add(t, "user001").ID)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/api/jobs?limit=x", "", 422, "bad_field"},
		{"GET", "/api/jobs?limit=0", "", 422, "bad_field"},
		{"GET", "/api/jobs?status=broken", "", 400, "unknown_status"},
		{"GET", "/api/jobs?state=pending", "", 400, "unknown_state"},
		{"GET", "/api/jobs?sort=name", "", 422, "bad_field"},
		{"GET", "/api/jobs?since=yesterday", "", 422, "bad_field"},
		{"GET", "/api/jobs?before=tomorrow", "", 422, "bad_field"},
		{"GET", "/api/jobs?user_id=../x", "", 422, "bad_user"},
		{"GET", "/api/jobs?cursor=zz", "", 400, "bad_cursor"},
		{"GET", "/api/jobs?q=" + strings.Repeat("x", 201), "", 422, "bad_field"},
		{"GET", "/api/users/..%2Fx/outputs", "", 422, "bad_user"},
		{"GET", "/api/users/user001/outputs?limit=-1", "", 422, "bad_field"},
		{"GET", "/api/orphans?state=lost", "", 422, "bad_field"},
		{"GET", "/api/events?limit=none", "", 422, "bad_field"},
		{"PATCH", "/api/jobs/" + id + "/priority", "", 422, "missing_field"},
		{"PATCH", "/api/jobs/" + id + "/priority", "{}", 422, "missing_field"},
		{"PATCH", "/api/jobs/" + id + "/priority?priority=high", "", 422, "bad_field"},
		{"PATCH", "/api/jobs/" + id + "/priority?priority=4", "", 422, "bad_priority"},
		{"PATCH", "/api/jobs/" + id + "/priority", `{"priority":-1}`, 422, "bad_priority"},
		{"POST", "/api/jobs/" + id + "/retry", "", 409, "too_late"},
		{"POST", "/api/jobs/actions", `{"action":"cancel"}`, 400, "empty_filter"},
		{"POST", "/api/jobs/actions", `{"action":"cancel","filter":{}}`, 400, "empty_filter"},
		{"POST", "/api/jobs/actions", `{"action":"cancel","filter":{"user":"user001"}}`, 422, "bad_field"},
		{"POST", "/api/jobs/actions", `{"action":"delete","all":true}`, 422, "bad_field"},
		{"POST", "/api/jobs/actions", `{"action":"priority","all":true}`, 422, "missing_field"},
		{"POST", "/api/jobs/actions", `{"action":"cancel","filter":{"status":["gone"]}}`, 400, "unknown_status"},
		{"POST", "/api/jobs/actions", `{"action":"cancel","filter":{"state":["gone"]}}`, 400, "unknown_state"},
		{"POST", "/api/jobs/actions", `[]`, 400, "bad_json"},
		{"POST", "/api/orphans/0123456789abcdef01234567/assign", `{"user_id":"a/b"}`, 422, "bad_user"},
		{"POST", "/api/orphans/0123456789abcdef01234567/assign", `{"user":"a"}`, 422, "bad_field"},
		{"POST", "/api/orphans/0123456789abcdef01234567/discard", `{"reason":"a\u0000b"}`, 422, "bad_field"},
		{"POST", "/api/console-logs", strings.Repeat("x", 70_000), 413, "too_large"},
	} {
		t.Run(c.method+c.path[:min(len(c.path), 60)]+c.body[:min(len(c.body), 60)], func(t *testing.T) {
			wantError(t, ask(h, c.method, c.path, c.body), c.status, c.code)
		})
	}
}

// What the service says reaches the caller: status by class, Retry-After.
func TestServiceErrors(t *testing.T) {
	for _, c := range []struct {
		err    *job.Error
		status int
		after  string
	}{
		{&job.Error{Code: "a", Class: job.Invalid, Message: "m"}, 400, ""},
		{&job.Error{Code: "b", Class: job.TooLarge, Message: "m"}, 413, ""},
		{&job.Error{Code: "c", Class: job.Forbidden, Message: "m"}, 403, ""},
		{&job.Error{Code: "d", Class: job.TooMany, Message: "m"}, 429, "5"},
		{&job.Error{Code: "e", Class: job.TooMany, Message: "m", RetryAfter: 77}, 429, "77"},
		{&job.Error{Code: "f", Class: job.Unavailable, Message: "m"}, 503, "30"},
		{&job.Error{Code: "g", Message: "m"}, 500, ""},
		{&job.Error{Code: "too_many_nodes", Class: job.Invalid, Message: "m"}, 422, ""},
	} {
		svc := newFake()
		svc.err = c.err
		h := newServer(t, svc, nil).Handler()
		for _, call := range [][3]string{
			{"POST", "/api/jobs", goodBodies["POST /api/jobs"]}, {"POST", "/api/jobs/actions", `{"action":"cancel","all":true}`},
			{"POST", "/api/queue/pause", ""}, {"GET", "/api/users", ""}, {"GET", "/api/orphans", ""},
			{"POST", "/api/workers/h200/warm", ""}, {"GET", "/api/events", ""},
		} {
			w := ask(h, call[0], call[1], call[2])
			wantError(t, w, c.status, c.err.Code)
			if got := w.Header().Get("Retry-After"); got != c.after {
				t.Errorf("%s: Retry-After %q, want %q", c.err.Code, got, c.after)
			}
		}
	}
}

type panicking struct{ Service }

func (panicking) Status() job.QueueStatus { panic("at the disco") }

func TestPanicIsAnswered(t *testing.T) {
	h := newServer(t, panicking{newFake()}, nil).Handler()
	b := wantError(t, ask(h, "GET", "/api/queue/status", ""), 500, "internal")
	if strings.Contains(b.Detail, "disco") {
		t.Errorf("the panic reached the caller: %s", b.Detail)
	}
}

func TestConflictTellsTheState(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	j := svc.add(t, "user001")
	svc.deliver(t, j.ID, "a.png", nil)
	b := wantError(t, ask(h, "DELETE", "/api/jobs/"+string(j.ID), ""), 409, "too_late")
	if b.State != "done" || b.Status != "completed" {
		t.Errorf("%+v", b)
	}
}
