// Package sdnotify tells systemd how a service is: ready, stopping, what it is
// at, and that it lives. The protocol is sd_notify(3).
package sdnotify

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier tells for one service. Send, Alive and Status are required.
type Notifier struct {
	// Send hands one message to systemd; see [Systemd].
	Send func(state string) error
	// Ready is closed when the service can be used.
	Ready <-chan struct{}
	// Alive returns once what does the work has answered.
	Alive func(context.Context) error
	// Status says in a line what the service is at.
	Status func() string
	// Watchdog is how long systemd waits for a sign of life before it kills the
	// service; zero for no watchdog.
	Watchdog time.Duration
	Log      *slog.Logger
}

// Systemd is how to send and the watchdog's time, from $NOTIFY_SOCKET,
// $WATCHDOG_USEC and $WATCHDOG_PID. ok is false when systemd did not ask for
// notifications. The variables stay set.
func Systemd(log *slog.Logger) (send func(state string) error, watchdog time.Duration, ok bool) {
	sent, err := daemon.SdNotify(false, "STATUS=starting")
	if err != nil {
		log.Warn("systemd cannot be told how we are", "code", "notify_failed", "error", err)
	}
	if !sent {
		return nil, 0, false
	}
	if watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		log.Warn("the watchdog's time cannot be read, so it gets no sign of life", "code", "notify_failed", "error", err)
	}
	return func(state string) error { _, err := daemon.SdNotify(false, state); return err }, watchdog, true
}

// statusEvery bounds how old the line of "systemctl status" is.
const statusEvery = 5 * time.Second

// Run tells until ctx ends, and that it ends. Without an answer of Alive there
// is no sign of life, so that a watchdog may end a service that hangs.
func (n *Notifier) Run(ctx context.Context) {
	defer n.send(daemon.SdNotifyStopping + "\nSTATUS=stopping: lets copies under way finish")
	select {
	case <-ctx.Done():
		return
	case <-n.Ready:
	}
	said := n.Status()
	n.send(daemon.SdNotifyReady + "\nSTATUS=" + said)
	ticker := time.NewTicker(n.every())
	defer ticker.Stop()
	for {
		n.beat(ctx)
		if now := n.Status(); now != said {
			said = now
			n.send("STATUS=" + now)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// every is the time between two signs of life: three fit into the watchdog's
// time, so that a late one is no death.
func (n *Notifier) every() time.Duration {
	if n.Watchdog <= 0 {
		return statusEvery
	}
	return max(time.Millisecond, min(statusEvery, n.Watchdog/3))
}

// beat gives a sign of life if there is life.
func (n *Notifier) beat(ctx context.Context) {
	if n.Watchdog <= 0 {
		return
	}
	asked := time.Now()
	within, stop := context.WithTimeout(ctx, n.Watchdog)
	defer stop()
	err := n.Alive(within)
	switch {
	case err == nil:
		n.send(daemon.SdNotifyWatchdog)
	case ctx.Err() == nil:
		n.Log.Error("no sign of life is given to systemd", "code", "loop_stuck", "error", err, "waited", time.Since(asked).Round(time.Millisecond).String())
	}
}

func (n *Notifier) send(state string) {
	if err := n.Send(state); err != nil {
		n.Log.Warn("systemd was not told", "code", "notify_failed", "state", state, "error", err)
	}
}
