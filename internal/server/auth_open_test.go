package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLimitsRow09FilesThatEverybodyMayWrite: a file of the login that others
// may write to, or may put another in the place of, lets nobody in.
func TestLimitsRow09FilesThatEverybodyMayWrite(t *testing.T) {
	world := newLoginWorld(t)
	s := world.server(newFake(), nil)
	cookie := world.logIn(s, "user001", goodSecret)
	text, err := AddToken(world.dir, Token{User: "user001", Name: "nightly", Created: world.now})
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour) // from then on, a file is read once
	for _, path := range []string{world.file, filepath.Join(world.dir, tokenFile)} {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if whoIs(s, cookie) != 200 || whoIs(s, "Authorization: Bearer "+text) != 200 {
		t.Fatal("nobody is let in before")
	}
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	refused := func() {
		t.Helper()
		_, err := New(Options{Service: newFake(), RequireUser: true, Passwords: world.file, StateDir: world.dir})
		wantCode(t, err, "auth_file_open")
	}
	chmod(world.file, 0o666)
	if whoIs(s, cookie) != 401 {
		t.Error("a password file that everybody writes to lets somebody in")
	}
	refused()
	_, err = PasswordFile{Path: world.file}.Users()
	wantCode(t, err, "auth_file_open")
	wantCode(t, PasswordFile{Path: world.file}.Add("eve", "a long password"), "auth_file_open")
	chmod(world.file, 0o600)
	if whoIs(s, cookie) != 200 {
		t.Error("the file is good again, and does not count")
	}
	tokens := filepath.Join(world.dir, tokenFile)
	chmod(tokens, 0o602)
	if whoIs(s, "Authorization: Bearer "+text) != 401 {
		t.Error("a token file that everybody writes to lets somebody in")
	}
	refused()
	chmod(tokens, 0o600)
	chmod(world.dir, 0o777)
	refused()
	chmod(world.dir, 0o700)
	if _, err := New(Options{Service: newFake(), RequireUser: true, Passwords: world.file, StateDir: world.dir}); err != nil {
		t.Error(err)
	}
}
