package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestSidecarsOfNamedFiles: what stands beside a file that a history names, and
// differs from it in the extension only, is of the same attempt.
func TestSidecarsOfNamedFiles(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		tagged := wanted{Expect: []job.Expected{{Node: "9", Class: "Own Saver", Custom: true}}}
		j := h.ask("user001", tagged)
		h.pass(time.Second)
		h.stands("same_00001_.png", 10, nil)
		h.stands("same_00001_.txt", 3, nil)
		h.stands("same_00002_.txt", 3, nil)
		h.ends(j, "same_00001_.png")
		h.pass(2 * time.Minute)
		h.want(j, job.Done)
		h.delivers(map[string]int{"user001": 2})
		if o := h.orphans(); len(o) != 1 || o[0].Path != "same_00002_.txt" {
			t.Errorf("orphans %+v", o)
		}
	})
}

// TestStraysOfTwoJobs: two jobs of a class that ignores the folder it is given,
// sent before that was known, may have written one file; a history of one alone
// does not decide.
func TestStraysOfTwoJobs(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		tagged := wanted{Expect: []job.Expected{{Node: "9", Class: "Own Saver", Custom: true}}}
		a, b := h.ask("user001", tagged), h.ask("user002", tagged)
		h.pass(time.Second)
		h.stands("same.jpg", 10, nil)
		h.ends(a, "same.jpg")
		h.pass(5 * time.Second)
		h.delivers(map[string]int{"user001": 0, "user002": 0})
		h.ends(b, "same.jpg")
		h.pass(2 * time.Minute)
		h.delivers(map[string]int{"user001": 0, "user002": 0})
		if o := h.orphans(); len(o) != 1 || len(o[0].Candidates) != 2 {
			t.Errorf("orphans %+v", o)
		}
	})
}

// TestLearnThatAFolderIsIgnored: a class whose files stand outside the folder
// that it was given has its jobs one after the other from then on.
func TestLearnThatAFolderIsIgnored(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		tagged := wanted{Expect: []job.Expected{{Node: "9", Class: "Own Saver", Custom: true, Prefix: "Same"}}}
		j := h.ask("user001", tagged)
		h.pass(time.Second)
		h.stands("same_00001_.png", 10, nil)
		h.ends(j, "same_00001_.png")
		h.pass(2 * time.Minute)
		h.want(j, job.Done)
		a, b := h.ask("user001", tagged), h.ask("user002", tagged)
		h.pass(time.Second)
		posted := h.fleet.posted()
		if n := len(posted); n != 2 || len(posted[1].Plain) != 1 || h.now(b).State() != job.Queued {
			t.Fatalf("%d prompts were sent, the last with %v as written; the second job is %s", n, posted[n-1].Plain, h.now(b).State())
		}
		h.stands("same_00002_.png", 10, nil) // no history names it
		h.ends(a)
		h.pass(20 * time.Second)
		h.want(a, job.Done)
		h.delivers(map[string]int{"user001": 2})
	})
}

// TestWhatStandsAnywhereIsWaitedFor: the history of an attempt that may write
// anywhere, and names nothing, comes before the scan of the share finds its file.
func TestWhatStandsAnywhereIsWaitedFor(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		j := h.ask("user001", wanted{Unsure: true, Places: []string{"", "same.txt"}})
		h.pass(time.Second)
		h.ends(j)
		h.pass(5 * time.Second)
		h.stands("same.txt", 10, nil)
		h.pass(20 * time.Second)
		h.want(j, job.Done)
		h.delivers(map[string]int{"user001": 1})
	})
}

// TestOrphanNamesLaterCandidates: when a further job turns out to be a candidate
// of an orphan, its reason says so, and candidates stand before the users who
// only had jobs running.
func TestOrphanNamesLaterCandidates(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", wanted{Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}, {Node: "7", Class: "Own", Custom: true, Outside: true}}, Places: []string{"day/"}})
		h.pass(time.Second)
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.stands("day/anna.png", 10, nil)
		h.pass(time.Minute)
		h.want(a, job.Done)
		h.pass(3 * time.Minute) // longer than the clocks may differ
		h.submit("user004", 1)
		tagged := wanted{Expect: []job.Expected{{Node: "9", Class: "Own Saver", Custom: true}}}
		b, c := h.ask("user002", tagged), h.ask("user003", tagged)
		h.pass(time.Second)
		h.stands("day/late.txt", 3, nil)
		h.pass(time.Second)
		if o := h.orphans(); len(o) != 1 || len(o[0].Candidates) != 1 {
			t.Fatalf("orphans %+v", o)
		}
		h.stands("day/late.txt", 5, nil)
		h.ends(b, "day/late.txt")
		h.ends(c, "day/late.txt")
		h.pass(2 * time.Minute)
		o := h.orphans()
		if len(o) != 1 || len(o[0].Candidates) != 2 {
			t.Fatalf("orphans %+v", o)
		}
		if want := "2 jobs may have written it, and nothing decides between them"; o[0].Reason != want {
			t.Errorf("the reason is %q, want %q", o[0].Reason, want)
		}
		slices.Sort(o[0].Suggest[:2]) // both were sent at the same moment
		if want := []string{"user002", "user003", "user001", "user004"}; !slices.Equal(o[0].Suggest, want) {
			t.Errorf("suggested are %q, want %q", o[0].Suggest, want)
		}
	})
}

// TestPhaseWithoutFiles: a run that succeeded and whose number of files is not
// known is not told as "0 of 0 files".
func TestPhaseWithoutFiles(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.ask("user001", wanted{Expect: []job.Expected{{Node: "9", Class: "Own Saver", Custom: true}}})
		h.pass(time.Second)
		h.ends(j)
		h.pass(time.Second)
		if p := h.Standing(h.now(j)).Phase; p != "saving, no file seen yet" {
			t.Errorf("the phase is %q", p)
		}
	})
}
