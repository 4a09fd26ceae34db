package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func orphans(t *testing.T, l engine.Ledger) {
	old := job.Orphan{ID: "a", Path: "x/\xff.png", Size: 5, SeenAt: Noon, State: job.OrphanOpen, Suggest: []string{"ada"}}
	young := job.Orphan{ID: "b", Path: "y.png", SeenAt: Noon.Add(time.Second), State: job.OrphanOpen}
	for _, o := range []job.Orphan{old, young} {
		if err := l.PutOrphan(o); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "all, newest first", must[[]job.Orphan](t)(l.Orphans("")), []job.Orphan{young, old})
	old.State, old.User, old.By = job.OrphanAssigned, "ada", "admin"
	if err := l.PutOrphan(old); err != nil {
		t.Fatal(err)
	}
	equal(t, "by id", must[job.Orphan](t)(l.Orphan("a")), old)
	equal(t, "open", must[[]job.Orphan](t)(l.Orphans(job.OrphanOpen)), []job.Orphan{young})
	equal(t, "assigned", must[[]job.Orphan](t)(l.Orphans(job.OrphanAssigned)), []job.Orphan{old})
	equal(t, "discarded", len(must[[]job.Orphan](t)(l.Orphans(job.OrphanDiscarded))), 0)
}

func deliveredByPath(t *testing.T, l engine.Ledger) {
	const path = job.Path("portraits/anna.png")
	for n := 1; n <= 2; n++ { // two jobs, one after the other, wrote to the same path
		s := Story{N: n, User: "ada"}
		o := job.Output{ID: job.NewOutputID(s.Prompt(1), path), Source: path, Size: int64(n), Evidence: job.ByHistory}
		seen, stored := s.Fact(job.Whole, 1, 3, job.ByHistory), s.Fact(job.Stored, 1, 4, job.ByHistory)
		done := o
		done.Dest, done.Checksum = fmt.Sprintf("anna-%d.png", n), "xxh64:0123456789abcdef"
		seen.Output, stored.Output = &o, &done
		Record(t, l, s.Created(), s.Assigned(1), seen)
		if d, found, err := l.Delivered(path); err != nil || found != (n == 2) {
			t.Fatalf("before copy %d: %+v, %v, %v", n, d, found, err)
		}
		Record(t, l, stored)
		d, found, err := l.Delivered(path)
		want := job.Delivery{Job: s.ID(), Output: o.ID, Size: int64(n), Checksum: done.Checksum, At: stored.At, Changed: n == 2}
		if err != nil || !found {
			t.Fatalf("after copy %d: %v, %v", n, found, err)
		}
		equal(t, "the latest delivery", d, want)
		again := s.Fact(job.Rewritten, 1, 5, job.ByHistory)
		newer := done
		newer.Size, newer.Checksum, newer.Modified = 9, fmt.Sprintf("xxh64:fedcba987654321%d", n), stored.At
		again.Output = &newer
		Record(t, l, again)
		want.Size, want.Checksum, want.Modified, want.At = newer.Size, newer.Checksum, newer.Modified, again.At
		d, _, err = l.Delivered(path)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the newer version", d, want)
	}
	Record(t, l, Story{N: 3, User: "bob"}.Whole()...)
	if _, found, err := l.Delivered(Story{N: 3}.Output(1).Source); found || err != nil {
		t.Errorf("a file in its attempt's folder is in the index: %v", err)
	}
}

func settings(t *testing.T, l engine.Ledger) {
	var mode job.Mode
	equal(t, "nothing yet", must[bool](t)(l.Setting("mode", &mode)), false)
	for _, m := range []job.Mode{job.ModePaused, job.ModeDraining} {
		if err := l.SetSetting("mode", m); err != nil {
			t.Fatal(err)
		}
		equal(t, "kept", must[bool](t)(l.Setting("mode", &mode)), true)
		equal(t, "mode", mode, m)
	}
	equal(t, "another key", must[bool](t)(l.Setting("active", &mode)), false)
	if err := l.SetSetting("bad", func() {}); err == nil {
		t.Error("a function was kept as a setting")
	}
	if l.Born().IsZero() {
		t.Error("the ledger was never born")
	}
}
