package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// act starts what the recorded facts call for. Nothing here waits.
func (l *loop) act() {
	if l.fault != nil {
		return
	}
	l.deliver()
	l.stageInputs()
	l.lookAndAsk()
}

// submit sends the one POST of an attempt whose intent has just been recorded.
func (l *loop) submit(j *job.Job, f job.Fact) {
	ctx, cancel := context.WithCancel(l.kill)
	l.posting[f.PromptID] = cancel
	s := job.Submission{Job: j.ID, Attempt: f.Attempt, PromptID: f.PromptID, Deployment: f.Deployment, User: j.User, Timeout: l.policy.AcceptTimeout, Plain: f.Plain}
	workflow, extra := j.Workflow, j.Extra
	if l.inputs != nil {
		s.Inputs = j.Inputs
	}
	l.stopEarlier(*j, f.Attempt)
	l.acts.Go(func() {
		defer cancel()
		answer := l.post(ctx, s, workflow, extra)
		l.report(message{do: func(l *loop) func() {
			delete(l.posting, s.PromptID)
			err := l.record(l.heard(answer))
			return func() { l.logError("record an answer", err) }
		}})
		l.share.Nudge(s.PromptID)
	})
}

// post loads the bodies, sees that the inputs stand ready, and sends. A prompt
// whose body or inputs cannot be had is refused: it was never sent.
func (l *loop) post(ctx context.Context, s job.Submission, workflow, extra string) job.Fact {
	var err, xerr error
	s.Workflow, err = l.ledger.Blob(workflow)
	if extra != "" {
		s.Extra, xerr = l.ledger.Blob(extra)
	}
	if err := errors.Join(err, xerr); err != nil {
		return notSent(s, &job.Error{Code: "workflow_unreadable", Class: job.Internal, Message: "the stored workflow cannot be read: " + err.Error(),
			Hint: `run "qmtui db check"`})
	}
	if err := l.stage(ctx, s.User, s.Inputs); err != nil {
		return notSent(s, err)
	}
	return l.fleet.Submit(ctx, s)
}

// notSent is the fact of a prompt that never left.
func notSent(s job.Submission, err *job.Error) job.Fact {
	return job.Fact{Job: s.Job, Attempt: s.Attempt, PromptID: s.PromptID, Kind: job.Refused, At: time.Now().UTC(), Evidence: job.ByManager, Error: err}
}

// report tells the loop something that must not get lost while it runs.
func (l *loop) report(m message) { _ = l.tell(context.Background(), m) }

func (l *loop) reportFact(f job.Fact)         { l.report(message{fact: &f}) }
func (l *loop) reportSighting(s job.Sighting) { l.report(message{sighting: &s}) }

func (l *loop) logError(doing string, err error) {
	if err != nil {
		l.log.Error(doing, "error", err)
	}
}

// landed is called when an attempt stops occupying a GPU, as far as we know.
func (l *loop) landed(j *job.Job, f job.Fact) {
	a, _ := j.Attempt(f.Attempt)
	l.charge(j, a, f.At)
	if f.Kind != job.Withdrawn {
		return
	}
	if cancel, ok := l.posting[a.PromptID]; ok {
		cancel()
	}
	l.interrupt(*j, a)
}

// stopEarlier asks workers to drop the attempts that attempt n replaces, so
// that nobody pays for both.
func (l *loop) stopEarlier(j job.Job, n int) {
	for _, a := range j.Attempts {
		if a.N < n && a.State == job.Lost {
			l.interrupt(j, a)
		}
	}
}

// interruptTries is how often an interrupt is sent: a balancer may bring each
// to another replica, and one that does not run the prompt ignores it.
const interruptTries = 6

