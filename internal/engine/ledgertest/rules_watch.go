package ledgertest

import (
	"sync"
	"testing"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func watchSnapshot(t *testing.T, l engine.Ledger) {
	for n := 1; n <= 5; n++ {
		s := Story{N: n, User: "ada"}
		Record(t, l, s.Failed()...)
		if n != 2 {
			Record(t, l, s.Closed())
		}
	}
	w := must[job.Watch](t)(l.Watch(2))
	defer w.Stop()
	equal(t, "the newest two and the open one", ids(w.Jobs), []job.ID{Story{N: 5}.ID(), Story{N: 4}.ID(), Story{N: 2}.ID()})
	equal(t, "the newest revision", w.Rev, must[job.Job](t)(l.Job(Story{N: 5}.ID())).Rev)
	Record(t, l, Story{N: 1}.Renewed(2))
	c := <-w.Changes
	equal(t, "the change", c.Job, must[job.Job](t)(l.Job(Story{N: 1}.ID())))
}

// watchNoGap: readers that begin at any moment end up with the same jobs.
func watchNoGap(t *testing.T, l engine.Ledger) {
	const writers, readers = 60, 8
	var wg sync.WaitGroup
	start := make(chan struct{})
	last := uint64(writers * len(Story{}.Whole()))
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
		for _, f := range (Story{N: n, User: "ada"}).Whole() {
			Record(t, l, f)
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
			facts = append(facts, Story{N: n + i, User: "ada"}.Created())
		}
		Record(t, l, facts...)
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
	Record(t, l, Story{N: 5000, User: "ada"}.Created())
	equal(t, "and goes on from there", (<-again.Changes).Rev, uint64(5001))
}

func watchStop(t *testing.T, l engine.Ledger) {
	w := must[job.Watch](t)(l.Watch(0))
	other := must[job.Watch](t)(l.Watch(0))
	defer other.Stop()
	Record(t, l, Story{N: 1, User: "ada"}.Created())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(w.Stop)
	}
	wg.Wait()
	w.Stop()
	Record(t, l, Story{N: 2, User: "ada"}.Created())
	n := 0
	for range w.Changes {
		n++
	}
	equal(t, "changes before the stop", n, 1)
	equal(t, "another reader goes on", (<-other.Changes).Rev+1, (<-other.Changes).Rev)
}
