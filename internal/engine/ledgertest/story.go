package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// noon is when the stories begin.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 123456789, time.UTC)

// story is job number n of its test, told fact by fact, a second apart.
type story struct {
	n    int
	user string
	key  string
}

func (s story) id() job.ID            { return job.ID(fmt.Sprintf("00000000-0000-4000-8000-%012d", s.n)) }
func (s story) prompt(try int) string { return fmt.Sprintf("prompt-%d-%d", s.n, try) }

func (s story) spec() job.Spec {
	return job.Spec{ID: s.id(), User: s.user, Name: fmt.Sprintf("job %d", s.n), Key: s.key, Priority: job.Normal,
		Submitted: noon.Add(time.Duration(s.n) * time.Second), Workflow: fmt.Sprintf("hash-%d", s.n%3),
		Expect: []job.Expected{{Node: "9", Class: "SaveImage", Prefix: "cat", Count: 1}}}
}

func (s story) fact(kind job.Kind, try, at int, e job.Evidence) job.Fact {
	return job.Fact{Job: s.id(), Kind: kind, Attempt: try, At: noon.Add(time.Duration(s.n+at) * time.Second), Evidence: e}
}

func (s story) created() job.Fact {
	f := s.fact(job.Created, 0, 0, job.ByManager)
	spec := s.spec()
	f.Spec = &spec
	f.Blobs = []job.Blob{{Hash: spec.Workflow, Data: []byte("body of " + spec.Workflow)}}
	return f
}

func (s story) assigned(try int) job.Fact {
	f := s.fact(job.Assigned, try, 1, job.ByManager)
	f.PromptID, f.Deployment = s.prompt(try), "h200-spot"
	return f
}

func (s story) acknowledged(try int) job.Fact {
	return s.fact(job.Acknowledged, try, 2, job.ByPlatform)
}

func (s story) output(try int) job.Output {
	path := job.Path(fmt.Sprintf("qm/%s/9/cat_%05d_.png", s.prompt(try), s.n))
	return job.Output{ID: job.NewOutputID(s.prompt(try), path), Node: "9", Source: path, Size: int64(1000 + s.n)}
}

func (s story) file(kind job.Kind, try, at int) job.Fact {
	f := s.fact(kind, try, at, job.ByPrefix)
	o := s.output(try)
	if kind == job.Stored {
		o.Dest, o.Checksum = fmt.Sprintf("cat_%05d_.png", s.n), "xxh64:0123456789abcdef"
	}
	f.Output = &o
	return f
}

func (s story) broke(try int) job.Fact {
	f := s.fact(job.Broke, try, 4, job.ByHistory)
	f.Error = &job.Error{Code: "execution_error", Message: "out of memory", Node: "9", NodeType: "SaveImage"}
	return f
}

func (s story) renewed(try int) job.Fact { return s.fact(job.Renewed, try, 5, job.ByAdmin) }
func (s story) closed() job.Fact         { return s.fact(job.Closed, 0, 60, job.ByTime) }

// whole is the story of a job that went well, from Created to Completed.
func (s story) whole() []job.Fact {
	return []job.Fact{
		s.created(), s.assigned(1), s.acknowledged(1), s.file(job.Seen, 1, 3), s.file(job.Whole, 1, 4), s.file(job.Stored, 1, 5),
		s.fact(job.Finished, 1, 6, job.ByHistory), s.fact(job.Completed, 1, 7, job.ByTime),
	}
}

// failed is the story of a job whose only attempt broke.
func (s story) failed() []job.Fact {
	return []job.Fact{s.created(), s.assigned(1), s.acknowledged(1), s.broke(1)}
}

// record expects every fact to be taken.
func record(t *testing.T, l engine.Ledger, facts ...job.Fact) []job.Verdict {
	t.Helper()
	verdicts, err := l.Record(facts...)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if v.Err != nil {
			t.Fatalf("%s of %s: %v", v.Fact.Kind, v.Fact.Job, v.Err)
		}
	}
	return verdicts
}
