package store_test

import (
	"errors"
	"math/rand"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// heavy is a job whose body does not compress, size in bytes.
func heavy(n, size int) job.Fact {
	f := ledgertest.Story{N: n, User: "ada", Key: "heavy"}.Created()
	body := make([]byte, size)
	rand.New(rand.NewSource(int64(n))).Read(body)
	f.Spec.Workflow = "heavy"
	f.Blobs = []job.Blob{{Hash: "heavy", Data: body}}
	return f
}

// fullDisk expects a Record that does not fit to change nothing, and small ones
// to go on once room says so.
func fullDisk(t *testing.T, s *store.Store, size int, room func()) {
	t.Helper()
	mixed(t, s, 1, 20)
	w, err := s.Watch(100)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	before := everything(t, s)
	big := heavy(501, size)
	for range 3 {
		_, err := s.Record(ledgertest.Story{N: 500, User: "ada"}.Created(), big)
		var e *job.Error
		if !errors.As(err, &e) || e.Code != "disk_full" || e.Class != job.Unavailable || !e.Transient {
			t.Fatalf("got %v", err)
		}
	}
	for name, v := range everything(t, s) {
		if v != before[name] {
			t.Errorf("%s changed although nothing was recorded", name)
		}
	}
	if len(w.Changes) != 0 {
		t.Error("a change was published that is not on disk")
	}
	sound(t, s)
	room()
	ledgertest.Record(t, s, ledgertest.Story{N: 500, User: "ada"}.Created(), big)
	mixed(t, s, 600, 20)
	sound(t, s)
}

// TestFileTooBig: the file may not grow (a limit or a quota of the system).
func TestFileTooBig(t *testing.T) {
	s := open(t)
	if err := s.SetSetting("fill", make([]byte, 1<<20)); err != nil { // makes the file grow by a step
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: uint64(s.Stats().Size) + 1<<20, Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Skipf("cannot limit the size of files: %v", err)
	}
	restore := func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}
	defer restore()
	fullDisk(t, s, 24<<20, restore)
}

// TestDiskFull: the disk takes no more pages. It needs a small file system of
// its own, and so the right to mount one.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	s, err := store.Open(store.Options{Path: filepath.Join(dir, "qmtui.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed(t, s)
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	fullDisk(t, s, 6<<20, func() {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
	})
}
