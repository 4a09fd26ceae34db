package metrics

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// fold makes a job of facts; at is in seconds after noon.
func fold(t *testing.T, j job.Job, facts ...job.Fact) job.Job {
	t.Helper()
	for _, f := range facts {
		next, err := j.Apply(f)
		if err != nil {
			t.Fatalf("%s: %v", f.Kind, err)
		}
		j = next
	}
	return j
}

func fact(k job.Kind, attempt, at int, e job.Evidence) job.Fact {
	f := job.Fact{Job: "j", Kind: k, Attempt: attempt, At: noon.Add(time.Duration(at) * time.Second), Evidence: e}
	switch k {
	case job.Created:
		f.Attempt, f.Spec = 0, &job.Spec{ID: "j", User: "ada", Submitted: f.At}
	case job.Assigned:
		f.PromptID, f.Deployment = "p"+string(rune('0'+attempt)), "h200"
	case job.Expired:
		f.Error = &job.Error{Code: "never_appeared", Message: "m", Transient: true}
	case job.Renewed:
		f.Automatic = true
	case job.Noted:
		f.Attempt, f.Warning = 0, &job.Warning{Code: "disk_full", Message: "m"}
	case job.Seen, job.Whole, job.Named, job.Stored:
		f.Output = &job.Output{ID: "o", Node: "9", Source: "qm/p1/9/a.png", Size: 1000, Dest: "a.png"}
	}
	return f
}

// life is an ordinary job, step by step.
var life = []job.Fact{
	fact(job.Created, 0, 0, job.ByManager), fact(job.Assigned, 1, 5, job.ByManager), fact(job.Acknowledged, 1, 65, job.ByPlatform),
	fact(job.Started, 1, 70, job.ByPrefix), fact(job.Seen, 1, 80, job.ByPrefix), fact(job.Whole, 1, 82, job.ByPrefix),
	fact(job.Finished, 1, 83, job.ByPrefix), fact(job.Named, 1, 83, job.ByManager), fact(job.Stored, 1, 84, job.ByPrefix),
	fact(job.Completed, 1, 85, job.ByManager), fact(job.Closed, 0, 900, job.ByTime),
}

// total adds up what compare says along a way through the facts.
type total struct {
	submitted, evidence, retries, warnings, settled int
	waits, runs, deliveries, wholes                 []time.Duration
	ended                                           []ending
}

func (s *total) add(n news) {
	if n.submitted {
		s.submitted++
	}
	s.evidence += len(n.evidence)
	s.retries += len(n.retries)
	s.warnings += len(n.warnings)
	s.settled += len(n.settled)
	s.ended = append(s.ended, n.ended...)
	for list, m := range map[*[]time.Duration]*measured{&s.waits: n.waited, &s.deliveries: n.delivered, &s.wholes: n.whole} {
		if m != nil {
			*list = append(*list, m.took)
		}
	}
	for _, m := range n.runs {
		s.runs = append(s.runs, m.took)
	}
}

// TestEachStepCountsOnce: whether changes come one by one, or several at once
// because the follower was cut off, the sum is the same.
func TestEachStepCountsOnce(t *testing.T) {
	for _, stride := range []int{1, 2, 3, 5, len(life)} {
		var sum total
		var old, now job.Job
		for i, f := range life {
			now = fold(t, now, f)
			if (i+1)%stride == 0 || i == len(life)-1 {
				sum.add(compare(old, now))
				old = now
			}
		}
		if sum.submitted != 1 || sum.retries != 0 || sum.warnings != 0 || sum.settled != 1 || sum.evidence != 8 {
			t.Errorf("stride %d: %+v", stride, sum)
		}
		for name, c := range map[string]struct {
			got  []time.Duration
			want time.Duration
		}{"wait": {sum.waits, 70 * time.Second}, "run": {sum.runs, 13 * time.Second}, "delivery": {sum.deliveries, 2 * time.Second}, "whole": {sum.wholes, 85 * time.Second}} {
			if len(c.got) != 1 || c.got[0] != c.want {
				t.Errorf("stride %d: %s %v, want %v once", stride, name, c.got, c.want)
			}
		}
		if len(sum.ended) != 1 || sum.ended[0] != (ending{"h200", job.Done, ""}) {
			t.Errorf("stride %d: ended %v", stride, sum.ended)
		}
	}
}

// TestRetryCounts: a lost attempt and its successor are two endings, one retry
// and one wait.
func TestRetryCounts(t *testing.T) {
	var sum total
	var old job.Job
	for _, f := range []job.Fact{life[0], life[1], life[2], fact(job.Started, 1, 70, job.ByPrefix), fact(job.Noted, 0, 71, job.ByManager),
		fact(job.Expired, 1, 100, job.ByTime), fact(job.Renewed, 2, 101, job.ByManager), fact(job.Assigned, 2, 102, job.ByManager),
		fact(job.Started, 2, 110, job.ByPrefix)} {
		now := fold(t, old, f)
		sum.add(compare(old, now))
		old = now
	}
	if len(sum.ended) != 1 || sum.ended[0] != (ending{"h200", job.Lost, "never_appeared"}) || sum.retries != 1 || sum.warnings != 1 {
		t.Errorf("got %+v", sum)
	}
	if len(sum.waits) != 1 || sum.waits[0] != 70*time.Second {
		t.Errorf("waits %v", sum.waits)
	}
}

// TestBefore: what counts as known of a job that is not remembered.
func TestBefore(t *testing.T) {
	fresh := fold(t, job.Job{}, life[0])
	if b := before(fresh); b.ID != "" {
		t.Errorf("a new job counts as known: %+v", b)
	}
	closed := fold(t, job.Job{}, life...)
	if n := compare(before(closed), closed); n.submitted || len(n.ended)+len(n.evidence)+len(n.settled) != 0 {
		t.Errorf("a closed job counts again: %+v", n)
	}
	again := fold(t, closed, fact(job.Renewed, 2, 1000, job.ByManager))
	n := compare(before(again), again)
	if n.submitted || len(n.retries) != 1 || len(n.ended) != 0 || n.whole != nil {
		t.Errorf("a job tried again counts as %+v", n)
	}
}

func TestInStateSince(t *testing.T) {
	j := job.Job{}
	for i, want := range []int{0, 5, 65, 70, 70, 70, 83} {
		if j = fold(t, j, life[i]); !inStateSince(j).Equal(noon.Add(time.Duration(want) * time.Second)) {
			t.Errorf("after %s: %s since %s, want second %d", life[i].Kind, j.State(), inStateSince(j), want)
		}
	}
}
