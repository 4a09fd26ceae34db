package share

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// hang makes each step whose name begins with prefix wait until release.
func hang(s *Share, prefix string) (release func()) {
	free := make(chan struct{})
	s.step = func(name string) error {
		if strings.HasPrefix(name, prefix) {
			<-free
		}
		return nil
	}
	return sync.OnceFunc(func() { close(free) })
}

// TestHungShare hangs a look: the share is said to be stalled, a copy of what
// was seen before still works, Run ends, and a hung share that answers again
// goes on.
func TestHungShare(t *testing.T) {
	d := newDisks(t)
	path := string(source("cat_00001_.png"))
	d.write(path, picture(t, 1))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		release := hang(s, "look qm/")
		defer release()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}, {PromptID: "other", Live: true}})
		pass(30 * time.Second)
		if st := s.Status(); !st.Stalled || st.Error == nil || st.Error.Code != "share_stalled" {
			t.Errorf("hung: %+v", st)
		}
		tr := transfer("cat_00001_.png", "cat_00001_.png")
		if _, err := s.Copy(t.Context(), tr); err != nil {
			t.Errorf("copy meanwhile: %v", err)
		}
		release()
		pass(5 * time.Second)
		if st := s.Status(); st.Stalled || st.Error != nil {
			t.Errorf("answers again: %+v", st)
		}
		if len(w.marks(path, job.MarkWhole)) != 1 {
			t.Errorf("%v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunEndsWhileALookHangs(t *testing.T) {
	d := newDisks(t)
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		release := hang(s, "prove")
		w := watch(t, s)
		pass(time.Second)
		before := time.Now()
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(before); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		release()
	})
}

// TestHungCopy hangs one copy and one reader; others go on, and the hung one
// is not begun a second time.
func TestHungCopy(t *testing.T) {
	d := newDisks(t)
	d.write(string(source("a_00001_.png")), picture(t, 1))
	d.write(string(source("b_00001_.png")), picture(t, 2))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		release := hang(s, "bytes")
		a := transfer("a_00001_.png", "a_00001_.png")
		before := time.Now()
		if _, err := s.Copy(t.Context(), a); code(err) != "share_stalled" {
			t.Errorf("hung: %v", err)
		}
		if took := time.Since(before); took > 2*copyStall*10*time.Second {
			t.Errorf("took %v", took)
		}
		if _, err := s.Copy(t.Context(), a); code(err) != "share_stalled" || time.Since(before) > 3*copyStall*10*time.Second {
			t.Errorf("begun again: %v", err)
		}
		if _, err := choose(t, s, transfer("b_00001_.png", "")); err != nil {
			t.Errorf("choose meanwhile: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before = time.Now()
		if _, err := s.Copy(ctx, transfer("b_00001_.png", "b_00001_.png")); err == nil || time.Since(before) > 2*time.Second {
			t.Errorf("cancelled: %v after %v", err, time.Since(before))
		}
		release()
		synctest.Wait()
		if r, err := s.Copy(t.Context(), a); err != nil || !r.Repeated {
			t.Errorf("after all: %+v, %v", r, err)
		}
	})
}

// TestHints finds files by events while the polls are an hour apart.
func TestHints(t *testing.T) {
	d := newDisks(t)
	d.opt.Poll, d.opt.Watch = time.Hour, "notify"
	s := d.share()
	w := watch(t, s)
	s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
	d.write("qm/other/9/begun_00001_.png", picture(t, 0)) // somebody else's: the watch on qm/ itself
	for i := range 6 {
		name := fmt.Sprintf("deep/set%d/a_%05d_.png", i%3, i)
		d.write(string(source(name)), picture(t, i))
		w.find(t, string(source(name)), job.MarkSeen)
	}
	if st := s.Status(); st.Watch != "notify" {
		t.Errorf("%+v", st)
	}
	if err := os.RemoveAll(filepath.Join(d.outputs, "qm")); err != nil {
		t.Fatal(err)
	}
	again := string(source("again_00001_.png"))
	d.write(again, picture(t, 1))
	w.find(t, again, job.MarkSeen)
}

