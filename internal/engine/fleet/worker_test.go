package fleet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestWarmWaitsForAColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{boot: 25 * time.Second, argv: `"main.py","--output-directory","/mnt/sfs/outputs"`}
		memory := &memory{}
		fl := open(t, f, spec(), func(o *Options) { o.Memory = memory })
		d, err := fl.Warm(t.Context(), "h200")
		if err != nil {
			t.Fatal(err)
		}
		if d.State != job.WarmthWarm || d.System == nil || d.System.Version != "0.8.0" || d.System.OutputDirectory != "/mnt/sfs/outputs" ||
			d.System.Devices[0].Name != "cuda:0 H200" || d.Error != nil || d.SystemAt.IsZero() {
			t.Errorf("deployment = %+v, system %+v", d, d.System)
		}
		if d.Cold.Count != 1 || d.Cold.Last != 25 || len(memory.list) != 1 || !memory.list[0].Cold {
			t.Errorf("cold = %+v, kept %+v", d.Cold, memory.list)
		}
	})
}

func TestWarmAsksAgainUntilItGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{broken: func(*http.Request) error { return errors.New("reset") }}
		fl := open(t, f, spec(), func(o *Options) { o.WarmTimeout = time.Minute })
		began := time.Now()
		d, err := fl.Warm(t.Context(), "h200")
		if e := job.AsError(err); codeOf(e) != "request_failed" {
			t.Errorf("error = %v", err)
		}
		if took := time.Since(began); took > time.Minute || took < 58*time.Second || d.State != job.WarmthFailing {
			t.Errorf("took %s, then %s", took, d.State)
		}
		if n := f.count("GET /system_stats"); n < 20 || n > 31 {
			t.Errorf("asked %d times in a minute", n)
		}
	})
}

func TestWarmDoesNotInsistOnAWrongKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl, err := New(Options{HTTP: f.client(), Deployments: []Spec{{Name: "h200", URL: "https://gpu.example/elsewhere"}}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := fl.Warm(t.Context(), "h200")
		if e := job.AsError(err); codeOf(e) != "endpoint_or_key" || e.Hint == "" || f.count("") != 1 {
			t.Errorf("error %v after %d requests", err, f.count(""))
		}
		if d.State != job.WarmthFailing || codeOf(d.Error) != "endpoint_or_key" {
			t.Errorf("deployment = %+v", d)
		}
	})
}

func TestRefreshAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{broken: func(*http.Request) error { return errors.New("reset") }}
		if _, err := open(t, f, spec()).Refresh(t.Context(), "h200"); err == nil || f.count("") != 1 {
			t.Errorf("error %v after %d requests", err, f.count(""))
		}
	})
}

func TestUnknownDeployment(t *testing.T) {
	fl := open(t, &fake{}, spec())
	_, warm := fl.Warm(t.Context(), "b300")
	_, refresh := fl.Refresh(t.Context(), "b300")
	stop := fl.Interrupt(t.Context(), job.Flight{Deployment: "b300", PromptID: "x"})
	for _, err := range []error{warm, refresh, stop} {
		if e := job.AsError(err); codeOf(e) != "unknown_deployment" || e.Class != job.NotFound {
			t.Errorf("error = %v", err)
		}
	}
}

// The site's third case: three of four deployments lacked --output-directory.
func TestNoOutputDirectory(t *testing.T) {
	const away, here = "https://gpu.example", "http://127.0.0.1:8188"
	for _, c := range []struct {
		url  string
		argv []string
		want string
	}{
		{away, []string{"main.py", "--listen"}, "no_output_directory"},
		{away, []string{"main.py", "--base-directory=/mnt/sfs"}, ""},
		{away, nil, ""}, // an old server that does not tell
		{here, []string{"main.py"}, ""},
		{"http://localhost:8188", []string{"main.py"}, ""},
	} {
		got := outputTrouble(Spec{URL: c.url}, &job.System{Argv: c.argv})
		if codeOf(got) != c.want {
			t.Errorf("%s %v: %v", c.url, c.argv, got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		d, err := open(t, &fake{argv: `"main.py"`}, spec()).Refresh(t.Context(), "h200")
		if err != nil || codeOf(d.Error) != "no_output_directory" || d.Error.Hint == "" {
			t.Errorf("deployment error %v, %v", d.Error, err)
		}
	})
}

func TestNoInputDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			argv    string
			carried bool
			want    string
		}{
			{`"main.py","--output-directory","/o"`, true, "no_input_directory"}, {`"main.py","--output-directory","/o"`, false, ""},
			{`"main.py","--output-directory","/o","--input-directory","/i"`, true, ""}, {`"main.py"`, true, "no_output_directory"},
		} {
			d, err := open(t, &fake{argv: c.argv}, spec(), func(o *Options) { o.Inputs = c.carried }).Refresh(t.Context(), "h200")
			if err != nil || codeOf(d.Error) != c.want {
				t.Errorf("%s, carried %v: %v, %v", c.argv, c.carried, d.Error, err)
			}
		}
	})
}

func TestInterruptNamesThePrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		if err := fl.Interrupt(t.Context(), flight(1, job.Running)); err != nil {
			t.Fatal(err)
		}
		want := []string{`/queue {"delete":["` + promptID(1) + `"]}`, `/interrupt {"prompt_id":"` + promptID(1) + `"}`}
		if !slices.Equal(f.stopped, want) {
			t.Errorf("sent %v", f.stopped)
		}
		x := flight(1, job.Running)
		x.PromptID = ""
		if err := fl.Interrupt(t.Context(), x); err == nil || f.count("POST /queue") != 1 || f.count("POST /interrupt") != 1 {
			t.Errorf("without an id: %v, %v", err, f.requests)
		}
	})
}

func TestInterruptDoesNotWakeASleeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		elapse(t, time.Hour)
		before := f.count("")
		if err := fl.Interrupt(t.Context(), flight(1, job.Accepted)); err != nil || f.count("") != before {
			t.Errorf("%v, %v", err, f.requests)
		}
	})
}

// After a restart nobody knows whether a deployment sleeps. The attempt that a
// retry replaces is not worth a machine there; one cancelled in flight is.
func TestInterruptOfALostAttemptWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		if err := fl.Interrupt(t.Context(), flight(1, job.Lost)); err != nil || f.count("") != 0 {
			t.Errorf("%v, %v", err, f.requests)
		}
		if err := fl.Interrupt(t.Context(), flight(1, job.Cancelled)); err != nil || f.count("POST /interrupt") != 1 {
			t.Errorf("%v, %v", err, f.requests)
		}
		if err := fl.Interrupt(t.Context(), flight(2, job.Lost)); err != nil || f.count("POST /interrupt") != 2 {
			t.Errorf("on one that answers: %v, %v", err, f.requests)
		}
	})
}

func TestInterruptWaitsForThePost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{boot: time.Minute}
		fl := open(t, f, spec())
		done := make(chan job.Fact)
		go func() { done <- fl.Submit(t.Context(), submission(1)) }()
		elapse(t, time.Second)
		if err := fl.Interrupt(t.Context(), flight(1, job.Submitting)); err != nil || f.count("") != 1 {
			t.Errorf("%v, %v", err, f.requests)
		}
		if got := <-done; got.Kind != job.Acknowledged {
			t.Errorf("fact = %+v", got)
		}
		if len(f.stopped) != 2 {
			t.Errorf("sent after the answer: %v", f.stopped)
		}
	})
}

// memory is a Memory in memory.
type memory struct {
	mu   sync.Mutex
	list []job.Sample
	err  error
}

func (m *memory) Samples(deployment string) ([]job.Sample, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []job.Sample
	for _, s := range m.list {
		if s.Deployment == deployment {
			out = append(out, s)
		}
	}
	return out, m.err
}

func (m *memory) AddSample(s job.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, s)
	return m.err
}

func TestMeasuredTimesSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &memory{}
		with := func(o *Options) { o.Memory = kept }
		first := open(t, &fake{boot: 114 * time.Second}, spec(), with)
		first.Submit(t.Context(), submission(1))
		first.Ran("h200", 12*time.Second)
		first.Ran("h200", 30*time.Second)
		first.Ran("h200", -time.Second)
		first.Ran("b300", time.Second)

		second := open(t, &fake{}, spec(), with)
		_, stop := start(t, second)
		synctest.Wait()
		defer stop()
		d := second.Deployments()[0]
		if d.Cold.Count != 1 || d.Cold.P50 != 114 || d.Warm.Count != 2 || d.Warm.P50 != 12 || d.Warm.Last != 30 {
			t.Errorf("cold %+v, warm %+v", d.Cold, d.Warm)
		}
		if len(kept.list) != 3 {
			t.Errorf("kept %+v", kept.list)
		}
	})
}

func TestMeasuredTimesWithoutAMemoryThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := open(t, &fake{}, spec(), func(o *Options) { o.Memory = &memory{err: errors.New("disk full")} })
		fl.Ran("h200", time.Second)
		_, stop := start(t, fl)
		defer stop()
		synctest.Wait()
		if d := fl.Deployments()[0]; d.Warm.Count != 1 {
			t.Errorf("warm = %+v", d.Warm)
		}
	})
}

// Ten prompts that wait for the same machine are one cold start.
func TestOneColdStartIsMeasuredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := open(t, &fake{boot: 2 * time.Minute}, spec())
		var all sync.WaitGroup
		for n := range 10 {
			all.Go(func() { fl.Submit(t.Context(), submission(n+1)) })
		}
		all.Wait()
		if d := fl.Deployments()[0]; d.Cold.Count != 1 || d.Cold.Last != 120 {
			t.Errorf("cold = %+v", d.Cold)
		}
	})
}

func TestSnapshotsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := open(t, &fake{argv: `"main.py","--output-directory","/a"`}, spec())
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { fl.Run(ctx, func(job.Fact) {}) })
		fl.Follow([]job.Flight{flight(1, job.Running)})
		for n := range 4 {
			all.Go(func() {
				for ctx.Err() == nil {
					fl.Ran("h200", time.Second)
					fl.Submit(ctx, submission(n+1))
					for _, d := range fl.Deployments() {
						d.Warm.Recent[0] = -1
						if d.System != nil {
							d.System.Argv[0] = "changed"
							d.System.Devices[0].Name = "changed"
						}
					}
					pause(ctx, time.Second)
				}
			})
		}
		all.Wait()
		d := fl.Deployments()[0]
		if d.System == nil || d.System.Argv[0] != "main.py" || d.System.Devices[0].Name == "changed" || d.Warm.Recent[0] != 1 {
			t.Errorf("somebody's change shows: %+v, %+v", d.System, d.Warm)
		}
	})
}

// Two replicas that write to different folders are told as soon as both were asked.
func TestRow12ReplicasThatWriteToDifferentFolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(2, 3)
		c.run = 2 * time.Hour
		c.nodes[1].argv = `"main.py","--output-directory=/mnt/other/"`
		fl := c.open(t, spec())
		_, stop := start(t, fl)
		defer stop()
		c.send(t, fl, 1)
		elapse(t, 15*time.Minute)
		e := fl.Deployments()[0].Error
		if codeOf(e) != "replicas_differ" || !strings.Contains(e.Message, "/mnt/other and /mnt/share") || e.Hint == "" {
			t.Errorf("error = %v", e)
		}
		c.mu.Lock()
		c.nodes[1].argv = c.nodes[0].argv
		c.mu.Unlock()
		elapse(t, 45*time.Minute)
		if e := fl.Deployments()[0].Error; e != nil {
			t.Errorf("after it was mended: %v", e)
		}
	})
}

// An attempt whose files are named and not seen is reason enough to ask several
// replicas, and not again for the next.
func TestRow12FilesThatDoNotComeLetTheReplicasBeCompared(t *testing.T) {
	warned := 0
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(3, seed)
			c.run = 5 * time.Second
			c.nodes[1].argv = `"main.py","--output-directory=/mnt/other/"`
			fl := c.open(t, spec())
			got, stop := start(t, fl)
			defer stop()
			c.send(t, fl, 1)
			elapse(t, 45*time.Second)
			if len(got.of(job.Finished)) == 0 {
				return // the random balancer never brought us there
			}
			fl.Follow(nil)
			if codeOf(fl.Deployments()[0].Error) == "replicas_differ" {
				warned++
			}
			asked := c.count("GET /system_stats")
			elapse(t, time.Hour)
			if n := c.count("GET /system_stats"); asked > 12 || n != asked {
				t.Fatalf("asked %d times, and %d times with nothing in flight", asked, n-asked)
			}
		})
	}
	if warned < 42 {
		t.Errorf("warned in %d of 50 cases", warned)
	}
	synctest.Test(t, func(t *testing.T) { // files that were seen are no reason
		c := newCluster(3, 1)
		fl := c.open(t, spec())
		got, stop := start(t, fl)
		defer stop()
		c.send(t, fl, 1)
		running := flight(1, job.Running)
		running.Wrote = 2
		fl.Follow([]job.Flight{running})
		elapse(t, 45*time.Second)
		if n := c.count("GET /system_stats"); len(got.of(job.Finished)) == 0 || n > 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestWritesTo(t *testing.T) {
	for want, x := range map[string]job.System{
		"/mnt/a":         {Argv: []string{"main.py", "--output-directory", "/mnt/a/"}, OutputDirectory: "/mnt/a/"},
		"/b/output":      {Argv: []string{"main.py", "--base-directory=/b"}},
		"its own folder": {Argv: []string{"main.py"}},
		"":               {},
	} {
		if got := writesTo(&x); got != want {
			t.Errorf("%v writes to %q, want %q", x.Argv, got, want)
		}
	}
}

// A worker that was restarted with another folder is no second replica: asked on
// purpose, it is asked until that is known.
func TestAMendedWorkerDoesNotDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{argv: `"main.py"`, warm: true}
		fl := open(t, f, spec())
		if _, err := fl.Refresh(t.Context(), spec().Name); err != nil {
			t.Fatal(err)
		}
		f.argv = `"main.py","--output-directory","/mnt/outputs"`
		if d, err := fl.Refresh(t.Context(), spec().Name); err != nil || codeOf(d.Error) == "replicas_differ" {
			t.Errorf("%v, %v", d.Error, err)
		}
	})
}
