package engine_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// kinds lists how often each kind of fact was recorded of a job's outputs.
func (s *site) kinds(id job.ID) map[job.Kind]int {
	s.Helper()
	facts, err := s.Facts(id)
	if err != nil {
		s.Fatal(err)
	}
	n := map[job.Kind]int{}
	for _, f := range facts {
		if f.Output != nil || f.Kind == job.Noted {
			n[f.Kind]++
		}
	}
	return n
}

func (s *site) output(id job.ID) job.Output {
	s.Helper()
	j, err := s.Job(id)
	if err != nil || len(j.Outputs) != 1 {
		s.Fatalf("%d outputs, %v", len(j.Outputs), err)
	}
	return j.Outputs[0]
}

// TestRow07Rewritten: a picture that gets its metadata 1.5 s after it was
// complete arrives in its last version, in the place of the first.
func TestRow07Rewritten(t *testing.T) {
	openSite(t, engine.Policy{}, func(s *site) {
		j := s.submit("ada", map[string]int{"9": 1})
		s.write(j, "9/s_00001_.png", labelled("first"))
		s.pass(1500 * time.Millisecond)
		first := s.output(j.ID)
		if first.State != job.OutputStored {
			t.Fatalf("not delivered at once: %+v", first)
		}
		for _, version := range []string{"second", "third"} {
			s.write(j, "9/s_00001_.png", labelled(version))
			s.pass(30 * time.Second)
			if got := s.delivered("ada"); !maps.Equal(got, map[string]string{"s_00001_.png": version}) {
				t.Errorf("got %v", got)
			}
		}
		last := s.output(j.ID)
		if last.ID != first.ID || last.Dest != first.Dest || last.Checksum == first.Checksum || !last.RewrittenAt.After(last.StoredAt) {
			t.Errorf("%+v, then %+v", first, last)
		}
		if n := s.kinds(j.ID); n[job.Rewritten] != 2 || n[job.Stored] != 1 || n[job.Noted] != 0 {
			t.Errorf("facts %v", n)
		}
		s.write(j, "9/s_00001_.png", labelled("third")) // the same bytes at another time
		s.pass(time.Minute)
		if n := s.kinds(j.ID); n[job.Rewritten] != 2 {
			t.Errorf("a touch is a version: %v", n)
		}
	})
}

// TestRow07RewrittenWhileDown: a version that was written while no manager ran is
// found at the next start.
func TestRow07RewrittenWhileDown(t *testing.T) {
	openSite(t, engine.Policy{}, func(s *site) {
		j := s.submit("ada", map[string]int{"9": 1})
		s.write(j, "9/s_00001_.png", labelled("first"))
		s.pass(5 * time.Second)
		s.stop()
		s.write(j, "9/s_00001_.png", labelled("second"))
		s.start(engine.Policy{})
		s.pass(15 * time.Second)
		s.stop()
		s.start(engine.Policy{})
		s.pass(15 * time.Second)
		if got := s.delivered("ada"); !maps.Equal(got, map[string]string{"s_00001_.png": "second"}) {
			t.Errorf("got %v", got)
		}
		if n := s.kinds(j.ID); n[job.Rewritten] != 1 {
			t.Errorf("facts %v", n)
		}
	})
}

// TestRow07UserChangedIt: the newer version goes beside a file that its user has
// changed, and the job says so.
func TestRow07UserChangedIt(t *testing.T) {
	openSite(t, engine.Policy{}, func(s *site) {
		j := s.submit("ada", map[string]int{"9": 1})
		s.write(j, "9/s_00001_.png", labelled("first"))
		s.pass(5 * time.Second)
		if err := os.WriteFile(filepath.Join(s.users, "ada", "s_00001_.png"), []byte("retouched"), 0o644); err != nil {
			t.Fatal(err)
		}
		s.write(j, "9/s_00001_.png", labelled("second"))
		s.pass(15 * time.Second)
		want := map[string]string{"s_00001_.png": "retouched", "s_00002_.png": "second"}
		if got := s.delivered("ada"); !maps.Equal(got, want) {
			t.Errorf("got %v", got)
		}
		s.write(j, "9/s_00001_.png", labelled("third"))
		s.pass(30 * time.Second) // late folders are looked into less often
		want["s_00002_.png"] = "third"
		if got := s.delivered("ada"); !maps.Equal(got, want) {
			t.Errorf("got %v", got)
		}
		now, err := s.Job(j.ID)
		if err != nil || len(now.Warnings) != 1 || now.Warnings[0].Code != "rewritten_beside" || !strings.Contains(now.Warnings[0].Message, "s_00002_.png") {
			t.Errorf("warnings %+v, %v", now.Warnings, err)
		}
		if o := s.output(j.ID); o.Dest != "s_00002_.png" || o.Beside != "" {
			t.Errorf("%+v", o)
		}
	})
}

