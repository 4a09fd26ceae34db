package server

import (
	"context"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// sweepEvery is how soon a stream ends whose login has ended.
const sweepEvery = 5 * time.Second

// liveCalls are the calls under way that rest on a session or a token. The zero
// value is ready. It may be used from any goroutine.
type liveCalls struct {
	mu    sync.Mutex
	calls map[*liveCall]bool
}

type liveCall struct {
	credential
	stop context.CancelCauseFunc
}

// enter gives a call a context that ends with its login.
func (l *liveCalls) enter(ctx context.Context, c credential) (context.Context, func()) {
	ctx, stop := context.WithCancelCause(ctx)
	call := &liveCall{c, stop}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = map[*liveCall]bool{}
	}
	l.calls[call] = true
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.calls, call)
		stop(nil)
	}
}

// sweep ends the calls whose login is no longer good.
func (l *logins) sweep() {
	l.live.mu.Lock()
	calls := make([]*liveCall, 0, len(l.live.calls))
	for c := range l.live.calls {
		calls = append(calls, c)
	}
	l.live.mu.Unlock()
	for _, c := range calls {
		if !l.good(c.credential) {
			c.stop(errLoginEnded)
		}
	}
}

var errLoginEnded = &job.Error{Code: "login_required", Class: job.Forbidden, Message: "your login has ended", Hint: "log in again"}

// keepSweeping sweeps until ctx ends.
func (l *logins) keepSweeping(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.sweep()
		}
	}
}
