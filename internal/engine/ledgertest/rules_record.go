package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func createdIsFound(t *testing.T, l engine.Ledger) {
	s := Story{N: 1, User: "ada", Key: "k1"}
	v := Record(t, l, s.Created())[0]
	got := must[job.Job](t)(l.Job(s.ID()))
	equal(t, "job", got, v.Job)
	equal(t, "spec", got.Spec, s.Spec())
	equal(t, "state", got.State(), job.Queued)
	equal(t, "by key", must[job.Job](t)(l.ByKey("ada", "k1")), got)
	if _, err := l.ByKey("bob", "k1"); !errors.Is(err, job.ErrNoJob) {
		t.Errorf("another user's key: %v", err)
	}
}

func unknownIsSaid(t *testing.T, l engine.Ledger) {
	Record(t, l, Story{N: 1, User: "ada"}.Created())
	_, byID := l.Job("nobody")
	_, byPrompt := l.ByPrompt("nobody")
	_, noPrompt := l.ByPrompt("")
	_, byKey := l.ByKey("ada", "nothing")
	_, noKey := l.ByKey("ada", "")
	_, byOutput := l.ByOutput("nothing")
	_, facts := l.Facts("nobody")
	for what, err := range map[string]error{"id": byID, "prompt": byPrompt, "empty prompt": noPrompt,
		"key": byKey, "empty key": noKey, "output": byOutput, "facts": facts} {
		if !errors.Is(err, job.ErrNoJob) {
			t.Errorf("unknown %s: got %v, want job.ErrNoJob", what, err)
		}
	}
	if _, err := l.Blob("nothing"); !errors.Is(err, job.ErrNoBlob) {
		t.Errorf("unknown body: %v", err)
	}
	if _, err := l.Orphan("nothing"); !errors.Is(err, job.ErrNoOrphan) {
		t.Errorf("unknown orphan: %v", err)
	}
}

func verdictsInOrder(t *testing.T, l engine.Ledger) {
	s, other := Story{N: 1, User: "ada"}, Story{N: 2, User: "ada"}
	verdicts, err := l.Record(s.Created(), s.Created(), s.Fact(job.Finished, 1, 1, job.ByHistory), other.Acknowledged(1), s.Assigned(1), other.Created())
	if err != nil {
		t.Fatal(err)
	}
	want := []error{nil, job.ErrStale, job.ErrImpossible, job.ErrImpossible, nil, nil}
	if len(verdicts) != len(want) {
		t.Fatalf("got %d verdicts", len(verdicts))
	}
	for i, v := range verdicts {
		if (want[i] == nil) != (v.Err == nil) || !errors.Is(v.Err, want[i]) {
			t.Errorf("verdict %d: got %v, want %v", i, v.Err, want[i])
		}
	}
	equal(t, "job after a stale fact", verdicts[1].Job, verdicts[0].Job)
	equal(t, "job of an unknown id", verdicts[3].Job, job.Job{})
	equal(t, "state after the batch", must[job.Job](t)(l.Job(s.ID())).State(), job.Submitting)
	equal(t, "facts", len(must[[]job.Fact](t)(l.Facts(s.ID()))), 2)
}

func usedKey(t *testing.T, l engine.Ledger) {
	first, again := Story{N: 1, User: "ada", Key: "k"}, Story{N: 2, User: "ada", Key: "k"}
	other, none, none2 := Story{N: 3, User: "bob", Key: "k"}, Story{N: 4, User: "ada"}, Story{N: 5, User: "ada"}
	verdicts, err := l.Record(first.Created(), again.Created(), other.Created(), none.Created(), none2.Created())
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(verdicts[1].Err, job.ErrStale) || verdicts[1].Job.ID != first.ID() {
		t.Errorf("the same key in one batch: %v, job %s", verdicts[1].Err, verdicts[1].Job.ID)
	}
	for _, i := range []int{0, 2, 3, 4} {
		if verdicts[i].Err != nil {
			t.Errorf("verdict %d: %v", i, verdicts[i].Err)
		}
	}
	verdicts, _ = l.Record(again.Created())
	if !errors.Is(verdicts[0].Err, job.ErrStale) || verdicts[0].Job.ID != first.ID() {
		t.Errorf("the same key later: %v, job %s", verdicts[0].Err, verdicts[0].Job.ID)
	}
	if _, err := l.Job(again.ID()); !errors.Is(err, job.ErrNoJob) {
		t.Errorf("the second submit made a job: %v", err)
	}
}

