package engine

import (
	"context"
	"fmt"

	"github.com/comfyume/qmtui/internal/job"
)

// Act does something to the jobs a filter picks and says what became of each.
// With DryRun it only says what it would do.
func (e *Engine) Act(ctx context.Context, a job.Action) ([]job.ActionResult, error) {
	if a.Verb == job.DoPriority {
		if err := a.Priority.Check(); err != nil {
			return nil, err
		}
	}
	var results []job.ActionResult
	err := e.ask(ctx, func(l *loop) error {
		picked, err := l.pick(a)
		if err != nil {
			return err
		}
		results, err = l.actOn(picked, a)
		return err
	})
	if err != nil || a.DryRun {
		return results, err
	}
	for i, r := range results {
		if j, err := e.ledger.Job(r.Job.ID); err == nil {
			results[i].Job = j
		}
	}
	return results, nil
}

// pick finds the jobs an action means, oldest first; an unknown id is an error.
func (l *loop) pick(a job.Action) ([]job.Job, error) {
	f := a.Filter
	if f.Empty() && !a.All {
		return nil, &job.Error{Code: "no_filter", Class: job.Invalid, Message: "nothing says which jobs are meant", Hint: "give ids or a filter"}
	}
	if len(f.IDs) == 0 {
		return l.pickAll(f)
	}
	var jobs []job.Job
	for _, id := range f.IDs {
		j, err := l.ledger.Job(id)
		if err != nil {
			return nil, err
		}
		if f.Matches(j) {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

func (l *loop) pickAll(f job.Filter) ([]job.Job, error) {
	q := job.Query{Filter: f, Sort: job.OldestFirst, Limit: 1000}
	var jobs []job.Job
	for {
		page, err := l.ledger.Jobs(q)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, page.Jobs...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return jobs, nil
		}
	}
}

// actOn decides for each job and records all in one commit. Of the jobs that
// a filter picked, those it is too late for are left out: nobody named them.
func (l *loop) actOn(jobs []job.Job, a job.Action) ([]job.ActionResult, error) {
	var facts []job.Fact
	var results []job.ActionResult
	for _, j := range jobs {
		f, refusal := decide(j, a)
		if refusal != nil && refusal.Class == job.Conflict && len(a.Filter.IDs) == 0 {
			continue
		}
		if results = append(results, job.ActionResult{Job: j, Error: refusal}); refusal == nil && f.Kind != "" {
			f.Job, f.At, f.Evidence, f.Actor = j.ID, stamp(f.At), job.ByAdmin, a.Caller.Name
			facts = append(facts, f)
		}
	}
	if a.DryRun || len(facts) == 0 {
		return results, nil
	}
	return results, l.recordNow(facts...)
}

// decide is the fact that an action amounts to for one job, or why it cannot
// be. A fact without a kind means that there is nothing to do.
func decide(j job.Job, a job.Action) (job.Fact, *job.Error) {
	s := j.State()
	switch a.Verb {
	case job.DoCancel:
		if s.Terminal() || s == job.Rendered {
			return job.Fact{}, tooLate(j, "cancelled")
		}
		if j.Want == job.WantCancel {
			return job.Fact{}, nil
		}
		return job.Fact{Kind: job.Wanted, Want: job.WantCancel}, nil
	case job.DoRetry:
		if !s.Terminal() {
			return job.Fact{}, &job.Error{Code: "still_going", Class: job.Conflict, Message: "the job is " + s.String() + ", so there is nothing to retry yet",
				Hint: "wait for its end, or cancel it first"}
		}
		return job.Fact{Kind: job.Renewed, Attempt: j.Current().N + 1}, nil
	case job.DoPriority:
		if s != job.Queued {
			return job.Fact{}, tooLate(j, "moved in the line")
		}
		if j.Priority == a.Priority {
			return job.Fact{}, nil
		}
		return job.Fact{Kind: job.Prioritised, Priority: &a.Priority}, nil
	}
	return job.Fact{}, &job.Error{Code: "unknown_action", Class: job.Invalid, Message: fmt.Sprintf("%.40q is not an action", string(a.Verb)),
		Hint: "use cancel, retry or priority"}
}

func tooLate(j job.Job, what string) *job.Error {
	return &job.Error{Code: "too_late", Class: job.Conflict, Message: fmt.Sprintf("the job is %s, so it cannot be %s any more", j.State(), what),
		Hint: "look at it with \"qmtui jobs show " + string(j.ID) + "\""}
}

// Job, Jobs, Facts and Watch read the ledger.
func (e *Engine) Job(id job.ID) (job.Job, error)         { return e.ledger.Job(id) }
func (e *Engine) Jobs(q job.Query) (job.Page, error)     { return e.ledger.Jobs(q) }
func (e *Engine) Facts(id job.ID) ([]job.Fact, error)    { return e.ledger.Facts(id) }
func (e *Engine) Watch(limit int) (job.Watch, error)     { return e.ledger.Watch(limit) }
func (e *Engine) Orphans(s string) ([]job.Orphan, error) { return e.ledger.Orphans(s) }
func (e *Engine) Workers() []job.Deployment              { return e.board.Load().workers }
func (e *Engine) Status() job.QueueStatus                { return e.status() }

// Workflow returns the prompt as submitted and its extra_data, nil for none.
func (e *Engine) Workflow(id job.ID) (workflow, extra []byte, err error) {
	j, err := e.ledger.Job(id)
	if err != nil {
		return nil, nil, err
	}
	if workflow, err = e.ledger.Blob(j.Workflow); err != nil || j.Extra == "" {
		return workflow, nil, err
	}
	extra, err = e.ledger.Blob(j.Extra)
	return workflow, extra, err
}

// status is the published one with the counts of the ledger.
func (e *Engine) status() job.QueueStatus {
	s := e.board.Load().status
	if counts, err := e.ledger.Counts(); err == nil {
		s.Counts = counts
	}
	return s
}

// Output finds a file and its job.
func (e *Engine) Output(id job.OutputID) (job.Job, job.Output, error) {
	j, err := e.ledger.ByOutput(id)
	if err != nil {
		return job.Job{}, job.Output{}, &job.Error{Code: "output_not_found", Class: job.NotFound, Message: "there is no such output",
			Hint: `list them with "qmtui outputs list"`}
	}
	o, _ := j.Output(id)
	return j, o, nil
}

// Open reads a delivered file.
func (e *Engine) Open(j job.Job, o job.Output) (File, error) {
	if o.State != job.OutputStored {
		return nil, &job.Error{Code: "not_delivered", Class: job.Conflict, Transient: true,
			Message: "the file is " + o.State.String() + " and does not stand in the user's folder yet", Hint: "try again when it is stored"}
	}
	return e.share.Open(j.User, o.Dest)
}

// Users is every user at a glance.
func (e *Engine) Users() ([]job.UserStatus, error) {
	counts, err := e.ledger.UserCounts()
	if err != nil {
		return nil, err
	}
	totals, err := e.ledger.Totals()
	if err != nil {
		return nil, err
	}
	return userStatuses(counts, totals, e.Spend(1)[0].Users, e.board.Load(), e.policy), nil
}
