package main

import (
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// TestRealComfyUI runs the manager against two real ComfyUI servers on the
// CPU, which share an output folder and stand behind a balancer that sends
// every request to a random one. It needs
//
//	COMFYUI_DIR=/path/of/ComfyUI go test -run TestRealComfyUI -v ./cmd/qmtui
//
// and no model. The parts run one after another on one stage.
func TestRealComfyUI(t *testing.T) {
	s := openRealStage(t, nil)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"an unknown class is refused by the worker", s.testUnknownToWorker},
		{"every format", s.testAllFormats},
		{"inputs of two users", s.testInputs},
		{"the same prompt again", s.testAgain},
		{"a picture dragged back", s.testDraggedBack},
		{"one prefix on both servers at once", s.testOnePrefix},
		{"the manager is away meanwhile", s.testAway},
		{"refused before anything is sent", s.testRefusedHere},
		{"a bad value is refused by the worker", s.testBadValue},
		{"one of two outputs is refused", s.testHalfBad},
		{"a node raises", s.testRaises},
		{"a computed prefix leads out", s.testLeadsOut},
		{"sticky", s.testSticky},
		{"cancel a running one", s.testCancel},
		{"nothing is orphaned", s.testOrphans},
	} {
		t.Run(part.name, part.run)
	}
}

// TestRealComfyUIByMetadata switches the prefix off, so that files stand where
// a bare ComfyUI puts them and only what is embedded in them tells whose they
// are. Formats without metadata are left out: for these there is the prefix.
func TestRealComfyUIByMetadata(t *testing.T) {
	s := openRealStage(t, func(c *config.Config) { c.Tag.Prefix = false })
	formats := slices.DeleteFunc(s.known(t), func(f realFormat) bool { return f.bare })
	s.testFormats(t, formats)
	for _, w := range s.written(t) {
		if w.PromptID != "" {
			t.Errorf("%s was tagged", w.Path)
		}
	}
	t.Run("nobody gets what was there before", s.testBefore)
}

// testBefore: without a prefix the only job in flight gets new files that
// nothing names, but neither the share's past nor a known orphan, even when a
// manager starts and sees them for the first time.
func (s *realStage) testBefore(t *testing.T) {
	if list, err := s.client.Orphans(t.Context(), job.OrphanOpen); err != nil || len(list) != 0 {
		t.Errorf("before anything strange stands there the orphans are %+v (%v)", list, err)
	}
	past, orphan := filepath.Join(s.share, "past_00001_.png"), filepath.Join(s.share, "orphan_00001_.png")
	putPicture(t, past)
	yesterday := time.Now().Add(-24 * time.Hour)
	orFatal(t, os.Chtimes(past, yesterday, yesterday))
	putPicture(t, orphan)
	eventually(t, time.Minute, "the orphan is found", func() bool {
		list, err := s.client.Orphans(t.Context(), job.OrphanOpen)
		orFatal(t, err)
		return slices.ContainsFunc(list, func(o api.Orphan) bool { return o.Path == "orphan_00001_.png" })
	})
	s.testAway(t)
	if names, err := os.ReadDir(filepath.Join(s.users, "user007")); err != nil || len(names) != 1 {
		t.Errorf("the only user in flight has %v (%v)", names, err)
	}
}

// testUnknownToWorker: nobody has told the manager yet which nodes there are.
func (s *realStage) testUnknownToWorker(t *testing.T) {
	j := s.run(t, "user006", 1, "cases/unknown-class")
	if j.State != job.Failed || len(j.Attempts) != 1 || j.ErrorDetail == nil || j.ErrorDetail.Code != "worker_refused" ||
		!strings.Contains(j.ErrorDetail.Message, "QmtuiNobodyHasThis") {
		t.Errorf("the job is %s after %d attempts: %+v", j.State, len(j.Attempts), j.ErrorDetail)
	}
	t.Logf("%s: %s", j.State, j.ErrorDetail.Message)
}

// testRefusedHere: what cannot work costs nobody a machine.
func (s *realStage) testRefusedHere(t *testing.T) {
	if _, err := s.client.CheckWorker(t.Context(), realDeployment); err != nil {
		t.Fatal(err)
	}
	sent := s.balancer.count(asked.posts)
	for _, tt := range []struct{ file, code, node string }{
		{"cases/preview-only", "previews_only", ""},
		{"cases/ui-format", "ui_format", ""},
		{"cases/unknown-class", "unknown_class", "2"},
		{"cases/bad-value", "bad_inputs", "1"},
	} {
		_, _, err := s.client.Submit(t.Context(), s.request(t, "user006", 2, tt.file))
		var e *job.Error
		if !errors.As(err, &e) || e.Code != tt.code || e.Hint == "" || !names(e.NodeErrors, tt.node) {
			t.Errorf("%s: %v (node errors %s), want %s", tt.file, err, e.NodeErrors, tt.code)
		}
	}
	if now := s.balancer.count(asked.posts); now != sent {
		t.Errorf("%d prompts were sent", now-sent)
	}
}

