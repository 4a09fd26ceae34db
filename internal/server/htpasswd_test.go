package server

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/comfyume/qmtui/internal/job"
)

func TestPasswordLinesThatAreRefused(t *testing.T) {
	good := "user001:" + hashed(t, "x")
	body := strings.Repeat("a", 53)
	for line, want := range map[string]string{
		"user002:$apr1$salt$abcdefghijklmnopqrstuv":  "line 3 of the password file: the password of user002 is MD5 of Apache; only bcrypt is safe enough",
		"user002:$1$salt$abcdefghijklmnopqrstuv":     "is MD5;",
		"user002:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=":  "is SHA-1;",
		"user002:$6$salt$abc":                        "is SHA-512 crypt;",
		"user002:abJnggxhB/yWI":                      "is DES crypt or plain text;",
		"user002:secret":                             "is plain text",
		"user002:":                                   "is plain text",
		"user002":                                    "no colon",
		"user002:$2x$10$" + body:                     "damaged or of an unsafe kind",
		"user002:$2y$10$" + body[1:]:                 "damaged",
		"user002:$2y$10$" + body + ":more":           "damaged",
		"user002:$2y$31$" + body:                     "the cost of user002's hash is 31",
		"user002:$2y$03$" + body:                     "the cost of user002's hash is 3",
		"../etc:$2y$10$" + body:                      `"../etc" is not a user name`,
		" user002:$2y$10$" + body:                    "is not a user name",
		"user001:$2y$10$" + body:                     "user001 stands in line 2 already",
		"a\x00b:$2y$10$" + body:                      "is not a user name",
		strings.Repeat("u", 101) + ":$2y$10$" + body: "is not a user name",
	} {
		p, err := parsePasswords([]byte("# comment\n" + good + "\n" + line + "\n\nuser003:$2y$10$" + body + "\n"))
		if e := job.AsError(err); e == nil || e.Code != "bad_password_file" || !strings.Contains(e.Message, "line 3 ") || !strings.Contains(e.Message, want) || e.Hint == "" {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "abcdef") {
			t.Errorf("%q shows the hash: %v", line, err)
		}
		left := []string{"user001", "user003"}
		if strings.HasPrefix(line, "user001:") {
			left = left[1:]
		}
		if !slices.Equal(p.users(), left) {
			t.Errorf("%q: the good lines are %v", line, p.users())
		}
	}
	p, err := parsePasswords([]byte("user001:" + hashed(t, "x") + "\r\nuser002:$2a$10$" + body))
	if err != nil || !slices.Equal(p.users(), []string{"user001", "user002"}) || p.cost != 10 {
		t.Errorf("%v %v %d", p.users(), err, p.cost)
	}
}

