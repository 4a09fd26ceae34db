package sshd

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/comfyume/qmtui/internal/job"
)

// keyOf is a key made of a number, and its line without a comment.
func keyOf(n byte) (ssh.Signer, string) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+n)), ed25519.SeedSize)))
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		panic(err)
	}
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func TestParseKeys(t *testing.T) {
	signer, key := keyOf(0)
	print := ssh.FingerprintSHA256(signer.PublicKey())
	tailnet, home := netip.MustParseAddr("100.101.1.2"), netip.MustParseAddr("192.168.1.9")
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line     string
		name     string
		readOnly bool
		tailnet  bool   // good from there, now
		home     bool   // and from there
		why      string // the line is refused
	}{
		{key + " ada@laptop", "ada@laptop", false, true, true, ""},
		{key, print, false, true, true, ""},
		{key + " ada\x1b[31m\u202e of  the\tfilm", "ada[31m of the film", false, true, true, ""},
		{"read-only " + key + " wall", "wall", true, true, true, ""},
		{"READ-ONLY " + key + " wall", "wall", true, true, true, ""},
		{`restrict,pty,from="100.64.0.0/10,10.0.0.1" ` + key + " ada", "ada", false, true, false, ""},
		{`expiry-time="20260702Z" ` + key + " ada", "ada", false, true, true, ""},
		{`expiry-time="202607011200Z",read-only ` + key + " ada", "ada", true, false, false, ""},
		{`command="qmtui --read-only" ` + key, "", false, false, false, `the option "command`},
		{`from="*.example.org" ` + key, "", false, false, false, "from has"},
		{`expiry-time="soon" ` + key, "", false, false, false, "expiry-time is"},
		{"cert-authority " + key, "", false, false, false, "cert-authority"},
		{"ssh-ed25519 AAAA", "", false, false, false, "no key"},
		{"hello", "", false, false, false, "no key"},
	} {
		keys, bad := ParseKeys([]byte("# keys\n\n"+c.line+"\r\n"), false)
		if c.why != "" {
			if len(keys) > 0 || len(bad) != 1 || bad[0].Line != 3 || !strings.Contains(bad[0].Error(), c.why) {
				t.Errorf("%q: %v %v", c.line, keys, bad)
			}
			continue
		}
		k, ok := keys[string(signer.PublicKey().Marshal())]
		if !ok || len(bad) > 0 || k.Name != c.name || k.ReadOnly != c.readOnly || k.Fingerprint != print {
			t.Errorf("%q: %+v %v", c.line, k, bad)
		}
		if k.badFrom(tailnet, now) == "" != c.tailnet || k.badFrom(home, now) == "" != c.home {
			t.Errorf("%q: from the tailnet %q, from home %q", c.line, k.badFrom(tailnet, now), k.badFrom(home, now))
		}
	}
	keys, bad := ParseKeys([]byte(key+" ada\nread-only "+key+" again\n"), false)
	if k := keys[string(signer.PublicKey().Marshal())]; !k.ReadOnly || k.Name != "ada" || len(bad) != 1 {
		t.Errorf("twice: %+v %v", k, bad)
	}
}

func FuzzParseKeys(f *testing.F) {
	_, key := keyOf(0)
	for _, line := range []string{key, "read-only " + key, `from="10.0.0.0/8",read-only ` + key + " ada", base64.StdEncoding.EncodeToString([]byte(key))} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, _ := ParseKeys(raw, true)
		for _, k := range keys {
			if !k.ReadOnly || k.Name == "" || len([]rune(k.Name)) > maxName || strings.ContainsAny(k.Name, "\x1b\n\r") {
				t.Errorf("%+v", k)
			}
		}
	})
}

// The file is as it is now; whoever else could write to it lets nobody in.
func TestKeyring(t *testing.T) {
	dir := t.TempDir()
	file, looking := filepath.Join(dir, "keys"), filepath.Join(dir, "looking")
	r := newKeyring(Options{Keys: file, ReadOnlyKeys: looking}.withDefaults())
	ada, adaLine := keyOf(0)
	wall, wallLine := keyOf(1)
	here := netip.MustParseAddr("127.0.0.1")
	find := func(s ssh.Signer) string {
		k, err := r.find(s.PublicKey(), here)
		switch {
		case err != nil:
			return "no: " + err.Error()
		case k.ReadOnly:
			return "looks"
		}
		return "acts"
	}
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		do        func()
		ada, wall string
	}{
		{func() {}, "no: the key stands in no keys file", "no: the key stands in no keys file"},
		{func() { write(file, adaLine+"\n"+wallLine, 0o600) }, "acts", "acts"},
		{func() { write(looking, wallLine, 0o644) }, "acts", "looks"},
		{func() { write(file, adaLine, 0o620) }, "no: " + errUnread.Error(), "no: " + errUnread.Error()},
		{func() { write(file, "", 0o600) }, "no: the key stands in no keys file", "looks"},
		{func() { write(looking, strings.Repeat("#", maxKeysFile+1), 0o600) }, "no: " + errUnread.Error(), "no: " + errUnread.Error()},
		{func() { os.Remove(looking); os.Mkdir(looking, 0o700); write(file, adaLine, 0o600) }, "no: " + errUnread.Error(), "no: " + errUnread.Error()},
	} {
		step.do()
		if a, w := find(ada), find(wall); a != step.ada || w != step.wall {
			t.Errorf("ada %q, wall %q, want %q and %q", a, w, step.ada, step.wall)
		}
	}
}

func TestHostKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	first, err := hostKey(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	again, err := hostKey(path)
	if err != nil || string(again) != string(first) {
		t.Errorf("the key changed: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]string{"open": path, "no folder": filepath.Join(t.TempDir(), "a", "b"), "folder": t.TempDir()} {
		_, err := hostKey(p)
		if e := job.AsError(err); e == nil || e.Code != "bad_host_key" || e.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := hostKey(path); job.AsError(err).Code != "bad_host_key" {
		t.Error(err)
	}
}

func TestGuard(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	g := newGuard(func() time.Time { return now })
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	other := netip.MustParseAddr("192.0.2.1")
	for range failuresAllowed {
		if g.blocked(a) {
			t.Fatal("blocked too soon")
		}
		g.failed(a)
	}
	if !g.blocked(a) || !g.blocked(b) || g.blocked(other) {
		t.Error("the network is not blocked, or others are")
	}
	now = now.Add(failuresWithin)
	if g.blocked(a) {
		t.Error("blocked for ever")
	}
	for i := range 3 * maxRemembered {
		g.failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(g.bad) > maxRemembered {
		t.Errorf("%d addresses are remembered", len(g.bad))
	}
	g.failed(netip.Addr{}) // of a connection that has none
}

func TestEnviron(t *testing.T) {
	got := strings.Join(environ("xterm\x1b[0m-256color", []string{"COLORTERM=truecolor", "LD_PRELOAD=/x", "NO_COLOR=", "PATH=/x", "LANG=" + strings.Repeat("é", 300) + "x"}), " ")
	if want := "TERM=xterm[0m-256color SSH_TTY=ssh COLORTERM=truecolor NO_COLOR= LANG=x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if s := sized(1<<31, 1<<31); s != (Size{maxWidth, maxHeight}) {
		t.Errorf("%v", s)
	}
	if s := sized(0, 10); s != (Size{80, 24}) {
		t.Errorf("%v", s)
	}
}
