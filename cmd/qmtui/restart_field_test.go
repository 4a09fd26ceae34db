package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	"github.com/comfyume/qmtui/internal/store"
)

// childEnv tells a process of this test binary to be a manager.
const childEnv = "QMTUI_FIELD_CHILD"

// childOrder is what such a process needs to know.
type childOrder struct {
	Scene demo.Scene
	URL   string // of the fleet
	With  string // what else the configuration says, of childRules; empty for nothing
}

// init turns the process into a manager that can be killed.
func init() {
	order := os.Getenv(childEnv)
	if order == "" {
		return
	}
	var o childOrder
	err := json.Unmarshal([]byte(order), &o)
	if err == nil {
		err = serve(context.Background(), childConfig(o), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// childRules are changes of a configuration that such a process can make.
var childRules = map[string]func(c *config.Config, url string){"held while busy": heldWhileBusy}

func childConfig(o childOrder) config.Config {
	c := fieldConfig(o.Scene, o.URL)
	if change := childRules[o.With]; change != nil {
		change(&c, o.URL)
	}
	c.Server.Listen = "127.0.0.1:0"
	c.Queue.Retries = 2
	return c
}

var listens = regexp.MustCompile(`msg=started .*listen=(\S+)`)

// tcp is the address that the spawned manager's log names.
func (s *site) tcp() string {
	s.Helper()
	var found []string
	s.eventually("the log names an address", func() bool {
		found = listens.FindStringSubmatch(s.log.tail(1000))
		return found != nil
	})
	return found[1]
}

// spawn starts a manager in a process of its own; kill is SIGKILL, which unlike
// a power failure leaves what was written and not synced.
func (s *site) spawn() (kill func()) {
	s.Helper()
	order, err := json.Marshal(childOrder{s.scene, s.url, s.with})
	check(s.T, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(order))
	cmd.Stderr = s.log
	check(s.T, cmd.Start())
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.Cleanup(kill)
	s.dial()
	s.eventually("the manager answers", func() bool { _, err := s.client.Health(s.Context()); return err == nil })
	return kill
}

// Field case 10: jobs lived in one HTTP request, and a restart of the manager
// lost every job in flight. Here it is killed with SIGKILL while jobs wait,
// render and are copied.
func TestField10RestartLosesNothing(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		p.apart = true
		p.workers.Render = simulator.Span{Min: 300 * time.Millisecond, Max: 600 * time.Millisecond}
	})
	kill := s.spawn()
	var jobs []api.Job
	for n := range 5 {
		for u := 1; u <= 3; u++ {
			jobs = append(jobs, s.submit(demo.User(u), savingBatch(demo.Prefix(demo.User(u), n, "take"), 2)))
		}
	}
	s.awaitEnd(jobs[0].ID, job.Done)
	flying := s.await(jobs[4].ID, "in flight", func(j api.Job) bool { return j.State >= job.Accepted })
	kill()
	s.eventually("the workers go on without the manager", s.fleet.Idle)
	s.spawn()
	for _, j := range jobs {
		s.awaitEnd(j.ID, job.Done)
	}
	after, err := s.client.Job(t.Context(), flying.ID)
	check(t, err)
	if after.PromptID != flying.PromptID || len(s.fleet.Executions()[flying.PromptID]) != 1 {
		t.Errorf("what was rendering was sent again: prompt %s, then %s", flying.PromptID, after.PromptID)
	}
	page, err := s.client.Jobs(t.Context(), api.Query{})
	check(t, err)
	if page.Total != len(jobs) {
		t.Errorf("%d jobs, want %d", page.Total, len(jobs))
	}
	s.judge()
}

// A hundred submits by 20 clients at once: each gets its 201 after the job is
// durable, so that a manager killed right then has lost none.
func TestBurstOf100(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		p.apart = true
		p.workers.Deployments[0].ColdStart = time.Hour
	})
	kill := s.spawn()
	url := "http://" + s.tcp() + api.PathJobs
	var mu sync.Mutex
	var ids []job.ID
	var times []time.Duration
	began := time.Now()
	var clients sync.WaitGroup
	for u := 1; u <= 20; u++ {
		clients.Go(func() {
			for n := range 5 {
				at := time.Now()
				id, err := post201(t.Context(), url, demo.User(u), saving(fmt.Sprintf("burst_%d", n)))
				if err != nil {
					t.Errorf("submit %d of client %d: %v", n, u, err)
					return
				}
				mu.Lock()
				ids, times = append(ids, id), append(times, time.Since(at))
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	took := time.Since(began)
	kill()
	if len(ids) != 100 {
		t.Fatalf("%d jobs were taken, want 100", len(ids))
	}
	slices.Sort(times)
	t.Logf("100 submits by 20 clients in %s: half within %s, 99 within %s, the last %s", took.Round(time.Millisecond),
		times[49].Round(time.Millisecond), times[98].Round(time.Millisecond), times[99].Round(time.Millisecond))
	s.wantInLedger(ids)
}

// post201 submits and insists on 201.
func post201(ctx context.Context, url, user string, workflow []byte) (job.ID, error) {
	body := fmt.Sprintf(`{"user_id":%q,"workflow":%s}`, user, workflow)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	var j api.Job
	if answer.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("%d: %s", answer.StatusCode, b)
	}
	return j.ID, json.Unmarshal(b, &j)
}

// wantInLedger opens a copy of the ledger that a dead manager left, and finds
// every job there with its workflow.
func (s *site) wantInLedger(ids []job.ID) {
	s.Helper()
	raw, err := os.ReadFile(filepath.Join(s.scene.State(), databaseFile))
	check(s.T, err)
	path := filepath.Join(s.scene.Dir, "copy.db")
	check(s.T, os.WriteFile(path, raw, 0o600))
	ledger, err := store.Open(store.Options{Path: path})
	check(s.T, err)
	defer ledger.Close()
	for _, id := range ids {
		j, err := ledger.Job(id)
		if err != nil {
			s.Errorf("job %s was answered 201 and is not in the ledger: %v", id, err)
			continue
		}
		if _, err := ledger.Blob(j.Workflow); err != nil {
			s.Errorf("the workflow of job %s: %v", id, err)
		}
	}
}
