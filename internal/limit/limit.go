// Package limit bounds what one user may take of what all users share: places
// that are held for a time ([Pool]) and amounts within a time ([Rate]). It
// knows neither HTTP nor the queue.
//
// What is kept of a user is forgotten when it says no more than that of a new
// one, and users beyond a number share one account.
package limit

import (
	"fmt"
	"sync"
	"time"
)

// Caller is who takes something.
type Caller struct {
	// User is who is charged; empty for a caller of no known name, for whom
	// only the bound over all users counts.
	User string
	// Operator is the admin on the unix socket or a session by SSH: bounded by
	// the whole pool alone, of which a reserve is kept for operators.
	Operator bool
}

// Refusal is the error of what goes over a limit.
type Refusal struct {
	Limit string
	// Own says that the caller's own share is used up, not that of all.
	Own bool
	// Of is that share or the whole.
	Of int64
	// Wait is when as much as was asked for may be had again; zero when that
	// depends on when somebody leaves.
	Wait time.Duration
}

func (r *Refusal) Error() string { return fmt.Sprintf("limit %s of %d is reached", r.Limit, r.Of) }

// Use is how far a limit is used.
type Use struct {
	Limit string
	// Places are those of a pool and Taken how many of them are held; zero for
	// a limit that has no places.
	Places, Taken int
	// Highest is the largest part of the limit for one user that any user has
	// used, from 0 to 1.
	Highest float64
	Refused uint64 // since the start
}

const (
	maxUsers = 10_000 // users that have an account of their own
	// recent is how long a user who was refused is told to be at the limit.
	recent = time.Minute
)

// refusals counts refusals and remembers who was refused lately. The mutex of
// its owner guards it.
type refusals struct {
	count uint64
	last  map[string]time.Time // by user
}

func (r *refusals) add(user string, now time.Time) {
	r.count++
	if r.last == nil {
		r.last = map[string]time.Time{}
	}
	if _, known := r.last[user]; !known && len(r.last) >= maxUsers {
		r.forget(now)
		if len(r.last) >= maxUsers {
			return
		}
	}
	if user != "" {
		r.last[user] = now
	}
}

func (r *refusals) forget(now time.Time) {
	for user, at := range r.last {
		if now.Sub(at) >= recent {
			delete(r.last, user)
		}
	}
}

// Limit is a Pool or a Rate.
type Limit interface {
	Use() Use
	// Reached lists the users who were refused within the last minute, who wait
	// because of their own share, or who have nothing left of an amount.
	Reached() []string
}

// Set is all limits of a program. The zero value is ready.
type Set struct {
	mu  sync.Mutex
	all []Limit
}

// Add puts limits into the set.
func (s *Set) Add(all ...Limit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, all...)
}

// Uses lists how far each limit is used, in the order in which they were added.
func (s *Set) Uses() []Use {
	var out []Use
	for _, l := range s.limits() {
		out = append(out, l.Use())
	}
	return out
}

// Reached lists by user the limits that the user has reached.
func (s *Set) Reached() map[string][]string {
	out := map[string][]string{}
	for _, l := range s.limits() {
		for _, user := range l.Reached() {
			out[user] = append(out[user], l.Use().Limit)
		}
	}
	return out
}

func (s *Set) limits() []Limit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[:len(s.all):len(s.all)]
}
