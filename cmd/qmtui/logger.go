package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// newLogger writes to w as the configuration says.
func newLogger(w io.Writer, c config.Log) (*slog.Logger, error) {
	log, _, err := newLeveledLogger(w, c)
	return log, err
}

// newLeveledLogger is newLogger with the level, which may be changed at any time.
// It keeps a tail from the first line on, which the manager tells its admins.
func newLeveledLogger(w io.Writer, c config.Log) (*slog.Logger, *slog.LevelVar, error) {
	level := &slog.LevelVar{}
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, nil, &job.Error{Code: "bad_log_level", Class: job.Invalid, Message: fmt.Sprintf("log.level: %q is not a level", c.Level), Hint: "use debug, info, warn or error"}
	}
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if c.Format == "json" {
		h = slog.NewJSONHandler(w, o)
	}
	log, _ := server.Tailed(slog.New(h))
	return log, level, nil
}

// obeyLevelSignals changes the level while the program runs: SIGUSR1 logs
// everything, SIGUSR2 what the configuration says. What it returns ends that,
// and waits for the end.
func obeyLevelSignals(log *slog.Logger, level *slog.LevelVar) (stop func()) {
	configured := level.Level()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	var running sync.WaitGroup
	running.Go(func() {
		for s := range signals {
			was, now := level.Level(), levelFor(s, configured)
			level.Set(now)
			log.Log(context.Background(), max(now, slog.LevelInfo), "log level", "now", now, "was", was, "signal", s.String())
		}
	})
	return func() {
		signal.Stop(signals)
		close(signals)
		running.Wait()
	}
}

// levelFor is the level that a signal asks for.
func levelFor(s os.Signal, configured slog.Level) slog.Level {
	if s == syscall.SIGUSR1 {
		return slog.LevelDebug
	}
	return configured
}
