package server

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// backoff makes those wait who fail, longer each time. It may be used from any
// goroutine.
type backoff struct {
	now func() time.Time

	mu   sync.Mutex
	keys map[string]*failures
}

// failures of one key.
type failures struct {
	n    int
	last time.Time
	free time.Time // when the next try may be made
}

// account is a key with its patience.
type account struct {
	key  string
	free int           // failures without a wait
	most time.Duration // of one wait
}

const (
	backoffKeys   = 10_000
	forgetFailure = time.Hour // without a new one
)

func newBackoff(now func() time.Time) *backoff {
	return &backoff{now: now, keys: map[string]*failures{}}
}

// try counts a failure for all accounts before it is known to be one, so that
// many tries at once are no way around, or says how long to wait. Whoever turns
// out to be right calls forgive.
func (b *backoff) try(accounts ...account) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	var wait time.Duration
	for _, a := range accounts {
		if f := b.keys[a.key]; f != nil {
			wait = max(wait, f.free.Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	for _, a := range accounts {
		b.charge(a, now)
	}
	return 0
}

// charge adds a failure; the lock is held.
func (b *backoff) charge(a account, now time.Time) {
	f := b.keys[a.key]
	if f == nil || now.Sub(f.last) > forgetFailure {
		b.makeRoom(now)
		f = &failures{}
		b.keys[a.key] = f
	}
	f.n, f.last = f.n+1, now
	if over := f.n - a.free; over >= 0 {
		f.free = now.Add(min(time.Second<<min(over, 20), a.most))
	}
}

// forgive takes a failure back that was none, and forgets those of the first
// account: that one is known to be its owner's.
func (b *backoff) forgive(accounts ...account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range accounts {
		f := b.keys[a.key]
		switch {
		case f == nil:
		case i == 0 || f.n <= 1:
			delete(b.keys, a.key)
		default:
			f.n--
			f.free = time.Time{}
		}
	}
}

// makeRoom keeps the memory bounded: what is old goes, and when that is not
// enough, the older tenth. The lock is held.
func (b *backoff) makeRoom(now time.Time) {
	if len(b.keys) < backoffKeys {
		return
	}
	maps.DeleteFunc(b.keys, func(_ string, f *failures) bool { return now.Sub(f.last) > forgetFailure })
	if len(b.keys) <= backoffKeys*9/10 {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(b.keys), func(x, y string) int { return b.keys[x].last.Compare(b.keys[y].last) })
	for _, key := range oldest[:backoffKeys/10] {
		delete(b.keys, key)
	}
}
