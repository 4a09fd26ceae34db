package ui

import (
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Nothing is shown that nothing speaks for, and nothing but files says that a
// job is through.
func TestEstimates(t *testing.T) {
	warm := &api.Worker{Warm: job.Timing{Count: 40, P50: 40, P90: 70}}
	few := &api.Worker{Warm: job.Timing{Count: 2, P50: 40, P90: 70}}
	running := func(since time.Duration, nodes, files int) api.Job {
		j := api.Job{State: job.Running, Started: ago(since), Attempts: make([]api.Attempt, 2)}
		for n := range nodes {
			j.Expected = append(j.Expected, api.Expected{Node: string(rune('a' + n))})
		}
		for n := range files {
			j.Outputs = append(j.Outputs, api.Output{Node: string(rune('a' + n)), Attempt: 2})
		}
		return j
	}
	wait := 90.0
	superseded := running(10*time.Second, 2, 1)
	superseded.Outputs[0].Attempt = 1
	rendered := running(time.Minute, 2, 2)
	rendered.State, rendered.Outputs[0].State = job.Rendered, job.OutputStored
	again := running(time.Minute, 1, 3)
	again.State, again.Expected[0].Count = job.Rendered, 4
	again.Outputs[0].State, again.Outputs[0].Attempt = job.OutputStored, 1
	again.Outputs[1].State, again.Outputs[2].State = job.OutputStored, job.OutputAbandoned
	for _, c := range []struct {
		name string
		j    api.Job
		d    *api.Worker
		text string
		part float64
	}{
		{"waits", api.Job{State: job.Queued, Wait: &wait}, nil, "in ~1m30s", -1},
		{"waits, who knows how long", api.Job{State: job.Queued}, warm, "", 0},
		{"accepted", api.Job{State: job.Accepted}, warm, "", 0},
		{"by time", running(10*time.Second, 1, 0), warm, "~25%", 0.25},
		{"longer than half took", running(50*time.Second, 1, 0), warm, "~95%", 0.95},
		{"longer than nine of ten took", running(80*time.Second, 1, 0), warm, "late", 0.95},
		{"a clock that is ahead", running(-time.Minute, 1, 0), warm, "~0%", 0},
		{"too few runs", running(10*time.Second, 1, 0), few, "", 0},
		{"no deployment", running(10*time.Second, 1, 0), nil, "", 0},
		{"files count more than time", running(10*time.Second, 4, 3), warm, "3/4", 0.75},
		{"a file of the attempt before", superseded, warm, "~25%", 0.25},
		{"one node's file says nothing of the rest", running(10*time.Second, 1, 1), warm, "~25%", 0.25},
		{"being delivered", rendered, warm, "1/2", 0.5},
		{"being delivered, beside what an earlier attempt delivered and what was given up", again, warm, "1/4", 0.25},
		{"done", api.Job{State: job.Done}, warm, "", 0},
	} {
		if e := estimateOf(&c.j, c.d, epoch); e.text != c.text || e.part != c.part {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}

func TestWaitingFor(t *testing.T) {
	for phase, want := range map[string]string{
		"waiting in line, 12 ahead":        "in line, 12 ahead",
		"waiting: the queue is paused":     "the queue is paused",
		"waiting: today's budget is spent": "today's budget is spent",
		"waiting 40s before attempt 2":     "waiting 40s before attempt 2",
		"waiting for a GPU, 1m40s":         "waiting for a GPU, 1m40s",
		"next in line":                     "next in line",
		"":                                 "",
	} {
		if got := waitingFor(phase); got != want {
			t.Errorf("%q: %q, want %q", phase, got, want)
		}
	}
}

// The journal counts what was delivered, not what was given up.
func TestJournalCountsDeliveredFiles(t *testing.T) {
	w := &world{st: NewStyles(true, colorprofile.ANSI, true), now: epoch}
	w.note(nil, &api.Job{ID: "job-1", User: "user001", State: job.Done, Outputs: []api.Output{{State: job.OutputStored}, {State: job.OutputAbandoned}, {State: job.OutputVanished}}})
	if got := w.journal.entries[0].text; got != "user001: done, 1 file" {
		t.Errorf("%q", got)
	}
}
