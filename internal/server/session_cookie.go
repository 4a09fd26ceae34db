package server

import (
	"net/http"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// deviceLife is how long a browser is known as one that its user has logged in with.
const deviceLife = 365 * 24 * time.Hour

// cookieName is the session's cookie. With __Host- a browser lets no other
// place, not even a neighbouring host, put one in its stead.
func (l *logins) cookieName() string {
	if l.secure {
		return "__Host-qmtui"
	}
	return "qmtui"
}

func (l *logins) deviceName() string { return l.cookieName() + "-device" }

func (l *logins) cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second), HttpOnly: true, Secure: l.secure, SameSite: http.SameSiteLaxMode}
}

// writeSession puts the session's cookie into an answer, in the place of any
// that stands there.
func (l *logins) writeSession(w http.ResponseWriter, s session) {
	l.dropSession(w.Header())
	http.SetCookie(w, l.cookie(l.cookieName(), l.key.sealSession(s), s.Ends.Sub(l.now())))
}

// eraseSession takes the session's cookie from the browser.
func (l *logins) eraseSession(w http.ResponseWriter) {
	l.dropSession(w.Header())
	http.SetCookie(w, l.cookie(l.cookieName(), "", -time.Second))
}

func (l *logins) dropSession(h http.Header) {
	old := h.Values("Set-Cookie")
	h.Del("Set-Cookie")
	for _, line := range old {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name != l.cookieName() {
			h.Add("Set-Cookie", line)
		}
	}
}

// readSession is the session that a request's cookie says, as far as we signed
// it; given says that there is a cookie. Of several by that name, such as one
// that a neighbouring host set, those that are no longer good say nothing. When
// good ones are of several users, nobody knows which is meant.
func (l *logins) readSession(r *http.Request) (s session, signed, given bool) {
	good := false
	for _, c := range r.CookiesNamed(l.cookieName()) {
		given = true
		next, ok := l.key.openSession(c.Value)
		if !ok {
			continue
		}
		switch live := l.goodSession(next); {
		case live && good && next.User != s.User:
			return session{}, false, true
		case live && (!good || next.Issued.After(s.Issued)), !live && !signed:
			s, signed, good = next, true, good || live
		}
	}
	return s, signed, given
}

// device is the number under which this browser is known as one that the user
// has logged in with; empty for none.
func (l *logins) device(r *http.Request, user string) string {
	for _, c := range r.CookiesNamed(l.deviceName()) {
		if f, ok := l.key.open("device", c.Value, 2); ok && f[1] == user && job.CheckUser(user) == nil {
			return f[0]
		}
	}
	return ""
}

func (l *logins) writeDevice(w http.ResponseWriter, user string) {
	http.SetCookie(w, l.cookie(l.deviceName(), l.key.seal("device", randomID(), user), deviceLife))
}

// renew writes a cookie anew when a quarter of its life is over.
func (l *logins) renew(w http.ResponseWriter, c *credential) {
	if c == nil || c.token != "" || !c.session.due(l.now(), l.ttl) {
		return
	}
	c.session = c.session.renewed(l.now(), l.ttl)
	l.writeSession(w, c.session)
}
