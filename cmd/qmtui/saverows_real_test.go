package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// TestSaveRowsOnComfyUI has a case for each kind of save node that was once
// delivered wrongly, for two users with the same names.
func TestSaveRowsOnComfyUI(t *testing.T) {
	s := openSaveStage(t, stagePlan{})
	if _, err := s.client.CheckWorker(t.Context(), realDeployment); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"row 1: two users take the same name at once", s.testSameName},
		{"row 1: one user after the other", s.testOneAfterTheOther},
		{"row 3: the folder is another input", s.testFlat},
		{"row 4: the history names the file", s.testNamed},
		{"row 7: a picture is written again", s.testRewritten},
		{"row 8: files come slowly", s.testTrickle},
		{"row 9: sidecars keep the number of their picture", s.testSidecars},
		{"row 9: a video and its sound keep one number", s.testVideoAndSound},
	} {
		t.Run(part.name, part.run)
	}
}

// kind finds a row of saveKinds; the test is skipped when the servers have no such node.
func (s *saveStage) kind(t *testing.T, name string) saveKind {
	t.Helper()
	known := s.knownKinds(t)
	i := slices.IndexFunc(known, func(k saveKind) bool { return k.name == name })
	if i < 0 {
		t.Skipf("these servers have no node for %s", name)
	}
	return known[i]
}

// both starts n jobs of each kind for two users in turn, and judges them.
func (s *saveStage) both(t *testing.T, n int, users [2]string, names ...string) []*saveJob {
	t.Helper()
	var jobs []*saveJob
	for i := range n {
		for _, name := range names {
			jobs = append(jobs, s.start(t, users[i%2], s.kind(t, name)))
		}
	}
	s.endAll(t, jobs)
	s.judgeNumbers(t, jobs)
	return jobs
}

func (s *saveStage) testSameName(t *testing.T) {
	s.both(t, 8, [2]string{"user101", "user102"}, "QmtuiTestNamedBare jpg", "QmtuiTestNamedBare webp", "QmtuiTestWhole", "QmtuiTestQuietText")
}

// testOneAfterTheOther: the second user's files replace those of the first on the share.
func (s *saveStage) testOneAfterTheOther(t *testing.T) {
	for _, user := range []string{"user103", "user104", "user103"} {
		var jobs []*saveJob
		for range 2 {
			for _, name := range []string{"QmtuiTestNamedBare jpg", "QmtuiTestWhole"} {
				j := s.start(t, user, s.kind(t, name))
				s.until(t, 2*time.Minute, "has ended", hasEnded, j.id)
				jobs = append(jobs, j)
			}
		}
		s.endAll(t, jobs)
		s.judgeNumbers(t, jobs)
	}
}

func (s *saveStage) testFlat(t *testing.T) {
	s.both(t, 4, [2]string{"user105", "user106"}, "QmtuiTestFlat", "QmtuiTestBothFolders", "QmtuiTestOtherPrefix")
}

func (s *saveStage) testNamed(t *testing.T) {
	jobs := s.both(t, 4, [2]string{"user107", "user108"}, "QmtuiTestNamed")
	for _, j := range jobs {
		facts, err := s.client.Facts(t.Context(), j.id)
		orFatal(t, err)
		if slices.ContainsFunc(facts, func(f api.Fact) bool { return f.Kind == job.Expired }) {
			t.Errorf("job %s was given up before it was done", j.id)
		}
	}
}

func (s *saveStage) testRewritten(t *testing.T) {
	s.both(t, 4, [2]string{"user109", "user110"}, "QmtuiTestRewrite")
}

// testTrickle: a job that is done has all its files.
func (s *saveStage) testTrickle(t *testing.T) {
	k := saveKind{"QmtuiTestTrickle", "", 1, `{"class_type":"QmtuiTestTrickle","inputs":{"images":["1",0],"filename_prefix":"same","files":4,"seconds":5.0}}`, "", 4}
	jobs := []*saveJob{s.start(t, "user111", k), s.start(t, "user112", k)}
	ended := s.until(t, 2*time.Minute, "has ended", hasEnded, jobs[0].id, jobs[1].id)
	for _, j := range jobs {
		a := ended[j.id]
		if a.State != job.Done || len(a.Outputs) != k.files {
			t.Errorf("the job of %s is %s with %d of %d files: %+v", j.user, a.State, len(a.Outputs), k.files, a.ErrorDetail)
		}
		t.Logf("%d files of %s, done after %s", len(a.Outputs), j.user, a.Completed.Sub(a.Created.Time).Round(100*time.Millisecond))
	}
	s.endAll(t, jobs)
	s.judgeNumbers(t, jobs)
}

