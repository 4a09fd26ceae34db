package share

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// copySteps are the places where a copy can die.
var copySteps = []string{"check", "source", "folder", "stale", "existing", "reserve", "create", "bytes", "judge", "sync", "publish", "folder sync", "finished"}

// TestCrashedCopier is no test: it is the process that TestCrash kills.
func TestCrashedCopier(t *testing.T) {
	outputs, users, step := os.Getenv("CRASH_OUTPUTS"), os.Getenv("CRASH_USERS"), os.Getenv("CRASH_STEP")
	if step == "" {
		t.Skip("only runs as the victim of TestCrash")
	}
	s, err := New(Options{Outputs: outputs, Users: users})
	if err != nil {
		t.Fatal(err)
	}
	s.step = func(name string) error {
		if name == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	_, err = s.Copy(context.Background(), transfer("video/cat_00001_.png", "video/cat_00001_.png"))
	t.Fatalf("survived %s: %v", step, err)
}

// TestCrash kills a copying process at each step and copies again.
func TestCrash(t *testing.T) {
	for _, step := range copySteps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			d := newDisks(t)
			b := picture(t, 1)
			d.write(string(source("video/cat_00001_.png")), b)
			victim := exec.Command(os.Args[0], "-test.run=^TestCrashedCopier$")
			victim.Env = append(os.Environ(), "CRASH_OUTPUTS="+d.outputs, "CRASH_USERS="+d.users, "CRASH_STEP="+step)
			out, err := victim.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != -1 {
				t.Fatalf("was not killed: %v\n%s", err, out)
			}
			r, err := d.share().Copy(t.Context(), transfer("video/cat_00001_.png", "video/cat_00001_.png"))
			if err != nil {
				t.Fatal(err)
			}
			published := step == "folder sync" || step == "finished"
			if r.Repeated != published || r.Checksum != checksumOf(b) || r.Size != int64(len(b)) {
				t.Errorf("receipt %+v", r)
			}
			d.only(map[string][]byte{"video/cat_00001_.png": b})
		})
	}
}

// TestFailedStep fails each step once: what was begun is cleaned away, and the
// next try ends with one file.
func TestFailedStep(t *testing.T) {
	for _, step := range copySteps {
		d := newDisks(t)
		b := picture(t, 1)
		d.write(string(source("cat_00001_.png")), b)
		s := d.share()
		s.step = func(name string) error {
			if name == step {
				return unix.ENOSPC
			}
			return nil
		}
		tr := transfer("cat_00001_.png", "cat_00001_.png")
		if _, err := s.Copy(t.Context(), tr); code(err) != "disk_full" {
			t.Errorf("%s: %v", step, err)
		}
		if left, _ := filepath.Glob(d.user(".qmtui-*")); len(left) > 0 {
			t.Errorf("%s left %v", step, left)
		}
		s.step = nil
		if _, err := s.Copy(t.Context(), tr); err != nil {
			t.Errorf("%s, again: %v", step, err)
		}
		d.only(map[string][]byte{"cat_00001_.png": b})
	}
}

func TestStaleTemporaryIsReplaced(t *testing.T) {
	d := newDisks(t)
	b, tr := picture(t, 1), transfer("cat_00001_.png", "cat_00001_.png")
	d.write(string(tr.Source), b)
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, []byte("keep"))
	if err := os.MkdirAll(d.user(""), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, d.user(temporaryName(tr.Output))); err != nil {
		t.Fatal(err)
	}
	if _, err := d.share().Copy(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
	d.only(map[string][]byte{"cat_00001_.png": b})
	if got, _ := os.ReadFile(secret); string(got) != "keep" {
		t.Errorf("wrote through a planted link: %q", got)
	}
}