// TestOverflow holds that lost events mean a look everywhere.
func TestOverflow(t *testing.T) {
	d := newDisks(t)
	s := d.share()
	s.Watch([]job.Folder{{PromptID: "a"}, {PromptID: "b"}})
	h := &hints{s: s}
	h.trouble(fsnotify.ErrEventOverflow)
	if !s.nudged["a"] || !s.nudged["b"] {
		t.Errorf("nudged %v", s.nudged)
	}
}

// TestOutOfWatches gives up hints, with one warning, and goes on looking.
func TestOutOfWatches(t *testing.T) {
	d := newDisks(t)
	w, err := fsnotify.NewWatcher()
	if err != nil {
		t.Skipf("no inotify: %v", err)
	}
	h := newHints(d.share(), w)
	h.refuse("qm/a", unix.ENOSPC)
	h.refuse("qm/b", unix.ENOSPC)
	h.close()
	r := newRunner(h.s, func(job.Sighting) {})
	r.hints = h
	r.beginHints()
	if n := strings.Count(d.logs.String(), "max_user_watches"); n != 1 || h.s.Status().Watch != "poll" {
		t.Errorf("%d warnings, %+v", n, h.s.Status())
	}
	if h.refuse("qm/c", unix.EACCES); strings.Count(d.logs.String(), "\n") != 1 {
		t.Errorf("log: %s", d.logs)
	}
}

