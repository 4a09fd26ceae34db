package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

const formType = "Content-Type: application/x-www-form-urlencoded"

// request4 is a request from that peer, forwarded for an address.
func request4(peer, forwarded string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = peer
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	return r
}

func whoIs(s *Server, headers ...string) int {
	return askFrom(s.Handler(), afar, "GET", "/api/queue/status", "", headers...).Code
}

func TestLoginByJSON(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), func(o *Options) { o.PublicURL = "https://film.example/qm" })
	w := askFrom(s.Handler(), afar, "POST", "/auth/login", `{"user":"admin","password":"third secret","next":"/user001/?a=b"}`)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"user_id":"admin","admin":true,"ends_at":"`) || !strings.Contains(w.Body.String(), `"next":"/user001/?a=b"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		life := map[string]int{"__Host-qmtui": 12 * 3600, "__Host-qmtui-device": 365 * 24 * 3600}[c.Name]
		if life == 0 || c.MaxAge < life-1 || c.MaxAge > life || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%+v", c)
		}
	}
	if len(w.Result().Cookies()) != 2 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v", w.Header())
	}
	cookie := cookieOf(t, w)
	if whoIs(s, cookie) != 200 || whoIs(world.server(newFake(), func(o *Options) { o.PublicURL = "https://film.example" }), cookie) != 200 {
		t.Error("the cookie is not good, or not after a restart")
	}
	if whoIs(s, cookie, strings.Replace(cookie, "Cookie: ", "Cookie: a=b; ", 1)) != 200 {
		t.Error("the same cookie twice is not good")
	}
	plain := askFrom(world.server(newFake(), nil).Handler(), afar, "POST", "/auth/login", `{"user":"user001","password":"correct horse"}`)
	if c := plain.Result().Cookies()[0]; c.Secure || c.Name != "qmtui" || !c.HttpOnly {
		t.Errorf("without https: %+v", c)
	}
}

func TestLoginByForm(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), func(o *Options) { o.PublicURL = "https://film.example/qm/" })
	send := func(user, password, next string, headers ...string) *httptest.ResponseRecorder {
		body := url.Values{"user": {user}, "password": {password}, "next": {next}}.Encode()
		return askFrom(s.Handler(), afar, "POST", "/auth/login", body, append(headers, formType)...)
	}
	for next, want := range map[string]string{"/user001/": "/user001/", "": "/qm/", "https://evil.example/": "/qm/", "//evil.example": "/qm/"} {
		if w := send("user001", goodSecret, next); w.Code != 303 || w.Header().Get("Location") != want {
			t.Errorf("%q: %d %v", next, w.Code, w.Header())
		}
	}
	w := send("user001", `<script>`, `/a"><script>`)
	page := w.Body.String()
	if w.Code != 401 || !strings.Contains(page, `role="alert"`) || !strings.Contains(page, `value="user001"`) || strings.Contains(page, "<script") || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d %v %s", w.Code, w.Header(), page)
	}
	if w := send(`"><b>`, "x", ""); w.Code != 401 || strings.Contains(w.Body.String(), "<b>") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	wantError(t, send("user001", goodSecret, "", "Sec-Fetch-Site: cross-site"), 403, "cross_origin")
	wantError(t, send("user001", goodSecret, "", "Origin: https://evil.example"), 403, "cross_origin")
	if w := send("user001", goodSecret, "", "Origin: https://film.example"); w.Code != 303 {
		t.Errorf("our own page: %d %s", w.Code, w.Body)
	}
	wantError(t, askFrom(s.Handler(), afar, "POST", "/auth/login", `{"user":"user001","password":"correct horse"}`, "Content-Type: text/plain"), 415, "unsupported_media_type")
	wantError(t, askFrom(s.Handler(), afar, "POST", "/auth/login", `{"user":"user001","password":1}`), 422, "bad_field")
	wantError(t, askFrom(s.Handler(), afar, "POST", "/auth/login", `{"user":"user001","password":"wrong"}`), 401, "bad_login")
	if w := askFrom(s.Handler(), afar, "POST", "/auth/login", strings.Repeat("x", loginBody+1), formType); w.Code != 413 {
		t.Errorf("a long form: %d", w.Code)
	}
}

