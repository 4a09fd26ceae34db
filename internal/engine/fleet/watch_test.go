package fleet

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

func TestNothingIsAskedWithoutFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		_, stop := start(t, fl)
		defer stop()
		fl.Follow(nil)
		fl.Follow([]job.Flight{flight(1, job.Rendered), flight(2, job.Done), flight(3, job.Queued)})
		for range 60 {
			elapse(t, time.Minute)
			fl.Deployments()
			if _, err := fl.Check("", []byte(workflow), nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := f.count(""); n != 0 {
			t.Errorf("%d requests in an hour without flights: %v", n, f.requests)
		}
	})
}

func TestPollsStopWithTheLastFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		_, stop := start(t, fl)
		defer stop()
		fl.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 10*time.Minute)
		if n := f.count("GET /history/"); n < 105 || n > 135 {
			t.Errorf("%d polls in 10m at 5s", n)
		}
		if n := f.count("GET /system_stats"); n < 9 || n > 10 {
			t.Errorf("%d looks at the worker in 10m", n)
		}
		if n := f.count("GET /object_info"); n < 1 || n > 2 {
			t.Errorf("asked for the nodes %d times in 10m", n)
		}
		fl.Follow(nil)
		before := f.count("")
		elapse(t, time.Hour)
		if n := f.count("") - before; n != 0 {
			t.Errorf("%d requests after the last flight", n)
		}
		if d := fl.Deployments()[0]; d.State != job.WarmthCold || d.Evidence != job.ByTime {
			t.Errorf("an hour later: %+v", d)
		}
	})
}

func TestNoPollsWithoutKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := &fake{}, spec()
		s.KeepAlive = 0
		fl := open(t, f, s)
		_, stop := start(t, fl)
		defer stop()
		fl.Follow([]job.Flight{flight(1, job.Running)})
		elapse(t, time.Hour)
		if n := f.count(""); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestRandomReplicaMostlyKnowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dice := rand.New(rand.NewPCG(1, 2))
		f := &fake{history: func(string) string {
			if dice.IntN(20) > 0 {
				return ""
			}
			return entrySuccess
		}}
		fl := open(t, f, spec())
		got, stop := start(t, fl)
		fl.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 30*time.Minute)
		stop()
		if k := got.kinds(); len(k) < 2 || k[0] != job.Started || k[1] != job.Finished || slices.Contains(k, job.Broke) {
			t.Errorf("reported %v", k)
		}
	})
}

func TestAnEmptyHistoryMeansNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := open(t, &fake{}, spec())
		got, stop := start(t, fl)
		fl.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, time.Hour)
		stop()
		if k := got.kinds(); len(k) != 0 {
			t.Errorf("reported %v", k)
		}
	})
}

func TestStickyReplicaIsAskedInTurnAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{history: func(id string) string {
			if id == promptID(2) {
				return entryError
			}
			return entrySuccess
		}}
		fl := open(t, f, spec())
		got, stop := start(t, fl)
		fl.Follow([]job.Flight{flight(1, job.Running), flight(2, job.Running), flight(3, job.Submitting)})
		elapse(t, 30*time.Second)
		stop()
		want := []job.Kind{job.Started, job.Finished, job.Broke, job.Started, job.Finished}
		if k := got.kinds(); !slices.Equal(k, want) {
			t.Fatalf("reported %v, want %v", k, want)
		}
		began, ended := got.list[0], got.list[1]
		if ended.At.Sub(began.At) != 12*time.Second || ended.Evidence != job.ByHistory || ended.PromptID != promptID(1) {
			t.Errorf("ran from %+v to %+v", began, ended)
		}
		e := got.list[2].Error
		if e.Code != "execution_error" || e.Node != "9" || e.NodeType != "SaveImage" || len(e.Traceback) != 1 ||
			!strings.Contains(e.Message, "no attribute 'shape'") {
			t.Errorf("error = %+v", e)
		}
		if n := f.count("GET /history/"); n != 3 {
			t.Errorf("%d polls for three ends", n)
		}
	})
}

func TestAnEndIsAskedAgainWhileTheEngineStillWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := open(t, &fake{history: func(string) string { return entrySuccess }}, spec())
		got, stop := start(t, fl)
		fl.Follow([]job.Flight{flight(1, job.Running)})
		elapse(t, 3*time.Minute)
		stop()
		if n := len(got.kinds()); n < 4 || n > 6 {
			t.Errorf("%d facts in 3m, want the end again about every minute", n)
		}
	})
}

func TestTestimony(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for entry, want := range map[string]string{
			entryHiddenError: "out_of_memory", entryInterrupted: "interrupted", entryError: "execution_error",
			`{"outputs":{},"status":{"status_str":"error","completed":false,"messages":[]}}`: "execution_error",
			`{"outputs":{}}`: "",
		} {
			fl := open(t, &fake{history: func(string) string { return entry }}, spec())
			got, stop := start(t, fl)
			fl.Follow([]job.Flight{flight(1, job.Running)})
			elapse(t, 10*time.Second)
			stop()
			last := got.list[len(got.list)-1]
			if code := codeOf(last.Error); code != want || (last.Kind == job.Broke) != (want != "") {
				t.Errorf("%s: %s %s", entry, last.Kind, code)
			}
		}
	})
}

