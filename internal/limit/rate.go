package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate lets each user have an amount within a time. What was not used is had
// at once; then it comes back evenly.
type Rate struct {
	spec RateSpec

	mu      sync.Mutex
	users   map[string]*rate.Limiter
	swept   time.Time
	refused refusals
}

// RateSpec is what a rate is made of.
type RateSpec struct {
	Name string
	Most int64 // of one user within Per; zero: no bound
	Per  time.Duration
	Now  func() time.Time // nil is time.Now
}

// NewRate makes a rate of which nothing is used.
func NewRate(s RateSpec) *Rate {
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Rate{spec: s, users: map[string]*rate.Limiter{}}
}

// Take takes n, or nothing and returns a [*Refusal]. More than the most counts
// as the most, so that it is not refused for ever.
func (r *Rate) Take(c Caller, n int64) error {
	if r.spec.Most <= 0 || c.Operator || c.User == "" || n <= 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.spec.Now()
	taking := r.account(c.User, now).ReserveN(now, int(min(n, r.spec.Most)))
	wait := taking.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	taking.CancelAt(now)
	r.refused.add(c.User, now)
	return &Refusal{Limit: r.spec.Name, Own: true, Of: r.spec.Most, Wait: wait}
}

// account is the user's, or that of all whom there is no room for.
func (r *Rate) account(user string, now time.Time) *rate.Limiter {
	if now.Sub(r.swept) >= r.spec.Per || now.Before(r.swept) {
		r.swept = now
		for u, l := range r.users {
			if l.TokensAt(now) >= float64(r.spec.Most) {
				delete(r.users, u)
			}
		}
	}
	if _, known := r.users[user]; !known && len(r.users) >= maxUsers {
		user = ""
	}
	l := r.users[user]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(float64(r.spec.Most)/r.spec.Per.Seconds()), int(r.spec.Most))
		r.users[user] = l
	}
	return l
}

// Use is how far the rate is used.
func (r *Rate) Use() Use {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.spec.Now()
	u := Use{Limit: r.spec.Name, Refused: r.refused.count}
	for _, l := range r.users {
		u.Highest = max(u.Highest, 1-max(0, l.TokensAt(now))/float64(r.spec.Most))
	}
	return u
}

// Reached implements [Limit].
func (r *Rate) Reached() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.spec.Now()
	r.refused.forget(now)
	var out []string
	for user, l := range r.users {
		if _, refused := r.refused.last[user]; user != "" && l.TokensAt(now) < 1 && !refused {
			out = append(out, user)
		}
	}
	for user := range r.refused.last {
		out = append(out, user)
	}
	return out
}
