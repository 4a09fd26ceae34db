package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// patience bounds every wait of these tests. It is long because the machine
// may be busy; nothing waits for it when all is well.
const patience = 40 * time.Second

// site is the whole system in one test: a simulated fleet behind HTTP, the
// manager as the daemon has it, and a client on its socket.
type site struct {
	*testing.T
	plan
	fleet  *simulator.Fleet
	log    *logbook
	client *api.Client

	manager *manager
	halt    func() // stops the manager; nil when it does not run
}

// plan is what a site is made of, for a test to change before it opens.
type plan struct {
	scene demo.Scene
	url   string // of the fleet
	// workers and config fit each other; waits are short, nothing is retried.
	workers simulator.Config
	config  config.Config
	// front, when set, stands between the manager and the fleet.
	front func(http.Handler) http.Handler
	// before, when set, runs when the folders are there and nothing runs yet.
	before func(plan)
	// apart leaves the manager to the test, which runs it as a process.
	apart bool
	// with names the rules of such a process; empty for none.
	with string
	// logs is how the manager logs; the zero value is text from info on.
	logs config.Log
}

// openSite opens a site that closes with the test. Its folder is not
// t.TempDir's, whose name is too long for a socket.
func openSite(t *testing.T, change func(*plan)) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "qmtui-field-")
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	s := &site{T: t, plan: newPlan(demo.Scene{Dir: dir, Replicas: 2}, "http://"+listener.Addr().String()), log: &logbook{}}
	if change != nil {
		change(&s.plan)
	}
	check(t, s.scene.Make())
	if s.before != nil {
		s.before(s.plan)
	}
	s.openFleet(listener)
	if !s.apart {
		s.start()
	}
	t.Cleanup(s.close)
	return s
}

// newPlan is a workshop with waits of a tenth of a second.
func newPlan(scene demo.Scene, url string) plan {
	p := plan{scene: scene, url: url, workers: scene.Fleet(), config: fieldConfig(scene, url)}
	p.workers.Render = simulator.Span{Min: 100 * time.Millisecond, Max: 150 * time.Millisecond}
	return p
}

func fieldConfig(scene demo.Scene, url string) config.Config {
	c := scene.Config(url)
	c.Share.Poll = config.Duration(100 * time.Millisecond)
	c.Queue.Settle = config.Duration(500 * time.Millisecond) // what was rendered and is not seen is given up after twenty times that
	c.Queue.EvidenceTimeout, c.Queue.RunTimeout = config.Duration(patience), config.Duration(patience)
	c.Queue.Retries = 0
	c.Deployments[0].Keepalive = config.Duration(50 * time.Millisecond)
	return c
}

func (s *site) openFleet(l net.Listener) {
	s.Helper()
	var err error
	s.fleet, err = simulator.New(s.workers)
	check(s.T, err)
	handler := s.fleet.Handler()
	if s.front != nil {
		handler = s.front(handler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { _ = s.fleet.Run(ctx) })
	both.Go(func() { _ = serveUntil(ctx, &http.Server{Handler: handler}, l) })
	s.Cleanup(func() { cancel(); both.Wait() })
}

// start starts the manager and waits until it has loaded its jobs.
func (s *site) start() {
	s.Helper()
	log, err := newLogger(s.log, config.Log{Level: cmp.Or(s.logs.Level, "info"), Format: s.logs.Format})
	check(s.T, err)
	m, err := newManager(s.config, log)
	check(s.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	s.manager = m
	s.halt = func() {
		cancel()
		if err := <-ended; err != nil {
			s.Errorf("the manager ended with %v", err)
		}
		s.halt = nil
	}
	select {
	case <-m.engine.Ready():
	case err := <-ended:
		s.Fatalf("the manager did not start: %v", err)
	}
	s.dial()
}

func (s *site) dial() {
	s.Helper()
	c, err := api.Dial(s.config.Server.Socket)
	check(s.T, err)
	s.client = c
}

func (s *site) close() {
	if s.halt != nil {
		s.halt()
	}
	if s.Failed() {
		s.Logf("the manager's log:\n%s", s.log.tail(60))
	}
}

// submit hands in a job and expects it to be taken.
func (s *site) submit(user string, workflow []byte) api.Job {
	s.Helper()
	j, _, err := s.client.Submit(s.Context(), api.SubmitRequest{User: user, Workflow: workflow})
	check(s.T, err)
	return j
}

// await reads the event stream until the job is as ok wants it.
func (s *site) await(id job.ID, what string, ok func(api.Job) bool) api.Job {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	stream, err := s.client.Events(ctx, 0)
	check(s.T, err)
	defer stream.Close()
	var last api.Job
	for {
		e, err := stream.Next()
		if err != nil {
			shown, _ := json.MarshalIndent(last, "", " ")
			s.Fatalf("job %s never was %s (%v); last: %s", id, what, err, shown)
		}
		for _, j := range told(e, last) {
			if j.ID != id {
				continue
			}
			if last = j; ok(j) {
				return j
			}
		}
	}
}

// told lists the jobs an event speaks of; what time alone changed is joined
// with what was told of the job before.
func told(e api.Event, last api.Job) []api.Job {
	switch e.Kind {
	case api.EventSnapshot:
		return e.Snapshot.Jobs
	case api.EventChange:
		return []api.Job{e.Change.Job}
	case api.EventStandings:
		for _, x := range e.Standings.Jobs {
			if x.ID == last.ID {
				last.Phase, last.Position, last.Wait = x.Phase, x.Position, x.Wait
				return []api.Job{last}
			}
		}
	}
	return nil
}

// awaitEnd waits for the end of a job, which must be want.
func (s *site) awaitEnd(id job.ID, want job.State) api.Job {
	s.Helper()
	j := s.await(id, "at its end", func(j api.Job) bool { return j.State.Terminal() })
	if j.State != want {
		shown, _ := json.MarshalIndent(j, "", " ")
		s.Fatalf("job %s is %s, want %s: %s", id, j.State, want, shown)
	}
	return j
}

// eventually asks again and again, for what no event tells.
func (s *site) eventually(what string, ok func() bool) {
	s.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			s.Fatalf("not in %s: %s", patience, what)
		}
	}
}