func TestReportedFiles(t *testing.T) {
	file := func(sub, name, kind string) comfy.HistoryFile {
		return comfy.HistoryFile{Node: "9", Subfolder: sub, Filename: name, Type: kind}
	}
	mine, other := "qm/"+promptID(1)+"/9", "qm/"+promptID(2)+"/9"
	got, nodes, reused := reported(promptID(1), "/mnt/out", []comfy.HistoryFile{
		file(mine, "a.png", "output"), file("", "ComfyUI_00001_.png", "output"), file("video", "b.mp4", "output"),
		file("", "preview.png", "temp"), file(other, "cached.png", "output"), file("..", "x.png", "output"), file("/etc", "passwd", "output"),
		file(mine+"/../../"+promptID(2), "x.png", "output"), file("a/../..", "x.png", "output"),
		file("/mnt/out/grids", "g.png", "output"), file("/mnt/outer", "x.png", "output"),
	}, []string{"1", "9"})
	if want := []job.Path{job.Path(mine + "/a.png"), "ComfyUI_00001_.png", "video/b.mp4", "grids/g.png"}; !slices.Equal(got, want) {
		t.Errorf("reported %v, want %v", got, want)
	}
	if !slices.Equal(nodes, []string{"9"}) || !slices.Equal(reused, got[1:]) {
		t.Errorf("nodes %v, of cached ones %v", nodes, reused)
	}
	if _, nodes, _ = reported(promptID(1), "/mnt/out", []comfy.HistoryFile{file(mine, "a.png", "output")}, nil); nodes != nil {
		t.Errorf("nodes %v of its own folder", nodes)
	}
}

func codeOf(e *job.Error) string {
	if e == nil {
		return ""
	}
	return e.Code
}

// A second request that waits can make a platform start a second machine.
func TestNothingIsAskedWhileThePostWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{boot: 4 * time.Minute}
		fl := open(t, f, spec())
		_, stop := start(t, fl)
		defer stop()
		fl.Follow([]job.Flight{flight(1, job.Submitting)})
		done := make(chan job.Fact)
		go func() { done <- fl.Submit(t.Context(), submission(1)) }()
		elapse(t, 2*time.Minute)
		if d := fl.Deployments()[0]; d.State != job.Warming || time.Since(d.Since) != 2*time.Minute {
			t.Errorf("after 2m: %s since %s (%s)", d.State, d.Since, d.Because)
		}
		if fact := <-done; fact.Kind != job.Acknowledged {
			t.Errorf("fact = %+v", fact)
		}
		if n := f.count(""); n != 1 {
			t.Errorf("requests while the POST waited: %v", f.requests)
		}
		elapse(t, 10*time.Second)
		if n := f.count("GET /history/"); n == 0 {
			t.Error("no poll after the answer")
		}
		d := fl.Deployments()[0]
		if d.State != job.WarmthWarm || d.Cold.Count != 1 || d.Cold.Last != 240 {
			t.Errorf("afterwards %s, cold %+v", d.State, d.Cold)
		}
	})
}

func TestRunningInTheQueueIsEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{queue: `{"queue_running":[[3,"` + promptID(1) + `",{},{},["9"]]],"queue_pending":[]}`}
		fl := open(t, f, spec())
		got, stop := start(t, fl)
		fl.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 10*time.Second)
		stop()
		if k := got.kinds(); !slices.Equal(k, []job.Kind{job.Started}) || got.list[0].Evidence != job.ByPlatform {
			t.Errorf("reported %+v", got.list)
		}
	})
}

func TestDeadWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{queue: `{"queue_running":[],"queue_pending":[[3,"` + promptID(1) + `",{},{},["9"]]]}`}
		fl := open(t, f, spec())
		_, stop := start(t, fl)
		defer stop()
		fl.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 30*time.Second)
		if d := fl.Deployments()[0]; d.State != job.WarmthWarm {
			t.Errorf("one look condemned it: %+v", d)
		}
		elapse(t, 2*time.Minute)
		if d := fl.Deployments()[0]; d.State != job.WarmthFailing || codeOf(d.Error) != "dead_worker" {
			t.Errorf("after two looks: %s %v", d.State, d.Error)
		}
		fl.Follow(nil)
		if d := fl.Deployments()[0]; d.State != job.WarmthWarm || d.Error != nil {
			t.Errorf("after the flight was given up: %s %v", d.State, d.Error)
		}
	})
}

func TestFailingPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{broken: func(*http.Request) error { return http.ErrServerClosed }}
		fl := open(t, f, spec())
		_, stop := start(t, fl)
		defer stop()
		fl.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, time.Minute)
		d := fl.Deployments()[0]
		if d.State != job.WarmthFailing || codeOf(d.Error) != "request_failed" || time.Since(d.Since) < 50*time.Second {
			t.Errorf("deployment = %+v", d)
		}
		if n := f.count("GET /system_stats"); n != 0 {
			t.Errorf("asked a failing deployment %d times about itself", n)
		}
	})
}