func TestCopyNeverOverwrites(t *testing.T) {
	d := newDisks(t)
	b, tr := picture(t, 1), transfer("cat_00001_.png", "cat_00001_.png")
	d.write(string(tr.Source), b)
	other := picture(t, 2)
	for name, plant := range map[string]func() error{
		"other bytes, same size": func() error { return os.WriteFile(d.user(tr.Dest), bytes.Repeat([]byte("x"), len(b)), 0o644) },
		"other size":             func() error { return os.WriteFile(d.user(tr.Dest), other[:9], 0o644) },
		"a folder":               func() error { return os.Mkdir(d.user(tr.Dest), 0o755) },
		"a dangling link":        func() error { return os.Symlink("nowhere", d.user(tr.Dest)) },
	} {
		if err := os.MkdirAll(d.user(""), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := plant(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.share().Copy(t.Context(), tr); code(err) != "dest_taken" {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.RemoveAll(d.user("")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSomebodyIsQuicker plants a file between the look and the rename.
func TestSomebodyIsQuicker(t *testing.T) {
	for _, same := range []bool{true, false} {
		d := newDisks(t)
		b, tr := picture(t, 1), transfer("cat_00001_.png", "cat_00001_.png")
		d.write(string(tr.Source), b)
		planted := b
		if !same {
			planted = []byte("theirs")
		}
		s := d.share()
		s.step = func(name string) error {
			if name == "publish" {
				return os.WriteFile(d.user(tr.Dest), planted, 0o644)
			}
			return nil
		}
		r, err := s.Copy(t.Context(), tr)
		if same && (err != nil || !r.Repeated || r.Checksum != checksumOf(b)) || !same && code(err) != "dest_taken" {
			t.Errorf("same %v: %+v, %v", same, r, err)
		}
		d.only(map[string][]byte{tr.Dest: planted})
	}
}

func TestCopyRefusesWhatIsNotWhole(t *testing.T) {
	b := picture(t, 1)
	path := func(d *disks) string { return filepath.Join(d.outputs, string(source("cat_00001_.png"))) }
	for _, c := range []struct {
		name string
		step string
		meddle,
		prepare func(d *disks) error
	}{
		{name: "half a file", prepare: func(d *disks) error { return os.Truncate(path(d), int64(len(b)/2)) }},
		{name: "empty", prepare: func(d *disks) error { return os.Truncate(path(d), 0) }},
		{name: "grows after the copy", step: "judge", meddle: func(d *disks) error { return appendTo(path(d), "more") }},
		{name: "is written anew meanwhile", step: "judge", meddle: func(d *disks) error { return os.Chtimes(path(d), time.Time{}, time.Unix(9, 0)) }},
		{name: "is cut meanwhile", step: "bytes", meddle: func(d *disks) error { return os.Truncate(path(d), 9) }},
	} {
		d := newDisks(t)
		d.write(string(source("cat_00001_.png")), b)
		if c.prepare != nil {
			if err := c.prepare(d); err != nil {
				t.Fatal(err)
			}
		}
		s := d.share()
		s.step = func(name string) error {
			if c.meddle != nil && name == c.step {
				return c.meddle(d)
			}
			return nil
		}
		if _, err := s.Copy(t.Context(), transfer("cat_00001_.png", "cat_00001_.png")); code(err) != "not_whole" {
			t.Errorf("%s: %v", c.name, err)
		}
		d.only(nil)
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func TestUnknownFormatWaitsForTheEnd(t *testing.T) {
	d := newDisks(t)
	tr := transfer("notes.xyz", "notes.xyz")
	d.write(string(tr.Source), []byte(strings.Repeat("what format is this? ", 9)))
	s := d.share()
	if _, err := s.Copy(t.Context(), tr); code(err) != "not_whole" {
		t.Errorf("unsettled: %v", err)
	}
	tr.Settled = true
	if _, err := s.Copy(t.Context(), tr); err != nil {
		t.Errorf("settled: %v", err)
	}
}

func TestCopyIsInterrupted(t *testing.T) {
	d := newDisks(t)
	tr := transfer("cat_00001_.png", "cat_00001_.png")
	d.write(string(tr.Source), picture(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	s := d.share()
	s.step = func(name string) error {
		if name == "bytes" {
			cancel()
		}
		return nil
	}
	var e *job.Error
	if _, err := s.Copy(ctx, tr); !errors.As(err, &e) || !e.Transient {
		t.Errorf("%v", err)
	}
	d.only(nil)
}

// TestCopyAcross copies from one file system to another, where the kernel does
// not help.
func TestCopyAcross(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "qmtui-test-")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(shm) })
	d := newDisks(t)
	d.opt.Users = shm
	d.users = shm
	tr := transfer("big.xyz", "a/b/c/big.xyz")
	tr.Settled = true
	b := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	d.write(string(tr.Source), b)
	r, err := d.share().Copy(t.Context(), tr)
	if err != nil || r.Checksum != checksumOf(b) {
		t.Fatalf("%+v, %v", r, err)
	}
	d.only(map[string][]byte{tr.Dest: b})
}

func TestManyCopiesAtOnce(t *testing.T) {
	d := newDisks(t)
	s := d.share()
	want := map[string][]byte{}
	var all sync.WaitGroup
	for i := range 40 {
		name := fmt.Sprintf("set/cat_%05d_.png", i)
		want[name] = picture(t, i)
		d.write(string(source(name)), want[name])
		for range 2 { // the same one twice: one of them may be told to wait
			all.Go(func() {
				if _, err := s.Copy(t.Context(), transfer(name, name)); err != nil && code(err) != "share_stalled" {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	d.only(want)
}

func TestLinkAndRemove(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "tmp"), []byte("new"))
	d, err := openFolder(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := linkAndRemove(d.fd, "tmp", "final"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "tmp"), []byte("newer"))
	if err := linkAndRemove(d.fd, "tmp", "final"); !errors.Is(err, unix.EEXIST) {
		t.Errorf("over another: %v", err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "final")); string(b) != "new" {
		t.Errorf("final is %q", b)
	}
}

// TestOtherVersion copies the version that was attributed and no other: that
// may be another user's.
func TestOtherVersion(t *testing.T) {
	d := newDisks(t)
	d.write(string(source("cat_00001_.png")), picture(t, 1))
	s, tr := d.share(), transfer("cat_00001_.png", "cat_00001_.png")
	info, err := os.Stat(filepath.Join(d.outputs, string(tr.Source)))
	if err != nil {
		t.Fatal(err)
	}
	tr.Version = info.ModTime().Add(-time.Second)
	if _, err := s.Copy(t.Context(), tr); code(err) != "source_vanished" {
		t.Errorf("another version: %v", err)
	}
	tr.Version = info.ModTime().UTC()
	if _, err := s.Copy(t.Context(), tr); err != nil {
		t.Error(err)
	}
}
