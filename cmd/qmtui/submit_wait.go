package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// wait follows a job to its end and tells how it came out. Whatever ends the
// wait before, the job goes on.
func (a *app) wait(ctx context.Context, c *api.Client, j api.Job, o submitOptions) error {
	bounded, cancel := ctx, func() {}
	if o.timeout > 0 {
		bounded, cancel = context.WithTimeout(ctx, o.timeout)
	}
	defer cancel()
	told := a.newTeller()
	end, err := follower{client: c, show: told.show, grace: retryGrace, patience: awayPatience}.follow(bounded, j)
	told.end()
	switch {
	case ctx.Err() != nil:
		return goesOn("interrupted", "stopped waiting", j.ID)
	case bounded.Err() != nil:
		return goesOn(waitTimeout, fmt.Sprintf("the job did not end within %s", o.timeout), j.ID)
	case err != nil:
		return err
	}
	return a.outcome(end, o.json)
}

func goesOn(code, message string, id job.ID) error {
	return &job.Error{Code: code, Class: job.Unavailable, Message: fmt.Sprintf("%s; the job %s goes on", message, id),
		Hint: fmt.Sprintf("look with \"qmtui jobs show %s\"", shortID(id))}
}

// outcome tells how a job ended; one that is not done is a failure.
func (a *app) outcome(j api.Job, asJSON bool) error {
	if asJSON {
		if err := writeJSON(a.stdout, j); err != nil {
			return err
		}
	} else {
		a.delivered(j)
	}
	if j.State == job.Done {
		return nil
	}
	if j.ErrorDetail != nil {
		return j.ErrorDetail.Err()
	}
	return failed("job_"+j.State.String(), fmt.Sprintf("the job %s is %s", j.ID, j.State), fmt.Sprintf("look with \"qmtui jobs show %s\"", shortID(j.ID)))
}

// delivered prints where the job's outputs stand, and its warnings on stderr.
func (a *app) delivered(j api.Job) {
	for _, o := range j.Delivered() {
		a.printf("%s\n", printable(a.place(j.User, o.Path)))
	}
}

// place is where a delivered file stands: on this machine when the manager is
// the one of our configuration, else below its users folder.
func (a *app) place(user, path string) string {
	if a.local() {
		return filepath.Join(a.cfg.Users.Outputs, user, filepath.FromSlash(path))
	}
	return user + "/" + path
}

// retryGrace is how long a failure that the manager may retry by itself is
// doubted: it records the failure and the new attempt one after the other.
const retryGrace = time.Second

// awayPhase stands for a job's own phase while nobody tells it.
const awayPhase = "waiting for the manager to come back"

// awayPatience is how long a manager may be away: longer than a restart or an
// upgrade takes.
const awayPatience = 2 * time.Minute

// managerGone is the code of an error that says that a manager went away and
// did not come back.
const managerGone = "manager_gone"

// follower follows one job over as many event streams as that takes.
type follower struct {
	client *api.Client
	show   func(api.Job)
	grace  time.Duration
	// patience is how long to look for a manager that does not answer.
	patience time.Duration
}

// follow returns the job once it has ended. When the stream breaks it opens
// another, until no stream could be opened for as long as its patience lasts: a
// manager may be restarted. What another try cannot mend is an error.
func (f follower) follow(ctx context.Context, j api.Job) (api.Job, error) {
	pause, heard := 100*time.Millisecond, time.Now()
	for {
		f.show(j)
		next, opened, err := f.stream(ctx, j)
		if err == nil || ctx.Err() != nil || !job.AsError(err).Transient {
			return next, err
		}
		if opened {
			pause, heard = 100*time.Millisecond, time.Now()
		} else if away := time.Since(heard); away >= f.patience {
			return next, gone(away, next.ID, err)
		}
		next.Phase = awayPhase
		j = next
		if !pauseFor(ctx, pause) {
			return j, ctx.Err()
		}
		pause = min(2*pause, 3*time.Second)
	}
}

// gone is the end of the patience with a manager, with what its last answer was.
func gone(away time.Duration, id job.ID, last error) error {
	return &job.Error{Code: managerGone, Class: job.Unavailable,
		Message: fmt.Sprintf("the manager has not answered for %s (%s); the job %s is in its database and goes on when it is back", length(away), job.AsError(last).Code, id),
		Hint:    fmt.Sprintf("see to the manager (systemctl status qmtui), then look with \"qmtui jobs show %s\"", shortID(id))}
}

// pauseFor waits; false when ctx ended first.
func pauseFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// stream follows one event stream to the job's end or its own. opened says that
// the manager sent something.
func (f follower) stream(ctx context.Context, j api.Job) (next api.Job, opened bool, err error) {
	stream, err := f.client.Events(ctx, 1)
	if err != nil {
		return j, false, err
	}
	defer func() { _ = stream.Close() }()
	for {
		e, err := stream.Next()
		if err != nil {
			return j, opened, err
		}
		opened = true
		if e.Kind == api.EventSnapshot {
			// A job that ended while nobody looked need not be in the snapshot.
			if j, err = f.fresh(ctx, j); err != nil {
				return j, opened, err
			}
		}
		next, news := apply(j, e)
		if j = next; news {
			f.show(j)
		}
		if mayReturn(j) && pauseFor(ctx, f.grace) {
			if j, err = f.fresh(ctx, j); err != nil {
				return j, opened, err
			}
		}
		if j.State.Terminal() {
			return j, opened, nil
		}
	}
}

// fresh is the job as it is now; as it was, when nobody answers.
func (f follower) fresh(ctx context.Context, j api.Job) (api.Job, error) {
	now, err := f.client.Job(ctx, j.ID)
	if err != nil {
		return j, err
	}
	return now, nil
}

// mayReturn reports an end that the manager may answer with another attempt.
func mayReturn(j api.Job) bool {
	broke := j.State == job.Failed || j.State == job.Lost
	return broke && j.Want != job.WantCancel && j.ErrorDetail != nil && j.ErrorDetail.Transient
}

// apply is the job after an event, and whether that told anything new of it.
func apply(j api.Job, e api.Event) (api.Job, bool) {
	switch {
	case e.Kind == api.EventSnapshot:
		return j, true
	case e.Change != nil && e.Change.Job.ID == j.ID && e.Change.Rev > j.Rev:
		return e.Change.Job, true
	case e.Standings != nil:
		for _, s := range e.Standings.Jobs {
			if s.ID == j.ID {
				j.Phase, j.Position, j.Wait = s.Phase, s.Position, s.Wait
				return j, true
			}
		}
	}
	return j, false
}

func storedCount(j api.Job) int {
	n := 0
	for _, o := range j.Outputs {
		if o.State == job.OutputStored {
			n++
		}
	}
	return n
}
