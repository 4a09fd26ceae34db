package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// realStage is two ComfyUI servers with one share behind a random balancer,
// and a manager in this process.
type realStage struct {
	replicas     []*replica
	balancer     *balancer
	share, users string
	// inputs is what all servers load from, uploads has a folder for each user.
	inputs, uploads string
	config          config.Config
	client          *api.Client
	stop            func()            // stops the manager and waits for its end
	log             *os.File          // of all managers
	nodes           *comfy.ObjectInfo // what the servers have; the manager must find out by itself
	jobs            int               // submitted so far: each gets a colour of its own
	version         string            // of the servers
}

// realDeployment is its name.
const realDeployment = "real"

// stagePlan is what a stage may have otherwise than usual.
type stagePlan struct {
	servers   int                             // 0: two
	prepare   func(dir string)                // more for a server's own folder, before it starts
	flags     func(dir string) []string       // more for a server, by its own folder
	api       bool                            // with the nodes of paid services
	mount     bool                            // the manager looks through FUSE
	front     func(http.Handler) http.Handler // in front of the balancer
	configure func(*config.Config)            // has the last word
}

// openRealStage starts everything; change, unless nil, has the last word on the configuration.
func openRealStage(t *testing.T, change func(*config.Config)) *realStage {
	t.Helper()
	return openStage(t, stagePlan{configure: change})
}

func openStage(t *testing.T, plan stagePlan) *realStage {
	t.Helper()
	comfyUI := findCheckout(t)
	s := &realStage{share: filepath.Join(t.TempDir(), "share"), users: t.TempDir(), inputs: t.TempDir(), uploads: t.TempDir()}
	orFatal(t, os.Mkdir(s.share, 0o755))
	seen := s.share
	if plan.mount {
		seen = filepath.Join(t.TempDir(), "mount")
		orFatal(t, os.Mkdir(seen, 0o755))
		bindFS(t, s.share, seen, "")
	}
	began := time.Now()
	shareInputs := s.shareInputs(t)
	for _, port := range freePorts(t, cmp.Or(plan.servers, 2)) {
		s.replicas = append(s.replicas, comfyUI.startWith(t, port, s.share, plan.api, plan.flags, func(dir string) {
			shareInputs(dir)
			if plan.prepare != nil {
				plan.prepare(dir)
			}
		}))
	}
	for _, r := range s.replicas {
		stats := r.ready(t)
		s.version = stats.Version
		t.Logf("ComfyUI %s, Python %s, PyTorch %s on %s after %s", stats.Version, strings.Fields(stats.Python)[0], stats.PyTorch, r.url.Host, seconds(began))
	}
	s.balancer = newBalancer(s.replicas)
	var front http.Handler = s.balancer
	if plan.front != nil {
		front = plan.front(front)
	}
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	s.config = s.configure(t, server.URL)
	s.config.Share.Outputs = seen
	if plan.configure != nil {
		plan.configure(&s.config)
	}
	s.openLog(t)
	s.startManager(t)
	t.Cleanup(func() { s.stop() })
	var err error
	s.nodes, err = s.replicas[0].client().ObjectInfo(t.Context())
	orFatal(t, err)
	return s
}

func (s *realStage) openLog(t *testing.T) {
	t.Helper()
	var err error
	s.log, err = os.Create(filepath.Join(t.TempDir(), "qmtui.log"))
	orFatal(t, err)
	t.Cleanup(func() {
		_ = s.log.Close()
		if said, _ := os.ReadFile(s.log.Name()); t.Failed() {
			t.Logf("the manager's log ends:\n%s", said[max(0, len(said)-8000):])
		}
	})
}

// startManager runs the whole manager in this process until stop is called.
func (s *realStage) startManager(t *testing.T) {
	t.Helper()
	m, err := newManager(s.config, slog.New(slog.NewTextHandler(s.log, nil)))
	orFatal(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	s.client, err = api.Dial(s.config.Server.Socket)
	s.stop = func() {
		s.client.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the manager ended with %v", err)
		}
	}
	orFatal(t, err)
}