// names reports whether ComfyUI's node_errors blame a node; "" for nobody.
func names(nodeErrors json.RawMessage, node string) bool {
	var byNode map[string]comfy.NodeError
	if len(nodeErrors) > 0 && json.Unmarshal(nodeErrors, &byNode) != nil {
		return false
	}
	blamed, ok := byNode[node]
	return node == "" && len(byNode) == 0 || ok && len(byNode) == 1 && len(blamed.Errors) > 0
}

// testBadValue: only our own start marker passes the worker's checks, of which
// one is a node's own.
func (s *realStage) testBadValue(t *testing.T) {
	began := time.Now()
	j := s.run(t, "user006", 3, "cases/picky")
	if j.State != job.Failed || len(j.Attempts) != 1 || j.ErrorDetail == nil || j.ErrorDetail.Code != "worker_refused" || !names(j.ErrorDetail.NodeErrors, "2") {
		t.Fatalf("the job is %s after %d attempts: %+v", j.State, len(j.Attempts), j.ErrorDetail)
	}
	t.Logf("failed after %s: %s %s", seconds(began), j.ErrorDetail.Message, j.ErrorDetail.NodeErrors)
}

func (s *realStage) testHalfBad(t *testing.T) {
	j := s.run(t, "user006", 4, "cases/half-bad")
	if j.State != job.Done || len(j.Outputs) != 1 || j.Outputs[0].Node != "8" || len(j.Attempts[0].Dropped) != 1 || j.Attempts[0].Dropped[0] != "9" {
		t.Fatalf("the job is %s, dropped %v, with %+v", j.State, j.Attempts[0].Dropped, j.Outputs)
	}
	if len(j.Warnings) == 0 {
		t.Errorf("nothing on the job warns of the missing output")
	}
	s.checkFiles(t, j, []string{"user006_004_half-bad_00001_.png"}, true)
}

func (s *realStage) testRaises(t *testing.T) {
	began := time.Now()
	j := s.run(t, "user006", 5, "cases/raises")
	checkBroke(t, j, "2", "QmtuiTestRaise", "boom user006_005_raises")
	t.Logf("failed after %s: %s", seconds(began), j.ErrorDetail.Message)
}

// testLeadsOut: what a node computes as prefix is known to the worker only, and
// leads nowhere but into the attempt's own folder.
func (s *realStage) testLeadsOut(t *testing.T) {
	j := s.run(t, "user006", 6, "cases/leads-out")
	s.checkFiles(t, j, []string{"_/_/_/_/_/user006_006_leads-out_00001_.png"}, true)
	if _, err := os.Stat(filepath.Join(s.share, "..", "user006_006_leads-out_00001_.png")); err == nil {
		t.Error("it was written outside the share")
	}
}

// checkBroke holds a failed job against the node and the message of ComfyUI's
// own execution error.
func checkBroke(t *testing.T, j api.Job, node, class, message string) {
	t.Helper()
	e := j.ErrorDetail
	if j.State != job.Failed || len(j.Attempts) != 1 || len(j.Outputs) != 0 || e == nil || e.Code != "execution_error" ||
		e.Node != node || e.NodeType != class || !strings.Contains(e.Message, message) || len(e.Traceback) == 0 {
		t.Fatalf("the job is %s after %d attempts with %d files: %+v", j.State, len(j.Attempts), len(j.Outputs), e)
	}
}

// testSticky: when a history reaches the right replica, an error is known as
// soon as it is asked for.
func (s *realStage) testSticky(t *testing.T) {
	s.balancer.setSticky(true)
	defer s.balancer.setSticky(false)
	began := time.Now()
	j := s.run(t, "user006", 7, "cases/raises")
	checkBroke(t, j, "2", "QmtuiTestRaise", "boom user006_007_raises")
	t.Logf("failed after %s: node %s (%s): %s", seconds(began), j.ErrorDetail.Node, j.ErrorDetail.NodeType, j.ErrorDetail.Message)
}

