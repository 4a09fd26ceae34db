package server

import (
	"net/http"

	"github.com/comfyume/qmtui/internal/job"
)

// How a caller came in who showed a cookie or a token.
const (
	viaSession = "session"
	viaToken   = "token"
)

// byToken makes out a caller by a bearer token. shown says that there is
// one: then it alone counts, good or not.
func (s *Server) byToken(r *http.Request) (w who, shown bool, err error) {
	text, shown := bearer(r.Header)
	if !shown {
		return who{}, false, nil
	}
	if hash, ok := hashToken(text); ok {
		if t, ok := s.logins.tokenOf(hash); ok {
			return s.member(viaToken, credential{token: hash, user: t.User, readOnly: t.ReadOnly}), true, nil
		}
	}
	return who{}, true, &job.Error{Code: "bad_token", Class: job.Forbidden, Message: "the token is none of this manager's, or was revoked",
		Hint: `make one with "qmtui users token USER" on the manager's machine`}
}

// bySession makes out a caller by the cookie. A cookie that is no longer good
// counts as none, so that an old one keeps nobody out.
func (s *Server) bySession(r *http.Request) (who, bool) {
	session, signed, _ := s.logins.readSession(r)
	if !signed || !s.logins.goodSession(session) {
		return who{}, false
	}
	return s.member(viaSession, credential{session: session, user: session.User}), true
}

func (s *Server) member(via string, c credential) who {
	return who{Caller: job.Caller{Name: c.user, Admin: s.admins[c.user], Via: via}, login: &c, readOnly: c.readOnly}
}

// loginRequired is what a caller hears whom nobody vouches for.
func (s *Server) loginRequired(r *http.Request) error {
	e := &job.Error{Code: "login_required", Class: job.Forbidden, Message: "nobody said who you are", Hint: "log in at the site, or use the unix socket on the manager's machine"}
	if s.logins.passwords != nil {
		e.Hint = "log in at /auth/login, or send a token as Authorization: Bearer"
		if _, _, given := s.logins.readSession(r); given {
			e.Message = errLoginEnded.Message
		}
	}
	return s.whereToLogIn(e)
}

// whereToLogIn tells the way to the login with an error, where we have one.
func (s *Server) whereToLogIn(e *job.Error) error {
	if s.logins.passwords == nil {
		return e
	}
	return strangers{e}
}