func promptOfOneJob(t *testing.T, l engine.Ledger) {
	a, b := Story{N: 1, User: "ada"}, Story{N: 2, User: "bob"}
	Record(t, l, a.Created(), b.Created(), a.Assigned(1))
	stolen := b.Assigned(1)
	stolen.PromptID = a.Prompt(1)
	verdicts, err := l.Record(stolen)
	if err != nil || !errors.Is(verdicts[0].Err, job.ErrImpossible) {
		t.Fatalf("got %v, %v", verdicts, err)
	}
	equal(t, "job of the prompt", must[job.Job](t)(l.ByPrompt(a.Prompt(1))).ID, a.ID())
	equal(t, "the other's state", must[job.Job](t)(l.Job(b.ID())).State(), job.Queued)
}

func attemptsAndOutputs(t *testing.T, l engine.Ledger) {
	s := Story{N: 1, User: "ada"}
	Record(t, l, s.Failed()...)
	Record(t, l, s.Renewed(2), s.Assigned(2))
	Record(t, l, s.File(job.Seen, 1, 8), s.File(job.Seen, 2, 9))
	for try := 1; try <= 2; try++ {
		j := must[job.Job](t)(l.ByPrompt(s.Prompt(try)))
		equal(t, "job of the prompt", j.ID, s.ID())
		j = must[job.Job](t)(l.ByOutput(s.Output(try).ID))
		o, ok := j.Output(s.Output(try).ID)
		equal(t, "output's attempt", o.Attempt, try)
		equal(t, "output is there", ok, true)
	}
}

func factsInOrder(t *testing.T, l engine.Ledger) {
	s, other := Story{N: 1, User: "ada"}, Story{N: 11, User: "ada"}
	var want []job.Fact
	for _, f := range s.Whole() {
		Record(t, l, f)
		f.Blobs = nil
		want = append(want, f)
	}
	Record(t, l, other.Created())
	equal(t, "facts", must[[]job.Fact](t)(l.Facts(s.ID())), want)
	folded := job.Job{}
	for _, f := range want {
		folded, _ = folded.Apply(f)
	}
	got := must[job.Job](t)(l.Job(s.ID()))
	folded.Rev = got.Rev
	equal(t, "the facts folded again", folded, got)
}

func revisions(t *testing.T, l engine.Ledger) {
	w := must[job.Watch](t)(l.Watch(0))
	defer w.Stop()
	a, b := Story{N: 1, User: "ada"}, Story{N: 2, User: "ada"}
	v := Record(t, l, a.Created(), b.Created(), a.Assigned(1), a.Acknowledged(1))
	equal(t, "revision of the first", v[3].Job.Rev, w.Rev+1)
	equal(t, "revision of the second", v[1].Job.Rev, w.Rev+2)
	if _, err := l.Record(a.Created(), b.Acknowledged(1)); err != nil {
		t.Fatal(err)
	}
	v = Record(t, l, b.Assigned(1))
	equal(t, "revision after a batch that changed nothing", v[0].Job.Rev, w.Rev+3)
	for want := w.Rev + 1; want <= w.Rev+3; want++ {
		c := <-w.Changes
		equal(t, "published revision", c.Rev, want)
		equal(t, "the job's own", c.Job.Rev, want)
	}
}

