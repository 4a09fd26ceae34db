package metrics

import (
	"context"
	"io"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// fakeSource is a ledger in memory with one reader.
type fakeSource struct {
	mu      sync.Mutex
	jobs    map[job.ID]job.Job
	changes chan job.Change // nil while nobody watches
	taken   chan struct{}   // one for each Watch
	status  job.QueueStatus
	workers []job.Deployment
	users   []job.UserStatus
}

func newFakeSource() *fakeSource {
	return &fakeSource{jobs: map[job.ID]job.Job{}, taken: make(chan struct{}, 8),
		workers: []job.Deployment{{Name: "h200", State: job.WarmthWarm, Capacity: 2, Active: true, PricePerHour: 0.97, Since: noon, At: noon,
			Cold: job.Timing{Count: 3, P50: 100, P90: 200}, Usual: job.Range{Count: 3, Low: 60, Mid: 100, High: 200}, Warm: job.Timing{Count: 2, P50: 10},
			Silent: 2, Released: 1, Learned: []job.Learned{{Class: "Flat Saver", Plain: true}}}, {Name: "stray"}},
		status: job.QueueStatus{Counts: job.Counts{job.Queued: 3}, Depth: 3, MaxDepth: 1000, Mode: job.ModePaused, Orphans: 2, Exclusive: 3, Copies: 7,
			Share:    job.ShareStatus{Mounted: true, LookedAt: noon},
			Warnings: []job.Warning{{Code: "disk_full"}, {Code: "disk_full"}, {Code: "odd thing\xff"}}}}
}

func (s *fakeSource) Status() job.QueueStatus          { return s.status }
func (s *fakeSource) Workers() []job.Deployment        { return s.workers }
func (s *fakeSource) Users() ([]job.UserStatus, error) { return s.users, nil }

// Watch takes a snapshot; the channel has no room, so that the sender knows
// when a change was taken.
func (s *fakeSource) Watch(int) (job.Watch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := job.Watch{Stop: func() {}}
	for _, j := range s.jobs {
		w.Jobs = append(w.Jobs, j)
	}
	s.changes = make(chan job.Change)
	w.Changes = s.changes
	s.taken <- struct{}{}
	return w, nil
}

// record folds facts without telling anybody.
func (s *fakeSource) record(t *testing.T, facts ...job.Fact) job.Job {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	j := fold(t, s.jobs[facts[0].Job], facts...)
	s.jobs[j.ID] = j
	return j
}

// tell records and publishes one fact.
func (s *fakeSource) tell(t *testing.T, facts ...job.Fact) {
	t.Helper()
	for _, f := range facts {
		j := s.record(t, f)
		s.changes <- job.Change{Job: j}
	}
}

// cut ends the reader's stream, as for one that fell behind.
func (s *fakeSource) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changes)
}

// start runs metrics over a source until the test ends.
func start(t *testing.T, o Options, s *fakeSource) *Metrics {
	t.Helper()
	m := New(o)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, s) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	<-s.taken
	return m
}

// scrape reads all figures, by their name with labels as Prometheus writes them.
func scrape(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("scrape: %d %v %s", w.Code, err, body)
	}
	figures := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		figures[line[:i]] = v
	}
	return figures
}

// want compares some figures; -1 stands for one that must not be there.
func want(t *testing.T, got map[string]float64, figures map[string]float64) {
	t.Helper()
	for name, v := range figures {
		if g, ok := got[name]; v == -1 && ok || v != -1 && (!ok || g != v) {
			t.Errorf("%s is %v (there: %v), want %v", name, g, ok, v)
		}
	}
}

// of gives facts another job.
func of(id string, facts ...job.Fact) []job.Fact {
	all := make([]job.Fact, len(facts))
	for i, f := range facts {
		f.Job = job.ID(id)
		if f.Spec != nil {
			s := *f.Spec
			s.ID, s.User = f.Job, "user-of-"+id
			f.Spec = &s
		}
		if f.PromptID != "" {
			f.PromptID += id
		}
		if f.Output != nil {
			o := *f.Output
			o.ID += job.OutputID(id)
			f.Output = &o
		}
		all[i] = f
	}
	return all
}

func clock(at int) func() time.Time {
	return func() time.Time { return noon.Add(time.Duration(at) * time.Second) }
}

var h200 = Options{Version: "v1", Deployments: []string{"h200"}}