func TestLoginPage(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	w := askFrom(s.Handler(), afar, "GET", "/auth/login?next=%2Fuser001%2F%3Fa%3Db", "")
	page := w.Body.String()
	for _, part := range []string{`<html lang="en">`, `<label for="user">`, `<label for="password">`, `autocomplete="current-password"`, `value="/user001/?a=b"`, "prefers-color-scheme:dark"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %s:\n%s", part, page)
		}
	}
	for _, part := range []string{"http:", "https:", "src=", "<link", "<script", "url(", "ZgotmplZ"} {
		if strings.Contains(page, part) {
			t.Errorf("the page has %s", part)
		}
	}
	h := w.Header()
	if w.Code != 200 || h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("X-Frame-Options") != "DENY" ||
		!strings.Contains(page, "<style>"+loginCSS+"</style>") {
		t.Errorf("%d %v", w.Code, h)
	}
	w = askFrom(s.Handler(), afar, "GET", "/auth/login", "", world.mint(s, "user001", world.now))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "<strong>user001</strong>") || !strings.Contains(w.Body.String(), `action="logout"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	session := world.mint(s, "user001", world.now)
	w = askFrom(s.Handler(), afar, "GET", "/auth/logout", "", session)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `<form method="post" action="logout">`) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w = askFrom(s.Handler(), afar, "GET", "/auth/login", "", session); !strings.Contains(w.Body.String(), "<strong>user001</strong>") {
		t.Errorf("GET /auth/logout has ended the session: %s", w.Body)
	}
	if w = askFrom(s.Handler(), afar, "GET", "/auth/logout", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `action="login"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w = askFrom(s.Handler(), afar, "GET", "/favicon.ico", ""); w.Code != 204 {
		t.Errorf("favicon: %d %s", w.Code, w.Body)
	}
	w = askFrom(s.Handler(), proxyPeer, "GET", "/auth/login", "", "X-Remote-User: user001")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "user001") || strings.Contains(w.Body.String(), "logout") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, method := range []string{"GET", "POST"} {
		wantError(t, ask(newServer(t, newFake(), nil).Handler(), method, "/auth/login", ""), 404, "no_passwords")
	}
}

