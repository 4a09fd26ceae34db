package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func TestReadiness(t *testing.T) {
	for _, c := range []struct {
		code   string
		change func(*job.QueueStatus)
	}{
		{"", func(*job.QueueStatus) {}},
		{"", func(s *job.QueueStatus) { s.Mode = job.ModePaused }},
		{"draining", func(s *job.QueueStatus) { s.Mode = job.ModeDraining }},
		{"share_not_looked_at", func(s *job.QueueStatus) { s.Share.Mounted, s.Share.LookedAt = false, time.Time{} }},
		{"share_not_mounted", func(s *job.QueueStatus) { s.Share.Mounted, s.Share.LookedAt = false, time.Unix(1, 0) }},
		{"share_stalled", func(s *job.QueueStatus) { s.Share.Stalled = true }},
		{"io_error", func(s *job.QueueStatus) { s.Share.Error = &job.Error{Code: "io_error", Message: "m", Hint: "h"} }},
		{"disk_full", func(s *job.QueueStatus) { s.Ledger = &job.Error{Code: "disk_full", Message: "m", Hint: "h"} }},
		{"endpoint_or_key", func(s *job.QueueStatus) {
			s.Stopped = &job.Stopped{Code: "endpoint_or_key", Message: "the endpoint answered with its private text", Hint: "h"}
		}},
		{"no_active_worker", func(s *job.QueueStatus) { s.Active = "" }},
	} {
		svc := newFake()
		svc.status = c.change
		h := newServer(t, svc, nil).Handler()
		w := ask(h, "GET", "/readyz", "")
		var r api.Readiness
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(w.Body.String(), "private text") {
			t.Errorf("anybody is told what an endpoint said: %s", w.Body)
		}
		health := ask(h, "GET", "/health", "")
		var s api.Health
		if err := json.Unmarshal(health.Body.Bytes(), &s); err != nil || health.Code != 200 {
			t.Fatalf("%d %v", health.Code, err)
		}
		if c.code == "" {
			if w.Code != 200 || !r.Ready || len(r.Reasons) != 0 || s.Status != "healthy" {
				t.Errorf("%d %s, health %s", w.Code, w.Body, health.Body)
			}
			continue
		}
		if w.Code != 503 || r.Ready || r.Reasons[0].Code != c.code || r.Reasons[0].Hint == "" || s.Status != "degraded" || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s, health %s", c.code, w.Code, w.Body, health.Body)
		}
	}
}

// TestHealthOfAnEngineThatHangs: the server answers, the engine behind it does not.
func TestHealthOfAnEngineThatHangs(t *testing.T) {
	for silent, want := range map[time.Duration]int{time.Second: 200, stuckAfter + time.Second: 503} {
		svc := newFake()
		now := time.Now()
		svc.status = func(s *job.QueueStatus) { s.At = now.Add(-silent) }
		h := newServer(t, svc, func(o *Options) { o.Now = func() time.Time { return now } }).Handler()
		for _, path := range []string{"/health", "/api/health", "/readyz"} {
			w := ask(h, "GET", path, "")
			if w.Code != want || strings.Contains(w.Body.String(), "loop_stuck") != (want == 503) {
				t.Errorf("silent for %s, %s: %d %s", silent, path, w.Code, w.Body)
			}
		}
	}
}
