package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// TestWaitIsToldWhenItIsKnown: nothing is promised while nothing is sent, and
// before a run was measured.
func TestWaitIsToldWhenItIsKnown(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		want := func(when string, wait float64) {
			t.Helper()
			h.pass(2 * time.Second)
			if got := h.Status().Wait; got != wait {
				t.Errorf("%s: %v, want %v", when, got, wait)
			}
		}
		want("a free machine", 0)
		h.submit("user001", 1)
		want("a busy one, never measured", -1)
		h.share.tell(func(s *job.ShareStatus) { s.Mounted = false })
		want("the share is away", -1)
		h.share.tell(func(s *job.ShareStatus) { s.Mounted = true })
		_ = h.SetMode(context.Background(), job.ModePaused, admin)
		want("paused", -1)
	})
	open(t, 0, engine.Policy{}, func(h *house) {
		h.pass(2 * time.Second)
		if got := h.Status().Wait; got != -1 {
			t.Errorf("nothing is active: %v", got)
		}
	})
}

// TestWarmAnswersWithWhatTheDeploymentSaid, which the board does not know yet.
func TestWarmAnswersWithWhatTheDeploymentSaid(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		name := h.Status().Active
		d, err := h.WarmWorker(context.Background(), name, admin)
		if err != nil || d.Name != name || d.State != job.WarmthWarm || !d.Active {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// TestHoldWhileBusyLastsThroughTheQueue: jobs that wait keep the replica, also
// through a drain, and not while nothing is sent.
func TestHoldWhileBusyLastsThroughTheQueue(t *testing.T) {
	rules := upkeep.Rules{Deployments: map[string]upkeep.Care{"spot": {Hold: upkeep.Hold{WhileBusy: true}}}}
	governed(t, rules, func(h *house) {
		want := func(when string, held bool) {
			t.Helper()
			h.pass(3 * time.Second)
			if got, _ := h.fleet.held(); len(got) > 0 != held {
				t.Errorf("%s: held %q", when, got)
			}
		}
		want("before", false)
		_ = h.SetMode(context.Background(), job.ModePaused, admin)
		h.submit("user001", 1)
		want("a job waits, and the queue is paused", false)
		h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact { // for now it takes none
			return answer(s, job.Refused, &job.Error{Code: "try_later", Class: job.Unavailable, Message: "busy", Transient: true, RetryAfter: 600})
		})
		_ = h.SetMode(context.Background(), job.ModeDraining, admin)
		want("a job waits for its next try in a drain", true)
	})
}

// A run is due when half of those like it have ended.
func TestARunIsDueAtItsUsualTime(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		var due, began time.Time
		for range 4 {
			j := h.submit("user001", 1)
			h.pass(time.Second)
			began = time.Now()
			h.hear(j, job.Started, nil)
			h.pass(time.Second)
			h.fleet.set(func(f *fakeFleet) {
				if due = (time.Time{}); len(f.flights) > 0 {
					due = f.flights[0].Due
				}
			})
			h.pass(19 * time.Second)
			h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
			h.pass(2 * time.Second)
			h.want(j, job.Done)
		}
		if d := due.Sub(began); d < 18*time.Second || d > 22*time.Second {
			t.Errorf("due after %s, and runs take 20s", d)
		}
	})
}
