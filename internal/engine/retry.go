package engine

import (
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// renewLost begins a further attempt where that may help: after a refusal that
// asked to come back later, or a POST that certainly never arrived, as long as
// AcceptTimeout lasts; after a loss or a transient failure, Retries times. What
// a person retried or cancelled, and what would only break again, is left alone.
func renewLost(v View, j job.Job) []job.Fact {
	a := j.Current()
	if j.Want == job.WantCancel || (a.State != job.Failed && a.State != job.Lost) || a.Error == nil || !a.Error.Transient {
		return nil
	}
	wait, ok := time.Duration(0), false
	if stops(a) && j.User == job.CanaryUser {
		return nil // it shows how the deployment is
	}
	if v.free(a) {
		wait, ok = v.comeBack(j)
	}
	if !ok && a.ErrorFrom != job.Refused {
		wait, ok = 0, v.losses(j) <= v.Policy.Retries
	}
	if !ok {
		return nil
	}
	f := v.fact(j, a.N+1, job.Renewed, job.ByManager)
	f.Automatic, f.NotBefore = true, a.EndedAt().Add(wait)
	return []job.Fact{f}
}

// free reports an attempt that cost nothing: it was refused, or nobody confirmed
// it and no sign of it appeared, while later signs of other prompts show that
// what arrives there is seen.
func (v View) free(a job.Attempt) bool {
	if a.ErrorFrom == job.Refused || stops(a) {
		return true
	}
	sent := a.When(job.Unanswered)
	if a.State != job.Lost || sent.IsZero() || !a.When(job.Acknowledged).IsZero() || !firstSign(a).IsZero() {
		return false
	}
	return slices.ContainsFunc(v.Jobs, func(j *job.Job) bool {
		b := j.Current()
		return b.Deployment == a.Deployment && firstSign(b).After(sent)
	})
}

// stops reports an attempt that ended because nothing can be rendered where it
// was sent: its job is not at fault and waits until that is over.
func stops(a job.Attempt) bool { return a.Error != nil && upkeep.Stops(a.Error.Code) }

// losses counts the attempts since a person last asked that cost a retry.
func (v View) losses(j job.Job) int {
	n := 0
	for i := len(j.Attempts) - 1; i >= 0; i-- {
		a := j.Attempts[i]
		if !v.free(a) && a.State != job.Queued {
			n++
		}
		if !a.Automatic {
			break
		}
	}
	return n
}

// comeBack is when to try again after the latest of a row of attempts that cost
// nothing: the wait doubles from a second to half a minute, or is what the
// server asked for; false once the row has lasted AcceptTimeout. One that nobody
// confirmed has waited long enough for its sign.
func (v View) comeBack(j job.Job) (time.Duration, bool) {
	if stops(j.Current()) {
		row := 0
		for i := len(j.Attempts) - 1; i >= 0 && stops(j.Attempts[i]); i-- {
			row++
		}
		return backOff(row), true
	}
	row, first := 0, time.Time{}
	for i := len(j.Attempts) - 1; i >= 0 && v.free(j.Attempts[i]) && !stops(j.Attempts[i]); i-- {
		row, first = row+1, j.Attempts[i].When(job.Assigned)
		if !j.Attempts[i].Automatic {
			break
		}
	}
	if v.age(first) >= v.Policy.AcceptTimeout {
		return 0, false
	}
	if j.Current().ErrorFrom != job.Refused {
		return 0, true
	}
	wait := backOff(row)
	if asked := time.Duration(j.Current().Error.RetryAfter) * time.Second; asked > wait {
		wait = min(asked, v.Policy.AcceptTimeout)
	}
	return wait, true
}

func backOff(row int) time.Duration { return min(time.Second<<min(row-1, 5), 30*time.Second) }

// closeSettled ends the watch over a job once its late window is over and
// nothing of it is on its way.
func closeSettled(v View, j job.Job) []job.Fact {
	a := j.Current()
	if j.Closed || !a.State.Terminal() || len(j.Unsettled()) > 0 {
		return nil
	}
	if sent(j) && (v.blind() || v.age(a.EndedAt()) < v.Policy.LateWindow) {
		return nil
	}
	for _, candidates := range v.Undecided {
		if slices.Contains(candidates, j.ID) {
			return nil // forgotten, it would leave its file to the other candidates
		}
	}
	return []job.Fact{v.fact(j, 0, job.Closed, job.ByTime)}
}

// sent reports whether any attempt may have reached a worker.
func sent(j job.Job) bool {
	for _, a := range j.Attempts {
		if a.PromptID != "" {
			return true
		}
	}
	return false
}
