package server

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// accounts are what a failed login is charged to. A browser that the user has
// logged in with has an account of its own, so that nobody else's failures, from
// wherever they come, keep its user out. All others share those of the address
// and of the user, which never wait long.
func (s *Server) accounts(r *http.Request, user string) []account {
	const short = 30 * time.Second
	if device := s.logins.device(r, user); device != "" {
		return []account{{"device " + device, 5, 5 * time.Minute}}
	}
	if job.CheckUser(user) != nil {
		user = "?"
	}
	from := neighbourhood(s.origin(r))
	return []account{{"both " + from + " " + user, 5, 5 * time.Minute}, {"from " + from, 50, short}, {"user " + user, 50, short}}
}

// tryLogin compares a password, as often as the caller may.
func (s *Server) tryLogin(r *http.Request, b loginRequest) error {
	l, accounts := s.logins, s.accounts(r, b.User)
	if wait := l.failures.try(accounts...); wait > 0 {
		return tooManyLogins(wait)
	}
	queue, networks := l.strangers, networksOf(s.origin(r))
	if l.device(r, b.User) != "" {
		queue, networks = l.familiar, [3]string{b.User, b.User, b.User}
	}
	if err := queue.enter(r.Context(), networks); err != nil {
		return err
	}
	good := l.known().check(b.User, b.Password)
	queue.leave()
	if !good {
		s.log.Warn("a login failed", "user", loggedName(b.User), "from", s.origin(r))
		return &job.Error{Code: "bad_login", Class: job.Forbidden, Message: "user and password do not fit together", Hint: "check both, also upper and lower case"}
	}
	l.failures.forgive(accounts...)
	return nil
}

// loggedName is a name that somebody typed, for the log: in quotes and cut when
// it can be nobody's.
func loggedName(name string) string {
	if job.CheckUser(name) == nil {
		return name
	}
	return fmt.Sprintf("%.40q", name)
}

func tooManyLogins(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	return &job.Error{Code: "too_many_logins", Class: job.TooMany, Message: "too many logins failed", RetryAfter: seconds,
		Hint: fmt.Sprintf("wait %d %s and try again", seconds, unit)}
}
