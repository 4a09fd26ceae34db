package doctor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// ending is why a canary is not followed any more.
type ending string

const (
	ended       ending = "ended"       // the job has
	tooLong     ending = "too_long"    // it has not, within the limit
	interrupted ending = "interrupted" // the person who watched does not any more
	managerLeft ending = "left"        // the manager does not answer any more
	onceEnough  ending = "once"        // it was taken and brought nothing; once is enough to pay for
	undelivered ending = "undelivered" // its file is whole and does not get to the user
)

const (
	managerPatience  = time.Minute      // for a manager that is restarted
	deliveryPatience = 30 * time.Second // for a file of a few bytes
)

// watched is what following a canary has to remember.
type watched struct {
	heard time.Time // when the manager last answered
	whole time.Time // since when its file is whole; zero while none is
	copy  time.Duration
}

// after folds in one look at the job, and says whether that was the last.
func (w watched) after(j api.Job, now time.Time) (watched, ending) {
	w.heard = now
	whole := slices.ContainsFunc(j.Outputs, func(o api.Output) bool { return o.State == job.OutputWhole })
	if whole && w.whole.IsZero() {
		w.whole = now
	}
	switch {
	case j.State.Terminal():
		return w, ended
	case whole && now.Sub(w.whole) >= w.copy:
		return w, undelivered
	case slices.ContainsFunc(j.Attempts, fruitlessAttempt):
		return w, onceEnough
	}
	return w, ""
}

// fruitlessAttempt reports one that a machine was paid for and that has failed.
func fruitlessAttempt(a api.Attempt) bool {
	return wasTaken(a) && (a.State == job.Failed || a.State == job.Lost)
}

func wasTaken(a api.Attempt) bool { return !a.Accepted.IsZero() || !a.Started.IsZero() }

// follow looks at a job until one look is the last, and says why it was.
func (v Visit) follow(ctx context.Context, c Canary, j api.Job) (api.Job, ending) {
	bounded, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	every := c.Every
	if every == 0 {
		every = 250 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	w := watched{copy: cmp.Or(c.Copy, deliveryPatience)}
	w, end := w.after(j, time.Now())
	for {
		if c.Tell != nil {
			c.Tell(j)
		}
		if end != "" {
			return j, end
		}
		select {
		case <-ctx.Done():
			return j, interrupted
		case <-bounded.Done():
			if ctx.Err() != nil {
				return j, interrupted
			}
			return j, tooLong
		case <-tick.C:
		}
		next, err := v.Manager.Job(bounded, j.ID)
		switch {
		case err == nil:
			j = next
			w, end = w.after(j, time.Now())
		case time.Since(w.heard) > managerPatience:
			end = managerLeft
		}
	}
}