func countsFollow(t *testing.T, l engine.Ledger) {
	Record(t, l, Story{N: 1, User: "ada"}.Whole()...)
	Record(t, l, Story{N: 2, User: "bob"}.Whole()...)
	Record(t, l, Story{N: 3, User: "ada"}.Failed()...)
	Record(t, l, Story{N: 4, User: "ada"}.Whole()...)
	Record(t, l, Story{N: 5, User: "ada"}.Created())
	equal(t, "counts", must[job.Counts](t)(l.Counts()), job.Counts{job.Done: 3, job.Failed: 1, job.Queued: 1})
	equal(t, "by user", must[map[string]job.Counts](t)(l.UserCounts()), map[string]job.Counts{
		"ada": {job.Done: 2, job.Failed: 1, job.Queued: 1}, "bob": {job.Done: 1}})
	equal(t, "totals", must[map[string]job.Folders](t)(l.Totals()), map[string]job.Folders{
		"ada": {Outputs: 2, Bytes: 2005, Newest: Noon.Add(9 * time.Second)}, "bob": {Outputs: 1, Bytes: 1002, Newest: Noon.Add(7 * time.Second)}})
	Record(t, l, Story{N: 3, User: "ada"}.Renewed(2))
	equal(t, "counts after a retry", must[job.Counts](t)(l.Counts()), job.Counts{job.Done: 3, job.Queued: 2})
	must[job.Counts](t)(l.Counts())[job.Done] = 99
	equal(t, "counts are the caller's own", must[job.Counts](t)(l.Counts())[job.Done], 3)
}

func openJobs(t *testing.T, l engine.Ledger) {
	for _, n := range []int{3, 1, 2, 4} { // not in the order of their times
		Record(t, l, Story{N: n, User: "ada"}.Failed()...)
	}
	Record(t, l, Story{N: 2}.Closed(), Story{N: 3}.Closed())
	equal(t, "open", ids(must[[]job.Job](t)(l.Open())), []job.ID{Story{N: 1}.ID(), Story{N: 4}.ID()})
	Record(t, l, Story{N: 3}.Renewed(2))
	equal(t, "open after a retry", ids(must[[]job.Job](t)(l.Open())),
		[]job.ID{Story{N: 1}.ID(), Story{N: 3}.ID(), Story{N: 4}.ID()})
	equal(t, "a closed one is still there", must[job.Job](t)(l.Job(Story{N: 2}.ID())).Closed, true)
}

func ids(jobs []job.Job) []job.ID {
	var out []job.ID
	for _, j := range jobs {
		out = append(out, j.ID)
	}
	return out
}

func timesKept(t *testing.T, l engine.Ledger) {
	s := Story{N: 1, User: "ada"}
	f := s.Created()
	f.At = f.At.In(time.FixedZone("", 7200))
	f.Spec.Submitted = time.Now() // with a zone and a monotonic reading
	Record(t, l, f)
	j := must[job.Job](t)(l.Job(s.ID()))
	equal(t, "submitted", j.Submitted, f.Spec.Submitted.Round(0).UTC())
	equal(t, "fact", must[[]job.Fact](t)(l.Facts(s.ID()))[0].At, f.At.UTC())
}

func blobs(t *testing.T, l engine.Ledger) {
	f := Story{N: 1, User: "ada"}.Created()
	f.Spec.Workflow, f.Spec.Extra = "a", "empty"
	f.Blobs = []job.Blob{{Hash: "a", Data: []byte("{\"1\": {}}\x00\xff")}, {Hash: "empty"}}
	Record(t, l, f)
	got := must[[]byte](t)(l.Blob("a"))
	equal(t, "body", string(got), "{\"1\": {}}\x00\xff")
	equal(t, "empty body", len(must[[]byte](t)(l.Blob("empty"))), 0)
	got[0] = 'X'
	equal(t, "body is the caller's own", must[[]byte](t)(l.Blob("a"))[0], byte('{'))
	if _, err := l.Record(f); err != nil {
		t.Fatal(err)
	}
	equal(t, "body after a stale repeat", len(must[[]byte](t)(l.Blob("a"))), len(got))
}