// testCancel stops one of two that run at once. The first interrupt goes to
// the replica that runs the other one.
func (s *realStage) testCancel(t *testing.T) {
	s.balancer.setSticky(true)
	defer s.balancer.setSticky(false)
	unwanted := s.submit(t, s.request(t, "user006", 8, "cases/minute"))
	wanted := s.submit(t, s.request(t, "user007", 1, "cases/seconds"))
	both := s.until(t, time.Minute, "runs", func(j api.Job) bool { return j.State >= job.Running }, unwanted.ID, wanted.ID)
	prompt := both[unwanted.ID].PromptID
	if both[unwanted.ID].State != job.Running || s.balancer.home(prompt) == s.balancer.home(both[wanted.ID].PromptID) {
		t.Fatalf("the two do not run side by side: %+v", both)
	}
	began := time.Now()
	if _, err := s.client.Cancel(t.Context(), unwanted.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the worker says that it stopped", func() bool { return s.replicas[s.balancer.home(prompt)].interrupted(t, prompt) })
	t.Logf("a run of a minute was stopped on the worker after %s", seconds(began))
	after := s.until(t, time.Minute, "has ended", hasEnded, unwanted.ID, wanted.ID)
	if after[unwanted.ID].State != job.Cancelled || after[wanted.ID].State != job.Done {
		t.Errorf("the cancelled one is %s, the other %s (%v)", after[unwanted.ID].State, after[wanted.ID].State, after[wanted.ID].ErrorDetail)
	}
	s.checkFiles(t, after[wanted.ID], []string{"user007_001_seconds_00001_.png"}, true)
	stops := s.balancer.count(asked.stops)
	ours := s.balancer.count(func(a asked) bool { return a.stops() && promptOf(a) == prompt })
	if stops == 0 || stops != ours {
		t.Errorf("%d requests to stop, %d of them for the cancelled prompt only", stops, ours)
	}
}

// testOrphans waits until nothing is looked at any more for its own sake, and
// has the sweep find two strangers: it finds them and nothing else. Meanwhile
// the servers are left alone.
func (s *realStage) testOrphans(t *testing.T) {
	jobs, err := s.client.Jobs(t.Context(), api.Query{Limit: 1000})
	orFatal(t, err)
	var ids []job.ID
	for _, j := range jobs.Items {
		ids = append(ids, j.ID)
	}
	s.until(t, time.Minute, "is closed", isClosed, ids...)
	files := s.judge(t)
	requests := s.balancer.count(func(asked) bool { return true })
	strangers := map[job.Path]bool{
		"stranger_00001_.png": true,
		"qm/00000000-0000-4000-8000-000000000000/9/someone_00001_.png": true,
	}
	for p := range strangers {
		putPicture(t, filepath.Join(s.share, string(p)))
	}
	var orphans []api.Orphan
	eventually(t, time.Minute, "the sweep finds the strangers", func() bool {
		orphans, err = s.client.Orphans(t.Context(), "")
		orFatal(t, err)
		return len(orphans) >= len(strangers)
	})
	for _, o := range orphans {
		if !strangers[o.Path] {
			t.Errorf("%s is an orphan", o.Path)
		}
	}
	if now := s.balancer.count(func(asked) bool { return true }); now != requests {
		t.Errorf("with nothing in flight the servers were asked %d times", now-requests)
	}
	t.Logf("%d jobs, %d files, %d requests through the balancer, no orphan", len(ids), files, requests)
}

// testAway: a run that ends while no manager lives is found when one starts.
func (s *realStage) testAway(t *testing.T) {
	j := s.submit(t, s.request(t, "user007", 2, "cases/seconds"))
	j = s.until(t, time.Minute, "runs", func(j api.Job) bool { return j.State >= job.Running }, j.ID)[j.ID]
	s.stop()
	if j.State != job.Running {
		t.Errorf("the job is %s before the manager stops", j.State)
	}
	home := s.replicas[s.balancer.home(j.PromptID)].client()
	eventually(t, time.Minute, "the worker ends the run", func() bool {
		entry, err := home.History(t.Context(), j.PromptID)
		return err == nil && entry != nil
	})
	s.startManager(t)
	j = s.until(t, time.Minute, "has ended", hasEnded, j.ID)[j.ID]
	if j.State != job.Done || len(j.Attempts) != 1 {
		t.Errorf("the job is %s after %d attempts: %+v", j.State, len(j.Attempts), j.ErrorDetail)
	}
	s.checkFiles(t, j, []string{"user007_002_seconds_00001_.png"}, true)
}

// putPicture writes a picture that carries no metadata.
func putPicture(t *testing.T, path string) {
	t.Helper()
	orFatal(t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	orFatal(t, err)
	orFatal(t, errors.Join(png.Encode(f, image.NewGray(image.Rect(0, 0, 1, 1))), f.Close()))
}