// TestRow07AfterTheLateWindow: what is changed on the share when nobody looks for
// files any more stays there.
func TestRow07AfterTheLateWindow(t *testing.T) {
	openSite(t, engine.Policy{LateWindow: time.Minute}, func(s *site) {
		j := s.submit("ada", map[string]int{"9": 1})
		s.write(j, "9/s_00001_.png", labelled("first"))
		s.pass(5 * time.Minute)
		if now, err := s.Job(j.ID); err != nil || !now.Closed {
			t.Fatalf("not closed: %v", err)
		}
		s.write(j, "9/s_00001_.png", labelled("second"))
		s.pass(time.Hour)
		if got := s.delivered("ada"); !maps.Equal(got, map[string]string{"s_00001_.png": "first"}) {
			t.Errorf("got %v", got)
		}
		if orphans, err := s.ledger.Orphans(""); err != nil || len(orphans) != 0 {
			t.Errorf("orphans %v, %v", orphans, err)
		}
	})
}

// TestRow07PlaceBesideIsRecorded: killed between the choice of a place beside the
// changed file and the end of the copy, the next start goes on to that place.
func TestRow07PlaceBesideIsRecorded(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		src := job.Path("qm/" + p + "/9/out_00001_.png")
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.share.set(func(s *fakeShare) { s.fail[src] = []error{&job.Error{Code: "dest_taken"}, context.Canceled} })
		h.share.report(job.Sighting{PromptID: p, Node: "9", Path: src, Size: 11, Mark: job.MarkWhole, At: time.Now(), Modified: time.Now()})
		h.pass(time.Second)
		if o := h.now(j).Outputs[0]; o.Beside != "out_00002_.png" || o.Dest != "out_00001_.png" {
			t.Fatalf("no place beside is recorded: %+v", o)
		}
		h.stop()
		h.share.set(func(s *fakeShare) { s.placed["user001/out_00002_.png"] = src }) // the copy had been made
		h.start()
		h.share.report(job.Sighting{PromptID: p, Node: "9", Path: src, Size: 11, Mark: job.MarkWhole, At: time.Now(), Modified: time.Now()})
		h.pass(time.Second)
		if o := h.now(j).Outputs[0]; o.Dest != "out_00002_.png" || o.Beside != "" {
			t.Errorf("%+v", o)
		}
		if got := h.share.delivered("user001"); len(got) != 2 {
			t.Errorf("delivered %q", got)
		}
	})
}

// TestRow07OutsideItsFolder: a file that only a history attributes is delivered
// again as well.
func TestRow07OutsideItsFolder(t *testing.T) {
	openSite(t, engine.Policy{}, func(s *site) {
		j := s.submit("ada", map[string]int{"9": 1})
		write := func(body string) {
			t.Helper()
			p := filepath.Join(s.outputs, "flat", "anna.png")
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, labelled(body), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(p, time.Now(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		write("first")
		a := j.Current()
		s.fleet.report(job.Fact{Job: j.ID, Attempt: 1, PromptID: a.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory, Files: []job.Path{"flat/anna.png"}})
		s.pass(5 * time.Second)
		if got := s.delivered("ada"); !maps.Equal(got, map[string]string{"flat/anna.png": "first"}) {
			t.Errorf("got %v", got)
		}
		write("second")
		s.pass(30 * time.Second)
		if got := s.delivered("ada"); !maps.Equal(got, map[string]string{"flat/anna.png": "second"}) {
			t.Errorf("got %v", got)
		}
		if n := s.kinds(j.ID); n[job.Rewritten] != 1 || n[job.Stored] != 1 {
			t.Errorf("facts %v", n)
		}
		if orphans, err := s.ledger.Orphans(job.OrphanOpen); err != nil || len(orphans) != 0 {
			t.Errorf("orphans %v, %v", orphans, err)
		}
	})
}
