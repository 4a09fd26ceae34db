package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/comfyume/qmtui/internal/job"
)

const (
	afar       = "198.51.100.7:5000"
	proxyPeer  = "10.0.0.1:5000"
	goodSecret = "correct horse"
)

// hashed is a password's hash at the least cost, so that tests are quick.
func hashed(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// loginWorld is a state folder and a password file, with servers on them.
type loginWorld struct {
	t         *testing.T
	dir, file string
	now       time.Time
}

func newLoginWorld(t *testing.T) *loginWorld {
	w := &loginWorld{t: t, dir: t.TempDir(), now: time.Now()}
	w.file = filepath.Join(w.dir, "htpasswd")
	w.passwords("user001", goodSecret, "user002", "another secret", "admin", "third secret")
	return w
}

// passwords writes the file anew: users and passwords in turn.
func (w *loginWorld) passwords(pairs ...string) {
	w.t.Helper()
	text := "# who may log in\n"
	for i := 0; i < len(pairs); i += 2 {
		text += pairs[i] + ":" + hashed(w.t, pairs[i+1]) + "\n"
	}
	w.write(text)
}

func (w *loginWorld) write(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// age makes the files of the login old, as they are at nearly all times: then
// they are read once.
func (w *loginWorld) age() {
	w.t.Helper()
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{w.file, filepath.Join(w.dir, tokenFile), filepath.Join(w.dir, endedFile)} {
		if err := os.Chtimes(name, long, long); err != nil {
			w.t.Fatal(err)
		}
	}
}

// server starts a server on the folder, as after a restart.
func (w *loginWorld) server(svc Service, change func(*Options)) *Server {
	w.t.Helper()
	return newServer(w.t, svc, func(o *Options) {
		o.RequireUser, o.Passwords, o.StateDir = true, w.file, w.dir
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		o.Now = func() time.Time { return w.now }
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "qmtui_up 1") })
		o.Backup = func(to io.Writer) (int64, error) { n, err := to.Write([]byte("ledger")); return int64(n), err }
		if change != nil {
			change(o)
		}
	})
}

// cookieOf is the session's cookie that an answer sets, as a request sends it.
func cookieOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	for _, c := range w.Result().Cookies() {
		if !strings.HasSuffix(c.Name, "-device") {
			return "Cookie: " + c.Name + "=" + c.Value
		}
	}
	t.Fatalf("no cookie: %d %s", w.Code, w.Body)
	return ""
}

// logIn is a login from afar that must work.
func (w *loginWorld) logIn(s *Server, user, password string) string {
	w.t.Helper()
	return cookieOf(w.t, askFrom(s.Handler(), afar, "POST", "/auth/login", `{"user":"`+user+`","password":"`+password+`"}`))
}

// mint is the cookie of a session that began then.
func (w *loginWorld) mint(s *Server, user string, born time.Time) string {
	l := s.logins
	print := l.key.fingerprint(user, l.known().hash[user])
	return "Cookie: " + l.cookieName() + "=" + l.key.sealSession(begin(user, print, born, l.ttl))
}

// fakeWorld has a waiting, a cancelled and a delivered job of a user.
type fakeWorld struct {
	waiting, cancelled job.ID
	output             job.OutputID
}

func (f *fakeService) populate(t *testing.T, user string, data []byte) fakeWorld {
	t.Helper()
	w := fakeWorld{waiting: f.add(t, user).ID, cancelled: f.add(t, user).ID}
	done := f.add(t, user).ID
	w.output = f.deliver(t, done, "a.png", data).ID
	cancel := job.Action{Verb: job.DoCancel, Filter: job.Filter{IDs: []job.ID{w.cancelled}}}
	if _, err := f.Act(context.Background(), cancel); err != nil {
		t.Fatal(err)
	}
	f.callers = nil
	return w
}

// send is one request that ends by itself, also when the answer would not.
func send(h http.Handler, peer, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	ctx, cancel := context.WithCancel(context.Background())
	if strings.HasSuffix(target, "/api/events") || strings.HasSuffix(target, "/api/log") {
		cancel()
	}
	defer cancel()
	return askFrom(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(ctx))
	}), peer, method, target, body, headers...)
}
