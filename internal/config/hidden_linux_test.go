package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFileInAHiddenFolder: where the user may not look into the working folder, as the service's in
// /root, the next file counts; a system file that cannot be reached is an error all the same.
func TestFileInAHiddenFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who can take on another user's rights for a thread")
	}
	open, err := os.MkdirTemp("", "qm")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(open) }()
	closed, system := filepath.Join(open, "closed"), filepath.Join(open, "system.toml")
	if err := errors.Join(os.Chmod(open, 0o755), os.Mkdir(closed, 0o700), os.WriteFile(system, []byte("[queue]\nmax_depth = 7\n"), 0o644),
		os.Chmod(system, 0o644), // whatever the umask is
		os.WriteFile(filepath.Join(closed, "qmtui.toml"), []byte("[queue]\nmax_depth = 8\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	asNobody := func(o Options) (cfg Config, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			if err = unix.Setfsuid(65534); err == nil {
				cfg, _, err = Load(o)
			}
		}()
		<-done
		return cfg, err
	}
	if cfg, err := asNobody(Options{Env: []string{}, Dir: closed, System: system}); err != nil || cfg.Queue.MaxDepth != 7 {
		t.Errorf("max_depth %d, %v; want that of the system file", cfg.Queue.MaxDepth, err)
	}
	if _, err := asNobody(Options{Env: []string{}, Dir: open, System: filepath.Join(closed, "qmtui.toml")}); len(ProblemsOf(err)) != 1 || ProblemsOf(err)[0].Code != CodeUnreadable {
		t.Errorf("a system file in a closed folder: %v", err)
	}
}
