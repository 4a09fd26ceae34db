package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

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
	line := newPhaseLine(a.stderr)
	end, err := follow(bounded, c, j, line.show)
	line.end()
	switch {
	case ctx.Err() != nil:
		return goesOn("interrupted", "stopped waiting", j.ID)
	case bounded.Err() != nil:
		return goesOn("wait_timeout", fmt.Sprintf("the job did not end within %s", o.timeout), j.ID)
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
	for _, o := range j.Outputs {
		if o.State == job.OutputStored {
			a.printf("%s\n", printable(a.place(j.User, o.Path)))
		}
	}
	a.warn(j.Warnings)
}

// place is where a delivered file stands: on this machine when the manager is
// the one of our configuration, else below its users folder.
func (a *app) place(user, path string) string {
	if a.local() {
		return filepath.Join(a.cfg.Users.Outputs, user, filepath.FromSlash(path))
	}
	return user + "/" + path
}

// follow reads events until the job has ended. When the stream breaks it opens
// another, for as long as ctx lasts: a manager may be restarted.
func follow(ctx context.Context, c *api.Client, j api.Job, show func(api.Job)) (api.Job, error) {
	pause := 100 * time.Millisecond
	for {
		show(j)
		next, err := followStream(ctx, c, j, show)
		if next.State.Terminal() || ctx.Err() != nil {
			return next, err
		}
		if e := job.AsError(err); e != nil && !e.Transient && errors.Is(err, job.ErrNoJob) {
			return next, err
		}
		if next.Rev != j.Rev {
			pause = 100 * time.Millisecond
		}
		next.Phase = "waiting for the manager to come back"
		j = next
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 3*time.Second)
	}
}

// followStream follows one event stream to the job's end or its own.
func followStream(ctx context.Context, c *api.Client, j api.Job, show func(api.Job)) (api.Job, error) {
	stream, err := c.Events(ctx, 1)
	if err != nil {
		return j, err
	}
	defer func() { _ = stream.Close() }()
	for {
		e, err := stream.Next()
		if err != nil {
			return j, err
		}
		if e.Kind == api.EventSnapshot {
			// A job that ended while nobody looked need not be in the snapshot.
			if j, err = freshJob(ctx, c, j); err != nil {
				return j, err
			}
		}
		next, news := apply(j, e)
		if j = next; news {
			show(j)
		}
		if j.State.Terminal() {
			return j, nil
		}
	}
}

func freshJob(ctx context.Context, c *api.Client, j api.Job) (api.Job, error) {
	fresh, err := c.Job(ctx, j.ID)
	if err != nil {
		return j, err
	}
	return fresh, nil
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

// phaseLine shows a job's phase on a terminal, in one line that moves.
type phaseLine struct{ bar *progressbar.ProgressBar }

func newPhaseLine(w io.Writer) phaseLine {
	if !isTerminal(w) {
		return phaseLine{}
	}
	return phaseLine{progressbar.NewOptions(-1, progressbar.OptionSetWriter(w), progressbar.OptionSpinnerType(14),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(65*time.Millisecond))}
}

func (p phaseLine) show(j api.Job) {
	if p.bar == nil {
		return
	}
	text := shortID(j.ID) + " " + j.Phase
	if n := storedCount(j); n > 0 {
		text += ", " + plural(n, "file") + " delivered"
	}
	p.bar.Describe(printable(shorten(text, 100)))
	_ = p.bar.Add(1)
}

func (p phaseLine) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
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
