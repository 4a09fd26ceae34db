package engine_test

import (
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
