package server

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testKey = signer(strings.Repeat("k", 32))

func TestSessionSeals(t *testing.T) {
	s := begin("user001", "print", epoch, time.Hour)
	text := testKey.sealSession(s)
	got, ok := testKey.openSession(text)
	if !ok || !got.Born.Equal(epoch) || !got.Ends.Equal(epoch.Add(time.Hour)) || got.User != "user001" || got.ID != s.ID || got.Print != "print" {
		t.Fatalf("%+v %v", got, ok)
	}
	fields := strings.Split(text, ".")
	for i := range fields {
		changed := append([]string{}, fields...)
		changed[i] += "x"
		if _, ok := testKey.openSession(strings.Join(changed, ".")); ok {
			t.Errorf("field %d may be changed", i)
		}
	}
	for _, bad := range []string{"", ".", text + ".", text[:len(text)-1], text + "=", strings.ToUpper(text), "." + text,
		testKey.seal("device", fields[:7]...), signer("another key").sealSession(s),
		testKey.seal("session", "2", s.ID, "user001", "1", "1", "2", "p"), testKey.seal("session", "1", s.ID, "../x", "1", "1", "2", "p"),
		testKey.seal("session", "1", s.ID, "user001", "-1", "1", "2", "p"), testKey.seal("session", "1", s.ID, "user001", "1", "1", "2")} {
		if got, ok := testKey.openSession(bad); ok {
			t.Errorf("%q opens as %+v", bad, got)
		}
	}
	if len(testKey.sealSession(begin(strings.Repeat("u", 100), strings.Repeat("p", 16), epoch, time.Hour))) > maxCookie {
		t.Error("a long name's cookie is longer than we read")
	}
}

func TestSessionLife(t *testing.T) {
	const ttl = 12 * time.Hour
	born := begin("user001", "", epoch, ttl)
	day := 24 * time.Hour
	for _, c := range []struct {
		name      string
		s         session
		at        time.Duration
		ttl       time.Duration
		live, due bool
	}{
		{"new", born, 0, ttl, true, false},
		{"before a quarter", born, 3*time.Hour - time.Second, ttl, true, false},
		{"after a quarter", born, 3 * time.Hour, ttl, true, true},
		{"last moment", born, ttl - time.Second, ttl, true, true},
		{"over", born, ttl, ttl, false, true},
		{"the ttl became shorter", born, time.Hour, time.Hour, false, false},
		{"the ttl became longer", born, ttl, 2 * ttl, false, true},
		{"renewed", born.renewed(epoch.Add(ttl-time.Second), ttl), ttl + time.Hour, ttl, true, false},
		{"at the end of thirty days", born.renewed(epoch.Add(30*day-time.Hour), ttl), 30*day - time.Second, ttl, true, false},
		{"thirty days", born.renewed(epoch.Add(30*day-time.Hour), ttl), 30 * day, ttl, false, false},
		{"a clock that went back a little", born, -time.Minute, ttl, true, false},
		{"a clock that went back", born, -time.Hour, ttl, false, false},
		{"a life of a year", begin("user001", "", epoch, 365*day), 364 * day, 365 * day, true, false},
	} {
		now := epoch.Add(c.at)
		if live, due := c.s.live(now, c.ttl), c.s.due(now, c.ttl); live != c.live || live && due != c.due {
			t.Errorf("%s: live %v due %v", c.name, live, due)
		}
	}
}

// What was logged out stays so, through a restart and for as long as a cookie
// could live; then it is forgotten.
func TestEndedSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", endedFile)
	open := func() *endedSessions {
		e, err := openEnded(path, longestLogin)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := open()
	s, other := begin("user001", "", epoch, time.Hour), begin("user001", "", epoch, time.Hour)
	if err := e.end(s, epoch, epoch.Add(time.Hour)); err != nil || !e.has(s) || e.has(other) {
		t.Fatalf("%v %v %v", err, e.has(s), e.has(other))
	}
	if again := open(); !again.has(s) || again.has(other) {
		t.Error("a restart brought the session back")
	}
	e.forget(epoch.Add(time.Hour))
	if !e.has(s) {
		t.Error("forgotten too soon")
	}
	if e.forget(epoch.Add(time.Hour + 2*time.Second)); len(e.says.Users) != 0 {
		t.Errorf("kept: %+v", e.says)
	}
	for range endedKept + 1 {
		if err := e.end(begin("user001", "", epoch, time.Hour), epoch, epoch.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	young := begin("user001", "", epoch.Add(time.Second), time.Hour)
	if n := len(e.says.Users["user001"].Sessions); n > endedKept || !e.has(other) || e.has(young) || e.has(begin("user002", "", epoch, time.Hour)) {
		t.Errorf("%d kept one by one, other %v, young %v", n, e.has(other), e.has(young))
	}
}

func TestEndedSessionsThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), endedFile)
	for _, text := range []string{"", "{", `{"users":[]}`, `{"sessions":{}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := openEnded(path, longestLogin)
		wantCode(t, err, "bad_sessions_file")
	}
	if err := os.WriteFile(path, []byte(`{"users":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openEnded(path, longestLogin); err != nil {
		t.Error(err)
	}
}

func TestSessionKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", keyFile)
	key, err := sessionKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if again, err := sessionKey(path); err != nil || !reflect.DeepEqual(key, again) || len(key) != 32 {
		t.Errorf("another key after a restart: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = sessionKey(path)
	wantCode(t, err, "bad_session_key")
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = sessionKey(short)
	wantCode(t, err, "bad_session_key")
	_, err = sessionKey(t.TempDir())
	wantCode(t, err, "bad_session_key")
}

func FuzzSessionCookie(f *testing.F) {
	good := testKey.sealSession(begin("user001", "print", epoch, time.Hour))
	for _, text := range []string{good, "", ".", "1.a.user001.1.1.2.p.sig", good + "\x00", strings.Repeat(".", 600)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := testKey.openSession(text)
		if ok && testKey.sealSession(s) != text {
			t.Errorf("%q opens, and is not what we seal: %+v", text, s)
		}
		if at := strings.LastIndexByte(text, '.'); ok && testKey.sum("session", text[:at]) != text[at+1:] {
			t.Errorf("%q opens without our signature", text)
		}
		// The same fields with a good signature must read safely, too.
		resealed := testKey.seal("session", strings.Split(text, ".")...)
		if s, ok := testKey.openSession(resealed); ok && (s.User == "" || strings.ContainsAny(s.User, "./\\")) {
			t.Errorf("%q opens as %+v", resealed, s)
		}
	})
}
