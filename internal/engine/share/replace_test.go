package share

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// rewritten is a delivered picture whose source was written again.
func rewritten(t *testing.T) (d *disks, tr job.Transfer, older, newer []byte) {
	t.Helper()
	d, tr = newDisks(t), transfer("video/cat_00001_.png", "video/cat_00001_.png")
	older, newer = picture(t, 1), withText(picture(t, 1), "note", "written later")
	d.write(string(tr.Source), newer)
	writeFile(t, d.user(tr.Dest), older)
	tr.Replaces = checksumOf(older)
	return d, tr, older, newer
}

// noExchange is a file system that cannot exchange two names.
func noExchange(int, string, string) error { return unix.EINVAL }

// ways runs a test with the exchange of the kernel, and without it.
func ways(t *testing.T, test func(t *testing.T, way func(s *Share))) {
	t.Run("exchange", func(t *testing.T) { test(t, func(*Share) {}) })
	t.Run("no exchange", func(t *testing.T) { test(t, func(s *Share) { s.swap = noExchange }) })
}

// TestRow07Rewritten: a source that was written again is delivered again, in the
// place of the delivered version.
func TestRow07Rewritten(t *testing.T) {
	ways(t, func(t *testing.T, way func(*Share)) {
		d, tr, _, newer := rewritten(t)
		s := d.share()
		way(s)
		r, err := s.Copy(t.Context(), tr)
		if err != nil || r.Checksum != checksumOf(newer) || r.Size != int64(len(newer)) || r.Dest != tr.Dest || r.Modified.IsZero() {
			t.Errorf("%+v, %v", r, err)
		}
		d.only(map[string][]byte{tr.Dest: newer})
		tr.Replaces = r.Checksum
		if again, err := s.Copy(t.Context(), tr); err != nil || again.Checksum != r.Checksum || !again.Repeated {
			t.Errorf("again: %+v, %v", again, err)
		}
	})
}

// TestRow07Touched: a source with the bytes of before copies nothing, whatever
// has become of the delivered file.
func TestRow07Touched(t *testing.T) {
	d, tr, older, _ := rewritten(t)
	d.write(string(tr.Source), older)
	writeFile(t, d.user(tr.Dest), []byte("its user's"))
	s := d.share()
	s.step = func(name string) error {
		if name == "create" {
			t.Error("it copies")
		}
		return nil
	}
	if r, err := s.Copy(t.Context(), tr); err != nil || r.Checksum != tr.Replaces {
		t.Errorf("%+v, %v", r, err)
	}
	d.only(map[string][]byte{tr.Dest: []byte("its user's")})
}

// TestRow07UserChangedIt: what its user has changed is not replaced, whenever
// that happens.
func TestRow07UserChangedIt(t *testing.T) {
	ways(t, func(t *testing.T, way func(*Share)) {
		for _, at := range []string{"check", "create", "exchange", "move away"} {
			d, tr, _, _ := rewritten(t)
			s := d.share()
			way(s)
			done := false
			s.step = func(name string) error {
				if name != at || done {
					return nil
				}
				done = true
				return os.WriteFile(d.user(tr.Dest), []byte("its user's"), 0o644)
			}
			_, err := s.Copy(t.Context(), tr)
			if !done {
				continue // no such step on this way
			}
			if code(err) != "dest_taken" {
				t.Errorf("changed at %s: %v", at, err)
			}
			d.only(map[string][]byte{tr.Dest: []byte("its user's")})
		}
	})
}

// TestRow07UserMovedIt: the newer version takes the place that its user has left.
func TestRow07UserMovedIt(t *testing.T) {
	ways(t, func(t *testing.T, way func(*Share)) {
		d, tr, older, newer := rewritten(t)
		if err := os.Rename(d.user(tr.Dest), d.user("video/mine.png")); err != nil {
			t.Fatal(err)
		}
		s := d.share()
		way(s)
		if _, err := s.Copy(t.Context(), tr); err != nil {
			t.Error(err)
		}
		d.only(map[string][]byte{tr.Dest: newer, "video/mine.png": older})
	})
}

