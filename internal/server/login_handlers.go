package server

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// loggedIn is the answer to a program that logged in.
type loggedIn struct {
	User  string   `json:"user_id"`
	Admin bool     `json:"admin"`
	Ends  api.Time `json:"ends_at"` // if it is not used until then
	Next  string   `json:"next,omitempty"`
}

// login answers POST /auth/login, by form or JSON.
func (s *Server) login(w http.ResponseWriter, r *request) error {
	if s.logins.passwords == nil {
		return s.noPasswords(r)
	}
	b, err := readLogin(r)
	if err == nil {
		err = s.tryLogin(r.Request, b)
	}
	switch {
	case err != nil && wantsPage(r.Request) && !ended(err):
		return s.refuseLogin(w, r, b, err)
	case err != nil:
		return err
	}
	return s.welcome(w, r, b)
}

// welcome starts a session. The one that the browser had ends.
func (s *Server) welcome(w http.ResponseWriter, r *request, b loginRequest) error {
	l := s.logins
	if err := s.endSession(r.Request); err != nil {
		return err
	}
	now := l.now()
	session := begin(b.User, l.key.fingerprint(b.User, l.known().hash[b.User]), now, l.ttl)
	l.writeSession(w, session)
	l.writeDevice(w, b.User)
	s.log.Info("logged in", "user", b.User, "from", s.origin(r.Request))
	next := safeNext(b.Next)
	if !b.form {
		return writeJSON(w, http.StatusOK, loggedIn{b.User, s.admins[b.User], api.Time{Time: session.Ends}, next})
	}
	return redirect(w, cmp.Or(next, s.home()))
}

// logout answers POST /auth/logout. It also takes away a cookie that is no
// longer good.
func (s *Server) logout(w http.ResponseWriter, r *request) error {
	form := wantsPage(r.Request)
	if form {
		if _, err := readForm(r); err != nil {
			return err
		}
	} else if err := r.discard(); err != nil {
		return err
	}
	s.logins.eraseSession(w)
	if err := s.endSession(r.Request); err != nil {
		return err
	}
	if form {
		return redirect(w, "login")
	}
	return writeNothing(w)
}

// endSession ends the session of a request's cookie, also one whose time is over.
func (s *Server) endSession(r *http.Request) error {
	old, signed, _ := s.logins.readSession(r)
	if !signed || s.logins.ended.has(old) {
		return nil
	}
	now := s.logins.now()
	err := s.logins.ended.end(old, now, now.Add(s.logins.ttl+clockSlack))
	s.logins.sweep()
	s.log.Info("logged out", "user", old.User, "from", s.origin(r))
	return err
}

// redirect answers a form.
func redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	bound(w)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// home is where people go after a login when nobody says where.
func (s *Server) home() string {
	if u, err := url.Parse(s.opts.PublicURL); err == nil && safeNext(u.EscapedPath()) != "" {
		return u.EscapedPath()
	}
	return "/"
}

// noPasswords is said where nobody can log in by password.
func (s *Server) noPasswords(*request) error {
	return &job.Error{Code: "no_passwords", Class: job.NotFound, Message: "nobody logs in by password here",
		Hint: "log in at the site's proxy, or set auth.htpasswd"}
}
