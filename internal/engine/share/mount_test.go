package share

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// mountTmpfs mounts a small file system, or skips.
func mountTmpfs(t testing.TB, at, options string) (unmount func()) {
	t.Helper()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, options); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v", err)
	}
	unmount = func() { _ = unix.Unmount(at, unix.MNT_DETACH) }
	t.Cleanup(unmount)
	return unmount
}

// TestUnmounted takes the share away under a running look: nothing has vanished.
func TestUnmounted(t *testing.T) {
	d := newDisks(t)
	unmount := mountTmpfs(t, d.outputs, "size=4m")
	path := string(source("cat_00001_.png"))
	d.write(path, picture(t, 1))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(5 * time.Second)
		if st := s.Status(); !st.Mounted || st.FSType != "tmpfs" || st.Free == 0 || st.LookedAt.IsZero() {
			t.Errorf("mounted: %+v", st)
		}
		unmount()
		pass(20 * time.Second)
		if st := s.Status(); st.Mounted || st.Error == nil || st.Error.Code != "share_not_mounted" {
			t.Errorf("unmounted: %+v", st)
		}
		if got := w.marks(path, job.MarkVanished); len(got) > 0 {
			t.Errorf("said to have vanished: %v", got)
		}
		if _, err := s.Copy(t.Context(), transfer("cat_00001_.png", "cat_00001_.png")); code(err) != "share_not_mounted" {
			t.Errorf("copy: %v", err)
		}
		d.only(nil)
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestNeverMounted waits for a share that comes late, known by a sentinel, by
// being a mount point at all, or by being there.
func TestNeverMounted(t *testing.T) {
	for name, spoil := range map[string]func(d *disks){
		"sentinel": func(d *disks) { d.opt.Sentinel = ".share" },
		"mount": func(d *disks) {
			var root, here unix.Stat_t
			if unix.Stat("/", &root) != nil || unix.Stat(d.outputs, &here) != nil || root.Dev != here.Dev {
				d.t.Skip("temporary files are on a disk of their own")
			}
			d.opt.RequireMount = true
		},
		"missing": func(d *disks) { os.Remove(d.outputs) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisks(t)
			spoil(d)
			synctest.Test(t, func(t *testing.T) {
				s := d.share()
				w := watch(t, s)
				s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
				pass(3 * time.Second)
				st := s.Status()
				if st.Mounted || st.Error == nil || !strings.Contains(st.Error.Error(), "qmtui doctor") || !st.LookedAt.IsZero() {
					t.Errorf("%+v", st)
				}
				if _, err := s.Copy(t.Context(), transfer("cat_00001_.png", "x_00001_.png")); code(err) != "share_not_mounted" {
					t.Errorf("copy: %v", err)
				}
				if name == "mount" {
					return
				}
				writeFile(t, filepath.Join(d.outputs, ".share"), nil)
				d.write(string(source("cat_00001_.png")), picture(t, 1))
				pass(3 * time.Second)
				if len(w.marks(string(source("cat_00001_.png")), job.MarkWhole)) != 1 || !s.Status().Mounted {
					t.Errorf("after the mount: %v %+v", w.list(), s.Status())
				}
				if err := w.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestVanished(t *testing.T) {
	d := newDisks(t)
	path, stays := string(source("cat_00001_.png")), string(source("dog_00001_.png"))
	d.write(path, picture(t, 1))
	d.write(stays, picture(t, 2))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(5 * time.Second)
		if err := os.Remove(filepath.Join(d.outputs, path)); err != nil {
			t.Error(err)
		}
		pass(5 * time.Second)
		if len(w.marks(path, job.MarkVanished)) != 1 || len(w.marks(stays, job.MarkVanished)) != 0 {
			t.Errorf("%v", w.list())
		}
		d.write(path, picture(t, 3))
		pass(5 * time.Second)
		if len(w.marks(path, job.MarkWhole)) != 2 {
			t.Errorf("came back: %v", w.list())
		}
		if err := os.RemoveAll(filepath.Join(d.outputs, "qm")); err != nil {
			t.Error(err)
		}
		pass(30 * time.Second)
		if len(w.marks(stays, job.MarkVanished)) != 0 {
			t.Errorf("believed a share without its top folder: %v", w.list())
		}
		if _, err := s.Copy(t.Context(), transfer("dog_00001_.png", "x_00001_.png")); code(err) != "share_not_mounted" {
			t.Errorf("copy without top folder: %v", err)
		}
		if err := os.MkdirAll(filepath.Join(d.outputs, "qm"), 0o755); err != nil {
			t.Error(err)
		}
		if _, err := s.Copy(t.Context(), transfer("dog_00001_.png", "x_00001_.png")); code(err) != "source_vanished" {
			t.Errorf("copy of a file that is gone: %v", err)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestDiskFull fills a small disk, and heals it.
func TestDiskFull(t *testing.T) {
	d := newDisks(t)
	mountTmpfs(t, d.users, "size=1m")
	tr := transfer("big.xyz", "big.xyz")
	tr.Settled = true
	b := bytes.Repeat([]byte("0123456789abcdef"), 40<<10)
	d.write(string(tr.Source), b)
	ballast := filepath.Join(d.users, "ballast")
	writeFile(t, ballast, make([]byte, 600<<10))
	s := d.share()
	if _, err := s.Copy(t.Context(), tr); code(err) != "disk_full" {
		t.Errorf("full: %v", err)
	}
	if left, _ := os.ReadDir(d.user("")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d.opt.Reserve = 700 << 10
	if _, err := d.share().Copy(t.Context(), tr); code(err) != "disk_full" {
		t.Errorf("into the reserve: %v", err)
	}
	if _, err := s.Copy(t.Context(), tr); err != nil {
		t.Errorf("healed: %v", err)
	}
	d.only(map[string][]byte{"big.xyz": b})
}

func TestReadOnlyDisks(t *testing.T) {
	d := newDisks(t)
	mountTmpfs(t, d.users, "size=1m")
	mountTmpfs(t, d.outputs, "size=1m")
	tr := transfer("cat_00001_.png", "cat_00001_.png")
	b := picture(t, 1)
	d.write(string(tr.Source), b)
	readOnly(t, d.users, true)
	readOnly(t, d.outputs, true)
	s := d.share()
	if _, err := s.Copy(t.Context(), tr); code(err) != "not_writable" || !strings.Contains(err.Error(), "user id") {
		t.Errorf("copy: %v", err)
	}
	if err := s.Discard(t.Context(), tr.Source); code(err) != "share_read_only" || !s.Status().ReadOnly {
		t.Errorf("discard: %v, %+v", err, s.Status())
	}
	readOnly(t, d.users, false)
	if _, err := s.Copy(t.Context(), tr); err != nil {
		t.Errorf("healed, from a read-only share: %v", err)
	}
	d.only(map[string][]byte{tr.Dest: b})
}

func readOnly(t *testing.T, at string, on bool) {
	t.Helper()
	flags := uintptr(unix.MS_REMOUNT)
	if on {
		flags |= unix.MS_RDONLY
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", flags, ""); err != nil {
		t.Skipf("cannot remount: %v", err)
	}
}

func TestNoUsersFolder(t *testing.T) {
	d := newDisks(t)
	tr := transfer("cat_00001_.png", "cat_00001_.png")
	d.write(string(tr.Source), picture(t, 1))
	if err := os.Remove(d.users); err != nil {
		t.Fatal(err)
	}
	s := d.share()
	if _, err := choose(t, s, tr); code(err) != "not_writable" {
		t.Errorf("choose: %v", err)
	}
	if _, err := s.Copy(t.Context(), tr); code(err) != "not_writable" {
		t.Errorf("copy: %v", err)
	}
	if _, err := os.Stat(d.users); err == nil {
		t.Error("the folder of all users was made")
	}
}

// mountBind shows backing at point through FUSE, or skips.
func mountBind(t testing.TB, backing, point string) {
	t.Helper()
	if out, err := exec.Command("bindfs", backing, point).CombinedOutput(); err != nil {
		t.Skipf("no FUSE here: bindfs: %v %s", err, out)
	}
	t.Cleanup(func() {
		for _, umount := range [][]string{{"fusermount3", "-u", "-z"}, {"fusermount", "-u", "-z"}, {"umount", "-l"}} {
			out, err := exec.Command(umount[0], append(umount[1:], point)...).CombinedOutput()
			if err == nil {
				return
			}
			t.Logf("%s: %v %s", umount[0], err, out)
		}
	})
}

// TestBehindFUSE writes behind the mount, so that no event ever comes.
func TestBehindFUSE(t *testing.T) {
	d := newDisks(t)
	backing := t.TempDir()
	mountBind(t, backing, d.outputs)
	d.opt.Poll, d.opt.Watch = 100*time.Millisecond, "auto"
	s := d.share()
	w := watch(t, s)
	s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
	want := map[string][]byte{}
	for i, name := range []string{"a_00001_.png", "a_00002_.png", "deep/er/b_00001_.png", "c_00001_.png"} {
		b := picture(t, i)
		at := filepath.Join(backing, string(source(name)))
		writeFile(t, at, b[:len(b)/2])
		w.find(t, string(source(name)), job.MarkSeen)
		writeFile(t, at, b)
		if got := w.find(t, string(source(name)), job.MarkWhole); got.Size != int64(len(b)) {
			t.Errorf("%s is whole with %d of %d bytes", name, got.Size, len(b))
		}
		if _, err := s.Copy(t.Context(), transfer(name, name)); err != nil {
			t.Error(err)
		}
		want[name] = b
	}
	d.only(want)
	if st := s.Status(); st.Watch != "poll" || st.FSType != "fuse" {
		t.Errorf("%+v", st)
	}
}

// A file in the place of a folder is neither a question of rights nor a
// failing disk: the trouble names it, and the way out.
func TestFileInPlaceOfAFolder(t *testing.T) {
	for name, at := range map[string]string{"of the user": "user001", "of the prefix": "user001/kept"} {
		t.Run(name, func(t *testing.T) {
			d := newDisks(t)
			tr := transfer("kept/cat_00001_.png", "kept/cat_00001_.png")
			b := picture(t, 1)
			d.write(string(tr.Source), b)
			blocker := filepath.Join(d.users, at)
			if err := errors.Join(os.MkdirAll(filepath.Dir(blocker), 0o755), os.WriteFile(blocker, []byte("x"), 0o644)); err != nil {
				t.Fatal(err)
			}
			s := d.share()
			_, chosen := choose(t, s, tr)
			_, copied := s.Copy(t.Context(), tr)
			for _, err := range []error{chosen, copied} {
				e := job.AsError(err)
				if e.Code != "folder_blocked" || !e.Transient || !strings.Contains(e.Message, blocker) || !strings.Contains(e.Hint, "move") {
					t.Errorf("%v", err)
				}
			}
			if err := os.Remove(blocker); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Copy(t.Context(), tr); err != nil {
				t.Errorf("healed: %v", err)
			}
			d.only(map[string][]byte{tr.Dest: b})
		})
	}
}
