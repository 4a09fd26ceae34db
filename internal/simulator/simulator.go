// Package simulator is a fleet of serverless ComfyUI replicas in one process:
// for the demo, for tests, and for anybody who wants to see how a client
// copes with the real thing. It answers as ComfyUI 0.8.0 or 0.33.0 was
// recorded to answer, writes real files into a shared folder the way ComfyUI writes them
// (directly, in pieces, under the final name) and, on request, breaks in the
// ways that a real fleet broke.
//
// A Fleet has several deployments; each is a load balancer over replicas that
// start when a message comes and vanish when none comes for a while. The
// Manifest is the judge's truth: every file that a replica wrote, with its
// checksum.
//
// With a Platform it also plays what the platform has around the containers:
// the asynchronous headers, the control API and the bill.
//
// What it does not have: WebSocket (undocumented behind the platform's
// balancer), the list at GET /api/jobs, and assets.
package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Balance says which replica a request reaches.
type Balance string

const (
	// Random is the platform's way: any live replica, for every request anew.
	Random Balance = "random"
	// Sticky always finds the replica that knows the prompt id in question.
	Sticky Balance = "sticky"
	// Never keeps every look into /history away from the replica that ran
	// the prompt.
	Never Balance = "never"
)

// Config describes a fleet. All durations are before Speed.
type Config struct {
	Deployments []Deployment
	// Outputs is the shared folder all replicas write to; it must exist.
	Outputs string
	// Inputs is the folder LoadImage may name files of. Empty: only
	// "example.png", which every replica has.
	Inputs string
	// Render is how long a prompt takes on a warm replica. Zero: 100 to 600 ms.
	Render Span
	// Faults are the probabilities of what goes wrong. Zero: nothing does.
	Faults Faults
	// Seed decides pictures' noise, render times, faults and the balancer's dice.
	Seed uint64
	// Balance is Random when empty.
	Balance Balance
	// Speed divides every duration: 10 makes a cold start of 20 s last 2 s.
	// Zero: 1.
	Speed float64
	// Journal is a file to which the manifest is appended as it grows, one
	// JSON object a line. Empty: none.
	Journal string
	// Platform is what stands around the containers. Nil: the containers are
	// all there is, and asynchronous headers are passed on unread.
	Platform *Platform
}

// Deployment is one balancer and its replicas.
type Deployment struct {
	Name     string
	Replicas int // how many it scales out to; zero: 1
	// ColdStart is how long a request waits at zero replicas. The others
	// follow, each a quarter of it later.
	ColdStart time.Duration
	// ScaleDown is how long after the last HTTP message (renders do not
	// count) all replicas are taken away. Zero: never.
	ScaleDown time.Duration
	// Key is the inference key requests must carry as a bearer token; without
	// it they get the platform's 404. Empty: none needed.
	Key string
	// ContainerDisk, when set, is a replica started without
	// --output-directory: it writes there instead of into Outputs, and its
	// argv shows it.
	ContainerDisk string
	// Astray, when set, is the --output-directory of every second replica. It
	// must exist.
	Astray string
	// Version is the ComfyUI that the replicas answer as. Empty: V08.
	Version Version
	// Gateway answers some prompts with 502. Zero: none.
	Gateway Gateway
	// Late is a node class that a replica lacks in its first minute, as after
	// an import that failed. Empty: none.
	Late string
	// ByLoad scales out as the platform does: one replica at first, and one more
	// for every message that finds each replica busy with another. Without it
	// all replicas come after one another.
	ByLoad bool
}

// Gateway is a fixed pattern of broken answers: of every Of prompts the first
// Fail are answered 502, before a replica has them, or after when Accepted.
type Gateway struct {
	Fail, Of int
	Accepted bool
}

// ParseGateway reads "2/3" or "2/3:accepted"; nothing for none.
func ParseGateway(s string) (g Gateway, err error) {
	if s == "" {
		return g, nil
	}
	share, when, _ := strings.Cut(s, ":")
	_, err = fmt.Sscanf(share, "%d/%d", &g.Fail, &g.Of)
	g.Accepted = when == "accepted"
	if err != nil || when != "" && !g.Accepted || g.Fail < 0 || g.Of < max(g.Fail, 1) {
		return Gateway{}, fmt.Errorf("bad gateway %q: use 2/3 or 2/3:accepted", s)
	}
	return g, nil
}

// Span is a range of durations, both ends included.
type Span struct{ Min, Max time.Duration }

// Fleet is the running simulation. Its handlers and readers may be used by
// any goroutine; they block until Run runs.
type Fleet struct {
	cfg         Config
	deployments map[string]*deployment
	manifest    *manifest
	platform    *platform // nil without one
	spawn       chan func(context.Context)
	stopped     chan struct{} // closed by Run when it stops taking work

	mu    sync.Mutex
	seen  map[string]int // guarded by mu: how often a prompt's content came
	jobs  map[string]int // guarded by mu: how often a job's prompts came
	polls int            // guarded by mu: requests other than prompts
	late  int            // guarded by mu: files written but not yet visible
}

