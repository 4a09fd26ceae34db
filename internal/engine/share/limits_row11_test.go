package share

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// TestLimitsRow11HardLinksAreNotStaged: an input with several names may be
// another user's file.
func TestLimitsRow11HardLinksAreNotStaged(t *testing.T) {
	d, inputs, uploads := carrying(t)
	theirs, own := filepath.Join(uploads, "user002", "theirs.png"), filepath.Join(uploads, "user001", "hard.png")
	writeFile(t, theirs, []byte("secret"))
	writeFile(t, filepath.Join(uploads, "user001", "own.png"), []byte("own"))
	if err := unix.Link(theirs, own); err != nil {
		t.Fatal(err)
	}
	s := d.share()
	if _, err := s.Take(t.Context(), "user001", []job.Input{loads("hard.png")}); code(err) != "input_refused" || !strings.Contains(string(job.AsError(err).NodeErrors)+err.Error(), "hard links") {
		t.Errorf("%v", err)
	}
	if _, err := s.Take(t.Context(), "user001", []job.Input{loads("own.png")}); err != nil {
		t.Error(err)
	}
	if got, _ := filepath.Glob(filepath.Join(inputs, "qm", "user001", "*", "input", "hard.png")); len(got) != 0 {
		t.Errorf("staged %v", got)
	}
}

// TestLimitsRow11LinksInTheUsersFolder: what a user put in the place of a
// delivered file is not there, and the answer names no path of this machine.
func TestLimitsRow11LinksInTheUsersFolder(t *testing.T) {
	d := newDisks(t)
	writeFile(t, d.user("cat.png"), []byte("cat"))
	for link, to := range map[string]string{"out": "/etc/passwd", "loop": "loop", "up": "../user002/cat.png"} {
		if err := os.Symlink(to, d.user(link)); err != nil {
			t.Fatal(err)
		}
	}
	s := d.share()
	for _, dest := range []string{"out", "loop", "up", "cat.png/x", "out/x"} {
		_, err := s.Open("user001", dest)
		if e := job.AsError(err); err == nil || e.Class != job.NotFound || strings.Contains(err.Error(), d.user("")) {
			t.Errorf("%s: %v", dest, err)
		}
	}
}
