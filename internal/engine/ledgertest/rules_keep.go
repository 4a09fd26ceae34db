package ledgertest

import (
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