func TestSafeNext(t *testing.T) {
	for text, good := range map[string]bool{
		"/": true, "/user001/": true, "/user001/?a=b&c=d#e": true, "/a%20b": true, "/a:b": true, "/a//b": true,
		"": false, "user001": false, "//evil.example": false, "///evil.example": false, `/\evil.example`: false, `\\evil.example`: false, "/\t/evil.example": false, "/\n/evil.example": false,
		"https://evil.example": false, "javascript:alert(1)": false, " /x": false, "/x y": false, "/%2fevil.example": false, "/.//evil.example": false, "/a/..//evil.example": false, "/%2e//evil.example": false, "/%5cevil.example": false, "/\u00e9": false, "/%zz": false,
		"/" + strings.Repeat("x", 2000): false,
	} {
		if got := safeNext(text); (got == text && text != "") != good || !good && got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func FuzzSafeNext(f *testing.F) {
	for _, text := range []string{"/", "//x", `/\x`, "/a?b#c", "/%2f/x"} {
		f.Add(text)
	}
	base, _ := url.Parse("https://film.example/auth/login")
	f.Fuzz(func(t *testing.T, text string) {
		next := safeNext(text)
		if next == "" {
			return
		}
		u, err := base.Parse(next)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t ") {
			t.Errorf("%q leads to %v %v", text, u, err)
		}
	})
}

// Use renews a cookie, and a logout ends the session with all its cookies.
func TestSessionsRollAndEnd(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	ask := func(cookie string) *httptest.ResponseRecorder {
		return askFrom(s.Handler(), afar, "GET", "/api/queue/status", "", cookie)
	}
	first := world.logIn(s, "user001", goodSecret)
	if w := ask(first); w.Code != 200 || w.Header().Get("Set-Cookie") != "" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	world.now = world.now.Add(11 * time.Hour)
	second := cookieOf(t, ask(first))
	world.now = world.now.Add(11 * time.Hour)
	if ask(first).Code != 401 || ask(second).Code != 200 {
		t.Fatal("the old cookie lives, or the new one does not")
	}
	other := world.logIn(s, "user001", goodSecret)
	w := askFrom(s.Handler(), afar, "POST", "/auth/logout", "", second)
	if w.Code != 204 || len(w.Header().Values("Set-Cookie")) != 1 || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	s = world.server(newFake(), nil) // after a restart
	if ask(second).Code != 401 || ask(other).Code != 200 {
		t.Error("the session lives on after its logout, or took another one with it")
	}
	world.passwords("user001", "a new password", "user002", "another secret")
	if ask(other).Code != 401 {
		t.Error("the session lives on after the password changed")
	}
	wantError(t, askFrom(s.Handler(), afar, "POST", "/auth/logout", "a=b", formType, "Origin: https://evil.example", second), 403, "cross_origin")
	if w := askFrom(s.Handler(), afar, "POST", "/auth/logout", "", formType, second); w.Code != 303 || w.Header().Get("Location") != "login" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// A login ends the session that the browser had, so that nobody goes on in one
// that somebody else put there.
func TestLoginReplacesTheSession(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	old := world.logIn(s, "user002", "another secret")
	w := askFrom(s.Handler(), afar, "POST", "/auth/login", `{"user":"user001","password":"correct horse"}`, old)
	if w.Code != 200 || whoIs(s, old) != 401 || whoIs(s, cookieOf(t, w)) != 200 {
		t.Errorf("%d, the old one: %d", w.Code, whoIs(s, old))
	}
}

// A logout that cannot be written down says so, and counts until the restart.
func TestLogoutThatCannotBeWritten(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	cookie := world.logIn(s, "user001", goodSecret)
	if err := os.Mkdir(filepath.Join(world.dir, endedFile), 0o700); err != nil {
		t.Fatal(err)
	}
	wantError(t, askFrom(s.Handler(), afar, "POST", "/auth/logout", "", cookie), 503, "auth_file_unwritable")
	if whoIs(s, cookie) != 401 {
		t.Error("the session lives on")
	}
}

// What is wrong in a file shows at the start; later it lets nobody in.
func TestFilesOfTheLogin(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	one, two := world.logIn(s, "user001", goodSecret), world.logIn(s, "user002", "another secret")
	good, _ := os.ReadFile(world.file)
	world.write(strings.Replace(string(good), "user002:$2a$", "user002:$apr1$", 1))
	if whoIs(s, one) != 200 || whoIs(s, two) != 401 {
		t.Error("a line that is not good counts for others, or not at all")
	}
	refused := func(code string) {
		t.Helper()
		_, err := New(Options{Service: newFake(), RequireUser: true, Passwords: world.file, StateDir: world.dir})
		wantCode(t, err, code)
	}
	refused("bad_password_file")
	if err := os.Remove(world.file); err != nil {
		t.Fatal(err)
	}
	if whoIs(s, one) != 401 {
		t.Error("somebody is let in without a file")
	}
	refused("no_password_file")
	world.write(string(good))
	if whoIs(s, one) != 200 || whoIs(s, two) != 200 {
		t.Error("the file is good again, and does not count")
	}
	if err := os.WriteFile(filepath.Join(world.dir, tokenFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("bad_token_file")
}

// A token ends with its user's line, and with its file.
func TestTokensFollowTheFiles(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	text, err := AddToken(world.dir, Token{User: "user002", Name: "nightly", Created: world.now})
	if err != nil {
		t.Fatal(err)
	}
	token := "Authorization: Bearer " + text
	if whoIs(s, token) != 200 {
		t.Fatal("a new token does not count at once")
	}
	wantError(t, askFrom(s.Handler(), afar, "GET", "/api/jobs", "", "Authorization: Bearer "+newToken(), world.mint(s, "user001", world.now)), 401, "bad_token")
	if whoIs(s, "Authorization: Basic dXNlcjp4", world.mint(s, "user001", world.now)) != 200 {
		t.Error("a proxy's basic auth stands in the way")
	}
	world.passwords("user001", goodSecret)
	if whoIs(s, token) != 401 {
		t.Error("the token lives on after its user was taken out")
	}
}

// Failures make their own browser wait, and nobody else.
func TestLoginFailuresWait(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	try := func(peer, user, password string, headers ...string) *httptest.ResponseRecorder {
		return askFrom(s.Handler(), peer, "POST", "/auth/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password), headers...)
	}
	first := try(afar, "user001", goodSecret)
	var device string
	for _, c := range first.Result().Cookies() {
		if strings.HasSuffix(c.Name, "-device") {
			device = "Cookie: " + c.Name + "=" + c.Value
		}
	}
	for range 5 {
		wantError(t, try(afar, "user001", "wrong"), 401, "bad_login")
	}
	w := try(afar, "user001", goodSecret)
	wantError(t, w, 429, "too_many_logins")
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	for what, w := range map[string]*httptest.ResponseRecorder{
		"the user's own browser, from the same address": try(afar, "user001", goodSecret, device),
		"another user at the same address":              try(afar, "user002", "another secret"),
		"the user at another address":                   try("203.0.113.9:1", "user001", goodSecret),
	} {
		if w.Code != 200 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	if w := try(afar, "user002", "another secret", device); w.Code != 200 {
		t.Errorf("another user's device: %d", w.Code)
	}
	shown := request4(afar, "")
	key, value, _ := strings.Cut(device, ": ")
	shown.Header.Set(key, value)
	if own, other := s.accounts(shown, "user001"), s.accounts(shown, "user002"); len(own) != 1 || len(other) != 3 {
		t.Errorf("a browser known for user001 is charged to %v, and for user002 to %v", own, other)
	}
	world.now = world.now.Add(2 * time.Second)
	if w := try(afar, "user001", goodSecret); w.Code != 200 {
		t.Errorf("after the wait: %d %s", w.Code, w.Body)
	}
	page := askFrom(s.Handler(), afar, "POST", "/auth/login", "user=user001&password=x", formType)
	if page.Code != 401 {
		t.Errorf("%d", page.Code)
	}
}

// However many addresses try a user's name, and however many names an address
// tries, a browser that the user has logged in with is let in.
func TestFloodsLockNobodyOut(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	device := "Cookie: " + s.logins.deviceName() + "=" + s.logins.key.seal("device", randomID(), "user001")
	refused := 0
	for i := range 120 {
		b := loginRequest{User: "user001", Password: "wrong"}
		peer := fmt.Sprintf("203.0.113.%d:1", i)
		if i%2 == 1 {
			b.User, peer = fmt.Sprintf("name%d", i), afar
		}
		if s.tryLogin(request4(peer, ""), b) != nil && i > 105 {
			refused++
		}
	}
	if wait := s.logins.failures.try(s.accounts(request4(afar, ""), "user001")...); wait <= 0 || wait > 30*time.Second || refused == 0 {
		t.Errorf("a stranger waits %s", wait)
	}
	w := askFrom(s.Handler(), afar, "POST", "/auth/login", `{"user":"user001","password":"correct horse"}`, device)
	if w.Code != 200 {
		t.Errorf("the user's own browser: %d %s", w.Code, w.Body)
	}
}

// A stream ends with the login that it rests on.
func TestStreamsEndWithTheLogin(t *testing.T) {
	world := newLoginWorld(t)
	text, err := AddToken(world.dir, Token{User: "user001", Name: "nightly", Created: world.now})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		header func(*Server) string
		end    func(*Server, string)
	}{
		"logout": {func(s *Server) string { return world.logIn(s, "user001", goodSecret) }, func(s *Server, h string) {
			if w := askFrom(s.Handler(), afar, "POST", "/auth/logout", "", h); w.Code != 204 {
				t.Errorf("logout: %d", w.Code)
			}
		}},
		"revoked token": {func(*Server) string { return "Authorization: Bearer " + text }, func(s *Server, _ string) {
			if _, err := RevokeTokens(world.dir, "user001", "nightly"); err != nil {
				t.Error(err)
			}
			s.logins.sweep()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			svc := newFake()
			s := world.server(svc, nil)
			header := c.header(s)
			opened, done := make(chan struct{}), make(chan struct{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() {
				defer close(done)
				r := httptest.NewRequest("GET", api.PathEvents, nil).WithContext(ctx)
				key, value, _ := strings.Cut(header, ": ")
				r.RemoteAddr = afar
				r.Header.Set(key, value)
				s.Handler().ServeHTTP(&opening{ResponseRecorder: httptest.NewRecorder(), opened: opened}, r)
			}()
			<-opened
			c.end(s, header)
			<-done
			if ctx.Err() != nil {
				t.Error("the stream outlived its login")
			}
			if n := len(s.logins.live.calls); n != 0 {
				t.Errorf("%d calls are still known", n)
			}
		})
	}
}

// opening tells of the first write.
type opening struct {
	*httptest.ResponseRecorder
	opened chan struct{}
}

func (o *opening) Write(b []byte) (int, error) {
	select {
	case <-o.opened:
	default:
		close(o.opened)
	}
	return o.ResponseRecorder.Write(b)
}

// A page whose login has run out is told where to log in, if we know.
func TestWhereToLogIn(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	for _, headers := range [][]string{nil, {world.mint(s, "user001", world.now.Add(-s.logins.ttl-time.Second))}} {
		if b := wantError(t, askFrom(s.Handler(), afar, "GET", "/api/jobs", "", headers...), 401, "login_required"); b.Login != "/auth/login" {
			t.Errorf("%v: %+v", headers, b)
		}
	}
	proxied := world.server(newFake(), func(o *Options) { o.Passwords = "" })
	if b := wantError(t, askFrom(proxied.Handler(), proxyPeer, "GET", "/api/jobs", ""), 401, "login_required"); b.Login != "" {
		t.Errorf("where the proxy knows the users: %+v", b)
	}
	for path, want := range map[string]bool{"/auth/login?beside": true, "/auth/login": false} {
		w := askFrom(s.Handler(), afar, "GET", path, "", world.mint(s, "user001", world.now))
		if w.Code != 200 || strings.Contains(w.Body.String(), "goes on by itself") != want || !strings.Contains(w.Body.String(), "user001") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// The answer to a login at the manager's host leads to the user's own, which
// browsers ask the policy of the form about.
func TestPolicyOfTheLogin(t *testing.T) {
	for host, below := range map[string]string{"workshop.example": " *.workshop.example", "Workshop.example:8443": " *.Workshop.example:8443", "localhost:3000": " *.localhost:3000",
		"127.0.0.1:3000": "", "[::1]:3000": "", "": "", "a;b": "", "a b.example": "", "x.example; script-src *": "", "203.0.113.7": ""} {
		if got := pagePolicy("", host); !strings.Contains(got, "; form-action 'self'"+below+"; frame-ancestors") {
			t.Errorf("%q: %s", host, got)
		}
	}
}
