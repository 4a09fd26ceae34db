package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestWaitForAMachineInWords follows one job through a cold start.
func TestWaitForAMachineInWords(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.answers(func(ctx context.Context, s job.Submission) job.Fact {
			<-ctx.Done()
			return answer(s, job.Unanswered, nil)
		})
		h.fleet.set(func(f *fakeFleet) { f.cold = job.Range{Count: 9, Low: 180, Mid: 300, High: 420} })
		j := h.submit("user001", 1)
		for _, c := range []struct {
			after time.Duration
			usual job.Range
			want  string
		}{
			{100 * time.Second, h.fleet.cold, "waiting for a GPU, 1m40s of about 5m (3m to 7m)"},
			{321 * time.Second, h.fleet.cold, "waiting for a GPU, 7m1s, longer than the usual 3m to 7m"},
			{2 * time.Second, job.Range{Count: 1, Low: 60, Mid: 60, High: 60}, "waiting for a GPU, 7m3s of about 1m"},
			{2 * time.Second, job.Range{}, "waiting for a GPU, 7m5s"},
		} {
			h.fleet.set(func(f *fakeFleet) { f.cold = c.usual })
			h.pass(c.after)
			if got := h.Standing(h.now(j)).Phase; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		}
	})
}

// TestPausedQueueKnowsNoWait: when a paused queue goes on is for a person to
// know, so nobody is told how long a job will wait.
func TestPausedQueueKnowsNoWait(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.tell("h200-spot", func(d *job.Deployment) { d.Warm = job.Timing{Count: 9, P50: 40} })
		h.submit("user001", 1)
		h.pass(time.Second)
		waiting := h.submit("user002", 1)
		h.pass(2 * time.Second)
		if s, q := h.Standing(h.now(waiting)), h.Status(); s.Wait != 40 || q.Wait != 80 {
			t.Errorf("running: %v, and %v for a new job", s.Wait, q.Wait)
		}
		if err := h.SetMode(context.Background(), job.ModePaused, admin); err != nil {
			t.Fatal(err)
		}
		h.pass(2 * time.Second)
		if s, q := h.Standing(h.now(waiting)), h.Status(); s.Wait != -1 || q.Wait != -1 || s.Position != 0 {
			t.Errorf("paused: %+v, and %v for a new job", s, q.Wait)
		}
	})
}
