package doctor

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	for name, c := range map[string]struct {
		manager *fakeManager
		agree   bool
		want    string
		sent    int
	}{
		"the whole way":       {ready(waiting, done), true, "accepted came delivered", 1},
		"nobody agrees":       {ready(done), false, "not_agreed not_reached not_reached", 0},
		"nobody answers":      {ready(waiting), true, "unanswered not_reached not_reached", 1},
		"no active":           {&fakeManager{}, true, "no_active not_reached not_reached", 0},
		"paused":              {&fakeManager{status: api.QueueStatus{Mode: job.ModePaused, Active: "h200"}}, true, "halted not_reached not_reached", 0},
		"no manager":          {&fakeManager{err: api.ErrNoDaemon}, true, "no_manager not_reached not_reached", 0},
		"it does not take it": {&fakeManager{status: api.QueueStatus{Active: "h200"}, refuse: &job.Error{Code: "queue_full", Message: "the queue is full"}}, true, "not_sent not_reached not_reached", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := Visit{Manager: c.manager}
				got := v.Fly(t.Context(), Canary{Agree: func(api.Worker) bool { return c.agree }, Limit: time.Minute})
				if codes(got) != c.want || len(c.manager.submitted) != c.sent {
					t.Errorf("it says %q after %d submits, want %q", codes(got), len(c.manager.submitted), c.want)
				}
				if gaveUp := strings.HasPrefix(c.want, "unanswered"); gaveUp != (len(c.manager.cancelled) == 1) {
					t.Errorf("it cancelled %v", c.manager.cancelled)
				}
			})
		})
	}
}

// TestInterruptedCanaryIsTakenBack: a person who stops doctor leaves no job behind.
func TestInterruptedCanaryIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready(api.Job{ID: "canary", State: job.Submitting})
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		Visit{Manager: m}.Fly(ctx, Canary{})
		if len(m.cancelled) != 1 || m.submitted[0].User != CanaryUser {
			t.Errorf("cancelled %v, submitted %+v", m.cancelled, m.submitted)
		}
	})
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
