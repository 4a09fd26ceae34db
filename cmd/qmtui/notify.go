package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/sdnotify"
)

// runNotified runs the manager until ctx ends and, where systemd asked for it,
// tells systemd how it is.
func runNotified(ctx context.Context, m *manager, log *slog.Logger) error {
	send, watchdog, ok := sdnotify.Systemd(log)
	if !ok {
		return m.Run(ctx)
	}
	n := &sdnotify.Notifier{Send: send, Ready: m.engine.Ready(), Alive: m.engine.Alive, Watchdog: watchdog, Log: log,
		Status: func() string { return statusLine(m.engine.Status()) }}
	inner, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() { n.Run(inner); close(told) }()
	err := m.Run(ctx)
	stop()
	<-told
	return err
}

// statusLine is the queue as "systemctl status" shows it.
func statusLine(s job.QueueStatus) string {
	active := s.Active
	if active == "" {
		active = "no deployment"
	}
	line := fmt.Sprintf("%s, %s open, %d in flight on %s", s.Mode, plural(s.Depth, "job"), s.InFlight, active)
	if s.Orphans > 0 {
		line += ", " + plural(s.Orphans, "orphan")
	}
	if len(s.Warnings) == 0 {
		return line
	}
	codes := make([]string, len(s.Warnings))
	for i, w := range s.Warnings {
		codes[i] = w.Code
	}
	return line + "; warnings: " + strings.Join(codes, ", ")
}
