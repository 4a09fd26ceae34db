package engine_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// fakeInputs has every file but those the test says, and stages unless told otherwise.
type fakeInputs struct {
	mu      sync.Mutex
	missing map[string]*job.Error // by name
	fail    []error               // of the next stagings
	staged  []string              // user/name, each time
	live    []map[string][]job.Input
	before  []time.Time
}

func (f *fakeInputs) Take(_ context.Context, _ string, files []job.Input) ([]job.Input, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []job.Input
	for _, in := range files {
		if e := f.missing[in.Name]; e != nil {
			return nil, e
		}
		in.Sum, in.Size = strings.Repeat("a", 64), 3
		found = append(found, in)
	}
	return found, nil
}

func (f *fakeInputs) Stage(_ context.Context, user string, in job.Input) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.fail) > 0 {
		err := f.fail[0]
		f.fail = f.fail[1:]
		return err
	}
	f.staged = append(f.staged, user+"/"+in.Name)
	return nil
}

func (f *fakeInputs) Tidy(_ context.Context, before time.Time, live map[string][]job.Input) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live, f.before = append(f.live, maps.Clone(live)), append(f.before, before)
	return 1, nil
}

func (f *fakeInputs) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// loadingFleet reads a workflow that loads what its second part names.
type loadingFleet struct{ *fakeFleet }

func (f loadingFleet) Check(_ string, workflow, extra []byte) (job.Checked, error) {
	var names []string
	if err := json.Unmarshal(workflow, &names); err != nil {
		return job.Checked{}, err
	}
	c := job.Checked{Workflow: workflow, Extra: extra, Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}}}
	for _, n := range names {
		c.Inputs = append(c.Inputs, job.Input{Node: "10", Class: "LoadImage", Input: "image", Name: n, Base: "input", Path: n})
	}
	return c, nil
}

// openLoading is open with inputs.
func openLoading(t *testing.T, capacity int, p engine.Policy, fn func(h *house, in *fakeInputs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		in := &fakeInputs{missing: map[string]*job.Error{}}
		h := &house{T: t, ledger: ledgertest.NewMemory(), share: newShare(), fleet: newFleet(capacity), policy: p, inputs: in, loads: true}
		h.start()
		fn(h, in)
		h.stop()
	})
}

func (h *house) load(user string, names ...string) (job.Job, error) {
	h.Helper()
	body, _ := json.Marshal(names)
	j, _, err := h.Submit(context.Background(), job.Request{User: user, Workflow: body, Priority: job.Normal, Caller: job.Caller{Name: user}})
	synctest.Wait()
	return j, err
}

var full = &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true, Message: "no space left", Hint: "free some"}

// TestInputsStandReadyBeforeThePost: the submission carries them, and a missing one is refused before anything is recorded.
func TestInputsStandReadyBeforeThePost(t *testing.T) {
	openLoading(t, 4, engine.Policy{}, func(h *house, in *fakeInputs) {
		j, err := h.load("user001", "a.png", "b.png")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		posts := h.fleet.posted()
		if len(posts) != 1 || len(posts[0].Inputs) != 2 || posts[0].Inputs[1].Name != "b.png" || posts[0].Inputs[0].Sum == "" {
			t.Fatalf("posted %+v", posts)
		}
		if len(h.now(j).Inputs) != 2 {
			t.Errorf("the job knows %+v", h.now(j).Inputs)
		}
		in.set(func() { in.missing["nope.png"] = &job.Error{Code: "input_missing", Class: job.Invalid, Message: "m"} })
		if _, err := h.load("user001", "a.png", "nope.png"); job.AsError(err).Code != "input_missing" {
			t.Errorf("a missing one: %v", err)
		}
		h.pass(time.Minute)
		if page, err := h.Jobs(job.Query{}); err != nil || page.Total != 1 || len(h.fleet.posted()) != 1 {
			t.Errorf("%d jobs, %d posts, %v", page.Total, len(h.fleet.posted()), err)
		}
	})
}

