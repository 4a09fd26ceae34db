package server

import "time"

const (
	defaultTTL = 12 * time.Hour
	// longestLogin is how long renewals may keep one login alive; then the
	// password is asked for again.
	longestLogin = 30 * 24 * time.Hour
	clockSlack   = 5 * time.Minute // a cookie may be from this far in the future
)

// begin starts a session; times are whole seconds, as the cookie has them.
func begin(user, print string, now time.Time, ttl time.Duration) session {
	now = now.Truncate(time.Second)
	return session{ID: randomID(), User: user, Born: now, Print: print}.renewed(now, ttl)
}

// renewed is the session with a new cookie.
func (s session) renewed(now time.Time, ttl time.Duration) session {
	s.Issued = now.Truncate(time.Second)
	s.Ends = s.Issued.Add(ttl)
	if last := s.Born.Add(max(ttl, longestLogin)); last.Before(s.Ends) {
		s.Ends = last
	}
	return s
}

// live reports whether the session's time is running. A shorter ttl than the
// one it was made with counts.
func (s session) live(now time.Time, ttl time.Duration) bool {
	return now.Before(s.Ends) && now.Before(s.Issued.Add(ttl)) && !s.Issued.After(now.Add(clockSlack)) && !s.Issued.Before(s.Born)
}

// due reports whether a quarter of the cookie's life is over and a new one
// would live longer.
func (s session) due(now time.Time, ttl time.Duration) bool {
	return now.Sub(s.Issued) >= ttl/4 && s.renewed(now, ttl).Ends.After(s.Ends)
}
