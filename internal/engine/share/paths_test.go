package share

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// TestRow04LooksByPath: a file that a history names is looked at by its path as
// often as the attempt's folder, also when nothing else outside qm/ is.
func TestRow04LooksByPath(t *testing.T) {
	d := newDisks(t)
	b := withText(picture(t, 1), "qm", `{"job":"j1","prompt_id":"`+prompt+`","attempt":1}`)
	d.write("flat/there.png", b)
	d.write("flat/other.png", b)
	d.write(string(source("own_00001_.png")), b)
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(3 * time.Second)
		paths := []job.Path{"flat/there.png", "flat/late.png", "x.part", "never.png"}
		s.Watch([]job.Folder{{PromptID: prompt, Live: true, Paths: paths}, {PromptID: "second", Live: true, Paths: paths}})
		pass(300 * time.Millisecond)
		if got := w.marks("flat/there.png", job.MarkWhole); len(got) != 1 || got[0].PromptID != "" || got[0].Claim == nil || got[0].Claim.PromptID != prompt {
			t.Errorf("not at once: %v", w.list())
		}
		d.write("flat/late.png", b[:99])
		d.write("x.part", b) // a history names it, whatever it is called
		pass(2 * time.Second)
		d.write("flat/late.png", b)
		pass(2 * time.Second)
		for path, marks := range map[string][]job.Mark{
			"flat/there.png": {job.MarkSeen, job.MarkWhole}, "flat/late.png": {job.MarkSeen, job.MarkGrew, job.MarkWhole},
			"x.part": {job.MarkSeen, job.MarkWhole}, "flat/other.png": nil, "never.png": nil,
			string(source("own_00001_.png")): {job.MarkSeen, job.MarkWhole},
		} {
			if got := w.of(path); !slices.Equal(got, marks) {
				t.Errorf("%s: %v, want %v", path, got, marks)
			}
		}
		if err := os.Remove(filepath.Join(d.outputs, "flat/late.png")); err != nil {
			t.Error(err)
		}
		pass(30 * time.Second)
		if len(w.marks("flat/late.png", job.MarkVanished)) != 1 {
			t.Errorf("its end is not reported: %v", w.list())
		}
		before := len(w.list())
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		synctest.Wait()
		d.write("flat/there.png", picture(t, 2))
		pass(time.Minute)
		if got := w.list(); len(got) != before {
			t.Errorf("nobody asks any more, yet %v", got[before:])
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// of lists the marks of a path in the order in which they came.
func (w *watcher) of(path string) []job.Mark {
	var marks []job.Mark
	for _, s := range w.list() {
		if string(s.Path) == path {
			marks = append(marks, s.Mark)
		}
	}
	return marks
}

// TestRow04PathsAndSweep: the scan of the whole share and the look by path do
// not contradict each other, whoever comes first.
func TestRow04PathsAndSweep(t *testing.T) {
	d := newDisks(t)
	d.opt.Sweep, d.opt.MetadataRoot = time.Minute, true
	d.write("flat/swept.png", picture(t, 1))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		pass(5 * time.Second)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true, Paths: []job.Path{"flat/named.png", "flat/swept.png"}}})
		synctest.Wait() // or it may be seen between being made and being written
		d.write("flat/named.png", picture(t, 2)[:99])
		pass(5 * time.Second)
		d.write("flat/named.png", picture(t, 2))
		pass(time.Hour)
		s.Watch(nil)
		pass(time.Hour)
		for path, marks := range map[string][]job.Mark{
			"flat/named.png": {job.MarkSeen, job.MarkGrew, job.MarkWhole},
			"flat/swept.png": {job.MarkSeen, job.MarkWhole, job.MarkSeen, job.MarkWhole}, // by the scan, and then for the attempt
		} {
			if got := w.of(path); !slices.Equal(got, marks) {
				t.Errorf("%s: %v, want %v", path, got, marks)
			}
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestPathsAreHostile: what a history names is not believed to be a path below
// the share, nor a file.
func TestPathsAreHostile(t *testing.T) {
	d := newDisks(t)
	secret := filepath.Join(filepath.Dir(d.outputs), "secret.png")
	writeFile(t, secret, picture(t, 1))
	d.write("qm/other/9/a_00001_.png", picture(t, 1))
	d.write("folder/x.png", picture(t, 1))
	for link, to := range map[string]string{"out": "..", "link.png": "../secret.png", "into": "qm/other/9"} {
		if err := os.Symlink(to, filepath.Join(d.outputs, link)); err != nil {
			t.Fatal(err)
		}
	}
	ignored := []job.Path{"../secret.png", job.Path(secret), "", ".", "..", "a/../../secret.png", "folder/", "folder//x.png", "./folder/x.png", "x\x00.png",
		"qm", "qm/other/9/a_00001_.png", "folder", job.Path(strings.Repeat("x", 300)), "folder/x.png/y"}
	hostile := []string{"out/secret.png", "link.png", "into/a_00001_.png"}
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		paths := append([]job.Path{}, ignored...)
		for _, p := range hostile {
			paths = append(paths, job.Path(p))
		}
		s.Watch([]job.Folder{{PromptID: prompt, Live: true, Paths: paths}})
		pass(time.Minute)
		for _, p := range hostile {
			if len(w.marks(p, job.MarkHostile)) != 1 {
				t.Errorf("%s: %v", p, w.of(p))
			}
		}
		for _, x := range w.list() {
			if x.Mark != job.MarkHostile {
				t.Errorf("reported: %+v", x)
			}
		}
		if st := s.Status(); st.Error != nil || st.LookedAt.IsZero() {
			t.Errorf("%+v", st)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	if strings.Contains(d.logs.String(), "failed") {
		t.Errorf("log: %s", d.logs)
	}
}

// TestSum is the checksum that a copy would have.
func TestSum(t *testing.T) {
	d := newDisks(t)
	b := picture(t, 1)
	d.write("flat/a.png", b)
	s := d.share()
	if size, sum, err := s.Sum(t.Context(), "flat/a.png"); err != nil || size != int64(len(b)) || sum != checksumOf(b) {
		t.Errorf("%d %s, %v", size, sum, err)
	}
	if err := os.Symlink("a.png", filepath.Join(d.outputs, "flat/link.png")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[job.Path]string{"flat/link.png": "hostile_source", "../a.png": "hostile_source", "flat": "hostile_source", "gone.png": "source_vanished"} {
		if _, _, err := s.Sum(t.Context(), path); code(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		release := hang(s, "source")
		if _, _, err := s.Sum(t.Context(), "flat/a.png"); code(err) != "share_stalled" {
			t.Errorf("hung: %v", err)
		}
		release()
		synctest.Wait()
		if _, _, err := s.Sum(t.Context(), "flat/a.png"); err != nil {
			t.Errorf("answers again: %v", err)
		}
	})
}
