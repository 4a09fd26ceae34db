package share

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// TestSlowIsNotStalled holds that a look that gets on is not taken for a hung
// one, however long it takes.
func TestSlowIsNotStalled(t *testing.T) {
	start := time.Unix(0, 0)
	f := &flight{at: start}
	if f.hangs(start.Add(9*time.Second), 10*time.Second) || !f.hangs(start.Add(10*time.Second), 10*time.Second) {
		t.Error("the limit is not kept")
	}
	_, _ = f.pulse.reader(strings.NewReader("bytes")).ReadAt(make([]byte, 1), 0)
	if f.hangs(start.Add(10*time.Second), 10*time.Second) || !f.hangs(start.Add(20*time.Second), 10*time.Second) {
		t.Error("the pulse is not felt")
	}
}

func TestNamesAreBounded(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		writeFile(t, filepath.Join(dir, name), nil)
	}
	for limit, want := range map[int]int{2: 2, 3: 3, 9: 3} {
		d, err := openFolder(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		names, more, err := d.names(limit)
		d.close()
		if err != nil || len(names) != want || more != (limit < 3) {
			t.Errorf("limit %d: %v %v %v", limit, names, more, err)
		}
	}
}

func TestDeepFoldersAreBounded(t *testing.T) {
	d := newDisks(t)
	d.write(string(source(strings.Repeat("d/", maxDepth+1)+"a_00001_.png")), picture(t, 1))
	d.write(string(source("d/a_00001_.png")), picture(t, 1))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(5 * time.Second)
		if got := w.list(); len(got) != 3 { // seen, whole, and what is too deep
			t.Errorf("%v", got)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	if strings.Count(d.logs.String(), "folders deep") != 1 {
		t.Errorf("log: %s", d.logs)
	}
}

// TestUnreadableFile is seen and never whole: the workers' user id is another.
func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can become somebody else")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a_00001_.png"), picture(t, 1))
	if err := os.Chmod(filepath.Join(dir, "a_00001_.png"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openFolder(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		t.Skip(err)
	}
	found, err := examine(d, "a_00001_.png", &file{}, time.Now(), false, &pulse{})
	if err := unix.Setfsuid(0); err != nil {
		t.Fatal(err)
	}
	if err != nil || !found.unreadable || found.verdict != comfy.Partial || found.size == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestReadableSize believes the bytes and not what stat said.
func TestReadableSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	writeFile(t, path, []byte("0123456789"))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, stale := range []int64{0, 4, 9, 10} {
		if n, err := readableSize(f, stale); n != 10 || err != nil {
			t.Errorf("stat said %d: %d, %v", stale, n, err)
		}
	}
	if n, err := countFrom(f, 3); n != 10 || err != nil {
		t.Errorf("by reading: %d, %v", n, err)
	}
}

// TestSweptFolderIsWatched holds that a folder which the sweep found first is
// still looked into when the engine asks for it.
func TestSweptFolderIsWatched(t *testing.T) {
	d := newDisks(t)
	d.opt.Sweep = 10 * time.Minute
	b := picture(t, 1)
	path := string(source("a_00001_.png"))
	d.write(path, b[:99])
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		pass(2 * time.Second)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(time.Minute)
		d.write(path, b)
		pass(3 * time.Second)
		if len(w.marks(path, job.MarkWhole)) != 1 {
			t.Errorf("%v", w.list())
		}
		s.Watch(nil)
		pass(time.Hour)
		if len(w.marks(path, job.MarkSeen)) != 1 || len(w.marks(path, job.MarkWhole)) != 1 {
			t.Errorf("reported again by the sweep: %v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestFolderBecomesLink swaps a folder for a link between two looks.
func TestFolderBecomesLink(t *testing.T) {
	d := newDisks(t)
	d.write(string(source("set/a_00001_.png")), picture(t, 1))
	d.write("qm/other/9/b_00001_.png", picture(t, 2))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(3 * time.Second)
		folder := filepath.Join(d.outputs, string(source("set")))
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
		if err := os.Symlink("../../other/9", folder); err != nil {
			t.Error(err)
		}
		pass(5 * time.Second)
		if len(w.marks(string(source("set")), job.MarkHostile)) != 1 || len(w.marks(string(source("set/b_00001_.png")), job.MarkSeen)) != 0 {
			t.Errorf("%v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestFailedLook says nothing of what it could not list, logs once, and looks again.
func TestFailedLook(t *testing.T) {
	d := newDisks(t)
	path := string(source("a_00001_.png"))
	d.write(path, picture(t, 1))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		failing := make(chan error, 4)
		for range cap(failing) {
			failing <- unix.EIO
		}
		s.step = func(name string) error {
			if !strings.HasPrefix(name, "look ") {
				return nil
			}
			select {
			case err := <-failing:
				return err
			default:
				return nil
			}
		}
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(10 * time.Second)
		if got := w.list(); len(got) != 2 || got[1].Mark != job.MarkWhole {
			t.Errorf("%v", got)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	if n := strings.Count(d.logs.String(), "look at the share failed"); n != 1 {
		t.Errorf("%d lines: %s", n, d.logs)
	}
}