// interrupt asks the deployment to drop or stop a prompt, by its id only.
func (l *loop) interrupt(j job.Job, a job.Attempt) {
	if a.When(job.Acknowledged, job.Unanswered, job.Started, job.Seen).IsZero() && l.posting[a.PromptID] == nil {
		return
	}
	f := job.Flight{Job: j.ID, Attempt: a.N, PromptID: a.PromptID, Deployment: a.Deployment, State: a.State}
	ctx := l.kill
	l.acts.Go(func() {
		for range interruptTries {
			if err := l.fleet.Interrupt(ctx, f); err != nil {
				l.log.Info("interrupt", "job", f.Job, "prompt", f.PromptID, "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	})
}

// lookAndAsk tells the share which folders to look into and the fleet which
// attempts to ask about.
func (l *loop) lookAndAsk() {
	var folders []job.Folder
	var flights []job.Flight
	for _, j := range l.order {
		for _, a := range j.Attempts {
			if a.PromptID == "" {
				continue
			}
			folders = append(folders, job.Folder{PromptID: a.PromptID, Live: !a.State.Terminal(), Paths: lookedAt(*j, a)})
			if asking(a) || l.teaches(*j, a) {
				flights = append(flights, job.Flight{Job: j.ID, Attempt: a.N, PromptID: a.PromptID, Deployment: a.Deployment, State: a.State,
					Wrote: mayHaveEnded(*j, a, l.traces[a.PromptID]), Due: l.due(*j, a)})
			}
		}
	}
	if !slices.EqualFunc(folders, l.watched, sameFolder) {
		l.watched = folders
		l.share.Watch(slices.Clone(folders))
	}
	if !slices.Equal(flights, l.followed) {
		l.followed = flights
		l.fleet.Follow(slices.Clone(flights))
	}
}

// due is when half of the runs like this one have ended; zero for one that does not
// run, and when too few are known.
func (l *loop) due(j job.Job, a job.Attempt) time.Time {
	if a.State != job.Running {
		return time.Time{}
	}
	usual := percentile(l.delays.Runs[runKey(a.Deployment, kindOf(j))], 0.5)
	if usual == 0 {
		return time.Time{}
	}
	return firstSign(a).Add(usual)
}

// lookedAt are the files outside the attempts' own folders that a history of the
// attempt names or that were attributed to it: they may be written again.
func lookedAt(j job.Job, a job.Attempt) []job.Path {
	paths := outside(a)
	for _, o := range j.OutputsOf(a.N) {
		if !o.Source.Tagged() && o.Source != "" {
			paths = append(paths, o.Source)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// mayHaveEnded is above zero, and grows with every file, when a running attempt
// may have ended and the share cannot tell: the number of its files is unknown,
// they may stand anywhere, or nothing in them marks their end. It grows once more
// for one that has ended and is asked about all the same.
func mayHaveEnded(j job.Job, a job.Attempt, trace Trace) int {
	t := tally(j, a.N, trace)
	switch {
	case a.State > job.Running:
		return t.There + 2
	case a.State != job.Running || a.N != j.Current().N:
		return 0
	}
	anywhere := j.Unsure || slices.ContainsFunc(j.Expect, func(x job.Expected) bool { return x.Outside })
	switch {
	case anywhere:
		return t.There + 1
	case t.Short || t.Half > 0:
		return 0
	}
	return t.There
}

// asking reports whether a worker may know something of the attempt that we
// do not. While the POST itself waits for its answer nobody does.
func asking(a job.Attempt) bool {
	if a.State == job.Submitting {
		return !a.When(job.Unanswered).IsZero()
	}
	return a.State == job.Accepted || a.State == job.Running
}

// askToLearn is for how long a worker is asked for the history of a run that
// has ended, where that shows what is not known of a class.
const askToLearn = 30 * time.Second

// teaches reports an attempt that has ended and whose history, not heard yet,
// would show whether nodes of an unknown class write outside their folder, or
// where. Until that is known, jobs with them take turns.
func (l *loop) teaches(j job.Job, a job.Attempt) bool {
	if a.State != job.Rendered && a.State != job.Done || a.Heard() || time.Since(endOf(a)) > askToLearn {
		return false
	}
	for _, class := range j.Strangers {
		if x, known := l.learned[a.Deployment][class]; !known || x.Plain {
			return true
		}
	}
	return false
}

func sameFolder(a, b job.Folder) bool {
	return a.PromptID == b.PromptID && a.Live == b.Live && slices.Equal(a.Paths, b.Paths)
}