// TestRow07HostilePlace: a link or a folder at the place is left alone.
func TestRow07HostilePlace(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"a link":   func(p string) error { return os.Symlink("../../other", p) },
		"a folder": func(p string) error { return os.Mkdir(p, 0o755) },
	} {
		d, tr, _, _ := rewritten(t)
		if err := errors.Join(os.Remove(d.user(tr.Dest)), plant(d.user(tr.Dest))); err != nil {
			t.Fatal(err)
		}
		if _, err := d.share().Copy(t.Context(), tr); code(err) != "dest_taken" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// replaceSteps are the places where a replacing copy can die, on either way.
var replaceSteps = []string{"check", "source", "compare", "folder", "recover", "stale", "reserve", "create", "bytes", "judge", "sync", "swap name",
	"exchange", "move away", "moved away", "publish", "remove old", "came out", "exchange sync", "remove", "folder sync", "finished"}

// TestReplaceSteps holds the list of steps against what is really done.
func TestReplaceSteps(t *testing.T) {
	var seen []string
	ways(t, func(t *testing.T, way func(*Share)) {
		d, tr, _, _ := rewritten(t)
		s := d.share()
		way(s)
		s.step = func(name string) error { seen = append(seen, name); return nil }
		if _, err := s.Copy(t.Context(), tr); err != nil {
			t.Error(err)
		}
	})
	for _, step := range replaceSteps {
		if !slices.Contains(seen, step) {
			t.Errorf("%s is no step", step)
		}
	}
	for _, step := range seen {
		if !slices.Contains(replaceSteps, step) {
			t.Errorf("%s is not in the list", step)
		}
	}
}

// TestCrashedReplacer is no test: it is the process that the tests below kill.
func TestCrashedReplacer(t *testing.T) {
	outputs, users, step := os.Getenv("CRASH_OUTPUTS"), os.Getenv("CRASH_USERS"), os.Getenv("CRASH_STEP")
	if step == "" {
		t.Skip("only runs as the victim of another test")
	}
	s, err := New(Options{Outputs: outputs, Users: users})
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("CRASH_WAY") == "no exchange" {
		s.swap = noExchange
	}
	tr := transfer("video/cat_00001_.png", "video/cat_00001_.png")
	tr.Replaces = os.Getenv("CRASH_REPLACES")
	edit := os.Getenv("CRASH_EDIT")
	s.step = func(name string) error {
		if name == edit { // its user is quick
			if err := os.WriteFile(filepath.Join(users, "user001", tr.Dest), []byte("its user's"), 0o644); err != nil {
				return err
			}
			edit = ""
		}
		if name == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	_, err = s.Copy(context.Background(), tr)
	fmt.Println("survived", step, err)
}

// crashReplacer runs a copy that is killed at a step, after an edit at another;
// false when it ended before it came to that step.
func crashReplacer(t *testing.T, d *disks, way, step, edit, replaces string) bool {
	t.Helper()
	victim := exec.Command(os.Args[0], "-test.run=^TestCrashedReplacer$")
	victim.Env = append(os.Environ(), "CRASH_OUTPUTS="+d.outputs, "CRASH_USERS="+d.users, "CRASH_STEP="+step, "CRASH_WAY="+way,
		"CRASH_REPLACES="+replaces, "CRASH_EDIT="+edit)
	out, err := victim.CombinedOutput()
	var exit *exec.ExitError
	if err == nil && strings.Contains(string(out), "survived") {
		return false
	}
	if !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("was not killed: %v\n%s", err, out)
	}
	return true
}

// TestRow07Crash kills a replacing process at each step and copies again: at
// every moment a complete file stands there, and in the end one alone.
func TestRow07Crash(t *testing.T) {
	for _, way := range []string{"exchange", "no exchange"} {
		for _, step := range replaceSteps {
			t.Run(way+" "+step, func(t *testing.T) {
				t.Parallel()
				d, tr, older, newer := rewritten(t)
				crashReplacer(t, d, way, step, "", tr.Replaces)
				if n := d.complete(older, newer); way == "exchange" && !slices.ContainsFunc([][]byte{older, newer}, func(b []byte) bool { return bytes.Equal(b, d.read(tr.Dest)) }) || n == 0 {
					t.Errorf("%d complete files, at the place %d bytes", n, len(d.read(tr.Dest)))
				}
				s := d.share()
				if way == "no exchange" {
					s.swap = noExchange
				}
				if r, err := s.Copy(t.Context(), tr); err != nil || r.Checksum != checksumOf(newer) {
					t.Errorf("%+v, %v", r, err)
				}
				d.only(map[string][]byte{tr.Dest: newer})
			})
		}
	}
}

func (d *disks) read(dest string) []byte {
	b, _ := os.ReadFile(d.user(dest))
	return b
}

// complete counts the files in the user's folder that are one of these.
func (d *disks) complete(versions ...[]byte) (n int) {
	_ = filepath.WalkDir(d.users, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			b, _ := os.ReadFile(p)
			if slices.ContainsFunc(versions, func(v []byte) bool { return bytes.Equal(b, v) }) {
				n++
			}
		}
		return nil
	})
	return n
}

