package engine_test

import (
	"context"
	"math/rand"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// TestRow17AFullDiskShowsInTheStatus: a submit that meets a full disk is
// refused, and the status says so until the ledger takes as much again, also
// when nobody submits any more.
func TestRow17AFullDiskShowsInTheStatus(t *testing.T) {
	s, err := store.Open(store.Options{Path: filepath.Join(t.TempDir(), "qmtui.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetSetting("fill", make([]byte, 1<<20)); err != nil { // makes the file grow by a step
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}
	defer restore()
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(s.Stats().Size) + 1<<20, Max: was.Max}); err != nil {
		t.Skipf("cannot limit the size of files: %v", err)
	}
	heavy := make([]byte, 24<<20)
	rand.New(rand.NewSource(1)).Read(heavy)
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t, ledger: ledgertest.NewMemory(), share: newShare(), fleet: newFleet(1), heavy: heavy, real: s}
		h.start()
		defer func() { h.stop() }()
		h.pass(time.Second)
		if e := h.Status().Ledger; e != nil {
			t.Errorf("before anything was refused: %v", e)
		}
		_, _, err := h.Submit(context.Background(), job.Request{User: "user001", Workflow: []byte("[]"), Priority: job.Normal, Caller: job.Caller{Name: "user001"}})
		if e := job.AsError(err); e == nil || e.Code != "disk_full" {
			t.Fatalf("submit: %v", err)
		}
		for range 3 {
			h.pass(20 * time.Second)
			if e := h.Status().Ledger; e == nil || e.Code != "disk_full" || e.Hint == "" {
				t.Errorf("while the disk is full: %v", e)
			}
			if _, ok := h.warning("disk_full"); !ok {
				t.Error("no warning")
			}
		}
		restore()
		h.pass(20 * time.Second)
		if e := h.Status().Ledger; e != nil {
			t.Errorf("with room again: %v", e)
		}
	})
}
