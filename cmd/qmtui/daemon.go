package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// newLogger writes to w as the configuration says.
func newLogger(w io.Writer, c config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, &job.Error{Code: "bad_log_level", Class: job.Invalid, Message: fmt.Sprintf("log.level: %q is not a level", c.Level), Hint: "use debug, info, warn or error"}
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}

// serve runs the manager until ctx ends. It returns once everything has
// stopped; what was in flight is found again at the next start.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	m, err := newManager(cfg, log)
	if err != nil {
		return err
	}
	log.Info("started", "version", version(), "listen", addr(m), "share", cfg.Share.Outputs,
		"users", cfg.Users.Outputs, "deployments", len(cfg.Deployments))
	if !cfg.RequiresLogin() {
		log.Warn("no login is configured: every caller on this machine is believed about who they are", "code", "open_access")
	}
	err = m.Run(ctx)
	log.Info("stopped")
	return err
}

func addr(m *manager) string {
	if a := m.server.Addr(); a != nil {
		return a.String()
	}
	return "none"
}