// TestSweep finds what nobody watches, once, with the claim of files outside qm/.
func TestSweep(t *testing.T) {
	d := newDisks(t)
	d.opt.Sweep = 10 * time.Minute
	claim := `{"job":"j1","prompt_id":"p1","attempt":2,"node":"9"}`
	d.write("loose_00001_.png", withText(picture(t, 1), "qm", claim))
	d.write("old/foreign.png", picture(t, 2))
	flac, err := os.ReadFile("testdata/tagged.flac")
	if err != nil {
		t.Fatal(err)
	}
	d.write("sound_00001_.flac", flac)
	d.write("qm/unknown/9/late_00001_.png", picture(t, 3))
	d.write("qm/unknown/9/notes.xyz", []byte(strings.Repeat("unknown format", 9)))
	d.write("qm/dead/9/half_00001_.png", picture(t, 3)[:99])
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		pass(time.Hour)
		for path, mark := range map[string]job.Mark{"loose_00001_.png": job.MarkWhole, "old/foreign.png": job.MarkWhole, "sound_00001_.flac": job.MarkWhole,
			"qm/unknown/9/late_00001_.png": job.MarkWhole, "qm/unknown/9/notes.xyz": job.MarkSettling, "qm/dead/9/half_00001_.png": job.MarkSeen} {
			if got := w.marks(path, mark); len(got) != 1 {
				t.Errorf("%s: %v", path, got)
			}
		}
		if got := w.marks("loose_00001_.png", job.MarkWhole); len(got) == 1 {
			if c := got[0].Claim; c == nil || *c != (job.Claim{Job: "j1", PromptID: "p1", Attempt: 2, Node: "9"}) {
				t.Errorf("claim %+v", c)
			}
		}
		if got := w.marks("sound_00001_.flac", job.MarkWhole); len(got) == 1 && (got[0].Claim == nil || got[0].Claim.PromptID != "p1") {
			t.Errorf("claim of a format without end mark: %+v", got)
		}
		if got := w.marks("qm/unknown/9/late_00001_.png", job.MarkWhole); len(got) == 1 && (got[0].PromptID != "unknown" || got[0].Modified.IsZero()) {
			t.Errorf("%+v", got)
		}
		d.write("qm/unknown/9/late_00001_.png", picture(t, 4))
		d.write("qm/dead/9/half_00001_.png", picture(t, 3))
		pass(3 * time.Hour)
		if len(w.marks("qm/unknown/9/late_00001_.png", job.MarkWhole)) != 2 || len(w.marks("qm/dead/9/half_00001_.png", job.MarkWhole)) != 1 {
			t.Errorf("after a change: %v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMetadataRoot finds files anywhere at the speed of the polls.
func TestMetadataRoot(t *testing.T) {
	d := newDisks(t)
	d.opt.MetadataRoot = true
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		pass(time.Minute)
		d.write("video/cat_00001_.png", withText(picture(t, 1), "qm", `{"job":"j1","prompt_id":"p1","attempt":1}`))
		pass(3 * time.Second)
		got := w.marks("video/cat_00001_.png", job.MarkWhole)
		if len(got) != 1 || got[0].Claim == nil || got[0].Claim.Job != "j1" {
			t.Errorf("%v", w.list())
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestWatchChanges holds that a folder is looked into exactly while it is asked for.
func TestWatchChanges(t *testing.T) {
	d := newDisks(t)
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		d.write("qm/a/9/x_00001_.png", picture(t, 1))
		d.write("qm/b/9/x_00001_.png", picture(t, 2))
		s.Watch([]job.Folder{{PromptID: "a", Live: true}, {PromptID: "../b", Live: true}})
		pass(5 * time.Second)
		s.Watch([]job.Folder{{PromptID: "b"}})
		pass(15 * time.Second)
		d.write("qm/a/9/y_00001_.png", picture(t, 3))
		d.write("qm/b/9/y_00001_.png", picture(t, 4))
		s.Nudge("a")
		s.Nudge("b")
		pass(2 * time.Second)
		for path, want := range map[string]int{"qm/a/9/x_00001_.png": 1, "qm/b/9/x_00001_.png": 1, "qm/a/9/y_00001_.png": 0, "qm/b/9/y_00001_.png": 1} {
			if got := w.marks(path, job.MarkWhole); len(got) != want {
				t.Errorf("%s: %v", path, got)
			}
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestManyFiles finds all files of a folder although one look opens only some,
// and byte-exact names.
func TestManyFiles(t *testing.T) {
	d := newDisks(t)
	b := picture(t, 1)
	odd := string(source("a\n\xff\x1b[31m_00001_.png"))
	d.write(odd, b)
	for i := range 3 * filesAtOnce {
		d.write(string(source(fmt.Sprintf("a_%05d_.png", i))), b)
	}
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
		pass(10 * time.Second)
		whole := 0
		for _, x := range w.list() {
			if x.Mark == job.MarkWhole {
				whole++
			}
		}
		if whole != 3*filesAtOnce+1 || len(w.marks(odd, job.MarkWhole)) != 1 {
			t.Errorf("%d whole", whole)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkLook is one look into 200 settled folders of 8 files, 16 at once.
func BenchmarkLook(b *testing.B) {
	d := newDisks(b)
	s := d.share()
	var trees []*tree
	for i := range 200 {
		id := fmt.Sprintf("p%d", i)
		for j := range 8 {
			d.write(fmt.Sprintf("qm/%s/9/a_%05d_.png", id, j), picture(b, j))
		}
		trees = append(trees, newTree(watched, "qm/"+id, livePace(time.Second), time.Now()))
	}
	round := func(now time.Time) {
		slots := make(chan struct{}, 16)
		var all sync.WaitGroup
		for _, t := range trees {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				(&look{s: s, t: t, now: now, wait: patience{time.Second, time.Second}, pulse: &pulse{}}).run()
			})
		}
		all.Wait()
	}
	now := time.Now()
	round(now)
	round(now)
	for b.Loop() {
		round(now)
	}
}

// BenchmarkCopy copies 2 MiB files, four at once.
func BenchmarkCopy(b *testing.B) {
	d := newDisks(b)
	s := d.share()
	body := make([]byte, 2<<20)
	copy(body, "unknown format")
	b.SetBytes(int64(len(body)))
	b.SetParallelism(2)
	if err := os.MkdirAll(filepath.Join(d.outputs, "qm", prompt, "9"), 0o755); err != nil {
		b.Fatal(err)
	}
	names := make(chan string, b.N)
	for i := range b.N {
		name := fmt.Sprintf("a%d.xyz", i)
		d.write(string(source(name)), body)
		names <- name
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			name := <-names
			tr := transfer(name, name)
			tr.Settled = true
			if _, err := s.Copy(b.Context(), tr); err != nil {
				b.Error(err)
			}
		}
	})
}
