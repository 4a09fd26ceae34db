package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// fakeManager answers as a manager would; what a test does not set answers nothing.
type fakeManager struct {
	status    api.QueueStatus
	workers   []api.Worker
	recent    []api.Job
	err       error     // of every call
	refuse    error     // of Submit
	lostUntil time.Time // Job answers nothing before
	steps     []api.Job // what Job answers, one after the other, the last for ever
	submitted []api.SubmitRequest
	cancelled []job.ID
	warmed    []string
	file      string // what OpenOutput serves
}

func (m *fakeManager) Target() string { return "http://manager.example" }
func (m *fakeManager) Health(context.Context) (api.Health, error) {
	return api.Health{Status: "healthy"}, m.err
}
func (m *fakeManager) QueueStatus(context.Context) (api.QueueStatus, error) { return m.status, m.err }
func (m *fakeManager) Workers(context.Context) ([]api.Worker, error)        { return m.workers, m.err }
func (m *fakeManager) Jobs(context.Context, api.Query) (api.Page[api.Job], error) {
	return api.Page[api.Job]{Items: m.recent}, m.err
}

func (m *fakeManager) WarmWorker(_ context.Context, name string) (api.Worker, error) {
	m.warmed = append(m.warmed, name)
	return api.Worker{}, m.err
}

func (m *fakeManager) Submit(_ context.Context, r api.SubmitRequest) (api.Job, bool, error) {
	m.submitted = append(m.submitted, r)
	return api.Job{ID: "canary"}, false, m.refuse
}

func (m *fakeManager) Job(context.Context, job.ID) (api.Job, error) {
	if time.Now().Before(m.lostUntil) {
		return api.Job{}, api.ErrNoDaemon
	}
	j := m.steps[0]
	m.steps = m.steps[min(1, len(m.steps)-1):]
	return j, nil
}

func (m *fakeManager) Cancel(_ context.Context, id job.ID) (api.Job, error) {
	m.cancelled = append(m.cancelled, id)
	return api.Job{}, nil
}

func (m *fakeManager) OpenOutput(context.Context, job.OutputID, int64) (*api.Download, error) {
	return &api.Download{ReadCloser: io.NopCloser(strings.NewReader(m.file))}, nil
}

// ready is a manager whose queue runs and that has an active deployment.
func ready(steps ...api.Job) *fakeManager {
	return &fakeManager{status: api.QueueStatus{Mode: job.ModeRunning, Active: "h200"}, workers: []api.Worker{{Name: "h200", Driver: "comfyui"}}, steps: steps, file: "picture"}
}

func codes(results []Result) string {
	var out []string
	for _, r := range results {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}

// TestFly follows canaries that fare differently.
func TestFly(t *testing.T) {
	waiting := api.Job{ID: "canary", State: job.Submitting, Phase: "waiting for a GPU", Attempts: []api.Attempt{{}}}
	done := goodCanary().Job
	refusal := api.Job{ID: "canary", State: job.Failed, Attempts: []api.Attempt{{}}, ErrorDetail: &api.Error{Code: "endpoint_or_key", Message: "it answered 404"}}
	taken := api.Job{ID: "canary", State: job.Accepted, Attempts: done.Attempts}
	nothing := api.Job{ID: "canary", State: job.Lost, Attempts: done.Attempts, ErrorDetail: &api.Error{Code: "no_files", Message: "no file came"}}
	lost := done.Attempts[0]
	lost.State, lost.Error = job.Lost, &api.Error{Code: "never_appeared", Message: "no sign of it appeared"}
	again := api.Job{ID: "canary", State: job.Queued, Attempts: []api.Attempt{lost, {N: 2}}}
	whole := api.Job{ID: "canary", State: job.Rendered, Attempts: done.Attempts, Warnings: []job.Warning{{Message: "not writable"}},
		Outputs: []api.Output{{State: job.OutputWhole, SeenAt: done.Outputs[0].SeenAt}}}
	away := func(m *fakeManager) *fakeManager {
		m.status.Warnings = []job.Warning{{Code: "share_not_mounted", Message: "it is away", Hint: "mount it"}}
		return m
	}
	onPlatform := func(m *fakeManager) *fakeManager {
		m.workers[0].Driver, m.workers[0].Way = "verda", "async"
		return m
	}
	for name, c := range map[string]struct {
		manager *fakeManager
		agree   bool
		want    string
		sent    int
	}{
		"the whole way":       {ready(waiting, done), true, "accepted came delivered", 1},
		"nobody agrees":       {ready(done), false, "not_agreed not_reached not_reached", 0},
		"nobody answers":      {ready(waiting), true, "unanswered not_reached not_reached", 1},
		"not configured":      {&fakeManager{status: api.QueueStatus{Active: "h200"}}, true, "no_such not_reached not_reached", 0},
		"no active":           {&fakeManager{}, true, "no_active not_reached not_reached", 0},
		"paused":              {&fakeManager{status: api.QueueStatus{Mode: job.ModePaused, Active: "h200"}}, true, "halted not_reached not_reached", 0},
		"no manager":          {&fakeManager{err: api.ErrNoDaemon}, true, "no_manager not_reached not_reached", 0},
		"wrong key":           {ready(refusal), true, "key not_reached not_reached", 1},
		"rendered elsewhere":  {ready(taken, nothing), true, "accepted elsewhere not_reached", 1},
		"once is enough":      {ready(taken, again), true, "accepted never not_reached", 1},
		"not copied":          {ready(taken, whole), true, "accepted came not_delivered", 1},
		"the platform's way":  {onPlatform(ready(taken, done)), true, "accepted async came delivered", 1},
		"held":                {away(ready(done)), true, "held not_reached not_reached", 0},
		"it does not take it": {&fakeManager{status: api.QueueStatus{Active: "h200"}, workers: []api.Worker{{Name: "h200"}}, refuse: &job.Error{Code: "queue_full", Message: "the queue is full"}}, true, "not_sent not_reached not_reached", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := Visit{Manager: c.manager}
				got := v.Fly(t.Context(), Canary{Agree: func([]api.Worker) bool { return c.agree }, Limit: time.Minute})
				if codes(got) != c.want || len(c.manager.submitted) != c.sent {
					t.Errorf("it says %q after %d submits, want %q", codes(got), len(c.manager.submitted), c.want)
				}
				if open := strings.Contains("nobody answers, once is enough, not copied", name); open != (len(c.manager.cancelled) == 1) {
					t.Errorf("it cancelled %v", c.manager.cancelled)
				}
			})
		})
	}
}

