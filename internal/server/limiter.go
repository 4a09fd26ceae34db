package server

import (
	"sync"
	"time"
)

// limiter lets each key through so many times in a window, and forgets all
// keys when the window ends.
type limiter struct {
	max    int
	window time.Duration
	now    func() time.Time

	mu    sync.Mutex
	since time.Time
	used  map[string]int
}

const limiterKeys = 10_000 // beyond these, new keys share one account

func newLimiter(max int, window time.Duration, now func() time.Time) *limiter {
	return &limiter{max: max, window: window, now: now}
}

// allow reports whether key may pass, and otherwise when it may try again.
func (l *limiter) allow(key string) (bool, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.used == nil || now.Sub(l.since) >= l.window || now.Before(l.since) {
		l.since, l.used = now, map[string]int{}
	}
	if _, known := l.used[key]; !known && len(l.used) >= limiterKeys {
		key = ""
	}
	if l.used[key] >= l.max {
		return false, l.window - now.Sub(l.since)
	}
	l.used[key]++
	return true, 0
}
