package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRootLeavesTheFilesToTheirOwner: an admin checks and compacts as root
// while the manager, which has a user of its own, is stopped.
func TestRootLeavesTheFilesToTheirOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const them = 54321
	dir := t.TempDir()
	path := filepath.Join(dir, "qmtui.db")
	s, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, path} {
		if err := os.Chown(p, them, them); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil { // a folder restored from a backup has none
		t.Fatal(err)
	}
	if _, _, err := Compact(Options{Path: path}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"qmtui.db", lockName} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != them {
			t.Errorf("%s belongs to %d now", name, uid)
		}
	}
}