// TestJobWaitsForItsInputs: a full disk holds this job, told once, and no
// other; no attempt is spent on it, and it goes on by itself.
func TestJobWaitsForItsInputs(t *testing.T) {
	openLoading(t, 4, engine.Policy{}, func(h *house, in *fakeInputs) {
		in.set(func() { in.fail = []error{full, full, full} })
		j, err := h.load("user001", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		free, err := h.load("user002")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(1500 * time.Millisecond)
		h.want(free, job.Accepted)
		j = h.want(j, job.Queued)
		if len(j.Warnings) != 1 || j.Warnings[0].Code != "disk_full" {
			t.Errorf("warnings %+v", j.Warnings)
		}
		if s := h.Standing(j); s.Phase != "waiting for its inputs: no space left" {
			t.Errorf("phase %q", s.Phase)
		}
		if ws := h.Status().Warnings; !slices.ContainsFunc(ws, func(w job.Warning) bool { return w.Code == "disk_full" }) {
			t.Errorf("an admin is told %+v", ws)
		}
		h.pass(10 * time.Second)
		if j = h.want(j, job.Accepted); len(j.Attempts) != 1 || len(j.Warnings) != 1 {
			t.Errorf("%d attempts, warnings %+v", len(j.Attempts), j.Warnings)
		}
	})
}

// TestInputThatIsGone: what no try mends ends the job, and nothing is sent.
func TestInputThatIsGone(t *testing.T) {
	openLoading(t, 4, engine.Policy{}, func(h *house, in *fakeInputs) {
		gone := &job.Error{Code: "input_changed", Class: job.Invalid, Message: "another one by now", Hint: "submit again"}
		in.set(func() { in.fail = []error{gone, gone} })
		j, err := h.load("user001", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		j = h.want(j, job.Failed)
		if j.Failure().Code != "input_changed" || len(j.Attempts) != 1 || len(h.fleet.posted()) != 0 {
			t.Errorf("%+v after %d attempts, %d posts", j.Failure(), len(j.Attempts), len(h.fleet.posted()))
		}
	})
}

// TestInputsLostBeforeThePost: they stood ready, and do not when the POST is to go: it is tried again.
func TestInputsLostBeforeThePost(t *testing.T) {
	openLoading(t, 4, engine.Policy{}, func(h *house, in *fakeInputs) {
		if err := h.SetMode(context.Background(), job.ModePaused, job.Caller{}); err != nil {
			t.Fatal(err)
		}
		j, err := h.load("user001", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		in.set(func() { in.fail = []error{full} })
		if err := h.SetMode(context.Background(), job.ModeRunning, job.Caller{}); err != nil {
			t.Fatal(err)
		}
		h.pass(10 * time.Second)
		if j = h.want(j, job.Accepted); len(j.Attempts) != 2 || j.Attempts[0].Error.Code != "disk_full" || len(h.fleet.posted()) != 1 {
			t.Errorf("%d attempts, %d posts", len(j.Attempts), len(h.fleet.posted()))
		}
	})
}

// TestInputsAfterARestart: whatever was staged before, it is looked at again.
func TestInputsAfterARestart(t *testing.T) {
	openLoading(t, 4, engine.Policy{}, func(h *house, in *fakeInputs) {
		if err := h.SetMode(context.Background(), job.ModePaused, job.Caller{}); err != nil {
			t.Fatal(err)
		}
		j, err := h.load("user001", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		h.stop()
		before := len(in.staged)
		h.start()
		h.pass(time.Second)
		if len(in.staged) != before+1 {
			t.Errorf("staged %v", in.staged)
		}
		if err := h.SetMode(context.Background(), job.ModeRunning, job.Caller{}); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		h.want(j, job.Accepted)
		if p := h.fleet.posted(); len(p) != 1 || len(p[0].Inputs) != 1 {
			t.Errorf("posted %+v", p)
		}
	})
}

// TestTidyKeepsOpenJobs: every open job's inputs are live, a closed one's are not.
func TestTidyKeepsOpenJobs(t *testing.T) {
	openLoading(t, 4, engine.Policy{KeepInputs: 24 * time.Hour, EvidenceTimeout: 100 * time.Hour}, func(h *house, in *fakeInputs) {
		open, err := h.load("user001", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		ended, err := h.load("user002", "b.png")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		h.hear(ended, job.Broke, &job.Error{Code: "x", Class: job.Invalid})
		h.pass(2 * time.Hour)
		h.want(open, job.Accepted)
		if n := len(in.live); n != 2 {
			t.Fatalf("tidied %d times", n)
		}
		if last := in.live[1]; len(last["user001"]) != 1 || len(last["user002"]) != 0 {
			t.Errorf("live are %+v", last)
		}
		if age := time.Since(in.before[1]); age < 24*time.Hour || age > 25*time.Hour {
			t.Errorf("what is older than %s goes", age)
		}
	})
}

// TestNoInputsNoDifference: where nothing is carried a prompt is sent as before.
func TestNoInputsNoDifference(t *testing.T) {
	openLoading(t, 4, engine.Policy{}, func(h *house, _ *fakeInputs) {
		h.stop()
		h.inputs = nil
		h.start()
		j, err := h.load("user001", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		h.want(j, job.Accepted)
		if p := h.fleet.posted(); len(p) != 1 || p[0].Inputs != nil {
			t.Errorf("posted %+v", p)
		}
	})
}

// TestNoMachineIsHeldForStuckInputs: a replica is held while jobs are to be
// sent, and not for one whose inputs cannot be brought to it.
func TestNoMachineIsHeldForStuckInputs(t *testing.T) {
	rules := upkeep.Rules{Deployments: map[string]upkeep.Care{"h200-spot": {Hold: upkeep.Hold{WhileBusy: true}}}}
	synctest.Test(t, func(t *testing.T) {
		in := &fakeInputs{missing: map[string]*job.Error{}}
		for range 100 {
			in.fail = append(in.fail, full)
		}
		h := &house{T: t, ledger: ledgertest.NewMemory(), share: newShare(), fleet: newFleet(1), inputs: in, loads: true, rules: rules}
		h.start()
		j, err := h.load("user001", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(10 * time.Second)
		h.want(j, job.Queued)
		if held, _ := h.fleet.held(); len(held) != 0 {
			t.Errorf("held are %v", held)
		}
		in.set(func() { in.fail = nil })
		h.pass(time.Minute)
		h.want(j, job.Accepted)
		if held, _ := h.fleet.held(); !slices.Equal(held, []string{"h200-spot"}) {
			t.Errorf("while it renders held are %v", held)
		}
		h.stop()
	})
}
