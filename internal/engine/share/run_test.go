package share

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestRunReportsEachStep(t *testing.T) {
	d := newDisks(t)
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(3 * time.Second) // of the fake clock
		if got := w.list(); len(got) != 0 {
			t.Fatalf("an empty share: %v", got)
		}
		b, path := picture(t, 1), string(source("cat_00001_.png"))
		d.write("qm/"+prompt+"/_started/s_00001_.png", b)
		d.write(path, b[:len(b)/2])
		pass(3 * time.Second)
		d.write(path, b)
		pass(3 * time.Second)
		var marks []job.Mark
		for _, x := range w.list() {
			marks = append(marks, x.Mark)
			if x.PromptID != prompt {
				t.Errorf("prompt id of %v", x)
			}
			if x.Mark != job.MarkStarted && (x.Node != "9" || string(x.Path) != path) {
				t.Errorf("origin of %v", x)
			}
		}
		if len(marks) != 4 || marks[2] != job.MarkGrew || marks[3] != job.MarkWhole {
			t.Errorf("marks %v", marks)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestRow14TwoStarts: a second start marker is reported, once.
func TestRow14TwoStarts(t *testing.T) {
	d := newDisks(t)
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		b := picture(t, 1)
		starts := func() (n int) {
			for _, x := range w.list() {
				if x.Mark == job.MarkStarted {
					n++
				}
			}
			return n
		}
		for n, want := range []int{1, 2, 2} {
			d.write(fmt.Sprintf("qm/%s/_started/s_%05d_.png", prompt, n+1), b)
			pass(6 * time.Second)
			if got := starts(); got != want {
				t.Errorf("after marker %d: %d starts reported, want %d", n+1, got, want)
			}
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestRow19OneWrite: a text that is written with one call is complete as soon as
// a second look finds it the same; one that goes on is found again.
func TestRow19OneWrite(t *testing.T) {
	d := newDisks(t)
	d.opt.Poll = 4 * time.Second
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(5 * time.Second)
		path := string(source("note_00001.txt"))
		d.write(path, []byte("a note"))
		s.Nudge(prompt)
		pass(700 * time.Millisecond)
		if len(w.marks(path, job.MarkWhole)) != 1 {
			t.Errorf("not complete yet: %v", w.list())
		}
		d.write(path, []byte("a note, and more of it"))
		pass(10 * time.Second)
		if len(w.marks(path, job.MarkWhole)) != 2 {
			t.Errorf("its second version: %v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}
