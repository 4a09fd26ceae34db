package main

import (
	"context"
	"log/slog"

	"github.com/comfyume/qmtui/internal/config"
)

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
	err = runNotified(ctx, m, log)
	log.Info("stopped")
	return err
}

func addr(m *manager) string {
	if a := m.server.Addr(); a != nil {
		return a.String()
	}
	return "none"
}
