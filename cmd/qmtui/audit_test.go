package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/doctor"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// deeds is a service whose actions come out as told.
type deeds struct {
	server.Service
	results []job.ActionResult
	err     error
}

func (d deeds) Act(context.Context, job.Action) ([]job.ActionResult, error) { return d.results, d.err }
func (d deeds) SetMode(context.Context, job.Mode, job.Caller) error         { return d.err }
func (d deeds) WarmWorker(context.Context, string, job.Caller) (job.Deployment, error) {
	return job.Deployment{}, d.err
}

func TestDeedsAreKept(t *testing.T) {
	root := job.Caller{Name: "root", Admin: true, Via: "socket"}
	late := &job.Error{Code: "too_late", Class: job.Conflict}
	results := []job.ActionResult{{Job: job.Job{Spec: job.Spec{ID: "j1"}}}, {Job: job.Job{Spec: job.Spec{ID: "j2"}}, Error: late}}
	for name, c := range map[string]struct {
		d    deeds
		do   func(audited)
		want string
	}{
		"cancel":  {deeds{results: results}, func(a audited) { _, _ = a.Act(t.Context(), job.Action{Verb: job.DoCancel, Caller: root}) }, "[root socket cancel j1 ok root socket cancel j2 too_late]"},
		"dry run": {deeds{results: results}, func(a audited) { _, _ = a.Act(t.Context(), job.Action{Verb: job.DoCancel, Caller: root, DryRun: true}) }, "[]"},
		"broken":  {deeds{err: late}, func(a audited) { _, _ = a.Act(t.Context(), job.Action{Verb: job.DoRetry, Caller: root}) }, "[root socket retry  too_late]"},
		"pause":   {deeds{}, func(a audited) { _ = a.SetMode(t.Context(), job.ModePaused, root) }, "[root socket mode paused  ok]"},
		"warm":    {deeds{err: late}, func(a audited) { _, _ = a.WarmWorker(t.Context(), "h200", root) }, "[root socket warm h200 too_late]"},
		"a canary": {deeds{}, func(a audited) {
			_, _ = auditedDoctor{doctor.NewResident(doctor.Visit{}, ""), a}.Begin(api.DoctorRequest{Canary: true}, root)
		}, "[root socket canary  ok]"},
		"a look": {deeds{}, func(a audited) {
			_, _ = auditedDoctor{doctor.NewResident(doctor.Visit{}, ""), a}.Begin(api.DoctorRequest{}, root)
		}, "[]"},
		"very many": {deeds{results: make([]job.ActionResult, 5000)}, func(a audited) { _, _ = a.Act(t.Context(), job.Action{Verb: job.DoCancel, Caller: root}) }, ""},
	} {
		var kept []string
		c.do(audited{Service: c.d, log: slog.New(slog.DiscardHandler), keep: func(e job.AuditEntry) error {
			kept = append(kept, fmt.Sprintf("%s %s %s %s %s", e.Actor, e.Via, e.Verb, e.Target, e.Result))
			return nil
		}})
		if got := fmt.Sprint(kept); c.want != "" && got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if len(kept) > maxAudited+1 {
			t.Errorf("%s: %d entries", name, len(kept))
		}
	}
}