// configure is the ordinary configuration with waits of seconds.
func (s *realStage) configure(t *testing.T, url string) config.Config {
	t.Helper()
	state, err := os.MkdirTemp("", "qmtui-real-") // short: the socket's path has a limit
	orFatal(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	c := config.Default()
	c.Auth.Mode = "open"
	c.Server.Listen, c.Server.Socket, c.State.Dir = "", filepath.Join(state, "qmtui.sock"), state
	c.Share.Outputs, c.Users.Outputs = s.share, s.users
	c.Share.Inputs, c.Users.Inputs = s.inputs, s.uploads
	c.Share.Poll, c.Share.Sweep = config.Duration(500*time.Millisecond), config.Duration(2*time.Second)
	c.Share.FreeReserve = 0
	c.Queue.Settle, c.Queue.LateWindow = config.Duration(2*time.Second), config.Duration(5*time.Second)
	c.Queue.AcceptTimeout, c.Queue.DoubtTimeout = config.Duration(time.Minute), config.Duration(time.Minute)
	c.Queue.EvidenceTimeout, c.Queue.RunTimeout = config.Duration(time.Minute), config.Duration(2*time.Minute)
	d := config.NewDeployment(realDeployment)
	d.URL, d.Capacity, d.Active, d.Keepalive = url, len(s.replicas), true, config.Duration(500*time.Millisecond)
	c.Deployments = []config.Deployment{d}
	return c
}

// request makes a user's own prompt of a file below testdata/real: "{mine}" becomes the
// user's prefix, which says for whom a file was written, and "{color}" a
// number that no other job has.
func (s *realStage) request(t *testing.T, user string, n int, file string) api.SubmitRequest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "real", file+".json"))
	orFatal(t, err)
	s.jobs++
	title := filepath.Base(file)
	own := strings.NewReplacer("{mine}", demo.Prefix(user, n, title), `"{color}"`, strconv.Itoa((0x300000+s.jobs*0x10101)&0xffffff))
	return api.SubmitRequest{User: user, Name: title, Workflow: json.RawMessage(own.Replace(string(raw))), Extra: json.RawMessage(realExtra)}
}

// realExtra is what a page sends along, so that a picture can be dragged back.
const (
	realExtra    = `{"extra_pnginfo":{"workflow":` + realWorkflow + `}}`
	realWorkflow = `{"id":"a0e1","nodes":[{"id":9,"type":"SaveImage","title":"caf\u00e9 \"quoted\""}],"version":0.4}`
)

func (s *realStage) submit(t *testing.T, r api.SubmitRequest) api.Job {
	t.Helper()
	j, _, err := s.client.Submit(t.Context(), r)
	if err != nil {
		t.Fatalf("submit %s for %s: %v", r.Name, r.User, err)
	}
	return j
}

// run submits one prompt and waits for its end.
func (s *realStage) run(t *testing.T, user string, n int, file string) api.Job {
	t.Helper()
	j := s.submit(t, s.request(t, user, n, file))
	return s.until(t, 2*time.Minute, "has ended", hasEnded, j.ID)[j.ID]
}

func hasEnded(j api.Job) bool { return j.State.Terminal() }

func isClosed(j api.Job) bool { return j.Closed }

// until follows the manager's event stream until every job satisfies ok, and
// fails the test when that takes longer than bound.
func (s *realStage) until(t *testing.T, bound time.Duration, what string, ok func(api.Job) bool, ids ...job.ID) map[job.ID]api.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	stream, err := s.client.Events(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	open, found := map[job.ID]bool{}, map[job.ID]api.Job{}
	for _, id := range ids {
		open[id] = true
	}
	for len(open) > 0 {
		e, err := stream.Next()
		if err != nil {
			s.report(t, found, open)
			t.Fatalf("not within %s: %d jobs of which each %s: %v", bound, len(ids), what, err)
		}
		for _, j := range jobsOf(e) {
			if found[j.ID] = j; ok(j) {
				delete(open, j.ID)
			}
		}
	}
	return found
}

func jobsOf(e api.Event) []api.Job {
	switch {
	case e.Snapshot != nil:
		return e.Snapshot.Jobs
	case e.Change != nil:
		return []api.Job{e.Change.Job}
	}
	return nil
}

// report says what is known of the jobs that a test waits for in vain.
func (s *realStage) report(t *testing.T, found map[job.ID]api.Job, open map[job.ID]bool) {
	for id := range open {
		j, _ := json.MarshalIndent(found[id], "", " ")
		t.Logf("still open: %s", j)
	}
	for _, r := range s.replicas {
		t.Logf("the log of %s ends:\n%s", r.url.Host, r.tail())
	}
}

func seconds(since time.Time) time.Duration { return time.Since(since).Round(100 * time.Millisecond) }
