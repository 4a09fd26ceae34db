package metrics

import (
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// news is what one change says that was not known before.
type news struct {
	submitted bool
	waited    *measured // from submission to the first start
	delivered *measured // from the end of the run to the last copy
	whole     *measured // from submission to the last copy
	runs      []measured
	ended     []ending
	retries   []bool // automatic or a person's
	evidence  []job.Witness
	warnings  []string // codes
	settled   []job.Output
}

// measured is a time that something took on a deployment.
type measured struct {
	deployment string
	took       time.Duration
}

// ending is how an attempt ended.
type ending struct {
	deployment string
	state      job.State
	code       string // of the error; empty for none
}

// compare says what is new of a job. The zero Job is one that nobody knew.
func compare(old, now job.Job) news {
	n := news{submitted: old.ID == "", waited: waited(old, now)}
	for _, a := range now.Attempts {
		was, known := old.Attempt(a.N)
		if !known && a.N > 1 {
			n.retries = append(n.retries, a.Automatic)
		}
		n.attempt(was, a)
	}
	if was := old.State(); now.State() == job.Done && (was != job.Done || old.ID == "") {
		n.completed(now)
	}
	for _, w := range now.Warnings {
		if !slices.ContainsFunc(old.Warnings, func(o job.Warning) bool { return o.Code == w.Code && o.Message == w.Message }) {
			n.warnings = append(n.warnings, w.Code)
		}
	}
	for _, o := range now.Outputs {
		if was, _ := old.Output(o.ID); o.State.Settled() && was.State != o.State {
			n.settled = append(n.settled, o)
		}
	}
	return n
}

// attempt adds what is new of one attempt.
func (n *news) attempt(was, now job.Attempt) {
	for _, w := range now.Witnesses {
		if !slices.ContainsFunc(was.Witnesses, func(o job.Witness) bool { return o.Kind == w.Kind && o.Evidence == w.Evidence }) {
			n.evidence = append(n.evidence, w)
		}
	}
	began, finished := now.When(job.Started), now.When(job.Finished)
	if was.When(job.Finished).IsZero() && !finished.IsZero() && !began.IsZero() {
		n.runs = append(n.runs, measured{now.Deployment, finished.Sub(began)})
	}
	if now.State.Terminal() && !was.State.Terminal() {
		e := ending{deployment: now.Deployment, state: now.State}
		if now.Error != nil && (now.State == job.Failed || now.State == job.Lost) {
			e.code = now.Error.Code
		}
		n.ended = append(n.ended, e)
	}
}

func (n *news) completed(j job.Job) {
	a := j.Current()
	n.whole = &measured{a.Deployment, j.EndedAt().Sub(j.Submitted)}
	if finished := a.When(job.Finished); !finished.IsZero() {
		n.delivered = &measured{a.Deployment, j.EndedAt().Sub(finished)}
	}
}

// waited is the wait that is over with this change; nil for none. A retry
// does not wait again.
func waited(old, now job.Job) *measured {
	if _, began := firstStart(old); began {
		return nil
	}
	a, began := firstStart(now)
	if !began {
		return nil
	}
	return &measured{a.Deployment, startOf(a).Sub(now.Submitted)}
}

func firstStart(j job.Job) (job.Attempt, bool) {
	i := slices.IndexFunc(j.Attempts, func(a job.Attempt) bool { return !startOf(a).IsZero() })
	if i < 0 {
		return job.Attempt{}, false
	}
	return j.Attempts[i], true
}

func startOf(a job.Attempt) time.Time {
	return a.When(job.Started, job.Seen, job.Whole, job.Stored, job.Finished)
}

// before is what was known of a job that is not remembered, ahead of its
// change: nothing of a new one; all but the last attempt of one that was
// closed and is tried again; everything of one that stays closed.
func before(j job.Job) job.Job {
	switch n := len(j.Attempts); {
	case j.Closed:
		return j
	case n > 1:
		j.Outputs = slices.DeleteFunc(slices.Clone(j.Outputs), func(o job.Output) bool { return o.Attempt == n })
		j.Attempts = j.Attempts[:n-1]
		return j
	}
	return job.Job{}
}

// inStateSince is when a job that has not ended came into the state it is in.
func inStateSince(j job.Job) time.Time {
	a := j.Current()
	var t time.Time
	switch a.State {
	case job.Queued:
		if t = j.Submitted; a.N > 1 {
			t = j.Attempts[a.N-2].EndedAt()
		}
	case job.Submitting:
		t = a.When(job.Assigned)
	case job.Accepted:
		t = a.When(job.Acknowledged)
	case job.Running:
		t = startOf(a)
	case job.Rendered:
		t = a.When(job.Finished)
	}
	if t.IsZero() {
		return j.Updated
	}
	return t
}
