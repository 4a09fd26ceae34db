package share

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// plantHostile puts one of each dangerous thing into the attempt's folder and
// returns what is to be said of it, by name.
func plantHostile(t *testing.T, d *disks) map[string]string {
	t.Helper()
	folder := filepath.Join(d.outputs, string(source("")))
	d.write("qm/other/9/secret_00001_.png", picture(t, 9))
	d.write(string(source("twice_00001_.png")), picture(t, 2))
	secret := filepath.Join(d.outputs, "qm/other/9/secret_00001_.png")
	said := map[string]string{"link_00001_.png": "link", "outside_00001_.png": "link", "folder_00001_.png": "link",
		"twice_00001_.png": "hard links", "again_00001_.png": "hard links", "pipe_00001_.png": "pipe", "socket_00001_.png": "socket"}
	for _, err := range []error{
		os.Symlink(secret, filepath.Join(folder, "link_00001_.png")),
		os.Symlink("/etc/passwd", filepath.Join(folder, "outside_00001_.png")),
		os.Symlink(filepath.Dir(secret), filepath.Join(folder, "folder_00001_.png")),
		os.Link(filepath.Join(folder, "twice_00001_.png"), filepath.Join(folder, "again_00001_.png")),
		unix.Mkfifo(filepath.Join(folder, "pipe_00001_.png"), 0o644),
		plantSocket(filepath.Join(folder, "socket_00001_.png")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if unix.Mknod(filepath.Join(folder, "zero_00001_.png"), unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) == nil {
		said["zero_00001_.png"] = "device" // only the superuser can make one
	}
	return said
}

func plantSocket(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	folder, err := unix.Open(filepath.Dir(path), unix.O_PATH, 0)
	if err != nil {
		return err
	}
	defer unix.Close(folder)
	// By way of the handle, because a socket's path is limited to 108 bytes.
	at := filepath.Join("/proc/self/fd", strconv.Itoa(folder), filepath.Base(path))
	return unix.Bind(fd, &unix.SockaddrUnix{Name: at})
}

func TestHostileFiles(t *testing.T) {
	d := newDisks(t)
	said := plantHostile(t, d)
	d.write(string(source("good_00001_.png")), picture(t, 1))
	s := d.share()
	synctest.Test(t, func(t *testing.T) {
		s := d.share() // its channels belong to the bubble
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(40 * time.Second)
		for name, words := range said {
			got := w.marks(string(source(name)), job.MarkHostile)
			if len(got) != 1 || !strings.Contains(got[0].Reason, words) {
				t.Errorf("%s: %v", name, got)
			}
		}
		for _, x := range w.list() {
			if name := strings.TrimPrefix(string(x.Path), string(source(""))); said[name] != "" && x.Mark != job.MarkHostile {
				t.Errorf("%s was taken for a file: %v", name, x)
			}
			if strings.Contains(string(x.Path), "folder_00001_.png/") {
				t.Errorf("followed a link: %v", x)
			}
		}
		if len(w.marks(string(source("good_00001_.png")), job.MarkWhole)) != 1 {
			t.Errorf("the good one among them: %v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	for name := range said {
		if _, err := s.Copy(t.Context(), transfer(name, "x_00001_.png")); code(err) != "hostile_source" {
			t.Errorf("copy of %s: %v", name, err)
		}
	}
	d.only(nil)
}

func TestHostileWays(t *testing.T) {
	d := newDisks(t)
	b := picture(t, 1)
	d.write("qm/other/9/cat_00001_.png", b)
	for link, to := range map[string]string{"qm/" + prompt: "other", "qmlink": "qm", "old": "qm/other/9"} {
		if err := os.Symlink(to, filepath.Join(d.outputs, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := d.share()
	for _, path := range []job.Path{"qm/" + prompt + "/9/cat_00001_.png", "qmlink/other/9/cat_00001_.png", "old/cat_00001_.png",
		"../outputs/qm/other/9/cat_00001_.png", "/etc/passwd", "qm/other/9/../9/cat_00001_.png", "qm//other/9/cat_00001_.png", ""} {
		tr := transfer("", "x_00001_.png")
		tr.Source, tr.PromptID = path, ""
		if _, err := s.Copy(t.Context(), tr); code(err) != "hostile_source" {
			t.Errorf("%s: %v", path, err)
		}
	}
	tr := transfer("", "x_00001_.png")
	tr.Source = "qm/other/9/cat_00001_.png"
	if _, err := s.Copy(t.Context(), tr); code(err) != "hostile_source" {
		t.Errorf("a file of another attempt: %v", err)
	}
	d.only(nil)
	synctest.Test(t, func(t *testing.T) {
		s := d.share() // its channels belong to the bubble
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(20 * time.Second)
		if got := w.list(); len(got) != 1 || got[0].Mark != job.MarkHostile || got[0].PromptID != "" && got[0].PromptID != prompt {
			t.Errorf("an attempt's folder that is a link: %v", got)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestUsersLinks holds that no link of a user's leads a copy out of their folder.
func TestUsersLinks(t *testing.T) {
	d := newDisks(t)
	tr := transfer("v/cat_00001_.png", "v/cat_00001_.png")
	b := picture(t, 1)
	d.write(string(tr.Source), b)
	away := t.TempDir()
	for name, plant := range map[string]func() error{
		"folder out of the user's":      func() error { return os.Symlink(away, d.user("v")) },
		"folder of another user":        func() error { return os.Symlink("../user002", d.user("v")) },
		"the user's folder is a link":   func() error { os.Remove(d.user("")); return os.Symlink("user002", d.user("")) },
		"the user's folder leads away":  func() error { os.Remove(d.user("")); return os.Symlink(away, d.user("")) },
		"a file in place of the folder": func() error { return os.WriteFile(d.user("v"), nil, 0o644) },
	} {
		for _, user := range []string{"user001", "user002"} {
			if err := os.MkdirAll(filepath.Join(d.users, user), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := plant(); err != nil {
			t.Fatal(err)
		}
		s := d.share()
		if _, err := s.Copy(t.Context(), tr); err == nil {
			t.Errorf("%s: copied", name)
		}
		if _, err := choose(t, s, tr); err == nil {
			t.Errorf("%s: chosen", name)
		}
		for _, folder := range []string{away, filepath.Join(d.users, "user002")} {
			if left, _ := os.ReadDir(folder); len(left) > 0 {
				t.Errorf("%s: %v in %s", name, left, folder)
			}
		}
		if err := os.RemoveAll(d.user("")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(d.user("real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", d.user("v")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.share().Copy(t.Context(), tr); err != nil {
		t.Errorf("a link inside the user's own folder: %v", err)
	}
	if got, err := os.ReadFile(d.user("real/cat_00001_.png")); err != nil || !bytes.Equal(got, b) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestOpen(t *testing.T) {
	d := newDisks(t)
	writeFile(t, d.user("a/cat.png"), []byte("cat"))
	if err := os.Symlink("/etc/passwd", d.user("link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(d.user("pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := d.share()
	f, err := s.Open("user001", "a/cat.png")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "cat" {
		t.Errorf("%q, %v", b, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, dest := range []string{"gone.png", "a", "link", "pipe", "../user001/a/cat.png", "/etc/passwd", ""} {
		if f, err := s.Open("user001", dest); err == nil || code(err) == "" {
			t.Errorf("%q: %v, %v", dest, f, err)
		}
	}
	if _, err := s.Open("../users/user001", "a/cat.png"); code(err) != "bad_user" {
		t.Errorf("bad user: %v", err)
	}
	if _, err := s.Open("user002", "a/cat.png"); code(err) != "file_not_found" {
		t.Errorf("no such user: %v", err)
	}
}

func TestDiscard(t *testing.T) {
	d := newDisks(t)
	path := source("cat_00001_.png")
	d.write(string(path), []byte("x"))
	keep := filepath.Join(t.TempDir(), "keep")
	writeFile(t, keep, []byte("x"))
	if err := os.Symlink(keep, filepath.Join(d.outputs, "link")); err != nil {
		t.Fatal(err)
	}
	s := d.share()
	for _, p := range []job.Path{path, path, "link", "nowhere/at/all"} {
		if err := s.Discard(t.Context(), p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	for _, p := range []string{filepath.Join(d.outputs, string(path)), filepath.Join(d.outputs, "link")} {
		if _, err := os.Lstat(p); err == nil {
			t.Errorf("%s is still there", p)
		}
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("followed a link: %v", err)
	}
	for _, p := range []job.Path{"../users", "/etc/passwd", "", "."} {
		if err := s.Discard(t.Context(), p); err == nil {
			t.Errorf("%q was taken", p)
		}
	}
}

// asNobody runs fn on a thread that may read only what everybody may.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	for dir := t.TempDir(); dir != "/"; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err == nil && st.Mode()&0o005 != 0o005 { // never what is open, such as /tmp, whose mode is not ours to change
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if err := errors.Join(unix.Setfsgid(nobody), unix.Setfsuid(nobody)); err != nil {
		t.Skip(err)
	}
	defer func() { _ = errors.Join(unix.Setfsuid(0), unix.Setfsgid(0)) }()
	fn()
}

// TestBlocked: what may not be read, or is beyond a bound, is told once, with
// its attempt. A worker with another user id is field case 6.
func TestBlocked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(d *disks, path string)
		at, of string
	}{
		"folder of the attempt": {func(d *disks, p string) { d.chmod(comfy.Folder(prompt), 0o700) }, comfy.Folder(prompt), "user id"},
		"folder of a node":      {func(d *disks, p string) { d.chmod(filepath.Dir(p), 0o700) }, filepath.Dir(string(source("a.png"))), "user id"},
		"file":                  {func(d *disks, p string) { d.chmod(p, 0o600) }, string(source("a.png")), "user id"},
		"deep": {func(d *disks, p string) {
			d.write(filepath.Dir(p)+strings.Repeat("/d", maxDepth+1)+"/a.png", []byte("x"))
		}, filepath.Dir(string(source("a.png"))) + strings.Repeat("/d", maxDepth), "deep"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisks(t)
			path := string(source("a.png"))
			d.write(path, picture(t, 1))
			c.spoil(d, path)
			s := d.share()
			tr := newTree(watched, comfy.Folder(prompt), livePace(time.Second), time.Now())
			asNobody(t, func() {
				var got []job.Sighting
				for range 3 {
					l := &look{s: s, t: tr, now: time.Now(), pulse: &pulse{}}
					for _, x := range l.run().sightings {
						if x.Mark == job.MarkBlocked {
							got = append(got, x)
						}
					}
				}
				if len(got) != 1 || string(got[0].Path) != c.at || got[0].PromptID != prompt || !strings.Contains(got[0].Reason, c.of) {
					t.Errorf("told: %+v, want once of %s", got, c.at)
				}
			})
		})
	}
}

func (d *disks) chmod(path string, mode os.FileMode) {
	d.t.Helper()
	if err := os.Chmod(filepath.Join(d.outputs, path), mode); err != nil {
		d.t.Fatal(err)
	}
}
