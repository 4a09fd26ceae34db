package engine_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func (s *site) ask(user string, w wanted) job.Job {
	s.Helper()
	body, _ := json.Marshal(w)
	j, _, err := s.Submit(context.Background(), job.Request{User: user, Workflow: body, Priority: job.Normal, Caller: job.Caller{Name: user}})
	if err != nil {
		s.Fatal(err)
	}
	time.Sleep(2 * time.Second) // fake time
	j, _ = s.Job(j.ID)
	return j
}

func (s *site) put(p string, body []byte) {
	s.Helper()
	f := filepath.Join(s.outputs, filepath.FromSlash(p))
	if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(f, body, 0o644); err != nil {
		s.Fatal(err)
	}
	if err := os.Chtimes(f, time.Now(), time.Now()); err != nil {
		s.Fatal(err)
	}
}

func (s *site) ends(j job.Job, reused bool, files ...job.Path) {
	j, _ = s.Job(j.ID)
	a := j.Current()
	f := job.Fact{Job: j.ID, Attempt: a.N, PromptID: a.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory, Files: files, Outside: []string{"9"}}
	if reused {
		f.Reused = files
	}
	s.fleet.report(f)
}

func (s *site) tell(id job.ID) {
	j, _ := s.Job(id)
	facts, _ := s.Facts(id)
	for _, f := range facts {
		s.Logf("%s a%d %s %s %+v %+v %+v", f.At.Format("15:04:05.0"), f.Attempt, f.Kind, f.Evidence, f.Output, f.Error, f.Warning)
	}
	s.Logf("%s %s", j.State(), s.Standing(j).Phase)
	o, _ := s.Orphans("")
	s.Logf("orphans %+v", o)
}

// TestRow04CachedNodeWhoseFileWasOverwritten: where files of two users stood one
// after the other, nobody knows which of them a cached node reports.
func TestRow04CachedNodeWhoseFileWasOverwritten(t *testing.T) {
	openSite(t, engine.Policy{}, func(s *site) {
		for _, user := range []string{"ada", "bob"} {
			j := s.ask(user, own("day/anna"))
			s.put("day/anna.png", labelled("of "+user))
			s.ends(j, false, "day/anna.png")
			time.Sleep(time.Hour) // fake time
		}
		j := s.ask("ada", own("day/anna"))
		s.ends(j, true, "day/anna.png")
		time.Sleep(3 * time.Minute) // fake time
		if got := s.delivered("ada"); !maps.Equal(got, map[string]string{"day/anna.png": "of ada"}) {
			t.Errorf("ada has %v", got)
		}
		s.tell(j.ID)
		t.Logf("bob %v", s.delivered("bob"))
	})
}

// TestRow04CachedNodeOnTheShare: an unchanged file that a cached node reports is
// delivered while the job that wrote it is still looked after.
func TestRow04CachedNodeOnTheShare(t *testing.T) {
	openSite(t, engine.Policy{}, func(s *site) {
		j := s.ask("ada", own("preview3d_"))
		s.put("preview3d_ab.png", labelled("mesh"))
		s.ends(j, false, "preview3d_ab.png")
		for _, wait := range []time.Duration{time.Minute, time.Hour} {
			time.Sleep(wait) // fake time
			k := s.ask("bob", own("preview3d_"))
			s.ends(k, true, "preview3d_ab.png")
			time.Sleep(3 * time.Minute) // fake time
			k, _ = s.Job(k.ID)
			if k.State() != job.Done {
				t.Errorf("%v: %s %+v", wait, k.State(), k.Current().Error)
				s.tell(k.ID)
			}
		}
		t.Logf("%v", s.delivered("bob"))
	})
}
