package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/store"
)

// writer starts this test binary as a process that owns the ledger at path and
// prints a line for each job that it has recorded.
func writer(t *testing.T, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "QMTUI_TEST_WRITER="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the writer was not killed")
	}
}

// TestLockNamesHolder: the second process learns who has the ledger, and gets
// it as soon as that process is dead.
func TestLockNamesHolder(t *testing.T) {
	path := newPath(t)
	cmd, lines := writer(t, path)
	if !lines.Scan() {
		t.Fatal("the writer said nothing")
	}
	_, err := store.Open(store.Options{Path: path, Timeout: time.Millisecond})
	host, _ := os.Hostname()
	if code(err) != "state_locked" || !strings.Contains(err.Error(), fmt.Sprintf("is held by process %d on %s since 20", cmd.Process.Pid, host)) ||
		!strings.Contains(err.Error(), "; stop it or use its socket") {
		t.Errorf("got %v", err)
	}
	kill(t, cmd)
	sound(t, openAt(t, path))
}

func TestLockInOneProcess(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	if _, err := store.Open(store.Options{Path: path, Timeout: time.Millisecond}); code(err) != "state_locked" {
		t.Errorf("a second opener: %v", err)
	}
	lock := filepath.Join(filepath.Dir(path), "qmtui.lock")
	if err := os.WriteFile(lock, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(store.Options{Path: path, Timeout: time.Millisecond})
	if code(err) != "state_locked" || !strings.Contains(err.Error(), "another process") {
		t.Errorf("an unreadable lock: %v", err)
	}
	closed(t, s)
	if _, err := os.Stat(lock); err != nil {
		t.Errorf("the lock file was unlinked: %v", err)
	}
	openAt(t, path)
}

// TestLockWaits: an opener with time gets the ledger when the other lets go.
func TestLockWaits(t *testing.T) {
	path := newPath(t)
	first := openAt(t, path)
	opened := make(chan error)
	go func() {
		s, err := store.Open(store.Options{Path: path, Timeout: time.Minute})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	closed(t, first)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// TestLockOfAnotherProgram: a tool that knows nothing of our lock file.
func TestLockOfAnotherProgram(t *testing.T) {
	path := newPath(t)
	closed(t, openAt(t, path))
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = store.Open(store.Options{Path: path, Timeout: time.Millisecond})
	if code(err) != "state_locked" || !strings.Contains(err.Error(), "not qmtui") {
		t.Errorf("got %v", err)
	}
}
