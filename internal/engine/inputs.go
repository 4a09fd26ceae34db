package engine

import (
	"context"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// maxStagings bounds how many jobs are staged at one time.
const maxStagings = 4

// staging is what the loop knows of the inputs of a waiting job.
type staging struct {
	busy  bool
	done  bool // nothing is left to do before the POST, which looks once more
	tries int
	next  time.Time // not before
	err   *job.Error
}

// find looks for the files that a prompt loads, and says which bytes are meant.
func (e *Engine) find(ctx context.Context, user string, files []job.Input) ([]job.Input, error) {
	if len(files) == 0 || e.inputs == nil {
		return nil, nil
	}
	return e.inputs.Take(ctx, user, files)
}

// awaitsInputs reports a waiting job whose inputs may have to be brought to
// the workers first.
func (l *loop) awaitsInputs(j *job.Job) bool {
	return l.inputs != nil && len(j.Inputs) > 0 && j.State() == job.Queued && j.Want != job.WantCancel
}

// unstaged are the jobs that wait for their inputs.
func (l *loop) unstaged() map[job.ID]bool {
	out := map[job.ID]bool{}
	for _, j := range l.order {
		if s := l.stagings[j.ID]; l.awaitsInputs(j) && (s == nil || !s.done) {
			out[j.ID] = true
		}
	}
	return out
}

// stageInputs brings the inputs of waiting jobs to the workers, oldest first.
// After a restart it is done again for all: what stands there is soon seen.
func (l *loop) stageInputs() {
	if l.closing || l.inputs == nil {
		return
	}
	busy, now := 0, time.Now()
	for _, s := range l.stagings {
		if s.busy {
			busy++
		}
	}
	for _, j := range l.order {
		if busy >= maxStagings {
			return
		}
		if !l.awaitsInputs(j) {
			continue
		}
		s := l.stagings[j.ID]
		if s == nil {
			s = &staging{}
			l.stagings[j.ID] = s
		}
		if s.busy || s.done || now.Before(s.next) {
			continue
		}
		s.busy = true
		busy++
		l.startStaging(j.ID, j.User, j.Inputs)
	}
}

func (l *loop) startStaging(id job.ID, user string, files []job.Input) {
	ctx := l.kill
	l.acts.Go(func() {
		err := l.stage(ctx, user, files)
		l.report(message{do: func(l *loop) func() {
			rerr := l.staged(id, err)
			return func() { l.logError("record a staging", rerr) }
		}})
	})
}

// stage brings all files to the workers; the first error counts.
func (e *Engine) stage(ctx context.Context, user string, files []job.Input) *job.Error {
	for _, in := range files {
		if err := e.inputs.Stage(ctx, user, in); err != nil {
			return job.AsError(err)
		}
	}
	return nil
}

// staged takes the end of a staging into the loop. What heals is tried until
// it does, and told on the job; what does not is left to the POST, which
// refuses the job for it.
func (l *loop) staged(id job.ID, err *job.Error) error {
	s := l.stagings[id]
	if s == nil {
		return nil
	}
	was := s.err
	s.busy, s.err = false, err
	if s.done = err == nil || !err.Transient; s.done {
		return nil
	}
	s.tries++
	s.next = time.Now().Add(min(time.Second<<min(s.tries-1, 5), 30*time.Second))
	if was != nil && was.Code == err.Code {
		return nil // told already
	}
	at := stamp(time.Time{})
	return l.record([]job.Fact{{Job: id, Kind: job.Noted, At: at, Evidence: job.ByManager,
		Warning: &job.Warning{Code: err.Code, At: at, Message: "the job waits for its inputs: " + err.Message, Hint: err.Hint}}})
}

// inputTroubles is why waiting jobs wait for their inputs.
func (l *loop) inputTroubles() map[job.ID]*job.Error {
	out := map[job.ID]*job.Error{}
	for id, s := range l.stagings {
		if s.err != nil && !s.done {
			out[id] = s.err
		}
	}
	return out
}

// tidyEvery is how often staged inputs are looked at for removal.
const tidyEvery = time.Hour

// tidyInputs removes staged inputs that no open job refers to and that were
// not used for as long as the policy says, until ctx ends.
func (e *Engine) tidyInputs(ctx context.Context) error {
	if e.inputs == nil || e.policy.KeepInputs <= 0 {
		return nil
	}
	ticker := time.NewTicker(min(tidyEvery, e.policy.KeepInputs))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		live := map[string][]job.Input{}
		if e.ask(ctx, func(l *loop) error { l.liveInputs(live); return nil }) != nil {
			continue
		}
		n, err := e.inputs.Tidy(ctx, time.Now().Add(-e.policy.KeepInputs), live)
		switch {
		case err != nil && ctx.Err() == nil:
			e.log.Warn("remove old inputs from the workers' folder", "error", err)
		case n > 0:
			e.log.Info("removed old inputs from the workers' folder", "files", n, "older_than", e.policy.KeepInputs)
		}
	}
}

// liveInputs collects the inputs of open jobs by user.
func (l *loop) liveInputs(live map[string][]job.Input) {
	for _, j := range l.order {
		live[j.User] = append(live[j.User], j.Inputs...)
	}
}
