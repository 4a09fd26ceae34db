package engine_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func TestRestartTakesUpACopy(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.share.set(func(s *fakeShare) { s.gate = make(chan struct{}) })
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		if o := h.now(j).Outputs[0]; o.Dest == "" || o.State == job.OutputStored {
			t.Fatalf("the place is not recorded before the copy: %+v", o)
		}
		h.stop()
		close(h.share.gate)
		h.start()
		h.pass(time.Second)
		h.want(j, job.Done)
		if got := h.share.delivered("user001"); !slices.Equal(got, []string{"out_00001_.png"}) {
			t.Errorf("delivered %q", got)
		}
	})
}

func TestDiskFullHeals(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		src := job.Path("qm/" + p + "/9/out_00001_.png")
		full := &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true, Message: "no space left", Hint: "make room"}
		h.share.set(func(s *fakeShare) { s.fail[src] = []error{full, full, full} })
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(2 * time.Second)
		j = h.now(j)
		if len(j.Warnings) != 1 || j.Warnings[0].Code != "disk_full" {
			t.Errorf("warnings %+v", j.Warnings)
		}
		if w := h.Status().Warnings; len(w) == 0 || w[0].Code != "disk_full" {
			t.Errorf("the queue does not say so: %+v", w)
		}
		began := h.Status().Warnings[0].At
		h.pass(3 * time.Second)
		if w := h.Status().Warnings; len(w) != 1 || !w[0].At.Equal(began) {
			t.Errorf("since when it has been so changed: %v, then %+v", began, w)
		}
		h.pass(time.Minute)
		h.want(j, job.Done)
		if w := h.Status().Warnings; len(w) != 0 {
			t.Errorf("healed, and still warned of: %+v", w)
		}
	})
}

func TestTakenPlaceIsChosenAnew(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.share.set(func(s *fakeShare) {
			s.fail[job.Path("qm/"+p+"/9/out_00001_.png")] = []error{&job.Error{Code: "dest_taken"}}
		})
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(j, job.Done)
	})
}

func TestLedgerFullIsSurvived(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		full := &job.Error{Code: "disk_full", Class: job.Unavailable, Message: "the ledger's disk is full", Hint: "make room"}
		h.ledger.FailWith(func([]job.Fact) error { return full })
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		if _, err := h.try("user002", 1, job.Normal); job.AsError(err).Code != "disk_full" {
			t.Errorf("a submit while the disk is full: %v", err)
		}
		h.pass(time.Second)
		h.ledger.FailWith(nil)
		h.pass(2 * time.Second)
		h.want(j, job.Done)
	})
}

// A full disk is said once, not at every turn: the log may be on it as well.
func TestFullLedgerIsLoggedOnce(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		var log bytes.Buffer
		h.stop()
		h.log = slog.New(slog.NewTextHandler(&log, nil))
		h.start()
		j := h.submit("user001", 1)
		h.pass(time.Second)
		full := &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true}
		h.ledger.FailWith(func([]job.Fact) error { return full })
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		for range 100 { // a poll tells the same again and again
			h.hear(j, job.Finished, nil)
			h.pass(time.Second)
		}
		h.ledger.FailWith(nil)
		h.pass(2 * time.Second)
		h.want(j, job.Done)
		if n := bytes.Count(log.Bytes(), []byte("code=disk_full")); n != 1 {
			t.Errorf("said %d times", n)
		}
		if n := bytes.Count(log.Bytes(), []byte("the ledger takes facts again")); n != 1 {
			t.Errorf("its end was said %d times", n)
		}
		if facts, err := h.Facts(j.ID); err != nil || len(facts) > 12 {
			t.Errorf("%d facts, %v", len(facts), err)
		}
	})
}

func TestHalfFileIsGivenUpAndSaid(t *testing.T) {
	open(t, 1, engine.Policy{RunTimeout: time.Minute, Retries: -1}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkSeen, "out_00001_.png")
		h.pass(30 * time.Minute)
		j = h.want(j, job.Lost)
		if j.Outputs[0].State != job.OutputAbandoned || !j.Closed {
			t.Errorf("output %s, closed %v", j.Outputs[0].State, j.Closed)
		}
	})
}

func TestLateFileOfAClosedJobIsStillDelivered(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Hour)
		if !h.now(j).Closed {
			t.Fatal("not closed")
		}
		h.see(p, job.MarkWhole, "out_00002_.png")
		h.pass(time.Second)
		if got := h.share.delivered("user001"); len(got) != 2 {
			t.Errorf("delivered %q", got)
		}
	})
}

func TestFilesOfALostJobAreSaid(t *testing.T) {
	open(t, 1, engine.Policy{EvidenceTimeout: time.Minute, Retries: -1}, func(h *house) {
		j := h.submit("user001", 3)
		h.pass(2 * time.Minute)
		h.want(j, job.Lost)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png", "out_00002_.png")
		h.pass(2 * time.Second)
		j = h.want(j, job.Lost)
		if len(h.share.delivered("user001")) != 2 || len(j.Warnings) != 1 || j.Warnings[0].Code != "came_late" {
			t.Errorf("delivered %q, warnings %+v", h.share.delivered("user001"), j.Warnings)
		}
		if phase := h.Standing(j).Phase; !strings.HasSuffix(phase, "; 2 files delivered all the same") {
			t.Errorf("phase %q", phase)
		}
	})
}

// What may not be read may be what was asked for: the job says so, and nobody
// pays for it again.
func TestBlockedFolderIsToldAndNotRenderedAgain(t *testing.T) {
	open(t, 1, engine.Policy{RunTimeout: time.Minute}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.share.report(job.Sighting{PromptID: p, Path: job.Path("qm/" + p), Mark: job.MarkBlocked, At: time.Now(), Reason: "may not be read by user id 1000"})
		h.pass(time.Second)
		j = h.want(j, job.Running)
		if len(j.Warnings) != 1 || j.Warnings[0].Code != "not_looked_at" || !strings.Contains(j.Warnings[0].Message, "user id 1000") {
			t.Errorf("warnings: %+v", j.Warnings)
		}
		h.pass(10 * time.Minute)
		j = h.want(j, job.Lost)
		if e := j.Current().Error; e.Code != "not_looked_at" || len(h.fleet.posted()) != 1 {
			t.Errorf("%v after %d POSTs", e, len(h.fleet.posted()))
		}
		h.see(p, job.MarkWhole, "out_00001_.png") // healed
		h.pass(time.Second)
		if got := h.share.delivered("user001"); len(got) != 1 {
			t.Errorf("delivered %v", got)
		}
	})
}
