package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLimitsRow11SeveralCookies: cookies of the session's name that somebody
// else put there do not keep a user out, and let nobody in as another.
func TestLimitsRow11SeveralCookies(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	one, two := world.mint(s, "user001", world.now), world.mint(s, "user002", world.now)
	old := world.mint(s, "user002", world.now.Add(-s.logins.ttl-time.Second))
	name := "Cookie: " + s.logins.cookieName() + "="
	for _, c := range []struct {
		cookies []string
		want    int
	}{
		{[]string{name + "x", one}, 200}, {[]string{one, name + "x", name}, 200}, {[]string{old, one}, 200}, {[]string{one, old}, 200},
		{[]string{one, one}, 200}, {[]string{world.mint(s, "user001", world.now.Add(-time.Minute)), one}, 200},
		{[]string{one, two}, 401}, {[]string{two, name + "x", one}, 401}, {[]string{name + "x", name + "y"}, 401}, {[]string{old, name + "x"}, 401},
	} {
		headers := "Cookie: " + strings.ReplaceAll(strings.Join(c.cookies, "; "), "Cookie: ", "")
		w := askFrom(s.Handler(), afar, "GET", "/auth/verify", "", headers, "X-Original-URI: /user001/")
		if want := map[int]int{200: 204, 401: 401}[c.want]; w.Code != want {
			t.Errorf("%d, want %d for %.200s", w.Code, want, headers)
		}
	}
}

// TestLimitsRow11LoginNamesInTheLog: a name that somebody types is cut, and its
// control characters are quoted.
func TestLimitsRow11LoginNamesInTheLog(t *testing.T) {
	var log bytes.Buffer
	world := newLoginWorld(t)
	s := world.server(newFake(), func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	askFrom(s.Handler(), afar, "POST", "/auth/login", fmt.Sprintf(`{"user":"\u001b[2J%s","password":"x"}`, strings.Repeat("a", 15<<10)))
	if n := log.Len(); n == 0 || n > 500 || strings.Contains(log.String(), `"\u001b`) || strings.ContainsRune(log.String(), '\x1b') {
		t.Errorf("%d bytes: %.300s", n, log.String())
	}
}

// TestLimitsRow11LinksOfAUser: a symbolic link of a user's own is refused in
// words, without a path of this machine, and a hard link is not served.
func TestLimitsRow11LinksOfAUser(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, newFake(), func(o *Options) { o.Inputs = dir })
	h := s.Handler()
	own, theirs := filepath.Join(dir, "user001"), filepath.Join(dir, "user002")
	check(t, os.MkdirAll(own, 0o755))
	check(t, os.MkdirAll(theirs, 0o755))
	check(t, os.WriteFile(filepath.Join(theirs, "s.png"), []byte("secret"), 0o644))
	check(t, os.Symlink(theirs, filepath.Join(own, "away")))
	check(t, os.Symlink("loop", filepath.Join(own, "loop")))
	check(t, os.Symlink(theirs, filepath.Join(dir, "user003")))
	check(t, os.WriteFile(filepath.Join(own, "plain"), nil, 0o644))
	check(t, os.Mkdir(filepath.Join(own, "folder.png"), 0o755))
	for _, c := range []struct{ user, folder, name, overwrite string }{
		{"user001", "away", "a.png", ""}, {"user001", "away/below", "a.png", ""}, {"user001", "loop", "a.png", ""}, {"user001", "plain", "a.png", ""},
		{"user003", "", "a.png", ""}, {"user001", "", "folder.png", "1"},
	} {
		body, kind := uploadForm(t, c.name, []byte("x"), "subfolder", c.folder, "overwrite", c.overwrite)
		w := ask(h, "POST", "/comfy/"+c.user+"/upload/image", body, "X-Remote-User: "+c.user, "Content-Type: "+kind)
		if w.Code < 400 || w.Code >= 500 || strings.Contains(w.Body.String(), dir) {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
	check(t, unix.Link(filepath.Join(theirs, "s.png"), filepath.Join(own, "hard.png")))
	for path, user := range map[string]string{"/comfy/user001/view?filename=hard.png&type=input": "user001", "/comfy/user003/view?filename=s.png&type=input": "user003"} {
		if w := ask(h, "GET", path, "", "X-Remote-User: "+user); w.Code < 400 || w.Code >= 500 || strings.Contains(w.Body.String(), dir) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
