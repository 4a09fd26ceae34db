package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/server"
)

// tuning is what signals change while the manager runs. Its fields belong to
// the goroutine of obeySignals.
type tuning struct {
	log   *slog.Logger
	level *slog.LevelVar
	cfg   config.Config                 // what log.level was last read from, and the rest runs with
	load  func() (config.Config, error) // reads the configuration anew
}

// obeySignals obeys SIGUSR1, SIGUSR2 and SIGHUP. Under nohup, SIGHUP stays
// ignored. What it returns ends that, and waits for the end.
func obeySignals(t *tuning) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for s := range signals {
			t.obey(s)
		}
	})
	return func() {
		signal.Stop(signals)
		close(signals)
		running.Wait()
	}
}

// obey does what one signal asks for: everything is logged, or as much as the
// configuration says, which SIGHUP reads again first.
func (t *tuning) obey(s os.Signal) {
	if s == syscall.SIGHUP && !t.reread() {
		return
	}
	level := slog.LevelDebug
	if s != syscall.SIGUSR1 {
		_ = level.UnmarshalText([]byte(t.cfg.Log.Level)) // was checked
		_, tail := server.Tailed(t.log)
		tail.Reconfigure(level)
	}
	t.setLevel(level, s)
}

func (t *tuning) setLevel(now slog.Level, s os.Signal) {
	was := t.level.Level()
	t.level.Set(now)
	t.log.Log(context.Background(), max(now, slog.LevelInfo), "log level", "now", now, "was", was, "signal", s.String())
}

// reread takes over log.level from the configuration as it is now, and tells
// which other keys wait for a restart. A bad one changes nothing.
func (t *tuning) reread() bool {
	next, err := t.load()
	if err != nil {
		t.log.Error("the configuration was not read again", "code", "reload_failed", "error", strings.Join(errorLines(err), "; "))
		return false
	}
	waiting := slices.DeleteFunc(config.Changed(t.cfg, next), func(key string) bool { return key == "log.level" })
	if len(waiting) > 0 {
		t.log.Warn("these settings have changed and count after a restart", "code", "restart_needed", "keys", strings.Join(waiting, ", "))
	}
	t.cfg.Log.Level = next.Log.Level
	return true
}

// reload reads the configuration as it is now.
func (a *app) reload() (config.Config, error) {
	cfg, src, err := a.loadConfig()
	if err != nil {
		return cfg, err
	}
	return cfg, src.Locate(cfg.Validate())
}
