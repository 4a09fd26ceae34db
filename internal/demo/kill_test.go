package demo_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/simulator"
)

// TestKilledManagerLosesNothing kills the real daemon with SIGKILL at random
// moments of a run with every fault there is, starts it again each time, and
// judges the end. QMTUI_CAMPAIGN=1 kills 50 times, otherwise 6.
func TestKilledManagerLosesNothing(t *testing.T) {
	kills, users := 6, 6
	if os.Getenv("QMTUI_CAMPAIGN") != "" {
		kills, users = 50, 20
	} else if testing.Short() {
		t.Skip("a whole run: left out by -short")
	}
	scene := demo.Scene{Dir: t.TempDir(), Replicas: 4, ColdStart: time.Second, Seed: 1, MaxQueued: 100}
	var err error
	if scene.Faults, err = simulator.ParseFaults("all"); err != nil {
		t.Fatal(err)
	}
	if err := scene.Make(); err != nil {
		t.Fatal(err)
	}
	fleet, err := simulator.New(scene.Fleet())
	if err != nil {
		t.Fatal(err)
	}
	platform := httptest.NewServer(fleet.Handler())
	defer platform.Close()
	daemon := newDaemon(t, scene, platform.URL)
	ctx, stop := context.WithTimeout(t.Context(), 8*time.Minute)
	defer stop()
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return fleet.Run(gctx) })
	group.Go(func() error { return daemon.killAndRestart(gctx, kills) })
	prompts, err := fs.Sub(assets.Prompts, "prompts")
	if err != nil {
		t.Fatal(err)
	}
	var result demo.Result
	group.Go(func() error {
		defer stop()
		var err error
		result, err = demo.Run{
			Load:    demo.Load{Users: users, Jobs: 5, Seed: 1, Prompts: demo.Without(prompts, "preview-only.json"), Savers: scene.Faults.Savers},
			Dial:    func() (*api.Client, error) { return api.Dial(filepath.Join(scene.State(), "qmtui.sock")) },
			Written: func() ([]simulator.Written, error) { return fleet.Manifest(), nil },
			Settled: func() bool { return fleet.Idle() && daemon.kills.Load() >= int64(kills) },
			Users:   scene.Users(), Uploads: scene.Uploads(), Late: 2 * time.Minute,
		}.Do(gctx)
		return err
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills, %d submitted, ended %v, %d attempts, %.1f s; %d written, %d delivered", daemon.kills.Load(), result.Submitted,
		result.States, result.Attempts, result.Elapsed, result.Verdict.Written, result.Verdict.Delivered)
	if result.Verdict.Fed == 0 {
		t.Error("nothing was made from an input: the run proves nothing about them")
	}
	if !result.Verdict.Clean() || result.Submitted != users*5 {
		t.Errorf("verdict %+v", result.Verdict)
	}
}

// daemon is the real program in a process of its own.
type daemon struct {
	bin, file string
	log       *os.File
	kills     atomic.Int64
	dice      *rand.Rand
}

func newDaemon(t *testing.T, scene demo.Scene, url string) *daemon {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "qmtui")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/comfyume/qmtui/cmd/qmtui").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cfg := scene.Config(url)
	for i := range cfg.Deployments {
		cfg.Deployments[i].KeyEnv = "DEMO_KEY"
	}
	file := filepath.Join(scene.Dir, "qmtui.toml")
	if err := os.WriteFile(file, config.Effective(cfg, config.Source{}), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(scene.Dir, "daemon.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close(); showOnFailure(t, log.Name()) })
	return &daemon{bin: bin, file: file, log: log, dice: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))}
}

// killAndRestart runs the daemon, kills it so many times, each after up to a
// second of life, and then lets it live until ctx ends.
func (d *daemon) killAndRestart(ctx context.Context, kills int) error {
	for {
		life := time.Duration(100+d.dice.IntN(900)) * time.Millisecond
		if d.kills.Load() >= int64(kills) {
			life = time.Hour
		}
		one, cancel := context.WithTimeout(ctx, life)
		cmd := exec.CommandContext(one, d.bin, "daemon", "--config", d.file) // CommandContext kills with SIGKILL
		cmd.Env = []string{"DEMO_KEY=" + demo.Key, "HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}
		cmd.Stdout, cmd.Stderr = d.log, d.log
		err := cmd.Run()
		alive := one.Err() == nil
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if alive {
			return fmt.Errorf("the daemon ended by itself: %w", err)
		}
		d.kills.Add(1)
	}
}

// showOnFailure prints the end of the daemon's log when the test failed.
func showOnFailure(t *testing.T, file string) {
	if !t.Failed() {
		return
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Log(err)
		return
	}
	t.Logf("the end of the daemon's log:\n%s", b[max(0, len(b)-8000):])
}
