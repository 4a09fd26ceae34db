package ledgertest

import (
	"sync"
	"testing"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func watchSnapshot(t *testing.T, l engine.Ledger) {
	for n := 1; n <= 5; n++ {
		s := story{n: n, user: "ada"}
		record(t, l, s.failed()...)
		if n != 2 {
			record(t, l, s.closed())
		}
	}
	w := must[job.Watch](t)(l.Watch(2))
	defer w.Stop()
	equal(t, "the newest two and the open one", ids(w.Jobs), []job.ID{story{n: 5}.id(), story{n: 4}.id(), story{n: 2}.id()})
	equal(t, "the newest revision", w.Rev, must[job.Job](t)(l.Job(story{n: 5}.id())).Rev)
	record(t, l, story{n: 1}.renewed(2))
	c := <-w.Changes
	equal(t, "the change", c.Job, must[job.Job](t)(l.Job(story{n: 1}.id())))
}

// watchNoGap: readers that begin at any moment end up with the same jobs.
func watchNoGap(t *testing.T, l engine.Ledger) {
	const writers, readers = 60, 8
	var wg sync.WaitGroup
	start := make(chan struct{})
	last := uint64(writers * len(story{}.whole()))
	for range readers {
		wg.Go(func() {
			<-start
			w, err := l.Watch(1000)
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Stop()
			follow(t, l, w, last)
		})
	}
	close(start)
	for n := 1; n <= writers; n++ {
		for _, f := range (story{n: n, user: "ada"}).whole() {
			record(t, l, f)
		}
	}
	wg.Wait()
}

// follow replays a watch up to revision last and compares with the ledger.
func follow(t *testing.T, l engine.Ledger, w job.Watch, last uint64) {
	have := map[job.ID]job.Job{}
	for _, j := range w.Jobs {
		have[j.ID] = j
		if j.Rev > w.Rev {
			t.Errorf("the snapshot at %d holds a job at %d", w.Rev, j.Rev)
		}
	}
	for rev := w.Rev; rev < last; rev++ {
		c, ok := <-w.Changes
		if !ok || c.Rev != rev+1 {
			t.Errorf("after %d came %d (open: %v)", rev, c.Rev, ok)
			return
		}
		have[c.Job.ID] = c.Job
	}
	page, err := l.Jobs(job.Query{Limit: 1000})
	if err != nil || len(page.Jobs) != len(have) {
		t.Errorf("%d jobs followed, %d listed (%v)", len(have), len(page.Jobs), err)
	}
	for _, j := range page.Jobs {
		equal(t, "followed job", have[j.ID], j)
	}
}

func watchCutOff(t *testing.T, l engine.Ledger) {
	slow := must[job.Watch](t)(l.Watch(0))
	defer slow.Stop()
	for n := 0; n < 5000; n += 100 {
		var facts []job.Fact
		for i := range 100 {
			facts = append(facts, story{n: n + i, user: "ada"}.created())
		}
		record(t, l, facts...)
	}
	rev := slow.Rev
	for c := range slow.Changes { // ends only because the channel was closed
		if rev++; c.Rev != rev {
			t.Fatalf("after %d came %d", rev-1, c.Rev)
		}
	}
	if rev >= 5000 {
		t.Error("a reader 5000 changes behind was never cut off")
	}
	again := must[job.Watch](t)(l.Watch(0))
	defer again.Stop()
	equal(t, "a new watch begins at the newest revision", again.Rev, uint64(5000))
	record(t, l, story{n: 5000, user: "ada"}.created())
	equal(t, "and goes on from there", (<-again.Changes).Rev, uint64(5001))
}

func watchStop(t *testing.T, l engine.Ledger) {
	w := must[job.Watch](t)(l.Watch(0))
	other := must[job.Watch](t)(l.Watch(0))
	defer other.Stop()
	record(t, l, story{n: 1, user: "ada"}.created())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(w.Stop)
	}
	wg.Wait()
	w.Stop()
	record(t, l, story{n: 2, user: "ada"}.created())
	n := 0
	for range w.Changes {
		n++
	}
	equal(t, "changes before the stop", n, 1)
	equal(t, "another reader goes on", (<-other.Changes).Rev+1, (<-other.Changes).Rev)
}
