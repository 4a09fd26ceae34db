package server

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// fakeDoctor remembers who let it look, and at what.
type fakeDoctor struct {
	mu     sync.Mutex
	begun  []api.DoctorRequest
	by     []job.Caller
	refuse error
}

func (d *fakeDoctor) Standing() api.DoctorStanding {
	r := api.NewDoctorReport([]api.Finding{{Name: "config", Verdict: api.VerdictOK, Code: "good", Reason: "it is good"}})
	return api.DoctorStanding{Report: &r}
}

func (d *fakeDoctor) Begin(r api.DoctorRequest, by job.Caller) (api.DoctorStanding, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun, d.by = append(d.begun, r), append(d.by, by)
	return api.DoctorStanding{Running: &api.DoctorRun{Canary: r.Canary}}, d.refuse
}

// TestDoctorByHTTP: a canary is sent only where somebody asks for it in plain words.
func TestDoctorByHTTP(t *testing.T) {
	d := &fakeDoctor{}
	h := newServer(t, newFake(), func(o *Options) { o.Doctor = d }).SocketHandler()
	if w := ask(h, "GET", api.PathDoctor, ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"counts":{"fail":0,"ok":1,"skip":0,"warn":0}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for body, canary := range map[string]bool{"": false, "{}": false, `{"canary":false}`: false, `{"canary":true}`: true} {
		w := ask(h, "POST", api.PathDoctor, body)
		if w.Code != 202 || d.begun[len(d.begun)-1].Canary != canary || strings.Contains(w.Body.String(), `"canary":true`) != canary {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
	n := len(d.begun)
	for _, body := range []string{`{"canry":true}`, `[]`, `{"canary":1}`} {
		if w := ask(h, "POST", api.PathDoctor, body); w.Code < 400 || len(d.begun) != n {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	d.refuse = &job.Error{Code: "doctor_busy", Class: job.Conflict, Message: "it looks already"}
	wantError(t, ask(h, "POST", api.PathDoctor, ""), 409, "doctor_busy")
	h = newServer(t, newFake(), nil).SocketHandler()
	wantError(t, ask(h, "GET", api.PathDoctor, ""), 404, "no_doctor")
	wantError(t, ask(h, "POST", api.PathDoctor, ""), 404, "no_doctor")
}

// TestLogLevelByHTTP: each change is logged whatever the level is, and names who asked.
func TestLogLevelByHTTP(t *testing.T) {
	var b bytes.Buffer
	level := &slog.LevelVar{}
	level.Set(slog.LevelError)
	log, tail := Tailed(slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level})))
	h := newServer(t, newFake(), func(o *Options) { o.Log, o.Logger = tail, log }).SocketHandler()
	wantError(t, ask(h, "GET", api.PathLogLevel, ""), 404, "no_log_level")
	wantError(t, ask(h, "PUT", api.PathLogLevel, `{"level":"debug"}`), 404, "no_log_level")
	wantError(t, ask(h, "DELETE", api.PathLogLevel, ""), 404, "no_log_level")
	tail.Govern(level)
	for _, step := range []struct {
		method, body, want string
		level              slog.Level
	}{
		{"GET", "", "error", slog.LevelError}, {"PUT", `{"level":"debug"}`, "debug", slog.LevelDebug}, {"PUT", `{"level":"warn"}`, "warn", slog.LevelWarn},
		{"PUT", `{"level":"info"}`, "info", slog.LevelInfo}, {"DELETE", "", "error", slog.LevelError},
	} {
		b.Reset()
		w := ask(h, step.method, api.PathLogLevel, step.body)
		if w.Code != 200 || level.Level() != step.level || strings.TrimSpace(w.Body.String()) != `{"level":"`+step.want+`","configured":"error"}` {
			t.Errorf("%s %s: %d %s, at %s", step.method, step.body, w.Code, w.Body, level)
		}
		if told := strings.Contains(b.String(), `"msg":"log level"`) && strings.Contains(b.String(), `"by":"`); told != (step.method != "GET") {
			t.Errorf("%s %s logs %s", step.method, step.body, b.String())
		}
	}
	for _, body := range []string{`{"level":"loud"}`, `{}`, `{"level":""}`} {
		wantError(t, ask(h, "PUT", api.PathLogLevel, body), 422, "bad_field")
	}
	if level.Level() != slog.LevelError {
		t.Errorf("a refused change changed it to %s", level)
	}
}
