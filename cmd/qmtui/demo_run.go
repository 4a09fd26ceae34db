package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	users, jobs, replicas int
	coldStart             time.Duration
	faults, balance       string
	seed                  uint64
	dir                   string // empty: a temporary folder, removed at the end
	headless, json        bool
	timeout               time.Duration
}

// errUnclean is the end of a demo in which the judge found something.
var errUnclean = &job.Error{Code: "demo_unclean", Class: job.Internal, Message: "the demo did not come out clean; its summary says what is wrong",
	Hint: "run it again with the same --seed and with --dir to keep the folders and the log"}

// runDemo runs the whole system on this machine to its end: the fleet, the
// manager, the users, and the judge.
func runDemo(ctx context.Context, o demoOptions, stdout, stderr io.Writer) error {
	dir, clean, err := demoFolder(o.dir)
	if err != nil {
		return err
	}
	defer clean()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	stage, err := newStage(o, dir)
	if err != nil {
		return err
	}
	result, err := stage.play(ctx, o, newDemoProgress(stderr, o))
	if err != nil {
		return err
	}
	if o.json {
		err = json.NewEncoder(stdout).Encode(demoReport{demoParameters(o), result, result.Verdict.Clean()})
	} else {
		err = demoSummary(stdout, o, result)
	}
	if err == nil && !result.Verdict.Clean() {
		err = errUnclean
	}
	return err
}

// demoReport is the demo's --json.
type demoReport struct {
	Parameters map[string]any `json:"parameters"`
	demo.Result
	Clean bool `json:"clean"`
}

func demoParameters(o demoOptions) map[string]any {
	return map[string]any{"users": o.users, "jobs": o.jobs, "replicas": o.replicas, "cold_start": o.coldStart.String(), "faults": o.faults,
		"balance": o.balance, "seed": o.seed}
}

// demoFolder is where the demo plays, with what removes it afterwards.
func demoFolder(dir string) (string, func(), error) {
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil {
			err = freshFolder(abs)
		}
		return abs, func() {}, err
	}
	dir, err := os.MkdirTemp("", "qmtui-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// freshFolder refuses a folder that holds something: the judge would count it.
func freshFolder(dir string) error {
	names, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(dir, 0o755)
	}
	if err == nil && len(names) > 0 {
		return &job.Error{Code: "folder_not_empty", Class: job.Invalid, Message: dir + " is not empty", Hint: "give --dir a new folder"}
	}
	return err
}

// stage is the demo's fleet and manager, ready to play.
type stage struct {
	scene    demo.Scene
	fleet    *simulator.Fleet
	http     *http.Server
	listener net.Listener
	manager  *manager
	log      *os.File
}

// newStage sets the stage: nothing runs yet.
func newStage(o demoOptions, dir string) (*stage, error) {
	faults, err := simulator.ParseFaults(o.faults)
	if err != nil {
		return nil, err
	}
	s := &stage{scene: demo.Scene{Dir: dir, Replicas: o.replicas, ColdStart: o.coldStart, Faults: faults, Seed: o.seed,
		Balance: simulator.Balance(o.balance), MaxQueued: o.jobs}}
	if err := s.scene.Make(); err != nil {
		return nil, err
	}
	if s.fleet, err = simulator.New(s.scene.Fleet()); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for the simulated fleet: %w", err)
	}
	s.http = &http.Server{Handler: s.fleet.Handler(), ReadHeaderTimeout: 10 * time.Second}
	if s.log, err = os.Create(filepath.Join(dir, "qmtui.log")); err != nil {
		return nil, err
	}
	cfg := s.scene.Config("http://" + s.listener.Addr().String())
	s.manager, err = newManager(cfg, slog.New(slog.NewTextHandler(s.log, nil)))
	return s, err
}

// play runs fleet, manager and users until the judge has spoken.
func (s *stage) play(ctx context.Context, o demoOptions, p *demoProgress) (demo.Result, error) {
	defer func() { _ = s.log.Close() }()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	group, gctx := errgroup.WithContext(inner)
	group.Go(func() error { return s.fleet.Run(gctx) })
	group.Go(func() error { return serveUntil(gctx, s.http, s.listener) })
	group.Go(func() error { return s.manager.Run(gctx) })
	var result demo.Result
	group.Go(func() error {
		defer stop()
		var err error
		result, err = s.proof(o, p).Do(gctx)
		p.end()
		return err
	})
	err := group.Wait()
	if errors.Is(err, context.DeadlineExceeded) || err == nil && ctx.Err() != nil {
		err = &job.Error{Code: "demo_timeout", Class: job.Internal, Message: fmt.Sprintf("the demo did not end within %s", o.timeout), Hint: "give it more with --timeout, or fewer jobs"}
	}
	return result, err
}

func (s *stage) proof(o demoOptions, p *demoProgress) demo.Run {
	prompts, _ := fs.Sub(assets.Prompts, "prompts") // a constant, valid name
	return demo.Run{
		Load:     demo.Load{Users: o.users, Jobs: o.jobs, Seed: o.seed, Prompts: demo.Without(prompts, "preview-only.json"), Savers: s.scene.Faults.Savers},
		Dial:     func() (*api.Client, error) { return api.Dial(filepath.Join(s.scene.State(), "qmtui.sock")) },
		Written:  func() ([]simulator.Written, error) { return s.fleet.Manifest(), nil },
		Settled:  s.fleet.Idle,
		Users:    s.scene.Users(),
		Uploads:  s.scene.Uploads(),
		Late:     20 * time.Second,
		Progress: p.show,
	}
}

// serveUntil serves until ctx ends, then closes at once: replicas are not polite.
func serveUntil(ctx context.Context, s *http.Server, l net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		_ = s.Close()
		<-done
		return nil
	}
}
