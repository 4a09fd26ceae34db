package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func TestCapsAndDepth(t *testing.T) {
	open(t, 0, engine.Policy{MaxQueued: 2, MaxDepth: 3}, func(h *house) {
		h.submit("user001", 1)
		h.submit("user001", 1)
		if _, err := h.try("user001", 1, job.Normal); job.AsError(err).Code != "too_many_queued" {
			t.Errorf("over the user's cap: %v", err)
		}
		h.submit("user002", 1)
		_, err := h.try("user003", 1, job.Normal)
		if e := job.AsError(err); e.Code != "queue_full" || e.RetryAfter == 0 {
			t.Errorf("over the depth: %+v", e)
		}
	})
}

// What happens right after a board is on the next one, not on that of a second later.
func TestStatusTellsWhatCameRightAfterTheLastOne(t *testing.T) {
	open(t, 0, engine.Policy{}, func(h *house) {
		h.pass(time.Second)
		h.submit("user001", 1)
		h.submit("user002", 1)
		h.pass(300 * time.Millisecond)
		if s := h.Status(); s.Depth != 2 {
			t.Errorf("the depth is told as %d of 2", s.Depth)
		}
	})
}

func TestPauseDrainResume(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		set := func(m job.Mode) {
			if err := h.SetMode(context.Background(), m, job.Caller{Name: "admin"}); err != nil {
				t.Fatal(err)
			}
		}
		set(job.ModePaused)
		j := h.submit("user001", 1)
		h.pass(time.Minute)
		h.want(j, job.Queued)
		h.stop()
		h.start()
		h.pass(time.Minute)
		h.want(j, job.Queued) // it survives a restart
		set(job.ModeDraining)
		h.pass(time.Second)
		h.want(j, job.Accepted) // what is there is finished
		if _, err := h.try("user001", 1, job.Normal); job.AsError(err).Code != "draining" {
			t.Errorf("a submit while draining: %v", err)
		}
		set(job.ModeRunning)
		h.submit("user001", 1)
	})
}

func TestNothingIsSentWhileTheShareIsAway(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.share.set(func(s *fakeShare) {
			s.status = job.ShareStatus{Error: &job.Error{Code: "share_not_mounted", Message: "it is not a mount point"}}
		})
		h.submit("user001", 1)
		h.pass(time.Minute)
		if n := len(h.fleet.posted()); n != 0 {
			t.Errorf("%d prompts were paid for and could not have been fetched", n)
		}
		h.share.set(func(s *fakeShare) { s.status = job.ShareStatus{Mounted: true} })
		h.pass(time.Second)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d POSTs after it came back", n)
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		r := job.Request{User: "user001", Workflow: []byte(`[{"node":"9","count":1}]`), Priority: job.Normal, Key: "k1"}
		a, repeated, err := h.Submit(context.Background(), r)
		if err != nil || repeated {
			t.Fatal(repeated, err)
		}
		b, repeated, err := h.Submit(context.Background(), r)
		if err != nil || !repeated || a.ID != b.ID {
			t.Errorf("the second: %v %v, %s and %s", repeated, err, a.ID, b.ID)
		}
		r.User = "user002"
		c, repeated, err := h.Submit(context.Background(), r)
		if err != nil || repeated || c.ID == a.ID {
			t.Errorf("another user's same key: %v %v", repeated, err)
		}
	})
}

func TestRetryByAPerson(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		if e := h.act(j, job.DoRetry); e == nil || e.Code != "still_going" {
			t.Errorf("retry of a live job: %v", e)
		}
		h.pass(time.Second)
		h.hear(j, job.Broke, &job.Error{Code: "execution_error", Message: "bad"})
		h.want(j, job.Failed)
		if e := h.act(j, job.DoRetry); e != nil {
			t.Fatal(e)
		}
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		if j = h.want(j, job.Done); len(j.Attempts) != 2 {
			t.Errorf("%d attempts", len(j.Attempts))
		}
	})
}

func TestActionsByFilter(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 1}, func(h *house) {
		done := h.submit("user001", 1)
		h.pass(time.Second)
		h.see(h.prompt(done), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(done, job.Done)
		h.submit("user001", 1)
		h.submit("user001", 1)
		other := h.submit("user002", 1)
		act := func(a job.Action) []job.ActionResult {
			t.Helper()
			a.Verb = job.DoCancel
			r, err := h.Act(context.Background(), a)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if _, err := h.Act(context.Background(), job.Action{Verb: job.DoCancel}); job.AsError(err).Code != "no_filter" {
			t.Errorf("an empty filter without All: %v", err)
		}
		if r := act(job.Action{Filter: job.Filter{User: "user001"}, DryRun: true}); len(r) != 2 {
			t.Errorf("a dry run picks %d jobs, want the 2 that can be cancelled", len(r))
		}
		h.want(other, job.Queued)
		if r := act(job.Action{All: true}); len(r) != 3 {
			t.Errorf("all picks %d jobs, want 3", len(r))
		}
		h.want(done, job.Done)
		h.want(other, job.Cancelled)
		if r := act(job.Action{Filter: job.Filter{IDs: []job.ID{done.ID}}}); len(r) != 1 || r[0].Error == nil {
			t.Errorf("a named job that is too late must say so: %+v", r)
		}
	})
}

func TestInstructorPriorityIsGuarded(t *testing.T) {
	open(t, 0, engine.Policy{Admins: []string{"admin"}}, func(h *house) {
		if _, err := h.try("user001", 1, job.Instructor); job.AsError(err).Code != "priority_not_allowed" {
			t.Errorf("a participant jumped the line: %v", err)
		}
		if _, err := h.try("admin", 1, job.Instructor); err != nil {
			t.Error(err)
		}
	})
}

func TestActiveDeployment(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.set(func(f *fakeFleet) {
			f.deployments = append(f.deployments, job.Deployment{Name: "b300-spot", Capacity: 1})
		})
		if _, err := h.ActivateWorker(context.Background(), "b300-spot", job.Caller{Name: "admin"}); err != nil {
			t.Fatal(err)
		}
		h.submit("user001", 1)
		h.pass(time.Second)
		if p := h.fleet.posted(); len(p) != 1 || p[0].Deployment != "b300-spot" {
			t.Errorf("posted %+v", p)
		}
		if _, err := h.ActivateWorker(context.Background(), "nowhere", job.Caller{}); job.AsError(err).Code != "worker_not_found" {
			t.Errorf("an unknown one: %v", err)
		}
	})
}
