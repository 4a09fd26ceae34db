package share

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// junkNames are what programs leave beside a picture.
var junkNames = []string{".DS_Store", "._cat_00001_.png", "Thumbs.db", "desktop.ini", "Desktop.INI", ".nfs000000000012", ".fuse_hidden0000001",
	".smbdelete1", ".~lock.notes.odt#", "~$notes.docx", ".#notes.txt", "#notes.txt#", ".notes.txt.swp", "cat_00001_.png~", ".syncthing.cat_00001_.png.tmp",
	"~syncthing~cat.png.tmp", "cat_00002_.png.part", "cat_00002_.png.5f2.partial", "cat.tmp", "cat.temp", "cat.png.crdownload", "cat.png.filepart",
	".qmtui-0123.part", ".directory", "a.lock", "cat_00001_.png.LOCK", ".lock", "index.lck", "~lock.notes.odt#", ".~lock.x#"}

// TestRow15Junk: what programs leave on the share is neither delivered nor
// shown as an orphan, in an attempt's folder or elsewhere; a file that loses
// the name of an unfinished one is found.
func TestRow15Junk(t *testing.T) {
	d := newDisks(t)
	d.opt.Sweep = time.Minute
	b := picture(t, 1)
	files := []string{string(source("cat_00001_.png")), "cat_00001_.png", "qm/other/9/cat_00001_.png", string(source("a.tmp/~x/cat_00001_.png"))}
	for _, f := range files {
		d.write(f, b)
		for _, name := range junkNames {
			d.write(filepath.Join(filepath.Dir(f), name), b)
		}
		d.write(filepath.Join(filepath.Dir(f), "@eaDir/cat_00001_.png/SYNOPHOTO_THUMB_XL.png"), b)
		d.write(filepath.Join(filepath.Dir(f), "$RECYCLE.BIN/cat_00001_.png"), b)
	}
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(10 * time.Minute)
		want := map[string]bool{}
		for _, f := range files {
			want[f] = true
			if len(w.marks(f, job.MarkWhole)) != 1 {
				t.Errorf("%s is not found among %v", f, w.list())
			}
		}
		for _, x := range w.list() {
			if !want[string(x.Path)] {
				t.Errorf("reported: %+v", x)
			}
		}
		part := filepath.Join(d.outputs, string(source("cat_00002_.png.part")))
		if err := os.Rename(part, strings.TrimSuffix(part, ".part")); err != nil {
			t.Error(err)
		}
		pass(3 * time.Second)
		if len(w.marks(string(source("cat_00002_.png")), job.MarkWhole)) != 1 {
			t.Errorf("the renamed file is not found: %v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestJunkTable(t *testing.T) {
	for _, table := range [][]litter{junk, junkFolders} {
		for _, l := range table {
			if _, err := filepath.Match(l.pattern, "x"); err != nil || l.pattern != strings.ToLower(l.pattern) || l.reason == "" {
				t.Errorf("%q: %v", l.pattern, err)
			}
		}
	}
	for _, name := range []string{"cat_00001_.png", "cat.tmp_00001_.png", "part", "tmp", "a~b.png", ".hidden_00001_.png", "#1_00001_.png", "~cat.png", "x.temperature", "snapshot.png", "lock", "lock.png", "padlock_00001_.png", "a.locked", "~lock_00001_.png"} {
		if isLitter(junk, name) {
			t.Errorf("%s is taken for junk", name)
		}
	}
}

// TestRow15DeepPrefix: as deep as a prefix may be, its files are found and
// stand in the same folders at the user's; deeper ones are said.
func TestRow15DeepPrefix(t *testing.T) {
	d := newDisks(t)
	b := picture(t, 1)
	deep := func(n int) string { return strings.Repeat("folder/", n) + "cat_00001_.png" }
	for _, n := range []int{12, 16, maxFolders, maxFolders + 1} {
		d.write(string(source(deep(n))), b)
	}
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(5 * time.Second)
		for _, n := range []int{12, 16, maxFolders} {
			if len(w.marks(string(source(deep(n))), job.MarkWhole)) != 1 {
				t.Errorf("%d folders: %v", n, w.list())
			}
		}
		blocked := string(source(strings.TrimSuffix(strings.Repeat("folder/", maxFolders+1), "/")))
		if got := w.marks(blocked, job.MarkBlocked); len(got) != 1 || !strings.Contains(got[0].Reason, "folders deep") {
			t.Errorf("%d folders: %v", maxFolders+1, w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	s := d.share()
	for _, n := range []int{16, maxFolders} {
		for _, aside := range []bool{false, true} {
			tr := transfer(deep(n), "")
			tr.Aside = aside
			dest, err := choose(t, s, tr)
			if want := filepath.Join(map[bool]string{true: "cancelled"}[aside], deep(n)); err != nil || dest != want {
				t.Fatalf("chose %q, %v", dest, err)
			}
			tr.Dest = dest
			if _, err := s.Copy(t.Context(), tr); err != nil {
				t.Error(err)
			}
		}
	}
}