// testSidecars: what stands under one number is of one picture, and the
// pictures of a batch keep their order.
func (s *saveStage) testSidecars(t *testing.T) {
	k := s.kind(t, "QmtuiTestSidecars")
	k.batch, k.files = 4, 12
	var jobs []*saveJob
	for n := range 6 {
		jobs = append(jobs, s.start(t, demo.User(113+n%2), k))
	}
	s.endAll(t, jobs)
	s.judgeNumbers(t, jobs)
	for _, j := range jobs {
		a, err := s.client.Job(t.Context(), j.id)
		orFatal(t, err)
		at := map[string]string{} // by the stem of a delivered name: which picture of the batch it goes with
		for _, o := range a.Outputs {
			stem := strings.TrimSuffix(o.Path, path.Ext(o.Path))
			if source := strings.TrimSuffix(path.Base(string(o.Source)), path.Ext(o.Path)); at[stem] == "" {
				at[stem] = source
			} else if at[stem] != source {
				t.Errorf("%s of %s is of the picture %s, others of its number are of %s", o.Path, j.user, source, at[stem])
			}
			if path.Ext(o.Path) != ".txt" {
				continue
			}
			said, err := os.ReadFile(filepath.Join(s.users, j.user, o.Path))
			orFatal(t, err)
			at[stem+" says"] = string(said)
		}
		var stems []string
		for stem := range at {
			if !strings.HasSuffix(stem, " says") {
				stems = append(stems, stem)
			}
		}
		slices.Sort(stems)
		if len(stems) != k.batch {
			t.Errorf("the files of %s of %s have %d numbers, want %d: %s", j.id, j.user, len(stems), k.batch, paths(a.Outputs))
		}
		for n, stem := range stems {
			if want := fmt.Sprintf("qmtui-job-%d %d", j.number, n); at[stem+" says"] != want {
				t.Errorf("%s of %s says %q, want %q", stem, j.user, at[stem+" says"], want)
			}
		}
	}
}

func (s *saveStage) testVideoAndSound(t *testing.T) {
	for _, j := range s.both(t, 6, [2]string{"user115", "user116"}, "VHS_VideoCombine audio") {
		a, err := s.client.Job(t.Context(), j.id)
		orFatal(t, err)
		stems := map[string]bool{}
		for _, o := range a.Outputs {
			stem, _, _ := strings.Cut(strings.TrimSuffix(o.Path, path.Ext(o.Path)), "-audio")
			stems[stem] = true
		}
		if len(stems) != 1 {
			t.Errorf("%s of %s has several numbers: %s", j.id, j.user, paths(a.Outputs))
		}
	}
}

// TestNewPackOnComfyUI (row 5): a node pack that failed to load is installed
// while the manager runs. It is refused before, and taken afterwards.
func TestNewPackOnComfyUI(t *testing.T) {
	var folders []string
	s := openStage(t, stagePlan{prepare: func(dir string) { folders = append(folders, dir) }})
	k := saveKinds[0]
	prompt := func(n int) api.SubmitRequest {
		return api.SubmitRequest{User: "user001", Name: k.name, Workflow: json.RawMessage(fmt.Sprintf(
			`{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":64,"batch_size":1,"color":%d}},"2":%s}`, n, k.node2))}
	}
	if _, err := s.client.CheckWorker(t.Context(), realDeployment); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.client.Submit(t.Context(), prompt(1))
	refusedAs(t, err, "unknown_class")
	code, err := os.ReadFile("testdata/real/standins.py")
	orFatal(t, err)
	for i, r := range s.replicas {
		orFatal(t, os.WriteFile(filepath.Join(customNodes(folders[i]), "qmtui_standins.py"), code, 0o644))
		r.restart(t)
	}
	for _, r := range s.replicas {
		r.ready(t)
	}
	began := time.Now()
	var j api.Job
	eventually(t, time.Minute, "the job is taken", func() bool { // a list that was just read is not read again
		var err error
		j, _, err = s.client.Submit(t.Context(), prompt(2))
		return err == nil
	})
	j = s.until(t, time.Minute, "has ended", hasEnded, j.ID)[j.ID]
	if j.State != job.Done || len(j.Outputs) != 1 {
		t.Errorf("the job is %s with %s: %+v", j.State, paths(j.Outputs), j.ErrorDetail)
	}
	t.Logf("done %s after the servers have it", seconds(began))
}