// TestFlyToEach: every deployment gets its own, in the order asked for, after
// one question about all of them; what is held for one holds no other.
func TestFlyToEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready(goodCanary().Job)
		m.workers = append(m.workers, api.Worker{Name: "b300"}, api.Worker{Name: "dear"})
		m.status.Warnings = []job.Warning{{Code: "budget_reached", Message: "no job is sent to dear"}}
		asked := ""
		got := Visit{Manager: m}.Fly(t.Context(), Canary{To: []string{"b300", "h200", "dear", "gone"}, Agree: func(workers []api.Worker) bool {
			for _, w := range workers {
				asked += w.Name + " "
			}
			return true
		}})
		want := "accepted came delivered accepted came delivered held not_reached not_reached no_such not_reached not_reached"
		if codes(got) != want || asked != "b300 h200 " {
			t.Errorf("it says %q, asked for %q", codes(got), asked)
		}
		if len(m.submitted) != 2 || m.submitted[0].Deployment != "b300" || m.submitted[1].Deployment != "h200" || got[0].Subject != "b300" || got[9].Subject != "gone" {
			t.Errorf("sent %+v, says %+v", m.submitted, got)
		}
	})
}

// TestAStoppedRoundSendsNoMore: a person who stops the first canary pays for no second one.
func TestAStoppedRoundSendsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready(api.Job{ID: "canary", State: job.Submitting})
		m.workers = append(m.workers, api.Worker{Name: "b300"})
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		got := Visit{Manager: m}.Fly(ctx, Canary{To: []string{"h200", "b300"}})
		if codes(got) != "interrupted not_reached not_reached" || len(m.submitted) != 1 {
			t.Errorf("it says %s after %d submits", codes(got), len(m.submitted))
		}
	})
}

// TestInterruptedCanaryIsTakenBack: a person who stops doctor leaves no job behind.
func TestInterruptedCanaryIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready(api.Job{ID: "canary", State: job.Submitting})
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		if got := codes(Visit{Manager: m}.Fly(ctx, Canary{})); got != "interrupted not_reached not_reached" {
			t.Errorf("it says %s", got)
		}
		if len(m.cancelled) != 1 || m.submitted[0].User != CanaryUser {
			t.Errorf("cancelled %v, submitted %+v", m.cancelled, m.submitted)
		}
	})
}

