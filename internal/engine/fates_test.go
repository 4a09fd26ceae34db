package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestNoFilesSaysWhereTheyAre: a job of which no file was delivered says what became
// of the file that its history names, and what to do.
func TestNoFilesSaysWhereTheyAre(t *testing.T) {
	unsure := wanted{Unsure: true, Expect: []job.Expected{{Node: "9", Class: "Odd Saver", Custom: true}}}
	const p = job.Path("flat/same.png")
	sighting := func(h *house, m job.Mark, claim *job.Claim) {
		h.share.report(job.Sighting{Path: p, Size: 10, Mark: m, At: time.Now(), Modified: time.Now(), Claim: claim, Reason: "a symbolic link"})
		synctest.Wait()
	}
	claimOf := func(h *house, j job.Job) *job.Claim { return &job.Claim{Job: j.ID, PromptID: h.prompt(j), Attempt: 1} }
	decide := func(how func(h *house, id job.OutputID) error) func(h *house, a, b job.Job) {
		return func(h *house, a, b job.Job) {
			sighting(h, job.MarkWhole, nil)
			h.ends(a, p)
			h.ends(b, p)
			h.pass(5 * time.Second)
			if err := how(h, h.orphans()[0].ID); err != nil {
				h.Fatal(err)
			}
		}
	}
	boss := job.Caller{Name: "boss", Admin: true}
	for name, c := range map[string]struct {
		run           func(h *house, a, b job.Job) // both are in flight
		code          string                       // of b
		says, without string
		hint          string
	}{
		"assigned by an admin": {decide(func(h *house, id job.OutputID) error {
			_, err := h.AssignOrphan(context.Background(), id, "user007", boss)
			return err
		}), "decided_elsewhere", "boss assigned flat/same.png to user007", "stand", "qmtui outputs unassign"},
		"discarded by an admin": {decide(func(h *house, id job.OutputID) error {
			_, err := h.DiscardOrphan(context.Background(), id, "test", boss)
			return err
		}), "decided_elsewhere", "boss discarded flat/same.png", "stand", "retry"},
		"undecided": {decide(func(*house, job.OutputID) error { return nil }), "file_undecided", "flat/same.png stands on the share", "", "qmtui outputs assign"},
		"delivered to the other job": {func(h *house, a, b job.Job) {
			sighting(h, job.MarkWhole, claimOf(h, a))
			h.ends(a, p)
			h.ends(b, p)
		}, "file_elsewhere", "flat/same.png was delivered to job %A", "stand", "[[save_node]]"},
		"never complete": {func(h *house, a, b job.Job) {
			h.ends(a)
			h.ends(b, p)
			sighting(h, job.MarkSeen, nil)
		}, "half_file", "flat/same.png never became complete", "does not stand", "retry"},
		"gone before it was copied": {func(h *house, a, b job.Job) {
			gone := &job.Error{Code: "source_vanished", Class: job.NotFound, Message: "it is not there any more"}
			h.share.set(func(s *fakeShare) { s.fail[p] = []error{gone, gone, gone, gone, gone} })
			h.ends(a)
			h.ends(b, p)
			sighting(h, job.MarkWhole, nil)
		}, "source_vanished", "flat/same.png was removed or written again before it could be copied", "stand", "retry"},
		"no ordinary file": {func(h *house, a, b job.Job) {
			h.ends(a)
			h.ends(b, p)
			sighting(h, job.MarkHostile, nil)
		}, "hostile_file", "flat/same.png is a symbolic link", "does not stand", "plain files"},
		"not to be looked at": {func(h *house, a, b job.Job) {
			h.ends(a)
			h.ends(b, p)
			h.share.report(job.Sighting{Path: p, PromptID: h.prompt(b), Mark: job.MarkBlocked, At: time.Now(), Reason: "may not be read by user id 7"})
		}, "not_looked_at", "may not be read by user id 7", "does not stand", "look before"},
		"written by the other job, in its own folder": {func(h *house, a, b job.Job) {
			h.see(h.prompt(a), job.MarkWhole, "out_00001_.png")
			h.ends(a)
			h.ends(b, job.Path("qm/"+h.prompt(a)+"/9/out_00001_.png"))
		}, "no_files", "/9/out_00001_.png came to the share than the one that job %A wrote", "stand", "cache"},
		"nowhere": {func(h *house, a, b job.Job) {
			h.ends(a)
			h.ends(b, p)
		}, "no_files", "no new flat/same.png came to the share", "", "--output-directory"},
	} {
		t.Run(name, func(t *testing.T) {
			open(t, 2, engine.Policy{Retries: -1}, func(h *house) {
				a, b := h.ask("user001", unsure), h.ask("user002", unsure)
				h.pass(time.Second)
				c.run(h, a, b)
				h.pass(5 * time.Minute)
				e := h.want(b, job.Lost).Current().Error
				if says := strings.Replace(c.says, "%A", string(a.ID), 1); e.Code != c.code || !strings.Contains(e.Message, says) || !strings.Contains(e.Hint, c.hint) ||
					c.without != "" && strings.Contains(e.Message, c.without) {
					t.Errorf("%s: %s (%s)", e.Code, e.Message, e.Hint)
				}
			})
		})
	}
}

// TestNoFilesNamesUnknownNodes: where nobody knows whether the nodes of a prompt save
// anything, the worker's folder is not blamed for it.
func TestNoFilesNamesUnknownNodes(t *testing.T) {
	for _, c := range []struct {
		expect     []job.Expected
		says, hint string
	}{
		{nil, "Show Anything, Show Other", "[[save_node]]"},
		{[]job.Expected{{Node: "9", Class: "Odd Saver", Custom: true}}, "Odd Saver, Show Anything, Show Other", "[[save_node]]"},
		{[]job.Expected{{Node: "9", Class: "SaveImage", Count: 1}}, "no file came to the share", "--output-directory"},
	} {
		open(t, 1, engine.Policy{Retries: -1}, func(h *house) {
			j := h.ask("user001", wanted{Unsure: true, Strangers: map[string]string{"7": "Show Anything", "8": "Show Other", "10": "Show Anything"}, Expect: c.expect})
			h.pass(time.Second)
			h.ends(j)
			h.pass(2 * time.Minute)
			e := h.want(j, job.Lost).Current().Error
			if e.Code != "no_files" || !strings.Contains(e.Message, c.says) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("%s: %s (%s)", e.Code, e.Message, e.Hint)
			}
		})
	}
}

// TestNoFilesOfACachedNode: what was delivered to an earlier job and is named
// again, without a newer version, is said to be that.
func TestNoFilesOfACachedNode(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		a := h.ask("user001", own("day/"))
		h.pass(time.Second)
		h.stands("day/anna.png", 10, nil)
		h.ends(a, "day/anna.png")
		h.pass(time.Minute)
		h.want(a, job.Done)
		b := h.ask("user002", own("day/"))
		h.pass(time.Second)
		h.ends(b, "day/anna.png")
		h.pass(2 * time.Minute)
		e := h.now(b).Attempts[0].Error
		if e == nil || e.Code != "no_files" || !strings.Contains(e.Message, "no newer day/anna.png came to the share than the one that job "+string(a.ID)) || !strings.Contains(e.Hint, "seed") {
			t.Errorf("%+v", e)
		}
		h.delivers(map[string]int{"user001": 1, "user002": 0})
	})
}