// TestRow07CrashProperty lets the user edit the file, the process die and the
// source be written once more, all at any step, and then ends it: the edit and
// the last version of the source stand there, and nothing is hidden.
// QMTUI_REPLACE says how many runs; 40 unless said.
func TestRow07CrashProperty(t *testing.T) {
	runs := 40
	if n, err := strconv.Atoi(os.Getenv("QMTUI_REPLACE")); err == nil {
		runs = n
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(uint64(seed), 7))
			way := []string{"exchange", "no exchange"}[dice.IntN(2)]
			d, tr, _, newer := rewritten(t)
			edited := false
			story := []string{way}
			for range 1 + dice.IntN(3) {
				step, edit := replaceSteps[dice.IntN(len(replaceSteps))], ""
				if !edited && dice.IntN(2) == 0 {
					edit = replaceSteps[dice.IntN(len(replaceSteps))]
				}
				crashReplacer(t, d, way, step, edit, tr.Replaces)
				story = append(story, fmt.Sprintf("killed at %s, edited at %q", step, edit))
				edited = edited || d.complete([]byte("its user's")) > 0
				if dice.IntN(4) == 0 {
					newer = withText(newer, "note", fmt.Sprint("again ", len(story)))
					d.write(string(tr.Source), newer)
					story = append(story, "written again")
				}
			}
			s := d.share()
			if way == "no exchange" {
				s.swap = noExchange
			}
			_, err := s.Copy(t.Context(), tr)
			if code(err) == "dest_taken" { // the engine names another place
				tr.Dest, tr.Replaces = "video/cat_00002_.png", ""
				_, err = s.Copy(t.Context(), tr)
			}
			if err != nil {
				t.Error(err)
			}
			if edited && d.complete([]byte("its user's")) != 1 {
				t.Errorf("what the user wrote stands there %d times", d.complete([]byte("its user's")))
			}
			if !bytes.Equal(d.read(tr.Dest), newer) {
				t.Errorf("not the last version at %s", tr.Dest)
			}
			hidden, _ := filepath.Glob(d.user("video/.qmtui-*"))
			if len(hidden) > 0 {
				t.Errorf("left: %v", hidden)
			}
			if t.Failed() {
				t.Log(strings.Join(story, "\n"))
			}
		})
	}
}

// TestReplaceFailedStep fails each step once: the next try ends as if nothing had happened.
func TestReplaceFailedStep(t *testing.T) {
	ways(t, func(t *testing.T, way func(*Share)) {
		for _, step := range replaceSteps {
			d, tr, _, newer := rewritten(t)
			s := d.share()
			way(s)
			failed := false
			s.step = func(name string) error {
				if name == step && !failed {
					failed = true
					return unix.ENOSPC
				}
				return nil
			}
			if _, err := s.Copy(t.Context(), tr); failed != (code(err) == "disk_full") {
				t.Errorf("%s: %v", step, err)
			}
			if hidden, _ := filepath.Glob(d.user("video/.qmtui-*")); len(hidden) > 0 {
				t.Errorf("%s left %v", step, hidden)
			}
			s.step = nil
			if _, err := s.Copy(t.Context(), tr); err != nil {
				t.Errorf("%s, again: %v", step, err)
			}
			d.only(map[string][]byte{tr.Dest: newer})
		}
	})
}