// TestCanaryOutlivesAManagerThatIsRestarted, but does not wait half an hour for one that ended.
func TestCanaryOutlivesAManagerThatIsRestarted(t *testing.T) {
	for away, want := range map[time.Duration]string{managerPatience / 2: "accepted came delivered", time.Hour: "manager_left not_reached not_reached"} {
		synctest.Test(t, func(t *testing.T) {
			m := ready(goodCanary().Job)
			began := time.Now()
			m.lostUntil = began.Add(away)
			got := codes(Visit{Manager: m}.Fly(t.Context(), Canary{}))
			if took := time.Since(began); got != want || took > 2*managerPatience {
				t.Errorf("away for %s it says %s after %s, want %s", away, got, took, want)
			}
		})
	}
}

// TestCanariesAreTidied: pictures that canaries brought are taken away, and
// nothing else: not what was put in their place, nor what is not theirs.
func TestCanariesAreTidied(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, CanaryUser)
	file := func(name, text string) api.Output {
		write(t, filepath.Join(folder, name), text)
		return api.Output{State: job.OutputStored, Path: name, Size: int64(len(text)), Checksum: fmt.Sprintf("xxh64:%016x", xxhash.Sum64String(text))}
	}
	own, left, late := file("canary_00001_.png", "own"), file("canary_00002_.png", "left"), file("cancelled/canary_00001_.png", "late")
	changed, linked, young := file("canary_00003_.png", "four"), file("canary_00004_.png", "link"), file("canary_00005_.png", "young")
	write(t, filepath.Join(folder, changed.Path), "more")
	if err := errors.Join(os.Remove(filepath.Join(folder, linked.Path)), os.Symlink("canary_00002_.png", filepath.Join(folder, linked.Path))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "mine.png"), "link")
	outside := api.Output{State: job.OutputStored, Path: "../victim", Size: 3, Checksum: own.Checksum}
	write(t, filepath.Join(dir, "victim"), "own")

	long := api.Time{Time: time.Now().Add(-time.Hour)}
	canary := goodCanary().Job
	canary.Outputs = []api.Output{own}
	m := ready(canary)
	m.recent = []api.Job{
		{User: CanaryUser, Name: canaryName, State: job.Cancelled, Updated: api.Time{Time: time.Now()}, Outputs: []api.Output{late}},
		{User: CanaryUser, Name: canaryName, State: job.Done, Updated: long, Outputs: []api.Output{left, changed, linked, outside}},
		{User: CanaryUser, Name: canaryName, State: job.Done, Updated: api.Time{Time: time.Now()}, Outputs: []api.Output{young}},
		{User: CanaryUser, Name: "a person's", State: job.Done, Updated: long, Outputs: []api.Output{young}},
	}
	v := Visit{Manager: m}
	v.Config.Users.Outputs, v.Config.Share.Outputs = dir, t.TempDir()
	var o CanarySeen
	o.Here = true
	v.send(t.Context(), Canary{Here: true, Every: time.Millisecond}, &o)
	if !o.Tidied {
		t.Error("its own picture was not taken away")
	}
	var names []string
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "canary_00003_.png canary_00004_.png canary_00005_.png mine.png" {
		t.Errorf("left are %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "victim")); err != nil {
		t.Error("a file outside the folder was taken away")
	}
}

// TestCanaryIsComparedWithTheDisks looks at the share and at the user's folder
// as they are here.
func TestCanaryIsComparedWithTheDisks(t *testing.T) {
	share, users := t.TempDir(), t.TempDir()
	source, place := filepath.Join(share, "qm/p/2/canary_00001_.png"), filepath.Join(users, CanaryUser, "canary_00001_.png")
	v := Visit{Manager: ready(goodCanary().Job)}
	v.Config.Share.Outputs, v.Config.Users.Outputs = share, users
	for _, step := range []struct {
		path, text, want string
	}{
		{"", "", "accepted unseen other_place"},
		{source, "picture", "accepted came other_place"},
		{place, "another", "accepted came other_bytes"},
		{place, "picture", "accepted came delivered"},
	} {
		if step.path != "" {
			write(t, step.path, step.text)
		}
		if got := codes(v.Fly(t.Context(), Canary{Here: true, Every: time.Millisecond})); got != step.want {
			t.Errorf("with %s: %s, want %s", step.path, got, step.want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNothingSleepingIsAsked: without leave not one request is made.
func TestNothingSleepingIsAsked(t *testing.T) {
	m := ready()
	d := config.NewDeployment("h200")
	d.URL = "http://127.0.0.1:1/h200" // an answer of any kind would be an error
	v := Visit{Manager: m}
	o := v.seeWorker(t.Context(), v.ask(t.Context()), d)
	if o.Asked || len(m.warmed) != 0 || o.WhyNotAsked == "" || judgeAnswer(o).Code != "not_known" {
		t.Errorf("it was asked: %+v", o)
	}
}
