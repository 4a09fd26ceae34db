package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

var (
	//go:embed login_page.html
	loginHTML string
	//go:embed login_page.css
	loginCSS string

	loginTemplate = template.Must(template.New("login").Parse(loginHTML))
)

// pagePolicy lets a page at host have this one style and its own forms, and nothing
// else. A form's answer may lead to the hosts below it, where users' pages are:
// browsers hold form-action against where an answer leads, too.
func pagePolicy(style, host string) string {
	sum := sha256.Sum256([]byte(style))
	below := ""
	if hostName.MatchString(host) {
		below = " *." + host
	}
	return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action 'self'%s; frame-ancestors 'none'; base-uri 'none'",
		base64.StdEncoding.EncodeToString(sum[:]), below)
}

// hostName is a name, not an address, that a policy can have.
var hostName = regexp.MustCompile(`^(?i:[a-z0-9-]+\.)*[a-z-][a-z0-9-]*(?::[0-9]+)?$`)

// loginView is what the page shows.
type loginView struct {
	User      string // who is logged in; empty for the form
	CanLogOut bool   // by us: there is a session
	Beside    bool   // opened beside a page that waits for the login
	Error     string
	Typed     string // the user as typed before
	Next      string
	Home      string
	Style     template.CSS
}

// loginPage answers GET /auth/login and GET /auth/logout with the form, or with who
// is logged in and a button to log out: a link alone changes nothing.
func (s *Server) loginPage(w http.ResponseWriter, r *request) error {
	if s.logins.passwords == nil {
		return s.noPasswords(r)
	}
	v := loginView{Next: safeNext(r.URL.Query().Get("next")), Beside: r.URL.Query().Has("beside")}
	if r.who.Name != "" && !r.who.anyone {
		v.User, v.CanLogOut = r.who.Name, r.who.Via == viaSession
	}
	return s.showLogin(w, r, http.StatusOK, v)
}

// favicon answers GET /favicon.ico, which browsers ask for beside the page: there is none.
func (s *Server) favicon(w http.ResponseWriter, _ *request) error {
	w.Header().Set("Cache-Control", "max-age=86400")
	return writeNothing(w)
}

// refuseLogin shows the form again, with what was wrong.
func (s *Server) refuseLogin(w http.ResponseWriter, r *request, b loginRequest, err error) error {
	e := job.AsError(err)
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	v := loginView{Error: api.Sentence(e), Next: safeNext(b.Next)}
	if job.CheckUser(b.User) == nil {
		v.Typed = b.User
	}
	return s.showLogin(w, r, api.StatusOf(e), v)
}

func (s *Server) showLogin(w http.ResponseWriter, r *request, status int, v loginView) error {
	v.Home, v.Style = s.home(), template.CSS(loginCSS)
	var page bytes.Buffer
	if err := loginTemplate.Execute(&page, v); err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Set("Content-Security-Policy", pagePolicy(loginCSS, r.Host))
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	bound(w)
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // who went away needs no page
	return nil
}
