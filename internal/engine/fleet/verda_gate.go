package fleet

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// between is the least time between two calls to the control API.
const between = 500 * time.Millisecond

// gate lets calls through one by one, and none while the platform asked for
// a rest.
type gate struct {
	now func() time.Time
	mu  *sync.Mutex
	at  *time.Time // when the next may pass
}

func newGate(now func() time.Time) gate {
	return gate{now: now, mu: &sync.Mutex{}, at: &time.Time{}}
}

// pass waits for its turn; the error is ctx's. A turn that nobody takes is
// lost. One that comes after ctx's end is not waited for.
func (g gate) pass(ctx context.Context) error {
	g.mu.Lock()
	now := g.now()
	turn := *g.at
	if turn.Before(now) {
		turn = now
	}
	if end, ok := ctx.Deadline(); ok && turn.Sub(now) > time.Until(end) {
		g.mu.Unlock()
		return restError(turn.Sub(now))
	}
	*g.at = turn.Add(between)
	g.mu.Unlock()
	if wait := turn.Sub(now); wait > 0 && !pause(ctx, wait) {
		return ctx.Err()
	}
	return ctx.Err()
}

// restError says that the platform is left alone for now.
func restError(left time.Duration) error {
	return &ControlError{Status: http.StatusTooManyRequests, Code: "resting", Message: "the platform asked for a rest, which lasts " + span(left) + " more"}
}

// shut lets nobody pass for d.
func (g gate) shut(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := g.now().Add(d); d > 0 && until.After(*g.at) {
		*g.at = until
	}
}