// delivered lists the files in a user's folder, sorted.
func (s *site) delivered(user string) []string {
	s.Helper()
	all, err := demo.Folders(s.scene.Users())
	check(s.T, err)
	files := []string{}
	for _, f := range all {
		if f.User == user {
			files = append(files, f.Path)
		}
	}
	slices.Sort(files)
	return files
}

// wantDelivered compares a user's folder with what should stand there.
func (s *site) wantDelivered(user string, want ...string) {
	s.Helper()
	slices.Sort(want)
	if got := s.delivered(user); !slices.Equal(got, want) {
		s.Errorf("%s has %q, want %q", user, got, want)
	}
}

// judge holds the users' folders against what the replicas say they wrote.
// Prefixes must be made with demo.Prefix.
func (s *site) judge() {
	s.Helper()
	s.eventually("the fleet rests", s.fleet.Idle)
	folders, err := demo.Folders(s.scene.Users())
	check(s.T, err)
	page, err := s.client.Jobs(s.Context(), api.Query{Limit: 1000})
	check(s.T, err)
	if v := demo.Judge(s.fleet.Manifest(), folders, page.Items, nil); !v.Clean() || v.Written == 0 {
		s.Errorf("the judge says %+v", v)
	}
}

// executions counts what the replicas ran or were given to run.
func (s *site) executions() int {
	n := 0
	for _, list := range s.fleet.Executions() {
		n += len(list)
	}
	return n
}

// refusedAs expects an error with that code and a next step.
func refusedAs(t *testing.T, err error, code string) *job.Error {
	t.Helper()
	e := job.AsError(err)
	if e == nil || e.Code != code || e.Message == "" || e.Hint == "" {
		t.Fatalf("got %+v, want %s with a sentence and a next step", e, code)
	}
	return e
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logbook keeps what the manager logs.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// has reports a line with all of these in it.
func (l *logbook) has(words ...string) bool {
	return slices.ContainsFunc(l.lines(), func(line string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
	})
}

func (l *logbook) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(l.text.String(), "\n")
}

func (l *logbook) tail(n int) string {
	lines := l.lines()
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// saving is a small prompt: a plain picture, saved under a prefix.
func saving(prefix string) []byte { return savingBatch(prefix, 1) }

// savingBatch saves n pictures at once.
func savingBatch(prefix string, n int) []byte {
	return fmt.Appendf(nil, `{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":48,"batch_size":%d,"color":8421504}},
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":%q}}}`, n, prefix)
}

// isPrompt reports a submit to a deployment.
func isPrompt(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/prompt")
}

// readPromptID reads the id out of a submit.
func readPromptID(r *http.Request) (string, error) {
	var body struct {
		ID string `json:"prompt_id"`
	}
	b, err := io.ReadAll(r.Body)
	return body.ID, errors.Join(err, json.Unmarshal(b, &body))
}

// mkdir makes a folder below the site's.
func (p plan) mkdir(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(p.scene.Dir, name)
	check(t, os.MkdirAll(dir, 0o755))
	return dir
}
