package engine_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// copied reports a file that somebody copied to another path of the share, with
// the metadata of the job's first attempt or, where its format carries none, without.
func (h *house) copied(j job.Job, path string, m job.Mark, size int64, claimed bool) {
	s := job.Sighting{Path: job.Path(path), Size: size, Mark: m, At: time.Now(), Modified: time.Now()}
	if claimed {
		s.Claim = &job.Claim{Job: j.ID, PromptID: h.now(j).Attempts[0].PromptID, Attempt: 1}
	}
	if id, ok := strings.CutPrefix(path, "qm/"); ok {
		s.PromptID, _, _ = strings.Cut(id, "/")
	}
	h.share.report(s)
	synctest.Wait()
}

// TestRow10MovedFolder: the folder qm/, moved or copied elsewhere, brings nothing
// that was delivered once more, be the jobs open or closed, and whatever the files
// say of themselves.
func TestRow10MovedFolder(t *testing.T) {
	for _, c := range []struct {
		name    string
		where   string
		claimed bool
		places  []string
	}{
		{"moved", "qm-old/%/9/out_00001_.png", true, nil},
		{"moved within qm", "qm/old/%/9/out_00001_.png", true, nil},
		{"no metadata", "qm-old/%/9/out_00001_.png", false, nil},
		{"no metadata, within qm", "qm/old/%/9/out_00001_.png", false, nil},
		{"copied by name", "restored/out_00001_.png", true, nil},
		{"copied by name within qm", "qm/restored/out_00001_.png", true, nil},
		{"of a job that may write anywhere", "backup/%/9/out_00001_.png", true, []string{""}},
	} {
		for _, wait := range []time.Duration{5 * time.Second, time.Hour} {
			t.Run(c.name, func(t *testing.T) {
				open(t, 1, engine.Policy{}, func(h *house) {
					w := wanted{Places: c.places, Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}}}
					if c.places != nil {
						w.Expect = append(w.Expect, job.Expected{Node: "10", Class: "Own Saver", Custom: true, Outside: true})
					}
					j := h.ask("user001", w)
					h.pass(time.Second)
					h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
					if c.places == nil { // the other goes on
						h.ends(j)
					}
					h.pass(wait)
					path := strings.Replace(c.where, "%", h.now(j).Attempts[0].PromptID, 1)
					for _, m := range []job.Mark{job.MarkSeen, job.MarkWhole} {
						h.copied(j, path, m, 10, c.claimed)
						h.pass(time.Second)
					}
					h.pass(time.Minute)
					h.delivers(map[string]int{"user001": 1})
					if o := h.orphans(); len(o) != 0 {
						t.Errorf("orphans %+v", o)
					}
					if n := h.Status().Copies; n == 0 {
						t.Error("it was not counted")
					}
				})
			})
		}
	}
}

// TestRow10CopyInProgress: a copy that is being written, or that is made while the
// file itself is on its way to the user, is one all the same.
func TestRow10CopyInProgress(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		gate := make(chan struct{})
		h.share.set(func(s *fakeShare) { s.gate = gate })
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.ends(j)
		h.pass(time.Second)
		h.copied(j, "backup/a.png", job.MarkWhole, 10, true)
		h.pass(time.Second)
		close(gate)
		h.pass(5 * time.Second)
		h.copied(j, "backup/b.png", job.MarkSeen, 4, true)
		h.pass(5 * time.Second)
		h.copied(j, "backup/b.png", job.MarkWhole, 10, true)
		h.pass(time.Minute)
		h.want(j, job.Done)
		h.delivers(map[string]int{"user001": 1})
		h.copied(j, "backup/half.png", job.MarkSeen, 4, true)
		h.pass(time.Hour) // closed: shown, until it turns out to be a copy
		if o := h.orphans(); len(o) != 1 || len(o[0].Candidates) != 1 {
			t.Errorf("orphans %+v", o)
		}
		h.copied(j, "backup/half.png", job.MarkWhole, 10, true)
		h.pass(time.Minute)
		if o := h.orphans(); len(o) != 0 {
			t.Errorf("orphans %+v", o)
		}
		h.delivers(map[string]int{"user001": 1})
	})
}

// TestRow10MovedBeforeDelivery: what was moved before it was delivered is
// delivered from where it stands.
func TestRow10MovedBeforeDelivery(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		gone := &job.Error{Code: "source_vanished", Class: job.Unavailable, Message: "it is not there any more"}
		source := job.Path("qm/" + h.prompt(j) + "/9/out_00001_.png")
		h.share.set(func(s *fakeShare) { s.fail[source] = []error{gone, gone, gone, gone, gone} })
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.ends(j)
		h.copied(j, "qm-old/"+h.prompt(j)+"/9/out_00001_.png", job.MarkWhole, 10, true)
		h.pass(5 * time.Minute)
		h.delivers(map[string]int{"user001": 1})
		if o := h.orphans(); len(o) != 0 {
			t.Errorf("orphans %+v", o)
		}
	})
}