func TestCheckPassword(t *testing.T) {
	p, err := parsePasswords([]byte("user001:" + hashed(t, "secret") + "\nuser002:" + strings.Replace(hashed(t, "other"), "$2a$", "$2y$", 1) + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, password string
		want           bool
	}{
		{"user001", "secret", true}, {"user002", "other", true}, {"user001", "other", false}, {"user001", "", false}, {"user003", "secret", false},
		{"", "", false}, {"USER001", "secret", false}, {"user001", "secret\x00", false}, {"user001", strings.Repeat("x", 2000), false},
	} {
		if got := p.check(c.user, c.password); got != c.want {
			t.Errorf("%q %q: %v", c.user, c.password, got)
		}
	}
	if (passwords{}).check("user001", "secret") {
		t.Error("nobody's password fits")
	}
}

// A dummy hash must be worked through like a real one, or a name that is not
// there would be refused sooner.
func TestDummyHashIsWorkedThrough(t *testing.T) {
	for cost := minCost; cost <= maxCost; cost++ {
		if got, err := bcrypt.Cost([]byte(dummyHash(cost))); err != nil || got != cost || !bcryptHash.MatchString(dummyHash(cost)) {
			t.Errorf("cost %d: %d %v", cost, got, err)
		}
	}
	if err := bcrypt.CompareHashAndPassword([]byte(dummyHash(minCost)), []byte("x")); err != bcrypt.ErrMismatchedHashAndPassword {
		t.Errorf("it was not compared: %v", err)
	}
}

// Unknown users, and users with a cheap hash, take the time of the dearest: a
// hash of cost n takes 2^n rounds.
func TestCheckTakesEqualTime(t *testing.T) {
	for _, costs := range [][]string{nil, {"04"}, {"10"}, {"04", "12"}, {"12", "05", "09", "04"}} {
		text, top := "", minCost
		for i, c := range costs {
			text += "user" + string(rune('a'+i)) + ":$2y$" + c + "$" + strings.Repeat("a", 53) + "\n"
		}
		p, err := parsePasswords([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		top = max(top, p.cost)
		for _, user := range append(p.users(), "nobody", "", "../x") {
			hash, more := p.work(user)
			rounds := 0
			for _, h := range append(more, hash) {
				cost, err := bcrypt.Cost([]byte(h))
				if err != nil {
					t.Fatal(err)
				}
				rounds += 1 << cost
			}
			if rounds != 1<<top {
				t.Errorf("%v: %q takes %d rounds, want %d", costs, user, rounds, 1<<top)
			}
		}
	}
}

func TestEditPasswords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	f := PasswordFile{Path: path, Cost: bcrypt.MinCost}
	if err := f.Add("user001", "first secret"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	raw, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append([]byte("# ours\n"), raw...), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	wantCode(t, f.Add("user001", "first secret"), "user_exists")
	wantCode(t, f.Set("user002", "first secret"), "no_such_user")
	wantCode(t, f.Remove("user002"), "no_such_user")
	wantCode(t, f.Add("user.2", "first secret"), "bad_user")
	wantCode(t, f.Add("user002", "short"), "bad_password")
	wantCode(t, f.Add("user002", strings.Repeat("x", 73)), "bad_password")
	wantCode(t, f.Add("user002", "with\nbreak..."), "bad_password")
	if err := f.Add("user002", "another secret"); err != nil {
		t.Fatal(err)
	}
	if err := f.Set("user001", "second secret"); err != nil {
		t.Fatal(err)
	}
	now, _ := os.ReadFile(path)
	p, err := parsePasswords(now)
	if err != nil || !strings.HasPrefix(string(now), "# ours\nuser001:$2a$04$") || p.check("user001", "first secret") || !p.check("user001", "second secret") || !p.check("user002", "another secret") {
		t.Errorf("%s %v", now, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v %v", info.Mode(), err)
	}
	if err := f.Remove("user001"); err != nil {
		t.Fatal(err)
	}
	if users, err := f.Users(); err != nil || !slices.Equal(users, []string{"user002"}) {
		t.Errorf("%v %v", users, err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".qmtui-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Who edits the file at the same time as somebody else is told.
func TestEditSeesAnotherEditor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	err := rewrite(path, "", func([]byte) ([]byte, error) {
		return []byte("mine"), os.WriteFile(path, []byte("theirs"), 0o600)
	})
	wantCode(t, err, "file_changed")
	if b, _ := os.ReadFile(path); string(b) != "theirs" {
		t.Errorf("the file says %q", b)
	}
}

func FuzzPasswordFile(f *testing.F) {
	f.Add([]byte("user001:$2y$10$" + strings.Repeat("a", 53) + "\n# x\n\nuser002:{SHA}x\n"))
	f.Add([]byte("a:b\r\na:$2b$04$"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, _ := parsePasswords(raw)
		for user, hash := range p.hash {
			cost, err := bcrypt.Cost([]byte(hash))
			if job.CheckUser(user) != nil || err != nil || cost < minCost || cost > p.cost || p.cost > maxCost {
				t.Errorf("%q %q %d %v", user, hash, cost, err)
			}
		}
	})
}

// TestWhatRootWritesIsTheServices: the folder of the password file is root's (/etc/qmtui), and the
// manager runs as the owner of the state folder.
func TestWhatRootWritesIsTheServices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for whom the owner is set")
	}
	const service = 65534
	state := t.TempDir()
	if err := os.Chown(state, service, service); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "htpasswd")
	f := PasswordFile{Path: path, State: state, Cost: bcrypt.MinCost}
	owner := func() (uint32, os.FileMode) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Uid, info.Mode().Perm()
	}
	if err := f.Add("user001", "a long password"); err != nil {
		t.Fatal(err)
	}
	if uid, mode := owner(); uid != service || mode != 0o600 {
		t.Errorf("a new file belongs to %d with mode %04o", uid, mode)
	}
	for name, c := range map[string]struct {
		uid  int
		mode os.FileMode
		want uint32
	}{
		"closed to the service, as older versions left it": {0, 0o600, service},
		"an admin lets a group read it":                    {0, 0o640, 0},
		"another user's":                                   {1234, 0o600, 1234},
	} {
		if err := errors.Join(os.Chown(path, c.uid, 0), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		if err := f.Set("user001", "another long password"); err != nil {
			t.Fatal(err)
		}
		if uid, mode := owner(); uid != c.want || mode != c.mode {
			t.Errorf("%s: it belongs to %d with mode %04o afterwards", name, uid, mode)
		}
	}
}
