package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// Noon is when the stories begin.
var Noon = time.Date(2026, 5, 4, 12, 0, 0, 123456789, time.UTC)

// Story is the life of one job, told fact by fact, a second apart. N tells the
// stories of a test apart; the later the number, the later the job.
type Story struct {
	N    int
	User string
	Key  string // Idempotency-Key; empty for none
}

// ID is the job's, and Prompt the prompt id of its attempt number try.
func (s Story) ID() job.ID            { return job.ID(fmt.Sprintf("00000000-0000-4000-8000-%012d", s.N)) }
func (s Story) Prompt(try int) string { return fmt.Sprintf("prompt-%d-%d", s.N, try) }

// Spec is what was asked for; every third job has the same workflow.
func (s Story) Spec() job.Spec {
	return job.Spec{ID: s.ID(), User: s.User, Name: fmt.Sprintf("job %d", s.N), Key: s.Key, Priority: job.Normal,
		Submitted: Noon.Add(time.Duration(s.N) * time.Second), Workflow: fmt.Sprintf("hash-%d", s.N%3),
		Expect: []job.Expected{{Node: "9", Class: "SaveImage", Prefix: "cat", Count: 1}}}
}

// Fact is a bare fact, at seconds after the job was submitted.
func (s Story) Fact(kind job.Kind, try, at int, e job.Evidence) job.Fact {
	return job.Fact{Job: s.ID(), Kind: kind, Attempt: try, At: Noon.Add(time.Duration(s.N+at) * time.Second), Evidence: e}
}

// Created comes with the workflow's body.
func (s Story) Created() job.Fact {
	f := s.Fact(job.Created, 0, 0, job.ByManager)
	spec := s.Spec()
	f.Spec = &spec
	f.Blobs = []job.Blob{{Hash: spec.Workflow, Data: []byte("body of " + spec.Workflow)}}
	return f
}

// Assigned, Acknowledged, Broke and Renewed are of attempt number try.
func (s Story) Assigned(try int) job.Fact {
	f := s.Fact(job.Assigned, try, 1, job.ByManager)
	f.PromptID, f.Deployment = s.Prompt(try), "h200-spot"
	return f
}

// Acknowledged: see [Story.Assigned].
func (s Story) Acknowledged(try int) job.Fact {
	return s.Fact(job.Acknowledged, try, 2, job.ByPlatform)
}

// Output is the one file that the attempt writes.
func (s Story) Output(try int) job.Output {
	path := job.Path(fmt.Sprintf("qm/%s/9/cat_%05d_.png", s.Prompt(try), s.N))
	return job.Output{ID: job.NewOutputID(s.Prompt(try), path), Node: "9", Source: path, Size: int64(1000 + s.N)}
}

// File is a fact of an output kind about it.
func (s Story) File(kind job.Kind, try, at int) job.Fact {
	f := s.Fact(kind, try, at, job.ByPrefix)
	o := s.Output(try)
	if kind == job.Stored {
		o.Dest, o.Checksum = fmt.Sprintf("cat_%05d_.png", s.N), "xxh64:0123456789abcdef"
	}
	f.Output = &o
	return f
}

// Broke: see [Story.Assigned].
func (s Story) Broke(try int) job.Fact {
	f := s.Fact(job.Broke, try, 4, job.ByHistory)
	f.Error = &job.Error{Code: "execution_error", Message: "out of memory", Node: "9", NodeType: "SaveImage"}
	return f
}

// Renewed: see [Story.Assigned].
func (s Story) Renewed(try int) job.Fact { return s.Fact(job.Renewed, try, 5, job.ByAdmin) }

// Closed ends the late window, a minute after the job was submitted.
func (s Story) Closed() job.Fact { return s.Fact(job.Closed, 0, 60, job.ByTime) }

// Whole is the story of a job that went well, from Created to Completed.
func (s Story) Whole() []job.Fact {
	return []job.Fact{
		s.Created(), s.Assigned(1), s.Acknowledged(1), s.File(job.Seen, 1, 3), s.File(job.Whole, 1, 4), s.File(job.Stored, 1, 5),
		s.Fact(job.Finished, 1, 6, job.ByHistory), s.Fact(job.Completed, 1, 7, job.ByTime),
	}
}

// Failed is the story of a job whose only attempt broke.
func (s Story) Failed() []job.Fact {
	return []job.Fact{s.Created(), s.Assigned(1), s.Acknowledged(1), s.Broke(1)}
}

// Record records facts and expects every one to be taken.
func Record(t testing.TB, l engine.Ledger, facts ...job.Fact) []job.Verdict {
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
