package engine_test

import (
	"context"
	"strings"
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
		if err := h.SetMode(context.Background(), job.ModeDraining, admin); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		if q := h.Status(); q.Wait != -1 {
			t.Errorf("a draining queue, which takes no job, tells a wait of %v s", q.Wait)
		}
	})
}

// TestRow14PhaseCountsDeliveredFiles: the sentence of a job that has ended counts
// the files that stand in the user's folder, of whichever attempt, and no others.
func TestRow14PhaseCountsDeliveredFiles(t *testing.T) {
	whole := []string{"out_00001_.png", "out_00002_.png", "out_00003_.png"}
	broken := func(h *house) job.Job { // 3 of 4 files; the last is incomplete
		j := h.submit("user001", 4)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, whole...)
		h.see(h.prompt(j), job.MarkSeen, "out_00004_.png")
		h.pass(40 * time.Minute)
		return j
	}
	for name, c := range map[string]struct {
		policy engine.Policy
		run    func(h *house) job.Job
		state  job.State
		want   string
	}{
		"partial accepted": {engine.Policy{Partial: engine.PartialAccept}, broken, job.Done, "done, 3 files"},
		"rendered again": {engine.Policy{}, func(h *house) job.Job {
			j := broken(h)
			h.see(h.prompt(j), job.MarkWhole, append(whole, "out_00004_.png")...)
			h.ends(j)
			h.pass(time.Minute)
			return j
		}, job.Done, "done, 7 files of 2 attempts"},
		"late files": {engine.Policy{EvidenceTimeout: time.Minute}, func(h *house) job.Job {
			j := h.submit("user001", 3)
			h.pass(time.Second)
			first := h.prompt(j)
			for h.now(j).Attempts[0].State != job.Lost {
				h.pass(time.Second)
			}
			h.see(first, job.MarkWhole, whole...)
			h.pass(time.Minute)
			return j
		}, job.Done, "done, 3 files"},
		"lost after a part": {engine.Policy{Retries: 1}, func(h *house) job.Job {
			j := broken(h)
			h.pass(3 * time.Hour)
			return j
		}, job.Lost, "; 3 files delivered all the same"},
		"cancelled and rendered again": {engine.Policy{}, func(h *house) job.Job {
			j := h.submit("user001", 2)
			h.pass(time.Second)
			h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
			h.act(j, job.DoCancel)
			h.pass(time.Second)
			h.see(h.prompt(j), job.MarkWhole, "out_00002_.png")
			h.pass(time.Minute)
			h.act(j, job.DoRetry)
			h.pass(time.Second)
			h.see(h.prompt(j), job.MarkWhole, "out_00001_.png", "out_00002_.png")
			h.pass(time.Minute)
			return j
		}, job.Done, "done, 3 files of 2 attempts"},
	} {
		t.Run(name, func(t *testing.T) {
			open(t, 1, c.policy, func(h *house) {
				j := h.want(c.run(h), c.state)
				if got := h.Standing(j).Phase; !strings.HasSuffix(got, c.want) {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}