// New checks the configuration and opens the journal. It starts nothing.
func New(cfg Config) (*Fleet, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	m, err := newManifest(cfg.Journal)
	if err != nil {
		return nil, err
	}
	f := &Fleet{cfg: cfg, deployments: map[string]*deployment{}, manifest: m,
		spawn: make(chan func(context.Context)), stopped: make(chan struct{}), seen: map[string]int{}, jobs: map[string]int{}}
	for i, d := range cfg.Deployments {
		f.deployments[d.Name] = newDeployment(f, d, uint64(i))
	}
	if cfg.Platform != nil {
		f.platform = newPlatform(f, *cfg.Platform)
	}
	return f, nil
}

func (c *Config) complete() error {
	c.Balance = cmp.Or(c.Balance, Random)
	c.Speed = cmp.Or(c.Speed, 1)
	c.Render = cmp.Or(c.Render, Span{100 * time.Millisecond, 600 * time.Millisecond})
	if c.Balance != Random && c.Balance != Sticky && c.Balance != Never {
		return fmt.Errorf("unknown balance %q: use random, sticky or never", c.Balance)
	}
	if c.Speed < 0 || c.Render.Min < 0 || c.Render.Max < c.Render.Min {
		return errors.New("speed and render times must not be negative, nor the longest render shorter than the shortest")
	}
	if len(c.Deployments) == 0 {
		return errors.New("a fleet needs at least one deployment")
	}
	if info, err := os.Stat(c.Outputs); err != nil || !info.IsDir() {
		return fmt.Errorf("the outputs folder %q is not there: create it first", c.Outputs)
	}
	abs, err := filepath.Abs(c.Outputs)
	c.Outputs = abs
	return errors.Join(err, checkNames(c.Deployments))
}

func checkNames(deployments []Deployment) error {
	names := map[string]bool{}
	for i := range deployments {
		d := &deployments[i]
		d.Replicas = max(d.Replicas, 1)
		d.Version = cmp.Or(d.Version, V08)
		if catalogs[d.Version] == nil {
			return fmt.Errorf("deployment %q: %q is no version that can be simulated", d.Name, d.Version)
		}
		if d.Name == "" || names[d.Name] || strings.ContainsAny(d.Name, "/?#") || strings.HasPrefix(d.Name, "_") {
			return fmt.Errorf("deployment name %q is empty, used twice or cannot stand in a URL", d.Name)
		}
		names[d.Name] = true
	}
	return nil
}

// Run owns every goroutine of the fleet: cold starts, replicas and files
// that become visible late. It blocks until ctx ends and all of them have
// returned; a render in flight is broken off as a kill would.
func (f *Fleet) Run(ctx context.Context) error {
	var children sync.WaitGroup
	for {
		select {
		case child := <-f.spawn:
			children.Go(func() { child(ctx) })
		case <-ctx.Done():
			close(f.stopped)
			children.Wait()
			return f.manifest.close()
		}
	}
}

// start hands a goroutine to Run; false when Run takes no more or ctx ended
// first.
func (f *Fleet) start(ctx context.Context, child func(context.Context)) bool {
	select {
	case <-f.stopped:
		return false
	default:
	}
	select {
	case f.spawn <- child:
		return true
	case <-f.stopped:
	case <-ctx.Done():
	}
	return false
}

// Handler serves /<deployment>/<comfy path>, with and without /api, and the
// judge's own /_sim/manifest, /_sim/executions and /_sim/status.
func (f *Fleet) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/manifest", f.serveManifest)
	mux.HandleFunc("GET /_sim/executions", f.serveExecutions)
	mux.HandleFunc("GET /_sim/status", f.serveStatus)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			mux.ServeHTTP(w, r)
			return
		}
		if f.platform != nil && f.platform.serves(w, r) {
			return
		}
		f.route(w, r)
	})
}

func (f *Fleet) route(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	d := f.deployments[name]
	if d == nil {
		notFound(w)
		return
	}
	if f.platform != nil && f.platform.takes(r) {
		f.platform.accept(w, r, d, "/"+rest)
		return
	}
	d.serve(w, r, "/"+rest)
}

// DeploymentHandler serves one deployment at the root, as if it had a host
// of its own. Nil when there is none of that name.
func (f *Fleet) DeploymentHandler(name string) http.Handler {
	d := f.deployments[name]
	if d == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, r.URL.EscapedPath()) })
}

func (f *Fleet) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / f.cfg.Speed) }

// sleep waits a duration before Speed; false when ctx ended first.
func (f *Fleet) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(f.scaled(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Idle says that nothing is queued, running or still to become visible.
func (f *Fleet) Idle() bool {
	f.mu.Lock()
	late := f.late
	f.mu.Unlock()
	return late == 0 && f.manifest.open() == 0
}
