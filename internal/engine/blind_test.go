package engine_test

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// A manager that was away for longer than every deadline finds on the share
// what came meanwhile, before it gives anything up or pays for it again.
func TestRestartLooksBeforeItGivesUp(t *testing.T) {
	for name, run := range map[string]func(h *house, j job.Job){
		"accepted": func(*house, job.Job) {},
		"running":  func(h *house, j job.Job) { h.see(h.prompt(j), job.MarkStarted, "s_00001_.png") },
		"rendered": func(h *house, j job.Job) { h.hear(j, job.Finished, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			open(t, 1, engine.Policy{}, func(h *house) {
				j := h.submit("user001", 1)
				h.pass(time.Second)
				run(h, j)
				h.stop()
				h.pass(2 * time.Hour)
				h.start()
				h.pass(10 * time.Second)
				h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
				h.pass(time.Second)
				h.want(j, job.Done)
				if n := len(h.fleet.posted()); n != 1 {
					t.Errorf("%d POSTs for one job", n)
				}
			})
		})
	}
}

// Silence while the share is away says nothing: when it is back, it is looked
// at before a job is given up and rendered again.
func TestShareAwayIsNotSilence(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.share.tell(func(s *job.ShareStatus) { s.Mounted, s.Error = false, &job.Error{Code: "share_not_mounted"} })
		h.pass(3 * time.Hour)
		h.want(j, job.Accepted)
		h.share.tell(func(s *job.ShareStatus) { s.Mounted, s.Error = true, nil })
		h.pass(10 * time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(j, job.Done)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d POSTs for one job", n)
		}
	})
}

// A job whose files never came is given up all the same, a little later.
func TestSilenceAfterTheShareIsBackEndsTheJob(t *testing.T) {
	open(t, 1, engine.Policy{Retries: -1}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.stop()
		h.pass(2 * time.Hour)
		h.start()
		h.pass(2 * time.Minute)
		h.want(j, job.Lost)
	})
}

func TestNothingIsSentBeforeTheShareWasLookedAt(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.stop()
		h.share.tell(func(s *job.ShareStatus) { *s = job.ShareStatus{} })
		h.start()
		j := h.submit("user001", 1)
		h.pass(time.Minute)
		h.want(j, job.Queued)
		if n := len(h.fleet.posted()); n != 0 {
			t.Fatalf("%d POSTs before anybody knows whether the share is there", n)
		}
		h.share.tell(func(s *job.ShareStatus) { s.Mounted = true })
		h.pass(time.Second)
		h.want(j, job.Accepted)
	})
}

// Files of a node that writes an unknown number are not counted as complete
// because the manager was away while they came.
func TestRestartIsNotQuietTime(t *testing.T) {
	open(t, 1, engine.Policy{Settle: 3 * time.Second}, func(h *house) {
		j := h.submit("user001", 0)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.stop()
		h.pass(time.Minute)
		h.start()
		h.pass(2 * time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00002_.png")
		h.pass(2 * time.Second)
		h.want(j, job.Running)
		h.pass(8 * time.Second)
		h.want(j, job.Done)
	})
}
