package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// unsure is a job with a node of which nobody knows whether it writes.
var unsure = wanted{Unsure: true, Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}}}

// TestDecidedVersion: an admin decides about the version that was shown last; a
// history does not reopen that.
func TestDecidedVersion(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.stands("someone.png", 10, nil)
		h.pass(10 * time.Minute)
		h.stands("someone.png", 10, nil)
		shown := time.Now()
		if _, err := h.AssignOrphan(context.Background(), h.orphans()[0].ID, "user002", job.Caller{Name: "admin"}); err != nil {
			t.Fatal(err)
		}
		j := h.ask("user001", unsure)
		h.pass(time.Second)
		h.share.report(job.Sighting{Path: "someone.png", Size: 10, Mark: job.MarkWhole, At: time.Now(), Modified: shown})
		h.ends(j, "someone.png")
		h.pass(2 * time.Minute)
		h.delivers(map[string]int{"user001": 0, "user002": 1})
	})
}

// TestHistoryNamesNewerVersion: a history names a file that was written again
// since it was shown as an orphan. The version that stands there is meant.
func TestHistoryNamesNewerVersion(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.stands("day/anna.png", 10, nil)
		h.pass(10 * time.Minute)
		j := h.ask("user001", own(""))
		h.pass(time.Second)
		h.stands("day/anna.png", 10, nil)
		h.pass(time.Second)
		h.ends(j, "day/anna.png")
		h.pass(5 * time.Second)
		h.want(j, job.Done)
		h.delivers(map[string]int{"user001": 1})
	})
}

// TestCandidateStaysOpen: the late window of a job does not end while a file may
// be its own, so that the file is not left to the other candidate.
func TestCandidateStaysOpen(t *testing.T) {
	open(t, 4, engine.Policy{EvidenceTimeout: 40 * time.Minute}, func(h *house) {
		a := h.ask("user001", unsure)
		h.ask("user002", own("day/"))
		h.pass(time.Second)
		h.stands("day/anna.png", 10, nil)
		h.see(h.prompt(a), job.MarkWhole, "out_00001_.png")
		h.pass(30 * time.Minute)
		h.want(a, job.Done)
		h.delivers(map[string]int{"user001": 1, "user002": 0})
		h.pass(time.Hour) // the other one is given up
		if o := h.orphans(); len(o) != 1 || len(o[0].Candidates) != 2 {
			t.Errorf("orphans %+v", o)
		}
		h.stop()
		h.start() // all that stands there is seen again
		h.share.report(job.Sighting{Path: "day/anna.png", Size: 10, Mark: job.MarkWhole, At: time.Now(), Modified: h.orphans()[0].Modified})
		h.pass(time.Minute)
		h.delivers(map[string]int{"user001": 1, "user002": 0})
	})
}

// TestPlaceIsHeld: the place of an attempt is not free as soon as its files are
// complete: without a history it may write them again, and what it wrote last
// may not have been seen, also by the manager before a restart.
func TestPlaceIsHeld(t *testing.T) {
	for _, heard := range []bool{true, false} {
		for _, restart := range []bool{true, false} {
			open(t, 4, engine.Policy{}, func(h *house) {
				one := own("day/anna")
				one.Expect[0].Count = 1
				a := h.ask("user001", one)
				h.ask("user002", one)
				h.pass(time.Second)
				h.stands("day/anna.png", 10, nil)
				if heard {
					h.ends(a, "day/anna.png")
				}
				h.pass(2 * time.Second)
				h.want(a, job.Done)
				quiet := 6 * time.Second
				switch {
				case restart:
					h.stop()
					h.pass(time.Minute)
					h.start()
				case heard:
					quiet = 0
				}
				h.pass(quiet)
				if n := len(h.fleet.posted()); n != 1 {
					t.Errorf("heard %v, restart %v: the next was sent at once", heard, restart)
				}
				h.pass(20 * time.Second)
				if n := len(h.fleet.posted()); n != 2 {
					t.Errorf("heard %v, restart %v: the next is not sent", heard, restart)
				}
			})
		}
	}
}

// TestUndecidedIsNotOverwritten: the next attempt is not sent to a place with a
// file of which it is not yet decided whose it is.
func TestUndecidedIsNotOverwritten(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", own("day/anna"))
		h.ask("user002", own("day/anna"))
		h.pass(time.Second)
		h.stands("day/anna.png", 10, &job.Claim{Job: a.ID, PromptID: h.prompt(a), Attempt: 1, Node: "9"})
		h.pass(time.Second)
		h.share.report(job.Sighting{Path: "day/anna.txt", Size: 10, Mark: job.MarkWhole, At: time.Now(), Modified: time.Now().Add(-time.Minute)})
		h.ends(a, "day/anna.png")
		h.pass(time.Minute)
		h.want(a, job.Done)
		if n := len(h.fleet.posted()); n != 1 {
			t.Error("the next was sent while an admin had to decide about a file there")
		}
	})
}

// TestWritesOnAfterInferredEnd: an end that no history tells may be concluded too
// early; what comes while the place is still held is the attempt's.
func TestWritesOnAfterInferredEnd(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		one := own("day/")
		one.Expect[0].Count = 1
		j := h.ask("user001", one)
		h.pass(time.Second)
		h.share.report(job.Sighting{PromptID: h.prompt(j), Path: job.Path("qm/" + h.prompt(j) + "/_started"), Mark: job.MarkStarted, At: time.Now(), Modified: time.Now()})
		h.stands("day/anna.png", 10, nil)
		h.pass(5 * time.Second)
		h.want(j, job.Done)
		h.share.set(func(s *fakeShare) { s.sums["day/bert.png"] = "xxh64:2" })
		h.stands("day/bert.png", 10, nil)
		h.pass(5 * time.Second)
		h.delivers(map[string]int{"user001": 2})
	})
}

// TestAttributedIsLookedAt: a file that was attributed without a history is
// looked at by path, since it may be written again.
func TestAttributedIsLookedAt(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.ask("user001", own("day/"))
		h.pass(time.Second)
		h.stands("day/anna.png", 10, nil)
		h.pass(time.Second)
		h.share.set(func(s *fakeShare) {
			if len(s.folders) != 1 || len(s.folders[0].Paths) != 1 || s.folders[0].Paths[0] != "day/anna.png" {
				t.Errorf("the share looks into %+v", s.folders)
			}
		})
	})
}

// TestNamedFileIsAwaited: the next attempt is not sent to a path that a history
// names and where the file is still to come, whatever was known of its node.
func TestNamedFileIsAwaited(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", unsure)
		h.pass(time.Second)
		h.see(h.prompt(a), job.MarkWhole, "out_00001_.png")
		h.ends(a, "day/anna.png")
		b := h.ask("user002", own("day/"))
		h.pass(5 * time.Second)
		h.want(b, job.Queued)
		h.stands("day/anna.png", 10, nil)
		h.pass(10 * time.Second)
		h.delivers(map[string]int{"user001": 2, "user002": 0})
	})
}

// TestAbandonedComesAfterAll: a file of a format that does not tell its end,
// given up as half, is delivered when it is seen to be quiet after all.
func TestAbandonedComesAfterAll(t *testing.T) {
	open(t, 1, engine.Policy{Retries: -1}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkSeen, "out_00001_.txt")
		h.ends(j)
		h.pass(5 * time.Minute)
		h.want(j, job.Lost)
		h.see(p, job.MarkSettling, "out_00001_.txt")
		h.pass(5 * time.Second)
		h.delivers(map[string]int{"user001": 1})
	})
}
